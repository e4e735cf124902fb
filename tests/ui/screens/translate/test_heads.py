"""Translate with models that have another head than one for language: classes, labels, answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import transformers
from playwright.sync_api import Page, expect
from support import tiny_models as tiny
from support.browsing import RESTS, address_parameters, text_box, wait_until_drawn
from support.pages import components, open_page
from support.tiny_tokenizers import wordpiece

import attnviz
from attnviz.attribution import attribute
from attnviz.tokenization.token import labels

TEXT = "the cat sat on the mat"
CLASSES = {0: "bad", 1: "so-so", 2: "good"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    tokenizer = wordpiece()
    made = {}
    for head in ("SequenceClassification", "TokenClassification", "QuestionAnswering"):
        config = tiny.network("bert", vocab_size=len(tokenizer), pad_token_id=0).config
        if head != "QuestionAnswering":
            config.id2label, config.label2id = CLASSES, {name: index for index, name in CLASSES.items()}
        network = getattr(transformers, f"BertFor{head}")(config)
        tiny.draw(network)
        folder = tmp_path_factory.mktemp(head)
        network.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        made[head] = str(folder)
    return made


def both_drawn(**parameters: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The prediction, and why."""
    app = open_page("translate", sentence=TEXT, **parameters)
    assert not app.exception and not app.error, [*app.exception, *app.error]
    (prediction,), (why,) = components(app, "predicted"), components(app, "explanation")
    assert prediction["run"] == why["run"]
    return prediction, why


def drawn(**parameters: str) -> dict[str, Any]:
    return both_drawn(**parameters)[0]


@pytest.mark.parametrize(
    ("head", "explained", "asked"),
    [
        ("SequenceClassification", "so-so", {"token": 1}),
        ("TokenClassification", "ma", {"position": 10}),
        ("QuestionAnswering", "", {"token": "end"}),  # of the answer that is marked
    ],
)
def test_attention_and_attribution_of_a_prediction_are_the_engines(
    folders: dict[str, str], head: str, explained: str, asked: dict[str, Any]
) -> None:
    model = attnviz.load(folders[head], device="cpu")
    question = {"question": "the dog sat"} if head == "QuestionAnswering" else {}
    if question:
        asked["position"] = model.predict(TEXT, **question).answers[0].last
    expected = [attribute(model, TEXT, method, **asked, **question) for method in ("attention", "occlusion")]
    if question:
        explained = f"ends with {labels(expected[0].tokens)[asked['position']]}"
    _, why = both_drawn(model=folders[head], explained=explained, **question)
    assert [word["label"] for word in why["output"]["words"] if word["chosen"]] == [explained]
    assert [card["name"] for card in why["cards"]] == ["Attention weights", "Leaving each word out"]
    for card, result in zip(why["cards"], expected, strict=True):
        values = [token["value"] for group in card["groups"] for token in group["tokens"]]
        assert values == pytest.approx(result.values.tolist(), abs=1e-5)
    assert f"“{expected[0].target.text}”" in why["question"] and why["table"] is why["trust"] is None


def test_a_link_to_a_class_that_is_none_is_answered(folders: dict[str, str]) -> None:
    app = open_page("translate", sentence=TEXT, model=folders["SequenceClassification"], explained="great")
    assert any("great" in remark.value for remark in [*app.info, *app.warning])
    assert "explained" not in app.query_params


def test_classes_and_labels_are_the_models_own(folders: dict[str, str]) -> None:
    expected = attnviz.load(folders["SequenceClassification"], device="cpu").predict(TEXT)
    data = drawn(model=folders["SequenceClassification"])
    assert [bar["name"] for bar in data["bars"]] == [label.text for label in expected.labels]
    assert [bar["value"] for bar in data["bars"]] == pytest.approx([label.probability for label in expected.labels])
    assert f"“{expected.labels[0].text}”" in data["title"] and not data["pieces"]
    pair = attnviz.load(folders["SequenceClassification"], device="cpu").predict(TEXT, pair="the cat")
    data = drawn(model=folders["SequenceClassification"], pair="the cat")
    assert [bar["value"] for bar in data["bars"]] == pytest.approx([label.probability for label in pair.labels])
    data = drawn(model=folders["TokenClassification"])
    assert "".join(piece["text"] for piece in data["pieces"]) == TEXT
    assert all(piece["label"].split()[0] in CLASSES.values() for piece in data["pieces"] if piece["text"].strip())
    assert sum(bar["value"] for bar in data["bars"]) == pytest.approx(1.0)


def test_the_answer_is_marked_in_the_passage_and_explained(page: Page, folders: dict[str, str]) -> None:
    """By hand, for the box of the question is there for such models only."""
    folder = folders["QuestionAnswering"]
    expected = attnviz.load(folder, device="cpu").predict(TEXT, "the dog sat").answers[0]
    page.goto(f"/translate?sentence={TEXT}&model={folder}")
    page.get_by_text("Type a question about the text above").wait_for()
    text_box(page, "question").fill("the dog sat")
    text_box(page, "question").press("Enter")
    run = wait_until_drawn(page, TEXT)
    expect(page.locator(".attnviz-predicted-text mark")).to_have_text(expected.text)
    expect(page.locator(".attnviz-predicted-text")).to_have_text(TEXT)
    assert address_parameters(page)["question"] == ["the dog sat"]
    # Its numbers can be taken along.
    page.get_by_role("button", name="Export").click()
    with page.expect_download() as download:
        page.get_by_label("Numbers of this page: csv", exact=True).click()
    assert expected.text in Path(download.value.path()).read_text(encoding="utf-8-sig")
    # Why there: its end is clicked, and the link goes on with the same question and the same end.
    words = page.locator(".st-key-reasons .attnviz-why-output button")
    expect(words).to_have_text([re.compile("begins with ."), re.compile("ends with .")])
    words.last.click()
    run = wait_until_drawn(page, TEXT, before=run)
    expect(page.locator(".attnviz-why-question")).to_contain_text("Why does the answer end with")
    expect(page.locator(".attnviz-why-card .attnviz-why-word").first).to_be_visible()
    page.locator(".st-key-reasons_link a").click()
    page.wait_for_url("**/attribution?**")
    wait_until_drawn(page, TEXT, before=run)
    expect(page.locator(".attnviz-why-question")).to_contain_text("Why does the answer end with")
    assert address_parameters(page)["question"] == ["the dog sat"]


def test_a_second_sentence_changes_the_class_and_goes_along(page: Page, folders: dict[str, str]) -> None:
    """By hand: typed, and on the page that asks why."""
    folder, second = folders["SequenceClassification"], "the dog barks"
    model = attnviz.load(folder, device="cpu")
    alone, shown = (
        [f"{100 * label.probability:.0f} %" for label in model.predict(TEXT, pair=pair).labels]
        for pair in (None, second)
    )
    assert alone != shown
    page.goto(f"/translate?sentence={TEXT}&model={folder}")
    run = wait_until_drawn(page, TEXT)
    numbers = page.locator(".attnviz-predicted-number")
    expect(numbers).to_have_text(alone)
    text_box(page, "pair").fill(second)
    text_box(page, "pair").press("Enter")
    wait_until_drawn(page, TEXT, before=run)
    expect(numbers).to_have_text(shown)
    assert address_parameters(page)["pair"] == [second]
    page.wait_for_function(RESTS)
    page.locator(".st-key-reasons_link a").click()
    page.wait_for_function("location.pathname === '/attribution' && document.querySelector('.attnviz-ready')")
    expect(text_box(page, "pair")).to_have_value(second)
    expect(page.locator(".st-key-explanation")).to_contain_text("bark")
