"""A layer followed step by step: what is shown is what the model itself computed, on every captured architecture."""

from __future__ import annotations

import gc
import weakref

import pytest
import torch
from support import tiny_models
from support.bundled import bundled_model

import attnviz
from attnviz.attention import dot_product
from attnviz.computation.layer import Computation, follow
from attnviz.models.recording.recording import Recording


def followed(name: str, kind: str | None = None, layer: int = -1) -> tuple[Computation, Recording, attnviz.Model]:
    model = attnviz.Model(tiny_models.network(name))
    recording = model.record_ids(**tiny_models.inputs(name))
    kind = kind or recording.kinds[0]
    layers = recording.size(kind)[0]
    return follow(model, recording, kind, layer=layer % layers), recording, model


CASES = [
    (name, kind)
    for name in tiny_models.CAPTURED
    for kind in (("encoder", "decoder", "cross") if name in tiny_models.ENCODER_DECODERS else (None,))
]


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_heads_are_the_models_own(name: str, kind: str | None) -> None:
    computation, recording, _ = followed(name, kind)
    layers, heads, queries, _keys = recording.size(computation.kind)
    assert computation.own_heads is not None
    assert computation.own_heads.shape[:2] == (heads, queries)
    difference = computation.difference()
    assert difference is not None and difference <= 1e-5
    head = computation.difference(heads - 1)
    assert head is not None and head <= difference
    assert computation.layer == layers - 1


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_what_enters_is_the_sum_of_what_is_added(name: str, kind: str | None) -> None:
    computation, recording, _ = followed(name, kind)
    total = torch.stack([item.vectors for item in computation.added]).sum(dim=0)
    torch.testing.assert_close(total, computation.summed, atol=1e-5, rtol=1e-5)
    assert computation.added[0].kind == "token"
    assert len(computation.entering) == recording.size(computation.kind)[2]
    if not computation.then:
        torch.testing.assert_close(computation.entering, computation.summed)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_values_are_products_with_a_learned_matrix(name: str, kind: str | None) -> None:
    computation, recording, _ = followed(name, kind)
    for head in (0, recording.size(computation.kind)[1] - 1):
        projection = computation.projection("value", head)
        assert projection is not None and projection.change == "none"
        own = recording.values(computation.kind, layer=computation.layer, head=head)
        torch.testing.assert_close(projection.vectors, own, atol=1e-5, rtol=1e-4)
        product = projection.inputs @ projection.matrix + (0 if projection.bias is None else projection.bias)
        torch.testing.assert_close(product, projection.vectors)


@pytest.mark.parametrize(
    ("name", "positions", "change"),
    [
        ("bert", "added", "none"),
        ("gpt2", "added", "none"),
        ("opt", "added", "scaled"),
        ("llama", "rotary", "rotated"),
        ("gpt_neox", "rotary", "rotated"),
        ("phi3", "rotary", "rotated"),
        ("qwen3", "rotary", "changed"),
        ("t5", "bias", "none"),
        ("marian", "added", "none"),
        ("gemma2", "rotary", "rotated"),
    ],
)
def test_where_positions_act(name: str, positions: str, change: str) -> None:
    computation, _, _ = followed(name)
    assert computation.positions == positions
    query = computation.projection("query", 1)
    assert query is not None and query.change == change
    if change == "none":
        torch.testing.assert_close(query.vectors, query.used, atol=1e-5, rtol=1e-4)
    if change == "rotated":
        torch.testing.assert_close(query.vectors.norm(dim=-1), query.used.norm(dim=-1), atol=1e-4, rtol=1e-4)


def test_grouped_queries_share_a_key_matrix() -> None:
    computation, _, _ = followed("llama")
    matrices = [computation.projection("key", head) for head in range(6)]
    assert all(item is not None for item in matrices)
    assert torch.equal(matrices[0].matrix, matrices[2].matrix)  # type: ignore[union-attr]
    assert not torch.equal(matrices[0].matrix, matrices[3].matrix)  # type: ignore[union-attr]


def test_the_embeddings_are_rows_of_the_models_table() -> None:
    computation, _, model = followed("marian", "encoder")
    rows = model.network.get_input_embeddings().weight[[token.id for token in computation.query_tokens]]
    assert [item.kind for item in computation.added] == ["token", "position"]
    torch.testing.assert_close(computation.added[0].vectors, rows.detach() * computation.added[0].scale)


