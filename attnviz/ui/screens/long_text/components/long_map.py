"""The component that shows one head's whole map, to zoom into; it asks for each region that comes to rest in it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from attnviz.ui.components.component import define
from attnviz.ui.screens.long_text.regions import MOST_NAMED
from attnviz.ui.shell.messages import _

_component = define(
    __file__,
    parts=["tip", "heatmap", "long_text_talk", "long_map_view", "long_map_axes", "long_map_drawing"],
)


def long_map(
    pictures: Sequence[Mapping[str, Any]],
    *,
    text: str,
    map: str,
    name: str,
    counts: tuple[int, int],
    region: Sequence[int],
    way: str,
    summary: str,
    passages: Mapping[str, Any],
    run: str,
    key: str,
    on_want: Callable[[Mapping[str, Any]], None],
) -> None:
    """Draws the map, or hands it another region.

    The element with the class `attnviz-long` says what it shows: `data-region`, four numbers, and the same in
    `data-drawn` once the cells of just this region are there.

    Args:
        pictures: regions as `regions.region_data` gives them; the browser keeps those it has.
        text: a name of the text and its tokens; another one begins with `region` again.
        map: a name of the head's numbers; another one forgets the pictures.
        name: of the map, for screen readers.
        counts: queries and keys.
        region: that is asked for: first and stop of the queries, first and stop of the keys.
        way: the colours' scale: "lift", "share" or "root".
        summary: what is shown, in words.
        passages: a number for each passage of the text, for its colours; see `payload.passage_colours`.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
        on_want: called with what the browser asks for: `region`, `whole`, `passage`.
    """
    data = {
        "run": run,
        "picture": map,
        "map": map,
        "text": text,
        "counts": list(counts),
        "region": list(region),
        "way": way,
        "summary": summary,
        "pictures": [dict(picture) for picture in pictures],
        "passages": dict(passages),
        "named": MOST_NAMED,
        "texts": {**_texts(), "name": name},
    }

    def want() -> None:
        value = st.session_state[key].get("want")
        if isinstance(value, dict):
            on_want(value)

    _component(key=key, data=data, on_want_change=want)


def _texts() -> dict[str, str]:
    return {
        "nearer": "+",
        "nearerName": _("Nearer"),
        "farther": "−",
        "fartherName": _("Farther"),
        "whole": _("Whole map"),
        "wholeName": _("Show the whole map"),
        "all": _("the whole map"),
        "part": _("tokens {0}–{1} look at {2}–{3}"),
        "looks": _("“{0}” looks at “{1}”"),
        **scale_texts(),
    }


def scale_texts() -> dict[str, str]:
    """What the legends and tips call their numbers."""
    return {
        "lift": _("compared with an even spread"),
        "share": _("share of the attention"),
        "root": _("share of the attention (√ scale)"),
        "times": _("{0}×"),
        "percent": _("{0} %"),
        "even": _("{0} times an even spread"),
        "ofAll": _("{0} % of its attention"),
    }
