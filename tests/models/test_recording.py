"""Recording: its numbers against transformers' own eager attention, and what it keeps, runs and leaves behind."""

from __future__ import annotations

import contextlib
import functools
import gc
import pickle
import re
import threading
import types
import weakref
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from support import tiny_models as tiny
from torch import Tensor, nn

import attnviz
from attnviz import Model, Recording
from attnviz.errors import InputError, NoAttentionError
from attnviz.models import capture

WEIGHTS, LOGITS = {"atol": 1e-5, "rtol": 0.0}, {"atol": 1e-4, "rtol": 0.0}
SHOWN = [*tiny.CAPTURED, *tiny.EAGER_ONLY]


@functools.cache
def model(name: str) -> Model:
    """One model for every test that changes nothing about it."""
    return Model(tiny.network(name), name=name)


@functools.cache
def recording(name: str) -> Recording:
    return model(name).record_ids(**tiny.inputs(name))


@functools.cache
def eager(name: str) -> tiny.Eager:
    return tiny.eager(name)


def places(name: str) -> list[tuple[str, int]]:
    """Every kind and layer of a recording."""
    found = recording(name)
    return [(kind, layer) for kind in found.kinds for layer in range(found.size(kind)[0])]


def close(actual: Tensor, expected: Tensor, where: object = "", **tolerance: float) -> None:
    torch.testing.assert_close(actual, expected, **(tolerance or WEIGHTS), msg=lambda text: f"{where}: {text}")


def settings(network: nn.Module) -> list[tuple[int, str | None]]:
    """The attention implementation of every configuration in reach of the network, nested ones too."""
    found, waiting = {}, [module.config for module in network.modules() if hasattr(module, "config")]
    while waiting:
        config = waiting.pop()
        if id(config) not in found and hasattr(config, "_attn_implementation"):
            found[id(config)] = config._attn_implementation
            waiting += [item for item in vars(config).values() if hasattr(item, "_attn_implementation")]
    return sorted(found.items())


# ---------------------------------------------------------------------------------------------------------------------
# The numbers


@pytest.mark.parametrize("name", SHOWN)
def test_weights_and_logits_are_those_of_the_unmodified_model(name: str) -> None:
    found, expected = recording(name), eager(name)
    assert set(found.kinds) == expected.maps.keys()
    for kind, maps in expected.maps.items():
        assert found.size(kind) == (len(maps), *maps[0].shape)
        for layer, weights in enumerate(maps):
            shown = found.weights(kind, layer=layer)
            assert shown.dtype == torch.float32 and shown.device.type == "cpu"
            close(shown, weights, (kind, layer))
    if expected.logits is None:
        assert found.logits is None
    else:
        assert found.logits is not None and found.logits.dtype == torch.float32
        close(found.logits, expected.logits, "logits", **LOGITS)


@pytest.mark.parametrize(("length", "target_length"), [(1, 1), (1, 3), (2, 1)])
@pytest.mark.parametrize("name", SHOWN)
def test_the_shortest_texts(name: str, length: int, target_length: int) -> None:
    given = tiny.inputs(name, length, target_length)
    found, expected = model(name).record_ids(**given), tiny.eager(name, given)
    assert found.kinds == model(name).kinds, "one token sees itself, whatever the kind"
    for (kind, maps), own in zip(expected.maps.items(), found.kinds, strict=True):
        assert found.size(own) == (len(maps), *maps[0].shape)
        for layer, weights in enumerate(maps):
            close(found.weights(own, layer=layer), weights, (kind, layer))


