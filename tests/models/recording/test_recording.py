"""Recording: its numbers against transformers' own eager attention, and what it says of what is not there."""

from __future__ import annotations

import re
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
    recording,
)
from torch import Tensor

import attnviz
from attnviz import Model, Recording
from attnviz.errors import InputError, NoAttentionError

SHOWN = [*tiny.CAPTURED, *tiny.EAGER_ONLY]


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
            assert_close(shown, weights, (kind, layer))
    if expected.logits is None:
        assert found.logits is None
    else:
        assert found.logits is not None and found.logits.dtype == torch.float32
        assert_close(found.logits, expected.logits, "logits", **LOGITS)


@pytest.mark.parametrize(("length", "target_length"), [(1, 1), (1, 3), (2, 1)])
@pytest.mark.parametrize("name", SHOWN)
def test_the_shortest_texts(name: str, length: int, target_length: int) -> None:
    given = tiny.inputs(name, length, target_length)
    found, expected = model(name).record_ids(**given), tiny.eager(name, given)
    assert found.kinds == model(name).kinds, "one token sees itself, whatever the kind"
    for (kind, maps), own in zip(expected.maps.items(), found.kinds, strict=True):
        assert found.size(own) == (len(maps), *maps[0].shape)
        for layer, weights in enumerate(maps):
            assert_close(found.weights(own, layer=layer), weights, (kind, layer))


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
    for kind, layer in kinds_and_layers(name):
        every = found.weights(kind, layer=layer)
        for head in range(every.shape[0]):
            assert_close(
                found.weights(kind, layer=layer, head=head), every[head], (kind, layer, head), atol=1e-7, rtol=0.0
            )


@pytest.mark.parametrize("name", tiny.CAPTURED)
def test_softmax_of_the_scores_is_the_weights(name: str) -> None:
    found = recording(name)
    for kind, layer in kinds_and_layers(name):
        scores, weights = found.scores(kind, layer=layer), found.weights(kind, layer=layer)
        assert scores.shape == weights.shape
        if name != "gpt_oss":
            assert_close(scores.softmax(dim=-1), weights, (kind, layer), atol=1e-6, rtol=0.0)
        # Nothing that may be seen is far below: what is masked is minus infinity, not some low number.
        assert torch.equal(scores == -torch.inf, weights == 0.0)
        assert float(scores[scores > -torch.inf].abs().max()) < 1e3
        assert_close(found.scores(kind, layer=layer, head=1), scores[1], (kind, layer), atol=1e-5, rtol=0.0)
        later = torch.ones(weights.shape[1:]).triu(1).bool()
        if kind == "decoder":
            assert (scores[:, later] == -torch.inf).all()
        elif kind == "cross":
            assert (scores > -torch.inf).all()


@pytest.mark.parametrize("name", ["llama", "bert", "bart", "gpt2"])
def test_scores_are_queries_times_keys_over_the_root_of_the_head_dim(name: str) -> None:
    found = recording(name)
    for kind, layer in kinds_and_layers(name):
        query, key = found.queries(kind, layer=layer), found.keys(kind, layer=layer)
        expected = query @ key.transpose(1, 2) / query.shape[-1] ** 0.5
        scores = found.scores(kind, layer=layer)
        seen = scores > -torch.inf
        assert_close(scores[seen], expected[seen], (kind, layer), atol=1e-5, rtol=0.0)


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
    for kind, layer in kinds_and_layers(name):
        values = found.values(kind, layer=layer)
        context = found.weights(kind, layer=layer) @ values  # (head, query, value_dim)
        assert len(expected[kind]) == found.size(kind)[0]
        assert_close(context.transpose(0, 1).flatten(1), expected[kind][layer], (kind, layer), atol=5e-5, rtol=0.0)


