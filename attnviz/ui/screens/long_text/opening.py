"""The text that the page opens with, in the reader's language: a short story under two headings, written for this page.

It is longer than a sentence, so that there is something to zoom into, and shorter than what the bundled model reads.
"""

from __future__ import annotations

import functools
from pathlib import Path

from attnviz.ui.shell.messages import language

_FOLDER = Path(__file__).resolve().parent / "opening_texts"


def opening_text() -> str:
    """The text in the reader's language."""
    return _read(language())


@functools.cache
def _read(language: str) -> str:
    path = _FOLDER / f"{language}.txt"
    return (path if path.exists() else _FOLDER / "en.txt").read_text(encoding="utf-8").strip()
