"""The page of the story as a reader meets it, in a real browser: own sentences, links, other pages and back."""

from __future__ import annotations

import json

from playwright.sync_api import Browser, Page, expect
from support.browsing import address_parameters, click_page_name, new_context, text_box, wait_until_drawn

GERMAN, OWN = "Der Hund sah den Ball.", "Die Katze trank die Milch."
STORY = ".attnviz-story"


def parameter(page: Page, name: str, value: str) -> None:
    """Waits until the address says it."""
    page.wait_for_function(
        "([name, value]) => new URLSearchParams(location.search).get(name) === value", arg=[name, value]
    )


def drawn_texts(page: Page) -> list[str]:
    """What is written in the picture, once it stands still."""
    expect(page.locator(STORY)).to_have_attribute("data-playing", "false")
    return json.loads(page.locator(f"{STORY}[data-drawn]").get_attribute("data-drawn") or "")


def test_a_newcomer_is_led_to_the_story_of_the_sentence(page: Page) -> None:
    page.goto("/?sentence=Der+Hund+sah+den+Ball.&lang=en")
    wait_until_drawn(page, GERMAN)
    page.get_by_role("link", name="New here? See how it works").click()
    page.wait_for_url("**/story?**")
    wait_until_drawn(page, GERMAN)
    expect(page.locator(STORY)).to_have_attribute("data-scene", "1")
    expect(page.locator(".st-key-story_head")).to_be_hidden()  # the picture has their room until they are opened
    expect(page.locator(".attnviz-fold")).to_contain_text("Head L3 H7")
    click_page_name(page, "Heads")
    wait_until_drawn(page, GERMAN)
    expect(page.locator(".st-key-layer")).to_be_visible()  # only the story opens folded


def test_an_own_sentence_is_told_and_its_links_hold(page: Page, browser: Browser, app_url: str) -> None:
    page.goto("/story?sentence=Der+Hund+sah+den+Ball.&scene=4&lang=en")
    run = wait_until_drawn(page, GERMAN)
    expect(page.locator(STORY)).to_have_attribute("data-scene", "4")
    assert {"Hund", "Ball", "3.62"} <= set(drawn_texts(page))  # the score of sah and Ball
    # A word and a scene that are chosen in the picture stand in the address, and the page is not drawn anew.
    page.locator(".attnviz-story-asking").get_by_role("button", name="Hund", exact=True).click()
    parameter(page, "word", "Hund")
    page.locator(".attnviz-story-marks button").nth(5).click()
    parameter(page, "scene", "6")
    assert wait_until_drawn(page, GERMAN) == run
    link = page.url
    context = new_context(browser, base_url=app_url, locale="en-GB")
    receiver = context.new_page()
    receiver.goto(link)
    wait_until_drawn(receiver, GERMAN)
    expect(receiver.locator(STORY)).to_have_attribute("data-scene", "6")
    assert drawn_texts(receiver) == drawn_texts(page)
    receiver.close()
    context.close()
    # The code holds the address of just this view.
    page.locator(".attnviz-story-qr").click()
    code = page.get_by_role("dialog")
    expect(code.get_by_role("img")).to_be_visible()
    shown = code.get_by_role("img").get_attribute("aria-label") or ""
    assert "scene=6" in shown and "word=Hund" in shown
    code.get_by_role("button", name="Close").click()
    expect(code).to_be_hidden()
    # Another sentence, typed: the story is told anew.
    box = text_box(page)
    box.fill(OWN)
    box.press("Enter")
    wait_until_drawn(page, OWN, run)
    page.locator(".attnviz-story-marks button").nth(0).click()
    page.wait_for_function("document.querySelector('.attnviz-story').dataset.drawn?.includes('Katze')")
    # Each scene leads to the page where it can be taken apart, with this sentence; the way back leads into the story.
    page.locator(".attnviz-story-marks button").nth(3).click()
    parameter(page, "scene", "4")
    page.get_by_role("link", name="Take it apart: the scores").click()
    page.wait_for_url("**/steps?**")
    wait_until_drawn(page, OWN)
    assert address_parameters(page)["step"] == ["4"]
    click_page_name(page, "How it works")
    wait_until_drawn(page, OWN)
    expect(page.locator(STORY)).to_be_visible()
