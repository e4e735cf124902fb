"""The weights of a map as a table that can be read, sorted and copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from attnviz.attention.attention_map import AttentionMap
from attnviz.ui.components.numbers.numbers_table import numbers_table
from attnviz.ui.shell.messages import _, head_name, local_number

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap


MOST_ROWS = 20_000  # of the table of weights


def weights_table(maps: Sequence[AttentionMap]) -> None:
    """The weights of all heads, the largest first; made only when it is opened."""
    opened = st.expander(_("Numbers"), key="numbers", on_change="rerun")
    if not opened.open:
        return
    weights = np.stack([map.weights for map in maps])  # (heads of all layers, query, key)
    count = min(weights.size, MOST_ROWS)
    largest = np.argsort(-weights, axis=None, kind="stable")[:count]
    map_indices, queries, keys = (axis.tolist() for axis in np.unravel_index(largest, weights.shape))
    query_labels, key_labels = maps[0].query_labels, maps[0].key_labels
    with opened:
        numbers_table(
            {
                _("Layer"): [maps[index].layer_number for index in map_indices],
                _("Head"): [maps[index].head for index in map_indices],
                _("query"): [query_labels[query] for query in queries],
                _("key"): [key_labels[key] for key in keys],
                _("attention weight"): weights.ravel()[largest].tolist(),
            },
            {_("attention weight"): 3},
        )
        if count < weights.size:
            st.caption(
                _("The {0} largest of {1} weights; an export as CSV holds all.").format(
                    local_number(f"{count:,}"), local_number(f"{weights.size:,}")
                )
            )


def head_table(map: AttentionMap) -> None:
    """The weights of a head as a table, rows are queries."""
    # A column for the rows' names, then one for each key; a key may be called like the first or the last.
    first, last = f"{_('query')} → {_('key')}", _("hidden")
    table: dict[str, list[object]] = {first: list(map.query_labels)}
    for column, label in enumerate(map.key_labels):
        name = label if label.strip() and label not in (first, last) else f"{label} ({column})"
        table[name] = map.weights[:, column].tolist()
    if (map.hidden_mass > 0).any():
        table[last] = map.hidden_mass.tolist()
    numbers_table(
        table,
        dict.fromkeys(list(table)[1:], 3),
        {first: st.column_config.TextColumn(pinned=True)},
        name=head_name(map.name),
    )
