"""The overview as its script sees it: what the tiles get, what is said of each head, finding one, opening one."""

from __future__ import annotations

import base64
import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support import tiny_models
from support import tiny_tokenizers as tokenizers_for_tests
from support.bundled import bundled_model
from support.pages import components, open_page

import attnviz
from attnviz.attention import pooled_maps
from attnviz.measures.head_measures import measure, measure_all
from attnviz.ui.components.heads import mosaic
from attnviz.ui.controls.display_options import Switches
from attnviz.ui.screens.overview import traits

FIRST = "Der Hund sah den Ball."
opened = functools.partial(open_page, "overview", sentence=FIRST)


APP = str(Path(__file__).resolve().parents[4] / "app.py")
LAYERS, HEADS = 4, 8  # of the bundled model


def tiles(app: AppTest) -> dict[str, Any]:
    assert not app.exception and not app.error
    (data,) = components(app, "mosaic")
    return data


def weights(data: dict[str, Any]) -> np.ndarray:
    """(head of all layers, query, key), as the browser reads them."""
    sent = base64.b64decode(data["weights"])
    if data["fine"]:
        read = np.frombuffer(sent, dtype="<u2") / 65535
    else:
        read = (np.frombuffer(sent, dtype=np.uint8) / 255) ** 2
    return read.reshape(len(data["names"]), len(data["queries"]), len(data["keys"]))


def recorded(sentence: str = FIRST, target: str | None = None) -> Any:
    return bundled_model().record(sentence, target)


