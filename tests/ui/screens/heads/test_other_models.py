"""The home page with models of the reader's own: encoders, many layers, long texts, layers that are not all alike."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import numpy as np
import pytest
from support import tiny_models, uncommon_layers
from support import tiny_tokenizers as tokenizers_for_tests
from support.head_grid import grid, opened, weights
from support.pages import components, open_page, save_checkpoint
from support.texts import long_text

from attnviz.ui.controls import display_options


@pytest.fixture(scope="session")
def gpt_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A decoder with more layers than fit side by side, and room for long texts."""
    return save_checkpoint(
        tmp_path_factory.mktemp("gpt"), "gpt2", tokenizers_for_tests.gpt2(), n_layer=14, n_positions=1024
    )


# Other models -------------------------------------------------------------------------------------------------------


def test_a_local_encoder_has_one_kind_of_attention(bert_folder: str) -> None:
    app = opened(model=bert_folder, sentence="the dogs")
    data = grid(app)
    assert app.segmented_control(key="kind").options == ["encoder"]
    assert (data["keys"][0], data["keys"][-1], len(data["heads"])) == ("[CLS]", "[SEP]", tiny_models.HEADS)
    assert app.selectbox(key="model").options[:2] == ["Bundled translation model", Path(bert_folder).name]
    assert [box.key for box in app.text_area] == ["sentence", "pair"]


def test_what_the_new_model_lacks_is_said(bert_folder: str) -> None:
    app = opened(model=bert_folder)
    app.selectbox(key="model").set_value("bundled").run()
    app.segmented_control(key="kind").set_value("cross").run()
    app.segmented_control(key="layer").set_value(3).run()
    app.selectbox(key="head").set_value(7).run()
    app.selectbox(key="model").set_value(bert_folder).run()
    data = grid(app)
    (warning,) = app.warning
    assert "no cross attention; its encoder attention" in warning.value
    assert "layers 0 to 2, not 3; layer 2 is shown instead" in warning.value
    assert "no head 7" in warning.value
    assert data["heads"][0]["name"] == "L2 H0" and data["open"] is None


def test_many_layers_are_a_list(gpt_folder: str) -> None:
    app = opened(model=gpt_folder, layer="13")
    assert app.selectbox(key="layer").value == 13
    assert grid(app)["heads"][0]["name"] == "L13 H0"


def test_a_long_text_is_shown_at_the_size_of_a_card(gpt_folder: str) -> None:
    app = opened(model=gpt_folder, sentence="the dog saw the ball " * 80)
    data = grid(app)
    assert len(data["keys"]) == len(data["queries"]) == 256
    assert len(set(data["keys"])) == 256
    np.testing.assert_allclose(weights(data).sum(axis=-1), 1, atol=5e-3)
    assert "neighbours taken together" in data["summary"]
    assert data["keys"][0] == "the…"


def test_words_hiding_and_averaging_work_in_a_long_text(gpt_folder: str) -> None:
    text = "the dog saw the ball " * 80
    whole = grid(opened(model=gpt_folder, sentence=text))
    app = opened(model=gpt_folder, sentence=text, by_word="true", hide="the", rows="dog")
    data = grid(app)
    assert "hidden: the" in data["summary"] and "rows averaged: dog" in data["summary"]
    assert "neighbouring words taken together" in data["summary"]
    assert data["queries"] == ["dog"] or data["queries"] == ("dog",)
    assert len(whole["queries"]) == 256 and len(data["keys"]) <= 256
    hidden = np.frombuffer(base64.b64decode(data["hidden"]), dtype="<u2").reshape(-1, 1) / 65535
    np.testing.assert_allclose(weights(data).sum(axis=-1) + hidden, 1, atol=5e-3)
    assert {"by_word", "hide_special", "renormalise", "hide_first"} <= {toggle.key for toggle in app.toggle}


