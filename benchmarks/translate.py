"""How fast the page "Translate" answers, in a real browser: from the choice of a token to the picture of what follows.

    python benchmarks/translate.py

Starts the app as a user would, on a free port of this machine. For each sentence the second likeliest token is taken in
one step, so that the rest is written, recorded and drawn anew; nothing of it has been computed before. A run is over
when the page says itself that its figures are complete. Walking through the steps is measured too: it asks nobody.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time

from playwright.sync_api import Page, sync_playwright

from app import chromium, free_port, start

SENTENCES = (
    "De kat zit op de mat.",
    "Der Hund sah den Ball.",
    "Die Fledermaus flog nachts.",
    "De student las het boek.",
    "学生在写作业。",
    "Der Lehrer gab dem Schüler das Buch.",
    "Morgen gehen wir in die Stadt.",
    "De kinderen spelen in de tuin.",
    "Das Wetter ist heute schön.",
    "Zij drinkt elke ochtend koffie.",
    "Er hat den Zug verpasst.",
    "Wij wonen in een klein dorp.",
)
STEP = 2

# From the button going down to the frame in which the other text stands with all that belongs to it.
WATCH = """(was) => {
  window.attnvizTook = null;
  let start = null;
  const done = () => [...document.querySelectorAll('.attnviz-ready')].some((mark) => mark.dataset.run !== was);
  const watch = new MutationObserver(() => {
    if (start !== null && done()) {
      watch.disconnect();
      requestAnimationFrame(() => { window.attnvizTook = performance.now() - start; });
    }
  });
  watch.observe(document.body, { childList: true, subtree: true });
  document.addEventListener('pointerdown', () => { start = performance.now(); }, { capture: true, once: true });
}"""

# All steps forwards, each drawn at once; milliseconds for one.
WALK = """() => {
  const next = document.querySelector('.attnviz-growing-next');
  document.querySelector('.attnviz-growing-chip').click();
  const start = performance.now();
  let steps = 0;
  for (; !next.disabled; steps++) { next.click(); document.body.getBoundingClientRect(); }
  return (performance.now() - start) / steps;
}"""


def ready(page: Page, sentence: str) -> str:
    """Waits for the figures of a sentence; returns the name of what they show."""
    mark = page.locator(f'.attnviz-ready[data-sentence="{sentence}"]')
    mark.wait_for(state="attached", timeout=120_000)
    return mark.get_attribute("data-run") or ""


def choose(page: Page, sentence: str) -> float:
    """Milliseconds from the choice of another token to the picture."""
    box = page.locator(".st-key-sentence textarea")
    box.fill(sentence)
    box.press("Enter")
    run = ready(page, sentence)
    page.locator(".attnviz-growing-chip").nth(STEP).click()
    page.wait_for_timeout(1500)  # until the page has been told of the step, so that nothing else runs
    run = ready(page, sentence)
    page.evaluate(WATCH, run)
    page.locator("button.attnviz-growing-bar").nth(1).click()
    page.wait_for_function("window.attnvizTook !== null", timeout=60_000)
    return float(page.evaluate("window.attnvizTook"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--method", choices=("greedy", "beam", "sample"), default="greedy")
    method = parser.parse_args().method
    port = free_port()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        server = start(port, home)
        try:
            page = browser.new_page(bypass_csp=True, viewport={"width": 1366, "height": 900})
            page.goto(f"http://127.0.0.1:{port}/")
            page.locator(".attnviz-ready").wait_for(state="attached", timeout=120_000)
            began = time.perf_counter()
            page.goto(f"http://127.0.0.1:{port}/translate?method={method}&sentence=Guten+Morgen.")
            ready(page, "Guten Morgen.")
            first = 1000 * (time.perf_counter() - began)
            choose(page, "Ein Satz zum Warmwerden.")
            times = [choose(page, sentence) for sentence in SENTENCES]
            step_time = float(page.evaluate(WALK))
        finally:
            server.terminate()
            server.wait(10)
            browser.close()
    rows = [
        ("page opened by a link, model warm", first, ""),
        (f"a token chosen to the picture, median of {len(times)} ({method})", statistics.median(times), "≤ 400"),
        ("  fastest", min(times), ""),
        ("  slowest", max(times), ""),
        ("a step forwards", step_time, ""),
    ]
    print(f"{'':60}{'ms':>8}   goal")
    for name, took, goal in rows:
        print(f"{name:60}{took:8.1f}   {goal}")


if __name__ == "__main__":
    main()
