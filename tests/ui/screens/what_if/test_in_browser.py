"""What if as a reader meets it, in a real browser."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page, expect
from support.browsing import (
    RESTS,
    address_parameters,
    point_at,
    text_box,
    wait_until_drawn,
    wider_than_the_screen,
)  # fmt: skip

FIRST = "Der Hund sah den Ball."
OPENING = "The teacher taught the student with the book."
LONG = " ".join(["Die Katze sah den Hund und der Hund sah den Ball."] * 14)
WRITTEN = ".st-key-what_it_says"
MARKED = f"{WRITTEN} mark"
MAPS = ".attnviz-effect-maps"


def opened(page: Page, **parameters: str) -> str:
    page.goto("/what_if?" + urlencode({"sentence": FIRST, **parameters}))
    return wait_until_drawn(page, FIRST)


def tile(page: Page, layer: int, head: int) -> Locator:
    return page.locator(f".attnviz-mosaic-tile[data-head='L{layer} H{head}']")


def choose(page: Page, change: str) -> None:
    """Picks a change in the menu, once nothing is drawn any more: it would close without the choice."""
    page.wait_for_function(RESTS)
    page.locator(".st-key-change input").fill(change)
    page.get_by_role("option", name=change, exact=True).click()


def preset(page: Page, name: str, sentence: str, run: str) -> str:
    page.wait_for_function(RESTS)
    page.locator(".st-key-preset button").filter(has_text=name).click()
    return wait_until_drawn(page, sentence, before=run)


# Heads --------------------------------------------------------------------------------------------------------------


def switch_off_the_sixth_head(page: Page, run: str) -> str:
    expect(page.locator(f"{MAPS} .attnviz-heatmap-canvas")).to_have_count(3)
    tile(page, 3, 5).click()
    run = wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(MAPS)).to_contain_text("this head is off")
    expect(page.locator(MARKED).first).to_be_visible()
    expect(page.locator(WRITTEN)).to_contain_text("The dog saw the ball.")
    expect(page.locator(f"{WRITTEN} .attnviz-outcome-first")).to_contain_text(re.compile(r"% → .*%"))
    assert address_parameters(page)["off"] == [" ".join(f"cross.L3.H{head}" for head in range(6))]
    expect(tile(page, 3, 4)).to_have_attribute("aria-label", re.compile("off. Switch this head off or on$"))
    return run


def read_a_cell_in_all_maps(page: Page) -> None:
    """By hand in one map, with that of the other and the difference beside the names; and with the keys."""
    point_at(page.locator(f"{MAPS} [data-map=after] .attnviz-heatmap-canvas"), page.locator(f"{MAPS} .attnviz-tip"))
    expect(page.locator(f"{MAPS} .attnviz-tip")).to_contain_text(re.compile(r" → .* [01]\.\d\d"))
    expect(page.locator(f"{MAPS} [data-map=difference] .attnviz-panel-value")).to_have_text(re.compile(r"\d\.\d\d"))
    name = page.locator(f"{MAPS} .attnviz-panel-name").first
    name.press("ArrowRight")
    expect(page.locator(f"{MAPS} .attnviz-tip")).to_contain_text("<s> → Der")
    name.press("Escape")


def switch_another_off_by_keys_and_all_on(page: Page, run: str) -> str:
    tile(page, 3, 5).focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    run = wait_until_drawn(page, FIRST, before=run)
    assert address_parameters(page)["off"][0].endswith("cross.L3.H5 cross.L3.H6")
    page.wait_for_function(RESTS)
    page.locator(".st-key-all_on button").click()
    run = wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(WRITTEN)).to_contain_text("Nothing is changed yet")
    assert "off" not in address_parameters(page)
    return run


def switch_off_the_head_that_matters_most(page: Page, run: str) -> None:
    page.wait_for_function(RESTS)
    page.locator(".st-key-importance label").first.click()
    run = wait_until_drawn(page, FIRST, before=run)
    button = page.locator(".st-key-most_important button")
    expect(button).to_contain_text("matters most")
    head = re.search(r"L(\d) H(\d)", button.inner_text())
    assert head is not None
    expect(tile(page, int(head[1]), int(head[2]))).to_have_attribute("aria-label", re.compile(r"\d bits\."))
    expect(tile(page, int(head[1]), int(head[2]))).to_contain_text(re.compile(r"0\.\d{3}"))
    page.wait_for_function(RESTS)
    button.click()
    wait_until_drawn(page, FIRST, before=run)
    assert address_parameters(page)["off"] == [f"cross.L{head[1]}.H{head[2]}"]
    expect(button).to_contain_text("on, which matters most")


def end_a_measurement_of_a_long_text(page: Page) -> None:
    page.wait_for_function(RESTS)
    text_box(page).fill(LONG)
    text_box(page).press("Enter")
    page.locator(".st-key-cancel_importance button").click()
    expect(page.locator(".st-key-importance input")).not_to_be_checked()
    wait_until_drawn(page, LONG)
    expect(page.locator(".st-key-cancel_importance")).to_have_count(0)
    expect(page.locator(".st-key-most_important")).to_have_count(0)
    assert "importance" not in address_parameters(page)


def test_heads_are_switched_off_and_measured(page: Page) -> None:
    off = " ".join(f"cross.L3.H{head}" for head in range(5))
    run = opened(page, kind="cross", head="4", layer="3", off=off)
    run = switch_off_the_sixth_head(page, run)
    read_a_cell_in_all_maps(page)
    run = switch_another_off_by_keys_and_all_on(page, run)
    switch_off_the_head_that_matters_most(page, run)
    end_a_measurement_of_a_long_text(page)


# Changes ------------------------------------------------------------------------------------------------------------

CHANGES = ["Encoder: One word for one word sah ↛ Ball", "Encoder: Neighbours and steps 1, 3", "Cross L3 H4: Off"]
IN_ORDER = re.compile(".*".join(map(re.escape, CHANGES)), re.DOTALL)


def see_the_changes_in_their_order(page: Page) -> None:
    expect(page.locator(".st-key-changed")).to_contain_text(IN_ORDER)
    expect(page.locator(MAPS)).to_contain_text("at 4,096 tokens")
    parameters = address_parameters(page)
    assert parameters["changes"] == ["encoder.edge=2,4"] and parameters["stand_in"] == ["mean"]


def see_how_far_the_vectors_moved(page: Page) -> None:
    page.wait_for_function(RESTS)
    page.locator(".st-key-distances summary").click()
    distances = page.locator(".st-key-distances")
    expect(distances.locator(".attnviz-panel-title")).to_have_text(["Encoder", "Decoder"])
    point_at(distances.locator(".attnviz-heatmap-canvas").first, distances.locator(".attnviz-tip"))
    expect(distances.locator(".attnviz-tip")).to_contain_text(re.compile(r"→ .* \d\.\d\d"))


def take_one_back(page: Page) -> str:
    run = wait_until_drawn(page, FIRST)
    page.locator(".st-key-take_back_0 button").click()
    run = wait_until_drawn(page, FIRST, before=run)
    assert "changes" not in address_parameters(page) and address_parameters(page)["off"] == ["cross.L3.H4"]
    expect(page.locator(".st-key-changed button").nth(0)).to_contain_text("Encoder: Neighbours and steps 1, 3")
    return run


def take_the_pattern_of_a_sentence_as_long(page: Page, run: str) -> None:
    """One of another length is answered with what is needed, and nothing that was typed is lost."""
    choose(page, "Another sentence’s pattern")
    box = text_box(page, "other")
    box.wait_for()
    page.wait_for_function(RESTS)
    box.fill("Die Katze schläft.")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("Both texts need the same number of tokens.")
    assert box.input_value() == "Die Katze schläft."
    page.wait_for_function(RESTS)
    box.fill("Die Katze sah den Hund.")
    box.press("Enter")
    wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(MAPS).first).to_contain_text("computed: 99 % of all pairs")  # one head is off


def test_several_changes_act_in_their_order_and_each_is_taken_back(page: Page) -> None:
    opened(page, changes="encoder.edge=2,4", change="strided", off="cross.L3.H4", stand_in="mean")
    see_the_changes_in_their_order(page)
    see_how_far_the_vectors_moved(page)
    run = take_one_back(page)
    take_the_pattern_of_a_sentence_as_long(page, run)


# On a telephone -----------------------------------------------------------------------------------------------------


def see_what_the_page_opens_with(page: Page) -> None:
    expect(page.locator(MARKED).first).to_contain_text("hat")
    expect(page.locator(MARKED).first).to_be_in_viewport()
    assert address_parameters(page)["off"] == ["cross.L3.H4"]
    assert wider_than_the_screen(page) == []


def see_nothing_changed(page: Page) -> None:
    expect(page.locator(WRITTEN)).to_contain_text("Nothing is changed yet")


def try_the_presets(page: Page, run: str) -> str:
    run = preset(page, "No cross-attention", OPENING, run)
    expect(page.get_by_text("The decoder no longer sees the source.")).to_be_visible()
    expect(page.locator(MARKED).first).to_be_visible()
    assert address_parameters(page)["change"] == ["off"] and address_parameters(page)["kind"] == ["cross"]
    run = preset(page, "The positional head off", OPENING, run)
    assert re.fullmatch(r"encoder\.L\d\.H\d", address_parameters(page)["off"][0])
    assert "change" not in address_parameters(page)
    run = preset(page, "Sparse attention", OPENING, run)
    expect(page.locator(MAPS)).to_contain_text(
        "at 4,096 tokens 0.07 % (1,366 times fewer), at 128,000 tokens 0.002 % (42,667 times fewer)"
    )
    assert "off" not in address_parameters(page)
    run = preset(page, "Buckets by hashing", OPENING, run)
    expect(page.locator(MAPS)).to_contain_text("keys in one bucket")
    assert wider_than_the_screen(page) == []
    return run


def test_on_a_telephone_the_page_opens_with_another_text_and_presets_change_it(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/what_if")
    run = wait_until_drawn(page, OPENING)
    see_what_the_page_opens_with(page)
    tile(page, 3, 4).click()
    run = wait_until_drawn(page, OPENING, before=run)
    see_nothing_changed(page)
    run = try_the_presets(page, run)
    page.wait_for_function(RESTS)
    page.locator(".st-key-take_back button").click()
    wait_until_drawn(page, OPENING, before=run)
    see_nothing_changed(page)
    page.reload()  # what was taken back stays so
    wait_until_drawn(page, OPENING)
    see_nothing_changed(page)
