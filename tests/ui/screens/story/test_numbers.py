"""The numbers of the story are the engine's, for every family of models, and come whole or not at all."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
import torch
from support import tiny_models as tiny
from support import tiny_tokenizers as tokenizers_for_tests
from support.bundled import bundled_model
from support.written_models import bert, gpt, t5

from attnviz import Model
from attnviz.computation.layer import follow
from attnviz.embeddings.embedding_table import Vocabulary
from attnviz.embeddings.hidden_states import hidden_states
from attnviz.embeddings.similarity import similarity
from attnviz.errors import EmptyError
from attnviz.examples import FIRST_EXAMPLES
from attnviz.generation.sampling import Distribution
from attnviz.ui.screens.story.openings import FOLDER, opening_numbers
from attnviz.ui.screens.story.payload.packing import unpack
from attnviz.ui.screens.story.payload.payload import MOST_TOKENS, finding_entry, story_numbers

GERMAN = FIRST_EXAMPLES["de"]
LAYER, HEAD = 3, 7  # the head of the bundled model that was measured to find objects


def llama() -> Model:
    tokenizer = tokenizers_for_tests.llama()
    return Model(tiny.network("llama", vocab_size=len(tokenizer)), tokenizer, name="tiny-llama")


def bare_bert() -> Model:
    return Model(bert().network.bert, tokenizers_for_tests.wordpiece(), name="bare-bert")


def eager_only() -> Model:
    tokenizer = tokenizers_for_tests.wordpiece()
    return Model(tiny.network("deberta_v2", vocab_size=len(tokenizer)), tokenizer, name="tiny-deberta")


MODELS = {"bert": bert, "bare bert": bare_bert, "gpt2": gpt, "llama": llama, "t5": t5, "deberta": eager_only}


def story(model: Model, sentence: str = "The dogs bark.", **options: Any) -> dict[str, Any]:
    numbers = story_numbers(model, model.name, sentence, **options)
    assert json.loads(json.dumps(numbers, allow_nan=False)) == numbers  # nothing but what JSON can say
    return numbers


def head_arrays(numbers: dict[str, Any]) -> dict[str, np.ndarray]:
    count, head = len(numbers["tokens"]), numbers["head"]
    shapes = {
        "queries": head["width"], "keys": head["width"], "values": head["valueWidth"], "outputs": head["valueWidth"],
        "scores": count, "weights": count,
    }  # fmt: skip
    return {name: unpack(head[name], count, size) for name, size in shapes.items() if head[name] is not None}


def test_every_number_of_the_german_opening_is_the_engines() -> None:
    model = bundled_model()
    numbers = story_numbers(model, "bundled", GERMAN)
    recording = model.record(GERMAN)
    tokens, count = recording.query_tokens("encoder"), len(numbers["tokens"])
    where = {"layer": LAYER, "head": HEAD}
    assert [(token["id"], token["special"]) for token in numbers["tokens"]] == [(t.id, t.special) for t in tokens]
    assert [token["label"] for token in numbers["tokens"] if token["space"]] == ["Hund", "sah", "den", "Ball"]
    assert (numbers["family"], numbers["leftOut"], numbers["size"]) == ("encoder-decoder", 0, [4, 8])
    assert (numbers["head"]["name"], numbers["tokens"][numbers["word"]]["label"]) == ("L3 H7", "sah")

    computation = follow(model, recording, "encoder", layer=LAYER)
    vectors = numbers["vectors"]
    token, place = computation.added
    shown = {name: unpack(vectors[name], count, vectors["shown"]) for name in ("embedding", "position", "sum")}
    for name, expected in {"embedding": token.vectors, "position": place.vectors, "sum": computation.summed}.items():
        np.testing.assert_allclose(shown[name], expected[:, : vectors["shown"]].numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(shown["embedding"] + shown["position"], shown["sum"], rtol=1e-4, atol=1e-5)
    assert (vectors["width"], vectors["factor"]) == (256, pytest.approx(16.0))
    assert vectors["scale"] == pytest.approx(max(float(np.abs(part).max()) for part in shown.values()))

    arrays, head = head_arrays(numbers), numbers["head"]
    expected_arrays = {
        "queries": recording.queries("encoder", **where), "keys": recording.keys("encoder", **where),
        "values": recording.values("encoder", **where), "scores": recording.scores("encoder", **where),
        "weights": recording.weights("encoder", **where), "outputs": computation.heads(HEAD),
    }  # fmt: skip
    for name, expected in expected_arrays.items():
        np.testing.assert_allclose(arrays[name], expected.numpy(), rtol=1e-5, atol=1e-6, err_msg=name)
    assert head["plain"] and head["divisor"] == pytest.approx(32**0.5)
    np.testing.assert_allclose(
        arrays["queries"] @ arrays["keys"].T / head["divisor"], arrays["scores"], rtol=1e-4, atol=1e-4
    )
    np.testing.assert_allclose(arrays["weights"] @ arrays["values"], arrays["outputs"], rtol=1e-4, atol=1e-5)

    parts = [(part["kind"], part["adds"]) for part in numbers["block"]]
    assert parts == [("attention", True), ("norm", False), ("feed-forward", True), ("norm", False)]
    by_kind = {stage.name: stage for stage in computation.stages}
    np.testing.assert_allclose(
        unpack(numbers["block"][2]["lengths"], count), by_kind["fc2"].norms.numpy(), rtol=1e-5
    )  # fmt: skip
    sums = [stage for stage in computation.stages if stage.kind == "sum"]
    for part, stage in zip((numbers["block"][0], numbers["block"][2]), sums, strict=True):
        np.testing.assert_allclose(unpack(part["after"], count), stage.norms.numpy(), rtol=1e-5)


def test_the_way_through_the_layers_is_that_of_the_hidden_states() -> None:
    model = bundled_model()
    journey = story_numbers(model, "bundled", GERMAN)["journey"]
    recording = model.record(GERMAN)
    states = hidden_states(model, recording, "encoder")
    assert journey["layers"] == [-1, 0, 1, 2, 3]
    vocabulary = Vocabulary(model)
    for layer in range(5):
        near = vocabulary.similarities(states.layers[layer, 2].numpy())
        for word, cosine in journey["nearest"][2][layer]:
            assert word != "sah" and float(np.abs(near - cosine).min()) < 1e-6
    assert journey["nearest"][5] is None and journey["nearest"][6] is None  # the full stop and the end
    points = unpack(journey["plane"], 5, 7, 2)
    directions = torch.nn.functional.normalize(states.layers, dim=-1).reshape(35, -1).numpy()
    centred = directions - directions.mean(axis=0)
    variance = float((centred**2).sum())
    np.testing.assert_allclose((points.reshape(35, 2) ** 2).sum(axis=0) / variance, journey["shares"], rtol=1e-4)
    other = journey["other"]
    there = model.record(other["sentence"])
    labels = [token.text.strip() for token in there.query_tokens("encoder")]
    alike = similarity(states, [other["token"]], hidden_states(model, there, "encoder"), [labels.index("Ball")])
    assert other["similarity"] == pytest.approx(list(alike.layers), abs=1e-5)


def test_what_is_written_is_the_models_own_text_with_its_probabilities() -> None:
    model = bundled_model()
    writing = story_numbers(model, "bundled", GERMAN)["writing"]
    recording = model.record(GERMAN)
    logits = recording.logits
    assert logits is not None and writing["complete"]
    written = [token.id for token in recording.query_tokens("decoder")[1:]]
    assert [step["id"] for step in writing["steps"]][:-1] == written
    assert model.tokenizer.decode([step["id"] for step in writing["steps"]], skip_special_tokens=True) == (
        model.translate(GERMAN)
    )
    for index, step in enumerate(writing["steps"]):
        probabilities = Distribution(logits[index]).probabilities
        assert step["candidates"][0][1] == pytest.approx(float(probabilities.max()), abs=1e-6)
        assert step["candidates"][0][0] == step["label"] and len(step["candidates"]) == 6
        layer, head = (int(part[1:]) for part in writing["crossName"].split())
        np.testing.assert_allclose(
            unpack(step["cross"], 7), recording.weights("cross", layer=layer, head=head)[index].numpy(), atol=1e-6
        )
        layer, head = (int(part[1:]) for part in writing["selfName"].split())
        own = recording.weights("decoder", layer=layer, head=head)[index, : index + 1].numpy()
        np.testing.assert_allclose(unpack(step["own"], index + 1), own, atol=1e-6)


@pytest.mark.parametrize("language", FIRST_EXAMPLES)
def test_the_precomputed_openings_are_what_the_model_gives(language: str) -> None:
    sentence = FIRST_EXAMPLES[language]
    there = opening_numbers(sentence)
    assert there is not None and opening_numbers(sentence + " ") is None
    assert_alike(there, json.loads(json.dumps(story_numbers(bundled_model(), "bundled", sentence))))


@pytest.mark.parametrize(
    ("language", "asks", "looked_at"),
    [("en", "student", "taught"), ("de", "sah", "Ball"), ("nl", "zit", "op"), ("zh_Hans", "给了", "学生"),
     ("zh_Hant", "放在", "上")],
)  # fmt: skip
def test_the_word_that_asks_first_looks_at_a_word_and_not_at_the_end(language: str, asks: str, looked_at: str) -> None:
    numbers = opening_numbers(FIRST_EXAMPLES[language])
    assert numbers is not None
    labels = [token["label"] for token in numbers["tokens"]]
    shares = unpack(numbers["head"]["weights"], len(labels), len(labels))[numbers["word"]]
    assert (labels[numbers["word"]], labels[int(shares.argmax())]) == (asks, looked_at)


def test_no_opening_is_left_of_a_sentence_that_is_gone() -> None:
    assert {file.stem for file in FOLDER.glob("*.json")} == set(FIRST_EXAMPLES)


def steps(weights: str) -> np.ndarray:
    """A map of the component's: steps of 1/65535."""
    return np.frombuffer(base64.b64decode(weights), dtype="<u2").astype(np.int64)


