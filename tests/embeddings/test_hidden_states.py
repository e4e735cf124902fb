"""The vectors of every layer, how alike two words are in them, and what moved a word: against transformers' own."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from support import tiny_models
from support.bundled import bundled_model
from torch import Tensor

import attnviz
from attnviz.computation.contributions import word_contributions, word_weights
from attnviz.computation.layer import follow
from attnviz.embeddings import hidden_states as engine
from attnviz.embeddings.hidden_states import States, hidden_states
from attnviz.embeddings.similarity import between_words, of_sentences, similarity
from attnviz.errors import InputError, NoAttentionError
from attnviz.tokenization.token import Token, same_word

# Architectures whose last vectors have been through a normalisation behind the last layer.
FINAL_NORM = {
    "modernbert", "gpt2", "gpt_neox", "opt", "llama", "mistral", "qwen3", "gemma2", "gemma3", "gpt_oss", "phi3", "t5",
    "m2m_100", "bloom", "gptj", "nllb_moe", "bigbird_pegasus",
}  # fmt: skip
NAMES = [*tiny_models.CAPTURED, "bloom", "gptj", "deberta_v2", "nllb_moe"]
CASES = [
    (name, kind)
    for name in NAMES
    for kind in (("encoder", "decoder", "cross") if name in tiny_models.ENCODER_DECODERS else (None,))
]


def recorded(name: str) -> tuple[attnviz.Model, Any]:
    model = attnviz.Model(tiny_models.network(name))
    return model, model.record_ids(**tiny_models.inputs(name))


@torch.no_grad()
def own_states(name: str, kind: str) -> tuple[Tensor, ...]:
    """transformers' own `output_hidden_states`, of a fresh twin of the network."""
    given = tiny_models.inputs(name)
    arguments = {"input_ids": torch.tensor([given["ids"]])}
    if "target_ids" in given:
        arguments["decoder_input_ids"] = torch.tensor([given["target_ids"]])
    output = tiny_models.network(name)(**arguments, output_hidden_states=True, use_cache=False, return_dict=True)
    if "target_ids" in given:
        return output.encoder_hidden_states if kind == "encoder" else output.decoder_hidden_states
    return output.hidden_states


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_vectors_are_transformers_own(name: str, kind: str | None) -> None:
    model, recording = recorded(name)
    kind = kind or recording.kinds[0]
    found = hidden_states(model, recording, kind)
    expected = own_states(name, kind)
    assert len(found.layers) == recording.size(kind)[0] + 1 == len(expected)
    torch.testing.assert_close(found.layers, torch.cat([*expected]).float(), atol=1e-5, rtol=1e-4)
    assert found.final_norm is (name in FINAL_NORM)
    assert found.static is not None
    table = (model.network.get_decoder() if kind in ("decoder", "cross") else model.network).get_input_embeddings()
    rows = table.weight[[token.id for token in found.tokens]].detach()
    # As used: some models put a factor before the rows.
    torch.testing.assert_close(torch.cosine_similarity(found.static, rows), torch.ones(len(rows)))


@pytest.mark.parametrize("name", tiny_models.CAPTURED)
def test_what_enters_is_what_the_first_layer_reads(name: str) -> None:
    model, recording = recorded(name)
    for kind in recording.kinds:
        found = hidden_states(model, recording, kind)
        torch.testing.assert_close(found.layers[0], follow(model, recording, kind, layer=0).entering)


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "t5", "marian"])
def test_layers_are_in_their_order(name: str) -> None:
    model, recording = recorded(name)
    for kind in recording.kinds:
        found = hidden_states(model, recording, kind)
        for layer in range(recording.size(kind)[0] - found.final_norm):
            stages = follow(model, recording, kind, layer=layer).stages
            torch.testing.assert_close(found.layers[layer + 1], stages[-1].vectors)


def test_the_network_is_left_as_it_was() -> None:
    model, recording = recorded("t5")
    hidden_states(model, recording, "decoder")
    word_contributions(model, recording, "decoder", [1], layer=0, head=None)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.network.modules())
    network = weakref.ref(model.network)
    del model, recording
    gc.collect()
    assert network() is None


def test_long_texts_are_refused() -> None:
    model = attnviz.Model(tiny_models.network("llama", max_position_embeddings=engine.MOST_TOKENS + 1))
    recording = model.record_ids(tiny_models.ids(engine.MOST_TOKENS + 1))
    with pytest.raises(InputError, match=r"has 1,025 tokens; the vectors of all layers are kept for 1,024. Shorten"):
        hidden_states(model, recording, "decoder")


def test_a_model_that_hides_its_vectors_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    model, recording = recorded("bert")
    forward = engine.forward

    def without(*args: Any, **kwargs: Any) -> Any:
        output = forward(*args, **kwargs)
        output.hidden_states = output.hidden_states[:-1]
        return output

    monkeypatch.setattr(engine, "forward", without)
    with pytest.raises(NoAttentionError, match="does not give the vectors of all its tokens between all its 3 layers"):
        hidden_states(model, recording, "encoder")


# How alike ----------------------------------------------------------------------------------------------------------


def by_hand(words: list[str], vectors: list[list[float]]) -> States:
    """A text of one-token words whose vectors are the same everywhere; a word may have several tokens: "a+b"."""
    tokens = [
        Token(place, part, False, number, None, None)
        for number, word in enumerate(words)
        for place, part in enumerate(word.split("+"), 10 * number)
    ]
    given = torch.tensor(vectors)
    return States("encoder", tuple(tokens), given, torch.stack([given, given.flip(-1)]), False)


