"""The panels as the address holds them, and what a click changes there."""

from __future__ import annotations

import time

import streamlit as st

from attnviz.errors import AttnvizError
from attnviz.ui.controls import url_state
from attnviz.ui.screens.compare import panels
from attnviz.ui.screens.compare.panels import Panel, Panels
from attnviz.ui.screens.compare.sources import PageDefaults, load_model, load_source

PANELS_KEY = "panels"  # in the address and, as the same text, in the session
_WRITTEN_KEY = "attnviz_panels_written"  # what the address has from us, what it had before, and since when
_FIRST_KEY = "attnviz_panels_first"  # what was shown before anybody changed a panel
SHOWN_KEY = "attnviz_panels_shown"  # what the last run showed, with all that was replaced
EDIT_KEY = "attnviz_panels_edit"  # the number of the browser's last message
_EDITED_KEY = "attnviz_panels_edited"  # whether it came since the last run

HEARD = 1.0  # seconds until the browser has surely heard of a new address


# Which panels -------------------------------------------------------------------------------------------------------


def current_panels(page: PageDefaults, say: url_state.Say) -> Panels:
    """The panels that are asked for: by the reader, else by the link, else the first view."""
    plain = opening_panels(page, st.query_params.get("kind"), None)
    text = st.session_state.get(PANELS_KEY)
    address = st.query_params.get(PANELS_KEY)
    if not st.session_state.pop(_EDITED_KEY, False) and address and address not in expected_texts():
        text = address  # a link's first run, or the browser's way back
    # The first view begins with the head that was open on another page, if there is one.
    kind, opened = st.session_state.get("kind"), url_state.opened_head()
    came = (page.model, kind, opened)
    untouched, came_then = st.session_state.get(_FIRST_KEY, ("", came))
    if not text or (text == untouched and came != came_then):
        text = (opening_panels(page, kind, opened) if kind or opened else plain).text
        st.session_state[_FIRST_KEY] = (text, came)
    requested, remarks = panels.parse_text(text, plain.panels)
    for remark in remarks:
        say(remark)
    st.session_state[PANELS_KEY] = text
    write_to_url(None if text == plain.text else text)
    return requested


def write_to_url(text: str | None) -> None:
    """Keeps the panels in the address, which needs none of what it opens with by itself."""
    before = st.query_params.get(PANELS_KEY)
    if before != text:
        if text is None:
            del st.query_params[PANELS_KEY]
        else:
            st.query_params[PANELS_KEY] = text
        st.session_state[_WRITTEN_KEY] = (text, before, time.monotonic())
    elif st.session_state.get(_WRITTEN_KEY, ("",))[0] != text:
        st.session_state[_WRITTEN_KEY] = (text, text, time.monotonic())


def expected_texts() -> tuple[str | None, ...]:
    """What the address may be without anybody having changed it: as it was written, and for a moment as it was before,
    as the browser asks on until it has heard."""
    text, before, when = st.session_state.get(_WRITTEN_KEY, (None, None, 0.0))
    return (text, before) if time.monotonic() - when < HEARD else (text,)


def opening_panels(page: PageDefaults, kind: str | None, opened: tuple[int, int] | None) -> Panels:
    """Two heads that differ: an opened one and the head least like it, else the two that have least in common."""
    loaded = load_model(page.model, page)
    kind = kind if kind in loaded.kinds else loaded.kinds[0]
    try:
        source = load_source(Panel(kind), page, set())
    except AttnvizError:
        # What is wrong with the sentence is said where the panels are; a later sentence has the same panels.
        return Panels((Panel(kind), Panel(kind, 0, 1)))
    layers, heads, _queries, _keys = source.recording.size(kind)
    if not source.is_distance_quick(kind):
        return Panels((Panel(kind), Panel(kind, layers - 1, heads - 1)))
    distances = source.head_distances(kind)
    pair = distances.farthest_pair()
    if opened in distances.heads:
        pair = (opened, distances.heads[int(distances.divergences[distances.heads.index(opened)].argmax())])
    return Panels(tuple(Panel(kind, layer, head) for layer, head in pair))


def apply_edit(message: object) -> None:
    """Takes over what the browser says that the panels shall be."""
    requested = panels.parse_message(message)
    if requested is not None and isinstance(message, dict):
        number = message.get("edit")
        st.session_state[EDIT_KEY] = number if isinstance(number, int) else 0
        set_panels(requested)


def add_head(layer: int, head: int) -> None:
    """Puts a head beside the chosen panel."""
    set_panels(st.session_state[SHOWN_KEY].with_head(layer, head))


def set_panels(requested: Panels) -> None:
    """Takes over the panels that were asked for, and remembers that a reader did so."""
    st.session_state[PANELS_KEY] = requested.text
    st.session_state[SHOWN_KEY] = requested
    st.session_state[_EDITED_KEY] = True
