"""How models tell positions apart, against their own tables, buckets and frequencies."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import transformers
from support import tiny_models
from support.bundled import bundled_model

import attnviz
from attnviz.computation.layer import follow
from attnviz.embeddings.positional_encoding import PositionalEncoding, of_sines, read
from attnviz.errors import NoAttentionError


def small(name: str, **changes: object) -> attnviz.Model:
    return attnviz.Model(tiny_models.network(name, **changes), name=name)


# Added --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "table", "offset"),
    [
        ("bert", "encoder", "bert.embeddings.position_embeddings", 0),
        ("roberta", "encoder", "roberta.embeddings.position_embeddings", 2),
        ("gpt2", "decoder", "transformer.wpe", 0),
        ("opt", "decoder", "model.decoder.embed_positions", 2),
        ("bart", "decoder", "model.decoder.embed_positions", 2),
    ],
)
def test_learned_rows_are_those_of_the_table(name: str, kind: str, table: str, offset: int) -> None:
    model = small(name)
    found = read(model, kind)
    assert (found.where, found.module, found.computed) == ("added", table, False)
    rows = model.network.get_submodule(table).weight.detach().numpy()
    assert found.rows is not None and found.room is not None
    np.testing.assert_allclose(found.rows, rows[offset : offset + found.room], atol=1e-6)


@pytest.mark.parametrize(
    ("network", "kind", "table"),
    [
        (
            transformers.BertModel(
                transformers.BertConfig(
                    vocab_size=53, hidden_size=28, num_hidden_layers=2, num_attention_heads=4, intermediate_size=37,
                    max_position_embeddings=41,
                )
            ),
            "encoder",
            "embeddings.position_embeddings",
        ),
        (
            transformers.GPT2Model(
                transformers.GPT2Config(
                    vocab_size=53, n_positions=67, n_embd=28, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2
                )
            ),
            "decoder",
            "wpe",
        ),
    ],
)  # fmt: skip
def test_tables_beside_the_layers_and_more_positions_than_tokens(
    network: transformers.PreTrainedModel, kind: str, table: str
) -> None:
    model = attnviz.Model(network.eval())
    found = read(model, kind, count=11)
    assert (found.where, found.module) == ("added", table)
    assert found.rows is not None
    np.testing.assert_allclose(found.rows, network.get_submodule(table).weight.detach().numpy()[:11], atol=1e-6)
    computation = follow(model, model.record_ids([5, 6, 7, 8, 9]), kind, layer=0)
    assert [item.kind for item in computation.added if item.kind != "segment"] == ["token", "position"]
    total = torch.stack([item.vectors for item in computation.added]).sum(dim=0)
    torch.testing.assert_close(total, computation.summed, atol=1e-5, rtol=0)


def test_sines_are_recognised_and_are_those_of_the_paper() -> None:
    found = read(bundled_model(), "encoder")
    assert found.where == "added" and found.computed and found.room == 512
    assert found.rows is not None and found.rows.shape == (128, 256)
    angles = np.arange(128)[:, None] / 10000 ** (2 * np.arange(128) / 256)
    np.testing.assert_allclose(found.rows, np.concatenate([np.sin(angles), np.cos(angles)], axis=1), atol=1e-4)


def test_similarity_of_sines_depends_on_the_distance_alone() -> None:
    similarity = read(bundled_model(), "decoder").similarity
    assert similarity is not None
    frequencies = 10000.0 ** (-2 * np.arange(128) / 256)
    for distance in (0, 1, 16, 64):
        np.testing.assert_allclose(np.diagonal(similarity, distance), np.cos(distance * frequencies).mean(), atol=1e-4)


def test_what_is_no_sine_is_not_called_one() -> None:
    noise = np.random.default_rng(0).normal(size=(40, 6))
    waves = np.sin(np.arange(40)[:, None] * [1.0, 0.3, 0.01, 0.0001])
    assert of_sines(waves) and not of_sines(noise)
    assert not of_sines(np.concatenate([waves, noise[:, :1]], axis=1))
    assert not of_sines(np.zeros((40, 3))) and not of_sines(waves[:3])


# Rotary -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["llama", "gpt_neox", "phi3"])
def test_angles_are_position_times_frequency(name: str) -> None:
    found = read(small(name, max_position_embeddings=512), "decoder")
    assert found.where == "rotary" and found.rows is None and found.similarity is None
    (rotation,) = found.rotations
    assert 2 * rotation.pairs == found.head_dim
    frequencies = 10000.0 ** (-np.arange(rotation.pairs) / rotation.pairs)
    np.testing.assert_allclose(rotation.frequencies, frequencies, rtol=1e-3)
    np.testing.assert_allclose(rotation.cosines, np.cos(np.arange(128)[:, None] * frequencies), atol=1e-4)
    expected = [np.cos(distance * frequencies).mean() for distance in range(128)]
    np.testing.assert_allclose(rotation.by_distance, expected, atol=1e-4)


def test_by_distance_is_what_the_models_own_rotation_leaves_of_a_dot_product() -> None:
    model = small("llama", max_position_embeddings=512)
    (rotation,) = read(model, "decoder").rotations
    vector = torch.ones(1, 9, 2 * rotation.pairs)
    cos, sin = model.network.model.rotary_emb(vector, torch.arange(9)[None])
    half = rotation.pairs
    turned = vector * cos + torch.cat([-vector[..., half:], vector[..., :half]], dim=-1) * sin
    left = (turned @ turned.mT)[0, 2:, 2] / float(vector[0, 0].square().sum())
    np.testing.assert_allclose(rotation.by_distance[:7], left.numpy(), atol=1e-5)


def test_part_of_a_head_may_stay_as_it_is() -> None:
    found = read(small("gpt_neox", rotary_pct=0.34), "decoder")
    assert (found.rotations[0].pairs, found.head_dim) == (1, 6)


def test_scaled_frequencies_are_the_models_own() -> None:
    plain = read(small("llama", max_position_embeddings=512), "decoder").rotations[0]
    linear = {"rope_type": "linear", "factor": 4.0, "rope_theta": 10_000.0}
    scaled = read(small("llama", max_position_embeddings=512, rope_parameters=linear), "decoder").rotations[0]
    np.testing.assert_allclose(scaled.frequencies, plain.frequencies / 4, rtol=1e-3)
    yarn = {"rope_type": "yarn", "factor": 8.0, "rope_theta": 10_000.0, "original_max_position_embeddings": 64}
    longer = read(small("llama", max_position_embeddings=512, rope_parameters=yarn), "decoder").rotations[0]
    assert longer.scale == pytest.approx(0.1 * math.log(8) + 1, abs=1e-4)
    assert longer.cosines.max() == pytest.approx(1.0) and longer.frequencies[-1] < plain.frequencies[-1]


@pytest.mark.parametrize(("name", "kind"), [("modernbert", "encoder"), ("gemma3", "decoder")])
def test_layers_may_turn_differently(name: str, kind: str) -> None:
    rotations = read(small(name), kind).rotations
    assert {rotation.name for rotation in rotations} == {"full_attention", "sliding_attention"}
    assert not np.allclose(rotations[0].frequencies, rotations[1].frequencies)


# Bias ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_a_bias_is_the_models_own_by_head_and_distance(kind: str) -> None:
    model = small("t5")
    found = read(model, kind)
    assert found.where == "bias" and found.room is None and found.bias is not None and found.distances is not None
    stack = model.network.encoder if kind == "encoder" else model.network.decoder
    own = stack.block[0].layer[0].SelfAttention.compute_bias(128, 128)[0].detach().numpy()  # (head, query, key)
    assert found.distances[-1] == (127 if kind == "encoder" else 0)
    for distance in (-127, -60, -3, 0, *((3, 100) if kind == "encoder" else ())):
        place = int(np.flatnonzero(found.distances == distance)[0])
        expected = np.diagonal(own, distance, 1, 2)[:, 0]
        np.testing.assert_allclose(found.bias[:, place], expected, atol=1e-5)


# All ----------------------------------------------------------------------------------------------------------------


def test_how_many_positions_there_are() -> None:
    assert (read(small("gpt2"), "decoder").room, read(small("t5"), "encoder").named_limit) == (47, None)
    llama = read(small("llama", max_position_embeddings=512), "decoder")
    assert (llama.room, llama.named_limit) == (None, 512)


@pytest.mark.parametrize("name", ["bloom", "gptj"])
def test_code_of_its_own_is_said(name: str) -> None:
    with pytest.raises(NoAttentionError, match="inside its own code"):
        read(small(name), "decoder")


def test_the_model_is_left_as_it_was() -> None:
    model = small("llama")
    read(model, "decoder")
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in model.network.modules())


def test_nothing_found_is_nothing() -> None:
    assert PositionalEncoding("none").similarity is None
