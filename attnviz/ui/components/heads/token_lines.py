"""The component that shows one head as lines between the words of its queries and its keys."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from attnviz.attention.attention_map import AttentionMap
from attnviz.figures import describe
from attnviz.figures.heads import Scale, top_of_scale
from attnviz.ui.components.component import define, encode
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.shell.messages import _, decimal_sign

_component = define(__file__)


def head_lines(
    map: AttentionMap,
    *,
    run: str,
    key: str,
    scale: Scale = "shared",
    on_pin: Callable[[int, int], None] | None = None,
) -> None:
    """Draws lines from each query to each key, as strong as the weight; a word alone on hover, focus or click.

    Args:
        map: weights (query, key) in [0, 1].
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
        scale: "head" draws the largest weight of this head as strong as 1.
        on_pin: called with the side (0 for queries, 1 for keys) and the index of a word that was clicked.
    """
    queries, keys = list(map.query_labels), list(map.key_labels)
    weights = encode(map.weights)
    hidden = encode(map.hidden_mass) if (map.hidden_mass > 0).any() else None
    # Many faint lines add up where they cross, so those of a long text end at 1 as well.
    top = top_of_scale([map], scale) if scale == "head" else 1.0
    tokens = run_name(queries, keys)
    data = {
        "run": run,
        "picture": run_name(weights, hidden, tokens, top),
        "tokens": tokens,
        "queries": queries,
        "keys": keys,
        "weights": weights,
        "hidden": hidden,
        "top": top,
        "text": describe(map, decimal=decimal_sign()),
        "tellsPins": on_pin is not None,
        "titles": [_("query"), _("key")],
        "texts": {
            "hidden": _("hidden {0}"),
            "note": _("Point at a word to see its lines alone; click to keep it."),
        },
    }

    def handle_pin() -> None:
        pinned = st.session_state[key].get("pin")
        if on_pin is not None and isinstance(pinned, dict):
            on_pin(int(pinned["side"]), int(pinned["index"]))

    _component(key=key, data=data, on_pin_change=handle_pin)
