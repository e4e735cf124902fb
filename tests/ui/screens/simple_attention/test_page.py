"""The page "By hand" as its script sees it: what its tables are given, what it says, what a link brings back."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support.pages import open_page

from attnviz.attention.by_hand.pytorch_code import code
from attnviz.attention.by_hand.word_vectors import EXAMPLE, from_text
from attnviz.attention.by_hand.worked_example import Settings, work
from attnviz.ui.components.numbers.number_tables import format_number

opened = functools.partial(open_page, "simple_attention")

ROOT = Path(__file__).resolve().parents[4]
SENTENCE = "Your journey starts with one step"
SCORES = ["0.9544", "1.4950", "1.4754", "0.8434", "0.7070", "1.0865"]
WEIGHTS = ["0.1385", "0.2379", "0.2333", "0.1240", "0.1082", "0.1581"]
CONTEXT = ["0.4419", "0.6515", "0.5683"]
TWO = "red 1 0 0; green 0 2 0"


def blocks(app: AppTest, key: str) -> list[dict[str, Any]]:
    """What a component of the page was given."""
    for element in app.get("bidi_component"):
        if element.proto.component_name == "attnviz.number_tables" and f"-{key}" in element.proto.id:
            return json.loads(element.proto.json)["blocks"]
    raise AssertionError(f"there is no {key}")


def cells(block: dict[str, Any], column: int) -> list[str]:
    return [row["cells"][column][0] for row in block["rows"]]


def numbers(block: dict[str, Any]) -> np.ndarray:
    """The texts of a table as numbers again."""
    texts = [[cell[0] for cell in row["cells"]] for row in block["rows"]]
    return np.array([[float(text.replace("−", "-").replace("∞", "inf")) for text in row] for row in texts])


def in_address(app: AppTest, name: str) -> str:
    value = app.query_params[name]
    return value if isinstance(value, str) else value[-1]


def ready(app: AppTest) -> dict[str, Any]:
    found = [json.loads(e.proto.json) for e in app.get("bidi_component") if e.proto.component_name == "attnviz.ready"]
    assert len(found) == 1
    return found[0]


# The sentence that is there -----------------------------------------------------------------------------------------


def test_it_opens_with_every_number_of_the_sentence() -> None:
    app = opened()
    (word,) = blocks(app, "hand_word")
    assert [row["name"] for row in word["rows"]] == list(EXAMPLE.words)
    assert [[cell[0] for cell in row["cells"][:3]] for row in word["rows"]] == [
        [f"{number:.2f}" for number in vector] for vector in EXAMPLE.vectors
    ]
    assert cells(word, 3) == SCORES
    assert cells(word, 4) == WEIGHTS
    assert [cell[0] for cell in word["foot"]["cells"]] == ["", "", "", "", "1.0000", *CONTEXT]
    assert app.segmented_control(key="query_word").value == "journey"
    assert not app.error and not app.warning and not app.info


def test_all_rows_are_there_with_their_weights_in_colour() -> None:
    scores, weights, context = blocks(opened(), "hand_all")
    working = work(EXAMPLE)
    np.testing.assert_allclose(numbers(scores), working.scores[0], atol=0.5e-4)
    np.testing.assert_allclose(numbers(weights), working.weights[0], atol=0.5e-4)
    np.testing.assert_allclose(numbers(context), working.joined, atol=0.5e-4)
    assert cells(weights, 1)[1] == "0.2379" and [row["cells"][1][1] for row in weights["rows"]] == pytest.approx(
        working.weights[0, :, 1].tolist()
    )
    uncoloured = [cell[1] for block in (scores, context) for row in block["rows"] for cell in row["cells"]]
    assert set(uncoloured) == {None}  # colour is for weights only
    assert weights["legend"] and weights["pick"] == "cell"


def test_a_pair_is_shown_product_by_product() -> None:
    product, steps = blocks(opened(key_word="journey"), "hand_pair")
    assert [term[0] for term in product["terms"]] == ["0.55 · 0.55", "0.87 · 0.87", "0.66 · 0.66"]
    assert [term[1] for term in product["terms"]] == ["0.3025", "0.7569", "0.4356"]
    assert product["total"] == "1.4950"
    assert [row[2][0] for row in steps["rows"]] == ["0.2379", "(0.1308, 0.2070, 0.1570)"]


def test_figures_are_complete_when_all_of_them_show_this_run() -> None:
    for parameters, figures in (({}, 4), ({"matrices": "true"}, 7)):
        app = opened(**parameters)
        mark = ready(app)
        assert (mark["sentence"], mark["figures"]) == (SENTENCE, figures)
        given = [json.loads(e.proto.json) for e in app.get("bidi_component") if "tables" in e.proto.component_name]
        assert len(given) == figures and {data["run"] for data in given} == {mark["run"]}
        assert all(data["text"] for data in given)  # each has its text alternative


def test_another_word_is_another_row() -> None:
    app = opened()
    app.segmented_control(key="query_word").set_value("with").run()
    working = work(EXAMPLE)
    (word,) = blocks(app, "hand_word")
    assert cells(word, 3) == [format_number(number) for number in working.scores[0, 3].tolist()]
    assert "context[3]" in app.code[0].value


# Softmax ------------------------------------------------------------------------------------------------------------


def test_the_naive_softmax_breaks_within_reach() -> None:
    app = opened()
    (both,) = blocks(app, "hand_softmax")
    assert cells(both, 2) == cells(both, 5) == WEIGHTS
    app.select_slider(key="times").set_value(1000).run()
    (both,) = blocks(app, "hand_softmax")
    assert cells(both, 1) == ["inf"] * 6 and cells(both, 2) == ["nan"] * 6
    assert cells(both, 5)[:2] == ["0", "1.0000"]
    assert all(row["cells"][2][1] is None for row in both["rows"])  # what is no number has no colour
    assert "The naive way breaks" in "".join(text.value for text in app.markdown)


# Matrices, masks, heads ---------------------------------------------------------------------------------------------


def test_matrices_come_with_scaling_and_go_with_it() -> None:
    app = opened()
    app.toggle(key="matrices").set_value(True).run()
    assert app.toggle(key="scaled").value
    working = work(EXAMPLE, Settings(matrices=True, scaled=True))
    (queries,) = blocks(app, "hand_q")
    np.testing.assert_allclose(numbers(queries), working.q[0], atol=0.5e-4)
    assert numbers(blocks(app, "hand_all")[1]) == pytest.approx(working.weights[0], abs=0.5e-4)
    app.toggle(key="matrices").set_value(False).run()
    assert not app.toggle(key="scaled").value and cells(blocks(app, "hand_word")[0], 4) == WEIGHTS


def test_all_switches_together() -> None:
    app = opened(
        matrices="true", scaled="true", causal="true", dropout="true", dropout_rate="30", dropout_seed="5", w_seed="9",
        d_out="4", n_heads="2", one_head="1", w_o="true", query_word="step", key_word="with",
    )  # fmt: skip
    settings = Settings(
        matrices=True, scaled=True, causal=True, dropout=0.3, dropout_seed=5, seed=9, d_out=4, heads=2, projection=True
    )
    working = work(EXAMPLE, settings)
    scores, first, second, context, output = blocks(app, "hand_all")
    np.testing.assert_allclose(numbers(scores), working.scores[1], atol=0.5e-4)
    np.testing.assert_allclose(numbers(first), working.weights[0], atol=0.5e-4)
    np.testing.assert_allclose(numbers(second), working.weights[1], atol=0.5e-4)
    np.testing.assert_allclose(numbers(context), working.joined, atol=0.5e-4)
    np.testing.assert_allclose(numbers(output), np.asarray(working.output), atol=0.5e-4)
    assert app.code[0].value == code(EXAMPLE, settings, 5, working).rstrip()
    assert not app.warning and not app.error


def test_what_the_mask_and_dropout_do_to_a_pair_is_said() -> None:
    _, steps = blocks(opened(causal="true", query_word="Your", key_word="step"), "hand_pair")
    said = json.dumps(steps, ensure_ascii=False)
    assert "comes after" in said and "−∞" in said and "e^{−∞}" in said
    app = opened(dropout="true")
    kept = work(EXAMPLE, Settings(dropout=0.5)).keep[0, 1]
    for key, left in zip(EXAMPLE.words, kept, strict=True):
        app.session_state["key_word"] = key
        said = json.dumps(blocks(app.run(), "hand_pair")[1], ensure_ascii=False)
        assert ("/ (1 − 0.5)" in said) == left and ("drawn to be left out" in said) != left


def test_heads_divide_the_columns() -> None:
    app = opened(matrices="true", d_out="6")
    assert app.segmented_control(key="n_heads").options == ["1", "2", "3", "6"]
    app.segmented_control(key="n_heads").set_value(3).run()
    app.segmented_control(key="one_head").set_value(2).run()
    app.number_input(key="d_out").set_value(4).run()
    said = "".join(warning.value for warning in app.warning)
    assert "4 columns cannot be shared evenly by 3 heads" in said
    assert ready(app)


def test_an_empty_number_is_what_it_was_at_the_beginning() -> None:
    app = opened(matrices="true")
    app.number_input(key="w_seed").set_value(None).run()
    assert "manual_seed(123)" in app.code[0].value


# The address --------------------------------------------------------------------------------------------------------


def test_a_table_in_the_address_is_shown() -> None:
    app = opened(table=TWO)
    (word,) = blocks(app, "hand_word")
    assert [row["name"] for row in word["rows"]] == ["red", "green"]
    assert ready(app)["sentence"] == "red green"
    assert from_text(in_address(app, "table")) == from_text(TWO)
    assert app.segmented_control(key="query_word").value == "green"


def test_back_to_the_six_words() -> None:
    app = opened(table=TWO)
    next(button for button in app.button if "six words" in button.label).click().run()
    assert ready(app)["sentence"] == SENTENCE and "table" not in app.query_params
    assert cells(blocks(app, "hand_word")[0], 4) == WEIGHTS


def test_edited_entries_in_the_address_are_used() -> None:
    app = opened(matrices="true", scaled="true", entries="q 0 1 -0.5; v 2 0 1")
    settings = Settings(matrices=True, scaled=True, edits={("q", 0, 1): -0.5, ("v", 2, 0): 1.0})
    working = work(EXAMPLE, settings)
    assert app.code[0].value == code(EXAMPLE, settings, 1, working).rstrip()
    assert "W_q[0, 1] = -0.5" in app.code[0].value
    assert in_address(app, "entries") == "q 0 1 -0.5; v 2 0 1"
    app.number_input(key="w_seed").set_value(5).run()  # other matrices, none of them edited
    assert "W_q[0, 1]" not in app.code[0].value and "entries" not in app.query_params
    app.number_input(key="w_seed").set_value(123).run()  # nothing that was typed is lost
    assert "W_q[0, 1] = -0.5" in app.code[0].value
    next(button for button in app.button if "as they were drawn" in button.label).click().run()
    assert "W_q[0, 1]" not in app.code[0].value and "entries" not in app.query_params


def test_an_entry_of_a_matrix_that_is_away_is_kept() -> None:
    app = opened(matrices="true", w_o="true", entries="o 0 0 7")
    assert "W_o[0, 0] = 7.0" in app.code[0].value
    app.toggle(key="w_o").set_value(False).run()
    assert "W_o" not in app.code[0].value and not app.warning
    app.toggle(key="w_o").set_value(True).run()
    assert "W_o[0, 0] = 7.0" in app.code[0].value


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"table": "Your a b"}, "A row is a word and 3 numbers"),
        ({"table": "\x00;;%%"}, "table"),
        ({"query_word": "nobody"}, "There is no word “nobody” in the table; “journey” is shown"),
        ({"key_word": "no*body*"}, "“starts” is shown instead"),
        ({"times": "7"}, "not 7; 1 is taken"),
        ({"times": "many"}, "not many; 1 is taken"),
        ({"matrices": "true", "d_out": "99"}, "1 to 8 columns, not 99"),
        ({"matrices": "true", "d_out": "two"}, "not two"),
        ({"matrices": "true", "n_heads": "7"}, "2 columns cannot be shared evenly by 7 heads"),
        ({"matrices": "true", "w_seed": "-3"}, "there is no -3; 123 is taken"),
        ({"matrices": "true", "d_out": "4", "n_heads": "2", "one_head": "9"}, "no head 9; head 0"),
        ({"dropout": "true", "dropout_rate": "5"}, "not 5; 50 is taken"),
        ({"dropout": "true", "dropout_seed": "1e9"}, "there is no 1e9; 0 is taken"),
        ({"matrices": "true", "entries": "q 0 zero 1"}, "a matrix, a row, a column and a number"),
        ({"matrices": "true", "entries": "q 0 0 1e99"}, "not a number from −1000 to 1000"),
        ({"matrices": "true", "entries": "k 9 9 1"}, "W\\_k has 3 rows and 2 columns"),
    ],
)
def test_what_is_wrong_in_a_link_is_said_and_replaced(parameters: dict[str, str], said: str) -> None:
    app = opened(**parameters)
    assert said in app.warning[0].value.replace("\\*", "*").replace("\\-", "-")
    assert ready(app)["sentence"] == SENTENCE
    assert not app.error


def test_words_are_only_words() -> None:
    table = "<b>x</b> 1 0 0; $y$ 0 1 0; [a](b) 0 0 1; 学生 1 1 0; a_{b} 0 1 1; :smile: 1 0 1"
    app = opened(table=table, query_word="$y$")
    (word,) = blocks(app, "hand_word")
    assert [row["name"] for row in word["rows"]] == [row.rsplit(" ", 3)[0].strip() for row in table.split(";")]
    assert [pill.replace("\\", "") for pill in app.segmented_control(key="query_word").options][0] == "<b>x</b>"
    headings = "".join(text.value for text in app.markdown)
    assert "\\$y\\$ looks at every word" in headings and "<b>x" not in headings


def test_one_word_alone_is_enough() -> None:
    app = opened(table="alone 1 2 3", matrices="true", causal="true")
    (word,) = blocks(app, "hand_word")
    assert len(word["rows"]) == 1 and ready(app)["sentence"] == "alone"


# Taking it along ----------------------------------------------------------------------------------------------------


def test_the_numbers_can_be_downloaded_and_the_program_copied() -> None:
    app = opened()
    assert app.code[0].value == code(EXAMPLE, Settings(), 1, work(EXAMPLE)).rstrip()
    (button,) = app.get("download_button")
    assert button.proto.label == "All numbers (CSV)"


def test_no_model_is_loaded() -> None:
    app = opened()
    assert not app.get("progress") and "attnviz_models" not in app.session_state
