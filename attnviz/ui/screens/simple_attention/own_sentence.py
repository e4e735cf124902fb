"""Takes a sentence into the table of the page "By hand": three numbers a word, made from a model's own embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from attnviz.attention.by_hand.word_vectors import DIM, MOST_WORDS, WordVectors
from attnviz.errors import EmptyError
from attnviz.ui.controls import inputs, long_texts, url_state
from attnviz.ui.screens.simple_attention.address import EDITOR_NUMBER_KEY, ROWS_KEY, table_rows, write_to_url
from attnviz.ui.shell import errors, model_names, models
from attnviz.ui.shell.messages import _, local_percent

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.models.model import Model

_ASKED = "hand_asked"  # the sentence that is to be taken into the table, and the model's name
_MADE = "hand_made"  # the table that was made of one, and what is said of it


def ask_for_sentence(sentence: str, model: str) -> None:
    """Has a sentence taken into the table when the page is drawn next; for callbacks."""
    st.session_state[_ASKED] = sentence, model


def is_asked_for() -> bool:
    """Whether a sentence waits for the page to be opened."""
    return _ASKED in st.session_state


def take_sentence(container: DeltaGenerator, progress: DeltaGenerator) -> None:
    """Puts the sentence that was asked for into the table; where that cannot be done, says why in `container`."""
    request = st.session_state.pop(_ASKED, None)
    if request is None:
        return
    sentence, name = request
    model, revision = model_names.model_and_revision(name)

    def make() -> tuple[WordVectors, str]:
        loaded = models.load(model, progress, revision=revision)
        table, share, width = sentence_table(loaded.model, sentence)
        remark = _(
            "Three numbers for each word of “{0}”: the first three principal components of its embedding in {1}, {2} "
            "numbers long, divided by the largest. They keep {3} of what tells these words apart."
        ).format(sentence, model_names.model_label(name), width, local_percent(f"{100 * share:.0f}"))
        return table, remark

    made = errors.attempt(container, make)
    if made:
        st.session_state[_MADE] = made
        st.session_state[ROWS_KEY] = table_rows(made[0])
        st.session_state[EDITOR_NUMBER_KEY] = st.session_state.get(EDITOR_NUMBER_KEY, 0) + 1


def sentence_table(model: Model, sentence: str) -> tuple[WordVectors, float, int]:
    """The words of a sentence, each with three numbers.

    Args:
        model: whose table of embeddings is read.
        sentence: the first words of a long one are taken, each different word once.

    Returns:
        The table, with numbers in [-1, 1] of two decimals; the share of the variance that they keep, in [0, 1]; and how
        many numbers an embedding of the model has.

    Raises:
        EmptyError: there are fewer than two words, which differ along no three axes.
    """
    from attnviz.embeddings.embedding_table import Vocabulary
    from attnviz.embeddings.vectors import components

    vocabulary = Vocabulary(model)
    words = [word for word in vocabulary.words(sentence) if any(sign.isalnum() for sign in word.label)][:MOST_WORDS]
    if len(words) < 2:
        raise EmptyError(_("The table needs a sentence of two words or more."))
    projection = components(np.stack([word.vector for word in words]), DIM)
    points = projection.points / (np.abs(projection.points).max() or 1.0)
    rows = tuple(tuple(round(float(number), 2) + 0.0 for number in point) for point in points)
    return WordVectors(tuple(word.label for word in words), rows), float(projection.shares.sum()), vocabulary.width


def readers_sentence() -> str:
    """The sentence of the other pages; it stands in the address here too, where no box holds it."""
    first = inputs.first_sentence()
    long_texts.bring_back("sentence")
    if "sentence" not in st.session_state and st.query_params.get("sentence"):
        st.session_state["sentence"] = st.query_params["sentence"]
    sentence = st.session_state.get("sentence") or first
    long = long_texts.keep("sentence", st.session_state.get("sentence") or "") is not None
    write_to_url("sentence", "" if sentence == first or long else sentence)
    return sentence


def sentence_offer(table: WordVectors) -> None:
    """Says where the numbers of the table come from, if from a sentence; else offers to take the reader's own."""
    sentence, model = readers_sentence(), st.session_state.get("model") or model_names.BUNDLED
    made = st.session_state.get(_MADE)
    if made and made[0] == table:
        with st.container(key="hand_made_of"):
            st.caption(errors.as_markdown(made[1]))
    elif sentence.strip():
        st.button(
            errors.as_markdown(_("Take “{0}” into the table").format(url_state.shorten(sentence))),
            key="own_sentence",
            icon=":material/input:",
            type="tertiary",
            on_click=ask_for_sentence,
            args=(sentence, model),
        )
