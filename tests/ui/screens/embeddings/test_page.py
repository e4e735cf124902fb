"""The page "Embeddings" as its script sees it: points, angle, neighbours, positions, and what it says."""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support import tiny_models
from support import tiny_tokenizers as tokenizers_for_tests
from support.bundled import bundled_model
from support.pages import open_page

from attnviz.embeddings.embedding_table import Vocabulary
from attnviz.embeddings.vectors import components, plane
from attnviz.figures.embeddings import draw_angle, draw_cosines, draw_curves, draw_field, draw_neighbours

SENTENCE = "Der Hund sah den Ball."
opened = functools.partial(open_page, "embeddings", sentence=SENTENCE)


ROOT = Path(__file__).resolve().parents[4]


def given(app: AppTest, name: str) -> dict[str, Any]:
    """What a component was given."""
    found = [json.loads(e.proto.json) for e in app.get("bidi_component") if e.proto.component_name == f"attnviz.{name}"]
    (data,) = found
    return data


def charts(app: AppTest) -> dict[str, dict[str, Any]]:
    """The charts by what they draw."""
    names = ["angle", "neighbours", "cosines", "positions", "similarity"]
    return {name: json.loads(element.proto.spec) for name, element in zip(names, app.get("plotly_chart"), strict=False)}


def texts(app: AppTest) -> str:
    return "\n".join(item.value for item in (*app.caption, *app.markdown, *app.info, *app.warning, *app.latex))


def folder(path: Path, name: str, tokenizer: str, **changes: Any) -> str:
    made = getattr(tokenizers_for_tests, tokenizer)()
    tiny_models.network(name, vocab_size=len(made), **changes).save_pretrained(path)
    made.save_pretrained(path)
    return str(path)


# Words --------------------------------------------------------------------------------------------------------------


def test_the_first_screen_has_points_an_angle_and_neighbours() -> None:
    app = opened()
    assert not app.error and not app.warning
    data = given(app, "point_cloud")
    assert [word["label"] for word in data["words"]][:6] == ["Der", "Hund", "sah", "den", "Ball", "."]
    assert {word["label"]: word["kind"] for word in data["words"]}["dog"] == "more"
    words = Vocabulary(bundled_model()).words(SENTENCE, [w["label"] for w in data["words"][6:]])
    vectors = np.stack([word.vector / np.linalg.norm(word.vector) for word in words])
    alike = dict(zip((word["label"] for word in data["words"]), vectors @ vectors[1], strict=True))
    likest = max(set(alike) - {"Hund"}, key=alike.__getitem__)
    assert [word["label"] for word in data["words"] if word["on"]] == ["Hund", likest]
    ready = given(app, "ready")
    assert (ready["figures"], ready["sentence"], ready["run"]) == (6, SENTENCE, data["run"])
    assert all(chart["layout"]["meta"]["run"] == data["run"] for chart in charts(app).values())


def test_points_and_shares_are_those_of_the_engine() -> None:
    app = opened(more_words="dog")
    words = Vocabulary(bundled_model()).words(SENTENCE, ["dog"])
    expected = components(np.stack([word.vector for word in words]))
    points = np.array([word["at"] for word in given(app, "point_cloud")["words"]])
    scale = np.ptp(expected.points, axis=0).max() / 2
    np.testing.assert_allclose(np.diff(points, axis=0), np.diff(expected.points, axis=0) / scale, atol=1e-3)
    assert given(app, "point_cloud")["axes"][0] == f"axis 1 · {100 * expected.shares[0]:.0f} %"
    assert f"{100 * float(expected.shares.sum()):.0f} %" in texts(app)


def test_angle_and_formula_have_the_numbers_of_the_whole_vectors() -> None:
    app = opened(word_one="Hund", word_two="Ball")
    words = {word.label: word.vector for word in Vocabulary(bundled_model()).words(SENTENCE)}
    pair = plane(words["Hund"], words["Ball"])
    (formula,) = [item.value for item in app.latex]
    for number in (pair.product, *pair.lengths, pair.cosine):
        assert f"{number:.4f}" in formula
    assert f"{pair.degrees:.1f}°" in json.dumps(charts(app)["angle"]["layout"], ensure_ascii=False)
    assert "256 dimensions" in texts(app)


def test_neighbours_follow_the_word() -> None:
    found = Vocabulary(bundled_model())

    def nearest(name: str) -> str:
        (word,) = found.words(name)
        return found.neighbours(found.similarities(word.vector), without=word.ids, like=name)[0].label

    app = opened(word_one="Hund")
    assert charts(app)["neighbours"]["layout"]["yaxis"]["ticktext"][0] == nearest("Hund")
    app.selectbox(key="word_one").set_value("sah").run()
    assert charts(app)["neighbours"]["layout"]["yaxis"]["ticktext"][0] == nearest("sah") != nearest("Hund")


def test_words_in_pieces_are_said() -> None:
    app = opened(more_words="König")
    assert "mean of its pieces: König" in texts(app)


def test_the_decoder_has_words_of_its_own() -> None:
    app = opened(kind="decoder", more_words="")
    labels = [word["label"] for word in given(app, "point_cloud")["words"]]
    assert labels[:3] == ["The", "dog", "saw"]
    app = opened(kind="decoder", target="A cat sat", more_words="")
    assert [word["label"] for word in given(app, "point_cloud")["words"]] == ["A", "cat", "sat"]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"kind": "cross"}, "Cross-attention has no embeddings of its own"),
        ({"kind": "nonsense"}, "There is no nonsense in this model"),
        ({"word_one": "elephant"}, "elephant is none of these words; Hund is shown instead"),
        ({"more_words": ",".join(f"w{i}" for i in range(50))}, "Of the 50 further words, the first 40"),
        ({"sentence": " ".join(f"w{i}" for i in range(90)), "more_words": ""}, "90 different words; the first 60"),
    ],
)
def test_what_a_link_asks_for_and_is_not_there_is_said(parameters: dict[str, str], said: str) -> None:
    app = opened(**parameters)
    assert said in texts(app) and not app.error
    assert given(app, "ready")["figures"] == 6


