"""The page of a word in two sentences as a reader meets it, in a real browser."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlsplit

from playwright.sync_api import Browser, Page, expect
from support.browsing import click_page_name, new_context, style_of, text_box, wait_until_drawn

FIRST, SECOND = "Swing the bat!", "The bat flew at night."
HOSTILE = 'bat <b>&amp; "Größe" & # % = 学生 😀 \\?'


def opened(page: Page, **parameters: str) -> Page:
    page.goto("/context?" + "&".join(f"{name}={quote(text)}" for name, text in parameters.items()))
    wait_until_drawn(page, parameters.get("sentence", FIRST))
    return page


def changes(page: Page, act: Callable[[], object]) -> None:
    """Does something that has the figures drawn anew, and waits until they are."""
    before = page.locator(".attnviz-ready").get_attribute("data-run")
    act()
    page.wait_for_function(
        "(run) => { const mark = document.querySelector('.attnviz-ready'); return mark && mark.dataset.run !== run; }",
        arg=before,
    )


def address(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def headline(page: Page) -> str:
    return page.locator(".st-key-figures h5").inner_text()


def numbers(page: Page, key: str) -> list[str]:
    """What stands beside the points or bars of a chart."""
    return page.locator(f".st-key-{key} :is(.textpoint, .bartext)").all_text_contents()


def test_the_first_screen_shows_the_word_in_both_sentences(page: Page, outside_requests: list[str]) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    opened(page)
    assert headline(page).startswith("“bat” in two sentences: similarity 1.00 as a static vector")
    assert len(numbers(page, "context_line")) == 12
    assert (len(numbers(page, "context_0")), len(numbers(page, "context_1"))) == (10, 14)
    for key in ("context_line", "context_0", "context_1"):
        box = page.locator(f".st-key-{key}").bounding_box()
        assert box and box["y"] + box["height"] <= 900  # all of it without scrolling
        expect(
            page.locator(f".st-key-{key} [aria-label*='bat'], .st-key-{key} [aria-label*='static']")
        ).not_to_have_count(0)
    assert outside_requests == [] and errors == []


def test_a_layer_is_chosen_in_the_table_by_pointer_and_keys(page: Page) -> None:
    opened(page)
    rows = page.locator(".st-key-context_layers .attnviz-tables-button")
    changes(page, rows.nth(1).click)
    assert address(page)["layer"] == "1"
    shown = numbers(page, "context_0")
    cells = page.locator(".st-key-context_layers tbody tr").nth(1).locator("td").all_text_contents()
    assert shown[1::2] == cells or shown[5:] == cells  # the share of each word, in the bars and in the table
    rows.nth(1).focus()
    page.keyboard.press("ArrowDown")
    changes(page, lambda: page.keyboard.press("Enter"))
    assert address(page)["layer"] == "2"
    expect(page.locator(".st-key-context_layers tr.attnviz-tables-on")).to_have_count(2)
    expect(
        page.locator(".st-key-layer button[aria-checked='true'], .st-key-layer button[kind$='Active']")
    ).to_have_text("2")


def test_a_copied_link_shows_the_same(page: Page, browser: Browser, app_url: str) -> None:
    opened(page)
    changes(page, page.locator(".st-key-pair_example button", has_text="Schläger").first.click)
    wait_until_drawn(page, "Schwing den Schläger!")
    assert headline(page).startswith("“Schläger” and “Fledermaus”")
    page.locator(".st-key-word2 input").click()
    changes(page, lambda: page.get_by_role("option", name="nachts").click())
    changes(page, page.locator(".st-key-layer button", has_text=re.compile("^0$")).click)
    seen = headline(page), numbers(page, "context_0"), numbers(page, "context_1")
    assert seen[0].startswith("“Schläger” and “nachts”")
    other = new_context(browser, viewport={"width": 1366, "height": 900}).new_page()
    other.goto(page.url)
    wait_until_drawn(other, "Schwing den Schläger!")
    assert (headline(other), numbers(other, "context_0"), numbers(other, "context_1")) == seen
    other.context.close()


def test_typing_follows_and_nothing_is_lost(page: Page) -> None:
    opened(page, layer="2")
    box = text_box(page, "sentence2")
    changes(page, lambda: box.fill("He saw a bat."))
    assert headline(page).startswith("“bat” in two sentences")
    click_page_name(page, "Heads")
    page.wait_for_function("() => document.querySelector('.st-key-heads')")
    click_page_name(page, "In context")
    expect(box).to_have_value("He saw a bat.")
    wait_until_drawn(page, FIRST)
    assert address(page)["layer"] == "2"


def test_hostile_text_is_only_text(page: Page) -> None:
    opened(page, sentence=HOSTILE, sentence2=HOSTILE, word="Größe")
    assert headline(page).startswith("“Größe” in two sentences: similarity 1.00")
    expect(page.locator(".attnviz-contrasts td").first).to_contain_text(HOSTILE)
    assert page.locator(".st-key-context_0").inner_text().count("&amp;amp;") == 0


def test_it_fits_a_telephone_in_the_dark(browser: Browser, app_url: str) -> None:
    context = new_context(
        browser, base_url=app_url, viewport={"width": 390, "height": 844}, color_scheme="dark", locale="en-GB"
    )
    page = opened(context.new_page())
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    for key in ("context_line", "context_0", "context_1", "context_layers"):
        box = page.locator(f".st-key-{key}").bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= 390
    table = page.locator(".attnviz-contrasts").bounding_box()
    assert table and table["x"] + table["width"] <= 390
    colour = page.evaluate(style_of(".st-key-context_line .xtick text", "fill"))
    assert colour == "rgb(232, 234, 237)"
    context.close()
