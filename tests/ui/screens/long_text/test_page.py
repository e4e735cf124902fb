"""The page Long text without a browser: regions, passages and links are the engine's, for every family of models."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support import tiny_tokenizers as tokenizers_for_tests
from support.bundled import bundled_model
from support.pages import components, open_page, save_checkpoint

from attnviz.measures.findings import findings
from attnviz.measures.telling_heads import telling_head
from attnviz.models.model import Model
from attnviz.ui.controls.beginning import beginning
from attnviz.ui.screens.long_text.opening import opening_text
from attnviz.ui.screens.long_text.recording_run import runs
from attnviz.ui.screens.long_text.regions import unpacked
from training.__main__ import MAX_TOKENS

TEXT = "The dog saw the ball. The cat sat on the mat, and the bird sang."


def shown(app: AppTest) -> dict[str, Any]:
    assert not app.exception and not app.error, [*app.exception, *app.error]
    (data,) = components(app, "long_map")
    return data


def said(app: AppTest) -> str:
    return " ".join(item.value for item in [*app.info, *app.warning, *app.error, *app.caption])


def wait_for_map(app: AppTest) -> None:
    """Runs the page again as its browser does, until the text is recorded."""
    for _ in range(50):
        if components(app, "long_map"):
            return
        time.sleep(0.2)
        app.run()


def wait_for_links(app: AppTest) -> list[dict[str, Any]]:
    for _ in range(100):
        lists = components(app, "link_list")
        if lists and lists[0]["rows"] is not None:
            return lists[0]["rows"]
        time.sleep(0.1)
        app.run()
    raise AssertionError("no links came")


def test_it_opens_with_a_story_and_all_of_its_map() -> None:
    app = open_page("long_text")
    data = shown(app)
    assert app.text_area(key="sentence").value == opening_text()
    (picture,) = data["pictures"]
    assert picture["region"] == data["region"] == [0, data["counts"][0], 0, data["counts"][1]]
    assert f"up to {MAX_TOKENS} and has positions for 512" in said(app)
    assert data["way"] == "lift" and data["passages"]["passage"] is None
    # The head that finds objects best is open, as in the story; another layer opens with its first head.
    opening = telling_head(bundled_model().record(TEXT), "encoder", "bundled")
    assert (app.segmented_control(key="layer").value, app.selectbox(key="head").value) == opening
    (panel,) = components(app, "long_text_panel")
    passages = panel["axes"][0]["passages"]
    assert sum(passage[1] for passage in passages) == data["counts"][1]
    assert [passage[5] for passage in passages if passage[2]] == ["The lighthouse", "The ship"]
    # Of cross-attention it is the head that finds translated words best.
    app = open_page("long_text", sentence=TEXT, kind="cross")
    wait_for_map(app)
    best = next(item for item in findings("bundled").heads if item.kind == "cross")
    assert (app.segmented_control(key="layer").value, app.selectbox(key="head").value) == (best.layer, best.head)


def test_a_region_a_passage_and_the_colours_come_from_the_address() -> None:
    app = open_page(
        "long_text", sentence=TEXT, region="2-9_1-7", passage="1", direction="received", colours="share", head="3",
        layer="1", kind="encoder",
    )  # fmt: skip
    data = shown(app)
    whole, picture = data["pictures"]
    weights = bundled_model().record(TEXT).weights("encoder", layer=1, head=3).numpy()
    assert whole["region"] == [0, *weights.shape[:1], 0, *weights.shape[1:]] and picture["region"] == [2, 9, 1, 7]
    found = unpacked(picture).reshape(7, 6)
    strong = weights[2:9, 1:7] > 1e-3
    np.testing.assert_allclose(found[strong], weights[2:9, 1:7][strong], rtol=0.03)
    assert data["passages"]["received"] and "looks at “The cat" in data["passages"]["says"]
    rows = wait_for_links(app)
    links = bundled_model().record(TEXT).links("encoder", 1, 3, 12)
    assert [(row["query"]["position"], row["key"]["position"]) for row in rows] == [
        (link.query, link.key) for link in links
    ]


def test_what_a_link_asks_for_and_is_not_there_is_said() -> None:
    app = open_page("long_text", sentence=TEXT, region="5-9999_0-3", head="77")
    assert shown(app)["region"][0] == 0
    assert "5-9999" in said(app) and "77" in said(app)


def test_another_text_forgets_the_region() -> None:
    app = open_page("long_text", sentence=TEXT, region="2-9_1-7", passage="1")
    app.text_area(key="sentence").set_value("The cat sat on the mat. It slept.").run()
    assert "region" not in app.query_params and "passage" not in app.query_params
    assert shown(app)["region"][:1] == [0] and not app.warning


@pytest.mark.parametrize(
    ("name", "tokenizer", "kinds"),
    [
        ("llama", "gpt2", ["decoder"]),
        ("bert", "wordpiece", ["encoder"]),
        ("t5", "unigram", ["encoder", "decoder", "cross"]),
    ],
)
def test_every_family_of_models_has_a_map(tmp_path: Path, name: str, tokenizer: str, kinds: list[str]) -> None:
    folder = save_checkpoint(tmp_path, name, getattr(tokenizers_for_tests, tokenizer)())
    for kind in kinds:
        app = open_page("long_text", sentence="the cat sat on the mat", model=folder, kind=kind, target="the mat")
        data = shown(app)
        (panel,) = components(app, "long_text_panel")
        counts = [sum(passage[1] for passage in axis["passages"]) for axis in panel["axes"]]
        assert data["counts"] == [counts[panel["queries"]], counts[panel["keys"]]]
        assert len(panel["axes"]) == (2 if kind == "cross" else 1)


@pytest.mark.parametrize("text", ["Der Hund sah den Ball. " * 150, "ein Hund und " * 400, "我看见了狗。" * 170])
def test_a_text_that_is_too_long_says_what_to_do_and_stays(text: str) -> None:
    app = open_page("long_text", sentence=text)
    assert "has positions for 512" in said(app) and "longer texts" in said(app)
    assert app.text_area(key="sentence").value == text
    cut = beginning(bundled_model().inputs, text, 512)
    assert text.startswith(cut) and 400 < len(bundled_model().inputs.encode(cut).ids) <= 512


def test_a_recording_says_how_far_it_is_and_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    going_on = threading.Event()
    record = Model.record

    def slow(self: Model, text: str, *rest: Any, progress: Any = None, **options: Any) -> Any:
        if progress is not None:
            progress(0.25)
            going_on.wait(60)
            progress(0.5)
        return record(self, text, *rest, progress=progress, **options)

    monkeypatch.setattr(Model, "record", slow)
    text = "The slow dog saw the slow ball."
    app = open_page("long_text", sentence=text)
    assert not components(app, "long_map")
    app.run()
    assert app.button(key="cancel_recording")
    app.button(key="cancel_recording").click().run()
    assert "The text is still there" in said(app) and app.text_area(key="sentence").value == text
    going_on.set()
    for run in list(runs()._runs.values()):
        assert run.wait(30)
    app.button(key="record_again").click().run()
    wait_for_map(app)
    assert shown(app)["counts"][0] > 0


def test_a_text_of_megabytes_is_refused_at_once_with_what_would_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attnviz.ui.screens.long_text.recording_run.SAMPLE", 200)
    monkeypatch.setattr("attnviz.models.recording.record_options.free_bytes", lambda _device: 100_000)
    folder = save_checkpoint(tmp_path, "llama", tokenizers_for_tests.gpt2())
    text = "the cat sat on the mat. " * 400
    app = open_page("long_text", sentence=text, model=folder)
    assert "tokens would fit" in said(app) and app.text_area(key="sentence").value == text
    # What would fit is one click away.
    app.button(key="only_beginning").click().run()
    wait_for_map(app)
    beginning = app.text_area(key="sentence").value
    assert shown(app)["counts"][0] > 20 and text.startswith(beginning) and beginning.endswith("mat.")
