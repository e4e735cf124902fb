"""The home page as its script sees it: controls by key, what the components get, what it says when it cannot."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support.bundled import bundled_model
from support.head_grid import SENTENCE, grid, opened, typed, weights
from support.pages import APP, components, open_page

from attnviz.examples import FIRST_EXAMPLES, HOME_EXAMPLES
from attnviz.measures.findings import head_findings, opening_layer
from attnviz.ui.shell.errors import as_markdown

HEADS = 8  # of the bundled model
LAYERS = 4


# Opening ------------------------------------------------------------------------------------------------------------


def test_it_opens_with_a_sentence_and_all_heads_of_a_layer() -> None:
    app = open_page("heads")
    data = grid(app)
    assert app.text_area(key="sentence").value == FIRST_EXAMPLES["en"]
    assert app.query_params["sentence"] == FIRST_EXAMPLES["en"]  # a copied link may be read in another language
    labels = ["The", "teacher", "taught", "the", "student", "with", "the₂", "book", ".", "</s>"]
    assert data["keys"] == data["queries"] == labels
    # The layer that has most to show, as it was measured.
    layer = opening_layer("bundled")
    assert [head["name"] for head in data["heads"]] == [f"L{layer} H{head}" for head in range(HEADS)]
    np.testing.assert_allclose(weights(data).sum(axis=-1), 1, atol=1e-3)
    assert data["summary"] == f"Encoder, layer {layer} of 0–3, 8 heads, 10 tokens"
    assert data["open"] is None and not app.get("plotly_chart")
    assert not app.error and not app.warning


def test_the_heads_are_those_of_the_engine() -> None:
    app = opened(layer="2")
    expected = bundled_model().record(SENTENCE).weights("encoder", layer=2).numpy()
    np.testing.assert_allclose(weights(grid(app)), expected, atol=1e-4)


def test_a_head_says_what_it_was_measured_to_do() -> None:
    from attnviz.ui.components.heads.head_findings import applying, finding_text

    for layer in range(LAYERS):
        for head in grid(opened(layer=str(layer)))["heads"]:
            findings = applying(head_findings("bundled", "encoder", layer, head["head"]), SENTENCE)
            assert head["note"] == (finding_text(findings[0]) if findings else "")
    # Somebody else's model was not measured.
    assert head_findings("another/model", "encoder", 2, 7) == ()


@pytest.mark.parametrize(
    ("sentence", "parts"),
    [
        ("Der Hund sah den Ball.", ["copula", "auxiliary", "English", "Dutch"]),  # no such word, and German
        ("She reads a book.", ["German", "Dutch", "copula", "auxiliary"]),
        ("Quux.", ["German", "Dutch", "English"]),  # no language is guessed
    ],
)
def test_no_head_is_said_to_do_what_cannot_be_in_the_sentence(sentence: str, parts: list[str]) -> None:
    for layer in range(LAYERS):
        said = " ".join(head["note"] for head in grid(opened(layer=str(layer), sentence=sentence))["heads"])
        assert not any(part in said for part in parts)


def test_a_head_says_what_it_was_measured_to_do_where_the_sentence_has_it() -> None:
    notes = [head["note"] for head in grid(opened(layer="3", sentence="Der Hund ist müde."))["heads"]]
    assert notes[4].startswith("copula → its predicate: 70\u00a0%")


def test_the_numbers_of_all_heads_are_a_table_when_asked_for() -> None:
    app = opened()
    assert not app.dataframe
    app.session_state["numbers"] = True
    table = app.run().dataframe[0].value
    assert len(table) == HEADS * 7 * 7
    largest = table["attention weight"]
    assert largest.is_monotonic_decreasing
    np.testing.assert_allclose(largest.iloc[0], weights(grid(app)).max(), atol=1e-3)


def test_every_head_has_its_text() -> None:
    first = grid(opened(layer="0"))["heads"][0]
    assert first["text"].startswith("L0 H0: ") and first["text"].count("→") == 3


def test_figures_are_complete_only_when_all_of_them_show_this_run() -> None:
    app = opened()
    (ready,) = components(app, "ready")
    assert ready.pop("call")
    assert ready == {"run": grid(app)["run"], "sentence": SENTENCE, "figures": 1, "theme": "light"}
    app.selectbox(key="head").set_value(5).run()
    (ready,) = components(app, "ready")
    assert ready["figures"] == 5  # the grid, the heatmap, the lines, and two other kinds of attention
    assert {data["run"] for name in ("head_grid", "token_lines", "ready") for data in components(app, name)} == {
        ready["run"]
    }
    assert json.loads(app.get("plotly_chart")[0].proto.spec)["layout"]["meta"]["run"] == ready["run"]


# Controls -----------------------------------------------------------------------------------------------------------


def test_typing_shows_another_sentence() -> None:
    app = typed(opened(), "De kat zit op de mat.")
    assert grid(app)["keys"][:2] == ["De", "kat"]
    assert components(app, "ready")[0]["sentence"] == "De kat zit op de mat."


def test_an_example_is_put_into_the_box() -> None:
    app = opened()
    app.pills(key="example").set_value(HOME_EXAMPLES[5]).run()
    assert app.text_area(key="sentence").value == HOME_EXAMPLES[5] == "学生在写作业。"
    assert grid(app)["keys"][0].startswith("学")


def test_the_layer_is_another() -> None:
    app = opened()
    before = weights(grid(app))
    layer = (opening_layer("bundled") + 1) % LAYERS
    app.segmented_control(key="layer").set_value(layer).run()
    data = grid(app)
    assert data["heads"][0]["name"] == f"L{layer} H0" and f"layer {layer} of" in data["summary"]
    assert np.abs(weights(data) - before).max() > 0.01


def test_cross_attention_has_two_sentences() -> None:
    app = opened(kind="cross", target="The dog saw the ball.")
    data = grid(app)
    assert data["keys"][0] == "Der" and "dog" in data["queries"]
    assert app.text_area(key="target").value == "The dog saw the ball."
    assert data["summary"].startswith("Cross, ") and "queries × 7 keys" in data["summary"]


def test_the_target_box_stands_only_where_a_decoder_is_looked_at() -> None:
    app = opened()
    assert [box.key for box in app.text_area] == ["sentence"]
    app.segmented_control(key="kind").set_value("decoder").run()
    assert [box.key for box in app.text_area] == ["sentence", "target"]
    assert app.text_area(key="target").value == ""
    assert app.text_area(key="target").placeholder  # what the model itself says


def test_a_target_is_kept_while_its_box_is_away() -> None:
    app = opened(kind="cross", target="The dog.")
    app.segmented_control(key="kind").set_value("encoder").run()
    app.segmented_control(key="kind").set_value("cross").run()
    assert app.text_area(key="target").value == "The dog."


def test_special_tokens_are_hidden_and_their_share_is_said() -> None:
    app = opened()
    whole = weights(grid(app))
    app.toggle(key="hide_special").set_value(True).run()
    data = grid(app)
    assert data["keys"] == ["Der", "Hund", "sah", "den", "Ball", "."]
    hidden = np.frombuffer(base64.b64decode(data["hidden"]), dtype="<u2").reshape(HEADS, 6) / 65535
    np.testing.assert_allclose(hidden, whole[:, :6, 6], atol=1e-3)
    share = round(100 * hidden.mean())
    assert data["summary"].endswith(f"6 tokens; hidden: </s> – {share} % of the attention")


def test_words_are_taken_together() -> None:
    app = typed(opened(), "Die Fledermausohren.")
    pieces = len(grid(app)["keys"])
    app.toggle(key="by_word").set_value(True).run()
    data = grid(app)
    assert data["keys"] == ["Die", "Fledermausohren", ".", "</s>"] and pieces > len(data["keys"])
    np.testing.assert_allclose(weights(data).sum(axis=-1), 1, atol=1e-3)
    assert data["summary"].endswith("2 words, 2 other signs")


def test_each_head_can_have_its_own_scale() -> None:
    app = opened()
    app.toggle(key="scale_per_head").set_value(True).run()
    data = grid(app)
    assert data["perHead"]
    np.testing.assert_allclose([head["max"] for head in data["heads"]], weights(data).max(axis=(1, 2)), atol=1e-3)


# One head -----------------------------------------------------------------------------------------------------------


def test_an_opened_head_is_large_with_lines_other_kinds_and_numbers() -> None:
    app = opened(head="5", layer="1")
    data, *others = components(app, "head_grid")
    assert data["open"] == 5
    assert [other["heads"][0]["name"] for other in others] == ["Decoder L1 H5", "Cross L1 H5"]
    figure = json.loads(app.get("plotly_chart")[0].proto.spec)
    assert figure["layout"]["xaxis"]["ticktext"][:6] == data["keys"][:6]
    (lines,) = components(app, "token_lines")
    np.testing.assert_allclose(weights(lines)[0], weights(data)[5], atol=1e-4)
    table = app.dataframe[0].value
    assert list(table.iloc[:, 0]) == data["queries"]
    np.testing.assert_allclose(table.iloc[:, 1:].to_numpy(dtype=float), weights(data)[5], atol=1e-3)


def test_an_opened_head_closes() -> None:
    app = opened(head="5")
    app.button(key="close_head").click().run()
    assert grid(app)["open"] is None and app.selectbox(key="head").value is None
    assert not app.get("plotly_chart")


def test_an_opened_head_keeps_the_switches() -> None:
    app = opened(head="0", hide_special="true", scale_per_head="true")
    (lines,) = components(app, "token_lines")
    assert "</s>" not in lines["keys"] and lines["hidden"]
    assert lines["top"] == pytest.approx(weights(lines).max(), abs=1e-3)
    assert app.dataframe[0].value.columns[-1] == "hidden"


# What cannot be shown -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sentence", ["", "   "])
def test_an_empty_sentence_gets_a_friendly_word(sentence: str) -> None:
    app = typed(opened(), sentence)
    assert "Type a sentence" in app.info[0].value
    assert not app.error and not components(app, "head_grid") and not components(app, "ready")
    assert app.text_area(key="sentence").value == sentence
    assert app.segmented_control(key="layer").value is not None  # the controls stay


def test_a_sentence_that_is_too_long_stays_and_the_error_says_why() -> None:
    sentence = "a" * 10_000
    app = typed(opened(), sentence)
    assert "10,001 tokens" in app.error[0].value and "512" in app.error[0].value
    assert app.text_area(key="sentence").value == sentence
    assert not components(app, "head_grid") and not components(app, "ready")
    assert grid(typed(app, "Der Ball."))["keys"][:2] == ["Der", "Ball"]


@pytest.mark.parametrize(
    "sentence", ["<img src=x onerror=alert(1)>", "\"'`\\", "äöüß & # % =", "👩‍👩‍👧 🎈", "学生在写作业。", "$x^2$ **a**"]
)
def test_hostile_and_foreign_text_is_only_text(sentence: str) -> None:
    app = typed(opened(), sentence)
    data = grid(app)
    assert app.text_area(key="sentence").value == sentence
    assert components(app, "ready")[0]["sentence"] == sentence
    assert len(set(data["keys"])) == len(data["keys"])


def test_a_model_that_is_not_there_is_an_error_and_nothing_is_lost() -> None:
    app = opened(model="/there/is/no/such/folder", sentence="Der Ball.")
    assert "/there/is/no/such/folder does not exist" in app.error[0].value
    assert app.text_area(key="sentence").value == "Der Ball."
    assert not app.exception and not components(app, "head_grid")
    app.selectbox(key="model").set_value("bundled").run()
    assert grid(app)["keys"][:2] == ["Der", "Ball"]


def test_a_link_whose_layer_is_empty_shows_the_usual_one() -> None:
    app = opened(layer="", head="", kind="")
    assert not app.exception and not app.error and grid(app)["heads"]


def test_what_is_wrong_in_a_link_is_said() -> None:
    app = opened(kind="sideways", layer="99", head="abc", hide_special="perhaps", scale_per_head="true")
    (warning,) = app.warning
    assert "no sideways attention" in warning.value and "encoder" in warning.value
    assert "layers 0 to 3, not 99" in warning.value
    assert "no head abc" in warning.value
    assert grid(app)["perHead"]
    assert app.run().warning.len == 0  # said once


def test_errors_are_shown_as_they_are_written() -> None:
    assert as_markdown("<b> ![x](http://e.org/p.png) $a$ :smile:") == (
        r"\<b\> !\[x\](http\://e.org/p.png) \$a\$ \:smile\:"
    )
    assert as_markdown("1. one\n- two") == "1\\. one  \n\\- two"


def test_the_controls_do_not_wait_for_the_libraries() -> None:
    # The sentence and a progress bar are on the screen before torch, which takes seconds, is loaded.
    modules = "attnviz.ui.screens.heads.opened_head, attnviz.attention.pooled_maps, attnviz.ui.shell.models"
    program = f"import sys, {modules}; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", program], cwd=Path(APP).parent, capture_output=True, text=True)
    assert result.stdout.strip() == "False", result.stderr


def test_tokens_that_the_model_wrote_are_marked_and_a_target_that_was_typed_is_not() -> None:
    own = opened(kind="cross")
    data = grid(own)
    assert data["written"]["queries"][1:] == [True] * (len(data["queries"]) - 1) and not any(data["written"]["keys"])
    assert "underlined: written by the model" in data["summary"]
    given = grid(opened(kind="cross", target="The dog saw the ball."))
    assert given["written"] is None and "written by the model" not in given["summary"]


def test_a_revision_typed_after_the_model_that_is_shown_belongs_to_it() -> None:
    """The box drops what equals the model that it shows already, and hands over the rest alone."""
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params["model"] = "somebody/model"
    app.session_state["model"] = "@v2"  # as the box hands it over
    app.run()
    assert app.query_params["model"] == "somebody/model@v2"
    assert app.selectbox(key="model").value == "somebody/model@v2" and "somebody/model" in app.error[0].value
