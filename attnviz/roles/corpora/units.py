"""Attention between the words of a list and not between tokens: what a word's tokens give and get together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from attnviz.tokenization.token import Token


def units(spans: Sequence[tuple[int, int]], tokens: Sequence[Token]) -> tuple[list[int], list[int | None]]:
    """The smallest parts of a text that both a list of words and a model's tokens can be cut into.

    Mostly a unit is a written word. The two syntactic words of "zum" are one, and so are two words that share a token
    (as happens in Chinese): attention cannot tell them apart.

    Args:
        spans: (start, end) of each word, in the order of the text.
        tokens: of the model; special tokens and those of nothing but space belong to no unit.

    Returns:
        For each word its unit, for each token its unit or None. Units count from 0 in the order of the text.

    >>> units([(0, 3), (4, 7)], [Token(5, "Der", False, 0, 0, 3), Token(6, " Ba", False, 1, 3, 6),
    ...                          Token(7, "ll", False, 1, 6, 7), Token(2, "</s>", True, None, None, None)])
    ([0, 1], [0, 1, 1, None])
    """
    touched = [_touched_words(token, spans) for token in tokens]
    joined_to_next = [False] * len(spans)
    for first in range(len(spans) - 1):
        joined_to_next[first] = spans[first] == spans[first + 1]
    for words in touched:
        for word in words[:-1]:
            joined_to_next[word] = True
    of_word, unit = [], 0
    for joined in joined_to_next:
        of_word.append(unit)
        unit += not joined
    return of_word, [of_word[words[0]] if words else None for words in touched]


def _touched_words(token: Token, spans: Sequence[tuple[int, int]]) -> list[int]:
    if token.special or token.start is None or token.end is None:
        return []
    start = token.end - len(token.text.lstrip())
    end = token.start + len(token.text.rstrip())
    return [index for index, (first, last) in enumerate(spans) if start < last and first < end]


def by_unit(weights: np.ndarray, of_query: Sequence[int | None], of_key: Sequence[int | None]) -> np.ndarray:
    """Attention between units: the sum over a unit's key tokens, the mean over its query tokens.

    Args:
        weights: (heads, query tokens, key tokens).
        of_query, of_key: the unit of each token, or None for those that are dropped.

    Returns:
        (heads, query units, key units), 0 for a unit without tokens. As `AttentionMap.by_word`, for all heads at once.
    """
    queries, keys = _members(of_query), _members(of_key)
    return (queries / np.maximum(queries.sum(axis=1, keepdims=True), 1.0)) @ weights @ keys.T


def _members(of_token: Sequence[int | None]) -> np.ndarray:
    """(units, tokens) float32: 1 where the token is a part of the unit."""
    count = 1 + max((unit for unit in of_token if unit is not None), default=-1)
    member = np.zeros((count, len(of_token)), dtype=np.float32)
    for token, unit in enumerate(of_token):
        if unit is not None:
            member[unit, token] = 1.0
    return member
