"""What if as a reader meets it, in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Browser, Page, expect
from support.browsing import (
    address_parameters,
    new_context,
    text_box,
    wait_until_drawn,
    wider_than_the_screen,
    with_sentence,
)

FIRST = "Der Hund sah den Ball."
WRITTEN = ".st-key-what_it_says"
MARKED = f"{WRITTEN} mark"
MAPS = ".attnviz-effect-maps"


def opened(page: Page, **parameters: str) -> str:
    page.goto(with_sentence("/what_if?" + "&".join(f"{key}={value}" for key, value in parameters.items()), FIRST))
    return wait_until_drawn(page, FIRST)


def tile(page: Page, layer: int, head: int):
    return page.locator(f".attnviz-mosaic-tile[data-head='L{layer} H{head}']")


def test_a_click_switches_a_head_off_and_the_text_follows(browser: Browser, app_url: str) -> None:
    context = new_context(browser, base_url=app_url)
    page = context.new_page()
    run = opened(page, kind="cross", head="4", layer="3")
    expect(page.locator(WRITTEN)).to_contain_text("Nothing is changed yet")
    expect(page.locator(f"{MAPS} .attnviz-heatmap-canvas")).to_have_count(3)
    for head in range(6):
        tile(page, 3, head).click()
        run = wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(MAPS)).to_contain_text("this head is off")
    expect(page.locator(MARKED).first).to_be_visible()
    expect(page.locator(WRITTEN)).to_contain_text("The dog saw the ball.")
    expect(page.locator(f"{WRITTEN} .attnviz-outcome-first")).to_contain_text(re.compile(r"% → .*%"))
    # The numbers of a cell: by hand in one map, with that of the other and the difference beside the names.
    page.locator(f"{MAPS} [data-map=after] .attnviz-heatmap-canvas").hover()
    expect(page.locator(f"{MAPS} .attnviz-tip")).to_contain_text(re.compile(r" → .* [01]\.\d\d"))
    expect(page.locator(f"{MAPS} [data-map=difference] .attnviz-panel-value")).to_have_text(re.compile(r"\d\.\d\d"))
    assert address_parameters(page)["off"] == [" ".join(f"cross.L3.H{head}" for head in range(6))]
    expect(tile(page, 3, 4)).to_have_attribute("aria-label", re.compile("off. Switch this head off or on$"))
    # A copied link shows the same to somebody else.
    text = page.locator(WRITTEN).inner_text()
    other = context.new_page()
    other.goto(page.url)
    wait_until_drawn(other, FIRST)
    assert other.locator(WRITTEN).inner_text() == text
    other.close()
    # The keyboard does it too, and a button switches all on again.
    tile(page, 3, 5).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    run = wait_until_drawn(page, FIRST, before=run)
    assert address_parameters(page)["off"][0].endswith("cross.L3.H5 cross.L3.H6")
    page.locator(".st-key-all_on button").click()
    wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(WRITTEN)).to_contain_text("Nothing is changed yet")
    assert "off" not in address_parameters(page)
    context.close()


def test_presets_change_what_is_said_and_say_what_they_do(page: Page) -> None:
    run = opened(page)
    page.locator(".st-key-preset button").filter(has_text="No cross-attention").click()
    run = wait_until_drawn(page, FIRST, before=run)
    expect(page.get_by_text("The decoder no longer sees the source.")).to_be_visible()
    expect(page.locator(MARKED).first).to_be_visible()
    assert address_parameters(page)["change"] == ["off"] and address_parameters(page)["kind"] == ["cross"]
    page.locator(".st-key-preset button").filter(has_text="The positional head off").click()
    run = wait_until_drawn(page, FIRST, before=run)
    assert re.fullmatch(r"encoder\.L\d\.H\d", address_parameters(page)["off"][0])
    assert "change" not in address_parameters(page)
    page.locator(".st-key-preset button").filter(has_text="Sparse attention").click()
    wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(MAPS)).to_contain_text("at 4,096 tokens 0.07 %, at 128,000 tokens 0.002 %")
    assert "off" not in address_parameters(page)


def test_the_head_that_matters_most_is_a_click_away(page: Page) -> None:
    run = opened(page, kind="cross")
    page.locator(".st-key-importance label").first.click()
    run = wait_until_drawn(page, FIRST, before=run)
    button = page.locator(".st-key-most_important button")
    expect(button).to_contain_text("matters most")
    head = re.search(r"L(\d) H(\d)", button.inner_text())
    assert head is not None
    expect(tile(page, int(head[1]), int(head[2]))).to_have_attribute("aria-label", re.compile(r"\d bits\."))
    expect(tile(page, int(head[1]), int(head[2]))).to_contain_text(re.compile(r"0\.\d{3}"))
    button.click()
    wait_until_drawn(page, FIRST, before=run)
    assert address_parameters(page)["off"] == [f"cross.L{head[1]}.H{head[2]}"]
    expect(button).to_contain_text("on, which matters most")


def test_a_pattern_of_another_length_says_what_is_needed_and_keeps_what_was_typed(page: Page) -> None:
    run = opened(page, change="pattern")
    text_box(page, "other").fill("Die Katze schläft.")
    text_box(page, "other").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Both texts need the same number of tokens.")
    assert text_box(page, "other").input_value() == "Die Katze schläft."
    text_box(page, "other").fill("Die Katze sah den Hund.")
    text_box(page, "other").press("Enter")
    wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(MAPS)).to_contain_text("computed: 100 % of all pairs")


def test_the_page_fits_a_telephone(browser: Browser, app_url: str) -> None:
    context = new_context(browser, base_url=app_url, viewport={"width": 390, "height": 844})
    page = context.new_page()
    opened(page, change="window", kind="decoder")
    assert wider_than_the_screen(page) == []
    context.close()
