"""Tables of all heads: what each does, and all their weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from attnviz.ui.screens.overview.traits import SHARES, Trait
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.measures.head_measures import Measures

MOST_ROWS = 20_000  # of the table of weights
HEIGHT = 300  # CSS pixels of the table of measures


def measures_table(
    measures: Sequence[Measures], known: Sequence[Trait], remark: str, *, on_open: Callable[[int, int], None]
) -> None:
    """Draws what each head does, a row each.

    Args:
        measures: of all heads.
        known: what can be said of them; each of their measures is a column.
        remark: stands below, on what cannot be said.
        on_open: called with the layer and the head of a row that was chosen, before the page runs again.
    """

    def chosen() -> None:
        for row in st.session_state["measures"].selection.rows:
            on_open(measures[row].layer or 0, measures[row].head or 0)

    columns: dict[str, list[Any]] = {
        _("Layer"): [one.layer for one in measures],
        _("Head"): [one.head for one in measures],
    }
    config: dict[str, Any] = {name: st.column_config.NumberColumn(pinned=True, width=64) for name in columns}
    for trait in known:
        columns[trait.heading] = [trait.of(one) for one in measures]
        if trait.measure in SHARES:
            config[trait.heading] = st.column_config.ProgressColumn(min_value=0, max_value=1, format="%.2f")
        else:
            config[trait.heading] = st.column_config.NumberColumn(format="%.2f")
    st.markdown(f"###### {_('What each head does in this sentence')}")
    st.dataframe(
        columns,
        key="measures",
        hide_index=True,
        height=HEIGHT,
        column_config=config,
        on_select=chosen,
        selection_mode="single-row",
    )
    st.caption(" ".join(filter(None, (_("A click on a heading sorts, a chosen row opens its head."), remark))))


def weights_table(maps: Sequence[AttentionMap]) -> None:
    """The weights of all heads, the largest first; made only when it is opened."""
    opened = st.expander(_("Numbers"), key="numbers", on_change="rerun")
    if not opened.open:
        return
    weights = np.stack([map.weights for map in maps])  # (heads of all layers, query, key)
    count = min(weights.size, MOST_ROWS)
    largest = np.argsort(-weights, axis=None, kind="stable")[:count]
    places, queries, keys = (axis.tolist() for axis in np.unravel_index(largest, weights.shape))
    query_labels, key_labels = maps[0].query_labels, maps[0].key_labels
    with opened:
        st.dataframe(
            {
                _("Layer"): [maps[place].layer for place in places],
                _("Head"): [maps[place].head for place in places],
                _("query"): [query_labels[query] for query in queries],
                _("key"): [key_labels[key] for key in keys],
                _("attention weight"): weights.ravel()[largest].tolist(),
            },
            hide_index=True,
            column_config={_("attention weight"): st.column_config.NumberColumn(format="%.3f")},
        )
        if count < weights.size:
            st.caption(_("The {0} largest of {1} weights; an export as CSV holds all.").format(count, weights.size))
