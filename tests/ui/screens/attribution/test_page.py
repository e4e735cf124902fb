"""The page Why this word without a browser: its numbers are the engine's, for every family of models."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest
from support import tiny_models as tiny
from support import tiny_tokenizers as tokenizers_for_tests
from support.bundled import bundled_model
from support.pages import components, open_page, save_checkpoint

from attnviz import attribution
from attnviz.attribution import METHODS, attribute, attribution_matrix, faithfulness
from attnviz.attribution.contributions import from_weights
from attnviz.ui.screens.attribution.payload import verdicts
from attnviz.ui.shell import models

GERMAN = "Der Hund sah den Ball."


def shown(app: AppTest) -> dict[str, Any]:
    assert not app.exception and not app.error, [*app.exception, *app.error]
    (data,) = components(app, "explanation")
    return data


def values(card: dict[str, Any]) -> list[float]:
    return [token["value"] for group in card["groups"] for token in group["tokens"]]


def test_two_methods_side_by_side_have_the_engines_numbers() -> None:
    app = open_page("attribution", sentence=GERMAN, explained="dog", trust="true", all_methods="true")
    data = shown(app)
    assert [word["label"] for word in data["output"]["words"]] == ["The", "dog", "saw", "the", "ball", "."]
    assert data["output"]["words"][1]["chosen"] and data["question"].startswith("Why “dog”?")
    for card, method in zip(data["cards"], ("attention", "occlusion"), strict=True):
        assert values(card) == pytest.approx(attribute(bundled_model(), GERMAN, method, 2).values.tolist(), abs=1e-4)
    attention = next(row for row in data["table"]["rows"] if row["name"] == "Attention weights")
    assert attention["agrees"] == "itself" and len(data["table"]["rows"]) == len(METHODS)
    fall = faithfulness(bundled_model(), GERMAN, attribute(bundled_model(), GERMAN, "attention", 2))
    first, second, random, best = data["trust"]["curve"]["lines"]
    assert first["values"] == pytest.approx(fall.removed.tolist(), abs=1e-4)
    assert (second["kind"], random["kind"], best["kind"]) == ("beside", "random", "best")
    assert len(first["words"]) == len(first["values"]) and "without" in first["words"][1]


def test_the_word_is_compared_with_another_and_a_layer_and_a_head_can_be_chosen() -> None:
    app = open_page("attribution", sentence=GERMAN, explained="dog", method="norms", beside="none", of_layer="1")
    (card,) = shown(app)["cards"]
    expected = attribute(bundled_model(), GERMAN, "norms", 2, layer=1)
    assert values(card) == pytest.approx(expected.values.tolist(), abs=1e-4) and card["name"].endswith("L1")
    app.query_params["of_head"] = "3"
    app.selectbox(key="of_head").set_value("3").run()
    assert shown(app)["cards"][0]["name"].endswith("L1 H3")
    app.toggle(key="all_methods").set_value(True).run()
    rows = {row["name"]: row["agrees"] for row in shown(app)["table"]["rows"]}
    assert len(rows) == len(METHODS) and "itself" not in rows.values()  # a row is of all layers, and one head is chosen
    other = app.selectbox(key="instead").options[0]
    app.selectbox(key="instead").set_value(other).run()
    assert f"and not “{other}”" in shown(app)["question"]


def test_the_whole_translation_is_a_table_with_a_row_for_each_word() -> None:
    app = open_page("attribution", sentence=GERMAN, method="norms", matrix="true", of_layer="2")
    matrix = shown(app)["matrix"]
    expected = attribution_matrix(bundled_model(), GERMAN, "norms", layer=2)
    assert [row["name"] for row in matrix["rows"]] == ["The", "dog", "saw", "the", "ball", "."]
    for row, values in zip(matrix["rows"], expected.values, strict=True):
        assert row["values"] == pytest.approx(values.tolist(), abs=1e-4) and row["most"] == matrix["rows"][0]["most"]
    assert matrix["title"].endswith("L2") and len(matrix["tokens"]) == len(expected.source_tokens)
    app.toggle(key="matrix").set_value(False).run()
    assert shown(app)["matrix"] is None


def test_the_proof_comes_by_itself_once_it_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was measured comes by itself, and is measured once."""
    app = open_page("attribution", sentence="Der Hund sah den Ball!", explained="saw")
    calls: list[Any] = []
    measure = attribution.faithfulness

    def watched(*args: Any, **options: Any) -> Any:
        calls.append(options)
        return measure(*args, **options)

    monkeypatch.setattr(attribution, "faithfulness", watched, raising=False)
    app.toggle(key="trust").set_value(True).run()
    assert len(calls) == 2 and shown(app)["trust"]["curve"]["lines"]
    app.toggle(key="trust").set_value(False).run()
    app.toggle(key="trust").set_value(True).run()
    assert len(calls) == 2 and shown(app)["trust"]


def test_a_method_that_refuses_a_long_text_leaves_the_others_in_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(from_weights, "MOST_FLOW_WORK", 1)
    app = open_page("attribution", sentence="Der Hund sah den großen Ball.", all_methods="true")
    assert [row["name"] for row in shown(app)["table"]["rows"]].count("Flow") == 0
    assert len(shown(app)["table"]["rows"]) == len(METHODS) - 1


