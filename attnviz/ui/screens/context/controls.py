"""Two sentences and a word in each: the controls of the page "In context", and its table of contrasts.

A word that stands in both is found by itself, whatever its case; where there is none, or another is asked for, the
reader chooses one in each. The words stand in the address as they are labelled.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.embeddings.hidden_states import Similarity, is_word, of_sentences, same_word, similarity
from attnviz.examples import HOME_EXAMPLES
from attnviz.tokenization import tokenizer as tokenization
from attnviz.tokenization.tokenizer import Token
from attnviz.ui.controls.inputs import MOST_SEGMENTS, Say, _checked, model_label
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from attnviz.embeddings.hidden_states import States

PAIRS: tuple[tuple[str, str, str], ...] = (
    ("Swing the bat!", "The bat flew at night.", "bat"),
    ("Schwing den Schläger!", "Die Fledermaus flog nachts.", ""),
    ("学生在写生。", "学生在写作。", "写"),
    ("She sat on the bank of the river.", "He took the money to the bank.", "bank"),
)
"""Two sentences and the word that they are about; the second is the first in German, where the word is two words."""

WORD_KEYS = ("word", "word2")
LONGEST_NAME = 24  # characters of a word in a sentence of ours
_AUTO = "attnviz_words_found"
_KEPT = "attnviz_second_sentence"


@dataclass(frozen=True)
class Word:
    """A word of a sentence that can be chosen.

    Attributes:
        label: readable, and no other word of the sentence has it.
        text: as it is written.
        positions: of its tokens.
        place: among the words of all tokens, special ones included.
        start: in the text, in characters.
    """

    label: str
    text: str
    positions: tuple[int, ...]
    place: int
    start: int | None = None


def words_of(tokens: Sequence[Token]) -> list[Word]:
    """The words of a sentence; signs and special tokens are none."""
    found = tokenization.words(tokens)
    parts = zip(tokenization.labels(found), found, tokenization.word_groups(tokens), strict=True)
    return [
        Word(label, word.text, group, place, word.start)
        for place, (label, word, group) in enumerate(parts)
        if is_word(word)
    ]


def in_both(first: Sequence[Word], second: Sequence[Word]) -> list[tuple[Word, Word]]:
    """The words that stand in both sentences, each with its first counterpart; equal spellings before others."""
    pairs = []
    for word in first:
        others = [other for other in second if same_word(other.text) == same_word(word.text)]
        others.sort(key=lambda other: other.text != word.text)
        pairs += [(word, other) for other in others[:1]]
    return sorted(pairs, key=lambda pair: pair[0].text != pair[1].text)


def found_pair(one: States, other: States, first: Sequence[Word], second: Sequence[Word]) -> tuple[Word, Word]:
    """The pair that the page opens with: of the words in both, spelled alike if there is one such, the one whose
    vectors differ most in the last layer; the longest word of each where no word is in both."""
    pairs = in_both(first, second)
    if not pairs:
        longest = [max(words, key=lambda word: len(word.text)) for words in (first, second)]
        return longest[0], longest[1]
    alike = [pair for pair in pairs if pair[0].text == pair[1].text] or pairs
    return min(alike, key=lambda pair: similarity(one, pair[0].positions, other, pair[1].positions).layers[-1])


# Controls -----------------------------------------------------------------------------------------------------------


def arrive() -> None:
    """Before anything is drawn: what the sentences are when the reader comes here and no link or choice says it."""
    if "sentence2" in st.session_state:
        return
    shared = st.query_params.get("sentence", st.session_state.get("sentence"))
    if shared is None or shared == HOME_EXAMPLES[0] and st.query_params.get("sentence") is None:
        st.session_state["sentence"] = PAIRS[0][0]
    if st.query_params.get("sentence2") is None and _KEPT in st.session_state:
        st.session_state["sentence2"] = st.session_state[_KEPT]


def second_box() -> str:
    """The second sentence, taken over while it is typed; it is there again when the reader comes back."""
    text = st.text_input(_("Second sentence"), value=PAIRS[0][1], key="sentence2", live=True, bind="query-params")
    st.session_state[_KEPT] = text
    return text


def pair_examples() -> None:
    """Pairs to begin with; a click puts them into the two boxes."""
    labels = [f"{first} · {second}" for first, second, _word in PAIRS]

    def pick() -> None:
        if st.session_state["pair"]:
            first, second, word = PAIRS[labels.index(st.session_state["pair"])]
            st.session_state["sentence"], st.session_state["sentence2"] = first, second
            st.session_state.pop(_AUTO, None)
            for key in WORD_KEYS:
                st.session_state[key] = word or None

    current = f"{st.session_state.get('sentence')} · {st.session_state.get('sentence2')}"
    picked = current if current in labels else None
    if st.session_state.get("pair") != picked:
        st.session_state["pair"] = picked
    st.pills(_("Example pairs"), labels, key="pair", on_change=pick, label_visibility="collapsed", wrap=False)


def word_controls(one: States, other: States, say: Say) -> tuple[Word, Word]:
    """Which word of each sentence, found by itself where the reader has not chosen.

    Args:
        one, other: the vectors of the two sentences, each with a word in it.
        say: told which word a link asks for that the sentence does not have.
    """
    first, second = words_of(one.tokens), words_of(other.tokens)
    by_label = [{word.label: word for word in words} for words in (first, second)]
    arriving = [key not in st.session_state for key in WORD_KEYS]
    asked = [st.session_state.get(key, st.query_params.get(key)) for key in WORD_KEYS]
    automatic = st.session_state.get(_AUTO) == tuple(asked)
    found: list[Word | None] = [
        None if automatic else by_label[place].get(label or "") for place, label in enumerate(asked)
    ]
    for place, label in enumerate(asked):
        if arriving[place] and label and found[place] is None:
            sentence = _("The first sentence") if place == 0 else _("The second sentence")
            say(_("{0} has no word “{1}”; another is shown instead.").format(sentence, shortened(label)))
    chosen = _completed(found, found_pair(one, other, first, second), in_both(first, second))
    if found == [None, None]:
        st.session_state[_AUTO] = tuple(word.label for word in chosen)

    def follow() -> None:
        """A word that stands in both sentences is compared with itself."""
        word = by_label[0].get(st.session_state["word"])
        for candidate, counterpart in in_both(first, second):
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

    def missing(value: str, instead: int) -> str:
        return _("{0} has the layers 0 to {1}, not {2}; layer {3} is shown instead.").format(
            model_label(model), last, value, instead
        )

    _checked("layer", range(layers), say, missing, fallback=last)
    if layers <= MOST_SEGMENTS:
        return st.segmented_control(
            _("Layer"), range(layers), default=last, key="layer", required=True, bind="query-params"
        )
    return st.selectbox(_("Layer"), range(layers), index=last, key="layer", bind="query-params", width=110)


def _completed(
    found: Sequence[Word | None], automatic: tuple[Word, Word], pairs: Sequence[tuple[Word, Word]]
) -> tuple[Word, Word]:
    """The chosen words; the one that is missing is the chosen one's counterpart, where it has one."""
    one, other = found
    if one is not None and other is not None:
        return one, other
    if one is not None:
        return one, next((pair[1] for pair in pairs if pair[0] == one), automatic[1])
    if other is not None:
        return next((pair[0] for pair in pairs if pair[1] == other), automatic[0]), other
    return automatic


