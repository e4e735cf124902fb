"""How fast the app answers, in a real browser: from Enter to all heads drawn, and the first picture of a fresh server.

    python benchmarks/app.py

Starts the app as a user would, on a free port of this machine, and prints a small table. A run is over when the page
says itself that its figures are complete (the element `.attnviz-ready` with the sentence that was typed).
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support import browser as chromium  # noqa: E402  (it finds the browser that the tests use)

# Ten to sixteen tokens each in the bundled model's vocabulary, none of them the sentence that the app opens with.
STEMS = (
    "Der Lehrer gab dem Schüler {} das alte Buch.",
    "The teacher gave the student {} the old book.",
    "De leraar gaf de student {} het oude boek.",
    "Die Fledermaus flog {} nachts über das Haus.",
)
FILLERS = ("heute", "today", "morgen", "once", "wieder")
SENTENCES = [stem.format(filler) for filler in FILLERS for stem in STEMS]

# From the key going down, as the reader experiences it, to the frame in which the figures stand.
WATCH = """(sentence) => {
  window.attnvizTook = null;
  let start = null;
  const marks = () => [...document.querySelectorAll('.attnviz-ready')];
  const done = () => marks().some((mark) => mark.dataset.sentence === sentence);
  const watch = new MutationObserver(() => {
    if (start !== null && done()) {
      watch.disconnect();
      requestAnimationFrame(() => { window.attnvizTook = performance.now() - start; });
    }
  });
  watch.observe(document.body, { childList: true, subtree: true, attributeFilter: ['data-sentence'] });
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Enter') start = performance.now();
  }, { capture: true, once: true });
}"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(port: int, home: str) -> subprocess.Popen[bytes]:
    """The app as `make run` starts it, up as soon as it answers."""
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.headless", "true"]
    command += ["--server.address", "127.0.0.1", "--server.port", str(port)]
    environment = {**os.environ, "HF_HOME": home}
    server = subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while server.poll() is None:
        try:
            with direct.open(f"http://127.0.0.1:{port}/_stcore/health", timeout=5):
                return server
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise SystemExit("The app did not start; `make run` says why.")


def wait_until_ready(port: int) -> None:
    """Waits until the server says that the first picture will be quick."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while True:
        try:
            with direct.open(f"http://127.0.0.1:{port}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)


def first_picture(browser: Browser, port: int) -> float:
    """Milliseconds from opening the page to all heads drawn."""
    page = browser.new_page(bypass_csp=True, viewport={"width": 1440, "height": 900})
    began = time.perf_counter()
    page.goto(f"http://127.0.0.1:{port}/")
    page.locator(".attnviz-ready").wait_for(state="attached", timeout=120_000)
    took = 1000 * (time.perf_counter() - began)
    page.close()
    return took


def enter(page: Page, sentence: str) -> float:
    """Milliseconds from Enter to all heads drawn."""
    box = page.locator(".st-key-sentence textarea")
    page.evaluate(WATCH, sentence)
    box.fill(sentence)
    box.press("Enter")
    page.wait_for_function("window.attnvizTook !== null", timeout=60_000)
    return float(page.evaluate("window.attnvizTook"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=len(SENTENCES), help="sentences to type (default: %(default)s)")
    runs = parser.parse_args().runs
    port = free_port()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        server = start(port, home)
        try:
            cold = first_picture(browser, port)
        finally:
            server.terminate()
            server.wait(10)
        began = time.perf_counter()
        server = start(port, home)
        try:
            wait_until_ready(port)
            until_ready = 1000 * (time.perf_counter() - began)
            ready = first_picture(browser, port)
            page = browser.new_page(bypass_csp=True, viewport={"width": 1440, "height": 900})
            page.goto(f"http://127.0.0.1:{port}/")
            page.locator(".attnviz-ready").wait_for(state="attached", timeout=120_000)
            for sentence in ("Ein Satz zum Warmwerden.", "Und noch ein zweiter."):
                enter(page, sentence)
            times = [
                enter(page, SENTENCES[run % len(SENTENCES)] + " " * (run // len(SENTENCES))) for run in range(runs)
            ]
        finally:
            server.terminate()
            server.wait(10)
            browser.close()
    rows = [
        ("asked at once: first picture of a fresh server", cold, "≤ 8000"),
        ("start of the server to ready", until_ready, "≤ 12000"),
        ("ready server to first picture", ready, "≤ 1500"),
        (f"Enter to all heads drawn, median of {runs}", statistics.median(times), "≤ 300"),
        ("  fastest", min(times), ""),
        ("  slowest", max(times), ""),
    ]
    print(f"{'':48}{'ms':>8}   goal")
    for name, took, goal in rows:
        print(f"{name:48}{took:8.0f}   {goal}")


if __name__ == "__main__":
    main()
