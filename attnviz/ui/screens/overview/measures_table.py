"""The table of what each head does: a row for each head, a column for each measure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.ui.components.numbers.numbers_table import numbers_table
from attnviz.ui.screens.overview.traits import SHARES, Trait
from attnviz.ui.shell.messages import _, decimal_sign

if TYPE_CHECKING:
    from attnviz.measures.head_measures import Measures


HEIGHT = 300  # CSS pixels of the table of measures


def measures_table(
    measures: Sequence[Measures],
    traits: Sequence[Trait],
    remark: str,
    *,
    numbers: Sequence[int],
    on_open: Callable[[int, int], None],
) -> None:
    """Draws what each head does, a row each.

    Args:
        measures: of all heads.
        traits: what heads can be found by; the measure of each is a column.
        remark: stands below, on what cannot be said.
        numbers: what the model itself calls its layers.
        on_open: called with the layer and the head of a row that was chosen, before the page runs again.
    """

    def open_chosen() -> None:
        for row in st.session_state["measures"].selection.rows:
            on_open(measures[row].layer or 0, measures[row].head or 0)

    columns: dict[str, list[Any]] = {
        _("Layer"): [numbers[one.layer or 0] for one in measures],
        _("Head"): [one.head for one in measures],
    }
    # Only in their own words do bars have the browser's decimal sign.
    shares = "%.2f" if decimal_sign() == "." else "localized"
    config: dict[str, Any] = {name: st.column_config.NumberColumn(pinned=True, width=64) for name in columns}
    digits: dict[str, int] = {}
    for trait in traits:
        columns[trait.heading] = [round(trait.value(one), 4) for one in measures]
        if trait.measure in SHARES:
            config[trait.heading] = st.column_config.ProgressColumn(min_value=0, max_value=1, format=shares)
        else:
            digits[trait.heading] = 2
    st.markdown(f"###### {_('What each head does in this sentence')}")
    numbers_table(
        columns,
        digits,
        config,
        name=_("What each head does in this sentence"),
        key="measures",
        height=HEIGHT,
        on_select=open_chosen,
        selection_mode="single-row",
    )
    st.caption(" ".join(filter(None, (_("A click on a heading sorts, a chosen row opens its head."), remark))))
