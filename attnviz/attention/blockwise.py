"""The same weights for any length, a block of rows at a time, so that no (queries, keys) matrix has to exist.

A `Rule` holds, in memory that grows with the number of tokens and not with its square, everything beside queries and
keys that decides the weights of one attention layer. Softmax is exact: a block holds whole rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from attnviz.attention import dot_product

BLOCK_ELEMENTS = 1 << 22
"""Scores held at once: 16 MiB in float32."""


@dataclass(frozen=True, slots=True)
class Spans:
    """Which keys each query may see, where these are neighbours: keys first[q] … stop[q] - 1.

    Causal attention, sliding windows, chunks and padding all have this form; two numbers a query instead of a row.
    """

    first: Tensor  # (queries,) int
    stop: Tensor  # (queries,) int

    def allowed(self, rows: slice, keys: int) -> Tensor:
        """(rows, keys) boolean."""
        key = torch.arange(keys, device=self.first.device)
        return (key >= self.first[rows, None]) & (key < self.stop[rows, None])

    @classmethod
    def causal(cls, queries: int, device: torch.device) -> Spans:
        """Each query sees itself and the keys before it."""
        stop = torch.arange(1, queries + 1, device=device)
        return cls(torch.zeros_like(stop), stop)

    @classmethod
    def of(cls, allowed: Tensor) -> Spans | None:
        """The spans of a (queries, keys) boolean mask; None where some query's keys are no neighbours."""
        queries, keys = allowed.shape
        count = allowed.sum(dim=-1)
        first, last = torch.zeros_like(count), torch.zeros_like(count)
        for rows in blocks(queries, keys):  # the search for the first and the last needs a copy of the mask
            block = allowed[rows].to(torch.uint8)
            first[rows] = block.argmax(dim=-1)
            last[rows] = keys - 1 - block.flip(-1).argmax(dim=-1)
        if bool(((last - first + 1 == count) | (count == 0)).all()):
            return cls(first, first + count)
        return None


@dataclass(frozen=True, slots=True)
class Diagonals:
    """A position bias that depends on key - query only, as T5's and ALiBi's do: one value a diagonal.

    `values[head, key - query + queries - 1]`.
    """

    values: Tensor  # (heads or 1, queries + keys - 1)
    queries: int

    def block(self, rows: slice, keys: int) -> Tensor:
        """(heads or 1, rows, keys)."""
        query = torch.arange(*rows.indices(self.queries), device=self.values.device)
        index = torch.arange(keys, device=self.values.device) - query[:, None] + self.queries - 1
        return self.values[:, index]

    @classmethod
    def of(cls, bias: Tensor) -> Diagonals | None:
        """The diagonals of a (heads or 1, queries, keys) bias; None where one of them is not constant."""
        queries = bias.shape[-2]
        if not torch.equal(bias[:, 1:, 1:], bias[:, :-1, :-1]):
            return None
        return cls(torch.cat([bias[:, :, 0].flip(-1), bias[:, 0, 1:]], dim=-1).contiguous(), queries)


@dataclass(frozen=True, slots=True)
class Rule:
    """What beside queries and keys decides the weights of one attention layer.

    Attributes:
        scale: factor of the dot product.
        softcap: see `attention.scores`; None where the model has none.
        sink: (heads,) see `attention.weights`; None where the model has none.
        visible: which keys each query may see: None (all), `Spans`, or a (heads or 1, queries, keys) boolean mask.
        bias: added to the scaled scores: None, `Diagonals`, or (heads or 1, queries or 1, keys).
    """

    scale: float
    softcap: float | None = None
    sink: Tensor | None = None
    visible: Spans | Tensor | None = None
    bias: Diagonals | Tensor | None = None

    def scores(self, query: Tensor, key: Tensor, rows: slice, heads: slice = slice(None)) -> Tensor:
        """The float32 scores of some rows: query (heads, rows, head_dim) and key (heads, keys, head_dim), both already
        cut to `heads` and `rows`, give (heads, rows, keys)."""
        keys = key.shape[-2]
        bias = self.bias.block(rows, keys) if isinstance(self.bias, Diagonals) else self.bias
        if bias is not None:
            bias = _cut(bias, heads, rows if not isinstance(self.bias, Diagonals) else slice(None)).float()
        allowed = None
        if isinstance(self.visible, Spans):
            allowed = self.visible.allowed(rows, keys)
        elif self.visible is not None:
            allowed = _cut(self.visible, heads, rows)
        return dot_product.scores(
            query.float(), key.float(), scale=self.scale, softcap=self.softcap, bias=bias, allowed=allowed
        )

    def weights(self, query: Tensor, key: Tensor, rows: slice, heads: slice = slice(None)) -> Tensor:
        """As `scores`, after softmax."""
        sink = None if self.sink is None else self.sink[heads].float()
        return dot_product.weights(self.scores(query, key, rows, heads), sink=sink)


def _cut(tensor: Tensor, heads: slice, rows: slice) -> Tensor:
    """The part of a (heads or 1, queries or 1, keys) tensor that belongs to `heads` and `rows`."""
    tensor = tensor if tensor.shape[0] == 1 else tensor[heads]
    return tensor if tensor.shape[1] == 1 else tensor[:, rows]


def blocks(queries: int, keys: int, heads: int = 1) -> Iterator[slice]:
    """Slices that cover the query axis, each of at most about `BLOCK_ELEMENTS` scores.

    >>> list(blocks(5, BLOCK_ELEMENTS // 2))
    [slice(0, 2, None), slice(2, 4, None), slice(4, 5, None)]
    """
    step = max(1, BLOCK_ELEMENTS // max(1, keys * heads))
    for start in range(0, queries, step):
        yield slice(start, min(start + step, queries))


def output(query: Tensor, key: Tensor, value: Tensor, rule: Rule, part: slice = slice(None)) -> Tensor:
    """What the layer's heads put out, block by block: (heads, queries, value_dim), in float32.

    Used for a rule that PyTorch's fused attention cannot honour (a soft cap, sinks, an intervention). Where query, key
    and value are those of some heads only, `part` says of which.
    """
    heads, queries, _ = query.shape
    result = query.new_empty((heads, queries, value.shape[-1]), dtype=torch.float32)
    for rows in blocks(queries, key.shape[-2], heads):
        result[:, rows] = dot_product.output(rule.weights(query[:, rows], key, rows, part), value.float())
    return result
