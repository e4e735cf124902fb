"""What stays on a page and what follows the reader to the next one, in a real browser."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect

SENTENCE = "Der Ball ist rund."
SHOWN = "document.querySelector('.attnviz-ready')?.dataset.sentence"


def opened(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_function(SHOWN)


def go_to(page: Page, name: str, path: str) -> None:
    """A click in the menu, until the page that it leads to has drawn everything."""
    page.get_by_role("link", name=name, exact=True).first.click()
    page.wait_for_function(f"path => location.pathname === path && {SHOWN}", arg=path)
    page.wait_for_timeout(300)


def sentence(page: Page) -> str:
    return page.evaluate(SHOWN)


def test_what_a_page_opens_with_stays_there(page: Page) -> None:
    opened(page, "/steps")
    go_to(page, "Translate", "/translate")
    assert page.locator(".st-key-head input").input_value() == ""  # all heads, not the one that was followed
    assert sentence(page) == "De kat zit op de mat."
    go_to(page, "In context", "/context")
    assert sentence(page) == "Swing the bat!"
    assert page.locator(".st-key-word input").input_value() == page.locator(".st-key-word2 input").input_value()
    go_to(page, "Heads", "/")
    assert sentence(page) == "Der Hund sah den Ball."
    expect(page.locator(".st-key-kind").get_by_role("radio", name="encoder")).to_be_checked()
    go_to(page, "Translate", "/translate")
    assert sentence(page) == "De kat zit op de mat."


def test_what_is_shared_follows_and_what_is_a_pages_own_waits_there(page: Page) -> None:
    opened(page, "/?" + urlencode({"sentence": SENTENCE, "head": 3, "by_word": "true", "layer": 1}))
    go_to(page, "Step by step", "/steps")
    assert sentence(page) == SENTENCE
    expect(page.locator(".st-key-layer").get_by_role("radio", name="1")).to_be_checked()
    go_to(page, "Overview", "/overview")
    assert sentence(page) == SENTENCE and "by_word=true" in page.url
    go_to(page, "Heads", "/")
    assert sentence(page) == SENTENCE
    assert page.locator(".st-key-head input").input_value() == "3"
    expect(page.locator(".st-key-opened")).to_be_visible()
