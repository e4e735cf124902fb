"""Fixtures that several test files share: the app as a running server, and a browser that reaches nothing else.

A test that takes `page`, `browser` or `app_url` is marked `browser` by itself and runs after all the others: the quick
tests fail first, and Playwright's event loop, which stays in the main thread, comes up only when they are through.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import browser as chromium
import pytest
from playwright.sync_api import Browser, Page, Route, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
BROWSER_FIXTURES = {"app_url", "browser", "page"}

START_SECONDS = 120  # a cold start on a busy machine takes some 10
STOP_SECONDS = 10
PAGE_MILLISECONDS = 60_000  # how long Playwright waits for anything before the test fails


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if BROWSER_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.browser)
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_healthy(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy must not stand between
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            with direct.open(f"{url}/_stcore/health", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    ended = "is still starting" if server.poll() is None else f"ended with status {server.returncode}"
    raise RuntimeError(f"the app {ended} after at most {START_SECONDS} s; it said:\n{log.read_text()[-4000:]}")


def stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()
    try:
        server.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[str]:
    """The app as a user's `streamlit run app.py` serves it; yields its address."""
    log = folder / "server.log"
    port = free_port()
    # Neither this user's settings nor the models this user has downloaded change what the tests see.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("STREAMLIT_")}
    environment["HF_HOME"] = str(folder / "huggingface")
    options = {"headless": "true", "address": "127.0.0.1", "port": str(port)}
    command = [sys.executable, "-m", "streamlit", "run", "app.py"]
    command += [part for name, value in options.items() for part in (f"--server.{name}", value)]
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_healthy(url, server, log)
        yield url
    finally:
        stop(server)


@pytest.fixture(scope="session")
def app_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that all browser tests share."""
    with serving(tmp_path_factory.mktemp("app")) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all browser tests; each test has a profile of its own in it, through `page`."""
    with sync_playwright() as playwright:
        started = chromium.launch(playwright)
        yield started
        started.close()


@pytest.fixture
def outside_requests() -> list[str]:
    """Addresses outside this machine that the test asked for, each refused; users are promised that it stays empty."""
    return []


@pytest.fixture
def page(browser: Browser, app_url: str, outside_requests: list[str]) -> Iterator[Page]:
    """A fresh page at the size of a laptop's screen; relative addresses in `page.goto("/")` are the app's."""
    context = browser.new_context(base_url=app_url, viewport={"width": 1366, "height": 900}, locale="en-GB")
    context.set_default_timeout(PAGE_MILLISECONDS)

    def outside(url: str) -> bool:
        parts = urlsplit(url)
        return parts.scheme in {"http", "https", "ws", "wss"} and parts.hostname != "127.0.0.1"

    def guard(route: Route) -> None:
        if outside(route.request.url):
            outside_requests.append(route.request.url)
            route.abort()
        else:
            route.continue_()

    context.route("**/*", guard)
    opened = context.new_page()
    # Web sockets do not pass through routes; the browser's flags already keep them from leaving this machine.
    opened.on("websocket", lambda web_socket: outside_requests.extend([web_socket.url] * outside(web_socket.url)))
    yield opened
    context.close()
