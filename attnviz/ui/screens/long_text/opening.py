"""What the page opens with: a head that shows something, and a text in the reader's language.

The text is a short story under two headings, written for this page.

It is longer than a sentence, so that there is something to zoom into, and shorter than what the bundled model reads.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from attnviz.measures.findings import findings
from attnviz.measures.telling_heads import telling_head
from attnviz.ui.shell.messages import language

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording

_FOLDER = Path(__file__).resolve().parent / "opening_texts"


def opening_text() -> str:
    """The text in the reader's language."""
    return _read(language())


def opening_head(recording: Recording, kind: str, model: str) -> tuple[int, int]:
    """Layer and head: of cross-attention the one measured to find translated words best; else the telling one."""
    aligned = [item for item in findings(model).heads if item.kind == kind and item.finding == "alignment"]
    if aligned:
        best = max(aligned, key=lambda item: item.accuracy)
        return best.layer, best.head
    return telling_head(recording, kind, model)


@functools.cache
def _read(language: str) -> str:
    path = _FOLDER / f"{language}.txt"
    return (path if path.exists() else _FOLDER / "en.txt").read_text(encoding="utf-8").strip()
