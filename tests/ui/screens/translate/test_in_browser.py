"""The page "Translate" as a reader meets it, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect
from support.browsing import (
    RESTS,
    address_parameters,
    click_page_name,
    settled_box,
    text_box,
    wait_until_drawn,
    wider_than_the_screen,
    with_sentence,
)  # fmt: skip

FIRST = "De kat zit op de mat."
CHIPS, BARS, ROWS = ".attnviz-growing-chip", "button.attnviz-growing-bar", ".attnviz-growing-row"
HERE = ".attnviz-architecture-here"
HOSTILE = "<img src=x onerror=alert(1)>"


def opened(page: Page, query: str = "", sentence: str = FIRST) -> None:
    page.goto(with_sentence(f"/translate{query}", sentence))
    wait_until_drawn(page, sentence)
    page.wait_for_function(RESTS)


def where(page: Page) -> int:
    return int(re.findall(r"\d+", page.locator(".attnviz-growing-where").inner_text())[0])


def text(page: Page) -> list[str]:
    return page.locator(CHIPS).all_text_contents()


def wait_for_step(page: Page, step: int) -> None:
    """Waits until the page has learnt of a step, which it does when the reader rests: a copied link then shows it."""
    page.wait_for_function("(step) => new URLSearchParams(location.search).get('step') === step", arg=str(step))
    wait_until_drawn(page, FIRST)
    page.wait_for_function(RESTS)


def see_the_models_own(page: Page) -> None:
    page.get_by_role("button", name="See the model's own").click()
    page.wait_for_function("!new URLSearchParams(location.search).has('prefix')")
    wait_until_drawn(page, FIRST)
    page.wait_for_function(RESTS)


# Reading ------------------------------------------------------------------------------------------------------------


def see_a_translation_and_what_it_looked_at(page: Page) -> None:
    expect(text_box(page)).to_have_value(FIRST)
    expect(page.locator(".st-key-question")).to_have_count(0)  # only for models that answer questions
    assert text(page)[1:3] == ["The", "cat"] and text(page)[-1] == "</s>"
    for part in (".attnviz-growing-canvas", ".attnviz-architecture-drawing", BARS):  # once nothing moves any more
        page.wait_for_function("part => document.querySelector(part)?.getBoundingClientRect().bottom <= 900", arg=part)
    assert page.locator(".attnviz-growing-strip").count() == 2
    assert page.locator(BARS).count() == 8
    expect(page.locator(".attnviz-growing-others")).to_contain_text("all others")


def see_the_colours_of(page: Page, here: str) -> None:
    expect(page.locator(f"{HERE} .attnviz-architecture-box")).to_have_css("fill", here)
    corner = "document.querySelector('.attnviz-growing-key').style.backgroundColor"
    assert page.evaluate(corner).startswith("rgb(")


def hear_what_the_pictures_show(page: Page) -> None:
    assert "→" in (page.locator(".attnviz-growing-canvas").get_attribute("aria-label") or "")
    assert "cross" in (page.locator(".attnviz-architecture-drawing").get_attribute("aria-label") or "")
    for label in page.locator(BARS).evaluate_all("all => all.map((one) => one.ariaLabel)"):
        assert re.fullmatch(r".+, .*%", label)


def walk_by_buttons_and_keys(page: Page) -> None:
    start = where(page)
    numbers = page.locator(".attnviz-growing-numbers").all_text_contents()
    page.locator(".attnviz-growing-next").click()
    assert where(page) == start + 1
    assert page.locator(".attnviz-growing-numbers").all_text_contents() != numbers
    page.locator(".attnviz-growing-back").click()
    assert page.locator(".attnviz-growing-numbers").all_text_contents() == numbers
    page.locator(CHIPS).nth(4).click()
    assert where(page) == 5
    page.keyboard.press("ArrowRight")
    assert where(page) == 6
    expect(page.locator(CHIPS).nth(5)).to_be_focused()
    page.keyboard.press("Home")
    assert where(page) == 1
    expect(page.locator(".attnviz-growing-back")).to_be_disabled()


def see_the_rows_of_later_steps_framed(page: Page) -> None:
    """They are in a dashed frame; no cell over which nothing lies has a colour off the scale."""
    later, marked = page.locator(".attnviz-growing-coming"), page.locator(".attnviz-growing-mark")
    expect(page.locator(".attnviz-growing-legend")).to_have_text(
        re.compile("attention weight.*1, all of it.*later steps")
    )
    high = settled_box(marked)["height"]
    assert settled_box(later)["height"] > (page.locator(ROWS).count() - 1.5) * (high - 2)
    page.locator(ROWS).last.click()
    expect(later).to_be_hidden()


def see_that_the_numbers_of_a_step_belong_together(page: Page) -> None:
    page.locator(ROWS).nth(2).click()
    shares = page.locator(".attnviz-growing-strip").first.locator(".attnviz-growing-key-weight").all_text_contents()
    assert sum(map(float, shares)) == pytest.approx(1, abs=0.05)
    assert page.locator(ROWS).nth(2).inner_text() == "The → cat"
    expect(page.locator(".attnviz-growing-taken .attnviz-growing-token")).to_have_text("cat")
    # The strongest word of the strip is the darkest cell of the row.
    strip = page.locator(".attnviz-growing-keys").first.get_attribute("aria-label") or ""
    assert re.search(r": kat [01]\.\d\d", strip)


def have_the_text_grow_by_itself(page: Page) -> None:
    page.locator(CHIPS).nth(2).press("Home")
    page.locator(".attnviz-growing-play").click()
    # Each step stands for a second; `expect` looks as seldom as that, and may miss one.
    page.wait_for_function("/^step [23] of/.test(document.querySelector('.attnviz-growing-where').textContent)")
    page.locator(".attnviz-growing-play").click()
    here = where(page)
    wait_for_step(page, here - 1)  # which it is told of only when nothing grows any more
    assert where(page) == here


def rest_at_a_row(page: Page) -> None:
    page.locator(ROWS).nth(3).click()
    assert where(page) == 4
    expect(page.locator(CHIPS).nth(3)).to_have_attribute("aria-current", "step")
    # What is written so far grows with the step: as many words as have been read.
    own = page.locator(".attnviz-growing-strip").nth(1).locator(".attnviz-growing-key:visible")
    assert own.count() == 4
    wait_for_step(page, 3)
    assert where(page) == 4


def go_to_a_place_in_the_drawing(page: Page) -> None:
    assert page.locator(".attnviz-architecture-place").count() == 3
    here = page.locator(HERE)
    expect(here).to_have_attribute("data-kind", "cross")
    page.locator("[data-kind=decoder]").click()
    expect(here).to_have_attribute("data-kind", "decoder")
    expect(page.locator(".attnviz-growing-all")).to_contain_text("Masked self-attention")
    page.wait_for_function("new URLSearchParams(location.search).get('kind') === 'decoder'")
    wait_until_drawn(page, FIRST)
    page.wait_for_function(RESTS)
    page.locator("[data-kind=encoder]").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".attnviz-growing-all")).to_contain_text("Encoder self-attention")
    expect(here).to_have_attribute("aria-pressed", "true")


def test_a_translation_is_read_step_by_step(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    opened(page)
    see_a_translation_and_what_it_looked_at(page)
    see_the_colours_of(page, "rgb(127, 178, 234)")
    hear_what_the_pictures_show(page)
    walk_by_buttons_and_keys(page)
    see_the_rows_of_later_steps_framed(page)
    see_that_the_numbers_of_a_step_belong_together(page)
    have_the_text_grow_by_itself(page)
    rest_at_a_row(page)
    go_to_a_place_in_the_drawing(page)


# Choosing -----------------------------------------------------------------------------------------------------------


def choose(page: Page, bar: int) -> str:
    """Takes another token, and waits for the text that follows from it."""
    token = page.locator(BARS).nth(bar).locator(".attnviz-growing-token").inner_text()
    before = len(address_parameters(page).get("prefix", [""])[0])
    page.locator(BARS).nth(bar).click()
    page.wait_for_function(
        "(length) => (new URLSearchParams(location.search).get('prefix') ?? '').length !== length", arg=before
    )
    wait_until_drawn(page, FIRST)
    page.wait_for_function(RESTS)
    return token


def go_on_from_another_token(page: Page, own: list[str]) -> None:
    token = choose(page, 1)
    after = text(page)
    assert after[:3] == own[:3] and after[3] == token != own[3]
    assert where(page) == 5  # on to what follows the choice
    assert len(address_parameters(page)["prefix"][0].split(".")) == 4
    expect(page.locator(".attnviz-growing-given")).to_have_count(4)


def see_the_same_by_a_copied_link(page: Page) -> None:
    other = page.context.new_page()
    other.goto(page.url)
    wait_until_drawn(other, FIRST)
    assert text(other) == text(page) and where(other) == where(page)
    other.close()


def draw_tokens_by_chance(page: Page) -> None:
    expect(page.locator(".attnviz-growing-choices")).to_contain_text("greedy")
    assert page.locator(".attnviz-growing-cut").count() == 7
    page.locator(".st-key-method button").nth(2).click()
    expect(page.locator(".st-key-temperature")).to_be_visible()
    wait_until_drawn(page, FIRST)
    page.wait_for_function(RESTS)
    page.locator(".st-key-top_k input").fill("2")
    page.locator(".st-key-top_k input").press("Enter")
    expect(page.locator(".attnviz-growing-choices")).to_contain_text("2 tokens")
    wait_until_drawn(page, FIRST)
    page.wait_for_function(RESTS)
    assert page.locator(".attnviz-growing-numbers", has_text="cut").count() >= 7


def see_what_a_beam_search_tried(page: Page) -> None:
    page.locator(".st-key-method button").nth(1).click()
    nodes = page.locator(".attnviz-growing-node")
    expect(nodes.first).to_be_visible()
    wait_until_drawn(page, FIRST)
    page.wait_for_function(RESTS)
    won = page.locator(".attnviz-growing-node.attnviz-growing-won .attnviz-growing-token").all_text_contents()
    assert won == text(page)
    assert page.locator(".attnviz-growing-node.attnviz-growing-dropped").count() > 0
    assert re.search(r"−\d+\.\d\d, (kept|dropped|finished)", nodes.first.get_attribute("aria-label") or "")
    nodes.last.click()
    assert where(page) == len(won)


def test_other_tokens_and_other_methods_are_chosen(page: Page) -> None:
    """After a target that is given, which one click takes back."""
    opened(page)
    see_the_colours_of(page, "rgb(43, 95, 158)")
    given = text(page)
    assert given[1:5] == ["The", "cat", "sit", "s"]
    see_the_models_own(page)
    own = text(page)
    assert own != given
    page.locator(CHIPS).nth(3).click()
    wait_for_step(page, 3)
    go_on_from_another_token(page, own)
    see_the_same_by_a_copied_link(page)
    see_the_models_own(page)
    assert text(page) == own
    page.locator(CHIPS).nth(3).click()
    wait_for_step(page, 3)
    draw_tokens_by_chance(page)
    see_what_a_beam_search_tried(page)


# On a telephone -----------------------------------------------------------------------------------------------------


def see_everything_below_each_other(page: Page) -> None:
    parts = ("growing-looks", "growing-choices", "growing-all", "growing-beam", "architecture")
    boxes = [page.locator(f".attnviz-{part}").first.bounding_box() or {} for part in parts]
    assert all(above["y"] + above["height"] <= below["y"] for above, below in zip(boxes, boxes[1:], strict=False))
    assert wider_than_the_screen(page) == []
    drawing = page.locator(".attnviz-architecture-drawing").bounding_box() or {}
    assert drawing["width"] >= 320  # its words keep their size


def choose_another_language(page: Page) -> None:
    other = page.locator(BARS).filter(has_text=">>").nth(1)
    chosen = other.locator(".attnviz-growing-token").inner_text()
    other.focus()
    page.keyboard.press("Enter")
    expect(page.locator(CHIPS).first).to_have_text(chosen)


def test_on_a_telephone_everything_is_below_each_other_and_the_language_is_a_choice_too(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, "?step=0&method=beam", "The dog saw the ball.")
    see_everything_below_each_other(page)
    choose_another_language(page)
    wait_until_drawn(page, "The dog saw the ball.")


# What must not happen -----------------------------------------------------------------------------------------------


def bring_choices_along(page: Page, sentence: str) -> None:
    """The page's own beginning does not undo what was chosen elsewhere."""
    page.goto("/")
    page.locator(".attnviz-ready").wait_for(state="attached")
    page.wait_for_function(RESTS)
    text_box(page).fill(sentence)
    text_box(page).press("Enter")
    before = wait_until_drawn(page, sentence)
    page.wait_for_function(RESTS)
    page.locator(".st-key-layer button").nth(1).click()
    before = wait_until_drawn(page, sentence, before)
    click_page_name(page, "Translate")
    wait_until_drawn(page, sentence, before)
    expect(text_box(page)).to_have_value(sentence)
    expect(page.locator(HERE)).to_have_attribute("data-kind", "cross")
    assert address_parameters(page)["layer"] == ["1"]


def type_markup(page: Page) -> None:
    page.wait_for_function(RESTS)
    text_box(page).fill(HOSTILE)
    text_box(page).press("Enter")
    wait_until_drawn(page, HOSTILE)
    assert page.locator("img[src='x']").count() == 0


def see_what_is_wrong_with_a_damaged_link(page: Page) -> None:
    alert = page.get_by_test_id("stAlert")
    for part in ("prefix", "step", "no sideways attention", "layers 0 to 3, not 99"):
        expect(alert).to_contain_text(part)
    assert page.locator(BARS).count() >= 8 and "prefix" not in address_parameters(page)


def test_choices_come_along_and_neither_markup_nor_damage_does_harm(page: Page, dialogs: list[str]) -> None:
    bring_choices_along(page, "Der Ball.")
    type_markup(page)
    opened(page, "?prefix=5.oh.7&step=-1&kind=sideways&layer=99", HOSTILE)
    see_what_is_wrong_with_a_damaged_link(page)
    assert dialogs == [] and page.locator("img[src='x']").count() == 0
