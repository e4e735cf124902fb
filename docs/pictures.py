"""Takes the pictures in this folder from the running app: `make pictures`.

Every picture that the READMEs and `steps.md` show is made here, so that none of them shows an app that is gone.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "tests"))

from support import browser as chromium  # noqa: E402
from support.server import serving  # noqa: E402

WIDTH, COLOURS = 1366, 192
SENTENCE = "sentence=Der+Hund+sah+den+Ball."  # that steps.md follows

PICTURES: dict[str, tuple[str, int]] = {
    # name: the address, and the height of the window
    "home": ("/?kind=encoder", 860),
    **{f"home.{language}": (f"/?kind=encoder&lang={language}", 860) for language in ("de", "nl", "zh-Hans", "zh-Hant")},
    "story": ("/story?scene=6&lang=en&sentence=The+teacher+taught+the+student+with+the+book.", 800),
    "overview": ("/overview", 900),
    "compare": ("/compare", 1180),
    "translate": ("/translate", 860),
    "why": (f"/attribution?explained=dog&all_methods=true&trust=true&{SENTENCE}", 1120),
    "what_if": ("/what_if", 900),
    "by_hand": ("/simple_attention", 880),
    "embeddings": ("/embeddings", 900),
    "context": ("/context", 900),
    **{
        f"step_{step}": (f"/steps?step={step}&layer=1&looking=sah&looked_at=Ball&{SENTENCE}", height)
        for step, height in enumerate((760, 760, 900, 960, 860, 960, 800), 1)
    },
}

# The ten scenes of the story on one sheet for each language, screen and theme: to be looked through at a glance.
STORY_SCREENS: dict[str, tuple[int, int, float, int, Literal["light", "dark"]]] = {
    # name: width and height of the window, how much smaller it is on the sheet, how many stand side by side, the theme
    "wide": (1366, 768, 0.5, 2, "light"),
    "dark": (1366, 768, 0.5, 2, "dark"),
    "phone": (390, 844, 0.6, 5, "light"),
    "projector": (1280, 720, 0.5, 2, "light"),
}
STORIES = {
    f"story/{language}.{screen}": (language, screen) for language in ("de", "zh-Hans") for screen in STORY_SCREENS
}


def take_story(started: Browser, url: str, name: str) -> None:
    """All ten scenes of a language on a screen, on one sheet."""
    language, screen = STORIES[name]
    width, height, scale, columns, theme = STORY_SCREENS[screen]
    context = started.new_context(
        bypass_csp=True, base_url=url, locale="en-GB", viewport={"width": width, "height": height}, color_scheme=theme
    )
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(f"/story?scene=1&lang={language}")
    page.locator(".attnviz-ready").wait_for(state="attached")
    if screen == "projector":
        page.locator("body").press("p")
    cell = (round(width * scale), round(height * scale))
    sheet = Image.new("RGB", (columns * cell[0], 10 // columns * cell[1]))
    for scene in range(10):
        if scene:  # by the keyboard, which scrolls nothing
            page.keyboard.press("ArrowRight")
        page.locator(f".attnviz-story[data-scene='{scene + 1}'][data-drawn]").wait_for()
        page.wait_for_timeout(500)  # what travels to its place arrives
        picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").resize(cell, Image.Resampling.LANCZOS)
        sheet.paste(picture, (scene % columns * cell[0], scene // columns * cell[1]))
    context.close()
    file = HERE / f"{name}.png"
    file.parent.mkdir(exist_ok=True)
    sheet.quantize(COLOURS, dither=Image.Dither.NONE).save(file, optimize=True)


def take(page: Page, name: str) -> None:
    """Opens an address, waits until its figures are complete, and saves what is on the screen in few colours."""
    address, height = PICTURES[name]
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.goto(address)
    page.locator(".attnviz-ready").wait_for(state="attached")
    page.wait_for_timeout(700)  # fonts and the last animation
    picture = Image.open(io.BytesIO(page.screenshot()))
    picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(HERE / f"{name}.png", optimize=True)


def main() -> None:
    """Takes those that are named on the command line, or all."""
    if shutil.which("fc-list") and not subprocess.check_output(["fc-list", ":lang=zh"]):
        sys.exit(
            "No font on this machine has Chinese characters; the pictures would show boxes instead. Install one (on "
            "Debian and Ubuntu: apt install fonts-noto-cjk), then run `make pictures` again."
        )
    names = sys.argv[1:] or [*PICTURES, *STORIES]
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(serving(Path(folder)))
        driver = stack.enter_context(sync_playwright())
        started = chromium.launch(driver)
        context = started.new_context(bypass_csp=True, base_url=url, locale="en-GB")
        context.set_default_timeout(60_000)
        for name in names:
            if name in STORIES:
                take_story(started, url, name)
                continue
            page = context.new_page()
            take(page, name)
            page.close()
        started.close()


if __name__ == "__main__":
    main()