def assert_alike(one: Any, other: Any, where: str = "") -> None:
    """Equal but for rounding, which differs from processor to processor."""
    assert type(one) is type(other), where
    if isinstance(one, dict):
        assert one.keys() == other.keys(), where
        for key in one:
            if key == "weights" and "finding" in one:
                np.testing.assert_allclose(steps(one[key]), steps(other[key]), atol=70, err_msg=where)
            else:
                assert_alike(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list):
        assert len(one) == len(other), where
        for index, pair in enumerate(zip(one, other, strict=True)):
            assert_alike(*pair, where=f"{where}[{index}]")
    elif isinstance(one, float):
        assert one == pytest.approx(other, rel=1e-3, abs=1e-3), where
    elif isinstance(one, str) and one != other:
        # Only packed numbers may differ, and only a little.
        np.testing.assert_allclose(unpack(one, -1), unpack(other, -1), rtol=1e-3, atol=1e-3, err_msg=where)
    else:
        assert one == other, where


@pytest.mark.parametrize("name", MODELS)
def test_a_family_tells_what_it_has_and_nothing_else(name: str) -> None:
    model = MODELS[name]()
    numbers = story(model, layer=1, head=2)
    recording = model.record("The dogs bark.")
    kind = recording.kinds[0]
    arrays, head = head_arrays(numbers), numbers["head"]
    assert numbers["family"] == {"gpt2": "decoder", "llama": "decoder", "t5": "encoder-decoder"}.get(name, "encoder")
    assert (head["layer"], head["head"], head["kind"]) == (1, 2, kind)
    np.testing.assert_allclose(
        arrays["weights"], recording.weights(kind, layer=1, head=2).numpy(), rtol=1e-5, atol=1e-6
    )  # fmt: skip
    np.testing.assert_allclose(arrays["weights"].sum(axis=1), 1, atol=1e-5)
    assert (head["queries"] is None) == (name == "deberta") == (numbers["block"] is None)
    assert head["plain"] == (name in ("bert", "bare bert", "gpt2", "llama"))
    assert (numbers["vectors"]["position"] is None) == (name in ("llama", "t5", "deberta"))
    assert numbers["vectors"]["positions"] == {
        "llama": "rotary", "t5": "bias", "deberta": "unknown"
    }.get(name, "added")  # fmt: skip
    assert numbers["vectors"]["segments"] == (name in ("bert", "bare bert"))
    if kind == "decoder":
        count = len(numbers["tokens"])
        assert np.isneginf(arrays["scores"][np.triu_indices(count, 1)]).all()
        assert np.isfinite(arrays["scores"][np.tril_indices(count)]).all()
    writing = numbers["writing"]
    if name == "bare bert":
        assert writing is None
        return
    task = {"gpt2": "continue", "llama": "continue", "t5": "translate"}.get(name, "fill")
    assert writing["task"] == task and (writing["gap"] is not None) == (task == "fill")
    for index, step in enumerate(writing["steps"]):
        own = unpack(step["own"], -1)
        assert len(own) == len(writing["start"]) + (0 if task == "fill" else index)
        assert own.sum() == pytest.approx(1, abs=1e-4)
        assert (step["cross"] is not None) == (task == "translate")
        assert step["label"] in [label for label, _probability in step["candidates"]]


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama"])
def test_what_is_added_to_a_token_is_all_that_lies_between_it_and_the_sum(name: str) -> None:
    numbers = story(MODELS[name]())
    vectors, count = numbers["vectors"], len(numbers["tokens"])
    embedding, total = (unpack(vectors[part], count, vectors["shown"]) for part in ("embedding", "sum"))
    place = 0 if vectors["position"] is None else unpack(vectors["position"], count, vectors["shown"])
    np.testing.assert_allclose(embedding + place, total, rtol=1e-4, atol=1e-5)