def shortened(text: str) -> str:
    """A word as it fits into a sentence of ours."""
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"


# What static and contextual vectors can tell apart --------------------------------------------------------------------


@dataclass(frozen=True)
class Contrast:
    """Two sentences that differ in one thing.

    Attributes:
        about: what they differ in.
        words: what is compared; the sentences where there are none.
        starts: of these words in their sentences; None where each stands there once.
    """

    about: str
    first: str
    second: str
    words: tuple[str, str] | None = None
    starts: tuple[int | None, int | None] = (None, None)


def contrasts() -> tuple[Contrast, ...]:
    """The pairs of the table, in the reader's language but for their sentences."""
    return (
        Contrast(_("One word, two meanings"), *PAIRS[0][:2], words=("bat", "bat")),
        Contrast(
            _("What “it” stands for"),
            "The cat drank the milk because it was thirsty.",
            "The cat drank the milk because it was fresh.",
            words=("it", "it"),
        ),
        Contrast(_("Who does it to whom"), "The dog saw the cat.", "The cat saw the dog."),
        Contrast(_("What is negated"), "The dog is not big, but the cat is.", "The dog is big, but the cat is not."),
        Contrast(_("Two words, one meaning"), "The dog is big.", "The dog is large.", words=("big", "large")),
    )


