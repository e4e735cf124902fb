"""What if as a reader meets it, in a real browser."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from playwright.sync_api import Browser, Page, expect
from support.browsing import (
    RESTS,
    address_parameters,
    click_page_name,
    new_context,
    point_at,
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


def choose(page: Page, change: str) -> None:
    """Picks a change in the menu, once nothing is drawn any more: it would close without the choice."""
    page.wait_for_function(RESTS)
    page.locator(".st-key-change input").fill(change)
    page.get_by_role("option", name=change, exact=True).click()


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
    point_at(page.locator(f"{MAPS} [data-map=after] .attnviz-heatmap-canvas"), page.locator(f"{MAPS} .attnviz-tip"))
    expect(page.locator(f"{MAPS} .attnviz-tip")).to_contain_text(re.compile(r" → .* [01]\.\d\d"))
    expect(page.locator(f"{MAPS} [data-map=difference] .attnviz-panel-value")).to_have_text(re.compile(r"\d\.\d\d"))
    assert address_parameters(page)["off"] == [" ".join(f"cross.L3.H{head}" for head in range(6))]
    expect(tile(page, 3, 4)).to_have_attribute("aria-label", re.compile("off. Switch this head off or on$"))
    name = page.locator(f"{MAPS} .attnviz-panel-name").first
    name.press("ArrowRight")
    expect(page.locator(f"{MAPS} .attnviz-tip")).to_contain_text("<s> → Der")
    name.press("Escape")
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
    expect(page.locator(MAPS)).to_contain_text(
        "at 4,096 tokens 0.07 % (1,366 times fewer), at 128,000 tokens 0.002 % (42,667 times fewer)"
    )
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


def test_several_changes_act_in_their_order_and_each_is_taken_back(browser: Browser, app_url: str) -> None:
    context = new_context(browser, base_url=app_url)
    page = context.new_page()
    run = opened(page, change="edge", from_word="sah", to_word="Ball", off="cross.L3.H4", stand_in="mean")
    titles = page.locator(".st-key-changed button")
    expect(titles.nth(0)).to_contain_text("Encoder: One word for one word sah ↛ Ball")
    page.locator(".st-key-keep_change button").click()
    run = wait_until_drawn(page, FIRST, before=run)
    choose(page, "Neighbours and steps")
    run = wait_until_drawn(page, FIRST, before=run)
    shown = ["Encoder: One word for one word sah ↛ Ball", "Encoder: Neighbours and steps 1, 3", "Cross L3 H4: Off"]
    in_order = re.compile(".*".join(map(re.escape, shown)), re.DOTALL)
    expect(page.locator(".st-key-changed")).to_contain_text(in_order)
    expect(page.locator(MAPS)).to_contain_text("at 4,096 tokens")
    # The same on reload, in another tab, and on the way back from another page.
    parameters = address_parameters(page)
    assert parameters["changes"] == ["encoder.edge=2,4"] and parameters["stand_in"] == ["mean"]
    text = page.locator(WRITTEN).inner_text()
    page.reload()
    wait_until_drawn(page, FIRST)
    assert page.locator(WRITTEN).inner_text() == text
    other = context.new_page()
    other.goto(page.url)
    wait_until_drawn(other, FIRST)
    assert other.locator(WRITTEN).inner_text() == text
    other.close()
    click_page_name(page, "Overview")
    page.wait_for_function("location.pathname === '/overview' && document.querySelector('.attnviz-ready')")
    page.go_back()
    page.wait_for_function("location.pathname === '/what_if'")
    expect(page.locator(".st-key-changed")).to_contain_text(in_order)
    run = wait_until_drawn(page, FIRST)
    assert address_parameters(page) == parameters
    # How far the vectors moved.
    page.locator(".st-key-distances summary").click()
    expect(page.locator(".st-key-distances .attnviz-panel-title")).to_have_text(["Encoder", "Decoder"])
    distances = page.locator(".st-key-distances")
    point_at(distances.locator(".attnviz-heatmap-canvas").first, distances.locator(".attnviz-tip"))
    expect(distances.locator(".attnviz-tip")).to_contain_text(re.compile(r"→ .* \d\.\d\d"))
    # One is taken back, the others stay.
    run = wait_until_drawn(page, FIRST)
    page.locator(".st-key-take_back_0 button").click()
    run = wait_until_drawn(page, FIRST, before=run)
    assert "changes" not in address_parameters(page) and address_parameters(page)["off"] == ["cross.L3.H4"]
    expect(titles.nth(0)).to_contain_text("Encoder: Neighbours and steps 1, 3")
    context.close()


def test_a_measurement_of_all_heads_can_be_ended(page: Page) -> None:
    long = " ".join(["Die Katze sah den Hund und der Hund sah den Ball."] * 14)
    page.goto("/what_if?" + urlencode({"sentence": long, "change": "none"}))
    wait_until_drawn(page, long)
    page.locator(".st-key-importance label").first.click()
    page.locator(".st-key-cancel_importance button").click()
    expect(page.locator(".st-key-importance input")).not_to_be_checked()
    wait_until_drawn(page, long)
    expect(page.locator(".st-key-cancel_importance")).to_have_count(0)
    expect(page.locator(".st-key-most_important")).to_have_count(0)
    assert "importance" not in address_parameters(page)


def test_on_a_telephone_the_page_opens_with_another_text_and_a_click_changes_it(browser: Browser, app_url: str) -> None:
    context = new_context(browser, base_url=app_url, viewport={"width": 390, "height": 844}, locale="en-GB")
    page = context.new_page()
    page.goto("/what_if")
    first = "The teacher taught the student with the book."
    run = wait_until_drawn(page, first)
    expect(page.locator(MARKED).first).to_contain_text("hat")
    expect(page.locator(MARKED).first).to_be_in_viewport()
    assert address_parameters(page)["off"] == ["cross.L3.H4"]
    assert wider_than_the_screen(page) == []
    tile(page, 3, 4).click()
    run = wait_until_drawn(page, first, before=run)
    expect(page.locator(WRITTEN)).to_contain_text("Nothing is changed yet")
    page.locator(".st-key-preset button").filter(has_text="Buckets by hashing").click()
    run = wait_until_drawn(page, first, before=run)
    expect(page.locator(MAPS)).to_contain_text("keys in one bucket")
    assert wider_than_the_screen(page) == []
    # What was taken back stays so.
    page.locator(".st-key-take_back button").click()
    wait_until_drawn(page, first, before=run)
    expect(page.locator(WRITTEN)).to_contain_text("Nothing is changed yet")
    page.reload()
    wait_until_drawn(page, first)
    expect(page.locator(WRITTEN)).to_contain_text("Nothing is changed yet")
    context.close()