@pytest.mark.parametrize("sentence", ["*", "<b>$x$</b> [a](b) `c`", "写作", "👩‍👩‍👧 \u202eabc", "a"])
def test_any_sentence_is_placed(sentence: str) -> None:
    app = opened(sentence=sentence, more_words="")
    assert not app.error and given(app, "ready")["sentence"] == sentence


def test_an_empty_sentence_is_asked_for_and_words_stay() -> None:
    app = opened(sentence=" ", more_words="cat, dog")
    assert "Type a sentence" in app.info[0].value
    assert app.text_input(key="more_words").value == "cat, dog"


# Positions ----------------------------------------------------------------------------------------------------------


def test_positions_of_the_bundled_model_are_sines() -> None:
    app = opened()
    assert "sines and cosines" in texts(app) and "512 positions" in texts(app)
    assert charts(app)["similarity"]["data"][0]["zmax"] == 1


@pytest.mark.parametrize(
    ("name", "tokenizer", "said"),
    [
        ("bert", "wordpiece", ["**learned** row", "47 positions"]),
        ("gpt2", "gpt2", ["**learned** row", "47 positions"]),
        ("llama", "llama", ["**Rotary**", "5 pairs, 10 of the 10 numbers", "47 positions"]),
        ("t5", "unigram", ["**Relative positions**", "no last position"]),
    ],
)
def test_positions_of_other_models(tmp_path: Path, name: str, tokenizer: str, said: list[str]) -> None:
    app = opened(model=folder(tmp_path, name, tokenizer), more_words="dog")
    assert not app.error
    for part in said:
        assert part in texts(app)
    assert given(app, "ready")["figures"] == 6


def test_a_model_with_two_rotations_lets_one_choose(tmp_path: Path) -> None:
    app = opened(model=folder(tmp_path, "gemma3", "llama"), rotation="sliding_attention")
    first = charts(app)["positions"]["data"][0]["z"]
    app.segmented_control(key="rotation").set_value("full_attention").run()
    assert charts(app)["positions"]["data"][0]["z"] != first and not app.warning


def test_what_cannot_be_read_is_said_and_the_words_are_there(tmp_path: Path) -> None:
    app = opened(model=folder(tmp_path, "bloom", "gpt2"))
    assert "inside its own code" in app.info[0].value
    assert given(app, "ready")["figures"] == 4


# Figures ------------------------------------------------------------------------------------------------------------


def test_arrows_have_the_same_unit_on_both_axes_and_labels_are_no_markup() -> None:
    figure = draw_angle(("<b>", "a&b"), ((2.0, 0.0), (-1.0, 1.0)), 135.0)
    assert figure.layout.yaxis.scaleanchor == "x"
    written = [note.text for note in figure.layout.annotations if note.text]
    assert written == ["<b>&lt;b&gt;</b>", "<b>a&amp;b</b>", "135.0°"]
    low, high = figure.layout.xaxis.range
    assert low < -1.0 and high > 2.0


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_cosines_have_zero_in_the_middle_and_noise_is_not_written(theme: Any) -> None:
    figure = draw_cosines(["a", "b", "c"], np.array([[1, 0.42, -0.01], [0.42, 1, -0.3], [-0.01, -0.3, 1]]), theme=theme)
    heatmap = figure.data[0]
    assert (heatmap.zmin, heatmap.zmax) == (-1, 1)
    assert [list(row) for row in heatmap.text] == [["", "0.42", ""], ["0.42", "", "−0.30"], ["", "−0.30", ""]]
    assert draw_cosines([str(i) for i in range(30)], np.eye(30)).data[0].text is None


def test_fields_and_curves_name_their_axes() -> None:
    figure = draw_field(np.array([[1.0, -3.0]]), columns="pair", rows="position", name="cos", first_column=-1)
    assert (figure.data[0].zmin, figure.data[0].zmax, figure.data[0].x0) == (-3.0, 3.0, -1)
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("pair", "position")
    lines = draw_curves([0, 1], [("mean", [1, 2]), ("H0", [3, 4])], title="distance", name="factor")
    assert [line.name for line in lines.data] == ["H0", "mean"]
    assert lines.data[-1].line.width > lines.data[0].line.width


def test_neighbours_stand_in_order() -> None:
    figure = draw_neighbours(["<a>", "b"], [0.5, -0.004])
    assert figure.layout.yaxis.ticktext == ("&lt;a&gt;", "b") and figure.layout.yaxis.range == (1.5, -0.5)
    assert figure.data[0].text == ("0.50", "0.00")


def test_what_two_axes_keep_is_said_beside_what_three_keep() -> None:
    (caption,) = [element.value for element in opened().caption if "of the variance" in element.value]
    three, two = (int(share) for share in re.findall(r"\*\*(\d+)\s?%\*\*", caption))
    assert two < three


def test_how_much_neighbours_mean_is_said() -> None:
    assert "Even the nearest has a cosine of 0.50 only" in texts(opened(word_one="Hund"))
    pieces = texts(opened(sentence="Die Fledermaus flog nachts.", word_one="Fledermaus"))
    assert "compared is the mean of its pieces Fl + eder + m + aus" in pieces
