"""What each token adds to a word's vector in the block around an attention layer: residual and normalisation included.

    weights × values of each key ─ + the word's own vector ─ normalisation, its length held ─ the block's output

Kobayashi et al. 2021, "Incorporating Residual and Normalization Layers into Analysis of Masked Language Models",
section 3, equations 5 to 9. Where a model normalises before its attention, as GPT-2 does, the block ends at the sum.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from attnviz.attribution.contributions.linear_path import linear_norm
from attnviz.computation.contributions import token_vectors
from attnviz.computation.layer import Computation, follow
from attnviz.computation.module_calls import same
from attnviz.errors import NoAttentionError
from attnviz.models.model import Model
from attnviz.models.recording.recording import Recording


@dataclass(frozen=True, slots=True, eq=False)
class BlockVectors:
    """What made a word's vector behind the attention of one layer.

    Attributes:
        keys: float32 (keys, width): what each token of the columns added; the word's own vector is not in it.
        own: float32 (width,): what the word's own vector became, which went past the attention.
        constant: float32 (width,): what is added whatever the text: biases.
        output: float32 (width,): what the model itself has there; the sum of all of these.
    """

    keys: Tensor
    own: Tensor
    constant: Tensor
    output: Tensor


def block_vectors(model: Model, recording: Recording, kind: str, layer: int, position: int) -> BlockVectors:
    """The vectors that add up to what the block of an attention layer gives at one row.

    Args:
        model: which made the recording.
        kind: "encoder", "decoder" or "cross".
        layer, position: from 0.

    Raises:
        NoAttentionError: the model's attention is not captured, or its residual sum was not found.

    >>> vectors = block_vectors(model, recording, "encoder", layer=2, position=1)
    >>> torch.allclose(vectors.keys.sum(0) + vectors.own + vectors.constant, vectors.output, atol=1e-5)
    True
    """
    keys = token_vectors(model, recording, kind, position, layer=layer)
    block = _block(model, recording, kind, layer)
    if keys is None or block is None:
        raise NoAttentionError(
            "The sum of attention and residual in {0} was not found, so what each word adds to it is not known. Choose "
            '"norms", which leaves the residual out.',
            model.name,
        )
    joined, whole = block.joined[position], block.summed[position]
    own, bias = whole - joined, joined - keys.sum(dim=0)
    if block.normalised is None:
        return BlockVectors(keys, own, bias, whole)
    output = block.normalised[position]
    linear = _linear_map(_module(model, block.joining_name, block.norm_name), whole, output)
    if linear is None:
        raise NoAttentionError(
            "How {0} normalises was not found out, so what each word adds behind that is not known. Choose "
            '"norms", which leaves residual and normalisation out.',
            model.name,
        )
    matrix, constant = linear
    return BlockVectors(keys @ matrix, own @ matrix, bias @ matrix + constant, output)


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """The vectors of one block, for all rows.

    Attributes:
        joined: float32 (queries, width): the heads, joined and projected.
        summed: the same and the residual.
        normalised: behind the normalisation, where one takes the sum's place; else None.
        joining_name, norm_name: of the modules; the second counts from the block.
    """

    joined: Tensor
    summed: Tensor
    normalised: Tensor | None
    joining_name: str
    norm_name: str


# By recording, kind and layer; they hold no recording, so each goes with its own.
_blocks: weakref.WeakKeyDictionary[Recording, dict[tuple[str, int], _Block | None]] = weakref.WeakKeyDictionary()


def _block(model: Model, recording: Recording, kind: str, layer: int) -> _Block | None:
    """None where the sum of attention and residual was not found."""
    known = _blocks.setdefault(recording, {})
    if (kind, layer) not in known:
        computation = follow(model, recording, kind, layer=layer, own_heads=False)
        stages = computation.stages
        attention, total = _sum_with_attention(computation)
        block = None
        if attention is not None and total is not None:
            norm = _norm_behind(computation, total)
            block = _Block(
                stages[attention].vectors,
                stages[total].vectors,
                None if norm is None else stages[norm].vectors,
                computation.joining_name,
                "" if norm is None else stages[norm].name,
            )
        known[kind, layer] = block
    return known[kind, layer]


def _sum_with_attention(computation: Computation) -> tuple[int | None, int | None]:
    """The stage of the joined heads, and that of their sum with the residual."""
    stages = computation.stages
    attention = next((at for at, stage in enumerate(stages) if stage.kind == "attention"), None)
    if attention is None:
        return None, None
    sums = [at for at, stage in enumerate(stages) if attention in stage.of and len(stage.of) == 2]
    return attention, sums[0] if sums else None


def _norm_behind(computation: Computation, total: int) -> int | None:
    """The normalisation that takes the sum's place, as in BERT; None where the sum itself goes past the next part."""
    stages = computation.stages
    goes_on = any(total in stage.of for stage in stages[total + 1 :])
    is_norm = total + 1 < len(stages) and stages[total + 1].kind == "norm"
    return total + 1 if is_norm and not goes_on else None


def _module(model: Model, joining_name: str, name: str) -> nn.Module | None:
    """The module of a stage, whose name counts from the block that the joining matrix is in."""
    modules = dict(model.network.named_modules())
    parts = joining_name.split(".")
    for length in range(len(parts), -1, -1):
        module = modules.get(".".join([*parts[:length], name]))
        if module is not None:
            return module
    return None


def _linear_map(module: nn.Module | None, inputs: Tensor, result: Tensor) -> tuple[Tensor, Tensor] | None:
    """A normalisation with its length held: the (width, width) matrix that a row vector is multiplied with, and what is
    added then, (width,). None where it is none such."""
    if module is None:
        return None
    device = next(module.parameters()).device
    with torch.inference_mode(False), torch.enable_grad():
        leaf = inputs.to(device, copy=True).requires_grad_()
        linear = linear_norm(module, leaf[None], result.to(device)[None])
        if linear is None:
            return None
        rows = torch.eye(len(leaf), device=device)
        (gradients,) = torch.autograd.grad(linear[0][0], leaf, rows, is_grads_batched=True)
    matrix = gradients.detach().T.cpu()
    constant = result - inputs @ matrix
    return (matrix, constant) if same(inputs @ matrix + constant, result) else None
