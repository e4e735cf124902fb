"""Gradients integrated along the straight way from a baseline to an input, with the steps where the way bends most.

    equal pieces ─ gradient at the middle of each ─ residual of each ─ the worst are cut in three ─ … ─ values, delta

A network of ReLUs changes its gradient in jumps, and most of them lie where the prediction is made, a small part of the
way; behind that it is certain of it, and nothing changes. Quadratures with fixed places spend most of their steps
there. What a piece should add up to is known from its two ends, so its residual says how well its one step does.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from attnviz.errors import InputError

Progress = Callable[[float], None]
"""Is told what share is done; what it raises ends the computation."""
Predict = Callable[..., Tensor]
"""From one tensor for each input, with the copies as first axis, to (copies,)."""
ByToken = Callable[[tuple[Tensor, ...]], Tensor]
"""From the attributions of all inputs, each with the copies as first axis, to (copies, tokens)."""

MOST_MISSED, REFINED = 0.01, 4
"""Where the sum is missed by more than this share, more steps are taken, up to so many times as many."""
ROUNDS = 4
"""In which the steps are spent: each looks anew where they are missing."""


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Pieces of the way, a row each.

    Attributes:
        starts, ends: (pieces,) in [0, 1].
        before, after: (pieces,), the predictions at both.
        values: (pieces, tokens): the gradient at the middle, times the length.
    """

    starts: np.ndarray
    ends: np.ndarray
    before: np.ndarray
    after: np.ndarray
    values: np.ndarray

    def __len__(self) -> int:
        return len(self.starts)

    def rows(self, chosen: np.ndarray) -> _Pieces:
        """Some of them."""
        return _Pieces(*(getattr(self, item.name)[chosen] for item in fields(self)))

    def joined(self, *others: _Pieces) -> _Pieces:
        """These and others."""
        return _Pieces(*(np.concatenate([getattr(one, item.name) for one in (self, *others)]) for item in fields(self)))

    def residuals(self) -> np.ndarray:
        """What is missing of each piece's gain."""
        return self.after - self.before - self.values.sum(axis=1)


@dataclass(frozen=True, slots=True)
class PathIntegral:
    """The straight way from baselines to inputs.

    Attributes:
        predict: the gradient of this is integrated.
        inputs, baselines: the ends of the way, one copy of each.
        by_token: puts the attributions of all inputs together.
        copies: how many places of the way are computed at once.
    """

    predict: Predict
    inputs: tuple[Tensor, ...]
    baselines: tuple[Tensor, ...]
    by_token: ByToken
    copies: int

    def integrate(self, steps: int, progress: Progress | None = None) -> tuple[np.ndarray, float]:
        """The integral, and by what share of what the prediction gains on the way its sum misses that.

        Args:
            steps: gradients that are computed; up to `REFINED` times as many as long as more than `MOST_MISSED` is
                missed.
            progress: is told what share is done.

        Returns:
            (tokens,), and the share, 0 or more.

        Raises:
            InputError: `steps` is no number of steps.
        """
        if not isinstance(steps, int) or steps < 1:
            raise InputError("`steps` is a number of steps, 1 or more, not {0!r}.", steps)
        tell = progress or _say_nothing
        edges = np.linspace(0.0, 1.0, max(1, steps // ROUNDS) + 1)
        at_edges = self._predictions(edges)
        gain = float(at_edges[-1] - at_edges[0])
        pieces = self._pieces(edges[:-1], edges[1:], at_edges[:-1], at_edges[1:])
        cuts = (steps - len(pieces)) // 2  # each takes two steps
        for rounds in range(ROUNDS - 1, 0, -1):
            tell(0.9 * len(pieces) / steps)
            pieces = self._refined(pieces, cuts // rounds)
            cuts -= cuts // rounds
        while (missed := _missed(pieces, gain)) > MOST_MISSED and len(pieces) < REFINED * steps:
            tell(0.9 + 0.1 * len(pieces) / (REFINED * steps))
            pieces = self._refined(pieces, max(1, steps // 4))
        tell(1.0)
        return pieces.values.sum(axis=0), missed

    def _refined(self, pieces: _Pieces, count: int) -> _Pieces:
        """The pieces with the largest residuals cut in three each; the middle third has its step already."""
        worst = np.zeros(len(pieces), dtype=bool)
        worst[np.argsort(-np.abs(pieces.residuals()), kind="stable")[:count]] = True
        if not worst.any():
            return pieces
        cut = pieces.rows(worst)
        third = (cut.ends - cut.starts) / 3
        left, right = cut.starts + third, cut.ends - third
        at_left, at_right = np.split(self._predictions(np.concatenate([left, right])), 2)
        middle = _Pieces(left, right, at_left, at_right, cut.values / 3)
        outer = [(cut.starts, right), (left, cut.ends), (cut.before, at_right), (at_left, cut.after)]
        return pieces.rows(~worst).joined(middle, self._pieces(*map(np.concatenate, outer)))

    def _pieces(self, starts: np.ndarray, ends: np.ndarray, before: np.ndarray, after: np.ndarray) -> _Pieces:
        from captum.attr import IntegratedGradients  # it loads plotting libraries, for which only this waits

        method, values = IntegratedGradients(self.predict), []
        for part in self._parts(len(starts)):
            with warnings.catch_warnings(), torch.enable_grad():
                warnings.simplefilter("ignore")  # of Captum, about the number of steps
                attributed = method.attribute(self._places(ends[part]), self._places(starts[part]), n_steps=1)
            values.append(self.by_token(tuple(item.detach() for item in attributed)).double().cpu().numpy())
        return _Pieces(starts, ends, before, after, np.concatenate(values))

    def _predictions(self, places: np.ndarray) -> np.ndarray:
        """(places,): what is predicted there."""
        with torch.no_grad():
            parts = [self.predict(*self._places(places[part])) for part in self._parts(len(places))]
        return torch.cat(parts).double().cpu().numpy()

    def _parts(self, count: int) -> list[slice]:
        return [slice(start, min(start + self.copies, count)) for start in range(0, count, self.copies)]

    def _places(self, shares: np.ndarray) -> tuple[Tensor, ...]:
        """What is put in at some places of the way, a copy each."""
        places = []
        for start, end in zip(self.baselines, self.inputs, strict=True):
            share = torch.as_tensor(shares, dtype=end.dtype, device=end.device).reshape(-1, *[1] * (end.ndim - 1))
            places.append(torch.lerp(start, end, share))
        return tuple(places)


def _missed(pieces: _Pieces, gain: float) -> float:
    return abs(float(pieces.residuals().sum())) / max(abs(gain), 1e-12)


def _say_nothing(done: float) -> None:
    """Where nobody asked for progress."""
