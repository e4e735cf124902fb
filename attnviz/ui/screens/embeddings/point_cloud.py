"""The component that shows points in three dimensions, to be turned with the pointer or the arrow keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.ui.components.component import define
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.shell.messages import _, local_number, local_percent

if TYPE_CHECKING:
    from attnviz.embeddings.embedding_table import Word
    from attnviz.embeddings.vectors import Components

_space = define(__file__)


def point_cloud(
    words: Sequence[Word],
    projection: Components,
    *,
    chosen: tuple[int, ...],
    run: str,
    key: str,
    text: str,
    on_pick: Callable[[int], None],
) -> None:
    """Draws words as points along three axes, in a cube that holds them all.

    Args:
        words: for each point its word; those that were added beside the text get a ring instead of a dot.
        projection: the words' points, (words, 3), and the share of the variance of each axis.
        chosen: indices of the words that stand out.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
        text: what the picture shows, for those who do not see it.
        on_pick: called with the index of the word whose point was clicked, before the page runs again.
    """
    low, high = projection.points.min(axis=0), projection.points.max(axis=0)
    middle, half = (low + high) / 2, float((high - low).max()) / 2 or 1.0  # the same unit along all axes
    points = [
        {
            "label": word.label,
            "at": [round(value, 4) for value in ((point - middle) / half).tolist()],
            "kind": "more" if word.added else "word",
            "on": index in chosen,
            "title": f"{word.label} ({_('; ').join(local_number(f'{value:.2f}') for value in point.tolist())})",
        }
        for index, (word, point) in enumerate(zip(words, projection.points, strict=True))
    ]
    axes = [
        _("axis {0} · {1}").format(number, local_percent(f"{100 * share:.0f}"))
        for number, share in enumerate(projection.shares.tolist(), 1)
    ]
    texts = {
        "turn": _("Drag or use the arrow keys to turn it; click a point to choose the word."),
        "flat": _("Two axes"),
        "space": _("Three axes"),
    }
    data = {"run": run, "picture": run_name(points, axes, text, texts), "words": points, "axes": axes, "texts": texts}

    def handle_pick() -> None:
        on_pick(int(st.session_state[key].get("pick")["index"]))

    _space(key=key, data={**data, "text": text}, on_pick_change=handle_pick)
