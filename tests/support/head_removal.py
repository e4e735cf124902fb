"""A head that is taken away, held against a hook that puts zeros into its columns of what the joining matrix reads.

The hook needs none of attnviz' own attention: it finds the module that reads the heads' output by its numbers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from attnviz import Model, Recording
from attnviz.interventions import Ablate, Heads
from attnviz.models.capture import capture

HEAD = 1
UNREAD = {
    "afmoe", "axk2", "bailing_hybrid", "beam", "dots3_note_text", "hrm_text", "hy_v4", "inkling2_text", "laguna",
    "lfm3", "muse_glimmer_text", "muse_spark_text", "qwen3_5_moe_text", "qwen3_5_text", "qwen3_next",
    "qwen4_exp_text",  # in all of these the heads' output meets a gate before any module reads it
    "diffllama",  # here a pair of heads is subtracted first
    "jetmoe",  # here experts join the heads, each with a matrix of its own
}  # fmt: skip
"""Captured, but no module reads the heads' output as it is, so there is nothing to hook."""


def check_head_removal(name: str, model: Model, given: dict[str, Tensor]) -> None:
    """Fails where `Ablate` differs from the hook, for one head of the last layer of each kind, or stays behind.

    Args:
        name: of the architecture.
        model: one that captures.
        given: what its network reads.
    """
    network, ids = model.network, given["input_ids"][0]
    target = given["decoder_input_ids"][0] if "decoder_input_ids" in given else None
    recording, before = model.record_ids(ids, target), _output(network, given)
    compared = 0
    for kind in recording.kinds:
        layer = recording.size(kind)[0] - 1
        heads, expected = recording.heads(kind, layer), _heads_output(recording, kind, layer)
        hooked = _without_head(network, expected, heads, lambda: _output(network, given))
        if hooked is None:
            continue
        compared += 1
        ablation = Ablate(Heads(kind, layer, HEAD))
        with capture.change_attention(network, model.recorder.changes((ablation,))):
            changed = _output(network, given)
        most = 1e-5 * max(1.0, float(hooked.abs().max()))
        assert float((changed - hooked).abs().max()) <= most, (kind, layer)
        after = model.record_ids(ids, target, interventions=[ablation])
        if after.logits is not None:
            assert float((after.logits - hooked).abs().max()) <= most, (kind, layer)
        assert torch.equal(_output(network, given), before), "nothing stays behind"
    assert (compared == 0) == (name in UNREAD)


@torch.no_grad()
def _output(network: nn.Module, given: dict[str, Tensor]) -> Tensor:
    """Logits, or the last vectors where there is no language head."""
    output = network(**given, attention_mask=torch.ones_like(given["input_ids"]), use_cache=False, return_dict=True)
    logits = output.get("logits")
    return (output[0] if logits is None else logits)[0].float()


def _heads_output(recording: Recording, kind: str, layer: int) -> Tensor:
    """(queries, heads × value_dim), as the joining matrix reads it."""
    weights, values = recording.weights(kind, layer=layer), recording.values(kind, layer=layer)
    return (weights @ values).transpose(0, 1).flatten(1)


def _columns(expected: Tensor, heads: int, tensor: Any) -> slice | None:
    """The columns of the head in what a module reads, where that is the heads' output."""
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point() or tensor.shape[-1] < expected.shape[-1]:
        return None
    rows = tensor.reshape(-1, tensor.shape[-1])
    if rows.shape[0] != expected.shape[0]:
        return None
    if not torch.allclose(rows[:, : expected.shape[1]], expected, atol=1e-4, rtol=1e-4):
        return None
    width = expected.shape[-1] // heads
    return slice(HEAD * width, (HEAD + 1) * width)


def _without_head(network: nn.Module, expected: Tensor, heads: int, run: Callable[[], Tensor]) -> Tensor | None:
    """What the network gives when a hook puts 0 in the place of the head; None where no module reads it."""
    done: list[nn.Module] = []

    def hook(module: nn.Module, arguments: tuple[Any, ...]) -> tuple[Any, ...] | None:
        columns = _columns(expected, heads, arguments[0]) if arguments and not done else None
        if columns is None:
            return None
        done.append(module)
        changed = arguments[0].clone()
        changed[..., columns] = 0.0
        return (changed, *arguments[1:])

    handles = [module.register_forward_pre_hook(hook) for module in network.modules()]
    try:
        result = run()
    finally:
        for handle in handles:
            handle.remove()
    return result if done else None
