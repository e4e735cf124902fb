"""A run of a page as a request: who it is for, and what stands on the screen while it waits for its turn."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from attnviz.serving.requests import request
from attnviz.ui.shell.messages import _, ngettext
from attnviz.ui.shell.sign_in import person

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

PATIENCE_SECONDS = 1.0  # a place that is told sooner would only flicker


@contextlib.contextmanager
def page_request(page: str) -> Iterator[None]:
    """The request of a page, while the context is open; who waits in it sees how many come before.

    Args:
        page: its name in the address.
    """
    place = st.empty()
    box: DeltaGenerator | None = None
    began: float | None = None
    shown = 0

    def while_waiting(before: int) -> None:
        nonlocal began, box, shown
        _end_if_left()
        now = time.monotonic()
        if not before:
            began = None
            if shown and box:
                shown = 0
                box.empty()
            return
        began = now if began is None else began
        if before != shown and now - began > PATIENCE_SECONDS:
            shown = before
            # A key is given away once in a run, so the box is made once.
            box = box or place.container(key="queue_place").empty()
            box.info(waiting_text(before), icon=":material/hourglass_empty:")

    with request(page, _visitor(), while_waiting, _end_if_left):
        yield


def _end_if_left() -> None:
    """Ends this run where its reader has left or typed on, as any look at Streamlit's state does."""
    st.session_state.get("sentence")


def waiting_text(before: int) -> str:
    """How many computations come before the reader's, in words."""
    if before == 1:
        return _("One moment: your computation is the next.")
    return ngettext(
        "One moment: {0} computation comes before yours.", "One moment: {0} computations come before yours.", before
    ).format(before)


def _visitor() -> str:
    """Whose requests are counted together: who signed in, or else a tab."""
    context = get_script_run_ctx(suppress_warning=True)
    return person() or (context.session_id if context else "")
