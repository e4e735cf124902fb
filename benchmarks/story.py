"""How fast the story is told, in a real browser: its first picture on a fresh server, another sentence, head or model.

    python benchmarks/story.py

Starts the app as a user would, on a free port of this machine, and asks it for nothing but "How it works": its first
picture comes within the page, and for playing neither torch nor a model is needed, which the server loads meanwhile.
Then sentences are typed that nothing was computed of. What the browser receives for a story of twelve tokens is counted
too: all that comes over the connection from Enter to the picture.
"""

from __future__ import annotations

import shutil
import statistics
import tempfile

from playwright.sync_api import Page, WebSocket, sync_playwright
from translate import SENTENCES, ready

from app import ROOT, chromium, free_port, start
from pages import NOW, time_typing

TWELVE = "The teacher gave the big book to the students today."  # in the bundled model's tokens
HEADS = ("L0 H1", "L2 H5", "L1 H4", "L3 H5", "L1 H6", "L2 H1", "L3 H4", "L0 H7")
# When the story's first picture stands on the screen, and when it begins to move, counted from the page's first byte.
FIRST_FRAME = """() => {
  const since = () => performance.now() - performance.getEntriesByType('navigation')[0].responseStart;
  const plays = () => document.querySelector('.attnviz-story[data-scene]');
  const watch = new MutationObserver(() => {
    if (!window.attnvizSeen && (document.getElementById('attnviz-first-frame') || plays())) {
      window.attnvizSeen = true;
      requestAnimationFrame(() => { window.attnvizFirst = since(); });
    }
    if (!plays()) return;
    watch.disconnect();
    requestAnimationFrame(() => { window.attnvizPlays = since(); });
  });
  watch.observe(document, { childList: true, subtree: true, attributes: true, attributeFilter: ['data-scene'] });
}"""


class Received:
    """Counts what comes over the page's connection, in bytes."""

    def __init__(self, page: Page) -> None:
        self.bytes = 0
        page.on("websocket", self._listen)

    def _listen(self, socket: WebSocket) -> None:
        socket.on("framereceived", self._count)

    def _count(self, payload: str | bytes) -> None:
        self.bytes += len(payload.encode("utf-8") if isinstance(payload, str) else payload)


def first_frame(page: Page, url: str) -> tuple[float, float]:
    """Milliseconds from the page's first byte to the first picture, and to where it moves."""
    page.add_init_script(f"({FIRST_FRAME})()")
    page.goto(f"{url}/story")
    page.wait_for_function("window.attnvizPlays !== undefined", timeout=120_000)
    return float(page.evaluate("window.attnvizFirst")), float(page.evaluate("window.attnvizPlays"))


def choose_heads(page: Page) -> list[float]:
    """Milliseconds from the choice of another head to its story."""
    if page.locator(".attnviz-fold").get_attribute("aria-expanded") == "false":
        page.locator(".attnviz-fold").click()
    box = page.locator(".st-key-story_head input")
    times = []
    for head in HEADS:
        page.wait_for_timeout(400)
        box.fill(head)
        page.evaluate(NOW, page.locator(".attnviz-ready").get_attribute("data-run"))
        page.get_by_role("option", name=head, exact=True).click()
        page.wait_for_function("window.attnvizTook !== null", timeout=60_000)
        times.append(float(page.evaluate("window.attnvizTook")))
    return times


def choose_models(page: Page, folder: str) -> list[float]:
    """Milliseconds from the choice of another model that is loaded to its story of a sentence that it has not read."""
    if page.locator(".attnviz-fold").get_attribute("aria-expanded") == "false":
        page.locator(".attnviz-fold").click()
    sentences, times = SENTENCES[2:9], []
    for turn, sentence in enumerate(sentences):
        text = page.locator(".st-key-sentence textarea")
        text.fill(sentence)
        text.press("Enter")
        ready(page, sentence)
        page.wait_for_timeout(600)
        name = "Bundled translation model" if turn % 2 else folder
        page.locator(".st-key-model input").fill(name)
        page.evaluate(NOW, page.locator(".attnviz-ready").get_attribute("data-run"))
        page.get_by_role("option", name=name).first.click()
        page.wait_for_function("window.attnvizTook !== null", timeout=60_000)
        times.append(float(page.evaluate("window.attnvizTook")))
    return times[1:]  # the first one loads the model


def main() -> None:
    port = free_port()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        url = f"http://127.0.0.1:{port}"
        server = start(port, home)
        try:
            page = browser.new_page(bypass_csp=True, viewport={"width": 1366, "height": 900}, locale="en-GB")
            received = Received(page)
            fresh = first_frame(page, url)
            again = browser.new_page(bypass_csp=True, viewport={"width": 1366, "height": 900}, locale="en-GB")
            warm = first_frame(again, url)
            again.close()
            # The first two come with the app, and the third waits for torch and the model.
            typed = time_typing(page, url, "/story")[2:]
            heads = choose_heads(page)
            models = choose_models(page, shutil.copytree(ROOT / "attnviz" / "bundled", f"{home}/copy"))
            page.wait_for_timeout(1000)
            before = received.bytes
            box = page.locator(".st-key-sentence textarea")
            box.fill(TWELVE)
            box.press("Enter")
            ready(page, TWELVE)
            size = (received.bytes - before) / 1000
        finally:
            server.terminate()
            server.wait(10)
            browser.close()
    rows: list[tuple[str, list[float], str]] = [
        ("Fresh server: first byte to first frame", [fresh[0]], "≤ 1000"),
        ("  and until it moves", [fresh[1]], ""),
        ("The next visitor: first frame", [warm[0]], ""),
        ("  and until it moves", [warm[1]], ""),
        ("A sentence typed", typed, "≤ 600"),
        ("Another head", heads, "≤ 600"),
        ("Another model", models, "≤ 600"),
    ]
    print(f"{'milliseconds':44}{'median':>8}{'fastest':>9}{'slowest':>9}   goal")
    for name, times, goal in rows:
        print(f"{name:44}{statistics.median(times):8.0f}{min(times):9.0f}{max(times):9.0f}   {goal}")
    print(f"{'kB received for twelve tokens':44}{size:8.0f}{'':18}   ≤ 300")


if __name__ == "__main__":
    main()
