"""What the page opens with: some heads are off already, and the model says something else.

For the sentences that the app opens with, and the bundled model: found by switching heads off one by one, and then
several together.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from attnviz.examples import FIRST_EXAMPLES
from attnviz.ui.controls import url_state
from attnviz.ui.controls.inputs import first_sentence
from attnviz.ui.screens.what_if.change_controls import CHANGE_KEYS
from attnviz.ui.screens.what_if.change_list import KEPT, OFF
from attnviz.ui.shell.model_names import BUNDLED

OPENINGS: Mapping[str, tuple[str, str]] = {
    FIRST_EXAMPLES["en"]: ("cross", "cross.L3.H4"),
    FIRST_EXAMPLES["de"]: ("cross", "cross.L3.H1 cross.L3.H2 cross.L3.H3 cross.L3.H4"),
    FIRST_EXAMPLES["nl"]: ("cross", "cross.L3.H6"),
    FIRST_EXAMPLES["zh_Hans"]: ("cross", "cross.L2.H1 cross.L3.H1 cross.L3.H6"),
    FIRST_EXAMPLES["zh_Hant"]: ("cross", "cross.L2.H1 cross.L3.H1 cross.L3.H3"),
}
"""By sentence the kind of attention that is shown, and the heads that are off."""
_SHOWN = "attnviz_what_if_opening"  # the opening that the session was shown last


def open_with_heads_off() -> None:
    """Switches the heads of the opening off, before the controls are drawn, where nothing was asked for yet.

    A link that names a sentence or a change, a reader's own sentence and another model have none. It is shown once, and
    follows the reader's language as long as it stands unchanged.
    """
    shown = st.session_state.get(_SHOWN)
    sentence = first_sentence()
    if shown is not None and (shown == sentence or st.session_state.get(OFF) != OPENINGS[shown][1]):
        return
    own = (OFF, KEPT, "importance", *CHANGE_KEYS)
    if shown is None and (
        any(key in st.query_params for key in own)
        or url_state.is_chosen("sentence", "kind")
        or st.session_state.get("model", st.query_params.get("model", BUNDLED)) != BUNDLED
    ):
        st.session_state[_SHOWN] = sentence
        return
    kind, heads = OPENINGS[sentence]
    url_state.open_with("kind", kind)
    st.session_state[OFF] = heads
    st.session_state[_SHOWN] = sentence


def is_opening() -> bool:
    """Whether what is shown is what the page opened with."""
    shown = st.session_state.get(_SHOWN)
    return shown is not None and st.session_state.get(OFF) == OPENINGS[shown][1]
