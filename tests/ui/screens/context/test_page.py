"""The page of a word in two sentences as its script sees it: which words, what is said, what the figures get."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support import tiny_tokenizers as tokenizers_for_tests
from support.bundled import bundled_model
from support.pages import components, open_page, save_checkpoint

from attnviz.computation import contributions
from attnviz.embeddings import hidden_states, similarity
from attnviz.figures.context import draw_similarity, draw_sources, strongest
from attnviz.ui.screens.context import contrasts
from attnviz.ui.screens.context.charts import MOST_BARS, MOST_COLUMNS
from attnviz.ui.screens.context.controls import PAIRS
from attnviz.ui.screens.context.words import sentence_words, shared_words

opened = functools.partial(open_page, "context")

APP = str(Path(__file__).resolve().parents[4] / "app.py")
LAYERS, HEADS = 4, 8  # of the bundled model
FIRST, SECOND, BAT = PAIRS[0]
GERMAN = {"sentence": PAIRS[-1][0], "sentence2": PAIRS[-1][1]}
HOSTILE = '<img src=x> bat & "x" [a](b) *c* $d$ # `e` %'


def charts(app: AppTest) -> list[dict[str, Any]]:
    assert not app.exception and not app.error
    return [json.loads(element.proto.spec) for element in app.get("plotly_chart")]


def chosen(app: AppTest) -> tuple[str | None, str | None]:
    return app.selectbox(key="word").value, app.selectbox(key="word2").value


def said(app: AppTest) -> str:
    """The headline and what stands below it, without Markdown's backslashes."""
    return "\n".join(re.sub(r"\\(.)", r"\1", item.value) for item in [*app.markdown, *app.caption])


def numbers(values: Any) -> np.ndarray:
    """A trace's numbers, which plotly may send as base64."""
    if isinstance(values, dict):
        import base64

        return np.frombuffer(base64.b64decode(values["bdata"]), dtype=values["dtype"])
    return np.array(values, dtype=float)


def contrast_tables(app: AppTest) -> list[str]:
    return [element.proto.body for element in app.get("html") if "attnviz-contrasts" in element.proto.body]


def vectors(sentence: str, kind: str = "encoder") -> tuple[Any, Any, hidden_states.States]:
    model = bundled_model()
    recording = model.record(sentence)
    return model, recording, hidden_states.hidden_states(model, recording, kind)


@pytest.fixture(scope="session")
def gpt_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("gpt-context")
    return save_checkpoint(folder, "gpt2", tokenizers_for_tests.gpt2(), n_layer=14, n_positions=1200)


# Words --------------------------------------------------------------------------------------------------------------


def test_it_opens_with_the_bat() -> None:
    app = opened()
    assert (app.text_area(key="sentence").value, app.text_area(key="sentence2").value) == (FIRST, SECOND)
    assert chosen(app) == ("bat", "bat")
    assert app.session_state["layer"] == LAYERS - 1
    assert "“bat” in two sentences: similarity 1.00 as a static vector" in said(app)
    assert "In both: bat, the." in said(app)


def test_a_typed_sentence_stays() -> None:
    app = opened(sentence="The teacher taught the student with the book.")
    assert app.text_area(key="sentence").value == "The teacher taught the student with the book."
    assert app.text_area(key="sentence2").value == SECOND


def test_the_word_in_both_is_found_whatever_its_case() -> None:
    app = opened(sentence="Bats fly.", sentence2="He saw bats.")
    assert chosen(app) == ("Bats", "bats")
    assert "other tokens in the second, so even its static vectors differ" in said(app)


def test_where_no_word_is_in_both_one_is_chosen_in_each() -> None:
    app = opened(**GERMAN)
    assert chosen(app) == ("Schläger", "Fledermaus")
    assert "No word stands in both sentences; choose one in each." in said(app)
    assert "“Schläger” and “Fledermaus”: similarity" in said(app)
    assert "Here they are two words, so nothing has to be told apart" in said(app)
    app.selectbox(key="word").select("den").run()
    assert chosen(app) == ("den", "Fledermaus")


def test_a_pair_brings_its_word() -> None:
    app = opened()
    app.pills(key="pair_example").set_value("学生在写生。 · 学生在写作。").run()
    assert chosen(app) == ("写", "写")
    assert app.text_area(key="sentence2").value == "学生在写作。"