@pytest.mark.parametrize("name", SHOWN)
def test_kinds_and_sizes(name: str) -> None:
    found = recording(name)
    source, target = tiny.LENGTH, tiny.TARGET_LENGTH
    heads = 6 if "num_key_value_heads" in tiny.NETWORKS[name][1] else tiny.HEADS
    if name in tiny.ENCODER_DECODERS:
        assert found.kinds == ("encoder", "decoder", "cross")
        assert found.size("encoder") == (tiny.LAYERS, heads, source, source)
        assert found.size("decoder") == (tiny.DECODER_LAYERS, heads, target, target)
        assert found.size("cross") == (tiny.DECODER_LAYERS, heads, target, source)
        assert len(found.query_tokens("cross")) == target and len(found.key_tokens("cross")) == source
    else:
        encoders = {"bert", "roberta", "distilbert", "electra", "albert", "modernbert", "deberta_v2", "splinter"}
        assert found.kinds == (("encoder",) if name in encoders else ("decoder",))
        assert found.size(found.kinds[0]) == (tiny.LAYERS, heads, source, source)
    assert found.by_capture is (name in tiny.CAPTURED)


@pytest.mark.parametrize("name", SHOWN)
def test_a_head_alone_is_the_same_as_among_all(name: str) -> None:
    found = recording(name)
    for kind, layer in places(name):
        every = found.weights(kind, layer=layer)
        for head in range(every.shape[0]):
            close(found.weights(kind, layer=layer, head=head), every[head], (kind, layer, head), atol=1e-7, rtol=0.0)


@pytest.mark.parametrize("name", tiny.CAPTURED)
def test_softmax_of_the_scores_is_the_weights(name: str) -> None:
    found = recording(name)
    for kind, layer in places(name):
        scores, weights = found.scores(kind, layer=layer), found.weights(kind, layer=layer)
        assert scores.shape == weights.shape
        if name != "gpt_oss":
            close(scores.softmax(dim=-1), weights, (kind, layer), atol=1e-6, rtol=0.0)
        # Nothing that may be seen is far below: what is masked is minus infinity, not some low number.
        assert torch.equal(scores == -torch.inf, weights == 0.0)
        assert float(scores[scores > -torch.inf].abs().max()) < 1e3
        close(found.scores(kind, layer=layer, head=1), scores[1], (kind, layer), atol=1e-5, rtol=0.0)
        later = torch.ones(weights.shape[1:]).triu(1).bool()
        if kind == "decoder":
            assert (scores[:, later] == -torch.inf).all()
        elif kind == "cross":
            assert (scores > -torch.inf).all()


@pytest.mark.parametrize("name", ["llama", "bert", "bart", "gpt2"])
def test_scores_are_queries_times_keys_over_the_root_of_the_head_dim(name: str) -> None:
    found = recording(name)
    for kind, layer in places(name):
        query, key = found.queries(kind, layer=layer), found.keys(kind, layer=layer)
        expected = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
        scores = found.scores(kind, layer=layer)
        seen = scores > -torch.inf
        close(scores[seen], expected[seen], (kind, layer), atol=1e-5, rtol=0.0)


OUTPUT_PROJECTION = re.compile(
    r"(attention\.output\.dense|o_proj|attn\.c_proj|attn\.out_proj|Attention\.o|attn\.Wo|attention\.dense|out_lin)$"
)


def contexts(name: str) -> dict[str, list[Tensor]]:
    """By kind, for each layer what the heads of an unmodified network put out: (queries, heads * value_dim)."""
    network, found = tiny.network(name), {kind: [] for kind in recording(name).kinds}

    def keep(kind: str) -> Any:
        return lambda _, arguments: found[kind].append(arguments[0][0].reshape(arguments[0].shape[1], -1))

    for module_name, module in network.named_modules():
        if OUTPUT_PROJECTION.search(module_name):
            kind = "cross" if re.search("encoder_attn|EncDec", module_name) else "decoder"
            if module_name.startswith(("encoder.", "model.encoder.")) or found.keys() == {"encoder"}:
                kind = "encoder"
            module.register_forward_pre_hook(keep(kind))
    given = tiny.inputs(name)
    targets = {"decoder_input_ids": torch.tensor([given["target_ids"]])} if "target_ids" in given else {}
    with torch.no_grad():
        network(torch.tensor([given["ids"]]), **targets)
    return found


