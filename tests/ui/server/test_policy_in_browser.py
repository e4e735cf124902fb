"""The pages keep to their own policy: no browser refuses any of their scripts, styles, pictures or requests."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect
from support.browsing import new_context

PAGES = sorted(path.stem for path in (Path(__file__).resolve().parents[3] / "pages").glob("*.py"))


def test_no_page_asks_for_what_its_policy_forbids(browser: Browser, app_url: str) -> None:
    context = new_context(browser, base_url=app_url, locale="en-GB", bypass_csp=False)
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if "Security Policy" in message.text else None)
    for name in PAGES:
        page.goto("/" if name == "heads" else f"/{name}")
        page.locator(".attnviz-ready").wait_for(state="attached")
    page.goto("/?layer=2&head=5")
    expect(page.locator(".st-key-opened .js-plotly-plot")).to_be_visible()
    page.get_by_role("button", name="Export").first.click()
    with page.expect_download():
        page.get_by_label("Heatmap: png").or_(page.get_by_label("Picture: png")).first.click()
    assert refused == []
    # What slips into a page does not run, and says so.
    page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'window.foreign = 1'}))")
    assert page.evaluate("window.foreign") is None
    assert refused
    context.close()
