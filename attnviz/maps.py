"""`AttentionMap`: one head's weights with its tokens; words instead of tokens, tokens hidden and their share known.

Works on numpy arrays; knows neither models nor torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from attnviz import tokens as tokenization
from attnviz.errors import InputError
from attnviz.tokens import Token


@dataclass(frozen=True, slots=True, eq=False)
class AttentionMap:
    """One head's attention: rows are queries, columns are keys.

    Attributes:
        weights: float32 (query, key) in [0, 1].
        query_tokens, key_tokens: what the rows and the columns stand for.
        hidden_mass: float32 (query,) in [0, 1]: what share of each row is not shown. Without renormalising,
            `weights.sum(axis=1) + hidden_mass` is 1.
        kind, layer, head, model: where the map comes from.
        renormalised: whether the rows were divided by what is left of them.
    """

    weights: np.ndarray
    query_tokens: tuple[Token, ...]
    key_tokens: tuple[Token, ...]
    hidden_mass: np.ndarray
    kind: str = ""
    layer: int = 0
    head: int = 0
    model: str = ""
    renormalised: bool = False

    @classmethod
    def of(
        cls,
        weights: np.ndarray,
        query_tokens: tuple[Token, ...],
        key_tokens: tuple[Token, ...],
        *,
        hidden_mass: np.ndarray | None = None,
        **origin: Any,
    ) -> AttentionMap:
        """A map of which nothing is hidden, unless `hidden_mass` says so; raises InputError where sizes do not fit."""
        weights = np.asarray(weights, dtype=np.float32)
        if weights.shape != (len(query_tokens), len(key_tokens)):
            raise InputError(
                f"Weights of shape {weights.shape} do not fit {len(query_tokens)} query tokens "
                f"and {len(key_tokens)} key tokens."
            )
        hidden = np.asarray(np.zeros(len(query_tokens)) if hidden_mass is None else hidden_mass, dtype=np.float32)
        if hidden.shape != (len(query_tokens),):
            raise InputError(f"A hidden mass of shape {hidden.shape} does not fit {len(query_tokens)} query tokens.")
        return cls(weights, query_tokens, key_tokens, hidden, **origin)

    @property
    def name(self) -> str:
        """Layer and head as they are called everywhere: "L2 H5"."""
        return f"L{self.layer} H{self.head}"

    @property
    def query_labels(self) -> tuple[str, ...]:
        """Readable, unique labels of the rows."""
        return tokenization.labels(self.query_tokens)

    @property
    def key_labels(self) -> tuple[str, ...]:
        """Readable, unique labels of the columns."""
        return tokenization.labels(self.key_tokens)

    def by_word(self) -> AttentionMap:
        """Words instead of tokens: the sum over a word's key pieces, the mean over its query pieces.

        So attention *to* a word is all that its pieces get, attention *from* a word what its pieces give on average,
        and rows still sum to 1 (Clark et al. 2019, "What Does BERT Look At?", section 4.1). Special tokens stay.
        Words first or hiding first, both give the same, as long as no part of a word is hidden.

        >>> weights = [[0.5, 0.5, 0.0], [0.25, 0.25, 0.5], [0.125, 0.125, 0.75]]
        >>> pieces = (Token(7, "Ball", False, 0, 0, 4), Token(8, "es", False, 0, 4, 6), Token(9, ".", False, 1, 6, 7))
        >>> AttentionMap.of(weights, pieces, pieces).by_word().weights.round(2).tolist()
        [[0.75, 0.25], [0.25, 0.75]]
        """
        rows = _groups(self.query_tokens)  # (words, query)
        columns = _groups(self.key_tokens)  # (words, key)
        rows = rows / rows.sum(axis=1, keepdims=True)
        weights = rows @ self._shares() @ columns.T
        return dataclasses.replace(
            self,
            weights=(_normalised(weights) if self.renormalised else weights).astype(np.float32),
            query_tokens=tokenization.words(self.query_tokens),
            key_tokens=tokenization.words(self.key_tokens),
            hidden_mass=(rows @ self.hidden_mass).astype(np.float32),
        )

    def hide(
        self, what: Callable[[Token], bool] | Collection[Token] | Collection[int], *, renormalise: bool = False
    ) -> AttentionMap:
        """Leaves out tokens, as queries and as keys, and says what share of each row went with them.

        Args:
            what: a predicate such as `lambda token: token.special`, or the tokens, or their vocabulary ids.
            renormalise: divide each row by what is left of it, so that it sums to 1 again. `hidden_mass` still says
                what share is not shown. A row of which nothing is left stays 0.

        >>> pieces = (Token(2, "</s>", True, None, None, None), Token(7, "Ball", False, 0, 0, 4))
        >>> shown = AttentionMap.of([[0.5, 0.5], [0.75, 0.25]], pieces, pieces).hide(lambda token: token.special)
        >>> shown.weights.tolist(), shown.hidden_mass.tolist()
        ([[0.25]], [0.75])
        """
        hidden = what if callable(what) else _membership(what)
        rows = np.array([not hidden(token) for token in self.query_tokens], dtype=bool)
        columns = np.array([not hidden(token) for token in self.key_tokens], dtype=bool)
        shares = self._shares()
        mass = np.clip(self.hidden_mass + shares[:, ~columns].sum(axis=1), 0.0, 1.0)[rows]
        shown = shares[rows][:, columns]
        renormalised = renormalise or self.renormalised
        return dataclasses.replace(
            self,
            weights=(_normalised(shown) if renormalised else shown).astype(np.float32),
            query_tokens=tuple(token for token, keep in zip(self.query_tokens, rows, strict=True) if keep),
            key_tokens=tuple(token for token, keep in zip(self.key_tokens, columns, strict=True) if keep),
            hidden_mass=mass.astype(np.float32),
            renormalised=renormalised,
        )

    def _shares(self) -> np.ndarray:
        """The weights as shares of the whole row, also of rows that were divided by what is left of them."""
        if not self.renormalised:
            return self.weights
        # In float32 a hidden mass that is nearly 1 is 1. Its row has an undivided sum all the same, if a tiny one.
        return self.weights * np.maximum(1.0 - self.hidden_mass, 2.0**-24)[:, None]


def _normalised(weights: np.ndarray) -> np.ndarray:
    """Rows divided by their sums; a row of nothing stays 0."""
    left = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, left, out=np.zeros_like(weights), where=left > 1e-12)


def _groups(tokens: tuple[Token, ...]) -> np.ndarray:
    """(words, tokens) float32: 1 where the token is a piece of the word."""
    groups = tokenization.word_groups(tokens)
    matrix = np.zeros((len(groups), len(tokens)), dtype=np.float32)
    for word, positions in enumerate(groups):
        matrix[word, list(positions)] = 1.0
    return matrix


def _membership(what: Collection[Token] | Collection[int]) -> Callable[[Token], bool]:
    chosen = set(what)
    return lambda token: token in chosen or token.id in chosen
