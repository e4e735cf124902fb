"""What made a score: the parts add up to it, on every architecture whose attention is captured."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from support import architectures, tiny_models
from support.bundled import bundled_model

import attnviz
from attnviz.attribution import ScoreSplit, split_score, why_attends
from attnviz.attribution.contributions.linear_path import linear_norm, nonlinear_step
from attnviz.attribution.scores import score_pass

PAIRS = ((-1, 0), (3, 3), (-1, -2))


def tiny(name: str, length: int = tiny_models.LENGTH, **changes: object) -> tuple[attnviz.Model, attnviz.Recording]:
    model = attnviz.Model(tiny_models.network(name, **changes))
    return model, model.record_ids(**tiny_models.inputs(name, length))


def check(split: ScoreSplit, score: float) -> None:
    """Everything that a split promises."""
    assert split.score == pytest.approx(score, rel=1e-6, abs=1e-6)
    allowed = 1e-4 * max(abs(score), 1.0)
    distance = sum(part.value for part in split.parts if part.side == "both")
    assert split.residue <= allowed
    assert sum(part.value for part in split.parts) == pytest.approx(score, abs=allowed)
    assert split.pairs.sum() + distance == pytest.approx(score, abs=allowed)
    for parts, products in ((split.query_parts, split.pairs.sum(axis=1)), (split.key_parts, split.pairs.sum(axis=0))):
        assert [part.product for part in parts] == pytest.approx(products)
        assert sum(part.product for part in parts) + distance == pytest.approx(score, abs=allowed)


CASES = [
    (name, kind)
    for name in tiny_models.CAPTURED
    for kind in (("encoder", "decoder", "cross") if name in tiny_models.ENCODER_DECODERS else (None,))
]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_parts_of_a_score_add_up_to_it(name: str, kind: str | None) -> None:
    model, recording = tiny(name)
    kind = kind or recording.kinds[0]
    layers, heads, queries, keys = recording.size(kind)
    for layer in range(layers):
        scores = recording.scores(kind, layer=layer)
        for head in range(heads):
            for query, key in PAIRS:
                score = float(scores[head, query, key])
                if not math.isinf(score):
                    split = split_score(
                        model, recording, kind, layer=layer, head=head, query=query % queries, key=key % keys
                    )
                    check(split, score)


@pytest.mark.parametrize("name", ["mixtral", "qwen2_moe", "switch_transformers", "llama4_text", "roberta-prelayernorm"])
def test_mixtures_of_experts_gates_and_complex_rotations(name: str) -> None:
    """What a feed-forward network does inside is its own affair: it is one part."""
    model = attnviz.Model(architectures.build(name).float())
    ids = tiny_models.ids(start=11, stop=97)
    recording = model.record_ids(ids, ids[:7] if "cross" in model.kinds else None)
    for kind in recording.kinds:
        layer = recording.size(kind)[0] - 1
        score = float(recording.scores(kind, layer=layer, head=1)[6, 5])
        split = split_score(model, recording, kind, layer=layer, head=1, query=6, key=5)
        check(split, score)
        networks = {
            part.layer for part in split.parts if part.what == "feed_forward" and part.kind in (kind, "decoder")
        }
        assert networks == set(range(layer))


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_each_earlier_head_and_network_is_a_part(kind: str) -> None:
    model, recording = tiny("marian")
    layer = recording.size(kind)[0] - 1
    split = split_score(model, recording, kind, layer=layer, head=0, query=3, key=1)
    heads = recording.size(kind)[1]
    expected = {
        "encoder": ({("encoder", one) for one in range(layer)},) * 2,
        "decoder": ({("decoder", 0), ("cross", 0)},) * 2,
        # The query has the decoder's attention of its own layer too, the key comes from the whole encoder.
        "cross": ({("decoder", 0), ("cross", 0), ("decoder", 1)}, {("encoder", one) for one in range(3)}),
    }[kind]
    for parts, layers in zip((split.query_parts, split.key_parts), expected, strict=True):
        assert {(part.kind, part.layer) for part in parts if part.what == "head"} == layers
        assert sum(part.what == "head" for part in parts) == len(layers) * heads
        assert {"embedding", "position", "bias"} <= {part.what for part in parts}
    networks = [
        {part.layer for part in parts if part.what == "feed_forward"} for parts in (split.query_parts, split.key_parts)
    ]
    before = set(range(layer))
    assert networks == [before, set(range(3)) if kind == "cross" else before]


def test_a_head_that_reads_only_the_position_gives_all_to_it() -> None:
    """Words write into one half of the vector and positions into the other; the head reads the other."""
    network = tiny_models.network("bert")
    half = tiny_models.WIDTH // 2
    with torch.no_grad():
        tables = network.bert.embeddings
        for table, own in ((tables.word_embeddings, slice(0, half)), (tables.position_embeddings, slice(half, None))):
            rows = torch.zeros_like(table.weight)
            # Without a mean of its own, a half moves no number of the other when the norm takes the mean away.
            rows[:, own] = table.weight[:, own] - table.weight[:, own].mean(dim=1, keepdim=True)
            table.weight.copy_(rows)
        tables.token_type_embeddings.weight.zero_()
        tables.LayerNorm.bias.zero_()
        tables.LayerNorm.weight.fill_(1.0)
        attention = network.bert.encoder.layer[0].attention.self
        for matrix in (attention.query, attention.key):
            matrix.weight[:, :half] = 0.0
            matrix.bias.zero_()
    model = attnviz.Model(network)
    recording = model.record_ids(tiny_models.ids())
    split = split_score(model, recording, "encoder", layer=0, head=2, query=5, key=4)
    shares = {what: sum(part.value for part in split.parts if part.what == what) for what in ("position", "embedding")}
    assert abs(split.score) > 0.1
    assert shares["position"] == pytest.approx(split.score, rel=1e-5)
    assert max(abs(part.value) for part in split.parts if part.what != "position") <= 1e-6
    assert {part.what for part in split.largest(2)} == {"position"}
    assert [part.text for part in split.largest(2) if part.side == "key"] == [
        "the position just before, on the key's side"
    ]


def test_t5_gives_its_table_of_distances_a_part_of_its_own() -> None:
    model, recording = tiny("t5")
    split = split_score(model, recording, "encoder", layer=1, head=2, query=6, key=4)
    table = model.network.encoder.block[0].layer[0].SelfAttention
    bias = float(table.compute_bias(tiny_models.LENGTH, tiny_models.LENGTH)[0, 2, 6, 4].detach())
    assert [part.value for part in split.parts if part.what == "distance"] == [pytest.approx(bias, abs=1e-6)]
    assert not [part for part in split.parts if part.what == "position"]


@pytest.mark.parametrize(
    ("name", "changes"),
    [("bert", {"max_position_embeddings": 320}), ("llama", {"max_position_embeddings": 320}), ("t5", {})],
)
def test_three_hundred_tokens(name: str, changes: dict[str, int]) -> None:
    model, recording = tiny(name, 300, **changes)
    kind = recording.kinds[0]
    split = split_score(model, recording, kind, layer=2, head=4, query=299, key=150)
    check(split, float(recording.scores(kind, layer=2, head=4)[299, 150]))


def test_a_vector_that_goes_back_piece_by_piece_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model, recording = tiny("qwen3")
    whole = split_score(model, recording, "decoder", layer=2, head=4, query=9, key=4)
    monkeypatch.setattr(score_pass, "AT_ONCE", 3 * 13 * 60)
    pieces = split_score(model, recording, "decoder", layer=2, head=4, query=9, key=4)
    np.testing.assert_allclose(pieces.pairs, whole.pairs, atol=1e-6)


def test_the_network_is_left_as_it_was_and_asked_twice_says_the_same() -> None:
    model, recording = tiny("bert")
    model.network.train()
    before = dict(model.network.named_parameters())
    first, second = (split_score(model, recording, "encoder", layer=2, head=1, query=4, key=7) for _ in range(2))
    assert first.parts == second.parts and np.array_equal(first.pairs, second.pairs)
    assert model.network.training
    assert all(parameter.grad is None and parameter.requires_grad for parameter in before.values())
    assert not any(module._forward_hooks for module in model.network.modules())
    assert torch.is_grad_enabled()


def test_frozen_weights_and_a_caller_without_gradients() -> None:
    model, recording = tiny("gpt2")
    model.network.requires_grad_(False)
    with torch.no_grad():
        split = split_score(model, recording, "decoder", layer=2, head=1, query=7, key=2)
        assert not torch.is_grad_enabled()
    check(split, float(recording.scores("decoder", layer=2, head=1)[7, 2]))


def test_the_bundled_model() -> None:
    model = bundled_model()
    text = "Der Hund sah den Ball."
    split = why_attends(model, text, "encoder", 2, 5, query=2, key=1)
    check(split, float(model.record(text).scores("encoder", layer=2, head=5)[2, 1]))
    texts = [part.text for part in split.parts]
    assert "the word “sah” itself, on the query's side" in texts
    assert "head L1 H6, on the key's side" in texts
    assert [abs(part.value) for part in split.largest(5)] == sorted((abs(p.value) for p in split.parts), reverse=True)[
        :5
    ]
    cross = why_attends(model, text, "cross", 1, 0, query=1, key=1, target="The dog saw the ball.")
    assert "encoder head L3 H7, on the key's side" in [part.text for part in cross.parts]


# What is refused ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ({"query": 13, "key": 0}, "no token 13 for `query`; it goes from 0 to 12"),
        ({"query": 0, "key": -1}, "no token -1 for `key`"),
        ({"query": 2, "key": 5}, r"\(token 2\) may not look at .* \(token 5\), so there is no score"),
        ({"query": 2, "key": 1, "head": 9}, "head"),
    ],
)
def test_pairs_that_are_not_there(where: dict[str, int], message: str) -> None:
    model, recording = tiny("gpt2")
    with pytest.raises(attnviz.errors.InputError, match=message):
        split_score(model, recording, "decoder", **{"layer": 0, "head": 0, **where})


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_too_coarse(dtype: torch.dtype) -> None:
    model = attnviz.Model(tiny_models.network("llama").to(dtype))
    recording = model.record_ids(tiny_models.ids())
    with pytest.raises(attnviz.errors.NoAttentionError, match='load the model with dtype="float32"'):
        split_score(model, recording, "decoder", layer=1, head=0, query=3, key=1)


def test_models_of_which_only_weights_are_known() -> None:
    model, recording = tiny("bloom")
    with pytest.raises(attnviz.errors.NoAttentionError, match="its queries and keys are not known"):
        split_score(model, recording, "decoder", layer=1, head=0, query=3, key=1)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (torch.tanh, r"a step between layers is not linear \(Tanh\)"),
        (lambda vectors: vectors * vectors.mean(), r"not linear \(Mul\)"),
        (lambda vectors: vectors + torch.linspace(0, 2, vectors.shape[-1]), "add up to .* and the score is"),
        (torch.Tensor.detach, "the words' own vectors do not pass"),
    ],
)
def test_layers_that_do_what_is_not_understood(change: object, reason: str) -> None:
    network = tiny_models.network("gpt2")
    network.transformer.h[0].register_forward_hook(lambda _module, _args, vectors: change(vectors))  # type: ignore
    model = attnviz.Model(network)
    recording = model.record_ids(tiny_models.ids())
    split_score(model, recording, "decoder", layer=0, head=0, query=3, key=1)  # comes before it
    with pytest.raises(attnviz.errors.NoAttentionError, match=reason):
        split_score(model, recording, "decoder", layer=2, head=0, query=3, key=1)


# The linear way -----------------------------------------------------------------------------------------------------


def test_which_steps_are_linear() -> None:
    leaf, other = torch.ones(4, requires_grad=True), torch.ones(4, requires_grad=True)
    weight = torch.ones(4, 4, requires_grad=True)
    assert nonlinear_step((leaf @ weight)[1:] + leaf[:3], [leaf]) is None
    assert nonlinear_step(leaf / other, [leaf]) is None
    assert nonlinear_step(other / leaf, [leaf]) == "Div"
    assert nonlinear_step(leaf * other, [leaf, other]) == "Mul"
    assert nonlinear_step(leaf.relu(), [leaf]) == "Relu"
    assert nonlinear_step(other.relu() + leaf, [leaf]) is None


@pytest.mark.parametrize("norm", [torch.nn.LayerNorm(6), torch.nn.RMSNorm(6), torch.nn.LayerNorm(6, bias=False)])
def test_a_norm_with_its_length_held_is_linear(norm: torch.nn.Module) -> None:
    with torch.no_grad():
        for parameter in norm.parameters():
            parameter.add_(torch.randn(6, generator=torch.Generator().manual_seed(1)))
    vectors = torch.randn(3, 6, generator=torch.Generator().manual_seed(0)).requires_grad_()
    linear = linear_norm(norm, vectors, norm(vectors))
    assert linear is not None
    torch.testing.assert_close(linear[0], norm(vectors))
    assert nonlinear_step(linear[0], [vectors]) is None
    assert linear_norm(norm, vectors, norm(vectors).tanh()) is None