@pytest.mark.parametrize("name", tiny.CAPTURED)
def test_weights_times_values_is_what_the_attention_layer_puts_out(name: str) -> None:
    found, expected = recording(name), contexts(name)
    for kind, layer in places(name):
        values = found.values(kind, layer=layer)
        context = found.weights(kind, layer=layer) @ values  # (head, query, value_dim)
        assert len(expected[kind]) == found.size(kind)[0]
        close(context.transpose(0, 1).flatten(1), expected[kind][layer], (kind, layer), atol=5e-5, rtol=0.0)


@pytest.mark.parametrize("name", tiny.CAPTURED)
def test_vectors_have_an_axis_of_heads_and_one_head_is_a_slice_of_it(name: str) -> None:
    found = recording(name)
    for kind, layer in places(name):
        _, heads, queries, keys = found.size(kind)
        for read, length in ((found.queries, queries), (found.keys, keys), (found.values, keys)):
            every = read(kind, layer=layer)
            assert every.shape[:2] == (heads, length) and every.dim() == 3 and every.dtype == torch.float32
            for head in range(heads):
                assert torch.equal(read(kind, layer=layer, head=head), every[head])


def test_heads_that_share_a_key_head_have_the_same_keys() -> None:
    found = recording("llama")
    keys, queries = found.keys("decoder", layer=1), found.queries("decoder", layer=1)
    assert torch.equal(keys[0], keys[2]) and torch.equal(keys[3], keys[5])
    assert not torch.equal(keys[2], keys[3]) and not torch.equal(queries[0], queries[1])


@pytest.mark.parametrize("name", ["mistral", "gemma2", "gemma3", "gpt_oss", "modernbert"])
def test_a_window_narrower_than_the_text_shows(name: str) -> None:
    found = recording(name)
    distance = torch.arange(tiny.LENGTH)[:, None] - torch.arange(tiny.LENGTH)
    reach = tiny.WINDOW // 2 if name == "modernbert" else tiny.WINDOW - 1
    far = distance.abs() > reach
    narrow = [layer for _, layer in places(name) if not found.weights(found.kinds[0], layer=layer)[:, far].any()]
    assert narrow == {"mistral": [0, 1, 2], "modernbert": [1]}.get(name, [0, 2])
    for layer in narrow:
        assert (found.scores(found.kinds[0], layer=layer)[:, far] == -torch.inf).all()


def test_a_soft_cap_bounds_the_scores() -> None:
    scores = torch.stack([recording("gemma2").scores("decoder", layer=layer) for layer in range(3)])
    highest = float(scores[scores > -torch.inf].abs().max())
    assert 1.9 < highest <= 2.0


def test_the_share_of_a_sink_is_hidden_mass() -> None:
    found, network = recording("gpt_oss"), model("gpt_oss").network
    for layer in range(tiny.LAYERS):
        sinks = network.model.layers[layer].self_attn.sinks.detach()
        scores = found.scores("decoder", layer=layer)
        share = torch.cat([scores, sinks[:, None, None].expand(-1, tiny.LENGTH, 1)], dim=-1).softmax(dim=-1)[..., -1]
        assert float(share.mean()) > 0.05
        for head in range(6):
            shown = found.map("decoder", layer=layer, head=head)
            close(torch.from_numpy(shown.hidden_mass), share[head], (layer, head))
            close(torch.from_numpy(shown.weights.sum(axis=1) + shown.hidden_mass), torch.ones(tiny.LENGTH))


def test_the_share_that_a_model_keeps_to_itself_is_hidden_mass_too() -> None:
    """BigBird's sparse attention reports some rows in part."""
    found = Model(tiny.network("big_bird")).record_ids(tiny.ids(42))
    assert not found.by_capture
    shares = []
    for layer in range(tiny.LAYERS):
        for shown in found.maps("encoder", layer=layer):
            close(
                torch.from_numpy(shown.weights.sum(axis=1) + shown.hidden_mass), torch.ones(42), atol=1.1e-3, rtol=0.0
            )
            shares.append(shown.hidden_mass.max())
    assert max(shares) > 0.1


