"""Maps at a size that a screen can show: neighbouring positions of a long text are taken together in groups.

    a recording ─ Recording.pooled_map ─┐
    a map ─ pool ───────────────────────┴─ AttentionMap, whose tokens know how many positions they stand for

Attention to a group is all that its tokens get, attention from a group what its tokens give on average, as with words
(`AttentionMap.by_word`). So a row and the share of it that is hidden still sum to 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention.attention_map import AttentionMap
from attnviz.tokenization.token import Token, is_word, word_groups, words

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording

MOST = 256  # positions on an axis; a card of the grid has about as many pixels


def is_long(recording: Recording, kind: str) -> bool:
    """Whether the maps of this kind have more than `MOST` positions on an axis."""
    return max(recording.size(kind)[2:]) > MOST


def is_pooled(tokens: Sequence[Token]) -> bool:
    """Whether the positions of this axis stand for groups of neighbours.

    >>> is_pooled(pool_tokens((Token(7, "a", False, 0, 0, 1), Token(8, "b", False, 1, 2, 3)), 1))
    True
    """
    return any(token.count > 1 for token in tokens)


def groups(count: int, size: int) -> np.ndarray:
    """(count,) int: the group of each position, as `Recording.pooled` divides them; sizes differ by one at most.

    >>> groups(7, 3).tolist()
    [0, 0, 0, 1, 1, 2, 2]
    """
    return np.arange(count) * min(count, size) // max(count, 1)


def pool(map: AttentionMap, size: int) -> AttentionMap:
    """A map with at most `size` queries and keys; one that has no more comes back as it is.

    Args:
        map: weights (query, key) in [0, 1].
        size: most positions on an axis, 1 or more.

    Returns:
        The sum over a group's keys, the mean over its queries; in a maximum the largest of both, as a sum of maxima
        may exceed 1. In a renormalised map the rows are divided again, so that a row counts for as much as is shown
        of it.

    Example:
        >>> pieces = tuple(Token(7 + i, text, False, i, 2 * i, 2 * i + 1) for i, text in enumerate("abcd"))
        >>> weights = [[1, 0, 0, 0], [0.5, 0.5, 0, 0], [0.25, 0.25, 0.5, 0], [0.25, 0.25, 0.25, 0.25]]
        >>> small = pool(AttentionMap.of(weights, pieces, pieces), 2)
        >>> small.weights.tolist(), small.key_labels
        ([[1.0, 0.0], [0.5, 0.5]], ('a…', 'c…'))
    """
    if max(map.weights.shape) <= size:
        return map
    rows, columns = (groups(count, size) for count in map.weights.shape)
    weights, hidden = map.amounts()
    reduce = np.maximum if map.is_maximum else np.add
    weights = reduce.reduceat(weights, _starts(columns), axis=1)
    weights, hidden = (reduce.reduceat(values, _starts(rows), axis=0) for values in (weights, hidden))
    if not map.is_maximum:
        counts = np.bincount(rows).astype(np.float32)
        weights, hidden = weights / counts[:, None], hidden / counts
    return map.with_amounts(
        np.minimum(weights, 1.0), hidden, pool_tokens(map.query_tokens, size), pool_tokens(map.key_tokens, size)
    )


def pool_tokens(tokens: tuple[Token, ...], size: int) -> tuple[Token, ...]:
    """A token for each group, named by the first word that begins in it and "…"; an axis up to `size` stays as it is.

    A group in which no word begins is named by the word that it is part of, one of other signs by the first of them.
    A group of one is a token of its own all the same, so that all positions of an axis are of one kind.

    >>> pieces = (Token(7, "pic", False, 0, 0, 3), Token(8, "ture", False, 0, 3, 7), Token(9, " of", False, 1, 7, 10),
    ...           Token(9, " it", False, 2, 10, 13))
    >>> [(token.text, token.count) for token in pool_tokens(pieces, 2)]
    [('picture', 2), ('of…', 2)]
    """
    if len(tokens) <= size:
        return tokens
    whole = {position: (group[0], word) for group, word in _words(tokens) for position in group}
    numbers = groups(len(tokens), size)
    starts = [*_starts(numbers).tolist(), len(tokens)]
    pooled = []
    for number, (start, stop) in enumerate(pairwise(starts)):
        within = range(start, stop)
        in_words = [position for position in within if is_word(whole[position][1])]
        beginning = [position for position in in_words if whole[position][0] == position]
        first = (beginning or in_words or within)[0]
        word = whole[first][1]
        more = any(whole[position][1] is not word for position in within)
        text = f"{word.text.strip().rstrip('…') or word.text}…" if more else word.text
        pooled.append(Token(-1, text, False, number, None, None, sum(tokens[at].count for at in within)))
    return tuple(pooled)


def _words(tokens: tuple[Token, ...]) -> Iterator[tuple[tuple[int, ...], Token]]:
    """The positions of each word, and the word."""
    return zip(word_groups(tokens), words(tokens), strict=True)


def _starts(groups: np.ndarray) -> np.ndarray:
    """Where each group begins."""
    return np.flatnonzero(np.diff(groups, prepend=-1))