@pytest.mark.parametrize("name", tiny.CAPTURED)
def test_vectors_have_an_axis_of_heads_and_one_head_is_a_slice_of_it(name: str) -> None:
    found = recording(name)
    for kind, layer in kinds_and_layers(name):
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
    narrow = [
        layer for _, layer in kinds_and_layers(name) if not found.weights(found.kinds[0], layer=layer)[:, far].any()
    ]
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
            assert_close(torch.from_numpy(shown.hidden_mass), share[head], (layer, head))
            assert_close(torch.from_numpy(shown.weights.sum(axis=1) + shown.hidden_mass), torch.ones(tiny.LENGTH))


@pytest.mark.parametrize("name", [item for item in SHOWN if item != "gpt_oss"])
def test_without_sinks_rows_sum_to_one_and_nothing_is_hidden(name: str) -> None:
    found = recording(name)
    for kind, layer in kinds_and_layers(name):
        weights = found.weights(kind, layer=layer)
        assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:2]))
        assert not found.map(kind, layer=layer, head=2).hidden_mass.any()


@pytest.mark.parametrize("name", ["llama", "gpt_oss", "t5", "bloom", "nllb_moe"])
def test_pictures(name: str) -> None:
    found = recording(name)
    for kind, layer in kinds_and_layers(name):
        weights = found.weights(kind, layer=layer, head=4)
        assert_close(found.pooled(kind, layer=layer, head=4), weights, (kind, layer), atol=1e-6, rtol=0.0)
        for reduce in ("mean", "max"):
            small = found.pooled(kind, layer=layer, head=4, size=5, reduce=reduce)
            assert small.shape == (5, 5) and small.dtype == torch.float32
            row, column = (torch.arange(length) * 5 // length for length in weights.shape)
            cell = weights[row == 3][:, column == 1]
            assert_close(small[3, 1], cell.mean() if reduce == "mean" else cell.max(), atol=1e-6, rtol=0.0)


@pytest.mark.parametrize("name", ["gpt2", "t5", "bloom"])
def test_maps_carry_weights_tokens_and_where_they_come_from(name: str) -> None:
    found = recording(name)
    for kind, layer in kinds_and_layers(name):
        every = found.maps(kind, layer=layer)
        assert len(every) == tiny.HEADS
        for head, shown in enumerate(every):
            one = found.map(kind, layer=layer, head=head)
            assert (one.kind, one.layer, one.head, one.model) == (kind, layer, head, name)
            assert one.name == f"L{layer} H{head}"
            assert_close(torch.from_numpy(one.weights), found.weights(kind, layer=layer, head=head))
            assert_close(torch.from_numpy(shown.weights), torch.from_numpy(one.weights), atol=1e-7, rtol=0.0)
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
    for kind, layer in kinds_and_layers(name):
        weights, expected = found.weights(kind, layer=layer), full.weights(kind, layer=layer)
        assert weights.dtype == torch.float32
        assert float((weights - expected).abs().mean()) < (4e-3 if dtype == torch.bfloat16 else 5e-4)
        if found.by_capture and name != "gpt_oss":
            assert_close(weights.sum(dim=-1), torch.ones(weights.shape[:2]))
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
    before = attention_settings(refused.network)
    with pytest.raises(NoAttentionError, match=text):
        refused.record_ids(tiny.ids())
    with pytest.raises(NoAttentionError, match=text):
        _ = refused.kinds
    assert attention_settings(refused.network) == before


@pytest.mark.parametrize("name", ["t5", "marian"])
def test_the_decoder_runs_when_it_is_looked_at_and_once(name: str) -> None:
    watched = model(name)
    assert watched.kinds == ("encoder", "decoder", "cross")
    with count_passes(watched.network.get_encoder()) as encoded, count_passes(watched.network.get_decoder()) as decoded:
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
    with count_passes(watched.network) as passes:
        found = watched.record_ids(tiny.ids())
        for kind, layer in kinds_and_layers(name):
            found.weights(kind, layer=layer), found.pooled(kind, layer=layer, head=0)
        assert found.logits is not None
    assert len(passes) == 1


def test_a_recording_says_what_it_is() -> None:
    assert repr(recording("t5")) == "Recording('t5', kinds=('encoder', 'decoder', 'cross'), tokens=13)"
    assert attnviz.Recording is Recording