def test_choosing_a_word_in_both_chooses_it_twice() -> None:
    app = opened()
    app.selectbox(key="word").select("the").run()
    assert chosen(app) == ("the", "The")
    app.selectbox(key="word2").select("night").run()
    assert chosen(app) == ("the", "night")
    app.text_area(key="sentence2").set_value("The night was long.").run()
    assert chosen(app) == ("the", "night")  # still there


def test_another_sentence_finds_its_own_word() -> None:
    app = opened()
    app.text_area(key="sentence2").set_value("Swing low.").run()
    assert chosen(app) == ("Swing", "Swing")
    assert not app.warning


def test_a_link_says_the_words_and_what_it_has_wrong_is_said() -> None:
    app = opened(word="the", word2="night", layer="1", head="3")
    assert chosen(app) == ("the", "night") and not app.warning
    app = opened(word="zebra", layer="9", head="77", kind="sideways")
    assert chosen(app) == ("bat", "bat")
    (warning,) = (re.sub(r"\\(.)", r"\1", item.value) for item in app.warning)
    assert "The first sentence has no word “zebra”; another is shown instead." in warning
    assert "has the layers 0 to 3, not 9; layer 3 is shown instead." in warning
    assert "there is no head 77" in warning and "no sideways attention" in warning


def test_words_are_no_signs() -> None:
    tokens = bundled_model().record("Swing the bat! The bat.").query_tokens("encoder")
    words = sentence_words(tokens)
    assert [word.label for word in words] == ["Swing", "the", "bat", "The", "bat₂"]
    assert [(one.label, other.label) for one, other in shared_words(words[:3], words[3:])] == [
        ("bat", "bat₂"),
        ("the", "The"),
    ]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [("", "Type two sentences above"), ("!?", "There is no word in “!?”, only signs.")],
)
def test_nothing_to_compare_is_said(sentence: str, expected: str) -> None:
    app = opened(sentence=FIRST)
    app.text_area(key="sentence2").set_value(sentence).run()
    assert not app.exception and not app.error
    assert expected in re.sub(r"\\(.)", r"\1", app.info[0].value)
    assert app.text_area(key="sentence").value == FIRST
    app.text_area(key="sentence2").set_value(SECOND).run()
    assert chosen(app) == ("bat", "bat")


@pytest.mark.parametrize("sentence", [HOSTILE, "a\u200bb \u202etext\u202c 😀 x", "x" * 300, "0 0 0 0", "̈a"])
def test_hostile_text_is_only_text(sentence: str) -> None:
    app = opened(sentence=sentence, sentence2=HOSTILE)
    assert not app.exception and not app.error
    assert "<img" not in json.dumps(charts(app))
    (table,) = contrast_tables(app)
    assert "<img" not in table and "&lt;" in table


def test_the_chosen_word_is_marked_where_it_stands() -> None:
    (table,) = contrast_tables(opened(sentence="Then the bat hit the bat.", sentence2=SECOND, word="bat₂"))
    assert "Then the bat hit the <mark>bat</mark>." in table and "The <mark>bat</mark> flew" in table


# Figures ------------------------------------------------------------------------------------------------------------


def test_the_line_is_what_the_model_has() -> None:
    line = charts(opened())[0]
    (_, _, one), (_, _, other) = vectors(FIRST), vectors(SECOND)
    expected = similarity.similarity(one, [3], other, [1])
    np.testing.assert_allclose(numbers(line["data"][0]["y"]), [1.0, *expected.layers], atol=1e-6)
    rival = similarity.between_words(one, other, without=(3, 1))
    assert rival is not None and rival.static is not None
    np.testing.assert_allclose(numbers(line["data"][1]["y"]), [rival.static, *rival.layers], atol=1e-6)
    assert line["layout"]["xaxis"]["ticktext"] == ["static", "+ place", "L0", "L1", "L2", "L3"]
    assert line["data"][1]["name"] == f"different words ({rival.pairs} pairs)"


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
@pytest.mark.parametrize("head", [None, 5])
def test_bars_and_tables_are_what_the_model_has(kind: str, head: int | None) -> None:
    app = opened(kind=kind, layer="2", **({} if head is None else {"head": str(head)}))
    (data,) = components(app, "number_tables")
    for place, sentence in enumerate((FIRST, SECOND)):
        model, recording, found = vectors(sentence, kind)
        words = {word.label: word for word in sentence_words(found.tokens)}
        positions = words[chosen(app)[place] or ""].positions
        moved = contributions.word_contributions(model, recording, kind, positions, layer=2, head=head)
        assert moved is not None
        weights, shares = charts(app)[1 + place]["data"]
        expected = contributions.word_weights(recording, kind, positions, layer=2, head=head)
        np.testing.assert_allclose(numbers(weights["x"]), expected, atol=1e-6)
        np.testing.assert_allclose(numbers(shares["x"]), moved.shares, atol=1e-6)
        rows = data["blocks"][place]["rows"]
        assert len(rows) == LAYERS and data["blocks"][place]["on"] == [2, None]
        np.testing.assert_allclose([cell[1] for cell in rows[2]["cells"]], moved.shares, atol=1e-6)


