"""A text that is too long for its model or for the memory: a button that keeps only the beginning, as much as fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.errors import MemoryShortError
from attnviz.tokenization.passages import passages
from attnviz.ui.shell.messages import _, local_count

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.errors import AttnvizError
    from attnviz.models.model import Model
    from attnviz.models.network.inputs import Inputs

SAFE = 0.9  # of what memory would hold: how much of it is free changes
FEWEST = 8  # tokens for which the button is worth a click
CHARACTERS = 8  # of a token, more than most have: so much of a text is looked at first


def beginning(inputs: Inputs, text: str, most: int) -> str:
    """The longest beginning of a text with at most so many tokens: whole sentences, or whole tokens of the first one.

    Only as much of the text is read as that takes, for to read all of a book takes a while.

    Args:
        inputs: of the model.
        text: with more tokens.
        most: tokens, those that the model puts around a text with them.
    """
    text = text.lstrip()  # what is blank alone cannot be read
    length = CHARACTERS * most
    while True:
        part = text[: min(length, inputs.most_characters or length)]
        tokens = inputs.encode(part).tokens
        if len(tokens) > most or len(part) < length or length >= len(text):
            break
        length *= 2
    room = max(1, most - sum(token.special for token in tokens))
    sentences = [one for one in passages(part, tokens) if not one.special]
    if len(part) < len(text):
        sentences = sentences[:-1]  # the last one may go on behind the part
    whole = [one.text for one in sentences if one.stop <= room]
    cut = "".join(whole)
    if not cut.strip():  # not even the first sentence
        cut = part[: max(token.end or 0 for token in tokens[:room])]
    while len(inputs.encode(cut).ids) > most:  # tokens may differ at the cut
        cut = cut[: int(0.9 * len(cut))]
    return cut.strip()


def offering_beginning(
    container: DeltaGenerator, model: Model, text: str, *, beside: str | None = None, key: str = "sentence"
) -> Callable[[AttnvizError], None]:
    """What puts a button below an error, where it is known how much of the text would fit: it leaves that in the box.

    Args:
        container: where the error stands.
        model: that refuses the text.
        text: what the box holds.
        beside: what is read together with it, as the second sentence of a pair, and stays whole.
        key: of the box.
    """

    def offer(error: AttnvizError) -> None:
        if error.fitting is None:
            return
        most = int(SAFE * error.fitting) if isinstance(error, MemoryShortError) else error.fitting
        if model.max_tokens is not None:
            most = min(most, model.max_tokens)
        if beside is not None:
            most -= len(model.inputs.encode(beside).ids)
        if most < FEWEST:
            return

        def shorten() -> None:
            st.session_state[key] = beginning(model.inputs, text, most)

        container.button(
            _("Only the beginning, up to {0} tokens").format(local_count(most)),
            key="only_beginning",
            icon=":material/content_cut:",
            help=_("The browser's Back brings the whole text again."),
            on_click=shorten,
        )

    return offer
