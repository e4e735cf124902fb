"""A text that is too long for its model or for the memory: a button that keeps only the beginning, as much as fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from attnviz.errors import MemoryShortError
from attnviz.tokenization.passages import passages
from attnviz.ui.shell.messages import _, local_count

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.errors import AttnvizError
    from attnviz.models.inputs import Inputs
    from attnviz.models.model import Model

SAFE = 0.9  # of what memory would hold: how much of it is free changes
CHARACTERS = 8  # of a token, more than most have: so much of a text is looked at first


def beginning(inputs: Inputs, text: str, most: int) -> str:
    """The longest beginning of a text with at most so many tokens: whole sentences, or whole tokens of the first one.

    Only as much of the text is read as that takes, for to read all of a book takes a while.

    Args:
        inputs: of the model.
        text: with more tokens.
        most: tokens, those that the model puts around a text with them.
    """
    length = CHARACTERS * most
    while True:
        part = text[:length]
        tokens = inputs.encode(part).tokens
        if len(tokens) > most or length >= len(text):
            break
        length *= 2
    room = max(1, most - sum(token.special for token in tokens))
    whole = [one.text for one in passages(part, tokens) if one.stop <= room and not one.special]
    cut = "".join(whole)
    if not cut.strip():  # not even the first sentence
        cut = part[: max(token.end or 0 for token in tokens[:room])]
    while len(inputs.encode(cut).ids) > most:  # tokens may differ at the cut
        cut = cut[: int(0.9 * len(cut))]
    return cut.strip()


def offer_beginning(container: DeltaGenerator, model: Model, text: str, error: AttnvizError) -> None:
    """Below the error, where it is known how much would fit: the button that puts that into the box."""
    if error.fitting is None:
        return
    most = int(SAFE * error.fitting) if isinstance(error, MemoryShortError) else error.fitting
    if model.max_tokens is not None:
        most = min(most, model.max_tokens)
    if most < 2:
        return

    def shorten() -> None:
        st.session_state["sentence"] = beginning(model.inputs, text, most)

    container.button(
        _("Only the beginning, up to {0} tokens").format(local_count(most)),
        key="only_beginning",
        icon=":material/content_cut:",
        help=_("The browser's Back brings the whole text again."),
        on_click=shorten,
    )
