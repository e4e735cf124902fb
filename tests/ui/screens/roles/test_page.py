"""What heads do, without a browser: a model is measured, its table is kept, and a link shows what it names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants
from streamlit.testing.v1 import AppTest
from support.pages import components, open_page

from attnviz import load
from attnviz.roles import measure
from attnviz.roles.tables import store
from attnviz.ui.screens.roles import measuring

TEXTS = ("the dog saw the ball", "the cat saw the dog, and the dog ran", "a ball is a ball")


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are kept in a folder of the test, and there are few sample texts."""
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path))
    monkeypatch.setattr(measuring, "sample_texts", lambda: TEXTS)


def roles(app: AppTest) -> dict[str, Any]:
    assert not app.exception and not app.error
    return components(app, "head_roles")[0]


def test_a_model_is_measured_and_what_is_chosen_is_shown(bert_folder: str, tmp_path: Path) -> None:
    app = open_page("roles", model=bert_folder)
    assert not components(app, "head_roles")
    assert any("not been measured yet" in text.value for text in app.markdown)
    app.button(key="measure_roles").click().run()
    data = roles(app)
    assert [(len(kind["layers"]), kind["heads"]) for kind in data["kinds"]] == [(3, 5)]
    assert len(list((tmp_path / "attnviz" / "roles").iterdir())) == 2  # the table and its examples
    strongest, drawn = data["panel"]["columns"]
    assert 1 <= len(strongest["items"]) <= 3 == len(drawn["items"])
    # What the strongest are ranked by is said: the head that opens has a role, another one has none.
    assert strongest["title"] == "Where it does this most" and strongest["note"].startswith("Ranked by its role, “")
    # A link shows the head and the word that it names, and the table that is kept.
    app = open_page("roles", model=bert_folder, at="encoder.L2.H4", word="dog")
    data = roles(app)
    assert data["open"] == "encoder.L2.H4" and data["panel"]["title"] == "Encoder L2 H4"
    shown = [item for column in data["panel"]["columns"] for item in column["items"]]
    assert all("dog" in item["text"] for item in shown)
    assert data["panel"]["columns"][0]["title"] == "Where it looks most sharply"
    assert data["panel"]["columns"][0]["note"].startswith("Ranked by the greatest weight")


def test_other_pages_name_the_roles_of_a_measured_model(bert_folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = load(bert_folder, device="cpu")
    table = measure(model, list(TEXTS))
    first = replace(table.rows[0], role="previous token", value=0.98, low=0.97, high=0.99, labelled=True)
    assert store.keep(replace(table, rows=(first, *table.rows[1:])))
    words = {"model": bert_folder, "sentence": TEXTS[0]}
    notes = components(open_page("heads", **words, layer="0"), "head_grid")[0]["heads"]
    assert notes[0]["note"].startswith("token before: 98")
    described = components(open_page("overview", **words), "mosaic")[0]["descriptions"]
    assert "Measured over many sentences: looks at the token before" in described[0]
    cards = components(open_page("compare", **words, panels="encoder.L0.H0 encoder.L0.H1"), "panel_cards")[0]["cards"]
    assert cards[0]["role"] == "looks at the token before"


def test_a_link_that_asks_for_what_there_is_not_says_so(bert_folder: str) -> None:
    app = open_page("roles", model=bert_folder)
    app.button(key="measure_roles").click().run()
    app = open_page("roles", model=bert_folder, at="decoder.L0.H0", role="dancing")
    assert roles(app)["open"].startswith("encoder.")
    remarks = " ".join(warning.value for warning in app.warning)
    assert "dancing" in remarks and "decoder" in remarks


def test_what_a_text_is_from_is_told_by_the_text() -> None:
    assert measuring.suffix_of("The dog.\nThe cat.") == ".txt"
    assert measuring.suffix_of('{"text": "The dog."}\n{"text": "The cat."}') == ".jsonl"
