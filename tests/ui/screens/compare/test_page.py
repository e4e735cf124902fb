"""The compare page as its script sees it: what components get, what it says of a link."""

from __future__ import annotations

import base64
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support import tiny_models
from support import tiny_tokenizers as tokenizers_for_tests
from support.bundled import bundled_model
from support.hostile import HOSTILE
from support.pages import components, open_page

import attnviz
from attnviz import aggregate
from attnviz.examples import HOME_EXAMPLES
from attnviz.measures import distances
from attnviz.models.recording.recording import Recording
from attnviz.ui.components.heads.map_data import Axes
from attnviz.ui.screens.compare import similar_heads
from attnviz.ui.screens.compare.panel_cards import divergence_text
from attnviz.ui.screens.compare.panels import Panel, Panels

FIRST = "Der Hund sah den Ball."
opened = functools.partial(open_page, "compare", sentence=FIRST)


ROOT = Path(__file__).resolve().parents[4]


def asked(app: AppTest, text: str) -> AppTest:
    """The page after the browser asked for these panels."""
    app.session_state["panels"] = text
    app.session_state["attnviz_panels_edited"] = True
    return app.run()


def shown(app: AppTest) -> dict[str, Any]:
    assert not app.exception
    (data,) = components(app, "panel_cards")
    return data


def numbers(data: dict[str, Any], one: dict[str, Any]) -> np.ndarray:
    """(query, key), as the browser reads them."""
    queries, keys = (len(data["axes"][one[side]]["labels"]) for side in ("queries", "keys"))
    steps = np.frombuffer(base64.b64decode(one["weights"]), dtype="<u2").reshape(queries, keys)
    return steps / 65535


def difference(data: dict[str, Any]) -> np.ndarray:
    return 2 * numbers(data, data["difference"]) - 1


@pytest.fixture(scope="session")
def other_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> str:
    """An encoder that divides words otherwise than the bundled model, with 3 layers of 5 heads."""
    folder = tmp_path_factory.mktemp("bert")
    tokenizer = tokenizers_for_tests.wordpiece()
    network = tiny_models.network("bert", vocab_size=len(tokenizer))
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


# The page -----------------------------------------------------------------------------------------------------------


def test_it_opens_with_two_heads_that_differ_and_their_difference(recording: Recording) -> None:
    app = opened()
    data = shown(app)
    known = similar_heads.head_distances(recording, "encoder")
    pair = [(panel["layer"], panel["head"]) for panel in data["state"]["panels"]]
    assert pair == list(known.farthest_pair())
    assert [card["error"] for card in data["cards"]] == ["", ""]
    assert f"{known.divergences.max():.2f}" in data["difference"]["divergence"]
    assert not app.error and not app.warning
    assert "panels" not in app.query_params
    (ready,) = components(app, "ready")
    assert ready["figures"] == 2 and ready["sentence"] == FIRST
    assert {one["run"] for name in ("panel_cards", "similar_heads", "ready") for one in components(app, name)} == {
        ready["run"]
    }


def test_the_maps_are_those_of_the_engine(recording: Recording) -> None:
    text = "encoder.L2.H5 cross.L1.mean encoder.max.H3 decoder.L3.rollout encoder.L0.max"
    data = shown(opened(panels=text))
    expected = [
        recording.map("encoder", layer=2, head=5),
        aggregate.over_heads(recording, "cross", 1, "mean"),
        aggregate.over_layers(recording, "encoder", 3, "max"),
        aggregate.rollout(recording, "decoder", 3),
        aggregate.over_heads(recording, "encoder", 0, "max"),
    ]
    for card, map in zip(data["cards"], expected, strict=True):
        np.testing.assert_allclose(numbers(data, card), map.weights, atol=1e-4)
        assert card["name"] == map.name and card["text"].endswith(attnviz.figures.describe(map))


def test_the_difference_and_the_divergence_are_those_of_numpy(recording: Recording) -> None:
    data = shown(opened(panels="encoder.L2.H5 encoder.L0.H3 encoder.L1.H1 difference=C-A"))
    one, other = (recording.weights("encoder", layer=layer, head=head).numpy() for layer, head in ((1, 1), (2, 5)))
    np.testing.assert_allclose(difference(data), one - other, atol=1e-4)
    middle = (one + other) / 2
    entropy = [-(rows * np.log2(np.where(rows > 0, rows, 1))).sum(axis=1) for rows in (middle, one, other)]
    far = float((entropy[0] - (entropy[1] + entropy[2]) / 2).mean())
    maps = [recording.map("encoder", layer=layer, head=head) for layer, head in ((1, 1), (2, 5))]
    assert distances.divergence(*maps) == pytest.approx(far, abs=1e-5)
    assert data["difference"]["divergence"] == divergence_text(
        distances.divergence(*maps)
    ) and f"{far:.2f}" in divergence_text(far)
    assert data["difference"]["name"] == "C − A" and data["difference"]["top"] == 1


