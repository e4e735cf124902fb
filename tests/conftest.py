"""Fixtures that several test files share: the app as a running server, and a browser that reaches nothing else.

A test that takes `page`, `browser` or `app_url` is marked `browser` by itself and runs after all the others: the quick
tests fail first, and Playwright's event loop, which stays in the main thread, comes up only when they are through. When
it fails it is tried once more, on a fresh page, and the summary lists it as RERUN. One that is often there has a fault,
or the page has: it is looked into like a failure. No other test is tried twice.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Dialog, Page, Request, expect, sync_playwright
from support import browser as chromium
from support.browsing import PAGE_MILLISECONDS, new_context
from support.server import serving

BROWSER_FIXTURES = {"app_url", "browser", "page"}

expect.set_options(timeout=PAGE_MILLISECONDS)
# As the app's own server says before torch is loaded: its threads rest while they have nothing to compute.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if BROWSER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.flaky(reruns=1))
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def pytest_collection_finish() -> None:
    """Keeps the look for garbage from the libraries and the tests themselves: some 300,000 objects that stay anyway."""
    gc.freeze()


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that all browser tests share."""
    with serving(tmp_path_factory.mktemp("app")) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all browser tests; `page` hands each of them a tab in it that knows of no other test."""
    with sync_playwright() as playwright:
        started = chromium.launch(playwright)
        yield started
        started.close()


@pytest.fixture
def outside_requests() -> list[str]:
    """Addresses outside this machine that the page asked for; users are promised that it stays empty."""
    return []


@pytest.fixture(scope="session")
def profile(browser: Browser, app_url: str) -> Iterator[BrowserContext]:
    """The profile that `page` opens its tabs in: what the browser has fetched of the app once, it need not fetch again.

    This spares a quarter of the processor time of opening a page. Tests that need a profile of their own call
    `new_context`.
    """
    context = new_context(browser, base_url=app_url, viewport={"width": 1366, "height": 900}, locale="en-GB")
    yield context
    context.close()


@pytest.fixture
def dialogs() -> list[str]:
    """What the pages said in windows of the browser's own, such as an `alert`; they are closed at once."""
    return []


@pytest.fixture
def page(profile: BrowserContext, app_url: str, outside_requests: list[str], dialogs: list[str]) -> Iterator[Page]:
    """A fresh page at the size of a laptop's screen; relative addresses in `page.goto("/")` are the app's.

    The browser has kept nothing for it that an earlier test wrote: neither cookies nor what pages store.
    """

    def outside(url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname != "127.0.0.1"

    # The browser's flags already keep every request from leaving this machine; here they are only listed. Playwright's
    # routes could refuse them too, but each file of the app would then go through this process: a fifth slower.
    def note(request: Request) -> None:
        outside_requests.extend([request.url] * outside(request.url))

    def dismiss(dialog: Dialog) -> None:
        dialogs.append(dialog.message)
        dialog.dismiss()

    profile.on("request", note)
    profile.on("dialog", dismiss)
    opened = profile.new_page()
    # A web socket is not among the requests.
    opened.on("websocket", lambda web_socket: outside_requests.extend([web_socket.url] * outside(web_socket.url)))
    yield opened
    profile.remove_listener("request", note)
    profile.remove_listener("dialog", dismiss)
    forget(profile, app_url)


def forget(profile: BrowserContext, origin: str) -> None:
    """Closes a profile's tabs and empties what pages have stored in it; files that it has fetched stay."""
    blank = profile.new_page()
    for tab in profile.pages:
        if tab is not blank:
            tab.close()
    session = profile.new_cdp_session(blank)
    kinds = "cookies,local_storage,indexeddb,cache_storage,service_workers"
    session.send("Storage.clearDataForOrigin", {"origin": origin, "storageTypes": kinds})
    profile.clear_cookies()
    profile.clear_permissions()
    blank.close()
