"""Whose language the page is in: the address decides, then the picker, then the browser."""

from __future__ import annotations

import re
from string import Formatter

import pytest
from babel.messages.pofile import read_po
from playwright.sync_api import Browser, Page, expect
from support.browsing import address_parameters, click_page_name, new_context, wait_until_drawn, with_sentence
from support.languages import pick_language
from support.pages import APP, components, open_page

from attnviz.examples import FIRST_EXAMPLES
from attnviz.ui.screens.context.controls import OPENING_PAIRS
from attnviz.ui.shell import messages
from attnviz.ui.shell.messages import LANGUAGES, LOCALE, known_language

HEADS = {"de": "Köpfe", "nl": "Hoofden", "zh_Hans": "注意力头", "zh_Hant": "注意力頭", "en": "Heads"}


def ready(page: Page) -> None:
    page.locator(".attnviz-ready").wait_for(state="attached")


def lang(page: Page) -> str:
    return page.evaluate("document.documentElement.lang")


def test_each_language_has_a_catalogue_and_sentences_to_begin_with() -> None:
    assert set(LANGUAGES) == {path.parent.name for path in LOCALE.glob("*/LC_MESSAGES")}
    assert set(LANGUAGES) == set(FIRST_EXAMPLES) == set(OPENING_PAIRS)


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


@pytest.mark.parametrize(("locale", "language"), [("zh-CN", "zh_Hans"), ("zh-TW", "zh_Hant"), ("fr", "en")])
def test_the_browser_decides_where_nobody_else_does(browser: Browser, app_url: str, locale: str, language: str) -> None:
    context = new_context(browser, base_url=app_url, locale=locale)
    page = context.new_page()
    page.goto("/")
    ready(page)
    expect(page).to_have_title(f"{HEADS[language]} · attnviz")
    assert lang(page) == language.replace("_", "-")
    assert "lang=" not in page.url
    context.close()


def test_the_address_wins_and_follows_to_other_pages(page: Page) -> None:
    page.goto("/overview?lang=nl")
    ready(page)
    assert lang(page) == "nl"
    click_page_name(page, "Met de hand")
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


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_the_catalogue_is_complete(language: str) -> None:
    with (LOCALE / language / "LC_MESSAGES" / "attnviz.po").open("rb") as file:
        catalogue = read_po(file, locale=language)
    faults = []
    for message in catalogue:
        if not message.id:
            continue
        english = message.id[-1] if isinstance(message.id, tuple) else message.id
        plural = isinstance(message.id, tuple)
        forms = message.string if isinstance(message.string, (tuple, list)) else [message.string]
        if message.fuzzy or not all(forms) or plural and len(forms) != catalogue.num_plurals:
            faults.append(f"without a translation: {english!r}")
        elif any(placeholders(form) != placeholders(english) for form in forms):
            faults.append(f"with other placeholders: {english!r}")
    assert not faults, "\n".join(faults)


def placeholders(text: str) -> set[str]:
    return {name for _text, name, _format, _conversion in Formatter().parse(text) if name is not None}


def test_numbers_and_lists_follow_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {}
    for language in LANGUAGES:
        monkeypatch.setattr(messages, "language", lambda language=language: language)
        said[language] = (
            messages.local_number("1,234.50"), messages.local_percent("0.5"), messages.kind_name("encoder"),
            messages.local_count(1_568), messages.local_count(37_748_736),
        )  # fmt: skip
    assert said == {
        "de": ("1.234,50", "0,5\u00a0%", "Encoder", "1.568", "37,7 Millionen"),
        "nl": ("1.234,50", "0,5%", "encoder", "1.568", "37,7 miljoen"),
        "zh_Hans": ("1,234.50", "0.5%", "编码器", "1,568", "3774.9万"),
        "zh_Hant": ("1,234.50", "0.5%", "編碼器", "1,568", "3774.9萬"),
        "en": ("1,234.50", "0.5 %", "encoder", "1,568", "37.7 million"),
    }


def test_the_first_sentence_is_in_the_readers_language(browser: Browser, app_url: str) -> None:
    context = new_context(browser, base_url=app_url, locale="nl")
    page = context.new_page()
    page.goto("/")
    box = page.get_by_role("textbox", name="Zin", exact=True)
    box.wait_for()
    ready(page)
    assert box.input_value() == FIRST_EXAMPLES["nl"] == "De kat zit op de mat."
    # Components write numbers as the page does.
    tip = page.locator(".attnviz-head-button").first.get_attribute("aria-label") or ""
    assert re.search(r"\d,\d\d", tip), tip
    # It stands in the address, for who opens a copied link may read in another language; and it follows the picker.
    assert address_parameters(page) == {"sentence": [FIRST_EXAMPLES["nl"]]}
    pick_language(page, "de")
    wait_until_drawn(page, FIRST_EXAMPLES["de"])
    assert address_parameters(page) == {"sentence": [FIRST_EXAMPLES["de"]], "lang": ["de"]}
    # What a link names stays, whatever language is picked.
    page.goto(with_sentence("/", FIRST_EXAMPLES["nl"]))
    run = wait_until_drawn(page, FIRST_EXAMPLES["nl"])
    pick_language(page, "en")
    wait_until_drawn(page, FIRST_EXAMPLES["nl"], before=run)
    assert page.get_by_role("textbox", name="Sentence", exact=True).input_value() == FIRST_EXAMPLES["nl"]
    context.close()


@pytest.mark.parametrize("language", ["de", "zh_Hant"])
@pytest.mark.parametrize("page", sorted(path.stem for path in (APP.parent / "pages").glob("*.py")))
def test_every_page_draws_in_every_language(page: str, language: str) -> None:
    app = open_page(page, lang=language)
    assert not app.exception and not app.error
    assert components(app, "ready")


def test_what_the_bundled_model_cannot_read_is_said() -> None:
    app = open_page("heads", lang="zh-Hant", sentence="老師給了學生一本書。")
    assert "師給學書" in app.warning[0].value
    assert not open_page("heads", lang="zh-Hant", sentence=FIRST_EXAMPLES["zh_Hant"]).warning


@pytest.mark.parametrize("step", range(1, 8))
def test_every_step_draws_where_decimals_have_a_comma(step: int) -> None:
    app = open_page("steps", lang="de", step=str(step))
    assert not app.exception and not app.error
    assert components(app, "ready")
