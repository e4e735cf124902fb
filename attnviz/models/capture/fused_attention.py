"""PyTorch's own fast attention, of a long text head by head, so that whoever watches can end it soon."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

LONG = 4096  # queries from which a layer takes so long on a CPU that its heads are told of one by one


def fused_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    bias: Tensor | None,
    scaling: float | None,
    is_causal: bool,
    tell: Callable[[float], None] | None = None,
) -> Tensor:
    """What a layer puts out.

    Args:
        module: the layer.
        query: (1, heads, queries, head_dim).
        key, value: (1, key_heads, keys, head_dim).
        mask, bias: None, or (1, 1 or heads, queries, keys).
        scaling: None for what PyTorch takes.
        is_causal: what holds where there is no mask.
        tell: is told between heads what share of the layer is done, in (0, 1); what it raises ends the layer.

    Returns:
        (1, queries, heads, value_dim), the same numbers whether `tell` is given or not.
    """
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    def compute(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, bias: Tensor | None) -> Tensor:
        options: dict[str, Any] = {"dropout": 0.0, "scaling": scaling, "is_causal": is_causal, "position_bias": bias}
        return sdpa_attention_forward(module, query, key, value, mask, **options)[0]

    heads, key_heads = query.shape[1], key.shape[1]
    if tell is None or query.shape[2] < LONG or query.device.type != "cpu":
        return compute(query, key, value, mask, bias)
    parts = []
    for head in range(key_heads):
        if head:
            tell(head / key_heads)
        one, own = slice(head, head + 1), slice(head * heads // key_heads, (head + 1) * heads // key_heads)
        cut = (item if item is None or item.shape[1] == 1 else item[:, own] for item in (mask, bias))
        parts.append(compute(query[:, own], key[:, one], value[:, one], *cut))
    return torch.cat(parts, dim=2)
