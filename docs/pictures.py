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

from PIL import Image
from playwright.sync_api import Page, sync_playwright

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
    "overview": ("/overview", 900),
    "compare": ("/compare", 1180),
    "translate": ("/translate", 860),
    "by_hand": ("/simple_attention", 880),
    "embeddings": ("/embeddings", 900),
    "context": ("/context", 900),
    **{
        f"step_{step}": (f"/steps?step={step}&layer=1&looking=sah&looked_at=Ball&{SENTENCE}", height)
        for step, height in enumerate((760, 760, 900, 960, 860, 960, 800), 1)
    },
}


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
    names = sys.argv[1:] or list(PICTURES)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        url = stack.enter_context(serving(Path(folder)))
        driver = stack.enter_context(sync_playwright())
        started = chromium.launch(driver)
        context = started.new_context(base_url=url, locale="en-GB")
        context.set_default_timeout(60_000)
        for name in names:
            page = context.new_page()
            take(page, name)
            page.close()
        started.close()


if __name__ == "__main__":
    main()
