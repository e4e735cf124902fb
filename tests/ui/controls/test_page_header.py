"""How far a long recording is, said at the top of the page."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from attnviz.ui.controls import page_header
from attnviz.ui.controls.page_header import Text, record


@pytest.mark.parametrize(("patience", "shown"), [(-1.0, [0.25, 0.5, "empty"]), (60.0, [])])
def test_a_long_recording_says_how_far_it_is_and_a_short_one_says_nothing(
    patience: float, shown: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_header, "PATIENCE", patience)
    said: list[Any] = []
    place: Any = SimpleNamespace(progress=lambda share, _text: said.append(share), empty=lambda: said.append("empty"))
    recording = SimpleNamespace(size=lambda _kind: (1, 1, 1, 1))

    def make(sentence: str, _target: None, _pair: None, progress: Any) -> Any:
        progress(0.25)
        progress(0.5)
        return recording

    loaded: Any = SimpleNamespace(record=make, model=None)
    assert record(place, place, loaded, Text("Der Hund sah den Ball."), "encoder") is recording
    assert said == shown
