"""Scaled dot-product attention as pure functions on tensors: scores, weights, output.

Axes, everywhere: `query` (…, queries, head_dim), `key` and `value` (…, keys, head_dim), scores and weights
(…, queries, keys). Any leading axes, such as heads, are broadcast. Nothing here knows of models.
"""

from __future__ import annotations

import torch
from torch import Tensor

COMPUTED = 1e-5
"""The most that a row of weights computed here, in float32, lacks of 1 by rounding alone; see `hidden_share`."""


def scores(
    query: Tensor,
    key: Tensor,
    *,
    scale: float | None = None,
    softcap: float | None = None,
    bias: Tensor | None = None,
    allowed: Tensor | None = None,
) -> Tensor:
    """How well each query fits each key, before softmax.

    Q·Kᵀ / √d_k, equation 1 of Vaswani et al. 2017, "Attention Is All You Need", section 3.2.1; with the soft cap
    c·tanh(s / c) of Gemma 2 (Gemma Team 2024, section 2) and an additive position bias (T5, Raffel et al. 2020,
    section 2.1) where a model has them.

    Args:
        query: (…, queries, head_dim).
        key: (…, keys, head_dim).
        scale: factor of the dot product; 1 / √head_dim where it is None.
        softcap: scores are squeezed into (-softcap, softcap).
        bias: added after scaling; broadcast to (…, queries, keys).
        allowed: boolean, broadcast to (…, queries, keys); where it is False the score is -inf.

    Returns:
        (…, queries, keys), in the dtype of `query`.

    >>> scores(torch.tensor([[1.0, 0.0]]), torch.tensor([[2.0, 0.0], [0.0, 2.0]]), scale=0.5)
    tensor([[1., 0.]])
    """
    result = query @ key.transpose(-1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if softcap is not None:
        result = softcap * torch.tanh(result / softcap)
    if bias is not None:
        result = result + bias
    if allowed is not None:
        result = result.masked_fill(~allowed, -torch.inf)
    return result


def weights(scores: Tensor, *, sink: Tensor | None = None) -> Tensor:
    """Softmax over the keys: what share of its attention each query gives to each key.

    Args:
        scores: (…, queries, keys); -inf where a key may not be seen.
        sink: (…,) one learned score per head that takes part in the softmax and belongs to no key (gpt-oss,
            OpenAI 2025, section 2.2); the rows then sum to less than 1.

    Returns:
        (…, queries, keys), in [0, 1]; rows sum to 1 without a sink. A row that may see no key is all zeros.

    >>> weights(torch.tensor([[0.0, 0.0, -torch.inf]]))
    tensor([[0.5000, 0.5000, 0.0000]])
    """
    highest = scores.amax(dim=-1, keepdim=True)
    if sink is not None:
        highest = torch.maximum(highest, sink[..., None, None])
    highest = highest.masked_fill(highest == -torch.inf, 0.0)
    exponentials = (scores - highest).exp()
    total = exponentials.sum(dim=-1, keepdim=True)
    if sink is not None:
        total = total + (sink[..., None, None] - highest).exp()
    return exponentials / total.clamp_min(torch.finfo(scores.dtype).tiny)


def rounding(dtype: torch.dtype) -> float:
    """How far the sum of a row of weights may lie from 1 by rounding alone, where a model gave them in this dtype.

    >>> rounding(torch.float32), rounding(torch.bfloat16)
    (0.001, 0.03)
    """
    return 1e-3 if torch.finfo(dtype).bits >= 32 else 3e-2


def hidden_share(weights: Tensor, rounding: float = COMPUTED) -> Tensor:
    """What share of each row went to none of the keys: to a sink, to a model's own prompt, to weights it does not give.

    This is the one rule for what counts as hidden: what a row lacks of 1, if that is more than rounding.

    Args:
        weights: (…, queries, keys), float32.
        rounding: the most that a row lacks of 1 by rounding alone. The default is for weights that `weights` computed
            in float32; for those that a model gave see the function `rounding`.

    Returns:
        (…, queries), in [0, 1].

    >>> hidden_share(torch.tensor([[0.5, 0.25], [0.5, 0.499999]]))
    tensor([0.2500, 0.0000])
    """
    missing = (1.0 - weights.sum(dim=-1)).clamp(0.0, 1.0)
    return torch.where(missing > rounding, missing, 0.0)


def output(weights: Tensor, value: Tensor) -> Tensor:
    """The sum of the values, weighted: (…, queries, keys) and (…, keys, head_dim) give (…, queries, head_dim).

    >>> output(torch.tensor([[0.25, 0.75]]), torch.tensor([[4.0], [8.0]]))
    tensor([[7.]])
    """
    return weights @ value
