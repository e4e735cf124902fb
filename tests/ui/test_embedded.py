"""A page in a frame of somebody else's page: its code is copied, it shows the same view, and nothing to set."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browsing import RESTS, address_parameters, new_context, wait_until_drawn
from support.server import serving

from attnviz.ui.shell.router import GROUPS

SENTENCE = "Der Hund & „die Katze“."
ADDRESS = "/?sentence=Der+Hund+%26+%E2%80%9Edie+Katze%E2%80%9C.&layer=2&head=5"
CONTROLS = (
    "[data-testid=stHeader], .st-key-boxes, .st-key-controls, .st-key-take, .st-key-language_corner, "
    ".st-key-measuring_link, .attnviz-fold, .attnviz-panel-select, .st-key-figures [data-testid=stSelectbox]"
)


@contextlib.contextmanager
def other_site(folder: Path) -> Iterator[str]:
    """A site of somebody else: the files of a folder at a port of their own."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def framed_app(tmp_path: Path) -> Iterator[str]:
    """The app of somebody who lets other sites show it in a frame."""
    with serving(tmp_path, ATTNVIZ_FRAME_ANCESTORS="http://127.0.0.1:*") as url:
        yield url


def first_visit(page: Page) -> None:
    """The first thing that a new server is asked for is not the home page."""
    page.goto("/simple_attention?word=step")
    page.locator(".attnviz-ready").wait_for(state="attached")
    # The names of the pages stand over them, in groups; the older kind of app has a sidebar.
    assert page.get_by_test_id("stTopNavSection").count() == len(GROUPS)
    assert page.get_by_test_id("stSidebar").count() == 0
    assert urlsplit(page.url).path == "/simple_attention" and address_parameters(page)["word"] == ["step"]


def test_a_copied_frame_shows_the_same_view_without_controls(framed_app: str, browser: Browser, tmp_path: Path) -> None:
    context = new_context(browser, base_url=framed_app, viewport={"width": 1000, "height": 760}, locale="en-GB")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    first_visit(page)
    page.goto(ADDRESS)
    wait_until_drawn(page, SENTENCE)
    page.get_by_role("button", name="Export").click()
    page.get_by_role("button", name="Copy embed code").click()
    expect(page.locator(".attnviz-take-status")).to_contain_text("Paste it")
    code = page.evaluate("navigator.clipboard.readText()")
    site = tmp_path / "site"
    site.mkdir()
    (site / "article.html").write_text(f"<!doctype html><meta charset=utf-8><p>An article.</p>{code}", encoding="utf-8")
    with other_site(site) as url:
        page.goto(f"{url}/article.html")
        frame = page.frame_locator("iframe")
        frame.locator(".attnviz-ready").wait_for(state="attached")
        expect(frame.locator(".attnviz-ready")).to_have_attribute("data-sentence", SENTENCE)
        expect(frame.locator(".st-key-opened")).to_contain_text("L2 H5")
        link = frame.get_by_role("link", name="Open in attnviz")
        expect(link).to_be_visible()
        for control in frame.locator(CONTROLS).all():
            expect(control).to_be_hidden()
        with page.expect_popup() as opened:
            link.click()
        whole = opened.value
        wait_until_drawn(whole, SENTENCE)
        assert "embed" not in whole.url
        expect(whole.locator(".st-key-controls")).to_be_visible()
        expect(whole.locator(".st-key-opened")).to_contain_text("L2 H5")
        whole.close()
        for name in ("compare", "translate", "simple_attention", "story"):
            (site / "article.html").write_text(f'<iframe width=900 height=600 src="{framed_app}/{name}?embed=true">')
            page.reload()
            frame.locator(".attnviz-ready").wait_for(state="attached")
            expect(frame.locator(".st-key-figures")).to_be_visible()
            expect(frame.get_by_role("link", name="Open in attnviz")).to_be_visible()
            page.frames[-1].wait_for_function(RESTS)
            for control in frame.locator(CONTROLS).all():
                expect(control).to_be_hidden()
    context.close()