def measured(contrast: Contrast, one: States, other: States) -> Similarity | None:
    """How alike the two are in each layer; None where a word is none of the model's."""
    if contrast.words is None:
        return of_sentences(one, other)
    places = [
        next((word.positions for word in words_of(states.tokens) if same_word(word.text) == same_word(text)), None)
        for states, text in zip((one, other), contrast.words, strict=True)
    ]
    return None if places[0] is None or places[1] is None else similarity(one, places[0], other, places[1])


_LOOKS = """<style>
.attnviz-contrasts { width: 100%; max-width: 60rem; border-collapse: collapse; font-size: 0.875rem; line-height: 1.4 }
.attnviz-contrasts :is(th, td) { padding: 0.35rem 0.6rem 0.35rem 0; border-bottom: 1px solid
  color-mix(in srgb, currentcolor 18%, transparent); text-align: left; vertical-align: top; font-weight: 400 }
.attnviz-contrasts tbody th { font-weight: 600 }
.attnviz-contrasts thead th { opacity: 0.85; font-size: 0.8125rem; vertical-align: bottom }
.attnviz-contrasts .attnviz-number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums }
.attnviz-contrasts small { opacity: 0.85; font-size: 0.8125rem }
.attnviz-contrasts mark { background: none; color: inherit; font-weight: 600; text-decoration: underline;
  text-underline-offset: 0.2em }
@media (max-width: 640px) {
  .attnviz-contrasts :is(th, td) { padding-right: 0.4rem }
}
</style>"""


def contrasts_table(rows: Sequence[tuple[Contrast, Similarity]]) -> None:
    """Draws the cosines and angles of static vectors and of those behind the last layer, a row for each pair."""
    heads = (
        f"<th scope=col>{_escaped(_('Differs in'))}</th><th scope=col>{_escaped(_('Compared'))}</th>"
        f"<th scope=col class=attnviz-number>{_escaped(_('Static'))}</th>"
        f"<th scope=col class=attnviz-number>{_escaped(_('In context'))}</th>"
    )
    lines = []
    for contrast, found in rows:
        pair = "<br>".join(
            f"<bdi>{_marked(*part)}</bdi>"
            for part in zip((contrast.first, contrast.second), contrast.words or ("", ""), contrast.starts, strict=True)
        )
        lines.append(
            f"<tr><th scope=row>{_escaped(contrast.about)}</th><td>{pair}</td>"
            f"<td class=attnviz-number>{_number(found.static)}</td>"
            f"<td class=attnviz-number>{_number(found.layers[-1])}</td></tr>"
        )
    table = f"<table class=attnviz-contrasts><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    st.html(_LOOKS + table)


def _number(cosine: float | None) -> str:
    if cosine is None:
        return "–"
    angle = math.degrees(math.acos(min(1.0, max(-1.0, cosine))))
    return f"{cosine:.3f}<br><small>{angle:.1f}°</small>".replace("-", "−")


def _marked(sentence: str, word: str, start: int | None) -> str:
    """A sentence with its word marked; the whole of it where there is none."""
    start = sentence.find(word) if start is None else start
    if not word or sentence[start : start + len(word)] != word:
        return _escaped(sentence)
    end = start + len(word)
    return f"{_escaped(sentence[:start])}<mark>{_escaped(word)}</mark>{_escaped(sentence[end:])}"


def _escaped(text: str) -> str:
    return html.escape(text)
