"""Changes that articles name, each with a sentence of explanation; a click sets the controls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.ui.screens.what_if.change_list import head_text, set_all
from attnviz.ui.shell.errors import as_markdown
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "sparse": {"change": "window", "window": 1},
    "causal": {"kind": "encoder", "change": "causal"},
    "no_cross": {"kind": "cross", "change": "off"},
    "positional": {"change": "none"},
    "buckets": {"change": "hashing", "buckets": "4", "head": 0},
}
"""What each sets; what it does not name of these goes back to its beginning. Without a kind of attention it is for the
model's first, in which words of one text see each other."""


def preset_name(name: str) -> str:
    """What the reader calls it."""
    return {
        "sparse": _("Sparse attention"),
        "causal": _("A mask in the encoder"),
        "no_cross": _("No cross-attention"),
        "positional": _("The positional head off"),
        "buckets": _("Buckets by hashing"),
    }[name]


def explanation(name: str) -> str:
    """What it does and who thought of it."""
    return {
        "sparse": _(
            "Each word sees itself and its neighbours. Long texts become affordable, as the pairs grow with the length "
            "and not with its square (Child et al. 2019)."
        ),
        "causal": _(
            "Each word sees only what stands before it, as in a GPT. The encoder was trained to see both sides; what "
            "it loses shows what the words behind were good for."
        ),
        "no_cross": _(
            "The decoder no longer sees the source. It writes fluently on, but about something else: all that it knew "
            "of your sentence came through these heads."
        ),
        "positional": _(
            "The head that looks most at the previous word is off. Voita et al. (2019) found such positional heads "
            "among the few that matter most."
        ),
        "buckets": _(
            "Queries and keys fall into buckets by their direction, and only those in the same bucket meet, as in the "
            "Reformer (Kitaev et al. 2020)."
        ),
    }[name]


def offered_presets(kinds: Sequence[str]) -> tuple[str, ...]:
    """Those that a model with these kinds of attention has something for.

    >>> offered_presets(("decoder",))
    ('sparse', 'positional', 'buckets')
    """
    return tuple(name for name, settings in SETTINGS.items() if settings.get("kind", kinds[0]) in kinds)


def preset_pills(recording: Recording, kinds: tuple[str, ...]) -> None:
    """The presets that the model has something for; below them the sentence of the one that was picked.

    Args:
        recording: of the unchanged run.
        kinds: of attention that the model has.
    """
    first = kinds[0]
    offered = offered_presets(kinds)

    def pick() -> None:
        name = st.session_state["preset"]
        if name is None:
            set_all({"change": "none"})
            return
        settings = {"kind": first, **SETTINGS[name]}
        if name == "positional":
            layer, head = positional_head(recording, first)
            set_all({**settings, "layer": layer, "head": head}, head_text((first, layer, head)))
        else:
            set_all(settings)

    name = st.pills(_("Try"), offered, format_func=preset_name, key="preset", on_change=pick, bind=None, wrap=False)
    if name:
        st.caption(as_markdown(explanation(name)))


def positional_head(recording: Recording, kind: str) -> tuple[int, int]:
    """Layer and head that look most at the previous token."""
    from attnviz.measures.head_measures import measure_all

    best = max(measure_all(recording, kind), key=lambda one: one.previous)
    return best.layer or 0, best.head or 0
