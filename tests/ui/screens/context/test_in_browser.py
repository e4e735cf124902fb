"""The page of a word in two sentences as a reader meets it, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import urlencode

from playwright.sync_api import Page, expect
from support.browsing import (
    RESTS,
    address_parameters,
    click_page_name,
    style_of,
    text_box,
    wait_until_drawn,
    wider_than_the_screen,
)  # fmt: skip

FIRST, SECOND = "Swing the bat!", "He saw a bat."
GERMAN = "Schwing den Schläger!"
HOSTILE = 'bat <b>&amp; "Größe" & # % = 学生 😀 \\?'


def changes(page: Page, act: Callable[[], object]) -> None:
    """Does something that has the figures drawn anew, and waits until they are."""
    page.wait_for_function(RESTS)
    before = page.locator(".attnviz-ready").get_attribute("data-run")
    act()
    page.wait_for_function(
        "(run) => { const mark = document.querySelector('.attnviz-ready'); return mark && mark.dataset.run !== run; }",
        arg=before,
    )


def headline(page: Page) -> str:
    return page.locator(".st-key-figures h5").inner_text()


def numbers(page: Page, key: str) -> list[str]:
    """What stands beside the points or bars of a chart."""
    return page.locator(f".st-key-{key} :is(.textpoint, .bartext)").all_text_contents()


def see_the_word_in_both_sentences(page: Page) -> None:
    assert headline(page).startswith("“bat” in two sentences: similarity 1.00 as a static vector")
    assert len(numbers(page, "context_line")) == 12
    assert (len(numbers(page, "context_0")), len(numbers(page, "context_1"))) == (10, 14)
    for key in ("context_line", "context_0", "context_1"):
        box = page.locator(f".st-key-{key}").bounding_box()
        assert box and box["y"] + box["height"] <= 900  # all of it without scrolling
        expect(
            page.locator(f".st-key-{key} [aria-label*='bat'], .st-key-{key} [aria-label*='static']")
        ).not_to_have_count(0)


def choose_a_layer_in_the_table(page: Page) -> None:
    rows = page.locator(".st-key-context_layers .attnviz-tables-button")
    changes(page, rows.nth(1).click)
    assert address_parameters(page)["layer"] == ["1"]
    shown = numbers(page, "context_0")
    cells = page.locator(".st-key-context_layers tbody tr").nth(1).locator("td").all_text_contents()
    assert shown[1::2] == cells or shown[5:] == cells  # the share of each word, in the bars and in the table
    rows.nth(1).focus()
    page.keyboard.press("ArrowDown")
    changes(page, lambda: page.keyboard.press("Enter"))
    assert address_parameters(page)["layer"] == ["2"]
    expect(page.locator(".st-key-context_layers tr.attnviz-tables-on")).to_have_count(2)
    expect(
        page.locator(".st-key-layer button[aria-checked='true'], .st-key-layer button[kind$='Active']")
    ).to_have_text("2")


def type_and_find_it_again_after_another_page(page: Page) -> None:
    box = text_box(page, "sentence2")
    changes(page, lambda: box.fill(SECOND))
    assert headline(page).startswith("“bat” in two sentences")
    page.wait_for_function(RESTS)
    click_page_name(page, "By hand")
    page.wait_for_function("() => document.querySelector('.st-key-hand_all')")
    page.wait_for_function(RESTS)
    click_page_name(page, "In context")
    expect(box).to_have_value(SECOND)
    wait_until_drawn(page, FIRST)
    assert address_parameters(page)["layer"] == ["2"]


def choose_another_pair_and_word(page: Page) -> None:
    changes(page, page.locator(".st-key-pair_example button", has_text="Schläger").first.click)
    wait_until_drawn(page, GERMAN)
    assert headline(page).startswith("“Schläger” and “Fledermaus”")
    page.wait_for_function(RESTS)
    page.locator(".st-key-word2 input").click()
    changes(page, lambda: page.get_by_role("option", name="nachts").click())
    changes(page, page.locator(".st-key-layer button", has_text=re.compile("^0$")).click)
    assert headline(page).startswith("“Schläger” and “nachts”")


def see_the_same_by_a_link_on_a_dark_telephone(page: Page) -> None:
    other = page.context.new_page()
    other.set_viewport_size({"width": 390, "height": 844})
    other.emulate_media(color_scheme="dark")
    other.goto(page.url)
    wait_until_drawn(other, GERMAN)
    assert headline(other) == headline(page)
    for key in ("context_0", "context_1"):
        assert numbers(other, key) == numbers(page, key)
    assert wider_than_the_screen(other) == []
    keys = ("context_line", "context_0", "context_1", "context_layers")
    for part in (*(f".st-key-{key}" for key in keys), ".attnviz-contrasts"):
        box = other.locator(part).bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390
    assert other.evaluate(style_of(".st-key-context_line .xtick text", "fill")) == "rgb(232, 234, 237)"
    other.close()


def see_hostile_text_as_text(page: Page) -> None:
    assert headline(page).startswith("“Größe” in two sentences: similarity 1.00")
    expect(page.locator(".attnviz-contrasts td").first).to_contain_text(HOSTILE)
    assert page.locator(".st-key-context_0").inner_text().count("&amp;amp;") == 0


def test_a_word_is_followed_through_two_sentences(page: Page) -> None:
    page.goto("/context")
    wait_until_drawn(page, FIRST)
    see_the_word_in_both_sentences(page)
    choose_a_layer_in_the_table(page)
    type_and_find_it_again_after_another_page(page)
    choose_another_pair_and_word(page)
    see_the_same_by_a_link_on_a_dark_telephone(page)
    page.goto("/context?" + urlencode({"sentence": HOSTILE, "sentence2": HOSTILE, "word": "Größe"}))
    wait_until_drawn(page, HOSTILE)
    see_hostile_text_as_text(page)
