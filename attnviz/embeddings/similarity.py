"""How alike two words, or two sentences, are to a model: cosines of their vectors in every layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from attnviz.embeddings.hidden_states import States
from attnviz.tokenization.token import Token, is_word, same_word, word_groups, words

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True)
class Similarity:
    """Cosines in [-1, 1] from the embedding table to the last layer.

    Attributes:
        static: of the static vectors, or None where there are none.
        layers: of what enters layer 0, and of what comes out of each layer.
        pairs: how many pairs of words they are the mean of.
    """

    static: float | None
    layers: tuple[float, ...]
    pairs: int = 1


def similarity(one: States, first: Sequence[int], other: States, second: Sequence[int]) -> Similarity:
    """How alike two words are in each layer: the cosines of their vectors.

    Args:
        one, other: vectors of one model.
        first, second: positions of the words' tokens.

    >>> similarity(one, [3], other, [1]).static  # the same token in two sentences
    1.0
    """
    (static, path), (other_static, other_path) = one.path(first), other.path(second)
    along = torch.cosine_similarity(path, other_path, dim=-1)
    alike = None
    if static is not None and other_static is not None:
        # Equal rows are equal: rounding must not make 0.9999999 of them.
        equal = torch.equal(static, other_static)
        alike = 1.0 if equal else float(torch.cosine_similarity(static, other_static, dim=-1))
    return Similarity(alike, tuple(along.tolist()))


def between_words(one: States, other: States, *, without: tuple[int, int] | None = None) -> Similarity | None:
    """How alike different words are in each layer: the mean over all pairs of a word of each text.

    In many models any two words are alike to some degree, the more so the later the layer (Ethayarajh 2019, "How
    Contextual are Contextualized Word Representations?", section 4.1); a similarity says something only beside it.

    Args:
        one, other: vectors of one model.
        without: the first tokens of a pair of words that is left out.

    Returns:
        The means; None where the two texts have no two different words.
    """
    first, second = _word_groups(one.tokens), _word_groups(other.tokens)
    different = np.array([[name != other_name for other_name, _ in second] for name, _ in first], dtype=bool)
    different = different.reshape(len(first), len(second))
    if without is not None:
        for i, (_, group) in enumerate(first):
            for j, (_, other_group) in enumerate(second):
                different[i, j] &= not (without[0] in group and without[1] in other_group)
    if not different.any():
        return None
    mask = torch.from_numpy(different)

    def mean(vectors: Tensor, others: Tensor) -> Tensor:  # (layers, tokens, width) twice -> (layers,)
        a, b = (
            torch.nn.functional.normalize(
                torch.stack([states[:, list(group)].mean(dim=1) for _, group in groups]), dim=-1
            )
            for states, groups in ((vectors, first), (others, second))
        )  # (words, layers, width)
        return torch.einsum("ipw,jpw->ijp", a, b)[mask].mean(dim=0)

    static = None
    if one.static is not None and other.static is not None:
        static = float(mean(one.static[None], other.static[None])[0])
    return Similarity(static, tuple(mean(one.layers, other.layers).tolist()), int(mask.sum()))


def of_sentences(one: States, other: States) -> Similarity:
    """How alike two sentences are in each layer: the cosines of the means of their words' tokens, special ones left
    out. The mean of static vectors is a bag of words: it does not know their order."""
    positions = [
        [position for position, token in enumerate(states.tokens) if not token.special] for states in (one, other)
    ]
    similarities = similarity(one, positions[0], other, positions[1])
    if similarities.static is not None and sorted(one.tokens[position].id for position in positions[0]) == sorted(
        other.tokens[position].id for position in positions[1]
    ):
        return Similarity(1.0, similarities.layers)  # the same rows, added up in another order
    return similarities


def _word_groups(tokens: Sequence[Token]) -> list[tuple[str, tuple[int, ...]]]:
    """The words that are more than signs: as they are compared, with the positions of their tokens."""
    return [
        (same_word(word.text), group)
        for word, group in zip(words(tokens), word_groups(tokens), strict=True)
        if is_word(word)
    ]
