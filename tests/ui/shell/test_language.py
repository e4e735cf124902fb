"""Whose language the page is in: the address decides, then the picker, then the browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page

from attnviz.ui.shell.messages import LANGUAGES, LOCALE, known_language

HEADS = {"de": "Köpfe", "nl": "Hoofden", "zh_Hans": "注意力头", "zh_Hant": "注意力頭", "en": "Heads"}


def ready(page: Page) -> None:
    page.locator(".attnviz-ready").wait_for(state="attached")


def lang(page: Page) -> str:
    return page.evaluate("document.documentElement.lang")


def test_each_language_has_a_catalogue() -> None:
    assert set(LANGUAGES) == {path.parent.name for path in LOCALE.glob("*/LC_MESSAGES")}


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("de", "de"), ("de-CH", "de"), ("nl-BE", "nl"), ("en-GB", "en"), ("zh", "zh_Hans"), ("zh-CN", "zh_Hans"),
        ("zh-SG", "zh_Hans"), ("zh-Hans-HK", "zh_Hans"), ("zh-TW", "zh_Hant"), ("zh-HK", "zh_Hant"),
        ("zh-Hant", "zh_Hant"), ("zh_hant", "zh_Hant"), ("fr", None), ("../de", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_what_browsers_and_addresses_mean(asked: str | None, language: str | None) -> None:
    assert known_language(asked) == language


@pytest.mark.parametrize(
    ("locale", "language"), [("de-AT", "de"), ("nl", "nl"), ("zh-CN", "zh_Hans"), ("zh-TW", "zh_Hant"), ("fr", "en")]
)
def test_the_browser_decides_where_nobody_else_does(browser: Browser, app_url: str, locale: str, language: str) -> None:
    context = browser.new_context(base_url=app_url, locale=locale)
    page = context.new_page()
    page.goto("/")
    page.get_by_role("link", name=HEADS[language], exact=True).wait_for(timeout=60_000)
    ready(page)
    assert (lang(page), page.title()) == (language.replace("_", "-"), f"{HEADS[language]} · attnviz")
    assert "lang=" not in page.url
    context.close()


def test_the_address_wins_and_follows_to_other_pages(page: Page) -> None:
    page.goto("/overview?lang=nl")
    ready(page)
    assert lang(page) == "nl"
    page.get_by_role("link", name="Met de hand", exact=True).click()
    page.wait_for_url("**/simple_attention?*lang=nl*")
    ready(page)
    assert lang(page) == "nl"


def test_a_language_is_picked_by_its_own_name(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/?sentence=Die+Katze+sah+den+Hund.&lang=fr")
    ready(page)
    assert lang(page) == "en"
    page.get_by_test_id("stMenuButton").get_by_role("button", name="English").click()
    for name in LANGUAGES.values():
        assert page.get_by_role("menuitem", name=name, exact=True).is_visible()
    page.get_by_role("menuitem", name="Deutsch", exact=True).click()
    page.wait_for_url("**/?*lang=de*")
    page.get_by_test_id("stMenuButton").get_by_role("button", name="Deutsch").wait_for()
    assert "sentence=Die+Katze" in page.url
    box = page.get_by_role("textbox", name="Satz", exact=True)
    assert box.input_value() == "Die Katze sah den Hund."
    # The picker is read and hit at the width of a telephone, and makes nothing scroll sideways.
    place = page.get_by_test_id("stMenuButton").get_by_role("button", name="Deutsch").bounding_box()
    assert place and place["x"] + place["width"] <= 390
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