@pytest.mark.parametrize("name", [item for item in SHOWN if item != "gpt_oss"])
def test_without_sinks_rows_sum_to_one_and_nothing_is_hidden(name: str) -> None:
    found = recording(name)
    for kind, layer in places(name):
        weights = found.weights(kind, layer=layer)
        close(weights.sum(dim=-1), torch.ones(weights.shape[:2]))
        assert not found.map(kind, layer=layer, head=2).hidden_mass.any()


@pytest.mark.parametrize("name", ["llama", "gpt_oss", "t5", "bloom", "nllb_moe"])
def test_pictures(name: str) -> None:
    found = recording(name)
    for kind, layer in places(name):
        weights = found.weights(kind, layer=layer, head=4)
        close(found.pooled(kind, layer=layer, head=4), weights, (kind, layer), atol=1e-6, rtol=0.0)
        for reduce in ("mean", "max"):
            small = found.pooled(kind, layer=layer, head=4, size=5, reduce=reduce)
            assert small.shape == (5, 5) and small.dtype == torch.float32
            row, column = (torch.arange(length) * 5 // length for length in weights.shape)
            cell = weights[row == 3][:, column == 1]
            close(small[3, 1], cell.mean() if reduce == "mean" else cell.max(), atol=1e-6, rtol=0.0)


@pytest.mark.parametrize("name", ["gpt2", "t5", "bloom"])
def test_maps_carry_weights_tokens_and_where_they_come_from(name: str) -> None:
    found = recording(name)
    for kind, layer in places(name):
        every = found.maps(kind, layer=layer)
        assert len(every) == tiny.HEADS
        for head, shown in enumerate(every):
            one = found.map(kind, layer=layer, head=head)
            assert (one.kind, one.layer, one.head, one.model) == (kind, layer, head, name)
            assert one.name == f"L{layer} H{head}"
            close(torch.from_numpy(one.weights), found.weights(kind, layer=layer, head=head))
            close(torch.from_numpy(shown.weights), torch.from_numpy(one.weights), atol=1e-7, rtol=0.0)
            assert one.query_tokens == found.query_tokens(kind) and one.key_tokens == found.key_tokens(kind)
            assert (shown.kind, shown.layer, shown.head) == (kind, layer, head)


def test_tokens_without_a_tokenizer_are_their_ids() -> None:
    given, found = tiny.inputs("t5"), recording("t5")
    assert [token.id for token in found.key_tokens("cross")] == given["ids"]
    assert [token.id for token in found.query_tokens("cross")] == given["target_ids"]
    assert found.query_tokens("encoder") == found.key_tokens("encoder") == found.key_tokens("cross")
    assert found.query_tokens("decoder") == found.key_tokens("decoder") == found.query_tokens("cross")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["bert", "llama", "gemma2", "gpt_oss", "t5", "bloom"])
def test_half_precision_gives_float32_weights_near_those_of_full_precision(name: str, dtype: torch.dtype) -> None:
    found = Model(tiny.network(name).to(dtype)).record_ids(**tiny.inputs(name))
    full = Model(tiny.network(name).to(dtype).float()).record_ids(**tiny.inputs(name))
    assert found.by_capture is (name in tiny.CAPTURED)
    for kind, layer in places(name):
        weights, expected = found.weights(kind, layer=layer), full.weights(kind, layer=layer)
        assert weights.dtype == torch.float32
        assert float((weights - expected).abs().mean()) < (4e-3 if dtype == torch.bfloat16 else 5e-4)
        if found.by_capture and name != "gpt_oss":
            close(weights.sum(dim=-1), torch.ones(weights.shape[:2]))
    assert found.logits is not None and found.logits.dtype == torch.float32


