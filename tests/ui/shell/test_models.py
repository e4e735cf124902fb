"""What the pages share: values that are made once, a model that leaves memory, the name of a run."""

from __future__ import annotations

import functools
import json
import threading
import weakref
from unittest.mock import MagicMock

import pytest
from support.pages import open_page

from attnviz.figures.style import sequential_colours
from attnviz.ui.components.ready import run_name
from attnviz.ui.shell import models
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


def test_a_dropped_model_leaves_memory(bert_folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf: RecentValues[models.Loaded] = RecentValues(1, on_drop=models._free_memory)
    monkeypatch.setattr(models, "_loaded_models", lambda: shelf)
    place = MagicMock()
    gone = weakref.ref(models.load(bert_folder, place).model.network)
    assert gone() is not None
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
