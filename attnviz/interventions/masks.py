"""Sparse attention: what a query may see, by position, by score, or by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from attnviz.errors import InputError, Message
from attnviz.models.recording.changes import Heads, Intervention, LayerRows


def positive(name: str, value: int) -> int:
    """A count of 1 or more; raises InputError where it is none."""
    if not isinstance(value, int) or value < 1:
        raise InputError("`{0}` has to be a whole number, 1 or more, not {1!r}.", name, value)
    return value


@dataclass(frozen=True)
class Mask(Intervention):
    """Hides keys by their position; made by one of the class methods. What the model hides stays hidden.

    Attributes:
        where: the heads.
        pattern: "window", "causal", "without", "edge" or "strided".
        numbers: what the pattern needs: see the class methods.

    A query that may see no key at all puts out nothing.
    """

    where: Heads
    pattern: str
    numbers: tuple[int, ...] = ()
    stage = "scores"

    @classmethod
    def window(cls, where: Heads, size: int) -> Mask:
        """Each query sees itself and `size` neighbours on either side (the sliding window of Child et al. 2019).

        >>> Mask.window(Heads("encoder"), 2).numbers
        (2,)
        """
        if not isinstance(size, int) or size < 0:
            raise InputError("`size` has to be a whole number, 0 or more, not {0!r}.", size)
        return cls(where, "window", (size,))

    @classmethod
    def causal(cls, where: Heads) -> Mask:
        """Each query sees itself and what stands before it, as in a decoder (Vaswani et al. 2017, section 3.2.3)."""
        return cls(where, "causal")

    @classmethod
    def without(cls, where: Heads, keys: Sequence[int]) -> Mask:
        """Nobody may see these keys; positions count from 0.

        >>> Mask.without(Heads("encoder"), keys=[4, 3]).numbers
        (3, 4)
        """
        if not keys or any(int(key) < 0 for key in keys):
            raise InputError("`keys` has to name one or more positions, counted from 0, not {0!r}.", list(keys))
        return cls(where, "without", tuple(sorted({int(key) for key in keys})))

    @classmethod
    def edge(cls, where: Heads, query: int, key: int) -> Mask:
        """One query may not see one key (the attention knockout of Geva et al. 2023, "Dissecting Recall of Factual
        Associations in Auto-Regressive Language Models", section 4)."""
        if query < 0 or key < 0:
            raise InputError("`query` and `key` are positions, counted from 0, not {0} and {1}.", query, key)
        return cls(where, "edge", (int(query), int(key)))

    @classmethod
    def strided(cls, where: Heads, size: int, stride: int) -> Mask:
        """Each query sees `size` neighbours on either side, and beyond them every key that is a multiple of `stride`
        away (Child et al. 2019, "Generating Long Sequences with Sparse Transformers", section 4.2)."""
        return cls(where, "strided", (*cls.window(where, size).numbers, positive("stride", stride)))

    def check(self, kind: str, queries: int, keys: int) -> None:
        """Raises InputError where a position is not in the text."""
        needed: dict[Message, tuple[int, int]] = {}
        if self.pattern == "without":
            needed[Message("key")] = (self.numbers[-1], keys)
        elif self.pattern == "edge":
            needed = {Message("query"): (self.numbers[0], queries), Message("key"): (self.numbers[1], keys)}
        for name, (position, count) in needed.items():
            if position >= count:
                raise InputError(
                    "The {0} attention of this text has {1} positions 0 to {2}, not {3}.",
                    kind,
                    name,
                    count - 1,
                    position,
                )

    def is_neutral(self, queries: int, keys: int) -> bool:
        """A window that holds the whole text, or steps of 1, hide nothing."""
        if self.pattern == "window":
            return self.numbers[0] >= max(queries, keys) - 1
        return self.pattern == "strided" and (self.numbers[0] >= max(queries, keys) - 1 or self.numbers[1] == 1)

    def visible(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Boolean (queries, keys): what the pattern leaves, for positions (queries,) and (keys,).

        >>> Mask.window(Heads("encoder"), 1).visible(torch.arange(2), torch.arange(3)).tolist()
        [[True, True, False], [True, True, True]]
        """
        query, key = queries[:, None], keys[None, :]
        distance = (query - key).abs()
        if self.pattern == "window":
            return distance <= self.numbers[0]
        if self.pattern == "causal":
            return key <= query
        if self.pattern == "without":
            hidden = torch.tensor(self.numbers, device=keys.device)
            return ~torch.isin(key, hidden).expand(len(queries), -1)
        if self.pattern == "edge":
            return ~((query == self.numbers[0]) & (key == self.numbers[1]))
        size, stride = self.numbers
        return (distance <= size) | (distance % stride == 0)

    def change(self, values: Tensor, at: LayerRows) -> Tensor:
        """-inf where the pattern hides a key."""
        return values.masked_fill(~self.visible(at.rows, at.keys), -torch.inf)


@dataclass(frozen=True)
class TopK(Intervention):
    """Each query sees only the keys with its highest scores, as in the k-sparse attention that articles name.

    Attributes:
        where: the heads.
        k: how many, 1 or more. Of equal scores those that PyTorch's `topk` takes.

    >>> TopK(Heads("encoder"), 2).k
    2
    """

    where: Heads
    k: int
    stage = "scores"

    def __post_init__(self) -> None:
        positive("k", self.k)

    def is_neutral(self, queries: int, keys: int) -> bool:
        """As many as there are, or more."""
        return self.k >= keys

    def change(self, values: Tensor, at: LayerRows) -> Tensor:
        """-inf but for the k highest."""
        if self.k >= values.shape[-1]:
            return values
        highest, position = values.topk(self.k, dim=-1)
        return torch.full_like(values, -torch.inf).scatter(-1, position, highest)


@dataclass(frozen=True)
class Hashing(Intervention):
    """A query sees only keys in its own bucket: locality-sensitive hashing (Kitaev et al. 2020, "Reformer: The
    Efficient Transformer", section 2).

    A vector x falls into the bucket arg max [x R; −x R] of a random matrix R, so that vectors of like direction share
    one. Over several rounds, each with another R, a query sees what shares its bucket in any of them. In
    self-attention a query that shares its bucket with no key sees itself; in cross-attention it sees nothing. Reformer
    trains with queries equal to keys; where these differ, as in most models, they meet more rarely.

    Attributes:
        where: the heads.
        buckets: 1, or an even number.
        rounds: 1 or more.
        seed: of the random matrices, which are the same in all layers and heads.

    Raises:
        InputError: a number is not of this form.

    >>> Hashing(Heads("encoder"), buckets=4).bucket(torch.eye(3)).shape
    torch.Size([1, 3])
    """

    where: Heads
    buckets: int
    rounds: int = 1
    seed: int = 0
    stage = "scores"

    def __post_init__(self) -> None:
        positive("rounds", self.rounds)
        if positive("buckets", self.buckets) % 2 and self.buckets != 1:
            raise InputError("`buckets` has to be 1 or an even number, not {0}.", self.buckets)

    def is_neutral(self, queries: int, keys: int) -> bool:
        """One bucket holds all."""
        return self.buckets == 1

    def bucket(self, vectors: Tensor) -> Tensor:
        """Int (rounds, …): the bucket, from 0, of each vector (…, dim) in each round."""
        if self.buckets == 1:
            return torch.zeros((self.rounds, *vectors.shape[:-1]), dtype=torch.long, device=vectors.device)
        generator = torch.Generator().manual_seed(self.seed)
        directions = torch.randn(self.rounds, vectors.shape[-1], self.buckets // 2, generator=generator)
        rotated = torch.einsum("...d,rdb->r...b", vectors.float(), directions.to(vectors.device))
        return torch.cat([rotated, -rotated], dim=-1).argmax(dim=-1)

    def change(self, values: Tensor, at: LayerRows) -> Tensor:
        """-inf where query and key share a bucket in no round."""
        query, key = self.bucket(at.query), self.bucket(at.key)  # (rounds, heads, rows), (rounds, heads, keys)
        shared = (query[..., :, None] == key[..., None, :]).any(dim=0) & (values > -torch.inf)
        if at.kind != "cross":
            alone = ~shared.any(dim=-1, keepdim=True)
            shared |= alone & (at.rows[:, None] == at.keys[None, :])
        return values.masked_fill(~shared, -torch.inf)