@pytest.mark.parametrize(("dtype", "steeper"), [(torch.float32, 4.0), (torch.bfloat16, 2.0), (torch.float16, 2.0)])
def test_the_rounding_of_many_sharp_layers_does_not_stop_a_capture(dtype: torch.dtype, steeper: float) -> None:
    """Each layer makes more of the rounding of those before: after 24 of them two right results differ visibly."""
    network = tiny.network("llama", num_hidden_layers=24, hidden_size=192, head_dim=32, vocab_size=997)
    generator = torch.Generator().manual_seed(0)
    for name, parameter in network.named_parameters():
        if parameter.dim() > 1:
            width = 0.06 * (steeper if "q_proj" in name or "k_proj" in name else 1.0)
            parameter.data.normal_(0.0, width, generator=generator)
    found = Model(network.to(dtype)).record_ids(tiny.ids())
    assert found.by_capture
    assert float(found.weights("decoder", layer=12).amax(dim=-1).mean()) > 0.5, "the heads are sharp"


# ---------------------------------------------------------------------------------------------------------------------
# Errors


@pytest.mark.parametrize("method", ["weights", "scores", "queries", "keys", "values", "pooled", "map", "maps"])
@pytest.mark.parametrize("name", ["t5", "bloom"])
def test_what_is_not_there_is_said(name: str, method: str) -> None:
    read = getattr(recording(name), method)
    kinds = "decoder attention" if name == "bloom" else "encoder and decoder and cross attention"
    head = {} if method == "maps" else {"head": 0}
    with pytest.raises(InputError, match=rf"This recording has {kinds}, not 'self'\. Choose one of \("):
        read("self", layer=0, **head)
    for layer in (-1, 3):
        kind = recording(name).kinds[0]
        with pytest.raises(InputError, match=rf"The {kind} has layers 0 to 2, not {layer}\."):
            read(kind, layer=layer, **head)
    if method != "maps":
        for head_index in (-1, 5):
            with pytest.raises(InputError, match=rf"A layer of the {kind} has heads 0 to 4, not {head_index}\."):
                read(kind, layer=0, head=head_index)


@pytest.mark.parametrize("method", ["scores", "queries", "keys", "values"])
@pytest.mark.parametrize("name", tiny.EAGER_ONLY)
def test_models_with_attention_of_their_own_have_weights_but_no_vectors(name: str, method: str) -> None:
    found = recording(name)
    assert not found.by_capture
    with pytest.raises(
        NoAttentionError, match=rf"{name} computes .* so only the weights are known, not the .*\. Choose"
    ):
        getattr(found, method)(found.kinds[0], layer=0, head=0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("mamba", "MambaForCausalLM gives no attention weights, so there is nothing to show. Choose a transformer"),
        ("rwkv", "RwkvForCausalLM gives its attention in the form .*, which is no map of every layer"),
        ("fnet", "FNetForMaskedLM gives no attention weights, so there is nothing to show. Choose a transformer"),
    ],
)
def test_networks_without_attention_are_refused(name: str, text: str) -> None:
    refused = Model(tiny.network(name))
    before = settings(refused.network)
    with pytest.raises(NoAttentionError, match=text):
        refused.record_ids(tiny.ids())
    with pytest.raises(NoAttentionError, match=text):
        _ = refused.kinds
    assert settings(refused.network) == before


# ---------------------------------------------------------------------------------------------------------------------
# When things run


@contextlib.contextmanager
def counted(module: nn.Module) -> Iterator[list[int]]:
    """The number of forward passes of a module inside, as the length of a list."""
    passes: list[int] = []
    handle = module.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        yield passes
    finally:
        handle.remove()


@pytest.mark.parametrize("name", ["t5", "marian"])
def test_the_decoder_runs_when_it_is_looked_at_and_once(name: str) -> None:
    watched = model(name)
    assert watched.kinds == ("encoder", "decoder", "cross")
    with counted(watched.network.get_encoder()) as encoded, counted(watched.network.get_decoder()) as decoded:
        found = watched.record_ids(**tiny.inputs(name))
        found.weights("encoder", layer=2), found.maps("encoder", layer=0), found.size("encoder")
        assert (len(encoded), len(decoded)) == (1, 0)
        found.weights("cross", layer=0)
        assert (len(encoded), len(decoded)) == (1, 1)
        found.weights("decoder", layer=1), found.size("cross"), found.query_tokens("decoder")
        assert found.logits is not None
        assert (len(encoded), len(decoded)) == (1, 1)


