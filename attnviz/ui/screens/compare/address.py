"""The panels as the address holds them, and what a click changes there."""

from __future__ import annotations

import streamlit as st

from attnviz.errors import AttnvizError
from attnviz.ui.controls import url_state
from attnviz.ui.screens.compare import panels
from attnviz.ui.screens.compare.panels import Panel, Panels
from attnviz.ui.screens.compare.sources import PageDefaults, load_model, load_source

PANELS_KEY = "panels"  # in the address and, as the same text, in the session
_FIRST_KEY = "attnviz_panels_first"  # what was shown before anybody changed a panel
SHOWN_KEY = "attnviz_panels_shown"  # what the last run showed, with all that was replaced
EDIT_KEY = "attnviz_panels_edit"  # the number of the browser's last message


# Which panels -------------------------------------------------------------------------------------------------------


def current_panels(page: PageDefaults, say: url_state.Say) -> Panels:
    """The panels that are asked for: by the reader, else by the link, else the first view.

    Only a session's first run reads them from the address: the browser's way back opens the page anew, and until the
    browser has heard of a change it goes on asking with the address from before, however long that takes.
    """
    plain = opening_panels(page, st.query_params.get("kind"), None)
    text = st.session_state.get(PANELS_KEY) or st.query_params.get(PANELS_KEY)
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
    if st.query_params.get(PANELS_KEY) == text:
        return
    if text is None:
        del st.query_params[PANELS_KEY]
    else:
        st.query_params[PANELS_KEY] = text


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
    """Takes over the panels that were asked for."""
    st.session_state[PANELS_KEY] = requested.text
    st.session_state[SHOWN_KEY] = requested
