"""The controls of the page on embeddings: which part's table, which further words, which two are compared."""

from __future__ import annotations

import re
from collections.abc import Sequence

import streamlit as st

from attnviz.ui.controls import url_state
from attnviz.ui.shell.messages import _, kind_name

KEYS = ("word_one", "word_two", "rotation")
"""Keys of the controls that are not always there, for `url_state.keep_values`."""

EXAMPLE = "Hunde, hond, dog, Katze, cat"
MOST_MORE = 40  # further words; more of them could not be told apart in a picture


def part_control(kinds: Sequence[str], say: url_state.Say) -> str:
    """Whose embeddings: "encoder" or "decoder"; cross-attention has none of its own.

    Args:
        kinds: as `Model.kinds`.
        say: called with a remark where what was asked for is not there; likewise below.
    """
    parts = [kind for kind in kinds if kind != "cross"]
    requested = st.session_state.get("kind", st.query_params.get("kind"))
    if requested not in parts:
        if requested == "cross":
            say(
                _(
                    "Cross-attention has no embeddings of its own: it reads what encoder and decoder make. "
                    "Those of the {0} are shown."
                ).format(kind_name(parts[0]))
            )
        elif requested:
            say(
                _("There is no {0} in this model; the embeddings of its {1} are shown.").format(
                    url_state.shorten(requested), kind_name(parts[0])
                )
            )
        st.session_state["kind"] = parts[0]
    return url_state.named_choice(_("Embeddings of the"), parts, kind_name, key="kind")


def more_words() -> tuple[str, ...]:
    """Further words to be placed beside the sentence's, separated by commas or spaces."""
    text = st.text_input(
        _("More words"),
        value=EXAMPLE,
        key="more_words",
        live=True,
        bind="query-params",
        help=_("Any words, in any language that the model reads, with commas or spaces between them."),
    )
    return tuple(dict.fromkeys(word for word in re.split(r"[\s,;，、；]+", text or "") if word))


def word_control(title: str, key: str, labels: Sequence[str], default: int, say: url_state.Say) -> int:
    """One of the words on the screen, by its label; returns its index.

    A word that is not among them is replaced by `default`, with a remark only where a link asked for it: while words
    are typed, they come and go all the time.
    """
    requested = st.session_state.get(key, st.query_params.get(key))
    if requested not in labels:
        if requested and key not in st.session_state:
            say(
                _("{0} is none of these words; {1} is shown instead.").format(
                    url_state.shorten(requested), labels[default]
                )
            )
        st.session_state[key] = labels[default]
    return labels.index(st.selectbox(title, labels, key=key, bind="query-params", width=160))


def rotation_control(names: Sequence[str], say: url_state.Say) -> int:
    """Which rotation, of a model that has several."""
    requested = st.session_state.get("rotation", st.query_params.get("rotation"))
    if requested not in names:
        if requested:
            say(
                _("This model has no rotation {0}; {1} is shown instead.").format(
                    url_state.shorten(requested), names[0]
                )
            )
        st.session_state["rotation"] = names[0]
    chosen = st.segmented_control(_("For the layers with"), names, key="rotation", required=True, bind="query-params")
    return names.index(chosen)