def test_the_tokens_of_a_book_are_not_listed_and_the_page_says_so(gpt_folder: str) -> None:
    app = opened(model=gpt_folder, sentence="the dog saw the ball " * 80)
    assert {one.key for one in app.multiselect} == {"hide", "rows"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(display_options, "MOST_LISTED", 100)
        app = opened(model=gpt_folder, sentence="the dog saw the ball " * 80)
    assert not app.multiselect and any("texts of up to 100 tokens" in one.value for one in app.caption)


@pytest.mark.parametrize(("tokens", "top"), [(145, 16 / 145), (447, 16 / 256)])
def test_the_colours_of_a_long_text_follow_its_length_and_the_legend_says_so(tokens: int, top: float) -> None:
    app = opened(sentence=long_text(tokens))
    data = grid(app)
    assert f"{tokens} tokens" in data["summary"]
    assert data["top"] == pytest.approx(top)
    assert data["texts"]["all"] == f"{top:.2f} and more"
    assert data["root"] and "colours by the square root of the weight" in data["summary"]
    # On a scale up to 1 nearly nothing has a colour that can be told from the background.
    assert np.mean(weights(data) > 0.05) < 0.03
    assert np.mean(weights(data) / data["top"] > 0.05) > 0.3


@pytest.mark.parametrize("tokens", [7, 145, 447])
def test_the_first_position_is_hidden_with_the_share_that_it_takes(tokens: int) -> None:
    before = grid(opened(sentence=long_text(tokens), layer="1"))
    data = grid(opened(sentence=long_text(tokens), layer="1", hide_first="true", even_colours="true"))
    share = float(re.search(r"first position hidden – <?(\d+) % of the attention", data["summary"])[1]) / 100
    size = len(before["queries"]), len(before["keys"])
    hidden = np.frombuffer(base64.b64decode(data["hidden"]), dtype="<u2").reshape(8, size[0]) / 65535
    np.testing.assert_allclose(weights(data).sum(axis=-1) + hidden, 1, atol=5e-3)
    assert abs(hidden.mean() - share) < 0.02 and not data["root"]
    if tokens <= 256:
        assert len(data["keys"]) == tokens - 1 and data["keys"][0] == before["keys"][1]
        np.testing.assert_allclose(hidden, weights(before)[:, :, 0], atol=5e-3)


# Layers that are not all alike ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uncommon(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Folders of a hybrid and of a model with 4, 6 and 4 heads."""
    tokenizer = tokenizers_for_tests.gpt2()
    folders = {}
    for name in ("hybrid", "uneven"):
        folder = tmp_path_factory.mktemp(name)
        getattr(uncommon_layers, name)(len(tokenizer)).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
        folders[name] = str(folder)
    return folders


def test_a_hybrid_is_shown_with_its_own_numbers_of_layers(uncommon: dict[str, str]) -> None:
    app = opened(model=uncommon["hybrid"], layer="1", head="3", sentence="Der Hund")
    data = grid(app)
    assert [head["name"] for head in data["heads"]] == ["L6 H0", "L6 H1", "L6 H2", "L6 H3"]
    assert "layer 6, one of 2 with attention, 4 heads" in data["summary"]
    tiles = components(open_page("overview", model=uncommon["hybrid"], sentence="Der Hund"), "mosaic")[0]
    layers = app.button_group(key="layer")
    assert layers.options == ["2", "6"] and layers.value == 1
    assert app.query_params["layer"] in ("1", ["1"]), "a link counts from 0, whatever the model calls its layers"
    assert tiles["rows"] == ["L2", "L6"] and tiles["names"][0] == "L2 H0" and len(tiles["names"]) == 8


def test_every_page_calls_a_hybrids_layers_by_its_own_numbers(uncommon: dict[str, str]) -> None:
    link = {"model": uncommon["hybrid"], "layer": "1", "sentence": "Der Hund"}
    overview = open_page("overview", **link)
    assert sorted(set(overview.dataframe[0].value["Layer"])) == [2, 6]
    compared = open_page("compare", panels="decoder.L1.H3 decoder.L0.H1", **link)
    cards = components(compared, "panel_cards")[0]["cards"]
    assert [card["name"] for card in cards] == ["L6 H3", "L2 H1"] and cards[0]["numbers"] == [2, 6]
    alike = components(compared, "similar_heads")[0]
    assert alike["title"].endswith("L6 H3") and alike["layers"] == [2, 6] and alike["heads"][0]["name"] == "L2 H0"
    steps = open_page("steps", step="7", head="3", **link)
    assert not steps.exception and steps.button_group(key="layer").options == ["2", "6"]
    assert any("L6 H3" in caption.value for caption in steps.caption)
    translate = open_page("translate", **link)
    assert components(translate, "text_player")[0]["map"]["title"].startswith("Masked self-attention, L6")


def test_a_hybrid_may_follow_another_model_in_one_session(uncommon: dict[str, str]) -> None:
    app = opened(model=uncommon["hybrid"], sentence="Der Hund", layer="1")
    app.selectbox(key="model").set_value("bundled").run()
    assert not app.exception and grid(app)["heads"][0]["name"] == "L1 H0"
    app.selectbox(key="model").set_value(uncommon["hybrid"]).run()
    assert not app.exception and grid(app)["heads"][0]["name"] == "L6 H0"
    app.button_group(key="layer").set_value(0).run()
    assert grid(app)["heads"][0]["name"] == "L2 H0" and app.query_params["layer"] in ("0", ["0"])


def test_a_model_with_more_heads_in_some_layers_shows_all_of_them(uncommon: dict[str, str]) -> None:
    app = opened(model=uncommon["uneven"], layer="1", head="5", sentence="Der Hund")
    assert [head["name"] for head in grid(app)["heads"]] == [f"L1 H{head}" for head in range(6)]
    app = opened(model=uncommon["uneven"], layer="2", head="5", sentence="Der Hund")
    assert len(grid(app)["heads"]) == 4, "the chosen head is let go, the layer is drawn"
    tiles = components(open_page("overview", model=uncommon["uneven"], sentence="Der Hund"), "mosaic")[0]
    assert tiles["heads"] == 6 and [bool(name) for name in tiles["names"]] == [
        head < heads for heads in (4, 6, 4) for head in range(6)
    ]
