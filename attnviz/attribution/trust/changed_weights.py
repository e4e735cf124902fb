"""The same words with other attention weights: what becomes of the prediction when they are made even or shuffled."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attnviz.attribution.explained import Explained
from attnviz.attribution.reading import Change, Reading, check_captured, check_precision
from attnviz.errors import InputError
from attnviz.models.model import Model
from attnviz.models.recording.recording import Recording


@dataclass(frozen=True, slots=True)
class ChangedWeights:
    """What becomes of a prediction when the attention weights are others.

    Attributes:
        unchanged, even: its probability, in [0, 1], as it is, and with equal weights on all that may be seen.
        shuffled: the same with the weights of each row in another order, drawn several times.
    """

    unchanged: float
    even: float
    shuffled: tuple[float, ...]


def change_weights(
    model: Model, recording: Recording, explained: Explained, times: int = 8, seed: int = 0
) -> ChangedWeights:
    """The same words with other weights: Jain & Wallace 2019, "Attention is not Explanation", section 4.2.

    In an encoder–decoder the weights of the cross-attention are changed, else all.

    Raises:
        InputError, NoAttentionError: as for `attribute`, where the network has to run anew.

    >>> changed = change_weights(model, result.recording, result.target)
    >>> changed.unchanged > changed.even
    True
    """
    check_precision(model)
    check_captured(model)
    if explained.token is None:
        raise InputError("This network predicts nothing, so no prediction can change. Load it with its head.")
    reading = Reading(model, recording, explained.position)
    used: dict[tuple[str, int], Tensor] = {}
    whole = reading.run(1, Change(collect=used))
    kind = "cross" if reading.is_paired else reading.kinds[0]
    used = {call: weights.detach() for call, weights in used.items() if call[0] == kind}
    generator = torch.Generator(device="cpu").manual_seed(seed)
    found = []
    step = reading.copies_at_once(maps=True)
    drawn = [{call: _even(weights) for call, weights in used.items()}]
    drawn += [{call: _shuffled(weights, generator) for call, weights in used.items()} for _ in range(times)]
    for start in range(0, len(drawn), step):
        part = drawn[start : start + step]
        weights = {call: torch.cat([one[call] for one in part]) for call in used}
        found += explained.probabilities(reading.run(len(part), Change(weights=weights))).tolist()
    return ChangedWeights(float(explained.probabilities(whole)[0]), found[0], tuple(found[1:]))


def _even(weights: Tensor) -> Tensor:
    """Equal weights where there are any, with the sum that each row has."""
    seen = (weights > 0).to(weights.dtype)
    return seen * weights.sum(-1, keepdim=True) / seen.sum(-1, keepdim=True).clamp_min(1)


def _shuffled(weights: Tensor, generator: torch.Generator) -> Tensor:
    """The weights of each row in another order; what may not be seen stays 0."""
    unseen = weights <= 0
    drawn = torch.rand(weights.shape, generator=generator).to(weights.device).masked_fill(unseen, 2.0)
    source = drawn.argsort(dim=-1)
    places = unseen.to(torch.int8).argsort(dim=-1, stable=True)
    return torch.zeros_like(weights).scatter(-1, places, weights.gather(-1, source))
