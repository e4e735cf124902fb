"""What stays as it was around a recording: the attention setting, the network, its training, and other threads."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import torch
from support import tiny_models as tiny
from support.recordings import (
    LOGITS,
    assert_close,
    attention_settings,
    count_passes,
    eager,
    kinds_and_layers,
    model,
)
from torch import Tensor, nn

from attnviz import Model, Recording
from attnviz.errors import InputError, NoAttentionError
from attnviz.models.capture import capture

# ---------------------------------------------------------------------------------------------------------------------
# What is left behind


@pytest.mark.parametrize("own", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["t5", "gpt2", "gpt_oss", "bart", "bloom"])
def test_the_attention_setting_is_back_after_a_recording(name: str, own: str) -> None:
    if own == "sdpa" and name in ("gpt_oss", "bloom"):
        own = "eager"  # they have no other
    network = tiny.network(name, attention=own)
    before = attention_settings(network)
    assert len(before) >= 1 and {setting for _, setting in before} == {own}
    found = Model(network).record_ids(**tiny.inputs(name))
    assert found.logits is not None
    assert attention_settings(network) == before


@pytest.mark.parametrize("name", ["t5", "gpt2", "bart", "bloom"])
def test_the_attention_setting_is_back_after_a_recording_that_failed(name: str) -> None:
    network = tiny.network(name)
    failing, before = Model(network), attention_settings(network)
    assert failing.kinds
    last = [module for module in network.modules() if not list(module.children())][-1]

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("in the middle of a layer")

    handle = last.register_forward_pre_hook(fail)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            _ = failing.record_ids(**tiny.inputs(name)).logits
        assert attention_settings(network) == before
    handle.remove()
    found = failing.record_ids(**tiny.inputs(name))
    for kind, layer in kinds_and_layers(name):
        assert_close(found.weights(kind, layer=layer), eager(name).maps[kind][layer])


def test_a_trial_that_failed_leaves_the_setting_and_is_made_again() -> None:
    network = tiny.network("bart")
    before = attention_settings(network)
    stuck = network.model.decoder.layers[1].register_forward_pre_hook(lambda *_: torch.ones(2) @ torch.ones(3))
    failing = Model(network)
    with pytest.raises(NoAttentionError, match="cannot be asked for its attention weights on plain text"):
        _ = failing.kinds
    assert attention_settings(network) == before
    stuck.remove()
    assert failing.record_ids(**tiny.inputs("bart")).by_capture


@pytest.mark.parametrize("name", ["bert", "t5", "gemma2"])
def test_a_recording_leaves_the_network_computing_what_it_did(name: str) -> None:
    network = tiny.network(name)
    given = {"input_ids": torch.tensor([tiny.ids()])}
    if name == "t5":
        given["decoder_input_ids"] = torch.tensor([tiny.target_ids()])
    with torch.no_grad():
        before = network(**given).logits
        assert Model(network).record_ids(**tiny.inputs(name)).logits is not None
        after = network(**given).logits
    assert torch.equal(before, after)
    assert all(parameter.requires_grad and parameter.grad is None for parameter in network.parameters())


def test_the_network_can_still_be_trained_after_a_recording() -> None:
    network = tiny.network("gpt2")
    Model(network).record_ids(tiny.ids())
    ids = torch.tensor([tiny.ids()])
    network(ids, labels=ids).loss.backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_a_text_recorded_before_does_not_change_how_a_long_one_is_computed() -> None:
    """BigBird drops its sparse attention for good when it meets a short text; the trial must not do that to it."""
    ids = tiny.ids(42)  # a whole number of blocks
    with torch.no_grad():
        sparse = tiny.network("big_bird")(torch.tensor([ids])).logits[0]
    found = Model(tiny.network("big_bird")).record_ids(ids)
    assert found.logits is not None
    assert_close(found.logits, sparse, "logits", **LOGITS)


def test_two_threads_that_record_the_same_network_get_their_own_maps() -> None:
    texts = [tiny.ids(length, seed=length) for length in (5, 7, 11, 13)]
    expected = {name: [tiny.eager(name, given_for(name, text)) for text in texts] for name in ("gpt2", "t5")}
    networks = {name: tiny.network(name) for name in expected}
    wrong: list[str] = []
    start = threading.Barrier(len(texts))

    def work(number: int) -> None:
        try:
            start.wait(timeout=60)
            for turn in range(4):
                for name, network in networks.items():  # a Model of its own each: the network is what is shared
                    found = Model(network).record_ids(**given_for(name, texts[number]))
                    for kind, maps in expected[name][number].maps.items():
                        for layer, weights in enumerate(maps):
                            shown = found.weights(kind, layer=layer)
                            if shown.shape != weights.shape or float((shown - weights).abs().max()) > 1e-5:
                                wrong.append(f"{name} {kind} {layer} in turn {turn}")
        except Exception as error:
            wrong.append(repr(error))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=120)
    assert not any(thread.is_alive() for thread in threads)
    assert not wrong
    for network in networks.values():
        assert {setting for _, setting in attention_settings(network)} == {"sdpa"}


def given_for(name: str, ids: list[int]) -> dict[str, list[int]]:
    return {"ids": ids} | ({"target_ids": ids[::-1]} if name == "t5" else {})


def test_a_decoder_that_two_threads_look_at_first_runs_once() -> None:
    watched = model("t5")
    assert watched.kinds
    for _ in range(8):
        found = watched.record_ids(**tiny.inputs("t5"))
        start, failed = threading.Barrier(2), []

        def look(found: Recording = found, start: threading.Barrier = start, failed: list = failed) -> None:
            try:
                start.wait(timeout=60)
                found.weights("cross", layer=0)
            except Exception as error:
                failed.append(error)

        with count_passes(watched.network.get_decoder()) as decoded:
            threads = [threading.Thread(target=look) for _ in range(2)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(timeout=60)
        assert not failed
        assert len(decoded) == 1


def test_the_network_can_be_used_elsewhere_while_a_recording_runs() -> None:
    """Another thread that runs the network by itself in the middle of a capture is neither captured nor disturbed."""
    network = tiny.network("gpt2")
    ids, other = torch.tensor([tiny.ids()]), torch.tensor([tiny.ids(7, seed=3)])
    with torch.no_grad():
        expected = network(other).logits
    results: list[Tensor] = []

    def elsewhere() -> None:
        with torch.no_grad():
            results.append(network(other).logits)

    def meanwhile(*_: Any) -> None:
        handle.remove()
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join(timeout=60)

    recorder = Model(network)
    assert recorder.kinds
    handle = network.transformer.h[1].register_forward_pre_hook(meanwhile)
    found = recorder.record_ids(ids[0])
    assert_close(results[0], expected, **LOGITS)
    for layer, weights in enumerate(eager("gpt2").maps["decoder"]):
        assert_close(found.weights("decoder", layer=layer), weights)


def test_nothing_is_captured_outside_of_a_recording() -> None:
    network = tiny.network("bert")
    Model(network).record_ids(tiny.ids())
    with capture.implementation(network, capture.NAME), torch.no_grad():
        output = network(torch.tensor([tiny.ids()])).logits[0]
    assert eager("bert").logits is not None
    assert_close(output, eager("bert").logits, **LOGITS)
    assert capture._active.get() is None


# Networks that are trained on between recordings ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bert", "bart", "llama"])
def test_training_mode_does_not_reach_a_recording_and_comes_back(name: str) -> None:
    network = tiny.network(name)
    for part in network.modules():
        if isinstance(part, nn.Dropout):
            part.p = 0.5
    network.config.attention_dropout = 0.5
    model = Model(network)
    target = {} if name != "bart" else {"target_ids": tiny.ids(5)}
    kind = model.kinds[-1]
    recording = model.record_ids(tiny.ids(7), **target)
    before = recording.weights(kind, layer=recording.size(kind)[0] - 1)
    network.train()
    frozen = next(part for part in network.modules() if isinstance(part, nn.Linear)).eval()
    recording = model.record_ids(tiny.ids(7), **target)
    torch.testing.assert_close(recording.weights(kind, layer=recording.size(kind)[0] - 1), before)
    assert network.training and not frozen.training
    with pytest.raises(InputError):
        model.record_ids([10**9])
    assert network.training
