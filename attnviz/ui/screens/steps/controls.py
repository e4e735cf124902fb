"""The controls of the page "Step by step": which step, which head, which query and which key."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from attnviz.ui.components.explanation import score_parts
from attnviz.ui.controls import url_state
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

STEPS = 7
STEP_KEYS = {1: "beside", 3: "matrix", 4: score_parts.KEY, 5: "temperature"}  # of controls that one step has
KEYS = ("looking", "looked_at", "pieces", *STEP_KEYS.values())
"""Keys of the controls that belong to single steps, for `url_state.keep_values`."""


def step_names() -> tuple[str, ...]:
    """What the steps are called, in order."""
    return (
        _("Tokens"),
        _("Embeddings"),
        _("Query, key, value"),
        _("Scores"),
        _("Softmax"),
        _("Output"),
        _("Block"),
    )


def step_control(say: url_state.Say) -> tuple[int, DeltaGenerator]:
    """Which step, from 1, and the row of the control. The number stands in the address, the name on the screen."""
    requested = st.session_state.get("step", st.query_params.get("step", "1"))
    step = int(requested) if str(requested).isdecimal() and 1 <= int(requested) <= STEPS else 1
    if str(requested) != str(step):
        say(
            _("The steps are 1 to {0}, there is no step {1}; step 1 is shown.").format(
                STEPS, url_state.shorten(str(requested))
            )
        )
    labels = [f"{number} {name}" for number, name in enumerate(step_names(), 1)]

    def take() -> None:
        """Takes over the click before the page runs, which writes the step into the control."""
        if (shown := st.session_state["step_shown"]) in labels:  # a browser cannot leave it empty, a program can
            st.session_state["step"] = labels.index(shown) + 1

    st.session_state["step_shown"] = labels[step - 1]
    row = st.container(horizontal=True, vertical_alignment="center", key="steps")
    with row:
        st.segmented_control(
            _("Step"), labels, key="step_shown", required=True, label_visibility="collapsed", on_change=take
        )
        st.button(
            _("Back"), icon=":material/arrow_back:", key="back", disabled=step == 1, on_click=_move_step, args=(-1,)
        )
        st.button(
            _("Next"),
            icon=":material/arrow_forward:",
            key="next",
            disabled=step == STEPS,
            on_click=_move_step,
            args=(1,),
        )
    st.session_state["step"] = step
    if st.query_params.get("step", "1") != str(step):
        st.query_params["step"] = str(step)
    return step, row


def _move_step(by: int) -> None:
    st.session_state["step"] = min(STEPS, max(1, int(st.session_state.get("step", 1)) + by))
    st.session_state.pop("step_shown", None)


def open_layer(layer: int) -> None:
    """Goes to the third step of a layer; for callbacks."""
    st.session_state["layer"] = layer
    st.session_state["step"] = 3
    st.session_state.pop("step_shown", None)


def head_control(heads: int, say: url_state.Say) -> int:
    """Which head, from 0; where none is open on the other pages, the first one."""

    def remark(value: str, instead: int) -> str:
        return _("The heads are 0 to {0}, there is no head {1}; head {2} is shown.").format(heads - 1, value, instead)

    if st.session_state.get("head", 0) is None:
        st.session_state["head"] = 0
    url_state.replace_missing("head", range(heads), say, remark)
    return st.selectbox(_("Head"), range(heads), index=0, key="head", bind="query-params", width=96)
