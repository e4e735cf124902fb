"""The story in the address: which scene, which word asks, which head; and links from each scene to another page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import streamlit as st

from attnviz.ui.controls import url_state
from attnviz.ui.controls.long_texts import in_address
from attnviz.ui.shell.messages import _

SCENES = 10
_HEAD = ("layer", "head")
_DRAWN = "attnviz_story_drawn"  # what the address says of the head, as the page was last drawn


def requested_scene() -> int | None:
    """The scene that a link asks for, from 1; None where the story begins by itself."""
    text = st.query_params.get("scene", "")
    return int(text) if text.isdecimal() and 1 <= int(text) <= SCENES else None


def requested_head() -> tuple[int | None, int | None]:
    """Layer and head that a link or the control asks for; both None where the page chooses them."""
    layer, head = (st.query_params.get(key, "") for key in _HEAD)
    if not (layer.isdecimal() and head.isdecimal()):
        return None, None
    return int(layer), int(head)


def requested_word(tokens: Sequence[Mapping[str, Any]], opening: int, say: url_state.Say) -> int:
    """The token that asks: the one that the address names, else the opening one.

    Args:
        tokens: of the text, as `payload.token_entries` gives them.
        opening: the position of the one that asks where nobody has chosen.
        say: told of a word that a link asks for and the sentence does not have.
    """
    requested = st.query_params.get("word")
    labels = [token["label"] for token in tokens]
    if requested is None or requested in labels:
        return opening if requested is None else labels.index(requested)
    say(
        _("There is no token {0} in this sentence; {1} is shown instead.").format(
            url_state.shorten(requested), labels[opening]
        )
    )
    st.query_params.pop("word", None)
    return opening


def choose_head(layer: int, head: int) -> None:
    """Writes the head that the reader chose into the address; for callbacks."""
    st.query_params["layer"], st.query_params["head"] = str(layer), str(head)
    note_head()


def note_head() -> None:
    """Remembers what the address says of the head, for `set_parameter`; called whenever the page is drawn."""
    st.session_state[_DRAWN] = {key: st.query_params[key] for key in _HEAD if key in st.query_params}


def set_parameter(name: str, value: str) -> None:
    """Writes what the reader chose in the picture into the address; for callbacks.

    The picture may say so while another head, just chosen, is on its way to the browser. The address that comes along
    is then the one from before that choice, which would be lost.
    """
    st.query_params[name] = value
    for key, chosen in st.session_state.get(_DRAWN, {}).items():
        st.query_params[key] = chosen


def scene_links(numbers: Mapping[str, Any], sentence: str, model: str, language: str, word: int) -> dict[str, str]:
    """For each scene, by its number, the page where the same can be taken apart, with the same state.

    Args:
        numbers: of the story.
        sentence: as it was typed.
        model: as it was asked for, perhaps with a revision; "" for the one that ships.
        language: of the page, as the address writes it; "" where nobody chose one.
        word: the token that asks.

    Returns:
        Addresses relative to the page, so that they lead right below any path that the app is served under.
    """
    head = numbers["head"]
    label = numbers["tokens"][word]["label"]
    shared = {**in_address("sentence", sentence), "model": model, "lang": language}
    chosen = shared | {"kind": head["kind"], "layer": head["layer"], "head": head["head"]}
    steps = {
        scene: _address("steps", chosen | {"step": step, "looking": label})
        for scene, step in ((1, 1), (3, 3), (4, 4), (5, 5), (6, 6), (8, 7))
    }
    links = steps | {
        2: _address("embeddings", shared | {"word_one": label}),
        7: _address("", shared | {"kind": head["kind"], "layer": head["layer"]}),
        10: _address("translate", shared),
    }
    other = (numbers["journey"] or {}).get("other")
    context: dict[str, Any] = {} if other is None else {"sentence2": other["sentence"]}
    links[9] = _address("context", shared | {"kind": head["kind"]} | context)
    return {str(scene): links[scene] for scene in sorted(links)}


def _address(page: str, parameters: Mapping[str, Any]) -> str:
    return f"{page or './'}?{urlencode({name: value for name, value in parameters.items() if value != ''})}"