def test_figures_are_complete_when_all_show_this_run() -> None:
    app = opened()
    (ready,) = components(app, "ready")
    (data,) = components(app, "number_tables")
    assert (ready["figures"], ready["sentence"]) == (4, FIRST)
    runs = {chart["layout"]["meta"]["run"] for chart in charts(app)} | {data["run"]}
    assert runs == {ready["run"]} and len(charts(app)) == 3
    app.selectbox(key="word2").select("night").run()
    assert components(app, "ready")[0]["run"] != ready["run"]


def test_every_chart_has_its_text() -> None:
    app = opened()
    alt = [element.proto.alt for element in app.get("plotly_chart")]
    line = charts(app)[0]
    shown = zip(line["layout"]["xaxis"]["ticktext"], numbers(line["data"][0]["y"]), strict=True)
    assert alt[0].startswith(f"Similarity: {', '.join(f'{name} {value:.2f}' for name, value in shown)}. ")
    assert all("bat" in text and "attention weight / share of the change" in text for text in alt[1:])


def test_the_numbers_are_tables() -> None:
    app = opened(numbers="true")
    app.session_state["numbers"] = True
    app.run()
    line, parts = (frame.value for frame in app.dataframe)
    assert line.iloc[0, 0] == "static" and line.iloc[0, 1] == 1.0 and len(line) == LAYERS + 2
    words = [5, 7]  # with the end of the sentence
    assert len(parts) == LAYERS * sum(words)
    shares = parts.groupby(["Sentence", "Layer"])["share of the change"].sum()
    np.testing.assert_allclose(shares, 1, atol=1e-5)


def test_contrasts_are_computed() -> None:
    app = opened(**GERMAN)
    (table,) = contrast_tables(app)
    rows = re.findall(r"<th scope=row>(.*?)</th>.*?>([−\d.]+)<br>.*?>([−\d.]+)<br>", table.replace("</tr>", "\n"))
    assert [row[0] for row in rows] == ["Your words", "One word, two meanings", "What “it” stands for",
                                        "Who does it to whom", "What is negated", "Two words, one meaning"]  # fmt: skip
    for contrast, (_about, static, last) in zip(contrasts.contrast_pairs(), rows[1:], strict=True):
        (_, _, one), (_, _, other) = vectors(contrast.first), vectors(contrast.second)
        found = contrasts.contrast_similarity(contrast, one, other)
        assert found is not None and (static, last) == (f"{found.static:.3f}", f"{found.layers[-1]:.3f}")
    assert [row[1] for row in rows[1:5]] == ["1.000"] * 4  # what static vectors cannot tell apart


# Models -------------------------------------------------------------------------------------------------------------


def test_a_decoder_is_told_of(gpt_folder: str) -> None:
    app = opened(model=gpt_folder, sentence="Der Hund sah den Ball.", sentence2="Der Hund flog nachts.")
    assert not app.exception and not app.error
    assert "In a decoder only words before it, and itself, can change a word." in said(app)
    app.selectbox(key="word").select("Hund").run()
    assert "Up to this word the two sentences are the same" in said(app)
    np.testing.assert_allclose(numbers(charts(app)[0]["data"][0]["y"]), 1, atol=1e-5)
    assert app.selectbox(key="layer").value == 13  # more layers than fit side by side


def test_a_model_that_shows_only_weights_is_told_of(tmp_path: Path) -> None:
    app = opened(model=save_checkpoint(tmp_path, "bloom", tokenizers_for_tests.gpt2()))
    assert not app.exception and not app.error
    assert all(len(chart["data"]) == 1 for chart in charts(app)[1:])
    assert "it cannot be said how far each word moves it" in said(app) and "looks most at" in said(app)


