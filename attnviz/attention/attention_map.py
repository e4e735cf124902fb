"""`AttentionMap`: one head's weights with its tokens; words instead of tokens, tokens hidden and their share known.

Works on numpy arrays; knows neither models nor torch.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from attnviz import display
from attnviz.errors import InputError, Message
from attnviz.tokenization.token import Token, labels, word_groups, words


@dataclass(frozen=True, slots=True, eq=False)
class AttentionMap:
    """One head's attention: rows are queries, columns are keys.

    Attributes:
        weights: float32 (query, key) in [0, 1].
        query_tokens, key_tokens: what the rows and the columns stand for.
        hidden_mass: float32 (query,) in [0, 1]: what share of each row is not shown. Without renormalising,
            `weights.sum(axis=1) + hidden_mass` is 1, except in a maximum, whose rows may add up to more.
        kind, layer, head, model: where the map comes from; None where several layers or heads were put together.
        renormalised: whether the rows were divided by what is left of them.
        aggregate: how several heads were put together, "" for the map of one head: "mean", "max" or "rollout", with
            the layers in front where those are several: "L0–3 mean".
        number: what the model itself calls the layer, where other layers stand between those with attention; else
            None.
    """

    weights: np.ndarray
    query_tokens: tuple[Token, ...]
    key_tokens: tuple[Token, ...]
    hidden_mass: np.ndarray
    kind: str = ""
    layer: int | None = 0
    head: int | None = 0
    model: str = ""
    renormalised: bool = False
    aggregate: str = ""
    number: int | None = None

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
                "Weights of shape {0} do not fit {1} query tokens and {2} key tokens.",
                weights.shape,
                len(query_tokens),
                len(key_tokens),
            )
        hidden = np.asarray(np.zeros(len(query_tokens)) if hidden_mass is None else hidden_mass, dtype=np.float32)
        if hidden.shape != (len(query_tokens),):
            raise InputError(
                "A hidden mass of shape {0} does not fit {1} query tokens.",
                hidden.shape,
                len(query_tokens),
            )
        return cls(weights, query_tokens, key_tokens, hidden, **origin)

    @property
    def name(self) -> str:
        """The layer, how heads were put together, and the head, as they are called everywhere; short enough for a card.

        What is not named was put together: "L2 H5" is one head, "L2 mean" the mean over the heads of layer 2,
        "L0–3 mean H5" that of head 5 over four layers, "L0–3 max" the maximum over all heads of these. "rollout L3"
        is the rollout from the input up to layer 3.

        >>> AttentionMap.of([[1.0]], (pieces := (Token(7, "a", False, 0, 0, 1),)), pieces, layer=2, head=5).name
        'L2 H5'
        >>> AttentionMap.of([[1.0]], pieces, pieces, layer=None, head=5, aggregate="L0–3 mean").name
        'L0–3 mean H5'
        """
        layer = "" if self.layer is None else f"L{self.layer_number}"
        head = "" if self.head is None else f"H{self.head}"
        parts = (self.aggregate, layer, head) if self.aggregate == "rollout" else (layer, self.aggregate, head)
        return " ".join(part for part in parts if part)

    @property
    def layer_number(self) -> int | None:
        """What the model itself calls the layer; None where several were put together."""
        return self.layer if self.layer is None or self.number is None else self.number

    @property
    def query_labels(self) -> tuple[str, ...]:
        """Readable, unique labels of the rows."""
        return labels(self.query_tokens)

    @property
    def key_labels(self) -> tuple[str, ...]:
        """Readable, unique labels of the columns."""
        return labels(self.key_tokens)

    def __repr__(self) -> str:
        origin = ", ".join(part for part in (self.name, self.kind, self.model) if part)
        return f"AttentionMap({origin}: {len(self.query_tokens)} queries × {len(self.key_tokens)} keys)"

    def _repr_html_(self) -> str | None:
        return display.notebook_html(self)

    def _repr_png_(self) -> bytes | None:
        return display.notebook_png(self)

    def by_word(self) -> AttentionMap:
        """Words instead of tokens: the sum over a word's key pieces, the mean over its query pieces.

        So attention *to* a word is all that its pieces get, attention *from* a word what its pieces give on average,
        and rows still sum to 1 (Clark et al. 2019, "What Does BERT Look At?", section 4.1). Special tokens stay.
        Words first or hiding first, both give the same, as long as no part of a word is hidden. In a maximum it is the
        largest weight between any of their pieces, as a sum of maxima may exceed 1.

        >>> weights = [[0.5, 0.5, 0.0], [0.25, 0.25, 0.5], [0.125, 0.125, 0.75]]
        >>> pieces = (Token(7, "Ball", False, 0, 0, 4), Token(8, "es", False, 0, 4, 6), Token(9, ".", False, 1, 6, 7))
        >>> AttentionMap.of(weights, pieces, pieces).by_word().weights.round(2).tolist()
        [[0.75, 0.25], [0.25, 0.75]]
        """
        (rows, query_words), (columns, key_words) = _words(self.query_tokens), _words(self.key_tokens)
        weights, hidden = self.amounts()
        reduce = np.maximum if self.is_maximum else np.add
        weights = _reduce_groups(reduce, _reduce_groups(reduce, weights, columns, axis=1), rows, axis=0)
        hidden = _reduce_groups(reduce, hidden, rows, axis=0)
        if not self.is_maximum:
            pieces = np.array([len(row) for row in rows], dtype=np.float32)
            weights, hidden = weights / pieces[:, None], hidden / pieces
        return self.with_amounts(weights, hidden, query_words, key_words)

    def average_queries(self, positions: Collection[int]) -> AttentionMap:
        """One row instead of all: the mean of the chosen ones, which also gives it its name.

        Args:
            positions: which rows, counted from 0 as they stand in this map; their order does not matter.

        Returns:
            A map with one row, labelled with all that it is made of, "sah + den"; its hidden mass is the mean too. In
            a renormalised map the row is divided again, so that a row counts for as much as is shown of it.

        Raises:
            InputError: no row is chosen, or one that there is not.

        >>> pieces = (Token(7, "sah", False, 0, 0, 3), Token(8, "den", False, 1, 4, 7))
        >>> shown = AttentionMap.of([[0.5, 0.5], [0.25, 0.75]], pieces, pieces).average_queries([0, 1])
        >>> shown.query_labels, shown.weights.tolist()
        (('sah + den',), [[0.375, 0.625]])
        """
        count = len(self.query_tokens)
        chosen = sorted(set(positions))
        wrong = [str(position) for position in chosen if not 0 <= position < count]
        if not chosen or wrong:
            available = (
                Message("This map has the rows 0 to {0}", count - 1) if count else Message("This map has no rows")
            )
            problem = Message("not {0}", ", ".join(wrong)) if wrong else Message("and none was chosen")
            raise InputError("{0}, {1}. Choose one or more of its rows to average.", available, problem)
        weights, hidden = self.amounts()
        return self.with_amounts(
            weights[chosen].mean(axis=0, keepdims=True),
            hidden[chosen].mean(keepdims=True),
            (join_tokens([self.query_tokens[row] for row in chosen], [self.query_labels[row] for row in chosen]),),
            self.key_tokens,
        )

    def hide(
        self,
        predicate_or_tokens: Callable[[Token], bool] | Collection[Token] | Collection[int],
        *,
        renormalise: bool = False,
    ) -> AttentionMap:
        """Leaves out tokens, as queries and as keys, and says what share of each row went with them.

        Args:
            predicate_or_tokens: a predicate such as `lambda token: token.special`, or tokens, or their vocabulary ids.
            renormalise: divide each row by what is left of it, so that it sums to 1 again. `hidden_mass` still says
                what share is not shown. A row of which nothing is left stays 0.

        >>> pieces = (Token(2, "</s>", True, None, None, None), Token(7, "Ball", False, 0, 0, 4))
        >>> shown = AttentionMap.of([[0.5, 0.5], [0.75, 0.25]], pieces, pieces).hide(lambda token: token.special)
        >>> shown.weights.tolist(), shown.hidden_mass.tolist()
        ([[0.25]], [0.75])
        """
        hidden = predicate_or_tokens if callable(predicate_or_tokens) else _membership(predicate_or_tokens)
        rows = np.array([not hidden(token) for token in self.query_tokens], dtype=bool)
        columns = np.array([not hidden(token) for token in self.key_tokens], dtype=bool)
        shares, mass = self.amounts()
        return self.with_amounts(
            shares[rows][:, columns],
            (mass + shares[:, ~columns].sum(axis=1))[rows],
            tuple(token for token, keep in zip(self.query_tokens, rows, strict=True) if keep),
            tuple(token for token, keep in zip(self.key_tokens, columns, strict=True) if keep),
            renormalise=renormalise,
        )

    def without_first_key(self) -> AttentionMap:
        """Leaves out the first column, on which many heads rest when they look for nothing, and counts it as hidden.

        Xiao et al. 2024, "Efficient Streaming Language Models with Attention Sinks", section 3.1.

        >>> pieces = (Token(7, "a", False, 0, 0, 1), Token(8, "b", False, 1, 2, 3))
        >>> shown = AttentionMap.of([[1.0, 0.0], [0.75, 0.25]], pieces, pieces).without_first_key()
        >>> shown.weights.tolist(), shown.hidden_mass.tolist(), shown.key_labels
        ([[0.0], [0.25]], [1.0, 0.75], ('b',))
        """
        shown, hidden = self.amounts()
        return self.with_amounts(shown[:, 1:], hidden + shown[:, :1].sum(axis=1), key_tokens=self.key_tokens[1:])

    @property
    def is_maximum(self) -> bool:
        """Whether the weights are the largest of several, which do not add up to 1."""
        return "max" in self.aggregate.split()

    def amounts(self) -> tuple[np.ndarray, np.ndarray]:
        """What is shown and what is hidden of each row, before any dividing and on one scale.

        Returns:
            float32 (query, key) and (query,). A row of both adds up to 1, in a maximum to 1 or more.
        """
        if self.renormalised:
            # In float32 a hidden mass that is nearly 1 is 1. Its row has an undivided sum all the same, if a tiny one.
            return self.weights * np.maximum(1.0 - self.hidden_mass, 2.0**-24)[:, None], self.hidden_mass
        if self.is_maximum:
            shown = self.weights.sum(axis=1)
            shown_share = 1.0 - self.hidden_mass
            return self.weights, np.where(
                shown_share > 0, shown * self.hidden_mass / np.where(shown_share > 0, shown_share, 1.0), 1.0
            )
        return self.weights, self.hidden_mass

    def with_amounts(
        self,
        shown: np.ndarray,
        hidden: np.ndarray,
        query_tokens: tuple[Token, ...] | None = None,
        key_tokens: tuple[Token, ...] | None = None,
        *,
        renormalise: bool = False,
    ) -> AttentionMap:
        """A map of the same origin that shows these `amounts`, divided again if this one is or `renormalise` says so.

        Args:
            shown, hidden: (query, key) and (query,).
            query_tokens, key_tokens: of the new rows and columns; None where they are the old ones.
        """
        if self.is_maximum:
            total = shown.sum(axis=1) + hidden
            hidden = np.divide(hidden, total, out=np.zeros_like(total), where=total > 0)
        renormalised = renormalise or self.renormalised
        return dataclasses.replace(
            self,
            weights=(_normalise(shown) if renormalised else shown).astype(np.float32),
            query_tokens=self.query_tokens if query_tokens is None else query_tokens,
            key_tokens=self.key_tokens if key_tokens is None else key_tokens,
            hidden_mass=np.clip(hidden, 0.0, 1.0).astype(np.float32),
            renormalised=renormalised,
        )


def _normalise(weights: np.ndarray) -> np.ndarray:
    """Rows divided by their sums; a row of nothing stays 0."""
    sums = weights.sum(axis=1, keepdims=True)
    return np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 1e-12)


@functools.lru_cache(maxsize=16)
def _words(tokens: tuple[Token, ...]) -> tuple[tuple[tuple[int, ...], ...], tuple[Token, ...]]:
    """Which positions make up each word, and the words; kept, because all heads have the same tokens."""
    return word_groups(tokens), words(tokens)


def _reduce_groups(reduce: np.ufunc, values: np.ndarray, groups: Sequence[Sequence[int]], axis: int) -> np.ndarray:
    """The sum, or the largest, of each group of positions on an axis."""
    order = np.array([position for group in groups for position in group], dtype=np.intp)
    starts = np.cumsum([0, *(len(group) for group in groups)], dtype=np.intp)[:-1]
    return reduce.reduceat(values.take(order, axis=axis), starts, axis=axis)


def join_tokens(tokens: Sequence[Token], labels: Sequence[str]) -> Token:
    """The token of a row that was averaged over several; its text names them all."""
    special = all(token.special for token in tokens)
    return Token(-1, " + ".join(labels), special, None if special else 0, None, None)


def _membership(tokens: Collection[Token] | Collection[int]) -> Callable[[Token], bool]:
    chosen = set(tokens)
    return lambda token: token in chosen or token.id in chosen
