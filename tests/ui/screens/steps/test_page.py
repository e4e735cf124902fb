"""The page that follows a computation, as its script sees it: seven steps with the model's own numbers."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support import tiny_models
from support import tiny_tokenizers as tokenizers_for_tests
from support.bundled import bundled_model
from support.pages import open_page

import attnviz
from attnviz.computation.layer import follow
from attnviz.measures.findings import findings

FIRST = "Der Hund sah den Ball."
opened = functools.partial(open_page, "steps", sentence=FIRST)


APP = str(Path(__file__).resolve().parents[4] / "app.py")


def figures(app: AppTest) -> dict[str, Any]:
    """The plotly figures by their keys."""
    assert not app.exception
    found = {}
    for chart in app.get("plotly_chart"):
        found[chart.proto.id.rsplit("-", 1)[-1]] = json.loads(chart.proto.spec)
    return found


def said(app: AppTest) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption])


def ready(app: AppTest) -> dict[str, Any]:
    protos = [element.proto for element in app.get("bidi_component")]
    (found,) = [json.loads(proto.json) for proto in protos if proto.component_name == "attnviz.ready"]
    return found


@pytest.fixture(scope="module")
def bundled() -> attnviz.Model:
    return bundled_model()


@pytest.mark.parametrize("step", range(1, 8))
@pytest.mark.parametrize("kind", ["encoder", "cross"])
def test_every_step_is_drawn(step: int, kind: str) -> None:
    app = opened(step=str(step), kind=kind)
    assert ready(app)["figures"] == len(figures(app))
    assert ready(app)["sentence"] == FIRST
    assert not app.error and not app.warning
    assert "equals the model's own" in said(app)


def test_the_tokens_have_their_ids(bundled: attnviz.Model) -> None:
    app = opened(step="1")
    tokens = bundled.record(FIRST).query_tokens("encoder")
    chips = "".join(element.proto.body for element in app.get("html"))
    for token in tokens:
        assert f"<small>{token.id}</small>" in chips
    assert "12,000" in said(app)
    assert app.dataframe[0].value["id"].tolist() == [token.id for token in tokens]


def test_markup_in_a_sentence_stays_text() -> None:
    app = opened(step="1", sentence="<img src=x onerror=alert(1)> & <b>")
    chips = "".join(element.proto.body for element in app.get("html"))
    assert "<img" not in chips


def test_scores_and_weights_are_the_models(bundled: attnviz.Model) -> None:
    recording = bundled.record(FIRST)
    app = opened(step="4", layer="2", looking="sah", looked_at="Ball")
    app.selectbox(key="head").set_value(5).run()
    table = app.dataframe[0].value
    scores = recording.scores("encoder", layer=2, head=5)[2].tolist()
    np.testing.assert_allclose(table["score"], scores, atol=1e-5)
    raw = follow(bundled, recording, "encoder", layer=2).raw(5)[2]
    np.testing.assert_allclose(table["q·k"], raw, atol=1e-5)
    assert f"{float(raw[4]):.4f}" in app.latex[0].value and f"{scores[4]:.4f}" in app.latex[0].value
    app.button(key="next").click().run()
    np.testing.assert_allclose(
        app.dataframe[0].value["weight"], recording.weights("encoder", layer=2, head=5)[2], atol=1e-6
    )


def test_another_temperature_is_shown_beside_the_models_own(bundled: attnviz.Model) -> None:
    app = opened(step="5", layer="0", head="0", looking="sah")
    app.select_slider(key="temperature").set_value("4").run()
    row = bundled.record(FIRST).scores("encoder", layer=0, head=0)[2]
    expected = (row / 4).softmax(dim=-1)
    np.testing.assert_allclose(app.dataframe[0].value["at temperature 4"], expected, atol=1e-5)


def test_one_walks_on_and_to_the_next_layer() -> None:
    app = opened(step="6", layer="0", head="0")
    app.button(key="next").click().run()
    assert app.query_params["step"] == "7"
    assert app.button(key="next").disabled
    app.button(key="next_layer").click().run()
    assert app.session_state["layer"] == 1 and app.session_state["step"] == 3
    app.button(key="back").click().run()
    assert app.session_state["step"] == 2
    app.button_group(key="step_shown").set_value(None).run()
    assert not app.exception and app.session_state["step"] == 2


def test_masked_words_are_said() -> None:
    app = opened(step="4", kind="decoder", looking="The")
    assert "may not be seen" in said(app)
    assert "−∞" in app.dataframe[0].value["score"].tolist()


def test_a_link_may_ask_for_what_is_not_there() -> None:
    app = opened(step="9", looking="Katze", head="77")
    assert "there is no step 9" in app.warning[0].value
    assert "no token Katze" in app.warning[0].value
    assert "no head 77" in app.warning[0].value
    assert ready(app)


def test_another_sentence_keeps_the_page_quiet() -> None:
    app = opened(step="4", looking="sah")
    app.text_area(key="sentence").set_value("De kat zit op de mat.").run()
    assert not app.warning and not app.error
    assert ready(app)["sentence"] == "De kat zit op de mat."


@pytest.mark.parametrize(
    ("name", "tokenizer", "where"),
    [
        ("bert", "wordpiece", "A second vector says where the word stands"),
        ("gpt2", "gpt2", "A second vector says where the word stands"),
        ("llama", "gpt2", "**rotates** queries and keys"),
        ("gemma2", "gpt2", "**rotates** queries and keys"),
        ("t5", "gpt2", "adds a learned number to the **scores**"),
    ],
)
def test_other_models_are_followed(name: str, tokenizer: str, where: str, tmp_path: Path) -> None:
    made = getattr(tokenizers_for_tests, tokenizer)()
    network = tiny_models.network(name, vocab_size=len(made))
    network.save_pretrained(tmp_path)
    made.save_pretrained(tmp_path)
    app = opened(model=str(tmp_path), sentence="The dog saw the ball.", step="2", target="The dog")
    assert where in said(app)
    for step in range(3, 8):
        app.button(key="next").click().run()
        assert ready(app)["figures"] == len(figures(app)), step
        assert "equals the model's own" in said(app), step
        assert not app.error and not app.warning


def test_a_model_that_hides_its_vectors_is_said_so(tmp_path: Path) -> None:
    tokenizer = tokenizers_for_tests.gpt2()
    tiny_models.network("bloom", vocab_size=len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    app = opened(model=str(tmp_path), sentence="The dog saw the ball.")
    assert "computes its attention inside its own code" in app.error[0].value


def test_an_empty_box_asks_for_a_sentence() -> None:
    app = opened(sentence=" ")
    assert "Type a sentence above" in app.info[0].value


def test_the_same_text_in_another_models_tokens(tmp_path: Path) -> None:
    tokenizer = tokenizers_for_tests.wordpiece()
    tiny_models.network("bert", vocab_size=len(tokenizer)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    app = opened(model=str(tmp_path), sentence="The dog saw the ball.", step="1")
    app.segmented_control(key="beside").set_value("Bundled translation model").run()
    own = bundled_model().record("The dog saw the ball.").query_tokens("encoder")
    chips = "".join(element.proto.body for element in app.get("html"))
    assert all(f"<small>{token.id}</small>" in chips for token in own)
    assert not app.exception and not app.error
    # Once it is the model above, it is no other one, and the page goes on with the letters.
    app.selectbox(key="model").set_value("bundled").run()
    assert not app.exception and not app.error
    assert app.segmented_control(key="beside").value == "characters"
    assert "Bundled translation model" not in app.segmented_control(key="beside").options


def test_a_full_stop_is_no_word() -> None:
    assert "5 words, 6 tokens" in said(opened(step="1"))


@pytest.mark.parametrize(
    ("way", "wrong", "right"),
    [
        ("characters", "a letter alone means little", "a character often is a word"),
        ("words", "every form of every word", "no space between words"),
    ],
)
def test_what_is_said_of_a_vocabulary_is_true_of_the_script(way: str, wrong: str, right: str) -> None:
    app = opened(step="1", sentence="学生在写作业。")
    app.segmented_control(key="beside").set_value(way).run()
    assert wrong not in said(app) and right in said(app)


def test_the_scaling_is_described_by_what_is_seen_of_it() -> None:
    text = said(opened(step="5"))
    assert "learned from the others" not in text
    assert "all the others together would have" in text


def test_it_opens_on_the_verb_and_its_object(bundled: attnviz.Model) -> None:
    app = opened()
    item = max(
        (item for item in findings("bundled").heads if item.kind == "encoder" and item.relation == "obj"),
        key=lambda item: item.accuracy,
    )
    assert app.selectbox(key="head").value == item.head
    assert (app.selectbox(key="looking").value, app.selectbox(key="looked_at").value) == ("sah", "Ball")


def test_the_last_step_of_the_last_layer_leads_on() -> None:
    app = opened(step="7", layer="3")
    assert not app.exception
    leading_on = [link for link in app.get("page_link") if link.proto.page != "attribution"]
    assert len(leading_on) == 2  # the third one, to the page that measures, stands on all pages with weights


def test_that_lengths_do_not_add_is_said() -> None:
    assert "Lengths do not add" in said(opened(step="7"))


def test_whole_words_are_chosen_and_the_piece_whose_numbers_are_shown_is_said(bundled: attnviz.Model) -> None:
    sentence = "Die Fledermaus flog nachts."
    recording = bundled.record(sentence)
    tokens = [token.text.strip() for token in recording.query_tokens("encoder")]
    app = opened(sentence=sentence, step="4", layer="2", head="5", looking="Fledermaus")
    assert (
        "Fledermaus" in app.selectbox(key="looking").options and tokens[1] not in app.selectbox(key="looking").options
    )
    assert "key of each word" in said(app) and "**Fledermaus**" in said(app)
    last = next(place for place, text in enumerate(tokens) if "".join(tokens[1 : place + 1]) == "Fledermaus")
    assert f"The numbers are those of the last, **{tokens[last]}**." in said(app)
    scores = recording.scores("encoder", layer=2, head=5)
    np.testing.assert_allclose(app.dataframe[0].value["score"], scores[last], atol=1e-5)
    # Its tokens on request, or where a link names one.
    app.toggle(key="pieces").set_value(True).run()
    assert "numbers are those of the last" not in said(app)
    app.selectbox(key="looking").set_value(tokens[1]).run()
    np.testing.assert_allclose(app.dataframe[0].value["score"], scores[1], atol=1e-5)
    linked = opened(sentence=sentence, step="4", layer="2", head="5", looking=tokens[1])
    assert linked.toggle(key="pieces").value and linked.selectbox(key="looking").value == tokens[1]
    assert not linked.warning
    assert [box.key for box in opened().toggle] == []