@pytest.mark.parametrize("name", ["bert", "llama", "bloom"])
def test_one_stack_runs_once(name: str) -> None:
    watched = model(name)
    assert watched.kinds
    with counted(watched.network) as passes:
        found = watched.record_ids(tiny.ids())
        for kind, layer in places(name):
            found.weights(kind, layer=layer), found.pooled(kind, layer=layer, head=0)
        assert found.logits is not None
    assert len(passes) == 1


# ---------------------------------------------------------------------------------------------------------------------
# What is left behind


@pytest.mark.parametrize("own", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["t5", "gpt2", "gpt_oss", "bart", "bloom"])
def test_the_attention_setting_is_back_after_a_recording(name: str, own: str) -> None:
    if own == "sdpa" and name in ("gpt_oss", "bloom"):
        own = "eager"  # they have no other
    network = tiny.network(name, attention=own)
    before = settings(network)
    assert len(before) >= 1 and {setting for _, setting in before} == {own}
    found = Model(network).record_ids(**tiny.inputs(name))
    assert found.logits is not None
    assert settings(network) == before


@pytest.mark.parametrize("name", ["t5", "gpt2", "bart", "bloom"])
def test_the_attention_setting_is_back_after_a_recording_that_failed(name: str) -> None:
    network = tiny.network(name)
    failing, before = Model(network), settings(network)
    assert failing.kinds
    last = [module for module in network.modules() if not list(module.children())][-1]

    def fail(*_: Any) -> None:
        raise ZeroDivisionError("in the middle of a layer")

    handle = last.register_forward_pre_hook(fail)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            _ = failing.record_ids(**tiny.inputs(name)).logits
        assert settings(network) == before
    handle.remove()
    found = failing.record_ids(**tiny.inputs(name))
    for kind, layer in places(name):
        close(found.weights(kind, layer=layer), eager(name).maps[kind][layer])


def test_a_trial_that_failed_leaves_the_setting_and_is_made_again() -> None:
    network = tiny.network("bart")
    before = settings(network)
    stuck = network.model.decoder.layers[1].register_forward_pre_hook(lambda *_: torch.ones(2) @ torch.ones(3))
    failing = Model(network)
    with pytest.raises(NoAttentionError, match="cannot be asked for its attention weights on plain text"):
        _ = failing.kinds
    assert settings(network) == before
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
    close(found.logits, sparse, "logits", **LOGITS)


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
        assert {setting for _, setting in settings(network)} == {"sdpa"}


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

        with counted(watched.network.get_decoder()) as decoded:
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
    close(results[0], expected, **LOGITS)
    for layer, weights in enumerate(eager("gpt2").maps["decoder"]):
        close(found.weights("decoder", layer=layer), weights)


# ---------------------------------------------------------------------------------------------------------------------
# Memory


def tensors(found: object) -> list[Tensor]:
    """Every tensor that a recording keeps alive, whatever holds it; the network, which it shares, left out."""
    seen, waiting, kept = set(), [found], []
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, nn.Module | Model | type | types.ModuleType):
            continue
        seen.add(id(item))
        if isinstance(item, Tensor):
            kept.append(item)
        elif isinstance(item, types.FunctionType):
            waiting += [cell.cell_contents for cell in item.__closure__ or ()]
        else:
            waiting += gc.get_referents(item)
    return kept


def kept_bytes(found: Recording) -> int:
    """The size of everything that the tensors are views of, each counted once."""
    storages = {item.untyped_storage().data_ptr(): item.untyped_storage().nbytes() for item in tensors(found)}
    return sum(storages.values())


