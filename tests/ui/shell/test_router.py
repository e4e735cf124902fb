"""Every page of the app is reached through the router, whatever a server is asked for first."""

from __future__ import annotations

from pathlib import Path

import pytest

PAGES = sorted(path.stem for path in (Path(__file__).resolve().parents[3] / "pages").glob("*.py"))


@pytest.mark.parametrize("name", PAGES)
def test_every_page_asks_for_the_router(name: str) -> None:
    source = (Path(__file__).resolve().parents[3] / "pages" / f"{name}.py").read_text(encoding="utf-8")
    assert source.rstrip().endswith("require_router()\nmain()")
