"""Every text architecture of transformers: what attnviz shows is what the model's own eager attention gives.

Each tiny random model is recorded twice: with windows that its trial already shows, and with windows that only the
recorded text is long enough to show. Where attention is captured it can be changed: a head is taken away, and the
output is the one that a hook gives.
"""

import pytest
import torch
from support.architecture_settings import SINK_NOT_REPORTED, UNMAPPED, UNPROVED, VARIANTS
from support.architectures import build, find_text_model_types, inputs, reference
from support.head_removal import check_head_removal
from support.text_model_types import TEXT_MODEL_TYPES

import attnviz
from attnviz.interventions import Ablate, Heads

CASES = [*TEXT_MODEL_TYPES, *VARIANTS]
WINDOWS = [pytest.param(4, 13, id="short windows"), pytest.param(24, 41, id="long windows")]
# Exact equality is not to be had: the fused and the eager attention add in different orders.
WEIGHTS, LOGITS = {"atol": 1e-5, "rtol": 0.0}, {"atol": 1e-4, "rtol": 1e-5}


def settings(network: torch.nn.Module) -> list[tuple[int, str | None]]:
    """The attention implementation of every configuration that a module of the network, or a part of one, reads."""
    found, waiting = {}, [module.config for module in network.modules() if hasattr(module, "config")]
    while waiting:
        config = waiting.pop()
        if id(config) not in found and hasattr(config, "_attn_implementation"):
            found[id(config)] = config._attn_implementation
            waiting += [getattr(config, name) for name in config.sub_configs]
    return sorted(found.items())


@pytest.mark.parametrize(("window", "length"), WINDOWS)
@pytest.mark.parametrize("model_type", CASES)
def test_recording_shows_what_eager_attention_gives(model_type: str, window: int, length: int) -> None:
    expected = reference(model_type, length=length, window=window)
    assert bool(expected.refusals) == (model_type in UNMAPPED), expected.refusals
    network = build(model_type, window=window)
    before = settings(network)
    given = inputs(network, length=length)
    targets = given["decoder_input_ids"][0] if "decoder_input_ids" in given else None
    model = attnviz.Model(network, None)
    try:
        recording = model.record_ids(given["input_ids"][0], target_ids=targets)
        shown = {
            kind: [recording.weights(kind, layer=layer) for layer in range(recording.size(kind)[0])]
            for kind in recording.kinds
        }
        logits = recording.logits
    except attnviz.AttnvizError as error:
        assert expected.refusals, f"refused, though eager attention has every map: {error}"
        assert len(str(error)) > 20, "an error says what is wrong and what to do next"
        assert settings(network) == before
        return
    assert settings(network) == before
    plan = model.recorder.plan
    assert bool(plan.captures or plan.sources) == (model_type not in UNPROVED), "weights times values are compared"

    assert not expected.refusals.keys() & shown.keys(), f"shown, though {expected.refusals}"
    assert shown.keys() == expected.maps.keys()
    for kind, maps in expected.maps.items():
        assert recording.size(kind) == (len(maps), *maps[0].shape)
        for layer, (weights, eager) in enumerate(zip(shown[kind], maps, strict=True)):
            assert weights.dtype == torch.float32
            if model_type in SINK_NOT_REPORTED:
                share = weights.sum(dim=-1, keepdim=True)
                assert bool((share < 1 + 1e-5).all() and (share < 0.97).any()), "a part of the rows goes to the sink"
                weights = weights / share
            torch.testing.assert_close(weights, eager, **WEIGHTS, msg=lambda text, at=(kind, layer): f"{at}: {text}")

    if expected.logits is None:
        assert logits is None
    else:
        torch.testing.assert_close(logits, expected.logits, **LOGITS)

    if window == WINDOWS[0].values[0]:
        if plan.captures:
            check_head_removal(model_type, model, given)
        else:
            with pytest.raises(attnviz.AttnvizError, match="can be read, but not changed"):
                model.record_ids(given["input_ids"][0], targets, interventions=[Ablate(Heads(recording.kinds[0]))])


def test_the_sweep_covers_the_architectures_of_this_release() -> None:
    """A new release, or a mistake in how types are found, must not shrink the sweep unnoticed."""
    types = set(TEXT_MODEL_TYPES)
    assert find_text_model_types() == TEXT_MODEL_TYPES
    assert len(types - UNMAPPED.keys()) >= 210
    assert {"gpt2", "bert", "t5", "llama", "gemma3_text", "llama4_text", "qwen2_vl_text", "clip_text_model"} <= types
    assert not types & {"vit", "whisper", "llava", "clip", "wav2vec2", "musicgen"}
