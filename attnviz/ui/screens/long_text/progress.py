"""How far a recording is, in words and as a bar, with a button that ends it; the page goes on when it is there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from attnviz.ui.screens.long_text import wording
from attnviz.ui.screens.long_text.recording_run import Cancelled, Run, runs
from attnviz.ui.shell.errors import as_markdown
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.models.recording.recording import Recording
    from attnviz.ui.controls.page_header import Text
    from attnviz.ui.shell.models import Loaded

PATIENCE = 0.35  # seconds that the page waits by itself: a short text needs no bar
EVERY = 1.0  # seconds between two looks at how far it is
_STOPPED = "attnviz_long_text_stopped"  # the text whose recording the reader has ended


def record(container: DeltaGenerator, loaded: Loaded, text: Text, kind: str) -> Recording | None:
    """The recording, once it is there; until then None, and `container` says how far it is.

    Raises:
        AttnvizError: it cannot be made, and why.
    """
    name = (repr(loaded.key), text, kind)
    if st.session_state.get(_STOPPED) == name:
        _offer_again(container)
        return None
    st.session_state.pop(_STOPPED, None)
    run = runs().start(loaded, text, kind, _session())
    if not run.wait(PATIENCE):
        layers = len(next(iter(loaded.model.recorder.plan.heads.values())))
        with container:
            _watch(run, name, layers)
        return None
    if isinstance(run.error, Cancelled):
        _offer_again(container)
        return None
    if run.error is not None:
        raise run.error
    assert run.recording is not None
    return run.recording


@st.fragment(run_every=EVERY)
def _watch(run: Run, name: object, layers: int) -> None:
    """Drawn again and again by itself, without the page around it."""
    run.want(_session())
    if run.is_over:
        st.rerun()

    def cancel() -> None:
        run.leave(_session())
        st.session_state[_STOPPED] = name

    with st.container(key="long_progress"):
        said = wording.progress_text(run, layers)
        st.progress(min(run.share, 1.0), as_markdown(said))
        if st.button(_("Cancel"), key="cancel_recording", icon=":material/close:", on_click=cancel):
            st.rerun()


def _offer_again(container: DeltaGenerator) -> None:
    """Says that it was ended, and begins anew when the reader wants it."""

    def again() -> None:
        st.session_state.pop(_STOPPED, None)

    with container:
        st.info(_("The recording was cancelled. The text is still there."), icon=":material/info:")
        st.button(_("Record again"), key="record_again", icon=":material/replay:", on_click=again)


def _session() -> str:
    context = get_script_run_ctx(suppress_warning=True)
    return context.session_id if context else ""