def test_the_heads_that_are_alike_are_those_of_the_divergences(recording: Recording) -> None:
    (data,) = components(opened(panels="encoder.L2.H5 encoder.L0.H3 like=B"), "similar_heads")
    row = distances.divergences(recording, "encoder")[3]
    others = sorted((far, place) for place, far in enumerate(row) if place != 3)
    assert [data["heads"][place]["far"] for place in data["near"]] == pytest.approx(
        [far for far, _place in others[:4]], abs=1e-4
    )
    assert [data["heads"][place]["far"] for place in data["far"]] == pytest.approx(
        [far for far, _place in others[:-5:-1]], abs=1e-4
    )
    assert data["title"] == "Heads like B: L0 H3" and data["chosen"] == 3 and data["layers"] == [0, 1, 2, 3]
    assert data["shown"][3] == "B" and data["shown"][21] == "A"
    layer, head = divmod(others[0][1], 8)
    one = distances.divergence(
        recording.map("encoder", layer=0, head=3), recording.map("encoder", layer=layer, head=head)
    )
    assert one == pytest.approx(others[0][0], abs=1e-4)


def test_divergences_are_computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    computed: list[str] = []
    divergences = distances.divergences

    def counted(recording: Recording, kind: str, prepare: Any = None) -> np.ndarray:
        computed.append(kind)
        return divergences(recording, kind, prepare)

    monkeypatch.setattr(similar_heads, "divergences", counted)
    app = opened(sentence="Die Katze sah den Ball.", panels="encoder.L2.H5 encoder.L0.H3")
    assert components(app, "similar_heads") and computed == ["encoder"]
    app.run()
    assert components(app, "similar_heads") and computed == ["encoder"]


def test_an_aggregate_has_no_heads_like_it_but_the_map_stays() -> None:
    (data,) = components(opened(panels="encoder.L2.mean encoder.L0.H3"), "similar_heads")
    assert data["near"] == data["far"] == [] and len(data["heads"]) == 32
    assert "several heads" in data["note"]


def test_words_that_do_not_correspond_say_why() -> None:
    app = opened(panels='encoder.L2.H5 encoder.L2.H5 sentence="Heute regnet es."')
    data = shown(app)
    assert "different sentences" in data["difference"]["error"] and "weights" not in data["difference"]
    assert data["cards"][1]["note"] == "“Heute regnet es.”"
    assert components(app, "ready")  # the panels are complete


def test_two_tokenizers_are_compared_by_words(other_tokenizer: str) -> None:
    sentence = "Der Hund sah den Ball."
    text = Panels((Panel("encoder", 2, 5), Panel("encoder", 1, 2, model=other_tokenizer))).text
    data = shown(opened(panels=text, sentence=sentence))
    one = bundled_model().record(sentence).map("encoder", layer=2, head=5)
    other = attnviz.load(other_tokenizer).record(sentence).map("encoder", layer=1, head=2)
    assert one.key_labels != other.key_labels
    np.testing.assert_allclose(difference(data), distances.difference(one, other).weights, atol=1e-4)
    assert "by words" in data["difference"]["divergence"]
    # The same words under both names, for what is pointed at.
    words = [set(axis["words"]) for axis in data["axes"][:2]]
    assert {"hund 1", "ball 1"} <= words[0] & words[1]


def test_switches_are_for_all_panels(recording: Recording) -> None:
    app = opened(panels="encoder.L2.H5 cross.L1.mean")
    app.toggle(key="hide_special").set_value(True)
    app.toggle(key="scale_per_head").set_value(True).run()
    data = shown(app)
    assert data["perHead"] and "hidden" in data["summary"] and "own colour scale" in data["summary"]
    for card in data["cards"]:
        assert "</s>" not in data["axes"][card["keys"]]["labels"] and card["hidden"]
    shares = np.frombuffer(base64.b64decode(data["cards"][0]["hidden"]), dtype="<u2") / 65535
    whole = recording.map("encoder", layer=2, head=5).hide(lambda token: token.special)
    np.testing.assert_allclose(shares, whole.hidden_mass, atol=1e-4)


def test_the_difference_is_one_of_what_is_shown(recording: Recording) -> None:
    app = opened(panels="encoder.L2.H5 encoder.L0.H3", hide_special="true")
    maps = [
        recording.map("encoder", layer=layer, head=head).hide(lambda token: token.special)
        for layer, head in ((2, 5), (0, 3))
    ]
    data = shown(app)
    np.testing.assert_allclose(difference(data), maps[0].weights - maps[1].weights, atol=1e-4)
    assert data["difference"]["divergence"] == divergence_text(distances.divergence(*maps))
    (heads,) = components(app, "similar_heads")
    assert heads["heads"][3]["far"] == pytest.approx(distances.divergence(*maps), abs=1e-4)


