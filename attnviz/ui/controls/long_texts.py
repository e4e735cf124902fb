"""Keeps texts that are too long for an address: in the session, and over a reload in the reader's own browser tab.

Servers of Python's read addresses of up to 64 KiB, but nginx and Apache, which often stand before them, only of 8 KiB,
and many programs that pass links on cut them far earlier. So what is longer than `MOST_IN_ADDRESS` stays out of the
address, and its place there is held by a name: how long it is, and a checksum. The text itself goes to no store of the
server: another tab of the same browser asks the first one for it, and whoever opens the link elsewhere is told that
the text is not in it (`ui/components/text_file`).
"""

from __future__ import annotations

import contextlib
import zlib
from urllib.parse import quote_plus

import streamlit as st
from streamlit.errors import StreamlitAPIException

MOST_IN_ADDRESS = 6_000  # characters as an address writes them, so that two texts seldom pass 8 KiB
_TEXTS = "attnviz_long_texts"  # by the key of their box, for pages that have no such box
_MISSING = "attnviz_missing_texts"  # names of texts that a link left out and the tab has not brought back
_UNBOUND = "attnviz_unbound_boxes"  # keys of boxes whose text Streamlit does not write into the address
_LEFT_OUT = "_left_out"


def fits_address(text: str) -> bool:
    """Whether a link can hold a text.

    >>> fits_address("学" * 600), fits_address("学" * 700)
    (True, False)
    """
    # Each character takes one sign at least and twelve at most: most texts need not be written out.
    return 12 * len(text) <= MOST_IN_ADDRESS or (
        len(text) <= MOST_IN_ADDRESS and len(quote_plus(text, errors="replace")) <= MOST_IN_ADDRESS
    )


def text_name(text: str) -> str:
    r"""What stands for a text in an address: its number of characters and a checksum.

    >>> text_name("The dog.\r\n"), text_name("The dog.\n")
    ('9-characters-bd26d2e1', '9-characters-bd26d2e1')
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # as the browser's box has it
    return f"{len(text)}-characters-{zlib.crc32(text.encode(errors='replace')):08x}"


def parameter(key: str) -> str:
    """Where the address says that it leaves out the text of a box.

    >>> parameter("sentence")
    'sentence_left_out'
    """
    return key + _LEFT_OUT


def in_address(key: str, text: str) -> dict[str, str]:
    """What an address says of a text: the text itself, or, where that is too long, what stands for it.

    >>> in_address("sentence", "The dog.")
    {'sentence': 'The dog.'}
    """
    return {key: text} if fits_address(text) else {parameter(key): text_name(text)}


def bring_back(key: str) -> None:
    """Before a box is drawn: puts into it what the session or the address has.

    Args:
        key: of the box.
    """
    missing: dict[str, str] = st.session_state.setdefault(_MISSING, {})
    if st.session_state.get(key):
        missing.pop(key, None)
    if key not in st.session_state:
        requested = st.query_params.get(key)
        name = st.query_params.get(parameter(key))
        text = st.session_state.get(_TEXTS, {}).get(key)
        if requested is not None:
            if not fits_address(requested):
                # A link from elsewhere; from now on it is held by the session alone.
                st.session_state[key] = requested
                with contextlib.suppress(StreamlitAPIException):
                    st.query_params.pop(key)
        elif text is not None and name in (None, text_name(text)):
            st.session_state[key] = text
        elif name:
            st.session_state[key] = ""
            missing[key] = name


def is_missing(key: str) -> bool:
    """Whether a link left the text of a box out, and nobody has brought it back or typed another one."""
    return key in st.session_state.get(_MISSING, {})


def is_bound(key: str) -> bool:
    """Before a box is drawn: whether Streamlit shall write its text into the address.

    Args:
        key: of the box.
    """
    unbound: set[str] = st.session_state.setdefault(_UNBOUND, set())
    text = st.session_state.get(key) or ""
    if is_missing(key) or not fits_address(text):
        unbound.add(key)
        return False
    if key in unbound:
        # It was typed while Streamlit left the address alone, and is written there by Streamlit only when it changes.
        unbound.discard(key)
        if text:
            st.query_params[key] = text
    return True


def keep(key: str, text: str) -> str | None:
    """After a box was drawn: keeps its text if the address cannot; returns the name that stands there instead of it.

    Args:
        key: of the box.
        text: what it holds.

    Returns:
        None where the address holds the text itself.
    """
    texts: dict[str, str] = st.session_state.setdefault(_TEXTS, {})
    missing: dict[str, str] = st.session_state.setdefault(_MISSING, {})
    if fits_address(text):
        texts.pop(key, None)
        name = missing.get(key)
    else:
        texts[key] = text
        name = text_name(text)
    if name is None:
        st.query_params.pop(parameter(key), None)
    elif st.query_params.get(parameter(key)) != name:
        st.query_params[parameter(key)] = name
    return name
