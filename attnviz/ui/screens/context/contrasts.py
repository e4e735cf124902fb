"""Pairs of sentences that differ in one thing: what static and contextual vectors can tell apart, as a table."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.embeddings.similarity import Similarity, of_sentences, similarity
from attnviz.tokenization.token import same_word
from attnviz.ui.screens.context.controls import PAIRS
from attnviz.ui.screens.context.words import sentence_words
from attnviz.ui.shell.messages import _, local_number

if TYPE_CHECKING:
    from attnviz.embeddings.hidden_states import States


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


def contrast_pairs() -> tuple[Contrast, ...]:
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


def contrast_similarity(contrast: Contrast, one: States, other: States) -> Similarity | None:
    """How alike the two are in each layer; None where a word is none of the model's."""
    if contrast.words is None:
        return of_sentences(one, other)
    positions = [
        next(
            (word.positions for word in sentence_words(states.tokens) if same_word(word.text) == same_word(text)), None
        )
        for states, text in zip((one, other), contrast.words, strict=True)
    ]
    return None if positions[0] is None or positions[1] is None else similarity(one, positions[0], other, positions[1])


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
        f"<th scope=col>{_escape(_('Differs in'))}</th><th scope=col>{_escape(_('Compared'))}</th>"
        f"<th scope=col class=attnviz-number>{_escape(_('Static'))}</th>"
        f"<th scope=col class=attnviz-number>{_escape(_('In context'))}</th>"
    )
    lines = []
    for contrast, alike in rows:
        pair = "<br>".join(
            f"<bdi>{_mark_word(*part)}</bdi>"
            for part in zip((contrast.first, contrast.second), contrast.words or ("", ""), contrast.starts, strict=True)
        )
        lines.append(
            f"<tr><th scope=row>{_escape(contrast.about)}</th><td>{pair}</td>"
            f"<td class=attnviz-number>{_number(alike.static)}</td>"
            f"<td class=attnviz-number>{_number(alike.layers[-1])}</td></tr>"
        )
    table = f"<table class=attnviz-contrasts><thead><tr>{heads}</tr></thead><tbody>{''.join(lines)}</tbody></table>"
    st.html(_LOOKS + table)


def _number(cosine: float | None) -> str:
    if cosine is None:
        return "–"
    angle = math.degrees(math.acos(min(1.0, max(-1.0, cosine))))
    return local_number(f"{cosine:.3f}<br><small>{angle:.1f}°</small>")


def _mark_word(sentence: str, word: str, start: int | None) -> str:
    """A sentence with its word marked; the whole of it where there is none."""
    start = sentence.find(word) if start is None else start
    if not word or sentence[start : start + len(word)] != word:
        return _escape(sentence)
    end = start + len(word)
    return f"{_escape(sentence[:start])}<mark>{_escape(word)}</mark>{_escape(sentence[end:])}"


def _escape(text: str) -> str:
    return html.escape(text)