def test_rotary_positions_are_not_added(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, "llama", tokenizers_for_tests.gpt2())
    line = charts(opened(model=folder))[0]
    assert line["layout"]["xaxis"]["ticktext"][:2] == ["static", "into L0"]
    np.testing.assert_allclose(numbers(line["data"][0]["y"])[:2], 1, atol=1e-5)


def test_of_a_long_sentence_the_strongest_words_are_shown(gpt_folder: str) -> None:
    long = "The teacher taught the student with the book. " * 9
    app = opened(model=gpt_folder, sentence=long, sentence2=SECOND, layer="3")
    (data,) = components(app, "number_tables")
    assert len(data["blocks"][0]["columns"]) == MOST_COLUMNS
    assert len(charts(app)[1]["data"][0]["y"]) <= MOST_BARS or charts(app)[1]["layout"]["yaxis"]["tickvals"][-1] == 9
    assert f"The {MOST_BARS} strongest of 81 words" in said(app)


def test_too_long_a_sentence_is_refused(gpt_folder: str) -> None:
    app = opened(model=gpt_folder, sentence="a " * 550)
    assert "the vectors of all layers are kept for 1,024" in app.error[0].value.replace("\\", "")
    assert app.text_area(key="sentence").value == "a " * 550


# Figures by themselves ----------------------------------------------------------------------------------------------


def test_a_line_without_others_and_without_a_static_vector() -> None:
    figure = draw_similarity(["static", "L0"], [None, -0.4], None, theme="dark", chosen=1)
    assert len(figure.data) == 1 and figure.layout.yaxis.range[0] < -0.4
    assert figure.layout.shapes[0].x0 < 1 < figure.layout.shapes[0].x1
    many = draw_similarity([f"L{layer}" for layer in range(40)], [0.5] * 40, [0.1] * 40)
    assert len(many.layout.xaxis.ticktext) <= 14 and "text" not in many.data[0].mode


def test_words_in_bars_are_text() -> None:
    figure = draw_sources(["<i>a", "b" * 40], [0.5, 0.5], [1.0, 0.0], own=0, range_to=1.0)
    assert figure.layout.yaxis.ticktext[0] == "<b>&lt;i&gt;a</b>"
    assert figure.layout.yaxis.ticktext[1] == "b" * 15 + "…"
    assert figure.data[1].x == (1.0, 0.0)


def test_the_strongest_keep_their_order_and_the_word_itself() -> None:
    assert strongest(np.array([0.3, 0.1, 0.2, 0.4]), 2) == [0, 3]
    assert strongest(np.array([0.3, 0.1, 0.2, 0.4]), 2, keep=1) == [1, 3]
    assert strongest(np.array([0.3]), 5, keep=0) == [0]


def test_a_bar_is_full_only_at_the_whole() -> None:
    for chart in charts(opened())[1:3]:
        assert chart["layout"]["xaxis"]["range"][1] >= 1.0


@pytest.mark.parametrize(("first", "second", "word"), [pair for pair in PAIRS if pair[2]])
def test_each_example_shows_one_word_drawn_apart_by_its_sentences(first: str, second: str, word: str) -> None:
    one, other = (vectors(sentence)[2] for sentence in (first, second))
    places = [
        next(item.positions for item in sentence_words(states.tokens) if item.text.casefold() == word.casefold())
        for states in (one, other)
    ]
    found = similarity.similarity(one, places[0], other, places[1])
    assert found.static == pytest.approx(1.0, abs=1e-5) and found.layers[-1] < 0.93


def test_the_example_of_the_bank_falls_as_far_as_was_read() -> None:
    app = opened(sentence="Wir sitzen auf einer Bank im Park.", sentence2="Er bringt das Geld zur Bank.")
    assert chosen(app) == ("Bank", "Bank")
    assert "similarity 1.00 as a static vector, 0.76 after layer 3" in said(app)


def test_a_word_that_names_something_goes_before_one_that_holds_the_sentence_together() -> None:
    app = opened(sentence="The dog saw the cat on the chair.", sentence2="On the table, the dog saw it.")
    assert chosen(app)[0] in {"dog", "saw"}
