"""How evenly the story plays: the time between its frames, and how long each of them takes to draw.

    python benchmarks/story_frames.py [sentence]

Starts the app as a user would, on a free port of this machine, and plays each scene of "How it works" for some seconds
in a Chromium without a GPU. The default sentence has 12 tokens, and the bundled model 8 heads in each layer.
"""

from __future__ import annotations

import sys
import tempfile
from urllib.parse import urlencode

import numpy as np
from playwright.sync_api import Page, sync_playwright

from app import chromium, free_port, start

SENTENCE = "The teacher gave the big book to the students today."
SCENES = 10
SECONDS = 5  # of each scene; the shortest has so many
FRAME = 33.3  # milliseconds that 30 frames a second leave for each

# The component asks for a frame with `requestAnimationFrame` and draws in it: what it was called for is measured there.
MEASURE = """() => {
  window.attnvizFrames = [];
  const request = window.requestAnimationFrame.bind(window);
  let before = null;
  window.requestAnimationFrame = (call) => request((now) => {
    const begun = performance.now();
    call(now);
    const playing = document.querySelector('.attnviz-story')?.dataset.playing === 'true';
    if (playing && before !== null) window.attnvizFrames.push([now - before, performance.now() - begun]);
    before = playing ? now : null;
  });
}"""


def play(page: Page, scene: int) -> np.ndarray:
    """Milliseconds between the frames of a scene and of drawing each, shape (frames, 2)."""
    page.locator(f".attnviz-story-marks button:nth-child({scene})").click()
    guess = page.locator(".attnviz-story-show")  # the scene that asks stops until it is answered
    (guess if guess.is_visible() else page.locator(".attnviz-story-play")).click()
    page.wait_for_timeout(300)
    page.evaluate("window.attnvizFrames = []")
    page.wait_for_timeout(1000 * SECONDS)
    frames = page.evaluate("window.attnvizFrames")
    if page.locator(".attnviz-story").get_attribute("data-playing") == "true":
        page.locator(".attnviz-story-play").click()
    return np.array(frames).reshape(-1, 2)


def main() -> None:
    """Prints a row for each scene: 95 of 100 frames come and are drawn within these times."""
    sentence = sys.argv[1] if len(sys.argv) > 1 else SENTENCE
    port = free_port()
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        browser = chromium.launch(playwright)
        server = start(port, home)
        try:
            page = browser.new_page(bypass_csp=True, viewport={"width": 1366, "height": 900})
            page.add_init_script(f"({MEASURE})()")
            page.goto(f"http://127.0.0.1:{port}/story?{urlencode({'sentence': sentence, 'scene': 1})}")
            page.locator(".attnviz-story[data-drawn]").wait_for(timeout=120_000)
            print(f"{page.locator('.attnviz-story-asking button').count()} tokens; milliseconds, p95 (median)")
            every = []
            for scene in range(1, SCENES + 1):
                frames = play(page, scene)
                every.append(frames)
                print(row(f"scene {scene}", frames))
            print(row("all", np.concatenate(every)), f" goal ≤ {FRAME}")
        finally:
            browser.close()
            server.terminate()
            server.wait(10)


def row(name: str, frames: np.ndarray) -> str:
    between, drawing = np.percentile(frames, 95, axis=0)
    usual = np.median(frames, axis=0)
    times = f"between frames {between:5.1f} ({usual[0]:.1f}), drawing {drawing:5.1f} ({usual[1]:.1f})"
    return f"{name:9} {times}, {len(frames)} frames"


if __name__ == "__main__":
    main()
