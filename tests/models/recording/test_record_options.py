"""Long inputs: progress and an end half-way, some layers only, another device, and what would fit into memory."""

from __future__ import annotations

import pytest
import torch
from support import tiny_models as tiny
from support.recordings import assert_close, attention_settings, kinds_and_layers, model, recording

from attnviz.errors import InputError, MemoryShortError
from attnviz.models.recording.record_options import Needs, RecordOptions, free_bytes


@pytest.mark.parametrize("name", ["llama", "t5", "bloom"])
def test_progress_rises_to_one_and_what_it_raises_ends_the_run(name: str) -> None:
    told: list[float] = []
    found = model(name).record_ids(**tiny.inputs(name), progress=told.append)
    assert told == sorted(set(told)) and told[-1] == 1.0 and len(told) == (1 if name == "bloom" else tiny.LAYERS)
    assert_close(found.weights(found.kinds[0], layer=1), recording(name).weights(found.kinds[0], layer=1))

    class Stopped(Exception):
        pass

    def stop(share: float) -> None:
        told.append(share)
        raise Stopped

    before, settings = len(told), attention_settings(model(name).network)
    with pytest.raises(Stopped):
        model(name).record_ids(**tiny.inputs(name), progress=stop)
    assert len(told) == before + 1, "no layer is computed after it"
    assert attention_settings(model(name).network) == settings
    again = model(name).record_ids(**tiny.inputs(name))
    assert_close(again.weights(again.kinds[0], layer=1), recording(name).weights(again.kinds[0], layer=1))


@pytest.mark.parametrize("name", ["llama", "gpt2", "bert", "t5"])
def test_a_long_text_is_told_of_head_by_head_and_its_numbers_are_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attnviz.models.capture.fused_attention.LONG", 1)
    told: list[float] = []
    found = model(name).record_ids(**tiny.inputs(name), progress=told.append)
    assert told == sorted(set(told)) and told[-1] == 1.0 and len(told) > tiny.LAYERS
    for kind, layer in kinds_and_layers(name):
        assert_close(found.weights(kind, layer=layer), recording(name).weights(kind, layer=layer))
    if found.logits is not None:
        assert_close(found.logits, recording(name).logits)


@pytest.mark.parametrize("name", ["llama", "gpt_oss", "t5", "bloom"])
def test_layers_that_are_not_kept_hold_nothing_and_say_so(name: str) -> None:
    found = model(name).record_ids(**tiny.inputs(name), layers=[1], device="cpu")
    for kind, layer in kinds_and_layers(name):
        assert found.size(kind) == recording(name).size(kind)
        if layer == 1:
            assert_close(found.weights(kind, layer=1), recording(name).weights(kind, layer=1))
            continue
        with pytest.raises(InputError, match=f"Layer {layer} was not kept: .* the layers 1 only"):
            found.pooled(kind, layer, 0)
        stored = found._layer(kind, layer)
        tensors = [stored] if isinstance(stored, torch.Tensor) else [stored.query, stored.key, stored.value]
        assert {item.untyped_storage().nbytes() for item in tensors} <= {2, 4}
    with pytest.raises(InputError, match="has layers 0 to 2, not 7"):
        model(name).record_ids(**tiny.inputs(name), layers=[0, 7])


def test_without_the_output_nothing_of_the_vocabulary_s_size_is_kept() -> None:
    assert model("llama").record_ids(tiny.inputs("llama")["ids"], logits=False).logits is None


def test_half_precision_stays_so() -> None:
    network = tiny.network("llama").bfloat16()
    found = type(model("llama"))(network).record_ids(tiny.ids(13), device="cpu")
    assert found.stored_layer("decoder", 0, None).query.dtype == torch.bfloat16
    assert found.pooled("decoder", 0, size=5).dtype == torch.float32


def test_the_estimate_is_what_is_kept_and_over_the_budget_it_says_what_fits() -> None:
    kept_model, ids = model("llama"), tiny.inputs("llama")["ids"]
    count = len(ids)
    found = kept_model.record_ids(ids)
    layers = [found.stored_layer("decoder", layer, None) for layer in range(tiny.LAYERS)]
    own = sum(part.numel() * 4 for layer in layers for part in (layer.query, layer.key, layer.value))
    needed = kept_model.recording_bytes(count)
    assert needed == own + own // tiny.LAYERS + found.logits.numel() * 4
    with pytest.raises(MemoryShortError, match=r"To record 13 tokens llama needs .* 12 tokens would fit, or 2 of"):
        kept_model.record_ids(ids, budget=needed - 1)
    kept_model.record_ids(ids, budget=needed)
    kept_model.record_ids(ids, budget=needed - 1, layers=[0, 1])
    large_output = Needs(((0, 4, 4),), 1000)
    with pytest.raises(MemoryShortError, match=r"1 tokens would fit, or all of them without the output"):
        large_output.check(2, RecordOptions(budget=1500), torch.device("cpu"), "m")
    with pytest.raises(MemoryShortError, match=r" 9 tokens would fit\.$"):
        large_output.check(100, RecordOptions(budget=150, logits=False), torch.device("cpu"), "m")


def test_free_memory_is_known_or_not_asked_for() -> None:
    assert (free_bytes(torch.device("cpu")) or 1) > 0
    assert free_bytes(torch.device("meta")) is None
