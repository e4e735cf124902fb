"""The component that shows a text as it grows, token by token."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from attnviz.generation.steps import Steps
from attnviz.tokenization.token import Token
from attnviz.ui.components.component import define
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.screens.translate.payload import AttentionView, Pieces, text_payload

_player = define(__file__, parts=["tip", "heatmap", "step_map", "beam_tree"])


def text_player(
    steps: Steps,
    view: AttentionView,
    pieces: Pieces,
    *,
    run: str,
    key: str,
    step: int,
    words: Sequence[Token] = (),
    on_choose: Callable[[int, int], None],
    on_step: Callable[[int], None],
    on_reset: Callable[[], None],
    on_mask: Callable[[int], None],
) -> None:
    """Draws a text that grows.

    Args:
        steps: the text with its steps.
        view: which attention is shown.
        pieces: how tokens are read.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
        step: where to begin.
        words: of a masked text whose gap was made here, the tokens that can be masked instead: all of the text's.
        on_choose: called with the step and the vocabulary id that was chosen instead.
        on_step: called with the step that was gone to, once the reader rests there.
        on_reset: called when the choices are to be forgotten.
        on_mask: called with the word that is to be masked.
    """
    story = text_payload(steps, view, pieces, words)
    data = {
        **story,
        "run": run,
        "step": step,
        "path": run_name(steps.task, steps.written.ids, [item["text"] for item in story["text"]]),
        "picture": run_name(story),
    }

    def value_handler(name: str, call: Callable[[Any], None]) -> Callable[[], None]:
        def handle_value() -> None:
            value = st.session_state[key].get(name)
            if value is not None:
                call(value)

        return handle_value

    _player(
        key=key,
        data=data,
        on_choose_change=value_handler("choose", lambda value: on_choose(int(value["step"]), int(value["id"]))),
        on_step_change=value_handler("step", lambda value: on_step(int(value))),
        on_reset_change=value_handler("reset", lambda _value: on_reset()),
        on_mask_change=value_handler("mask", lambda value: on_mask(int(value))),
    )
