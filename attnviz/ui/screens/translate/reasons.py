"""Under a class, an answer or the labels of tokens: where the model looked, and which words it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.ui.components.explanation import explanation_wording as wording
from attnviz.ui.components.explanation.explanation import OutputWord, explanation
from attnviz.ui.components.explanation.explanation_card import Choice, card
from attnviz.ui.controls.explained_outputs import (
    FIRST,
    SECOND,
    WORD_KEY,
    choose_output,
    explained_by,
    is_exact,
    outputs,
    possible_methods,
    requested_output,
)
from attnviz.ui.shell.messages import _, language

if TYPE_CHECKING:
    from attnviz.attribution import Attribution
    from attnviz.models.predictions import Prediction
    from attnviz.ui.controls.explained_outputs import Outputs
    from attnviz.ui.controls.page_header import Text
    from attnviz.ui.controls.url_state import Say
    from attnviz.ui.shell.models import Loaded

INSTEAD = "integrated_gradients"  # of hiding each word, where the model computes its attention in code of its own


@dataclass(frozen=True)
class Reasons:
    """Why a model says what it says.

    Attributes:
        offered: what can be asked about.
        index: of what the reader chose, among them.
        results: what the methods say of it: where it looked, and what becomes of it without each word.
    """

    offered: Outputs
    index: int
    results: tuple[Attribution, ...]


def reasons(loaded: Loaded, prediction: Prediction, text: Text, say: Say) -> Reasons | None:
    """Where a model looked for a prediction, and which words it came from; None where nothing can be asked.

    Args:
        loaded: the model.
        prediction: of a class, an answer or labels.
        text: by which the model's cache knows the recording, as on the page that measures the methods.
        say: told what a link asks for and is not there.
    """
    model, recording = loaded.model, prediction.recording
    offered = loaded.cache.get(("outputs", *text, language()), lambda: outputs(model, recording))
    if not offered.items or not offered.predicts:
        return None
    index, output = requested_output(offered, say)
    exact = is_exact(model)
    possible = possible_methods(model, measured=exact, exact=exact)
    second = [name for name in (SECOND, INSTEAD) if name in possible]
    methods = (FIRST, *second[:1])
    results = tuple(explained_by(loaded, recording, text, output, Choice(name)) for name in methods)
    return Reasons(offered, index, results)


def draw_reasons(why: Reasons, question: str | None, *, run: str) -> None:
    """Draws them, and the way to the page that has the other methods and measures them.

    Args:
        question: that was asked of the text, where the model answers one.
        run: the name of what the page shows now, for `figures_ready`.
    """
    items = why.offered.items
    explanation(
        why.offered.ask,
        [OutputWord(item.label, at == why.index) for at, item in enumerate(items)],
        wording.question(why.results[0]),
        [card(result, Choice(result.method)) for result in why.results],
        None,
        None,
        None,
        run=run,
        key="reasons",
        on_word=lambda at: choose_output(items[at]),
    )
    with st.container(key="reasons_link"):
        st.page_link(
            "pages/attribution.py",
            label=_("Ask other methods why, and measure how far they can be trusted"),
            query_params={WORD_KEY: items[why.index].label} | ({"question": question} if question else {}),
        )
