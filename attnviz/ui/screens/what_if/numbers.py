"""The numbers of the pictures: tables, how far the hidden states moved, and what an export holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from attnviz.tokenization.token import labels
from attnviz.ui.components.numbers.numbers_table import numbers_table
from attnviz.ui.components.numbers.weights_table import head_table
from attnviz.ui.components.page.ready import theme
from attnviz.ui.screens.what_if.change_list import head_text
from attnviz.ui.screens.what_if.effect_maps import distance_maps
from attnviz.ui.shell.messages import _, kind_title

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.export import Picture
    from attnviz.interventions import Effect
    from attnviz.measures.distances import Difference
    from attnviz.ui.screens.what_if.asked import Asked


def draw_distances(effect: Effect, run: str) -> int:
    """How far the hidden states moved, layer by layer, once somebody looks; returns how many figures that are."""
    expander = st.expander(_("How far the vectors moved"), key="distances", on_change="rerun")
    if not expander.open:
        return 0
    with expander:
        moved = {kind: distance for kind, distance in effect.distance.items() if float(distance.max()) > 0}
        if not moved:
            st.caption(_("No vector moved: nothing is changed."))
            return 0
        tokens = {kind: labels(effect.before.query_tokens(kind)) for kind in moved}
        arrays = {kind: distance.numpy() for kind, distance in moved.items()}
        distance_maps(arrays, tokens, run=run, key="distance_maps")
        for kind, distance in arrays.items():
            names = (_("input"), *(f"L{layer}" for layer in range(len(distance) - 1)))
            table = {_("Layer"): [name for name in names for _token in tokens[kind]]}
            table[_("token")] = [token for _name in names for token in tokens[kind]]
            numbers_table(
                {**table, _("distance"): distance.ravel().tolist()}, {_("distance"): 3}, name=kind_title(kind)
            )  # fmt: skip
    return 1


def numbers(maps: Sequence[AttentionMap], difference: Difference) -> None:
    """The numbers of the three pictures; made when somebody looks."""
    expander = st.expander(_("Numbers"), key="numbers", on_change="rerun")
    if not expander.open:
        return
    with expander:
        for title, map in zip((_("Unchanged"), _("Changed")), maps, strict=True):
            st.caption(title)
            head_table(map)
        st.caption(_("Difference: changed − unchanged"))
        head_table(
            replace(difference.a, weights=difference.weights, hidden_mass=np.zeros_like(difference.a.hidden_mass))
        )


def picture(maps: Sequence[AttentionMap], difference: Difference, asked: Asked, settings: dict[str, str]) -> Picture:
    """The three maps, for an export."""
    from attnviz.export import Picture

    changes = " ".join(change.text for change in asked.changes if change.name != "none")
    off = " ".join(map(head_text, asked.off))
    return Picture(
        (maps[0], difference, maps[1]),
        columns=3,
        scale=asked.switches.scale_of(*maps),
        theme=theme(),
        settings={
            **settings, **asked.switches.settings(), "changes": changes, "off": off, "stand_in": asked.stand_in,
        },
    )  # fmt: skip
