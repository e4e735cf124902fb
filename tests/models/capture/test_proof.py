"""Weights are shown only where, at the length of the text, they times the values are what the layer puts out."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support import tiny_models as tiny
from torch import Tensor

from attnviz import Model, Recording
from attnviz.errors import NoAttentionError

LARGE = {"block_size": 64, "num_random_blocks": 3, "max_position_embeddings": 1100, "vocab_size": 97}


def sparse_layers(network: Any) -> list[Any]:
    """The modules that put out a layer's heads, before they are joined."""
    return [module for module in network.modules() if hasattr(module, "num_random_blocks")]


def record_beside(
    network: Any, ids: list[int], targets: list[int] | None = None
) -> tuple[Recording, list[Tensor], list[Tensor]]:
    """A recording, and for each layer (heads, tokens, dim) values and what the layer itself puts out."""
    values: list[Tensor] = []
    outputs: list[Tensor] = []
    model = Model(network)
    assert model.kinds
    handles = []
    for layer in sparse_layers(network):
        handles.append(layer.value.register_forward_hook(lambda *call: values.append(call[2][0])))
        handles.append(layer.register_forward_hook(lambda *call: outputs.append(call[2][0][0])))
    recording = model.record_ids(ids, target_ids=targets)
    for handle in handles:
        handle.remove()

    def by_head(tensor: Tensor) -> Tensor:
        return tensor[: len(ids)].unflatten(1, (tiny.HEADS, -1)).transpose(0, 1)

    return recording, [by_head(item) for item in values], [by_head(item) for item in outputs]


@pytest.mark.parametrize(
    ("name", "length", "changes"),
    [
        ("big_bird", 42, {}),
        ("big_bird", 41, {}),  # filled up to a whole number of blocks inside
        ("big_bird", 46, {"num_random_blocks": 4}),
        ("big_bird", 1024, LARGE | {"num_hidden_layers": 1}),
        ("bigbird_pegasus", 42, {"block_size": 2, "num_random_blocks": 1}),
        ("bigbird_pegasus", 41, {"block_size": 2, "num_random_blocks": 2}),
    ],
)
def test_weights_of_sparse_layers_times_values_are_what_they_put_out(
    name: str, length: int, changes: dict[str, int]
) -> None:
    network = tiny.network(name, **changes)
    targets = tiny.target_ids() if name in tiny.ENCODER_DECODERS else None
    recording, values, outputs = record_beside(network, tiny.ids(length, stop=97), targets)
    assert len(outputs) == recording.size("encoder")[0] == len(values)
    for layer, (value, output) in enumerate(zip(values, outputs, strict=True)):
        weights = recording.weights("encoder", layer=layer)
        assert float(weights.sum(dim=-1).min()) > 1 - 1e-4
        torch.testing.assert_close(weights @ value, output, atol=1e-5, rtol=1e-4)
        assert not any(shown.hidden_mass.any() for shown in recording.maps("encoder", layer=layer))


def test_what_a_layer_reports_of_a_long_text_is_compared_with_what_it_puts_out() -> None:
    """A layer whose weights are right on the few tokens of the trial and wrong on more."""
    network = tiny.network("bloom")
    layer = network.transformer.h[1].self_attention
    own = layer.forward

    def forward(*arguments: Any, **named: Any) -> Any:
        output, weights, *rest = own(*arguments, **named)
        if weights is not None and weights.shape[-1] > 20:
            weights = torch.full_like(weights, 1 / weights.shape[-1]).tril()
        return output, weights, *rest

    layer.forward = forward
    model = Model(network, name="some-model")
    assert not model.record_ids(tiny.ids(19)).by_capture
    with pytest.raises(
        NoAttentionError,
        match=r"At 1,021 tokens, the decoder attention weights of layer 1 of some-model times its values are not what "
        r"the layer puts out.* Shorten the text, or choose another model",
    ):
        model.record_ids(tiny.ids(1021))


@pytest.mark.parametrize("name", ["llama", "bert", "t5", "bart"])
def test_what_is_captured_of_a_long_text_is_compared_with_what_the_fast_path_gave(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fast path that lets every query see every key, or leaves the last keys out, once there are more than 20."""
    from transformers.integrations import sdpa_attention

    own = sdpa_attention.sdpa_attention_forward

    def other(module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Any, **named: Any) -> Any:
        if key.shape[2] > 20:
            key, value, mask = key[:, :, :-5], value[:, :, :-5], None
            named |= {"is_causal": False, "position_bias": None}
        return own(module, query, key, value, mask, **named)

    monkeypatch.setattr(sdpa_attention, "sdpa_attention_forward", other)
    model = Model(tiny.network(name), name=name)
    assert model.record_ids(**tiny.inputs(name, 19, 19)).by_capture
    with pytest.raises(NoAttentionError, match=f"At 31 tokens, the .* weights of layer 0 of {name} times its values"):
        model.record_ids(**tiny.inputs(name, 31))
    if name in tiny.ENCODER_DECODERS:
        recording = model.record_ids(**tiny.inputs(name, 19, 31))
        with pytest.raises(NoAttentionError, match="the decoder attention weights of layer 0"):
            recording.weights("cross", layer=0)


def test_keys_that_are_no_tokens_are_not_shown_as_if_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers that read a summary of the text beside it, once the text is long."""
    from transformers.models.bert import modeling_bert

    class WithSummary:
        own = modeling_bert.ALL_ATTENTION_FUNCTIONS

        def get_interface(self, *chosen: Any) -> Any:
            attention = self.own.get_interface(*chosen)

            def longer(tensor: Tensor) -> Tensor:
                return torch.cat([tensor, tensor.mean(2, keepdim=True)], 2) if tensor.shape[2] > 20 else tensor

            return lambda module, query, key, value, *rest, **named: attention(
                module, query, longer(key), longer(value), *rest, **named
            )

    monkeypatch.setattr(modeling_bert, "ALL_ATTENTION_FUNCTIONS", WithSummary())
    model = Model(tiny.network("bert"), name="bert")
    assert model.record_ids(tiny.ids(19)).by_capture
    with pytest.raises(NoAttentionError, match="At 31 tokens, the encoder attention weights of layer 0 of bert"):
        model.record_ids(tiny.ids(31))
