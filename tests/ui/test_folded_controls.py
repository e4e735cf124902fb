"""Folding the controls of a page into one line, in a real browser."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, WebSocketRoute, expect
from support.browsing import (
    address_parameters,
    click_page_name,
    new_context,
    settled_box,
    text_box,
    wait_until_drawn,
    with_sentence,
)
from support.tabs import Tabs

SENTENCE = "Der Ball ist rund."
FIRST = "Der Hund sah den Ball."
TOP = "document.querySelector('.st-key-figures')?.getBoundingClientRect().top"
SHOWN = "document.querySelector('.attnviz-ready')?.dataset.sentence"


def test_the_controls_fold_into_a_line_that_says_what_is_chosen(page: Page) -> None:
    page.set_viewport_size({"width": 1280, "height": 720})
    page.goto(with_sentence("/?hide_special=true&layer=1", FIRST))
    wait_until_drawn(page, FIRST)
    button, layers = page.locator(".attnviz-fold"), page.locator(".st-key-layer")
    expect(button).to_have_attribute("aria-expanded", "true")
    settled_box(page.locator(".st-key-example").first)  # the last of the controls; then all above has its place
    before = page.evaluate(TOP)
    button.click()
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_have_text("encoder · Layer 1 · Hide special tokens · Bundled translation modelControls")
    for hidden in (layers, page.locator(".st-key-model"), page.locator(".st-key-example")):
        expect(hidden).to_be_hidden()
    page.wait_for_function(f"before => {TOP} <= Math.min(720 / 3, before - 80)", arg=before)
    # What a figure changes is said too, and the keyboard goes from the line to the figures.
    run = page.locator(".attnviz-ready").get_attribute("data-run") or ""
    page.locator(".st-key-heads .attnviz-head-button").nth(2).click()
    expect(button).to_contain_text("Layer 1 · Head 2 ·")
    wait_until_drawn(page, FIRST, run)
    button.focus()
    for _stop in ("the box", "its button for a file", "the figures"):
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.attnviz-hint, .st-key-figures') !== null")
    # A control whose text changes in its place, as with the language, is read again.
    rename = "text => (document.querySelector('.st-key-more p').firstChild.data = text)"
    page.evaluate(rename, "Grouped")
    expect(button).to_contain_text("Grouped")
    page.evaluate(rename, "More")
    expect(button).not_to_contain_text("Grouped")
    # It stays so on other pages and in this tab, and nothing that was chosen is lost.
    click_page_name(page, "Overview")
    page.wait_for_function(f"location.pathname === '/overview' && {SHOWN}")
    expect(page.locator(".st-key-kind")).to_be_hidden()
    page.reload()
    page.wait_for_function(SHOWN)
    expect(page.locator(".st-key-kind")).to_be_hidden()
    assert address_parameters(page)["hide_special"] == ["true"]
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-kind")).to_be_visible()
    expect(page.locator(".st-key-hide_special input")).to_be_checked()


def test_the_line_says_what_is_chosen_where_the_controls_come_late(browser: Browser, app_url: str) -> None:
    late: list[str | bytes] = []
    late_from_now = False

    def connect(browser_side: WebSocketRoute) -> None:
        def pass_on(message: str | bytes) -> None:
            nonlocal late_from_now
            (late.append if late_from_now else browser_side.send)(message)
            late_from_now |= b"fold_mark" in (message if isinstance(message, bytes) else message.encode())

        browser_side.connect_to_server().on_message(pass_on)
        connections.append(browser_side)

    connections: list[WebSocketRoute] = []
    page = new_context(browser, base_url=app_url, locale="en-GB").new_page()
    page.route_web_socket("**/_stcore/stream", connect)
    page.goto(with_sentence("/story", FIRST))  # it opens folded
    button = page.locator(".attnviz-fold")
    expect(button).to_have_text("Controls")
    assert page.locator(".st-key-controls").count() == 0
    late_from_now = False
    for message in late:
        connections[-1].send(message)
    wait_until_drawn(page, FIRST)
    expect(button).to_contain_text("Head L3 H7 · Bundled translation model", timeout=10_000)
    page.context.close()


def test_on_a_telephone_the_controls_fold_once_by_themselves(tabs: Tabs) -> None:
    page = tabs.open(width=390, height=844)
    page.goto(with_sentence("/", FIRST))
    wait_until_drawn(page, FIRST)
    button, layers = page.locator(".attnviz-fold"), page.locator(".st-key-layer")
    expect(layers).to_be_visible()
    box = text_box(page)
    box.fill(SENTENCE)
    box.press("Enter")
    wait_until_drawn(page, SENTENCE)
    expect(layers).to_be_hidden()
    expect(box).to_be_focused()
    assert page.evaluate(TOP) <= 0.4 * 844
    # Whoever opens them keeps them open.
    button.click()
    expect(layers).to_be_visible()
    box.fill(FIRST)
    box.press("Enter")
    wait_until_drawn(page, FIRST)
    expect(layers).to_be_visible()
    # In another tab they fold once they are out of sight; what is seen stays in its place.
    page = page.context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(with_sentence("/", FIRST))
    wait_until_drawn(page, FIRST)
    layers = page.locator(".st-key-layer")
    run = page.locator(".attnviz-ready").get_attribute("data-run") or ""
    layers.get_by_role("radio", name="1").click()
    wait_until_drawn(page, FIRST, run)
    expect(layers).to_be_visible()
    page.mouse.move(200, 500)
    page.mouse.wheel(0, 700)
    expect(layers).to_be_hidden()
    page.wait_for_timeout(300)
    scrolled = page.evaluate("document.querySelector('[data-testid=stMain]').scrollTop")
    assert -700 < page.evaluate(TOP) < 0 and scrolled > 0
    assert address_parameters(page)["layer"] == ["1"]
