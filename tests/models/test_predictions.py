"""What models predict by the head they were trained with, against the networks' own output."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from support import tiny_models as tiny
from support.bundled import bundled_model
from support.tiny_tokenizers import wordpiece
from support.written_models import bert, gpt

import attnviz
from attnviz import Model
from attnviz.errors import InputError
from attnviz.models.predictions import MOST_ANSWER, task_of

TEXT = "the cat sat on the mat"


def saved(folder: Path, class_name: str, **changes: Any) -> Model:
    """A checkpoint with a head, saved to a folder and loaded from it."""
    tokenizer = wordpiece()
    config = tiny.network("bert", vocab_size=len(tokenizer), pad_token_id=0).config
    for name, value in changes.items():
        setattr(config, name, value)
    network = getattr(transformers, class_name)(config)
    tiny.draw(network)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return attnviz.load(str(folder), device="cpu")


def output(model: Model, recording: Any) -> Any:
    ids = torch.tensor([[token.id for token in recording.query_tokens("encoder")]])
    beside = {name: torch.tensor([list(row)]) for name, row in recording.beside.items()}
    with torch.no_grad():
        return model.network(input_ids=ids, **beside)


CLASSES = {"id2label": {0: "bad", 1: "so-so", 2: "good"}, "label2id": {"bad": 0, "so-so": 1, "good": 2}}


def test_classes_have_the_probabilities_of_the_head(tmp_path: Path) -> None:
    model = saved(tmp_path, "BertForSequenceClassification", **CLASSES)
    result = model.predict(TEXT)
    expected = output(model, result.recording).logits[0].softmax(-1)
    assert task_of(model) == result.task == "class" and result.exclusive
    assert [label.text for label in result.labels] == [
        CLASSES["id2label"][i] for i in expected.argsort(descending=True).tolist()
    ]
    assert [label.probability for label in result.labels] == pytest.approx(sorted(expected.tolist(), reverse=True))
    several = saved(
        tmp_path / "several", "BertForSequenceClassification", problem_type="multi_label_classification", **CLASSES
    )
    result = several.predict(TEXT)
    logits = output(several, result.recording).logits[0]
    assert not result.exclusive
    assert [label.probability for label in result.labels] == pytest.approx(
        sorted(logits.sigmoid().tolist(), reverse=True)
    )
    grade = saved(tmp_path / "grade", "BertForSequenceClassification", num_labels=1)
    result = grade.predict(TEXT)
    assert [label.probability for label in result.labels] == pytest.approx(
        output(grade, result.recording).logits[0].tolist()
    )


def test_a_pair_is_sorted_as_a_pair(tmp_path: Path) -> None:
    model = saved(tmp_path, "BertForSequenceClassification", **CLASSES)
    result = model.predict(TEXT, pair="the cat")
    with torch.no_grad():
        read = model.tokenizer(TEXT, "the cat", return_tensors="pt")
        expected = model.network(**read).logits[0].softmax(-1)
    assert [label.probability for label in result.labels] == pytest.approx(sorted(expected.tolist(), reverse=True))
    assert [label.probability for label in model.predict(TEXT).labels] != pytest.approx(
        [label.probability for label in result.labels]
    )
    with pytest.raises(InputError, match="sorts no pairs"):
        attnviz.load("bundled").predict("Der Hund sah den Ball.", pair="Ja.")


def test_each_token_gets_its_labels(tmp_path: Path) -> None:
    model = saved(tmp_path, "BertForTokenClassification", **CLASSES)
    result = model.predict(TEXT)
    shares = output(model, result.recording).logits[0].softmax(-1)
    tokens = result.recording.query_tokens("encoder")
    assert result.by_token is not None
    assert set(result.by_token) == {at for at, token in enumerate(tokens) if not token.special}
    for at, labels in result.by_token.items():
        assert labels[0].probability == pytest.approx(float(shares[at].max()), abs=1e-6)


def test_an_answer_is_the_piece_with_the_largest_sum(tmp_path: Path) -> None:
    model = saved(tmp_path, "BertForQuestionAnswering")
    result = model.predict(TEXT, question="the dog sat")
    found = output(model, result.recording)
    tokens = result.recording.query_tokens("encoder")
    ends = [at for at, token in enumerate(tokens) if token.special]
    inside = range(ends[1] + 1, ends[2])
    scores = {
        (i, j): float(found.start_logits[0, i] + found.end_logits[0, j])
        for i in inside for j in inside if 0 <= j - i < MOST_ANSWER
    }  # fmt: skip
    shares = torch.tensor(list(scores.values())).softmax(0)
    best = max(scores, key=lambda pair: scores[pair])
    first = result.answers[0]
    assert (first.first, first.last) == best and first.probability == pytest.approx(float(shares.max()), abs=1e-6)
    assert TEXT[first.start : first.end].strip() == first.text and first.text
    assert [answer.probability for answer in result.answers] == sorted(
        (a.probability for a in result.answers), reverse=True
    )
    with pytest.raises(InputError, match="Pass `question` too"):
        model.predict(TEXT)


def test_words_gaps_and_translations() -> None:
    translated = bundled_model().predict("Der Hund sah den Ball.")
    assert (translated.task, translated.text) == ("write", "The dog saw the ball.")
    following = gpt().predict(TEXT)
    assert following.task == "next word" and following.recording.logits is not None
    shares = following.recording.logits[-1].softmax(-1)
    assert following.labels[0].probability == pytest.approx(float(shares.max()), abs=1e-6)
    gap = bert().predict("the [MASK] sat")
    (place,) = gap.by_token or {}
    assert gap.task == "gaps" and gap.recording.query_tokens("encoder")[place].text == "[MASK]"
    with pytest.raises(InputError, match="this text has none"):
        bert().predict(TEXT)
    with pytest.raises(InputError, match="answers no questions"):
        gpt().predict(TEXT, question="who?")


def test_no_head_is_invented() -> None:
    bare = Model(bert().network.bert, bert().tokenizer, name="bare-bert")
    with pytest.raises(InputError, match="has no head that predicts"):
        bare.predict(TEXT)