def test_of_a_long_text_the_beginning_is_told_up_to_a_whole_word() -> None:
    model = bundled_model()
    sentence = "Der Hund sah den Ball und der Junge sah die Katze im Garten. " * 5
    numbers = story_numbers(model, "bundled", sentence)
    all_tokens = model.record(sentence).query_tokens("encoder")
    drawn = [token for token in numbers["tokens"] if not token["special"]]
    typed = [token for token in all_tokens if not token.special]
    assert len(numbers["tokens"]) <= MOST_TOKENS < len(all_tokens)
    assert len(drawn) + numbers["leftOut"] == len(typed)
    assert sentence.startswith(numbers["sentence"]) and sentence[len(numbers["sentence"])] in " ."
    weights = unpack(numbers["head"]["weights"], len(numbers["tokens"]), len(numbers["tokens"]))
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-5)


def test_forty_tokens_are_drawn_whole() -> None:
    sentence = " ".join(["Hund"] * (MOST_TOKENS - 1))
    numbers = story_numbers(bundled_model(), "bundled", sentence)
    assert (len(numbers["tokens"]), numbers["leftOut"]) == (MOST_TOKENS, 0)


def test_a_head_that_is_not_there_makes_room_for_the_telling_one() -> None:
    assert story_numbers(bundled_model(), "bundled", GERMAN, layer=4, head=0)["head"]["name"] == "L3 H7"
    assert story_numbers(bundled_model(), "bundled", GERMAN, layer=0, head=1)["head"]["name"] == "L0 H1"


def test_nothing_is_told_of_no_sentence() -> None:
    with pytest.raises(EmptyError, match="no sentence yet"):
        story_numbers(bundled_model(), "bundled", "  ")


def test_a_role_measured_in_the_sentences_language_goes_first() -> None:
    from attnviz.measures.findings import head_findings

    heads = head_findings("bundled", "encoder", 3, 7)
    dutch, english, german = (finding_entry(heads, language) for language in ("nl", "en", "de"))
    assert dutch and english and german
    assert (dutch["relation"], dutch["language"]) == ("obj", None)
    assert (english["relation"], english["language"]) == ("nmod", None)
    assert (german["relation"], german["language"]) == ("obj", "nl")
    assert finding_entry((), "de") is None