def test_an_embedding_factor_is_found() -> None:
    model = bundled_model()
    computation = follow(model, model.record("Der Hund sah den Ball."), "encoder", layer=0)
    assert computation.added[0].scale == pytest.approx(16, rel=1e-3)  # √256, Vaswani et al. 2017, section 3.4
    torch.testing.assert_close(computation.stages[0].vectors, computation.entering)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_sums_in_the_block_are_sums(name: str, kind: str | None) -> None:
    computation, _, _ = followed(name, kind)
    stages = computation.stages
    assert stages[0].kind == "input" and stages[-1].kind == "output"
    assert sum(stage.kind == "attention" for stage in stages) == 1
    sums = [stage for stage in stages if stage.kind == "sum"]
    assert sums
    for stage in sums:
        total = torch.stack([stages[place].vectors for place in stage.of]).sum(dim=0)
        torch.testing.assert_close(total, stage.vectors, atol=1e-4, rtol=1e-4)
        assert all(place < stages.index(stage) for place in stage.of)
    attention_stage = next(stage for stage in stages if stage.kind == "attention")
    assert computation.joined is not None and torch.equal(attention_stage.vectors, computation.joined)


def test_joined_heads_are_what_the_attention_puts_out() -> None:
    computation, _, _ = followed("gpt2")
    assert computation.joining is not None and computation.joining_bias is not None
    heads = computation.heads()  # (head, query, value_dim)
    joined = torch.einsum("hqd,hdw->qw", heads, computation.joining) + computation.joining_bias
    torch.testing.assert_close(joined, computation.joined, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["bert", "llama", "t5", "gemma2", "gpt_oss"])
def test_scores_are_raw_products_scaled_capped_and_biased(name: str) -> None:
    computation, recording, _ = followed(name)
    head = 3
    raw = computation.raw(head)
    torch.testing.assert_close(computation.products(head, 4, 2).sum(), raw[4, 2], atol=1e-5, rtol=1e-5)
    scores = raw * computation.scale
    if computation.softcap is not None:
        scores = computation.softcap * torch.tanh(scores / computation.softcap)
    bias = computation.bias(head)
    assert (bias is not None) == (name == "t5")
    if bias is not None:
        scores = scores + bias
    own = recording.scores(computation.kind, layer=computation.layer, head=head)
    seen = own > -torch.inf
    torch.testing.assert_close(scores[seen], own[seen], atol=1e-5, rtol=1e-5)


def test_shares_by_norm_are_those_of_the_transformed_vectors() -> None:
    computation, recording, _ = followed("bert")
    head, query = 2, 5
    parts = computation.parts(head, query)
    assert computation.joining is not None
    weights = recording.weights("encoder", layer=computation.layer, head=head)[query]
    values = recording.values("encoder", layer=computation.layer, head=head)
    expected = (weights[:, None] * (values @ computation.joining[head])).norm(dim=-1)
    torch.testing.assert_close(parts.norms, expected)
    assert float(parts.shares.sum()) == pytest.approx(1)
    torch.testing.assert_close(
        parts.vectors.sum(dim=0), dot_product.output(weights[None], values)[0] @ computation.joining[head]
    )


def test_following_leaves_the_model_as_it_was() -> None:
    model = attnviz.Model(tiny_models.network("bert"))
    recording = model.record_ids(tiny_models.ids())
    before = model.network.config._attn_implementation
    computation = follow(model, recording, "encoder", layer=1)
    assert model.network.config._attn_implementation == before
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.network.modules())
    kept = weakref.ref(computation)
    del computation
    gc.collect()
    assert kept() is None


def test_a_model_that_hides_its_vectors_is_said_so() -> None:
    model = attnviz.Model(tiny_models.network("bloom"), name="bloom")
    recording = model.record_ids(tiny_models.ids())
    with pytest.raises(attnviz.AttnvizError, match="bloom computes its attention inside its own code"):
        follow(model, recording, "decoder", layer=0)


def test_a_layer_that_is_not_there_is_refused() -> None:
    model = attnviz.Model(tiny_models.network("bert"))
    recording = model.record_ids(tiny_models.ids())
    with pytest.raises(attnviz.AttnvizError, match="layers 0 to 2, not 3"):
        follow(model, recording, "encoder", layer=3)
