"""Layers of a batch are those of each text alone, padding or not."""

from __future__ import annotations

import copy

import pytest
import torch
from support import tiny_models as tiny
from support.tiny_tokenizers import wordpiece
from tokenizers import processors

from attnviz import Model
from attnviz.errors import InputError, NoAttentionError
from attnviz.models.recording.batches import Batch, BatchLayer
from attnviz.models.recording.text_layer import TextLayer

TEXTS = [[7, 31, 5, 90, 12, 44, 7, 8, 66, 3, 21], [9, 14, 88, 5, 23, 71, 16], [60, 61, 62]]
TARGETS = [[2, 40, 41], [2, 33, 34, 35, 36], [2, 50]]


@pytest.mark.parametrize("name", ["bert", "modernbert", "gpt2", "llama", "gemma2", "gemma3", "gpt_oss", "t5", "marian"])
def test_each_text_of_a_batch_has_the_weights_that_it_has_alone(name: str) -> None:
    model = Model(tiny.network(name, pad_token_id=0) if name != "modernbert" else tiny.network(name))
    paired = name in tiny.ENCODER_DECODERS
    seen: dict[tuple[str, int], torch.Tensor] = {}

    def watch(layer: BatchLayer) -> None:
        seen[layer.kind, layer.layer] = torch.cat([layer.weights(slice(0, 2)), layer.weights(slice(2, None))], dim=2)

    batch = Batch(model, TEXTS)
    batch.read(watch)
    if paired:
        batch.read_targets(TARGETS, watch)
    for text, (ids, targets) in enumerate(zip(TEXTS, TARGETS, strict=True)):
        alone = model.record_ids(ids, targets if paired else None)
        for kind in alone.kinds:
            layers, _, queries, keys = alone.size(kind)
            for layer in range(layers):
                weights = seen[kind, layer][text]
                assert torch.allclose(weights[:, :queries, :keys], alone.weights(kind, layer=layer), atol=1e-5)
                assert not weights[:, :queries, keys:].any()


@pytest.mark.parametrize("name", ["bert", "gpt2", "gptj"])
def test_what_the_tokenizer_gives_beside_the_ids_is_read_too(name: str) -> None:
    """Some networks add a vector for the number of each token's sentence, which need not be 0."""
    tokenizer = copy.deepcopy(wordpiece())
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS]:1 $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    model = Model(tiny.network(name, vocab_size=len(tokenizer)), tokenizer)
    alone = model.record("Der Hund sah den Ball.")
    assert alone.beside["token_type_ids"][:2] == (1, 0)
    ids = [token.id for token in alone.query_tokens(alone.kinds[0])]
    layers: list[BatchLayer | TextLayer] = []
    Batch(model, [ids]).read(layers.append)
    for layer in layers:
        expected = alone.weights(layer.kind, layer=layer.layer)
        assert torch.allclose(layer.weights(slice(None))[0], expected, atol=1e-5)


def test_a_batch_writes_what_each_text_alone_makes_the_model_write() -> None:
    model = Model(tiny.network("marian", pad_token_id=0))
    written = Batch(model, TEXTS).write(6)
    for ids, row in zip(TEXTS, written, strict=True):
        alone = model.record_ids(ids, generate=6)
        assert row == [token.id for token in alone.query_tokens("cross")]


def test_a_batch_needs_its_longest_text_first_and_a_model_that_is_captured() -> None:
    with pytest.raises(InputError, match="longest first"):
        Batch(Model(tiny.network("bert")), TEXTS[::-1])
    with pytest.raises(NoAttentionError, match="cannot be captured"):
        Batch(Model(tiny.network("bloom")), TEXTS)


@pytest.mark.parametrize("name", ["bloom", "gptj", "deberta_v2", "nllb_moe"])
def test_of_a_model_that_is_not_captured_one_text_at_a_time_is_read(name: str) -> None:
    model = Model(tiny.network(name))
    paired = name in tiny.ENCODER_DECODERS
    alone = model.record_ids(TEXTS[0], TARGETS[0] if paired else None)
    seen: list[tuple[str, int]] = []

    def watch(layer: BatchLayer | TextLayer) -> None:
        expected = alone.weights(layer.kind, layer=layer.layer)
        assert layer.size == (1, *expected.shape)
        assert torch.equal(layer.weights(slice(2, None)), expected[None, :, 2:])
        rows, keys = expected.shape[1:]
        full = torch.ones(rows, keys, dtype=torch.bool)
        assert torch.equal(layer.allowed(slice(None))[0], full.tril() if layer.kind == "decoder" else full)
        seen.append((layer.kind, layer.layer))

    batch = Batch(model, TEXTS[:1])
    batch.read(watch)
    if paired:
        batch.read_targets(TARGETS[:1], watch)
    assert seen == [(kind, layer) for kind in alone.kinds for layer in range(alone.size(kind)[0])]
