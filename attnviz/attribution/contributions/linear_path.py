"""Whether a vector depends on others in a linear way, and how a normalisation is made linear.

A normalisation divides by a length that depends on what it reads. With that length held as it was, it only subtracts
a mean, multiplies and adds: all of it linear. `linear_norm` puts it that way; `nonlinear_step` then proves on the graph
that PyTorch keeps for gradients that nothing else on the way bends: what it lets pass is exactly linear.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from attnviz.computation.module_calls import same

_EXACT = 1e-5
"""Of the largest number: how near the linear form has to come to what a normalisation gave."""

# What PyTorch calls the steps that only move, add, or average numbers.
_LINEAR = {
    *("Add", "Sub", "Neg", "Mean", "Sum", "View", "UnsafeView", "ReshapeAlias", "Transpose", "T", "Permute"),
    *("Slice", "Select", "Cat", "Stack", "Split", "SplitWithSizes", "Unbind", "Unsqueeze", "Squeeze", "Expand"),
    *("Clone", "ToCopy", "Alias", "IndexCopy", "IndexSelect", "Index", "Repeat", "Roll", "Flip", "Contiguous"),
    *("IndexAdd", "IndexPut", "ConstantPadNd", "ViewAsComplex", "ViewAsReal"),
}
# And those that multiply: linear as long as one factor alone depends on the parts, of a quotient the first.
_PRODUCTS = {"Mul", "Mm", "Bmm", "Addmm", "Baddbmm", "Linear", "Mv", "Dot"}
_QUOTIENTS = {"Div"}


def linear_norm(module: nn.Module, inputs: Tensor, result: Tensor) -> tuple[Tensor, Tensor | None] | None:
    """What a normalisation gave, as a linear function of what it read, its length held as it was.

    Args:
        module: a LayerNorm (Ba et al. 2016), an RMSNorm (Zhang & Sennrich 2019), or one that counts its gain from 1.
        inputs, result: (…, size), what it read, with gradients, and gave.

    Returns:
        The same numbers, with gradients through the mean and the gain but not through the length; and the bias that
        was added, as a leaf (size,), or None. None where it is no such normalisation.
    """
    gain, bias = (getattr(module, name, None) for name in ("weight", "bias"))
    size = inputs.shape[-1:]
    gains = [torch.ones(size, dtype=inputs.dtype, device=inputs.device)] if gain is None else [gain, 1 + gain]
    if any(item.shape != size for item in gains) or inputs.shape != result.shape:
        return None
    own_bias = None if bias is None else bias.detach().clone().requires_grad_()
    without_bias = result.detach() if bias is None else result.detach() - bias.detach()
    for centred, factor in product((False, True), gains):
        moved = inputs - inputs.mean(dim=-1, keepdim=True) if centred else inputs
        scaled = moved * factor.detach()
        plain = scaled.detach()
        # The length that fits best; `same` then says whether it fits every number.
        inverse = (without_bias * plain).sum(-1, keepdim=True) / plain.square().sum(-1, keepdim=True).clamp_min(1e-30)
        if same(plain * inverse, without_bias, _EXACT):
            linear = scaled * inverse
            return (linear if own_bias is None else linear + own_bias), own_bias
    return None


def nonlinear_step(vector: Tensor, leaves: Sequence[Tensor]) -> str | None:
    """The first step between the leaves and a vector that is not linear in them, by PyTorch's name; None if none is.

    Args:
        vector: computed from the leaves.
        leaves: tensors that require gradients.

    >>> leaf = torch.ones(3, requires_grad=True)
    >>> nonlinear_step(leaf * 2 + 1, [leaf]), nonlinear_step(leaf * leaf, [leaf]), nonlinear_step(leaf.exp(), [leaf])
    (None, 'Mul', 'Exp')
    """
    wanted = {id(leaf) for leaf in leaves}
    reaching: set[Any] = set()
    for node in _from_the_leaves(vector.grad_fn):
        variable = getattr(node, "variable", None)
        if variable is not None:
            if id(variable) in wanted:
                reaching.add(node)
            continue
        through = [index for index, (before, _) in enumerate(node.next_functions) if before in reaching]
        if not through:
            continue
        step = type(node).__name__.rstrip("0123456789").removesuffix("Backward")
        if not (
            step in _LINEAR or (step in _PRODUCTS and len(through) == 1) or (step in _QUOTIENTS and through == [0])
        ):
            return step
        reaching.add(node)
    return None


def _from_the_leaves(root: Any) -> list[Any]:
    """The nodes of a graph of gradients, each after all that it is computed from."""
    order: list[Any] = []
    seen: set[Any] = set()
    waiting: list[tuple[Any, bool]] = [(root, False)]
    while waiting:
        node, is_done = waiting.pop()
        if is_done:
            order.append(node)
        elif node is not None and node not in seen:
            seen.add(node)
            waiting.append((node, True))
            waiting += [(before, False) for before, _ in node.next_functions]
    return order
