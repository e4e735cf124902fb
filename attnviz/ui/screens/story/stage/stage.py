"""The component that shows the story: one moving picture, with its controls, words and tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from attnviz.ui.components.component import define

_stage = define(__file__, parts=[
    "heatmap", "story_timeline", "story_pen", "story_numbers", "story_layout",
    "story_tokens", "story_match", "story_shares", "story_block",
    "story_writing", "story_captions", "story_player", "story_controls", "story_tables",
])  # fmt: skip


def stage(
    data: Mapping[str, Any],
    *,
    key: str = "stage",
    on_scene: Callable[[int], None],
    on_word: Callable[[int], None],
    on_address: Callable[[str], None],
) -> None:
    """Draws the story and lets it play.

    The element with the class `attnviz-story` says what it shows: `data-scene` (1 to 10), `data-playing`, and, whenever
    the picture stands still, `data-drawn`, a JSON list of the texts that are written in it, and `data-tokens`, where
    the middle of each token is on the canvas, in CSS pixels.

    Args:
        data: the numbers and texts of the story. A new `picture` among them begins the story anew; the scene and the
            asking word change in the browser and are no part of it.
        key: of the component on its page.
        on_scene: called with the scene, from 1, where the reader has come to rest.
        on_word: called with the token that asks from now on.
        on_address: called with the address of what is shown, when the reader wants it as a code for telephones.

    Example:
        stage(payload, on_scene=remember_scene, on_word=remember_word, on_address=make_code)
    """

    def handler(name: str, call: Callable[[Any], None]) -> Callable[[], None]:
        def handle_value() -> None:
            value = st.session_state[key].get(name)
            if value is not None:
                call(value)

        return handle_value

    _stage(
        key=key,
        data=dict(data),
        on_scene_change=handler("scene", lambda value: on_scene(int(value))),
        on_word_change=handler("word", lambda value: on_word(int(value))),
        on_address_change=handler("address", lambda value: on_address(str(value))),
    )