@pytest.fixture(scope="session")
def gpt_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A decoder of 14 layers that knows no special tokens in a sentence, with room for long texts."""
    folder = tmp_path_factory.mktemp("gpt-overview")
    tokenizer = tokenizers_for_tests.gpt2()
    network = tiny_models.network("gpt2", vocab_size=len(tokenizer), n_layer=14, n_positions=1024)
    network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


# Seeing -------------------------------------------------------------------------------------------------------------


def test_every_head_of_every_layer_has_a_tile() -> None:
    data = tiles(opened())
    assert data["names"] == [f"L{layer} H{head}" for layer in range(LAYERS) for head in range(HEADS)]
    assert data["heads"] == HEADS and data["fine"] and data["marked"] is None
    assert data["keys"] == ["Der", "Hund", "sah", "den", "Ball", ".", "</s>"]
    assert data["summary"] == "Encoder, 4 layers × 8 heads, 7 tokens"


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_the_tiles_are_the_heads_of_the_engine(kind: str) -> None:
    data = tiles(opened(kind=kind, target="The dog saw the ball."))
    recording = recorded(target="The dog saw the ball.")
    expected = np.concatenate([recording.weights(kind, layer=layer).numpy() for layer in range(LAYERS)])
    np.testing.assert_allclose(weights(data), expected, atol=1e-5)


def test_every_tile_has_its_text() -> None:
    data = tiles(opened())
    for name, said in zip(data["names"], data["descriptions"], strict=True):
        assert said.startswith(f"{name}: ") and said.count("→") == 3


def test_figures_are_complete_when_the_tiles_show_this_run() -> None:
    app = opened()
    (ready,) = components(app, "ready")
    assert (ready["figures"], ready["sentence"], ready["run"]) == (1, FIRST, tiles(app)["run"])
    before = ready["run"]
    app.toggle(key="hide_special").set_value(True).run()
    assert components(app, "ready")[0]["run"] == tiles(app)["run"] != before


def test_switches_change_what_is_shown_and_are_said() -> None:
    app = opened(hide_special="true", by_word="true", scale_per_head="true")
    data = tiles(app)
    assert data["keys"] == ["Der", "Hund", "sah", "den", "Ball", "."] and data["perHead"]
    map = recorded().map("encoder", layer=2, head=5).by_word().hide(lambda token: token.special)
    np.testing.assert_allclose(weights(data)[2 * HEADS + 5], map.weights, atol=1e-5)
    hidden = np.frombuffer(base64.b64decode(data["hidden"]), dtype="<u2").reshape(-1, 6) / 65535
    np.testing.assert_allclose(hidden[2 * HEADS + 5], map.hidden_mass, atol=1e-5)
    assert "6 words" in data["summary"] and "hidden: </s>" in data["summary"]


def test_chosen_rows_are_averaged() -> None:
    data = tiles(opened(rows="Hund"))
    assert data["queries"] == ["Hund"]
    np.testing.assert_allclose(weights(data)[0], recorded().weights("encoder", layer=0, head=0)[1:2], atol=1e-5)


# What each head does ------------------------------------------------------------------------------------------------


def table(app: AppTest) -> Any:
    return app.dataframe[0].value


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_the_table_has_the_measures_of_every_head(kind: str) -> None:
    rows = table(opened(kind=kind, target="The dog saw the ball."))
    expected = measure_all(recorded(target="The dog saw the ball."), kind)
    assert [(row.Layer, row.Head) for row in rows.itertuples()] == [(one.layer, one.head) for one in expected]
    columns = {"First token": "first", "Special tokens": "special", "Entropy (bits)": "entropy"}
    if kind != "cross":
        columns |= {"Previous token": "previous", "Own token": "own", "Mean distance (tokens)": "distance"}
    if kind == "encoder":
        columns["Next token"] = "next"
    assert set(rows.columns) == {"Layer", "Head", *columns}
    for column, measure_name in columns.items():
        np.testing.assert_allclose(rows[column], [getattr(one, measure_name) for one in expected], atol=5.1e-5)


def test_measures_are_those_of_what_is_shown() -> None:
    rows = table(opened(by_word="true", hide_special="true", rows="Hund"))
    map = recorded().map("encoder", layer=1, head=3).by_word().hide(lambda token: token.special)
    assert rows["Previous word"][HEADS + 3] == pytest.approx(measure(map).previous, abs=5.1e-5)
    assert "Special tokens" not in rows.columns


def test_what_a_head_mainly_does_stands_below_it() -> None:
    data = tiles(opened())
    for one, note, said in zip(measure_all(recorded(), "encoder"), data["notes"], data["descriptions"], strict=True):
        short = {"previous": "prev", None: ""}.get(one.character, one.character)
        number = "" if one.character in (None, "broad") else f" {getattr(one, one.character):.2f}"
        # What a head does over many texts stands where this one says nothing.
        assert note == short + number if one.character else not note[-1:].isdigit()
        assert number in said


def test_what_cannot_be_measured_is_said_and_not_offered() -> None:
    cross = opened(kind="cross")
    assert list(cross.pills(key="found").options) == [
        "at the first token",
        "at special tokens",
        "broadly",
        "narrowly",
    ]
    assert any("no previous, next or own token" in caption.value for caption in cross.caption)
    decoder = opened(kind="decoder")
    assert "at the next token" not in decoder.pills(key="found").options
    assert any("cannot look at the next token" in caption.value for caption in decoder.caption)


# Finding ------------------------------------------------------------------------------------------------------------


def test_heads_are_found_by_what_they_look_at() -> None:
    app = opened()
    app.pills(key="found").set_value("previous").run()
    data = tiles(app)
    expected = sorted(measure_all(recorded(), "encoder"), key=lambda one: -one.previous)[:4]
    expected = [one for one in expected if one.previous >= traits.LEAST_SHARE]
    assert {name for name, marked in zip(data["names"], data["marked"], strict=True) if marked} == {
        f"L{one.layer} H{one.head}" for one in expected
    }
    best = expected[0]
    assert data["summary"].startswith(
        f"Looking most at the previous token: L{best.layer} H{best.head} {best.previous:.2f}, "
    )
    place = best.layer * HEADS + best.head
    assert data["notes"][place] == f"prev {best.previous:.2f}"
    assert data["bars"][place] == pytest.approx(best.previous, abs=1e-3)
    assert app.query_params["find"] in ("previous", ["previous"])


@pytest.mark.parametrize("find", ["broadly", "narrowly", "near", "far"])
def test_the_other_end_is_found_too(find: str) -> None:
    data = tiles(opened(find=find))
    found = [place for place, marked in enumerate(data["marked"]) if marked]
    measures = measure_all(recorded(), "encoder")
    values = [one.entropy if find in ("broadly", "narrowly") else one.distance for one in measures]
    order = np.argsort(values)
    assert set(found) == set((order[-4:] if find in ("broadly", "far") else order[:4]).tolist())


def test_a_link_that_finds_nothing_opens_and_says_so() -> None:
    app = opened(find="sideways", kind="upside", by_word="maybe")
    (warning,) = app.warning
    assert "cannot be found by sideways" in warning.value and "no upside attention" in warning.value
    assert tiles(app)["marked"] is None
    assert app.run().warning.len == 0  # said once


def test_what_was_looked_for_goes_where_it_has_no_meaning() -> None:
    app = opened(find="previous")
    app.segmented_control(key="kind").set_value("cross").run()
    (warning,) = app.warning
    assert "cross attention cannot be found by previous" in warning.value
    assert tiles(app)["marked"] is None


# Opening ------------------------------------------------------------------------------------------------------------


def test_a_tile_opens_its_head_on_the_home_page() -> None:
    app = opened(kind="decoder", sentence="Der Ball.")
    app.session_state["attnviz_chosen_head"] = {"layer": "2", "head": "5"}  # as `open_head` does for a tile
    app.run()
    (grid, *_rest) = components(app, "head_grid")
    assert grid["open"] == 5 and grid["heads"][0]["name"] == "L2 H0" and "Decoder" in grid["summary"]
    assert app.text_area(key="sentence").value == "Der Ball."


def test_an_overview_keeps_the_head_that_is_open_elsewhere() -> None:
    app = AppTest.from_file(APP, default_timeout=120)
    app.query_params["layer"], app.query_params["head"] = "3", "6"
    app.run()
    app.switch_page("pages/overview.py").run()
    assert tiles(app)
    app.switch_page("pages/heads.py").run()
    assert components(app, "head_grid")[0]["open"] == 6


# Long texts ---------------------------------------------------------------------------------------------------------


def test_a_long_text_is_taken_together_and_the_page_says_so(gpt_folder: str) -> None:
    app = opened(model=gpt_folder, sentence="the dog saw the ball " * 60, find="previous")
    data = tiles(app)
    assert len(data["names"]) == 14 * tiny_models.HEADS
    count = len(attnviz.load(gpt_folder).record("the dog saw the ball " * 60).query_tokens("decoder"))
    assert count > pooled_maps.MOST and len(data["keys"]) <= mosaic.tile_side(14, tiny_models.HEADS)
    assert f"{count} tokens, up to {-(-count // len(data['keys']))} neighbours taken together" in data["summary"]
    assert data["root"] == (len(data["keys"]) > 60)
    assert not data["fine"] and len(data["weights"]) < 2_000_000
    np.testing.assert_allclose(weights(data).sum(axis=-1), 1, atol=0.03)
    assert not any(column == "Special tokens" for column in table(app).columns)
    assert any("none is shown" in caption.value for caption in app.caption)


def test_switches_count_in_a_text_of_any_length(gpt_folder: str) -> None:
    recording = attnviz.load(gpt_folder).record("the dog saw the ball " * 60)
    switches = Switches(by_word=True, hide=("dog", "saw"), hide_first=True)
    maps = mosaic.tiles(recording, "decoder", switches)
    whole = switches.apply(recording.map("decoder", layer=1, head=2))
    shown, expected = maps[tiny_models.HEADS + 2], pooled_maps.pool(whole, mosaic.tile_side(14, tiny_models.HEADS))
    np.testing.assert_allclose(shown.weights, expected.weights, atol=1e-6)
    np.testing.assert_allclose(shown.hidden_mass, expected.hidden_mass, atol=1e-6)


def test_switches_count_before_a_text_is_taken_together(gpt_folder: str) -> None:
    recording = attnviz.load(gpt_folder).record("the dog saw the ball " * 28)
    assert recording.size("decoder")[2] <= pooled_maps.MOST
    words = recording.map("decoder", layer=1, head=2).by_word()
    assert len(words.key_tokens) > mosaic.tile_side(14, tiny_models.HEADS)  # or nothing would be taken together
    maps = mosaic.tiles(recording, "decoder", Switches(by_word=True))
    shown = maps[tiny_models.HEADS + 2]
    np.testing.assert_allclose(
        shown.weights, pooled_maps.pool(words, mosaic.tile_side(14, tiny_models.HEADS)).weights, atol=1e-6
    )


def test_each_layer_of_a_long_text_is_told(gpt_folder: str) -> None:
    recording = attnviz.load(gpt_folder).record("the dog saw the ball " * 60)
    done: list[float] = []
    mosaic.tiles(recording, "decoder", Switches(), done.append)
    assert done[-1] == 1.0 and len(done) == 14


def test_many_heads_share_the_size_of_what_is_sent() -> None:
    for layers, heads in ((6, 12), (24, 16), (32, 32), (96, 96)):
        size = mosaic.tile_side(layers, heads)
        assert 8 <= size <= 128 and layers * heads * size**2 <= mosaic.MOST_CELLS


# Taking along, numbers, what is wrong -------------------------------------------------------------------------------


def test_the_export_is_what_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from attnviz import export
    from attnviz.ui.components import export_menu

    asked: dict[str, Any] = {}
    monkeypatch.setattr(export_menu, "export_menu", lambda make, **options: asked.update(options, picture=make()))
    app = opened(hide_special="true", sentence="Der Ball & die #1 %")
    picture = export.read(export.to_npz(asked["picture"]))
    assert asked["name"] == "attnviz-overview-encoder"
    np.testing.assert_allclose(np.stack([map.weights for map in picture.panels]), weights(tiles(app)), atol=1e-5)
    assert [map.name for map in picture.panels] == tiles(app)["names"]
    assert picture.columns == HEADS
    assert picture.settings["sentence"] == "Der Ball & die #1 %" and picture.settings["hide_special"] == "true"


def test_the_largest_weights_come_first_in_the_table() -> None:
    app = opened()
    assert len(app.dataframe) == 1
    app.session_state["numbers"] = True
    rows = app.run().dataframe[1].value
    assert len(rows) == LAYERS * HEADS * 49
    assert (np.diff(rows["attention weight"]) <= 0).all()
    first = rows.iloc[0]
    recording = recorded()
    labels = tiles(app)["keys"]
    weight = recording.weights("encoder", layer=int(first.Layer), head=int(first.Head))
    assert weight[labels.index(first["query"]), labels.index(first["key"])] == pytest.approx(first["attention weight"])


def test_without_a_sentence_or_a_model_nothing_is_lost() -> None:
    app = opened(sentence="", find="own", hide_special="true")
    assert "Type a sentence" in app.info[0].value and not components(app, "mosaic")
    app.text_area(key="sentence").set_value("Der Ball.").run()
    data = tiles(app)
    assert data["summary"].startswith("Looking most at their own token") and "</s>" not in data["keys"]
    wrong = opened(model="/there/is/no/such/folder", sentence="Der Ball.", find="own", hide_special="true")
    assert "does not exist" in wrong.error[0].value
    wrong.selectbox(key="model").set_value("bundled").run()
    assert tiles(wrong)["summary"] == data["summary"]


def test_all_tokens_hidden_is_said() -> None:
    app = opened(sentence="Der", hide="Der", hide_special="true")
    assert "Nothing is left to show" in app.info[0].value
    assert not app.exception and not app.error and not components(app, "ready")


# The names of what can be found -------------------------------------------------------------------------------------


def test_a_head_without_a_number_is_never_found() -> None:
    recording = recorded()
    measures = list(measure_all(recording, "cross"))
    (trait,) = [trait for trait in traits.traits(measures, "cross", False) if trait.name == "first"]
    measures[3] = dataclasses.replace(measures[3], first=float("nan"))
    assert measures[3] not in traits.rank_heads(measures, trait)
    note = traits.tile_notes(measures, (trait,), trait)[3]
    assert (note.text, note.bar) == ("first –", None)


def test_where_no_head_does_it_none_is_named() -> None:
    data = tiles(opened(find="first"))
    best = max(one.first for one in measure_all(recorded(), "encoder"))
    if best < traits.LEAST_SHARE:
        assert data["summary"].startswith("Looking at the first token: none does, with 0.25 or more")
    measures = measure_all(recorded(), "encoder")
    weak = [dataclasses.replace(one, previous=0.01) for one in measures]
    trait = next(trait for trait in traits.traits(measures, "encoder", False) if trait.name == "previous")
    assert traits.rank_heads(weak, trait) == [] and traits.rank_heads(measures, trait)
