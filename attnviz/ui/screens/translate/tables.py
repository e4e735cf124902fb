"""A written text as tables: its steps, and what a beam search looked at."""

from __future__ import annotations

import streamlit as st

from attnviz.generation.steps import Steps
from attnviz.ui.components.numbers.numbers_table import numbers_table
from attnviz.ui.shell.messages import _


def steps_table(steps: Steps) -> None:
    """A row for each step: what was read and predicted, how likely it was, and where the strongest look went."""
    table: dict[str, list[object]] = {name: [] for name in ("step", "row", "p", "log", "rank", "after")}
    for position, index in enumerate(steps.written.ids):
        distribution = steps.distribution(position)
        table["step"].append(position + 1)
        table["row"].append(steps.row_labels[position])
        table["p"].append(float(distribution.probabilities[index]))
        table["log"].append(float(distribution.logits.log_softmax(dim=-1)[index]))
        table["rank"].append(distribution.rank(index) + 1)
        table["after"].append(float(steps.shaped_distribution(position).probabilities[index]))
    if steps.method.name != "sample":
        del table["after"]
    columns = {
        "step": st.column_config.NumberColumn(_("step"), pinned=True),
        "row": st.column_config.TextColumn(_("read → predicted")),
        "p": st.column_config.NumberColumn(_("probability")),
        "log": st.column_config.NumberColumn(_("log-probability")),
        "rank": st.column_config.NumberColumn(_("rank")),
        "after": st.column_config.NumberColumn(_("drawn with probability")),
    }
    numbers_table(table, {"p": 4, "log": 3, "after": 4}, {name: columns[name] for name in table}, name=_("Steps"))


def beam_table(steps: Steps) -> None:
    """A row for each hypothesis of each step, those that were dropped too."""
    names = {"kept": _("kept"), "finished": _("finished"), "dropped": _("dropped")}
    prefix_length = steps.written.prefix_length
    table: dict[str, list[object]] = {"step": [], "text": [], "sum": [], "state": []}
    for step, looked in enumerate(steps.written.beams):
        for hypothesis in looked:
            table["step"].append(prefix_length + step + 1)
            table["text"].append(steps.text((*steps.written.ids[:prefix_length], *hypothesis.ids)))
            table["sum"].append(hypothesis.score)
            table["state"].append(names[hypothesis.state])
    columns = {
        "step": st.column_config.NumberColumn(_("step"), pinned=True),
        "text": st.column_config.TextColumn(_("hypothesis"), width="large"),
        "sum": st.column_config.NumberColumn(_("sum of log-probabilities")),
        "state": st.column_config.TextColumn(_("state")),
    }
    numbers_table(table, {"sum": 3}, columns, name=_("Beam search"))
