"""Gradients integrated along the straight way from a baseline to an input, with more steps where it turns most.

    some places ─ prediction and gradient at each ─ more places where two neighbours differ most ─ … ─ values, delta

A network of ReLUs changes its gradient in jumps, and most of them lie where the prediction is made, a small part of the
way; behind that it is certain of it, and nothing changes. Quadratures with fixed places spend most of their steps
there. Between two neighbours the gradient is taken to be the first one's for a share of the way and then the second
one's, as it is where it jumps once. The share follows from what the prediction does between the two.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from attnviz.errors import InputError

Progress = Callable[[float], None]
"""Is told what share is done; what it raises ends the computation."""
Predict = Callable[..., Tensor]
"""From one tensor for each input, with the copies as first axis, and the number of each copy's way, to (copies,)."""
ByToken = Callable[[tuple[Tensor, ...]], Tensor]
"""From the attributions of all inputs, each with the copies as first axis, to (copies, tokens)."""

MOST_MISSED, REFINED = 0.01, 4
"""Where the sum is missed by more than this share, more steps are taken, up to so many times as many."""
ROUNDING = 1e-4
"""Of what the prediction moves on a way: differences below are float32's rounding."""
OUTSIDE = 8
"""How much a gain that no mean of the slopes explains counts beside slopes that differ: there the way is unknown."""
ROUNDS = 4
"""In which the steps are spent: each looks anew where they are missing. The first spreads a quarter evenly."""


