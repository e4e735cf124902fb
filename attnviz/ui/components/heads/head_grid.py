"""The component that shows all heads of a layer side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import streamlit as st

from attnviz.attention.attention_map import AttentionMap
from attnviz.figures.describe import describe_with
from attnviz.figures.heads import Scale, top_of_scale
from attnviz.ui.components.component import define, encode
from attnviz.ui.components.heads.map_data import weight_name
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.shell.messages import _, decimal_sign, local_number

_component = define(__file__, parts=["tip", "heatmap"])

COLUMNS = 4  # of cards on a wide screen, as in heads.css
ABOVE = 330  # CSS pixels of a laptop's screen that the page needs for what stands above the grid


def written_tokens(map: AttentionMap) -> dict[str, list[bool]] | None:
    """Which of a map's queries and keys the model wrote; None where somebody typed them all."""
    sides = {"queries": map.query_tokens, "keys": map.key_tokens}
    written = {side: [token.generated for token in tokens] for side, tokens in sides.items()}
    return written if any(any(one) for one in written.values()) else None


def head_grid(
    maps: Sequence[AttentionMap],
    *,
    run: str,
    key: str,
    summary: str = "",
    title: str | None = None,
    height: int | None = None,
    scale: Scale = "shared",
    opened: int | None = None,
    notes: Sequence[str] = (),
    on_open: Callable[[int], None],
) -> None:
    """Draws a card for each head; the crosshair of one moves through all.

    Args:
        maps: the heads of one layer; they have the same tokens.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
        summary: what is shown, in a line above the cards, with the colours' legend; "" for neither.
        title: stands before layer and head in the name of each card.
        height: of each map in CSS pixels; None for what lets two rows of cards fit on a laptop's screen.
        scale: "shared" has the colour range 0 to 1, of a long text less (see `top_of_scale`); "head" ends each head's
            at its own largest weight; "root" is "shared" with colours by the square root of the weight.
        opened: the head that is marked as open.
        notes: for each head what stands under its map; "" for nothing.
        on_open: called with the head that was handle_open, before the page runs again.
    """
    first = maps[0]
    queries, keys = first.query_labels, first.key_labels
    weights = encode(np.stack([map.weights for map in maps]))
    masses = np.stack([map.hidden_mass for map in maps])
    hidden = encode(masses) if (masses > 0).any() else None
    written = written_tokens(first)
    top = top_of_scale(maps, "shared")
    before = f"{title} " if title else ""
    heads = [
        {
            "head": map.head,
            "name": f"{before}L{map.layer_number} H{map.head}",
            "text": before + describe_with(map, queries, keys, decimal=decimal_sign()),
            "max": round(float(map.weights.max(initial=0.0)), 4),
            "note": note,
        }
        for map, note in zip(maps, notes or [""] * len(maps), strict=True)
    ]
    data = {
        "run": run,
        "picture": run_name(
            weights, hidden, written, queries, keys, summary, scale, height, [head["name"] for head in heads], notes
        ),
        "summary": summary,
        "queries": queries,
        "keys": keys,
        "weights": weights,
        "hidden": hidden,
        "written": written,
        "heads": heads,
        "open": opened,
        "perHead": scale == "head",
        "root": scale == "root",
        "top": top,
        "above": ABOVE,
        "height": height,
        "texts": {
            "weight": weight_name(scale),
            "none": _("0, none"),
            "all": _("1, all of it") if top == 1.0 else _("{0} and more").format(local_number(f"{top:.2f}")),
            "max": _("max"),
            "rows": _("looks ↓"),
            "columns": _("looked at →"),
            "hidden": _("hidden {0}"),
            "written": _("{0}: written by the model"),
            "open": _("Open large"),
        },
    }

    def handle_open() -> None:
        head = st.session_state[key].get("open")
        if isinstance(head, int):
            on_open(head)

    _component(key=key, data=data, on_open_change=handle_open)
