"""Two sentences and a word in each: the controls of the page "In context".

A word that stands in both is found by itself, whatever its case; where there is none, or another is asked for, the
reader chooses one in each. The words stand in the address as they are labelled.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.ui.controls.inputs import MOST_SEGMENTS, sentence_box, text_box
from attnviz.ui.controls.url_state import Say, follow_opening, is_opening, note_opening, replace_missing
from attnviz.ui.screens.context.words import Word, opening_pair, sentence_words, shared_words, shorten_word
from attnviz.ui.shell.messages import _, language
from attnviz.ui.shell.model_names import model_label

if TYPE_CHECKING:
    from attnviz.embeddings.hidden_states import States


PAIRS: tuple[tuple[str, str, str], ...] = (
    ("Swing the bat!", "The bat flew at night.", "bat"),
    ("Wir sitzen auf einer Bank im Park.", "Er bringt das Geld zur Bank.", "Bank"),
    ("I saw a bird.", "He cut it with a saw.", "saw"),
    ("She sat on the bank of the river.", "He took the money to the bank.", "bank"),
    ("学生在写生。", "学生在写作。", "写"),
    ("桌子上有花。", "我不想花太多。", "花"),
    ("Haar arm doet pijn.", "De oude man is arm.", "arm"),
    ("Schwing den Schläger!", "Die Fledermaus flog nachts.", ""),
)
"""Two sentences and the word that they are about; the last is the first in German, where the word is two words."""

OPENING_PAIRS = {"en": PAIRS[0], "de": PAIRS[1], "nl": PAIRS[6], "zh_Hans": PAIRS[5], "zh_Hant": PAIRS[5]}
"""What the page opens with, by the reader's language; both scripts of Chinese write 花 alike."""

WORD_KEYS = ("word", "word2")
_AUTOMATIC_KEY = "attnviz_words_found"
_SECOND_KEY = "attnviz_second_sentence"


# Controls -----------------------------------------------------------------------------------------------------------


def opening_pair_of_sentences() -> tuple[str, str, str]:
    """The pair that the page opens with in the reader's language."""
    return OPENING_PAIRS.get(language(), OPENING_PAIRS["en"])


def first_sentence_box() -> str:
    """The first sentence; it opens with that of a pair in the reader's language."""
    return sentence_box(opening_pair_of_sentences()[0])


def second_sentence_box() -> str:
    """The second sentence, taken over while it is typed; it is there again when the reader comes back."""
    if "sentence2" not in st.session_state and "sentence2" not in st.query_params and _SECOND_KEY in st.session_state:
        st.session_state["sentence2"] = st.session_state[_SECOND_KEY]
    if "sentence2" not in st.session_state or is_opening("sentence"):
        # Beside a sentence that the reader has chosen it stays, whatever language is picked.
        follow_opening("sentence2", opening_pair_of_sentences()[1])
    text = text_box(_("Second sentence"), "sentence2")
    st.session_state[_SECOND_KEY] = text
    return text


def pair_examples() -> None:
    """Pairs to begin with; a click puts them into the two boxes."""
    opening = opening_pair_of_sentences()
    pairs = (opening, *(pair for pair in PAIRS if pair != opening))
    labels = [f"{first} · {second}" for first, second, _word in pairs]

    def pick() -> None:
        if st.session_state["pair_example"]:
            first, second, word = pairs[labels.index(st.session_state["pair_example"])]
            st.session_state["sentence"], st.session_state["sentence2"] = first, second
            st.session_state.pop(_AUTOMATIC_KEY, None)
            for key in WORD_KEYS:
                st.session_state[key] = word or None

    current = f"{st.session_state.get('sentence')} · {st.session_state.get('sentence2')}"
    picked = current if current in labels else None
    if st.session_state.get("pair_example") != picked:
        st.session_state["pair_example"] = picked
    st.pills(_("Example pairs"), labels, key="pair_example", on_change=pick, label_visibility="collapsed", wrap=False)


def word_controls(one: States, other: States, say: Say) -> tuple[Word, Word]:
    """Which word of each sentence is compared; where the reader has not chosen, the page chooses.

    Args:
        one, other: the vectors of the two sentences, each with a word in it.
        say: called with a remark on a word that a link asks for and the sentence does not have.
    """
    first, second = sentence_words(one.tokens), sentence_words(other.tokens)
    by_label = [{word.label: word for word in words} for words in (first, second)]
    arriving = [key not in st.session_state for key in WORD_KEYS]
    requested_labels = [st.session_state.get(key, st.query_params.get(key)) for key in WORD_KEYS]
    automatic = st.session_state.get(_AUTOMATIC_KEY) == tuple(requested_labels)
    requested_words: list[Word | None] = [
        None if automatic else by_label[side].get(label or "") for side, label in enumerate(requested_labels)
    ]
    for side, label in enumerate(requested_labels):
        if arriving[side] and label and requested_words[side] is None:
            sentence = _("The first sentence") if side == 0 else _("The second sentence")
            say(_("{0} has no word “{1}”; another is shown instead.").format(sentence, shorten_word(label)))
    chosen = _complete_pair(requested_words, opening_pair(one, other, first, second), shared_words(first, second))
    if requested_words == [None, None]:
        st.session_state[_AUTOMATIC_KEY] = tuple(word.label for word in chosen)

    def follow() -> None:
        """A word that stands in both sentences is compared with itself."""
        word = by_label[0].get(st.session_state["word"])
        for candidate, counterpart in shared_words(first, second):
            if candidate == word:
                st.session_state["word2"] = counterpart.label

    for key, label, word, words in zip(WORD_KEYS, (_("Word"), _("Word in the second")), chosen, by_label, strict=True):
        if st.session_state.get(key, st.query_params.get(key)) != word.label or key in st.session_state:
            st.session_state[key] = word.label
        st.selectbox(
            label, list(words), key=key, bind="query-params", width=150, on_change=follow if key == "word" else None
        )
    return chosen


def layer_control(layers: int, model: str, say: Say) -> int:
    """Which layer, from 0; the last one where nobody has chosen, for that is where the two words differ."""
    last = layers - 1

    def remark(value: str, instead: int) -> str:
        return _("{0} has the layers 0 to {1}, not {2}; layer {3} is shown instead.").format(
            model_label(model), last, value, instead
        )

    replace_missing("layer", range(layers), say, remark, fallback=last)
    if "layer" not in st.session_state and "layer" not in st.query_params:
        note_opening("layer", last)
    if layers <= MOST_SEGMENTS:
        value = st.segmented_control(
            _("Layer"), range(layers), default=last, key="layer", required=True, bind="query-params"
        )
    else:
        value = st.selectbox(_("Layer"), range(layers), index=last, key="layer", bind="query-params", width=110)
    return last if value is None else value  # a link may have the parameter and nothing in it


def _complete_pair(
    requested: Sequence[Word | None], automatic: tuple[Word, Word], pairs: Sequence[tuple[Word, Word]]
) -> tuple[Word, Word]:
    """The chosen words; the one that is missing is the chosen one's counterpart, where it has one."""
    one, other = requested
    if one is not None and other is not None:
        return one, other
    if one is not None:
        return one, next((pair[1] for pair in pairs if pair[0] == one), automatic[1])
    if other is not None:
        return next((pair[0] for pair in pairs if pair[1] == other), automatic[0]), other
    return automatic
