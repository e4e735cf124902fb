"""The seven steps from a text to the output of a layer; each draws itself and returns how many figures that were.

Every number comes from `attnviz.computation` or the recording: nothing is computed for the picture alone, but for the
softmax at another temperature.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from attnviz.ui.controls.token_choice import say_last_piece
from attnviz.ui.screens.steps.attention import draw_output, draw_scores, draw_softmax
from attnviz.ui.screens.steps.block import draw_block
from attnviz.ui.screens.steps.context import StepContext
from attnviz.ui.screens.steps.inputs import draw_embeddings, draw_projections, draw_tokens


def draw(step: int, context: StepContext) -> int:
    """Draws a step, from 1; returns how many figures it has."""
    st.html(Path(__file__).with_name("steps.css"))
    say_pieces(step, context)
    return (draw_tokens, draw_embeddings, draw_projections, draw_scores, draw_softmax, draw_output, draw_block)[
        step - 1
    ](context)


def say_pieces(step: int, context: StepContext) -> None:
    """Which token's numbers are shown of a word that is read in several."""
    words_and_labels = [(context.asker, context.queries)] if step > 1 else []
    if step in (4, 5, 6) or (step == 3 and context.computation.kind == "cross"):
        words_and_labels.append((context.answerer, context.keys))
    for word, labels in dict.fromkeys(words_and_labels):
        say_last_piece(word, labels)
