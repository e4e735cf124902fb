"""Marks a page as ready when its figures are complete; for tests, benchmarks and assistive tools.

A page names what it shows (`run_name`), hands that name to each of its figures, and ends with `figures_ready`. The
element `.attnviz-ready` appears when every figure in the container `figures` really shows this run, and goes as soon as
something else is asked for. A page that shows an error instead does not call it.
"""

from __future__ import annotations

import hashlib
import re
import time
from typing import Any, Literal

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from attnviz.ui.components.component import define
from attnviz.ui.shell.messages import decimal_sign, local_number

_component = define(__file__)


def run_name(*parts: Any) -> str:
    """A short name for all that decides what the figures show; equal parts, equal name."""
    text = "\x1f".join(repr(part) for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=9).hexdigest()


def mark_run(figure: go.Figure, run: str) -> go.Figure:
    """Writes the run into a plotly figure, where the page looks for it; its numbers get the reader's decimal sign."""
    figure.update_layout(meta={"run": run}, separators=local_number(".,"))
    if decimal_sign() != ".":
        figure.for_each_trace(_localise_trace)
        for note in figure.layout.annotations:
            note.text = _localise(note.text)
    return figure


_DECIMALS = re.compile(r"(?<=\d)\.(?=\d+°?$)")  # of the number that a text is or ends with


def _localise_trace(trace: Any) -> None:
    """Gives the numbers that a trace has as texts the decimal sign of the reader's language."""
    if "text" in trace and trace.text is not None:
        trace.text = _localise(trace.text)
    if "customdata" in trace and trace.customdata is not None and isinstance(trace.customdata[0], (list, tuple)):
        trace.customdata = [[*row[:-1], _localise(row[-1])] for row in trace.customdata]
    if "colorbar" in trace and trace.colorbar.ticktext is not None:
        trace.colorbar.ticktext = _localise(trace.colorbar.ticktext)


def _localise(value: Any) -> Any:
    if isinstance(value, str):
        return _DECIMALS.sub(decimal_sign(), value)
    return [_localise(item) for item in value] if isinstance(value, (list, tuple, np.ndarray)) else value


def figures_ready(run: str, sentence: str, *, figures: int) -> None:
    """Lets `.attnviz-ready` appear once the figures are drawn; the last call of a page.

    Args:
        run: what `run_name` returned for this run.
        sentence: the sentence that the figures show, as it was typed.
        figures: how many figures the container `figures` holds, own components and plotly charts together.
    """
    with st.container(key="ready"):
        # The call tells two runs apart that show the same, so that the page hears of each.
        data = {"run": run, "call": time.monotonic_ns(), "sentence": sentence, "figures": figures, "theme": theme()}
        _component(key="ready_mark", data=data, on_theme_change=lambda: None)


def theme() -> Literal["light", "dark"]:
    """The theme that figures are drawn for; when the reader changes it, `figures_ready` has the page drawn again."""
    return "dark" if st.context.theme.type == "dark" else "light"
