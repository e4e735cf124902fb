"""Many tabs in a browser, each with a new sentence every few seconds: from Enter to drawn, beside an empty page.

    python benchmarks/tabs.py --tabs 20 --every 5 --seconds 180

First the home page of the app, then a Streamlit page that has a box for a sentence and shows it, under the same load
and on the same cores. Server and browser share the cores, as they do for whoever tries it on one computer. Ends with
status 1 where a tab saw an error or had to wait too long, or where the app takes more than 3 times (p50) or 4 times
(p95) as long as the empty page.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import statistics
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, Error, Page, async_playwright

from app import WATCH

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from support.browser import FLAGS, candidates  # noqa: E402
from support.server import serving  # noqa: E402
from support.visitors import new_sentences  # noqa: E402

EMPTY = """\
import html
import streamlit as st

sentence = st.text_input("Sentence", "Der Hund sah den Ball.", key="sentence")
with st.container(key="figures"):
    st.html(f'<div class="attnviz-ready" data-sentence="{html.escape(sentence)}">{html.escape(sentence)}</div>')
"""
MOST = {"p50": 3.0, "p95": 4.0}  # times what the empty page takes
LONGEST = 60_000  # milliseconds that a tab waits for a sentence


@dataclass
class Took:
    """What the tabs met.

    Attributes:
        milliseconds: from Enter to drawn, of each sentence.
        errors: what went wrong.
    """

    milliseconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        """Median and 95th percentile in seconds."""
        ordered = sorted(self.milliseconds) or [float("nan")]
        return {"p50": statistics.median(ordered) / 1000, "p95": ordered[int(0.95 * (len(ordered) - 1))] / 1000}


async def opened(browser: Browser, url: str) -> Page:
    """A tab with the page drawn."""
    page = await browser.new_page(bypass_csp=True, viewport={"width": 1280, "height": 720})
    await page.goto(url)
    await page.locator(".attnviz-ready").wait_for(state="attached", timeout=120_000)
    return page


async def type_on(page: Page, sentences: Iterator[str], begin: float, seconds: float, every: float, took: Took) -> None:
    """Types a new sentence at the beginning of each span; who needs longer than a span begins at once."""
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(max(0.0, begin - clock()))
    due, end = begin, begin + seconds
    while due < end:
        sentence = next(sentences)
        try:
            await page.evaluate(WATCH, sentence)
            box = page.locator(".st-key-sentence").locator("textarea, input").first
            await box.fill(sentence)
            await box.press("Enter")
            await page.wait_for_function("window.attnvizTook !== null", timeout=LONGEST)
            took.milliseconds.append(float(await page.evaluate("window.attnvizTook")))
        except Error as error:
            took.errors.append(str(error).splitlines()[0])
        due = max(due + every, clock())
        await asyncio.sleep(max(0.0, due - clock()))
    if alerts := await page.locator("[data-testid=stAlert], [data-testid=stException]").all_inner_texts():
        took.errors.append("; ".join(alerts)[:200])


async def measure(url: str, options: argparse.Namespace) -> Took:
    """What the tabs met on a page."""
    sentences, took = new_sentences(), Took()
    async with async_playwright() as playwright:
        for executable in candidates(playwright):  # type: ignore[arg-type]  # it asks for what both interfaces have
            try:
                browser = await playwright.chromium.launch(executable_path=executable, args=FLAGS)
                break
            except Error:
                continue
        else:
            raise SystemExit("No Chromium could be started; `python tests/support/browser.py` says why.")
        pages = [await opened(browser, url) for _ in range(options.tabs)]
        warm = Took()
        for page in pages:  # the first sentence of each, which is not counted
            await type_on(page, sentences, 0, 0.001, 0, warm)
        start = asyncio.get_running_loop().time() + 1
        await asyncio.gather(
            *(
                type_on(
                    page, sentences, start + options.every * number / len(pages), options.seconds, options.every, took
                )
                for number, page in enumerate(pages)
            )
        )
        await browser.close()
    return took


def report(title: str, took: Took) -> None:
    """A line for a page."""
    numbers = took.summary()
    print(
        f"{title}: {len(took.milliseconds)} sentences, p50 {numbers['p50']:.2f} s, p95 {numbers['p95']:.2f} s, "
        f"slowest {max(took.milliseconds, default=0) / 1000:.2f} s, {len(took.errors)} errors",
        *itertools.islice(took.errors, 3),
        sep="\n  ",
        flush=True,
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tabs", type=int, default=20, help="that are open (default: 20)")
    parser.add_argument("--every", type=float, default=5, help="seconds from a tab's sentence to its next (default: 5)")
    parser.add_argument("--seconds", type=float, default=180, help="for each of the two pages (default: 180)")
    parser.add_argument("--cores", type=int, default=2, help="that servers and browser share (default: 2)")
    options = parser.parse_args()
    os.sched_setaffinity(0, set(sorted(os.sched_getaffinity(0))[: options.cores]))  # what it starts inherits that
    with tempfile.TemporaryDirectory() as folder:
        with serving(Path(folder)) as url:
            app = asyncio.run(measure(url, options))
        report("the app", app)
        script = Path(folder) / "empty.py"
        script.write_text(EMPTY, encoding="utf-8")
        with serving(Path(folder), script=script) as url:
            empty = asyncio.run(measure(url, options))
        report("an empty page", empty)
    times = {name: app.summary()[name] / empty.summary()[name] for name in MOST}
    print(", ".join(f"{name}: {value:.1f} times the empty page's" for name, value in times.items()))
    return int(bool(app.errors or empty.errors) or any(times[name] > most for name, most in MOST.items()))


if __name__ == "__main__":
    sys.exit(main())
