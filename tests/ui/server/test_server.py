"""The server beside Streamlit's own: getting ready, saying so, and the story's first picture."""

from __future__ import annotations

import asyncio
import json
import os
import re
import stat
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator
from starlette.requests import Request
from starlette.routing import Route
from support.browsing import RESTS, new_context, settled_box
from support.pages import save_checkpoint
from support.server import ROOT, serving
from support.tiny_tokenizers import wordpiece

from attnviz.examples import FIRST_EXAMPLES
from attnviz.ui.server.first_frame import first_picture, story_route
from attnviz.ui.server.health import health_routes
from attnviz.ui.server.warm_up import WarmUp


def answer(route: Route, query: str = "", language: str = "") -> tuple[int, str]:
    """Status and text of what a route answers."""
    headers = [(b"accept-language", language.encode())]
    scope = {"type": "http", "method": "GET", "path": route.path, "query_string": query.encode(), "headers": headers}
    response = asyncio.run(route.endpoint(Request(scope)))
    return response.status_code, response.body.decode()


def asked(url: str) -> tuple[int, str]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=20) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def place_in_page(locator: Locator) -> list[float]:
    """Left and upper edge, width and height, however far the page is scrolled."""
    return locator.evaluate("""(element) => {
      const scrolls = document.querySelector('[data-testid=stMain]');
      const { x, y, width, height } = element.getBoundingClientRect();
      return [x, y + (scrolls?.scrollTop ?? 0), width, height];
    }""")


def test_ready_only_once_the_work_is_over() -> None:
    goes_on = threading.Event()
    warm_up = WarmUp(lambda: goes_on.wait(30) and None)
    alive, ready = health_routes(warm_up)
    warm_up.start()
    assert answer(alive)[0] == 200
    status, text = answer(ready)
    assert status == 503 and json.loads(text)["status"] == "loading"
    goes_on.set()
    assert warm_up.wait(30)
    assert answer(ready)[0] == 200
    took = warm_up.seconds
    time.sleep(0.02)
    assert warm_up.seconds == took > 0


def test_a_failure_is_logged_and_the_server_serves_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise RuntimeError("no model ships")

    warm_up = WarmUp(fail)
    warm_up.start()
    assert warm_up.wait(30) and warm_up.ready
    assert "no model ships" in caplog.text


@pytest.mark.parametrize(
    ("parameters", "accepted", "expected"),
    [
        ({}, "de-AT,en;q=0.5", ("de", FIRST_EXAMPLES["de"])),
        ({}, "zh-TW", ("zh_Hant", FIRST_EXAMPLES["zh_Hant"])),
        ({}, "fr", ("en", FIRST_EXAMPLES["en"])),
        ({}, "", ("en", FIRST_EXAMPLES["en"])),
        ({"lang": "nl"}, "de", ("nl", FIRST_EXAMPLES["nl"])),
        ({"sentence": FIRST_EXAMPLES["de"], "word": "Hund"}, "en", ("en", FIRST_EXAMPLES["de"])),
        ({"sentence": "A sentence of my own."}, "en", None),
        ({"scene": "5"}, "en", None),
        ({"layer": "1", "head": "2"}, "en", None),
        ({"model": "bert-base-cased"}, "en", None),
        ({"model": "bundled"}, "en", ("en", FIRST_EXAMPLES["en"])),
    ],
)
def test_which_first_picture_is_known_beforehand(
    parameters: dict[str, str], accepted: str, expected: tuple[str, str] | None
) -> None:
    assert first_picture(parameters, accepted) == expected


def test_the_first_picture_has_the_texts_of_its_language_and_nothing_from_the_address() -> None:
    _status, german = answer(story_route(), "lang=de")
    assert "Was liest ein Modell?" in german and german.count("</body>") == 1
    _status, hostile = answer(story_route(), "sentence=%3Cscript%3Ealert(1)%3C/script%3E")
    assert "alert(1)" not in hostile and "attnviz-first-frame" not in hostile and '<div id="root">' in hostile


def test_a_server_below_a_path_gets_ready_and_opens_the_browser(tmp_path: Path) -> None:
    opener, opened = tmp_path / "bin" / "xdg-open", tmp_path / "opened"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\necho "$1" > "{opened}"\n')
    opener.chmod(opener.stat().st_mode | stat.S_IXUSR)
    variables = {"PATH": f"{opener.parent}{os.pathsep}{os.environ['PATH']}"}
    with serving(tmp_path, headless=False, base_path="attention", **variables) as url:
        assert asked(f"{url}/healthz")[0] == 200
        assert "attnviz-first-frame" in asked(f"{url}/story")[1]
        assert asked(f"{url}/metrics") == (404, "Not Found")  # nobody asked for numbers
        end = time.monotonic() + 120
        while (status := asked(f"{url}/readyz")[0]) == 503 and time.monotonic() < end:
            time.sleep(0.2)
        assert status == 200
        assert opened.read_text().strip() == url


@pytest.mark.parametrize("width", [1366, 390])
def test_the_story_begins_before_its_program_has_come(browser: Browser, app_url: str, width: int) -> None:
    """The first picture stands where the story draws it, and goes when it does."""
    context = new_context(browser, base_url=app_url, viewport={"width": width, "height": 844}, locale="de-DE")
    slow = context.new_page()
    slow.route(re.compile(r"/static/js/"), lambda route: None)  # never answered: as on a very slow line
    slow.goto("/story", wait_until="commit")
    picture = slow.locator("#attnviz-first-frame .attnviz-first-picture")
    picture.get_by_text(FIRST_EXAMPLES["de"]).wait_for()
    first = place_in_page(picture)
    slow.close()

    page = context.new_page()
    page.goto("/story")
    page.locator(".attnviz-story[data-scene]").wait_for(state="attached")
    page.locator("#attnviz-first-frame").wait_for(state="detached")
    page.wait_for_function(RESTS)
    canvas = page.locator(".attnviz-story-canvas")
    settled_box(canvas)
    assert place_in_page(canvas) == pytest.approx(first, abs=6)
    context.close()


def test_another_model_can_be_asked_for_while_the_libraries_are_being_imported(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, "bert", wordpiece())
    program = f"""
import threading, time
from unittest.mock import MagicMock
from attnviz.ui.shell import models
threading.Thread(target=models.preload).start()
failed = []
def load(pause):
    time.sleep(pause)
    try:
        models.load({folder!r} + "/" * int(pause * 10), MagicMock())
    except Exception as error:
        failed.append(error)
threads = [threading.Thread(target=load, args=(pause / 10,)) for pause in range(0, 20, 2)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(failed)
"""
    result = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]", result.stdout