def test_a_words_vector_is_the_mean_of_its_tokens() -> None:
    found = by_hand(["un+seen"], [[2.0, 0.0], [0.0, 4.0]])
    static, path = found.path([0, 1])
    assert static is not None and static.tolist() == [1.0, 2.0]
    assert path.tolist() == [[1.0, 2.0], [2.0, 1.0]]


def test_similarity_is_the_cosine() -> None:
    one, other = by_hand(["a"], [[1.0, 0.0]]), by_hand(["a"], [[3.0, 4.0]])
    found = similarity(one, [0], other, [0])
    assert found.static == pytest.approx(0.6) and found.layers == pytest.approx((0.6, 0.6))


def test_the_same_token_is_exactly_alike_before_the_context_comes_in() -> None:
    model = bundled_model()
    first, second = (model.record(text) for text in ("Swing the bat!", "The bat flew at night."))
    found = similarity(hidden_states(model, first, "encoder"), [3], hidden_states(model, second, "encoder"), [1])
    assert found.static == 1.0
    assert all(-1 <= number < 1 for number in found.layers) and len(found.layers) == 5


def test_different_words_are_compared_in_pairs() -> None:
    one = by_hand(["The", "bat", "!"], [[1.0, 0.0], [0.0, 1.0], [9.0, 9.0]])
    other = by_hand(["the", "c+at"], [[1.0, 1.0], [0.0, 2.0], [0.0, 0.0]])
    found = between_words(one, other)
    # The/cat 0, bat/the √½, bat/cat 1; "The" and "the" are one word, "!" is none.
    assert found is not None and found.pairs == 3
    assert found.static == pytest.approx((0 + 0.5**0.5 + 1) / 3)
    without = between_words(one, other, without=(1, 1))
    assert without is not None and without.pairs == 2 and without.static == pytest.approx(0.5**0.5 / 2)
    assert between_words(by_hand(["a"], [[1.0]]), by_hand(["A"], [[1.0]])) is None


def test_static_vectors_do_not_know_the_order() -> None:
    model = bundled_model()
    one, other = (
        hidden_states(model, model.record(text), "encoder") for text in ("The dog saw the cat.", "The cat saw the dog.")
    )
    found = of_sentences(one, other)
    assert found.static == 1.0 and found.layers[-1] < 1


@pytest.mark.parametrize(("one", "other"), [("Bat", "bat"), ("STRASSE", "Straße"), ("e\u0301t", "ét"), (" bat", "bat")])
def test_spellings_of_a_word(one: str, other: str) -> None:
    assert same_word(one) == same_word(other)


# What moved a word --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if case[0] in tiny_models.CAPTURED])
def test_what_moves_a_word_is_what_its_attention_gave(name: str, kind: str | None) -> None:
    model, recording = recorded(name)
    kind = kind or recording.kinds[0]
    layer = recording.size(kind)[0] - 1
    computation = follow(model, recording, kind, layer=layer)
    assert computation.joining is not None and computation.joined is not None
    positions = [2, 3]
    vectors = torch.zeros(len(recording.key_tokens(kind)), computation.joined.shape[-1])
    for head in range(recording.size(kind)[1]):
        for query in positions:
            vectors += computation.parts(head, query).vectors / len(positions)
    bias = 0 if computation.joining_bias is None else computation.joining_bias
    given = computation.joined[positions].mean(dim=0)
    if name != "gpt_oss":  # its output is computed with rounding that a sum over heads does not have
        torch.testing.assert_close(vectors.sum(dim=0) + bias, given, atol=1e-4, rtol=1e-3)
    found = word_contributions(model, recording, kind, positions, layer=layer, head=None)
    assert found is not None
    np.testing.assert_allclose(found.norms, vectors.norm(dim=-1), atol=1e-5)
    assert found.shares.sum() == pytest.approx(1)
    one = word_contributions(model, recording, kind, [2], layer=layer, head=4)
    assert one is not None
    np.testing.assert_allclose(one.norms, computation.parts(4, 2).norms, atol=1e-5)
    np.testing.assert_allclose(
        word_weights(recording, kind, [2], layer=layer, head=4), computation.parts(4, 2).weights, atol=1e-6
    )


def test_words_are_taken_together() -> None:
    model = bundled_model()
    recording = model.record("Die Fledermaus flog nachts.")
    positions = [1, 2, 3, 4]  # Fl eder m aus
    map = recording.map("encoder", layer=2, head=5).by_word()
    np.testing.assert_allclose(
        word_weights(recording, "encoder", positions, layer=2, head=5), map.weights[1], atol=1e-6
    )
    mean = word_weights(recording, "encoder", positions, layer=2, head=None)
    assert len(mean) == len(map.key_tokens) == 6 and mean.sum() == pytest.approx(1)
    moved = word_contributions(model, recording, "encoder", positions, layer=2, head=None)
    assert moved is not None and moved.norms.shape == (6,)


def test_a_word_of_a_decoder_is_not_moved_by_what_comes_after() -> None:
    model, recording = recorded("gpt2")
    moved = word_contributions(model, recording, "decoder", [4], layer=1, head=None)
    assert moved is not None and (moved.norms[5:] == 0).all() and (moved.norms[:5] > 0).all()


def test_only_weights_are_known_where_a_model_computes_attention_itself() -> None:
    model, recording = recorded("bloom")
    assert word_contributions(model, recording, "decoder", [4], layer=1, head=None) is None
    assert word_weights(recording, "decoder", [4], layer=1, head=None).sum() == pytest.approx(1, abs=1e-3)
