"""What the address in the browser holds, and what stays of it from page to page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import streamlit as st

T = TypeVar("T", str, int)
Say = Callable[[str], None]
SWITCH_KEYS = ("by_word", "hide_special", "hide", "renormalise", "rows", "scale_per_head")
SHARED_KEYS = ("sentence", "target", "model", "kind", "layer", "head", *SWITCH_KEYS)
_PAGE = "attnviz_page"  # where the reader is
_LINKED = "attnviz_linked"  # what the link asked for that opened the session
_SIZES = "attnviz_sizes"


def carry_over() -> None:
    """Where the reader has come from another page, brings along what was set there.

    Streamlit does so by itself, except for what a link brought when the very next thing is another page: those values
    it forgets, in the controls and in the address.
    """
    page = urlsplit(st.context.url or "").path
    if _PAGE not in st.session_state:
        st.session_state[_PAGE] = page
        st.session_state[_LINKED] = [key for key in SHARED_KEYS if key in st.query_params]
    if st.session_state[_PAGE] == page:
        return
    st.session_state[_PAGE] = page
    keep_values(*SHARED_KEYS)
    for key in st.session_state.pop(_LINKED, ()):
        value = st.session_state.get(key)
        if value not in (None, "", []) and key not in st.query_params:
            st.query_params[key] = value if isinstance(value, list) else _url_value(value)


def _url_value(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def remember_size(model: str, kind: str, size: tuple[int, int, int, int]) -> None:
    """Keeps (layers, heads) of what could be recorded, so that the controls stay while something is wrong."""
    st.session_state.setdefault(_SIZES, {})[model, kind] = size[:2]


def recall_size(model: str, kind: str) -> tuple[int, int] | None:
    """What `remember_size` was last told."""
    return st.session_state.get(_SIZES, {}).get((model, kind))


def keep_values(*keys: str) -> None:
    """Keeps what controls held that are not drawn in this run; they have it again when they come back.

    Streamlit forgets a control that is not on the screen, and takes it out of the address.
    """
    for key in keys:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def replace_missing(
    key: str,
    options: Sequence[T],
    say: Say,
    missing: Callable[[str, T], str],
    fallback: Any = ...,
    default: T | None = None,
) -> None:
    """Before a control is drawn: replaces a value that is not among its options, and says so."""
    if key in st.session_state:
        value = st.session_state[key]
        asked = None if value is None else str(value)
    else:
        # The first run of a link. The control reads it by itself, but drops what it does not know without a word.
        value = asked = st.query_params.get(key)
    instead = (options[0] if default is None else default) if fallback is ... else fallback
    if isinstance(value, int) and len(options) and fallback is ...:
        instead = min(max(value, options[0]), options[-1])
    if asked is None or asked in {str(option) for option in options}:
        return
    if asked:
        say(missing(shorten(asked), instead))
    if key in st.session_state:
        st.session_state[key] = instead


def shorten(text: str) -> str:
    """The beginning of a text that somebody else wrote, as a remark quotes it: 40 characters at most."""
    return text if len(text) <= 40 else f"{text[:40]}…"
