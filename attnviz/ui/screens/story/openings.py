"""The stories of the sentences that the app opens with, computed before anybody comes.

They come with the app, so that the page's first picture waits for no model. A test computes them anew and compares; to
write them again, after the model or the story has changed:

    python -m attnviz.ui.screens.story.openings
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

from attnviz.examples import FIRST_EXAMPLES

FOLDER = Path(__file__).with_name("openings")
MODEL = "bundled"


def opening_numbers(sentence: str) -> dict[str, Any] | None:
    """The numbers of the story of a sentence with the model that ships; None where they do not come with the app."""
    language = next((name for name, first in FIRST_EXAMPLES.items() if first == sentence), None)
    return None if language is None else _read(language)


@functools.lru_cache(maxsize=len(FIRST_EXAMPLES))
def _read(language: str) -> dict[str, Any] | None:
    try:
        return json.loads((FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None  # of a language that was added and whose sentence nobody has computed yet


def write_openings() -> None:
    """Computes them with the bundled model and writes them beside this module."""
    import attnviz
    from attnviz.ui.screens.story.payload.payload import story_numbers

    model = attnviz.load(MODEL, device="cpu")
    FOLDER.mkdir(exist_ok=True)
    for language, sentence in FIRST_EXAMPLES.items():
        numbers = story_numbers(model, MODEL, sentence)
        text = json.dumps(numbers, ensure_ascii=False, separators=(",", ":"))
        (FOLDER / f"{language}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    write_openings()
