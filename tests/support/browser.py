"""Finds a Chromium for the browser tests, starts it, and gets one where there is none.

`python tests/support/browser.py` makes sure of a browser and says which; `make test` and `make bench` call it. The
fixtures in conftest.py and the benchmark of the app start what it finds. Nothing here knows the app.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, Playwright, sync_playwright
from playwright.sync_api import Error as PlaywrightError

FLAGS = [
    # Chromium's own sandbox cannot be set up as root or in most containers; the only pages it opens here are the app's.
    "--no-sandbox",
    "--disable-gpu",
    # Left alone it looks up its maker's servers at every start.
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    # Whatever a page asks for, no name but this machine's is ever looked up.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
]

NO_BROWSER = """\
The browser tests need Chromium, and none could be found or installed here. Do one of these, then run the command again:
  Debian             sudo apt install chromium libatomic1
  anything else      .venv/bin/playwright install --with-deps chromium
  one of your own    ATTNVIZ_BROWSER=/path/to/chrome make test
Without a browser, .venv/bin/pytest -m 'not browser' runs the other tests."""


def candidates(playwright: Playwright) -> Iterator[str | None]:
    """Yields executables that may be a Chromium, the one asked for first; it is the only one when it is given.

    None is the one that Playwright takes by itself for tests without a window.
    """
    asked = os.environ.get("ATTNVIZ_BROWSER")
    if asked:
        yield asked
        return
    # The first is the same engine without a window's menus and tabs, which no test sees: it costs a third less a page.
    for name in ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"):
        found = shutil.which(name)
        if found:
            yield found
    if Path(playwright.chromium.executable_path).exists():
        yield None  # its own build without a window's menus, where that was installed too
        yield playwright.chromium.executable_path


def launch(playwright: Playwright) -> Browser:
    """Starts the first candidate that really starts: some distributions put a stub in the place of a browser."""
    failures = []
    for executable in candidates(playwright):
        try:
            return playwright.chromium.launch(executable_path=executable, args=FLAGS, timeout=60_000)
        except PlaywrightError as error:
            failures.append(f"{executable or 'Playwright'}: {str(error).splitlines()[0]}")
    raise RuntimeError("\n".join([*failures, NO_BROWSER]))


def works() -> str | None:
    """Returns the version of the browser that the tests will use, or None."""
    try:
        with sync_playwright() as playwright:
            browser = launch(playwright)
            version = browser.version
            browser.close()
            return version
    # Also where Playwright's driver cannot start, which has no error of its own: a lean Debian lacks a library for it.
    except Exception as error:
        print(str(error).removesuffix(NO_BROWSER).strip(), file=sys.stderr, flush=True)
        return None


def ways_to_install() -> Iterator[list[list[str]]]:
    """Yields the commands of each way to get a browser that may work here, the tidier first."""
    release = Path("/etc/os-release")
    debian = release.exists() and "ID=debian" in release.read_text().splitlines()
    if debian and os.geteuid() == 0:
        # Another installation may hold the package system's lock for a while. Playwright's driver needs libatomic1.
        apt = ["apt-get", "-o", "DPkg::Lock::Timeout=300"]
        for package in ("chromium-headless-shell", "chromium"):  # older releases have no package of the first
            yield [[*apt, "update"], [*apt, "install", "--yes", "--no-install-recommends", package, "libatomic1"]]
    yield [[sys.executable, "-m", "playwright", "install", "chromium"]]


def main() -> int:
    version = works()
    if version is None and not os.environ.get("ATTNVIZ_BROWSER"):
        print("No browser here that starts; installing Chromium for the tests.", flush=True)
        for way in ways_to_install():
            if all(subprocess.run(command).returncode == 0 for command in way):
                version = works()
            if version is not None:
                break
    if version is None:
        print(NO_BROWSER, file=sys.stderr)
        return 1
    print(f"Browser tests use Chromium {version}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
