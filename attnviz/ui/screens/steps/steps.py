"""The seven steps from a text to the output of a layer; each draws itself and returns how many figures that were.

Every number comes from `attnviz.computation` or the recording: nothing is computed for the picture alone, but for the
softmax at another temperature.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from attnviz.ui.screens.steps.attention import output, scores, softmax
from attnviz.ui.screens.steps.block import block
from attnviz.ui.screens.steps.context import Scene
from attnviz.ui.screens.steps.inputs import embeddings, projections, tokens


def draw(step: int, scene: Scene) -> int:
    """Draws a step, from 1; returns how many figures it has."""
    st.html(Path(__file__).with_name("steps.css"))
    return (tokens, embeddings, projections, scores, softmax, output, block)[step - 1](scene)
