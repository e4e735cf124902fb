"""The page "Embeddings" as a reader meets it, in a real browser."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browsing import new_context, settled_box, wait_until_drawn, with_sentence

FIRST = "Der Hund sah den Ball."
DOT = ".attnviz-space-dot"
PICTURE = ".attnviz-space-picture"


def opened(page: Page, address: str = "/embeddings", sentence: str = FIRST) -> str:
    page.goto(with_sentence(address, sentence))
    return wait_until_drawn(page, sentence)


def places(page: Page) -> list[list[float]]:
    return page.locator(DOT).evaluate_all("dots => dots.map(dot => [dot.cx.baseVal.value, dot.cy.baseVal.value])")


def test_words_stand_as_points_with_labels(page: Page, outside_requests: list[str]) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    opened(page)
    assert page.locator(DOT).count() == 11
    # However close the two are, each has its label; one that stands further away has a line to its point.
    chosen = page.locator(".attnviz-space-label.attnviz-space-chosen").all_text_contents()
    named = page.get_by_role("heading", name="Two words:").inner_text().removeprefix("Two words: ")
    assert sorted(chosen) == sorted(named.split(" and ")) and "Hund" in chosen
    assert "11 words as points" in (page.locator(PICTURE).get_attribute("aria-label") or "")
    assert page.locator(".st-key-figures [data-testid='stPlotlyChart']").count() == 5
    assert outside_requests == [] and errors == []


def test_a_drag_and_the_arrow_keys_turn_the_points(page: Page) -> None:
    opened(page)
    first = places(page)
    box = settled_box(page.locator(PICTURE))
    page.mouse.move(box["x"] + 40, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 80, steps=4)
    page.mouse.up()
    dragged = places(page)
    assert dragged != first
    page.locator(PICTURE).focus()
    page.keyboard.press("ArrowLeft")
    assert places(page) != dragged
    page.keyboard.press("Home")
    assert places(page) == first
    page.get_by_role("button", name="Two axes").click()
    assert places(page) != first and page.locator(".attnviz-space-stem").count() == 0
    page.get_by_role("button", name="Three axes").click()
    assert places(page) == first


def test_a_click_on_a_point_chooses_the_word(page: Page) -> None:
    run = opened(page)
    dot = settled_box(page.locator(DOT).filter(has=page.locator("title", has_text="den (")))
    page.mouse.click(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2)
    wait_until_drawn(page, FIRST, before=run)
    assert parse_qs(urlsplit(page.url).query)["word_one"] == ["den"]
    expect(page.get_by_text("Nearest to den in the vocabulary")).to_be_visible()


def test_further_words_appear_and_a_copied_link_shows_them(page: Page) -> None:
    run = opened(page)
    box = page.locator(".st-key-more_words input")
    box.fill("König & <b>, 写作")
    box.press("Enter")
    wait_until_drawn(page, FIRST, before=run)
    # Its point: a label stands there only if others leave it room.
    expect(page.locator(DOT).filter(has=page.locator("title", has_text="König"))).to_have_count(1)
    # The chosen words' labels are placed first.
    opened(page, f"{page.url}&word_one=König")
    expect(page.locator(".attnviz-space-label", has_text="König")).to_be_visible()
    assert page.locator(".st-key-more_words input").input_value() == "König & <b>, 写作"


@pytest.mark.parametrize("width", [390, 320])
def test_a_narrow_screen_needs_no_scrolling_sideways(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    opened(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for place in ("figures", "controls"):
        box = page.locator(f".st-key-{place}").bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width


def test_dark_theme_keeps_labels_readable(browser: Browser, app_url: str) -> None:
    context = new_context(browser, base_url=app_url, color_scheme="dark", locale="en-GB")
    page = context.new_page()
    opened(page)
    fill = page.locator(".attnviz-space-label").first.evaluate("label => getComputedStyle(label).fill")
    assert fill == "rgb(232, 234, 237)"
    context.close()