def test_another_sentence_is_for_all_panels_without_their_own() -> None:
    app = opened(panels='encoder.L2.H5 encoder.L0.H3 sentence="Ein Satz."')
    app.text_area(key="sentence").set_value("De kat zit.").run()
    data = shown(app)
    first, second = (data["axes"][card["keys"]]["labels"] for card in data["cards"])
    assert first[:2] == ["De", "kat"] and second[:2] == ["Ein", "Satz"]
    assert [panel["head"] for panel in data["state"]["panels"]] == [5, 3]


def test_panels_stay_when_the_sentence_changes() -> None:
    app = opened()
    before = shown(app)["state"]["panels"]
    text = app.session_state["panels"]
    model = bundled_model()
    for sentence in HOME_EXAMPLES[1:4]:
        app.text_area(key="sentence").set_value(sentence).run()
        assert shown(app)["state"]["panels"] == before
        # Where another browser would begin with others, the address names these.
        pair = similar_heads.head_distances(model.record(sentence), "encoder").farthest_pair()
        plain = Panels(tuple(Panel("encoder", layer, head) for layer, head in pair)).text
        assert (app.query_params["panels"] == text) if plain != text else ("panels" not in app.query_params)
    app.text_area(key="sentence").set_value(FIRST).run()
    assert shown(app)["state"]["panels"] == before and "panels" not in app.query_params


def test_the_address_has_what_was_changed() -> None:
    text = Panels((Panel("encoder", 2, 5, sentence=HOSTILE), Panel("cross", 0, "max"), Panel("encoder"))).text
    app = asked(opened(), text)
    assert app.query_params["panels"] == text
    again = opened(panels=text)
    assert shown(again)["cards"] == shown(app)["cards"] and not again.warning
    # A browser that has not yet heard of it, however late, asks with the address from before.
    again.query_params["panels"] = "encoder.L0.H1 encoder.L2.H5"
    again.run()
    assert again.query_params["panels"] == text and shown(again)["cards"] == shown(app)["cards"]


def test_numbers_stand_in_tables() -> None:
    app = opened(panels="encoder.L2.H5 encoder.L0.H3")
    assert not app.dataframe
    app.session_state["numbers"] = True
    app.run()
    assert len(app.dataframe) == 3  # two panels and their difference
    table = app.dataframe[2].value
    assert table.shape == (7, 8)
    np.testing.assert_allclose(table.iloc[:, 1:].to_numpy(dtype=float), difference(shown(app)), atol=1e-4)


def test_an_opened_head_comes_along() -> None:
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=120)
    app.query_params["layer"], app.query_params["head"] = "2", "5"
    app.run()
    app.switch_page("pages/compare.py").run()
    first = shown(app)["state"]["panels"][0]
    assert (first["kind"], first["layer"], first["head"]) == ("encoder", 2, 5)


def test_a_long_text_is_taken_together() -> None:
    app = opened(
        panels="encoder.L2.H5 encoder.L2.mean encoder.max.H1 encoder.mean.max encoder.L1.rollout",
        sentence="Wort " * 300,
    )
    data = shown(app)
    assert [bool(card["error"]) for card in data["cards"]] == [False] * 4 + [True]
    assert "302" in data["cards"][4]["error"] and "256" in data["cards"][4]["error"]
    assert data["difference"]["low"].startswith(f"−{16 / 256:.2f} and beyond: ")
    assert len(data["axes"][0]["labels"]) == 256 and "taken together" in data["summary"]
    np.testing.assert_allclose(numbers(data, data["cards"][1]).sum(axis=1), 1, atol=5e-3)
    assert data["root"] and "colours by the square root of the weight" in data["summary"]
    assert components(app, "ready") and len(components(app, "similar_heads")) == 1


def test_switches_change_the_maps_of_a_long_text_and_are_said() -> None:
    app = opened(
        panels="encoder.L2.H5 encoder.L2.mean", sentence="Wort und " * 150, by_word="true", hide_special="true",
        hide_first="true", even_colours="true",
    )  # fmt: skip
    data = shown(app)
    assert not data["root"] and "square root" not in data["summary"]
    for part in ("neighbouring words taken together", "hidden: </s>", "first position hidden – "):
        assert part in data["summary"]
    for card in data["cards"]:
        hidden = np.frombuffer(base64.b64decode(card["hidden"]), dtype="<u2") / 65535
        np.testing.assert_allclose(numbers(data, card).sum(axis=1) + hidden, 1, atol=5e-3)


