"""A server that was just started, and the first thing that it is asked for is not the home page."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser
from support.browsing import new_context
from support.server import serving

from attnviz.ui.shell.router import GROUPS

PAGES = sorted(path.stem for path in (Path(__file__).resolve().parents[3] / "pages").glob("*.py"))


def test_a_link_may_be_the_first_visit(browser: Browser, tmp_path: Path) -> None:
    with serving(tmp_path) as url:
        context = new_context(browser, base_url=url)
        page = context.new_page()
        page.goto("/simple_attention?word=step")
        page.locator(".attnviz-ready").wait_for(state="attached")
        # The names of the pages stand over them, in groups; the older kind of app has a sidebar.
        assert page.get_by_test_id("stTopNavSection").count() == len(GROUPS)
        assert page.get_by_test_id("stSidebar").count() == 0
        assert page.url.startswith(f"{url}/simple_attention?") and "word=step" in page.url
        context.close()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_asks_for_the_router(name: str) -> None:
    source = (Path(__file__).resolve().parents[3] / "pages" / f"{name}.py").read_text(encoding="utf-8")
    assert source.rstrip().endswith("require_router()\nmain()")
