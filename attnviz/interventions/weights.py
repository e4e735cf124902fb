"""Weights made sharper or more even, dropped by chance, or taken from elsewhere."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from attnviz.errors import InputError
from attnviz.models.recording.changes import Heads, Intervention, LayerRows

MOST_SEED = 2**31
KINDS = ("encoder", "decoder", "cross")


@dataclass(frozen=True)
class Temperature(Intervention):
    """Divides the scores before softmax (Hinton et al. 2015, "Distilling the Knowledge in a Neural Network",
    section 2): below 1 the weights become sharper, above 1 more even, until all are equal.

    Attributes:
        where: the heads.
        value: more than 0; 1 changes nothing.

    Raises:
        InputError: `value` is not positive.

    >>> Temperature(Heads("encoder"), 2.0).change(torch.tensor([4.0]), None)
    tensor([2.])
    """

    where: Heads
    value: float
    stage = "scores"

    def __post_init__(self) -> None:
        if not 0 < self.value < float("inf"):
            raise InputError("`value` has to be a number above 0, not {0!r}.", self.value)

    def is_neutral(self, queries: int, keys: int) -> bool:
        """At 1."""
        return self.value == 1

    def change(self, values: Tensor, at: LayerRows) -> Tensor:
        """The scores, divided."""
        return values / self.value

    def change_sink(self, sink: Tensor) -> Tensor:
        """Sinks take part in the softmax, so they are divided too."""
        return sink / self.value


@dataclass(frozen=True)
class Dropout(Intervention):
    """Leaves out each weight with probability p and divides the others by 1 − p, as training does (Srivastava et al.
    2014, "Dropout"; on attention weights in Vaswani et al. 2017's implementation). Rows then sum to 1 only on average.

    Attributes:
        where: the heads.
        p: in [0, 1).
        seed: which weights; each layer, head, query and key draws its own number, whatever else is computed.

    Raises:
        InputError: `p` is no such probability.

    >>> Dropout(Heads("encoder"), p=0.1, seed=3).p
    0.1
    """

    where: Heads
    p: float
    seed: int = 0
    stage = "weights"

    def __post_init__(self) -> None:
        if not 0 <= self.p < 1:
            raise InputError("`p` has to be a probability from 0 to below 1, not {0!r}.", self.p)

    def is_neutral(self, queries: int, keys: int) -> bool:
        """At 0."""
        return self.p == 0

    def change(self, values: Tensor, at: LayerRows) -> Tensor:
        """Some weights 0, the others larger."""
        device = values.device
        heads = torch.tensor(at.heads, device=device)
        drawn = torch.full((), self.seed % MOST_SEED, dtype=torch.int64, device=device)
        for number in (torch.tensor(KINDS.index(at.kind), device=device), torch.tensor(at.layer, device=device)):
            drawn = _mix(drawn, number)
        drawn = _mix(_mix(_mix(drawn, heads[:, None, None]), at.rows[:, None]), at.keys)
        return values * (drawn.double() / MOST_SEED >= self.p) / (1 - self.p)


def _mix(state: Tensor, number: Tensor) -> Tensor:
    """A number in [0, 2³¹) that looks random, from another and a count: two rounds of multiply and shift.

    A counter instead of a stream of random numbers, so that a head alone, or a block of its rows, draws the same.
    """
    mixed = (state * 1_000_003 + number + 0x9E3779B1) % MOST_SEED
    for factor in (0x45D9F3B, 0x119DE1F3):
        mixed = ((mixed ^ (mixed >> 15)) * factor) % MOST_SEED
    return mixed ^ (mixed >> 16)


class Replace(Intervention):
    """Puts a pattern in the place of the weights, such as another sentence's of the same length.

    Attributes:
        where: the heads, which all get the same pattern.
        weights: float32 (query, key) in [0, 1]; rows sum to 1.

    While a text is written, token by token, its first rows are used; queries behind them keep the model's own weights.

    Raises:
        InputError: it is no such pattern, or later, does not fit the text.

    >>> Replace(Heads("encoder", 0, 0), [[1.0, 0.0], [0.5, 0.5]]).weights.shape
    (2, 2)
    """

    stage = "weights"

    def __init__(self, where: Heads, weights: Any) -> None:
        array = np.array(weights.detach().cpu().numpy() if isinstance(weights, Tensor) else weights, dtype=np.float32)
        if array.ndim != 2 or not array.size:
            raise InputError("`weights` has to have the shape (query, key), not {0}.", array.shape)
        if not (np.isfinite(array).all() and (array >= 0).all()):
            raise InputError("`weights` has to have numbers from 0 to 1; some are negative or not finite.")
        sums = array.sum(axis=1)
        wrong = np.flatnonzero(np.abs(sums - 1) > 1e-3)
        if wrong.size:
            raise InputError(
                "Rows of `weights` have to sum to 1; row {0} sums to {1:.4f}.", int(wrong[0]), float(sums[wrong[0]])
            )
        array.setflags(write=False)
        self.where, self.weights = where, array
        self._digest = hashlib.sha256(array.tobytes()).hexdigest()

    def __repr__(self) -> str:
        return f"Replace({self.where!r}, {self.weights.shape})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Replace) and (self.where, self.weights.shape, self._digest) == (
            other.where,
            other.weights.shape,
            other._digest,
        )

    def __hash__(self) -> int:
        return hash((self.where, self.weights.shape, self._digest))

    def check(self, kind: str, queries: int, keys: int) -> None:
        """Raises InputError where the text has another length."""
        if self.weights.shape != (queries, keys):
            raise InputError(
                "The pattern has {0} queries and {1} keys, and the {2} attention of this text has {3} and {4}. Both "
                "texts need the same number of tokens.",
                *self.weights.shape,
                kind,
                queries,
                keys,
            )

    def change(self, values: Tensor, at: LayerRows) -> Tensor:
        """The pattern's rows."""
        pattern = torch.tensor(self.weights, device=values.device)
        rows = at.rows[at.rows < len(pattern)]
        width = min(values.shape[-1], pattern.shape[1])
        result = values.clone()
        result[:, : len(rows)] = 0.0
        result[:, : len(rows), :width] = pattern[rows, :width]
        return result