# What a link may ask for --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("encoder.L99.H77 encoder.L0.H1", ["A: ", "no layer 99", "no head 77"]),
        ("sideways.L0.H0 encoder.L0.H1", ["no sideways attention", "encoder attention is shown instead"]),
        ("\x00 ]]> ${x} encoder.L0.H1", ["cannot be read", "at least two panels"]),
        ("%E0%A4%A difference=Z-Z", ["cannot be read"]),
    ],
)
def test_a_damaged_link_opens_and_says_what_is_shown(text: str, said: list[str]) -> None:
    app = opened(panels=text)
    assert len(shown(app)["cards"]) == 2
    remark = app.warning[0].value.replace("\\", "")
    assert all(part in remark for part in said)
    assert components(app, "ready")


def test_remarks_go_once_the_panels_are_changed() -> None:
    app = asked(opened(panels="encoder.L99.H77 nonsense"), "encoder.L1.H1 encoder.L0.H1")
    assert not app.warning


def test_one_panel_that_fails_leaves_the_others() -> None:
    text = Panels(
        (Panel("encoder", 2, 5), Panel("encoder", 0, 1, model="/there/is/no/such"), Panel("cross", 0, 1))
    ).text
    app = opened(panels=text)
    data = shown(app)
    assert [bool(card["error"]) for card in data["cards"]] == [False, True, False]
    assert "does not exist" in data["cards"][1]["error"]
    assert "no map in B" in data["difference"]["error"]
    assert not app.error and components(app, "ready")


def test_a_rollout_of_cross_attention_says_why_not() -> None:
    data = shown(opened(panels="cross.L1.rollout encoder.L1.rollout"))
    assert "rollout" in data["cards"][0]["error"].lower() and not data["cards"][1]["error"]


def test_models_beyond_what_stays_loaded_are_refused(other_tokenizer: str) -> None:
    names = ["", other_tokenizer, "/no/a", "/no/b", other_tokenizer]
    data = shown(opened(panels=Panels(tuple(Panel("encoder", model=name) for name in names)).text))
    assert "At most 3 models" in data["cards"][3]["error"]
    assert data["cards"][4]["error"] == ""


@pytest.mark.parametrize("sentence", ["", "   ", "Wort " * 2000])
def test_what_cannot_be_recorded_is_said_and_nothing_is_lost(sentence: str) -> None:
    app = opened(panels="encoder.L2.H5 encoder.L0.H3", sentence=sentence)
    if not sentence:  # an empty parameter is the default's absence
        app.text_area(key="sentence").set_value("").run()
    assert len(app.error) == 1 and not components(app, "ready")
    data = shown(app)
    assert [card["name"] for card in data["cards"]] == ["L2 H5", "L0 H3"]
    assert [one["error"] for one in (*data["cards"], data["difference"])] == ["", "", ""], "it is said once"
    offered = [button for button in app.button if button.key == "only_beginning"]
    assert len(offered) == (1 if sentence.strip() else 0)
    app.text_area(key="sentence").set_value(FIRST).run()
    assert not app.error and components(app, "ready")
    assert [card["name"] for card in shown(app)["cards"]] == ["L2 H5", "L0 H3"]


def test_where_no_panel_has_a_map_each_reason_is_said_once_with_its_panels() -> None:
    names = ["/no/a", "/no/b", "/no/a"]
    app = opened(panels=Panels(tuple(Panel("encoder", model=name) for name in names)).text)
    said = [error.value for error in app.error]
    assert [text.replace("\\", "").split(":")[0] for text in said] == ["A, C", "B"]
    assert [card["error"] for card in shown(app)["cards"]] == ["", "", ""]


def test_a_model_that_is_not_there_is_said() -> None:
    app = opened(panels="encoder.L2.H5 encoder.L0.H3", model="/there/is/no/such")
    assert "does not exist" in app.error[0].value and not components(app, "ready")
    assert app.query_params["panels"] == "encoder.L2.H5 encoder.L0.H3"


# Axes ---------------------------------------------------------------------------------------------------------------


def test_words_are_numbered_where_they_occur_again(recording: Recording) -> None:
    axes = Axes()
    tokens = bundled_model().record("der Hund Der Hund").key_tokens("encoder")
    place = axes.index(tokens)
    assert [word for word in axes.entries[place]["words"] if word.startswith("hund")] == ["hund 1", "hund 2"]
    assert {"der 1", "der 2"} <= set(axes.entries[place]["words"])
    assert axes.index(tokens) == place and axes.index(recording.key_tokens("encoder")) != place


def test_how_far_is_said_in_words() -> None:
    said = [divergence_text(far).split(":")[0] for far in (0.0, 0.05, 0.2, 0.45, 0.9)]
    assert said == ["The same", "Nearly the same", "Similar", "Different", "Very different"]
