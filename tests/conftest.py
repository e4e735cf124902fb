"""Fixtures that several test files share: the app as a running server, and a browser that reaches nothing else.

A test that takes `page`, `tabs`, `browser` or `app_url` is marked `browser` by itself and runs after all the others:
the quick tests fail first, and Playwright's event loop, which stays in the main thread, comes up only when they are
through. When it fails it is tried once more, in a new tab, and the summary lists it as RERUN. One that is often there
has a fault, or the page has: it is looked into like a failure. No other test is tried twice.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from support import browser as chromium
from support.browsing import PAGE_MILLISECONDS
from support.server import serving
from support.tabs import Tabs
from support.workers import cores, memory_gigabytes, workers

# What `page` and `tabs` are made of: a parameter that is called "page" too makes no test one for a browser.
BROWSER_FIXTURES = {"app_url", "browser"}

expect.set_options(timeout=PAGE_MILLISECONDS)
# As the app's own server says before torch is loaded: its threads rest while they have nothing to compute.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def pytest_xdist_auto_num_workers() -> int:
    """What `--numprocesses auto` means, which `make test` passes."""
    return workers(cores(), memory_gigabytes())


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
    """One Chromium for all browser tests; `page` hands each of them an empty tab of it."""
    with sync_playwright() as playwright:
        started = chromium.launch(playwright)
        yield started
        started.close()


@pytest.fixture(scope="session")
def shared_tabs(browser: Browser, app_url: str) -> Iterator[Tabs]:
    """The tabs that all browser tests share one after the other."""
    opened = Tabs(browser, app_url)
    yield opened
    opened.close()


@pytest.fixture
def tabs(request: pytest.FixtureRequest, shared_tabs: Tabs) -> Iterator[Tabs]:
    """Opens tabs that no other test has left anything in, also for readers of another language.

    Whatever a test does in them, nothing outside this machine is asked for, as users are promised, and no error of a
    page's program goes uncaught.
    """
    if getattr(request.node, "execution_count", 1) > 1:
        shared_tabs.close()  # a test that is tried once more gets new ones
    yield shared_tabs
    asked, errors = shared_tabs.outside_requests.copy(), shared_tabs.page_errors.copy()
    shared_tabs.leave()
    assert asked == [], "the page asked for something outside this machine"
    assert errors == [], "errors of the page's program"


@pytest.fixture
def page(tabs: Tabs) -> Page:
    """An empty tab at the size of a laptop's screen; relative addresses in `page.goto("/")` are the app's."""
    return tabs.open()


@pytest.fixture
def dialogs(tabs: Tabs) -> list[str]:
    """What pages said in windows of the browser's own, such as an `alert`; they are closed at once."""
    return tabs.dialogs
