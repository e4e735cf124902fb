"""What the pages share: values that are made once, a model that leaves memory, the name of a run."""

from __future__ import annotations

import functools
import gc
import json
import threading
import weakref
from pathlib import Path
from unittest.mock import MagicMock

import pytest
from support.pages import open_page

from attnviz.figures.style import sequential_colours
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.shell import models
from attnviz.ui.shell.model_names import OFFERED, choice_label, model_label
from attnviz.ui.shell.models import RecentValues

opened = functools.partial(open_page, "heads")


def test_a_shelf_makes_a_value_once_and_drops_the_oldest() -> None:
    dropped: list[str] = []
    shelf: RecentValues[object] = RecentValues(2, on_drop=lambda: dropped.append("dropped"))
    made: list[str] = []
    start = threading.Barrier(4)

    def ask() -> None:
        start.wait()
        shelf.get("a", lambda: made.append("a"))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == ["a"]
    shelf.get("b", object)
    shelf.get("a", object)
    shelf.get("c", object)
    assert ("a" in shelf, "b" in shelf, "c" in shelf) == (True, False, True)
    assert dropped == ["dropped"]


@pytest.mark.parametrize("circle", [False, True], ids=["held by nobody", "held by itself"])
def test_a_dropped_model_leaves_memory(bert_folder: str, circle: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf: RecentValues[models.Loaded] = RecentValues(1, on_drop=models._free_memory)
    monkeypatch.setattr(models, "_loaded_models", lambda: shelf)
    place = MagicMock()
    gone = weakref.ref(models.load(bert_folder, place).model.network)
    assert gone() is not None
    if circle:
        gone().itself = [gone()]
        gc.freeze()
    models.load("bundled", place)
    assert gone() is None
    place.empty.assert_called()  # the progress bar is gone


def test_a_shelf_keeps_nothing_of_what_failed() -> None:
    shelf: RecentValues[int] = RecentValues(2)
    with pytest.raises(ZeroDivisionError):
        shelf.get("a", lambda: 1 // 0)
    assert shelf.get("a", lambda: 3) == 3


def test_a_run_is_named_by_all_that_it_shows() -> None:
    assert run_name("a", 1, None) == run_name("a", 1, None)
    assert len({run_name("a", 1), run_name("a", 2), run_name("a", "1"), run_name("a1"), run_name("\ud83d")}) == 5


def test_the_components_have_the_colours_of_the_figures() -> None:
    sources = [element.proto.js_content for element in opened().get("bidi_component")]
    assert all(json.dumps(list(sequential_colours("dark"))) in source for source in sources)


# The list to choose from --------------------------------------------------------------------------------------------


def test_a_folder_is_called_by_its_name_and_the_link_has_its_path(bert_folder: str) -> None:
    app = opened(model=bert_folder)
    box = app.selectbox(key="model")
    assert box.options[:2] == ["Bundled translation model", Path(bert_folder).name]
    assert box.value == bert_folder and app.query_params["model"] in (bert_folder, [bert_folder])
    box.set_value("bundled").run()
    assert "model" not in app.query_params


def test_two_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    folders = [tmp_path / place / "bert" for place in ("one", "two")]
    for folder in folders:
        folder.mkdir(parents=True)
    names = tuple(map(str, folders))
    assert model_label(names[0]) == model_label(names[1]) == "bert"
    assert [choice_label(name, names) for name in names] == list(names)


def test_what_failed_leaves_the_list(tmp_path: Path) -> None:
    gone = str(tmp_path / "gone")
    app = opened(model=gone)
    assert app.error and app.selectbox(key="model").value == gone  # what was asked for stays in the box
    app.selectbox(key="model").set_value("bundled").run()
    assert not app.error and gone not in app.selectbox(key="model").options


def test_the_list_says_what_each_model_is_good_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: False)
    options = opened().selectbox(key="model").options
    assert "OPUS-MT · translates: German → English · 298 MB · Apache 2.0" in options
    assert "BERTje · fills gaps: Dutch · 436 MB · no licence named" in options
    assert len(options) == 1 + len(OFFERED) == len(set(options))
    monkeypatch.setattr("huggingface_hub.constants.is_offline_mode", lambda: True)
    assert opened().selectbox(key="model").options == ["Bundled translation model"]
