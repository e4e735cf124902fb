"""The page's controls: one method or two, what a word is compared with, and what else is to be seen."""

from __future__ import annotations

import streamlit as st

from attnviz.ui.components.explanation.explanation_card import Choice
from attnviz.ui.components.explanation.explanation_wording import method_name
from attnviz.ui.controls.explained_outputs import FIRST, SECOND, WORD_KEY
from attnviz.ui.controls.url_state import Say, keep_values, named_choice, replace_missing
from attnviz.ui.shell.messages import _

ALL = "all"
METHOD_KEYS = ("method", "beside", "of_layer", "of_head")
CONTROL_KEYS = (WORD_KEY, *METHOD_KEYS, "instead", "matrix", "all_methods", "trust")


def method_controls(methods: list[str], layers: int, heads: int, say: Say) -> list[Choice]:
    """One method, or two side by side.

    Args:
        methods: keys of `METHODS` that this model allows.
        layers, heads: of the attention that is followed.
        say: told what a link asks for and is not there.
    """
    from attnviz.attribution import METHODS

    def remark(value: str, _instead: str) -> str:
        return _("There is no method called {0} for this model.").format(value)

    first_choice = FIRST if FIRST in methods else methods[0]
    replace_missing("method", methods, say, remark, default=first_choice)
    others = ["none", *methods]
    second_choice = SECOND if SECOND in methods else "none"
    replace_missing("beside", others, say, remark, default=second_choice)
    first = named_choice(_("Method"), methods, method_name, key="method", default=first_choice, list_width=290)
    second = named_choice(_("Beside it"), others, method_name, key="beside", default=second_choice, list_width=290)
    chosen = [first] + ([second] if second not in ("none", first) else [])
    layer = head = None
    unused = ["of_layer", "of_head"]
    if any(METHODS[name].by_layer for name in chosen):
        layer = _part(_("Layer"), layers, "of_layer", say)
        unused.remove("of_layer")
    if layer is not None and any(METHODS[name].by_head for name in chosen):
        head = _part(_("Head"), heads, "of_head", say)
        unused.remove("of_head")
    keep_values(*unused)
    return [
        Choice(name, layer if METHODS[name].by_layer else None, head if METHODS[name].by_head else None)
        for name in chosen
    ]


def _part(label: str, count: int, key: str, say: Say) -> int | None:
    options = [ALL, *map(str, range(count))]
    replace_missing(key, options, say, lambda value, _instead: _("There is no {0} here.").format(f"{label} {value}"))
    chosen = named_choice(label, options, lambda name: _("all") if name == ALL else name, key=key, default=ALL,
                          list_width=96)  # fmt: skip
    return None if chosen == ALL else int(chosen)


def contrast_control(alternatives: list[str], say: Say) -> str | None:
    """What the word is compared with, one of the likeliest others; None for nothing."""
    if not alternatives:
        keep_values("instead")
        return None
    replace_missing(
        "instead", alternatives, say,
        lambda value, _instead: _("“{0}” is not among the likeliest words here.").format(value), fallback=None,
    )  # fmt: skip
    return st.selectbox(
        _("And not"), alternatives, index=None, key="instead", bind="query-params", placeholder=_("anything else"),
        width=150, help=_("Explains why the model prefers the word to this one: what speaks for both alike drops out."),
    )  # fmt: skip


def switches(*, translates: bool, measured: bool) -> tuple[bool, bool, bool]:
    """Whether all words of a translation, all methods, and whether they can be trusted, are to be seen."""
    matrix = False
    if translates:
        matrix = st.toggle(
            _("Whole translation"), key="matrix", bind="query-params",
            help=_("All words of the translation under each other, by the method that is chosen first."),
        )  # fmt: skip
    else:
        keep_values("matrix")
    every = st.toggle(_("All methods"), key="all_methods", bind="query-params")
    if not measured:
        keep_values("trust")
        return matrix, every, False
    trust = st.toggle(
        _("Can it be trusted?"), key="trust", bind="query-params",
        help=_("Takes words away, those first that the method names first, and measures how the prediction falls."),
    )  # fmt: skip
    return matrix, every, trust
