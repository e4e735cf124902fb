"""Keeps what readers set, in the session and in the address, from page to page; replaces values that do not exist."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import streamlit as st
from streamlit.errors import StreamlitAPIException

from attnviz.ui.controls.long_texts import fits_address
from attnviz.ui.shell.messages import local_number

T = TypeVar("T", str, int)
Say = Callable[[str], None]
SWITCH_KEYS = ("by_word", "hide_special", "hide", "renormalise", "rows", "scale_per_head", "hide_first", "even_colours")
SHARED_KEYS = ("sentence", "target", "pair", "model", "kind", "layer", *SWITCH_KEYS)
"""Keys of the controls whose choices follow the reader from page to page."""

PAGE_KEYS = ("head", "temperature")
"""Keys that several pages have a control for, each with a choice of its own."""

NAMED_KEYS = ("kind",)
"""Those of them that `named_choice` draws and Streamlit does not bind to the address."""

HOME = ""  # the address of the page of all heads
USED_KEYS = {"simple_attention": ("sentence",)}  # of pages that use few of the shared controls
_PAGE = "attnviz_page"  # where the reader is
_LEFT = "attnviz_left"  # what the controls of `PAGE_KEYS` held when the reader left a page, by page
_OPENED = "attnviz_opened"  # what a page put into shared controls by itself
_OPENINGS = "attnviz_openings"  # by page: what it opened with and what still stood there when it was left
_HEAD = "attnviz_head_of_home"  # layer and head that were open when the reader left the home page
_LINKED = "attnviz_linked"  # what the link asked for that opened the session
_SIZES = "attnviz_sizes"


def carry_over(page: str) -> None:
    """Where the reader has come from another page, brings along what was chosen there for all pages, and only that.

    What a page opened with by itself stays there, and so does what its own controls held, until the reader comes back.
    Streamlit carries values along by itself, except for what a link brought when the very next thing is another page:
    those it forgets, in the controls and in the address.

    Args:
        page: the page's path in the address, "" for the home page.
    """
    if _PAGE not in st.session_state:
        st.session_state[_PAGE] = page
        st.session_state[_LINKED] = [key for key in SHARED_KEYS if key in st.query_params]
    if st.session_state[_PAGE] == page:
        return
    _leave(st.session_state[_PAGE])
    st.session_state[_PAGE] = page
    for key, value in st.session_state.get(_LEFT, {}).get(page, {}).items():
        if key not in st.query_params:
            st.session_state[key] = value
    for key, value in st.session_state.get(_OPENINGS, {}).get(page, {}).items():
        if key not in st.session_state and key not in st.query_params:
            # Part of what it opened with may have been changed, such as one of two sentences: the rest goes with it.
            open_with(key, value)
    keep_values(*SHARED_KEYS)
    linked = st.session_state.get(_LINKED, [])
    # What a page does not use does not stand in its address; it comes back on the next page.
    used = [key for key in linked if key in USED_KEYS.get(page, SHARED_KEYS)]
    st.session_state[_LINKED] = [key for key in linked if key not in used]
    for key in used:
        value = st.session_state.get(key)
        if value not in (None, "", []) and key not in st.query_params and not _is_too_long(value):
            # What a control is still bound to, the control itself writes.
            with contextlib.suppress(StreamlitAPIException):
                st.query_params[key] = value if isinstance(value, list) else _url_value(value)


def switch_page(page: str, parameters: Mapping[str, str] | None = None) -> None:
    """Ends this run and goes to another page, before the controls of this one are drawn; their choices go along.

    Args:
        page: its file, such as "pages/heads.py".
        parameters: what its address asks for besides.
    """
    # What controls are bound to stays in the address by itself; what is not is forgotten with a control not drawn.
    keep_values(*NAMED_KEYS)
    # Never None: Streamlit would clear the address, which it refuses as long as controls are bound to it.
    st.switch_page(page, query_params=dict(parameters or {}))


def _leave(page: str) -> None:
    """Puts away what belongs to the page that the reader has left."""
    layer, head = (st.session_state.get(key) for key in ("layer", "head"))
    if page == HOME:
        st.session_state[_HEAD] = (layer, head) if isinstance(layer, int) and isinstance(head, int) else None
    own = {key: st.session_state[key] for key in PAGE_KEYS if key in st.session_state}
    st.session_state.setdefault(_LEFT, {})[page] = own
    opened = st.session_state.pop(_OPENED, {})
    opened = {key: value for key, value in opened.items() if st.session_state.get(key) == value}
    st.session_state.setdefault(_OPENINGS, {})[page] = opened
    for key in (*own, *opened):
        st.session_state.pop(key, None)


def open_with(key: str, value: str | int) -> None:
    """Puts a page's own choice into a shared control; it is not taken along to other pages, as a reader's would be.

    Called before the control is drawn, and only where neither the reader nor the link has chosen.
    """
    st.session_state[key] = value
    note_opening(key, value)


def note_opening(key: str, value: str | int) -> None:
    """Likewise, where the control has the value by itself, as its default."""
    st.session_state.setdefault(_OPENED, {})[key] = value


def follow_opening(key: str, value: str) -> None:
    """Has a control open with a page's own choice, which may change with the language until the reader has chosen.

    Called in each run, before the control is drawn.
    """
    if is_opening(key) or key not in st.session_state and key not in st.query_params:
        open_with(key, value)
        if st.query_params.get(key) != value:
            with contextlib.suppress(StreamlitAPIException):
                st.query_params[key] = value


def is_opening(key: str) -> bool:
    """Whether a control holds what the page opened with."""
    opened = st.session_state.get(_OPENED, {})
    return key in opened and st.session_state.get(key) == opened[key]


def opened_head() -> tuple[int, int] | None:
    """Layer and head that the reader opened on the home page, or a link asks for; None where none is open."""
    layer, head = (st.session_state.get(key) for key in ("layer", "head"))
    if isinstance(layer, int) and isinstance(head, int):
        return layer, head
    return st.session_state.get(_HEAD)


def is_chosen(*keys: str) -> bool:
    """Whether the reader or the link has chosen one of these, rather than the page."""
    opened = st.session_state.get(_OPENED, {})
    return any(
        key in st.query_params or (key in st.session_state and st.session_state[key] != opened.get(key)) for key in keys
    )


def _is_too_long(value: Any) -> bool:
    return isinstance(value, str) and not fits_address(value)


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
        requested = None if value is None else str(value)
    else:
        # The first run of a link. The control reads the address by itself, but ignores an unknown value silently.
        value = requested = st.query_params.get(key)
    instead = (options[0] if default is None else default) if fallback is ... else fallback
    if isinstance(value, int) and len(options) and fallback is ...:
        instead = min(max(value, options[0]), options[-1])
    if requested is None or requested in {str(option) for option in options}:
        return
    if requested:
        say(missing(shorten(requested), instead))
    if key in st.session_state:
        st.session_state[key] = instead


def named_choice(
    label: str,
    options: Sequence[str],
    names: Callable[[str], str],
    *,
    key: str,
    default: str | None = None,
    wrap: bool | None = None,
    list_width: int | None = None,
    help: str | None = None,
) -> str:
    """Options of which one is chosen; the reader sees their names, the address holds the options themselves.

    Streamlit would write the names into the address, where a link could be read in one language only.

    Args:
        label: of the control.
        options: what the link and the page's code call them.
        names: what the reader calls an option.
        key: of the control, and its name in the address.
        default: the option that need not stand in the address; None: each does.
        wrap: whether options that have no room stand in a further line; None leaves it to Streamlit.
        list_width: in CSS pixels, where they stand in a list that opens, and not in a row.
        help: what the reader may want to know of it.
    """
    value = st.session_state.get(key, st.query_params.get(key))
    # Written down in each run: Streamlit forgets it where the names have changed with the language.
    st.session_state[key] = value if value in options else default or options[0]
    if list_width is None:
        chosen = st.segmented_control(label, options, key=key, required=True, format_func=names, wrap=wrap, help=help)
    else:
        chosen = st.selectbox(label, options, key=key, format_func=names, width=list_width, help=help)
    chosen = chosen or options[0]
    if chosen == default:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != chosen:
        st.query_params[key] = chosen
    return chosen


def number_choice(
    label: str,
    options: Sequence[float],
    opening: float,
    *,
    key: str,
    width: int | Literal["stretch"] = "stretch",
    help: str | None = None,
) -> float:
    """A slider over some numbers, written as the reader's language has them.

    Streamlit's own sliders have a point before decimals in every language, and would write what the reader sees into
    the address. So the numbers themselves are put there by hand.

    Args:
        label: of the slider.
        options: the numbers, in order.
        opening: the one that it begins with, which need not stand in the address.
        key: of the slider, and its name in the address.
        width: in CSS pixels, or as wide as there is room.
        help: what the reader may want to know of it.
    """
    texts = {f"{option:g}": option for option in options}
    requested = str(st.session_state.get(key, st.query_params.get(key, "")))
    with contextlib.suppress(ValueError, OverflowError):
        requested = f"{float(requested):g}"  # an older link may say 4.0
    st.session_state[key] = requested if requested in texts else f"{opening:g}"
    chosen = st.select_slider(label, list(texts), key=key, format_func=local_number, width=width, help=help)
    if texts[chosen] == opening:
        st.query_params.pop(key, None)
    elif st.query_params.get(key) != chosen:
        st.query_params[key] = chosen
    return texts[chosen]


def shorten(text: str, most: int = 40) -> str:
    """The beginning of a text that somebody else wrote, as a remark quotes it: `most` characters."""
    return text if len(text) <= most else f"{text[:most]}…"
