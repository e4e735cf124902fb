"""All heads of a kind of attention, switched off and on by a click, and how much each of them matters."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from attnviz.ui.components.heads.mosaic import Note, heads_mosaic, tiles
from attnviz.ui.controls.url_state import keep_values
from attnviz.ui.screens.what_if import wording
from attnviz.ui.screens.what_if.change_controls import stand_in_control
from attnviz.ui.screens.what_if.change_list import switch_head
from attnviz.ui.shell.messages import _, kind_title, local_number

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.interventions.ablation import To
    from attnviz.models.recording.recording import Recording
    from attnviz.ui.controls.page_header import Text
    from attnviz.ui.screens.what_if.asked import Asked
    from attnviz.ui.screens.what_if.changes import Change, Head
    from attnviz.ui.shell.models import Loaded

PATIENCE = 0.5  # seconds after which the page says how far it is


def importance_toggle() -> bool:
    """Whether the reader wants to know how much each head matters."""
    return st.toggle(
        _("Which head matters?"), key="importance", bind="query-params",
        help=_("Switches each head off alone and measures how much the output changes. Off again: cancels it."),
    )  # fmt: skip


def stand_in(change: Change, off: Sequence[Head]) -> To:
    """What stands in for heads that are off; its choice is drawn where there are any."""
    if change.name == "off":
        return change.stand_in
    if off:
        return stand_in_control()
    keep_values("stand_in")
    return "zero"


def _cancel() -> None:
    st.session_state["importance"] = False


def measured_importance(
    loaded: Loaded, before: Recording, asked: Asked, text: Text, progress: DeltaGenerator
) -> np.ndarray:
    """How much the output changes when each head alone is off: (layers, heads), bits.

    While it is measured, `progress` shows how far it is, with a button that ends it.
    """
    from attnviz.interventions.importance import importance_of

    def measure() -> np.ndarray:
        return importance_of(loaded.model, before, asked.kind, to=asked.stand_in, progress=_bar(progress))

    return loaded.cache.get(("importance", *text, asked.kind, asked.stand_in), measure)


def _bar(progress: DeltaGenerator) -> Callable[[float], None]:
    """What is told how far the measurement is. Streamlit ends the run at the next step after a click on "Cancel"."""
    started = time.monotonic()
    bars: list[DeltaGenerator] = []

    def tell(done: float) -> None:
        if not bars and time.monotonic() - started > PATIENCE:
            with progress.container(horizontal=True, vertical_alignment="center", key="importance_progress"):
                bars.append(st.progress(done))
                st.button(_("Cancel"), key="cancel_importance", icon=":material/close:", on_click=_cancel)
        if bars:
            bars[0].progress(done, _("Switching off one head after the other"))

    return tell


def draw_heads(
    loaded: Loaded, after: Recording, asked: Asked, text: Text, importance: np.ndarray | None, run: str
) -> None:
    """All heads of the kind as they are in the changed run; a click switches one off or on."""
    off = frozenset((layer, head) for kind, layer, head in asked.off if kind == asked.kind)
    if importance is not None:
        _button_of_most_important(importance, off, asked, after)
    switches = replace(asked.switches, rows=())
    maps = loaded.cache.get(
        ("tiles", *text, asked.kind, after.interventions, astuple(switches)),
        lambda: tiles(after, asked.kind, switches),
    )
    notes = []
    most = 0.0 if importance is None else float(np.nanmax(importance)) or 1.0
    for map in maps:
        at = (map.layer or 0, map.head or 0)
        value = None if importance is None else float(importance[at])
        # A tile has room for one of both; the bar still says how important a head is that is off.
        state = [_("off")] if at in off else []
        measured = [] if value is None else [wording.bits(value)]
        short = state or ([] if value is None else [local_number(f"{value:.3f}")])
        notes.append(Note("".join(short), _(", ").join([*state, *measured]), None if value is None else value / most))
    heads_mosaic(
        maps,
        notes,
        run=run,
        key="mosaic",
        summary=_("{0}, after the change: click a head to switch it off or on").format(kind_title(asked.kind)),
        scale=switches.scale_of(*maps[:1]),
        off=off,
        action=_("Switch this head off or on"),
        on_open=partial(switch_head, asked.kind),
    )


def _button_of_most_important(
    importance: np.ndarray, off: frozenset[tuple[int, int]], asked: Asked, after: Recording
) -> None:
    layer, head = (int(index) for index in np.unravel_index(np.nanargmax(importance), importance.shape))
    is_off = (layer, head) in off
    word = _("Switch {0} on, which matters most") if is_off else _("Switch {0} off, which matters most")
    st.button(
        word.format(f"L{after.layer_number(asked.kind, layer)} H{head}"), key="most_important",
        icon=":material/toggle_off:", type="tertiary", on_click=switch_head, args=(asked.kind, layer, head),
    )  # fmt: skip
