"""Compares a word in two sentences: how alike its vectors are in each layer, and what it looks at in each sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.computation.contributions import word_contributions, word_weights
from attnviz.embeddings.similarity import between_words, similarity
from attnviz.tokenization import token
from attnviz.tokenization.token import same_word
from attnviz.ui.screens.context.words import Word

if TYPE_CHECKING:
    import numpy as np

    from attnviz.computation.contributions import Contributions
    from attnviz.embeddings.hidden_states import States
    from attnviz.embeddings.similarity import Similarity
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording


@dataclass(frozen=True)
class Side:
    """One of the two sentences.

    Attributes:
        sentence: as it was typed.
        recording: its attention.
        states: its vectors.
    """

    sentence: str
    recording: Recording
    states: States


@dataclass(frozen=True)
class WordSelection:
    """What is looked at; the mean of all heads where `head` is None."""

    kind: str
    layer: int
    head: int | None
    words: tuple[Word, Word]

    @property
    def one_word(self) -> bool:
        """Whether the two words are the same."""
        return same_word(self.words[0].text) == same_word(self.words[1].text)


@dataclass(frozen=True)
class Sources:
    """What a word looks at in a sentence, and what that adds to it, in each layer.

    Attributes:
        labels: of the words that are looked at.
        own: the index of the word itself among them; None in cross-attention.
        weights: per layer (words,), in [0, 1].
        moved: per layer; empty where that is not known.
    """

    labels: tuple[str, ...]
    own: int | None
    weights: tuple[np.ndarray, ...]
    moved: tuple[Contributions, ...]

    @property
    def parts(self) -> list[np.ndarray]:
        """Per layer each word's share of what was added, or of the attention where only that is known."""
        return [part.shares for part in self.moved] or [*self.weights]


@dataclass(frozen=True)
class WordComparison:
    """A word in two sentences: how alike it is in each layer, what different words are, and what moved it."""

    word: Similarity
    others: Similarity | None
    sources: tuple[Sources, Sources]


def compare_words(model: Model, sides: tuple[Side, Side], selection: WordSelection) -> WordComparison:
    """Everything that the page shows of two words."""
    one, other = (side.states for side in sides)
    first, second = (word.positions for word in selection.words)
    return WordComparison(
        similarity(one, first, other, second),
        between_words(one, other, without=(first[0], second[0])),
        (
            _sources(model, sides[0], selection, selection.words[0]),
            _sources(model, sides[1], selection, selection.words[1]),
        ),
    )


def _sources(model: Model, side: Side, selection: WordSelection, word: Word) -> Sources:
    recording, kind = side.recording, selection.kind
    layers = range(recording.size(kind)[0])
    moved = [
        word_contributions(model, recording, kind, word.positions, layer=layer, head=selection.head) for layer in layers
    ]
    contributions = tuple(part for part in moved if part is not None)
    return Sources(
        labels=token.labels(token.words(recording.key_tokens(kind))),
        own=None if kind == "cross" else word.index,
        weights=tuple(
            word_weights(recording, kind, word.positions, layer=layer, head=selection.head) for layer in layers
        ),
        moved=contributions if len(contributions) == len(layers) else (),
    )