def test_what_a_link_asks_for_and_is_not_there_is_said() -> None:
    app = open_page("attribution", sentence=GERMAN, explained="elephant", method="magic", of_layer="9")
    data = shown(app)
    said = " ".join(item.value for item in [*app.info, *app.warning, *app.caption, *app.markdown])
    assert "elephant" in said and "magic" in said and "9" in said
    assert [word["label"] for word in data["output"]["words"] if word["chosen"]] == ["ball"]


@pytest.mark.parametrize(
    ("name", "tokenizer", "sentence", "label"),
    [
        ("gpt2", "gpt2", "the cat sat on the mat", "next: "),
        ("bert", "wordpiece", "the [MASK] sat", "[MASK]"),
        ("t5", "unigram", "the cat sat", "he"),
    ],
)
def test_every_family_has_something_to_be_explained(
    tmp_path: Path, name: str, tokenizer: str, sentence: str, label: str
) -> None:
    folder = save_checkpoint(tmp_path, name, getattr(tokenizers_for_tests, tokenizer)())
    target = {"target": "the mat"} if name == "t5" else {}
    data = shown(open_page("attribution", sentence=sentence, model=folder, trust="true", **target))
    (chosen,) = [word["label"] for word in data["output"]["words"] if word["chosen"]]
    assert label in chosen and data["trust"]["curve"]["lines"][0]["values"]


def test_in_half_precision_the_weights_are_shown_and_what_is_missing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_DTYPE", "bfloat16")
    folder = save_checkpoint(tmp_path, "gpt2", tokenizers_for_tests.gpt2())
    app = open_page("attribution", sentence="the cat sat", model=folder, all_methods="true", trust="true")
    data = shown(app)
    assert len(data["cards"]) == 1 and len(data["table"]["rows"]) == 4 and data["trust"] is None
    assert any("computes in bfloat16" in item.value for item in app.info)


def test_a_model_that_writes_nothing_asks_for_a_target(tmp_path: Path) -> None:
    app = open_page(
        "attribution", sentence="the cat sat", model=save_checkpoint(tmp_path, "t5", tokenizers_for_tests.unigram())
    )
    assert not app.exception and any("Type a target" in item.value for item in app.info)


def test_a_class_is_explained_and_a_network_without_a_head_shows_its_weights_alone(tmp_path: Path) -> None:
    from transformers import BertForSequenceClassification

    tokenizer = tokenizers_for_tests.wordpiece()
    config = tiny.network("bert", vocab_size=len(tokenizer)).config
    config.id2label, config.label2id = {0: "bad", 1: "good"}, {"bad": 0, "good": 1}
    classifier = BertForSequenceClassification(config)
    tiny.draw(classifier)
    classifier.save_pretrained(tmp_path / "classifier")
    tokenizer.save_pretrained(tmp_path / "classifier")
    data = shown(open_page("attribution", sentence="the cat", model=str(tmp_path / "classifier"), explained="good"))
    assert [word["label"] for word in data["output"]["words"]] == ["bad", "good"] and "“good”" in data["question"]
    classifier.bert.save_pretrained(tmp_path / "bare")
    tokenizer.save_pretrained(tmp_path / "bare")
    app = open_page("attribution", sentence="the cat", model=str(tmp_path / "bare"), trust="true")
    data = shown(app)
    assert "predicts nothing" in data["question"] and data["trust"] is None and len(data["cards"]) == 1
    assert not [toggle for toggle in app.toggle if toggle.key == "trust"]


def test_both_ends_of_an_answer_can_be_explained(tmp_path: Path) -> None:
    from transformers import BertForQuestionAnswering

    tokenizer = tokenizers_for_tests.wordpiece()
    network = BertForQuestionAnswering(tiny.network("bert", vocab_size=len(tokenizer)).config)
    tiny.draw(network)
    network.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    passage = {"sentence": "the teacher taught the student", "model": str(tmp_path)}
    app = open_page("attribution", **passage)
    assert any("Type a question" in item.value for item in app.info)
    app.text_area(key="question").set_value("the cat").run()
    data = shown(app)
    start, end = data["output"]["words"]
    assert start["chosen"] and start["label"].startswith("begins with") and end["label"].startswith("ends with")
    assert data["question"].startswith("Why does the answer begin with") and len(data["cards"]) == 2
    asked = open_page("attribution", **passage, question="the cat", explained=end["label"], trust="true")
    other = asked.selectbox(key="instead").options[0]
    assert shown(asked)["question"].startswith("Why does the answer end with") and shown(asked)["trust"]
    asked.selectbox(key="instead").set_value(other).run()
    assert "and not with" in shown(asked)["question"]


def test_the_verdict_says_where_between_chance_and_the_best_order_a_method_stands() -> None:
    fall = faithfulness(bundled_model(), GERMAN, attribute(bundled_model(), GERMAN, "occlusion", 2))
    (sentence,) = verdicts([fall], ["A method"])
    assert re.fullmatch(r"“A method” comes \d+ % of the way from chance to the best order found.", sentence)
    long = replace(fall, best=None)
    assert re.fullmatch(
        r"“A method” lowers the probability by .* on average, chance by .*", verdicts([long], ["A method"])[0]
    )
    alike = replace(fall, best=fall.random.mean(axis=0))
    assert "says nothing about the method" in verdicts([alike], ["A method"])[0]
