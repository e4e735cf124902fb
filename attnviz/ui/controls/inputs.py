"""The controls that the pages share, and their values in the address of the page.

A copied link shows the same thing to somebody else, and a choice follows to the next page. What a link asks for, or
another model had, and is not there is said and replaced by the nearest that is; what a control held is kept while it is
not on the screen (`hold`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from urllib.parse import urlsplit

import streamlit as st

from attnviz.examples import HOME_EXAMPLES
from attnviz.ui.shell.messages import _

T = TypeVar("T", str, int)
Say = Callable[[str], None]

BUNDLED = "bundled"
MOST_SEGMENTS = 12  # layers that fit side by side
SWITCH_KEYS = ("by_word", "hide_special", "hide", "renormalise", "rows", "scale_per_head")
SHARED_KEYS = ("sentence", "target", "model", "kind", "layer", "head", *SWITCH_KEYS)
_PAGE = "attnviz_page"  # where the reader is
_LINKED = "attnviz_linked"  # what the link asked for that opened the session
_SIZES = "attnviz_sizes"
_USED = "attnviz_models"  # names of models that were loaded in this session


def sentence_box() -> str:
    """The sentence, taken over while it is typed, after a pause of a quarter of a second.

    The first control of every page: where the reader has come from another one, all that is shared comes along.
    """
    _arrive()
    return st.text_input(_("Sentence"), value=HOME_EXAMPLES[0], key="sentence", live=True, bind="query-params")


def _arrive() -> None:
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
    hold(*SHARED_KEYS)
    for key in st.session_state.pop(_LINKED, ()):
        value = st.session_state.get(key)
        if value not in (None, "", []) and key not in st.query_params:
            st.query_params[key] = value if isinstance(value, list) else _in_address(value)


def _in_address(value: str | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def target() -> str | None:
    """The decoder's sentence as the box has it, or had it; None where it is left to the model.

    It is asked for before the box is drawn, for the model's own output, the box's placeholder, is known only then.
    """
    text = st.session_state.get("target", st.query_params.get("target")) or ""
    return text if text.strip() else None


def target_box(own: str) -> None:
    """The box for the decoder's sentence; what the model would say itself stands in it while it is empty."""
    st.text_input(
        _("Target"),
        key="target",
        live=True,
        bind="query-params",
        placeholder=own,
        help=_("What the decoder reads. Empty: the model's own translation."),
    )


def examples(sentences: Sequence[str] = HOME_EXAMPLES) -> None:
    """Sentences to begin with; a click puts one into the sentence box."""

    def pick() -> None:
        if st.session_state["example"]:
            st.session_state["sentence"] = st.session_state["example"]

    # Shown as picked only while it is what the box holds.
    current = st.session_state.get("sentence")
    picked = current if current in sentences else None
    if st.session_state.get("example") != picked:
        st.session_state["example"] = picked
    st.pills(_("Examples"), sentences, key="example", on_change=pick, label_visibility="collapsed", wrap=False)


def model_picker() -> str:
    """The model's name: the bundled one, one asked for before in this session, or whatever is typed in."""
    used: list[str] = st.session_state.setdefault(_USED, [BUNDLED])
    asked = st.session_state.get("model", st.query_params.get("model"))
    if asked and asked not in used:
        used.append(asked)
    name = st.selectbox(
        _("Model"),
        used,
        key="model",
        bind="query-params",
        accept_new_options=True,
        format_func=model_label,
        help=_(
            "Type a folder of this computer or a Hugging Face id to load another model. "
            "A revision can follow the id: google-t5/t5-small@main."
        ),
    )
    name = (name or BUNDLED).strip()
    return BUNDLED if name.casefold() in ("", BUNDLED, model_label(BUNDLED).casefold()) else name


def used_models() -> tuple[str, ...]:
    """The names of the models that were asked for in this session, the bundled one first."""
    return tuple(st.session_state.get(_USED, (BUNDLED,)))


def model_label(name: str) -> str:
    """What a model is called on the screen."""
    return _("Bundled translation model") if name == BUNDLED else name


def model_and_revision(name: str) -> tuple[str, str | None]:
    """The parts of what the model's box holds; a folder with an "@" in its name is a folder.

    >>> model_and_revision("google-t5/t5-small@df1b051")
    ('google-t5/t5-small', 'df1b051')
    """
    parts = re.fullmatch(r"([\w.-]+(?:/[\w.-]+)?)@([\w./-]+)", name)
    if parts is None or os.path.exists(os.path.expanduser(name)):
        return name, None
    return parts[1], parts[2]


def kind_control(kinds: Sequence[str], model: str, say: Say) -> str:
    """Which attention, of those that the model has.

    The options are the API's words in every language, for they stand in the address.

    Args:
        kinds: as `Model.kinds`.
        model: its name, for what is said.
        say: told what was asked for and is not there; likewise below.
    """

    def missing(value: str, instead: str) -> str:
        return _("{0} has no {1} attention; its {2} attention is shown instead.").format(
            model_label(model), value, instead
        )

    _checked("kind", kinds, say, missing)
    value = st.segmented_control(
        _("Attention"), kinds, default=kinds[0], key="kind", required=True, bind="query-params"
    )
    return value


def layer_control(layers: int, model: str, say: Say, opening: int = 0) -> int:
    """Which layer, from 0; `opening` where nobody has chosen one."""
    opening = min(opening, layers - 1)

    def missing(value: str, instead: int) -> str:
        return _("{0} has the layers 0 to {1}, not {2}; layer {3} is shown instead.").format(
            model_label(model), layers - 1, value, instead
        )

    _checked("layer", range(layers), say, missing, default=opening)
    if layers <= MOST_SEGMENTS:
        value = st.segmented_control(
            _("Layer"), range(layers), default=opening, key="layer", required=True, bind="query-params"
        )
    else:
        value = st.selectbox(_("Layer"), range(layers), index=opening, key="layer", bind="query-params", width=110)
    return value


def head_control(heads: int, say: Say) -> int | None:
    """Which head is open, from 0, or None."""

    def missing(value: str, _instead: int) -> str:
        return _("The heads are 0 to {0}, there is no head {1}; none is open.").format(heads - 1, value)

    _checked("head", range(heads), say, missing, fallback=None)
    value = st.selectbox(
        _("Head"), range(heads), index=None, key="head", bind="query-params", placeholder=_("all"), width=96
    )
    return value


def remember_size(model: str, kind: str, size: tuple[int, int, int, int]) -> None:
    """Keeps (layers, heads) of what could be recorded, so that the controls stay while something is wrong."""
    st.session_state.setdefault(_SIZES, {})[model, kind] = size[:2]


def known_size(model: str, kind: str) -> tuple[int, int] | None:
    """What `remember_size` was last told."""
    return st.session_state.get(_SIZES, {}).get((model, kind))


def hold(*keys: str) -> None:
    """Keeps what controls held that are not drawn in this run; they have it again when they come back.

    Streamlit forgets a control that is not on the screen, and takes it out of the address.
    """
    for key in keys:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def open_head(head: int | None) -> None:
    """Opens a head, or closes it; for callbacks, which run before the controls are drawn."""
    st.session_state["head"] = head


def show_kind(kind: str) -> None:
    """Goes to another kind of attention; for callbacks likewise."""
    st.session_state["kind"] = kind


def _checked(
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
        say(missing(_short(asked), instead))
    if key in st.session_state:
        st.session_state[key] = instead


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
