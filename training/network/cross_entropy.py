"""Cross-entropy of a projection onto the vocabulary, with its gradient made in the same pass."""

from __future__ import annotations

import torch
from torch import nn

ROWS = 64
"""Logits worked on at once: 64 times 12,000 in single precision fit into a core's cache."""


class _ProjectedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx, states, weight, target, smoothing):
        kind = states.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else states.dtype
        count, size = len(target), len(weight)
        with torch.autocast(kind, enabled=False):
            low_states, low_weight = states.to(dtype), weight.to(dtype)
            logits = low_states @ low_weight.t()  # (count, vocabulary); becomes its own gradient below
            losses = states.new_empty(count, dtype=torch.float32)
            for rows in range(0, count, ROWS):
                part, wanted = logits[rows : rows + ROWS], target[rows : rows + ROWS, None]
                log_p = nn.functional.log_softmax(part, dim=1, dtype=torch.float32)
                losses[rows : rows + ROWS] = -(1 - smoothing) * log_p.gather(1, wanted)[:, 0]
                if smoothing:
                    losses[rows : rows + ROWS] -= smoothing * log_p.mean(1)
                slope = log_p.exp_().sub_(smoothing / size)
                slope.scatter_add_(1, wanted, slope.new_full(wanted.shape, smoothing - 1))
                part.copy_(slope)
            ctx.save_for_backward(logits @ low_weight, logits.t() @ low_states)
        ctx.dtypes = states.dtype, weight.dtype
        return losses.mean()

    @staticmethod
    def backward(ctx, upstream):
        of_states, of_weight = ctx.saved_tensors
        scale = upstream / len(of_states)
        for_states, for_weight = ctx.dtypes
        return of_states.to(for_states) * scale, of_weight.to(for_weight) * scale, None, None


def projected_cross_entropy(
    states: torch.Tensor, weight: torch.Tensor, target: torch.Tensor, smoothing: float = 0.0
) -> torch.Tensor:
    """The same as `cross_entropy(states @ weight.T, target, label_smoothing=smoothing)`, faster on a CPU.

    The softmax minus the target is the gradient of the logits, so it can be made while they are in the cache. Under
    autocast products are made in its type, sums in float32. `benchmarks/training_step.py` tells how much faster.

    Args:
        states: (tokens, width).
        weight: (vocabulary, width).
        target: (tokens,) ids.
        smoothing: share of the wanted probability that is spread over the vocabulary (Szegedy et al. 2016, section 7).

    Returns:
        The mean over the tokens, in nats.

    >>> states = torch.zeros(1, 2)
    >>> round(projected_cross_entropy(states, torch.ones(4, 2), torch.tensor([3])).item(), 4)  # ln 4
    1.3863
    """
    return _ProjectedCrossEntropy.apply(states, weight, target, smoothing)