LONG = [("gpt2", "n_positions"), ("modernbert", "max_position_embeddings"), ("mistral", "max_position_embeddings"),
        ("gemma2", "max_position_embeddings"), ("gpt_oss", "max_position_embeddings"), ("t5", None),
        ("bart", "max_position_embeddings"), ("phi3", "max_position_embeddings")]  # fmt: skip


@pytest.mark.parametrize(("name", "positions"), LONG)
def test_memory_grows_with_the_tokens_and_not_with_their_square(name: str, positions: str | None) -> None:
    vocabulary = 23  # fewer than tokens, so that no logits look like a map
    changes = {"vocab_size": vocabulary} | ({} if positions is None else {positions: 256})
    long = Model(tiny.network(name, **changes))
    length = 67
    sizes = []
    for count in (length, 4 * length - 13):
        given = {"ids": tiny.ids(count, stop=vocabulary)}
        if name in tiny.ENCODER_DECODERS:
            given["target_ids"] = tiny.ids(count, seed=1, stop=vocabulary)
        found = long.record_ids(**given)
        assert found.logits is not None
        kept = tensors(found)
        assert len(kept) >= 3 * tiny.LAYERS, "the queries, keys and values of each layer are found"
        assert all(sum(size >= count - 1 for size in item.shape) < 2 for item in kept), "no map is kept"
        sizes.append(kept_bytes(found))
    assert sizes[1] <= 4 * sizes[0]


@pytest.mark.parametrize("name", ["llama", "t5", "bloom"])
def test_a_dropped_recording_frees_its_tensors(name: str) -> None:
    kept_model = model(name)
    found = kept_model.record_ids(**tiny.inputs(name))
    assert found.logits is not None
    references = [weakref.ref(item) for item in tensors(found)]
    assert len(references) >= 3
    shown = found.weights(found.kinds[0], layer=0)  # what was asked for is a copy
    recording_reference = weakref.ref(found)
    gc.disable()  # at once, not when a collection happens to come by
    try:
        del found
        assert recording_reference() is None
        assert not [reference for reference in references if reference() is not None]
    finally:
        gc.enable()
    assert shown.sum() > 0


@pytest.mark.parametrize("name", ["t5", "marian"])
def test_a_recording_whose_decoder_was_never_looked_at_frees_its_tensors(name: str) -> None:
    found = model(name).record_ids(**tiny.inputs(name))
    references = [weakref.ref(item) for item in tensors(found)]
    assert len(references) >= 3 * tiny.LAYERS
    del found
    gc.collect()
    assert not [reference for reference in references if reference() is not None]


def test_the_encoders_states_are_dropped_once_the_decoder_has_run() -> None:
    found = model("t5").record_ids(**tiny.inputs("t5"))

    def states(found: Recording) -> list[Tensor]:
        return [item for item in tensors(found) if tuple(item.shape) == (1, tiny.LENGTH, tiny.WIDTH)]

    assert states(found)
    found.weights("cross", layer=0)
    assert not states(found)


def test_nothing_is_captured_outside_of_a_recording() -> None:
    network = tiny.network("bert")
    Model(network).record_ids(tiny.ids())
    with capture.implementation(network, capture.NAME), torch.no_grad():
        output = network(torch.tensor([tiny.ids()])).logits[0]
    assert eager("bert").logits is not None
    close(output, eager("bert").logits, **LOGITS)
    assert capture._active.get() is None


def test_the_recording_of_one_stack_can_be_kept_in_a_file() -> None:
    for name in ("bert", "gpt_oss", "bloom"):
        kept = pickle.loads(pickle.dumps(recording(name)))
        for kind, layer in places(name):
            assert torch.equal(kept.weights(kind, layer=layer), recording(name).weights(kind, layer=layer))


def test_a_recording_says_what_it_is() -> None:
    assert repr(recording("t5")) == "Recording('t5', kinds=('encoder', 'decoder', 'cross'), tokens=13)"
    assert attnviz.Recording is Recording


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