@dataclass(frozen=True, slots=True)
class _Way:
    """What is known of a way, by place.

    Attributes:
        places: (places,), ascending from 0 to 1.
        predictions: (places,).
        slopes: (places, tokens): how fast the prediction grows there, by the token whose doing it is.
    """

    places: np.ndarray
    predictions: np.ndarray
    slopes: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def joined(self, other: _Way) -> _Way:
        """These places and others."""
        places = np.concatenate([self.places, other.places])
        order = np.argsort(places, kind="stable")
        parts = ((self.predictions, other.predictions), (self.slopes, other.slopes))
        return _Way(places[order], *(np.concatenate(pair)[order] for pair in parts))

    def integral(self) -> np.ndarray:
        """(tokens,): the sum over all pieces between two places.

        A piece counts the slopes at its start for a share of its length, and those at its end for the rest. The share
        is the one with which the piece adds up to what the prediction gains on it, held in [0, 1]: exact where the
        slopes jump once, as a ReLU's do, and never anything but a weighted mean of gradients that were computed.
        """
        length, gained, whole = self._pieces()
        first, last = whole[:-1] * length, whole[1:] * length
        # Where both slopes give nearly the same, rounding alone would decide: the share then stays near one half.
        rounding = ROUNDING * max(float(np.ptp(self.predictions)), 1e-12)
        excess = (gained - (first + last) / 2) * (first - last) / ((first - last) ** 2 + rounding**2)
        share = 0.5 + np.clip(excess, -0.5, 0.5)
        return (share * length) @ self.slopes[:-1] + ((1 - share) * length) @ self.slopes[1:]

    def more_places(self, count: int) -> np.ndarray:
        """So many places more, evenly within the pieces that are least known, ascending.

        A piece is the less known, the more the slopes at its ends differ, and the farther what it gains lies outside
        of what they allow. Cut into n parts it is taken to be n² times better known.
        """
        length, gained, whole = self._pieces()
        lowest, highest = np.minimum(whole[:-1], whole[1:]) * length, np.maximum(whole[:-1], whole[1:]) * length
        outside = np.abs(gained - np.clip(gained, lowest, highest))
        unknown = length * np.abs(np.diff(self.slopes, axis=0)).sum(axis=1) + OUTSIDE * outside
        cuts = np.zeros(len(length), dtype=int)
        for _ in range(count):
            cuts[np.argmax(unknown / (cuts + 1) ** 2)] += 1
        pieces = zip(self.places[:-1], self.places[1:], cuts, strict=True)
        return np.concatenate([np.linspace(start, end, number + 2)[1:-1] for start, end, number in pieces])

    def missed(self) -> float:
        """By what share of what the prediction gains on the way the integral misses it."""
        gain = float(self.predictions[-1] - self.predictions[0])
        return abs(float(self.integral().sum()) - gain) / max(abs(gain), 1e-12)

    def _pieces(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The length of each and the gain on it, (places - 1,), and the slopes of the prediction, (places,)."""
        return np.diff(self.places), np.diff(self.predictions), self.slopes.sum(axis=1)


@dataclass(frozen=True, slots=True)
class PathIntegral:
    """Straight ways from baselines to inputs.

    Attributes:
        predict: the gradient of this is integrated.
        inputs: where all ways end, each (1, …).
        baselines: where each way starts: (ways, …) for each of the inputs.
        by_token: puts the attributions of all inputs together.
        copies: how many places are computed at once.
    """

    predict: Predict
    inputs: tuple[Tensor, ...]
    baselines: tuple[Tensor, ...]
    by_token: ByToken
    copies: int

    def integrate(self, steps: int, progress: Progress | None = None) -> list[tuple[np.ndarray, float]]:
        """Of each way the integral, and by what share of what the prediction gains on the way its sum misses that.

        Args:
            steps: gradients that are computed on each way, at least 2; up to `REFINED` times as many as long as more
                than `MOST_MISSED` is missed.
            progress: is told what share is done.

        Returns:
            For each way (tokens,), and the share, 0 or more.

        Raises:
            InputError: `steps` is no number of steps.
        """
        if not isinstance(steps, int) or steps < 1:
            raise InputError("`steps` is a number of steps, 1 or more, not {0!r}.", steps)
        tell = progress or _say_nothing
        numbers = range(len(self.baselines[0]))
        evenly = np.linspace(0.0, 1.0, max(2, steps // 4))
        ways = self._computed(dict.fromkeys(numbers, evenly))
        left = max(0, steps - len(evenly))
        for rounds in range(ROUNDS - 1, 0, -1):
            tell(0.9 * (1 - left / steps))
            ways = self._refined(ways, left // rounds)
            left -= left // rounds
        while unsure := [
            number for number in numbers if len(ways[number]) < REFINED * steps and ways[number].missed() > MOST_MISSED
        ]:
            tell(0.9 + 0.1 * len(ways[unsure[0]]) / (REFINED * steps))
            ways |= self._refined({number: ways[number] for number in unsure}, max(1, steps // 2))
        tell(1.0)
        return [(ways[number].integral(), ways[number].missed()) for number in numbers]

    def _refined(self, ways: dict[int, _Way], count: int) -> dict[int, _Way]:
        """The ways with so many places more each."""
        if count == 0:
            return ways
        more = self._computed({number: way.more_places(count) for number, way in ways.items()})
        return {number: way.joined(more[number]) for number, way in ways.items()}

    def _computed(self, places: dict[int, np.ndarray]) -> dict[int, _Way]:
        """What is found at some places of some ways, all of them together."""
        from captum.attr import IntegratedGradients  # it loads plotting libraries, for which only this waits

        predictions: list[Tensor] = []

        def predict(*given: Tensor) -> Tensor:
            predicted = self.predict(*given)
            predictions.append(predicted.detach())
            return predicted

        method, slopes = IntegratedGradients(predict), []
        of_way = np.repeat(list(places), [len(item) for item in places.values()])
        shares = np.concatenate(list(places.values()))
        for start in range(0, len(shares), self.copies):
            part = slice(start, start + self.copies)
            # Captum's one step is in the middle of what it is given: of a way as long as this one, around the place.
            numbers = torch.as_tensor(of_way[part], device=self.inputs[0].device)
            ends = [self._inputs(numbers, shares[part] + half) for half in (0.5, -0.5)]
            with warnings.catch_warnings(), torch.enable_grad():
                warnings.simplefilter("ignore")  # of Captum, about the number of steps
                attributed = method.attribute(*ends, additional_forward_args=numbers, n_steps=1)
            slopes.append(self.by_token(tuple(item.detach() for item in attributed)).double().cpu().numpy())
        predicted, by_token = torch.cat(predictions).double().cpu().numpy(), np.concatenate(slopes)
        return {
            number: _Way(shares[rows], predicted[rows], by_token[rows])
            for number in places
            for rows in [of_way == number]
        }

    def _inputs(self, of_way: Tensor, shares: np.ndarray) -> tuple[Tensor, ...]:
        """What is put in at some places of some ways, a copy each; a share of 0 is a way's start, 1 its end."""
        result = []
        for starts, end in zip(self.baselines, self.inputs, strict=True):
            share = torch.as_tensor(shares, dtype=end.dtype, device=end.device).reshape(-1, *[1] * (end.ndim - 1))
            result.append(torch.lerp(starts[of_way], end, share))
        return tuple(result)


def _say_nothing(done: float) -> None:
    """Where nobody asked for progress."""
