"""The one control that only the story has: which head it is told of."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from attnviz.ui.screens.story.address import choose_head
from attnviz.ui.shell.messages import _

KEY = "story_head"


def head_control(size: Sequence[int], shown: tuple[int, int], numbers: Sequence[int] | None = None) -> None:
    """The heads of all layers in one list; a choice goes into the address, and the page is drawn with it.

    Args:
        size: how many layers, and heads in each.
        shown: layer and head that the story is told of.
        numbers: what the model itself calls its layers.
    """
    layers, heads = size
    names = list(range(layers)) if numbers is None else list(numbers)
    options = [f"L{names[layer]} H{head}" for layer in range(layers) for head in range(heads)]
    # Written down in each run: what the page chose may have changed with the sentence.
    st.session_state[KEY] = options[shown[0] * heads + shown[1]]

    def take() -> None:
        if st.session_state[KEY] in options:  # a message that was written by hand may hold anything
            choose_head(*divmod(options.index(st.session_state[KEY]), heads))

    st.selectbox(_("Head"), options, key=KEY, on_change=take, width=120)
