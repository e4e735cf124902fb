"""How fast the other pages answer, in a real browser: from a choice to the picture that shows it.

    python benchmarks/pages.py

Starts the app as a user would, on a free port of this machine. On "Compare" one of four panels gets another head; on
"Step by step", "Embeddings" and "In context" another word is typed into the sentence; on "What if" a head is switched
off; on "Why this word" another word is clicked; on "What heads do" another head. A run is over when the page says
itself that its figures are complete.
"""

from __future__ import annotations

import statistics
import tempfile
from urllib.parse import urlencode

from playwright.sync_api import Page, sync_playwright
from translate import SENTENCES, WATCH, ready

from app import chromium, free_port, start

FIRST = "Der Hund sah den Ball."
PANELS = "encoder.L0.H0 encoder.L1.H1 encoder.L2.H2 encoder.L3.H3"
# As in `translate.py`, but from the moment that the browser is told.
NOW = WATCH.replace(
    "document.addEventListener('pointerdown', () => { start = performance.now(); }, { capture: true, once: true });",
    "start = performance.now();",
)


def took(page: Page) -> float:
    page.wait_for_function("window.attnvizTook !== null", timeout=60_000)
    return float(page.evaluate("window.attnvizTook"))


def compare(page: Page, url: str) -> list[float]:
    """Milliseconds from another head of one of four panels to the picture."""
    page.goto(f"{url}/compare?{urlencode({'sentence': FIRST, 'panels': PANELS})}")
    run = ready(page, FIRST)
    times = []
    for head in range(17):
        page.wait_for_timeout(400)
        page.evaluate(NOW, run)
        page.get_by_label("Head: B").select_option(f"Head {(3 * head + 2) % 8}")
        times.append(took(page))
        run = ready(page, FIRST)
    return times[2:]


def why(page: Page, url: str) -> tuple[list[float], list[float]]:
    """Milliseconds from a click on another word to its explanation by two methods, and by integrated gradients."""
    sentence = "The teacher gave the big book to the students today."
    times: tuple[list[float], list[float]] = ([], [])
    for method, taken in zip(("occlusion", "integrated_gradients"), times, strict=True):
        page.goto(f"{url}/attribution?{urlencode({'sentence': sentence, 'beside': method})}")
        run = ready(page, sentence)
        words = page.locator(".attnviz-why-output button")
        for index in range(words.count() - 1):
            page.wait_for_timeout(400)
            page.evaluate(NOW, run)
            words.nth(index).dispatch_event("click")
            taken.append(took(page))
            run = ready(page, sentence)
    return times[0][1:], times[1][1:]


def what_if(page: Page, url: str) -> list[float]:
    """Milliseconds from a click that switches a head off to both runs, their difference and the text."""
    page.goto(f"{url}/what_if?{urlencode({'sentence': FIRST, 'kind': 'cross'})}")
    run = ready(page, FIRST)
    times = []
    for head in range(16):
        page.wait_for_timeout(400)
        tile = page.locator(f".attnviz-mosaic-tile[data-head='L{2 + head // 8} H{head % 8}']")
        page.evaluate(NOW, run)
        tile.dispatch_event("click")
        times.append(took(page))
        run = ready(page, FIRST)
    return times[2:]


def roles(page: Page, url: str) -> list[float]:
    """Milliseconds from a click on another head to the texts in which it shows what it does."""
    page.goto(f"{url}/roles")
    page.locator(".attnviz-ready").wait_for(state="attached", timeout=120_000)
    times = []
    for head in range(16):
        page.wait_for_timeout(400)
        run = page.locator(".attnviz-ready").get_attribute("data-run")
        tile = page.locator(".attnviz-roles-grid button").nth(5 * head)
        page.evaluate(NOW, run)
        tile.dispatch_event("click")
        times.append(took(page))
        page.locator(".attnviz-ready").wait_for(state="attached")
    return times[2:]


def time_typing(page: Page, url: str, path: str) -> list[float]:
    """Milliseconds from Enter to the picture of another sentence."""
    page.goto(f"{url}{path}")
    page.locator(".attnviz-ready").wait_for(state="attached", timeout=120_000)
    times = []
    for sentence in SENTENCES:
        page.wait_for_timeout(400)
        run = page.locator(".attnviz-ready").get_attribute("data-run")
        box = page.locator(".st-key-sentence textarea")
        page.evaluate(NOW, run)
        box.fill(sentence)
        box.press("Enter")
        times.append(took(page))
        ready(page, sentence)
    return times[1:]


def main() -> None:
    """Prints a row for each page: median, fastest and slowest of its runs."""
    port = free_port()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        server = start(port, home)
        url = f"http://127.0.0.1:{port}"
        try:
            page = browser.new_page(bypass_csp=True, viewport={"width": 1366, "height": 900})
            page.goto(f"{url}/")
            page.locator(".attnviz-ready").wait_for(state="attached", timeout=120_000)
            rows = [("Compare: one of four panels changed", compare(page, url), "≤ 300")]
            rows.append(("What if: a head switched off", what_if(page, url), "≤ 300"))
            plain, integrated = why(page, url)
            rows.append(("Why this word: another word, two methods", plain, "≤ 500"))
            rows.append(("  with integrated gradients", integrated, "≤ 2000"))
            rows.append(("What heads do: another head, its texts", roles(page, url), "≤ 300"))
            for name, path in (
                ("Step by step, step 4: a sentence typed", "/steps?step=4"),
                ("Embeddings: a sentence typed", "/embeddings"),
                ("In context: a sentence typed", "/context"),
            ):
                rows.append((name, time_typing(page, url, path), ""))
        finally:
            server.terminate()
            server.wait(10)
            browser.close()
    print(f"{'milliseconds':44}{'median':>8}{'fastest':>9}{'slowest':>9}   goal")
    for name, times, goal in rows:
        print(f"{name:44}{statistics.median(times):8.0f}{min(times):9.0f}{max(times):9.0f}   {goal}")


if __name__ == "__main__":
    main()
