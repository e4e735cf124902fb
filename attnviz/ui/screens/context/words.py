"""The words of a sentence that can be chosen, and the pair that the page opens with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.embeddings.similarity import similarity
from attnviz.tokenization import token
from attnviz.tokenization.language import is_frequent_word
from attnviz.tokenization.token import Token, is_word, same_word

if TYPE_CHECKING:
    from attnviz.embeddings.hidden_states import States


LONGEST_NAME = 24  # characters of a word in a sentence of ours


@dataclass(frozen=True)
class Word:
    """A word of a sentence that can be chosen.

    Attributes:
        label: readable, and no other word of the sentence has it.
        text: as it is written.
        positions: of its tokens.
        index: among the words of all tokens, special ones included.
        start: in the text, in characters.
    """

    label: str
    text: str
    positions: tuple[int, ...]
    index: int
    start: int | None = None


def sentence_words(tokens: Sequence[Token]) -> list[Word]:
    """The words of a sentence; signs and special tokens are none."""
    token_words = token.words(tokens)
    parts = zip(token.labels(token_words), token_words, token.word_groups(tokens), strict=True)
    return [
        Word(label, word.text, group, index, word.start)
        for index, (label, word, group) in enumerate(parts)
        if is_word(word)
    ]


def shared_words(first: Sequence[Word], second: Sequence[Word]) -> list[tuple[Word, Word]]:
    """The words that stand in both sentences, each with its first counterpart; equal spellings before others."""
    pairs = []
    for word in first:
        others = [other for other in second if same_word(other.text) == same_word(word.text)]
        others.sort(key=lambda other: other.text != word.text)
        pairs += [(word, other) for other in others[:1]]
    return sorted(pairs, key=lambda pair: pair[0].text != pair[1].text)


def opening_pair(one: States, other: States, first: Sequence[Word], second: Sequence[Word]) -> tuple[Word, Word]:
    """The pair that the page opens with: of the words in both the one whose vectors differ most in the last layer.

    Words that mean something by themselves go before "the" and its like, and those before different spellings. Where no
    word is in both, it is the longest of each.
    """
    pairs = shared_words(first, second)
    if not pairs:
        longest = [max(words, key=lambda word: len(word.text)) for words in (first, second)]
        return longest[0], longest[1]
    pairs = [pair for pair in pairs if not is_frequent_word(pair[0].text)] or pairs
    alike = [pair for pair in pairs if pair[0].text == pair[1].text] or pairs
    return min(alike, key=lambda pair: similarity(one, pair[0].positions, other, pair[1].positions).layers[-1])


def shorten_word(text: str) -> str:
    """A word as it fits into a sentence of ours."""
    return text if len(text) <= LONGEST_NAME else f"{text[:LONGEST_NAME]}…"
