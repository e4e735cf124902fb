"""What goes wrong on a server is said, nothing typed is lost, and the next request works."""

from __future__ import annotations

import errno
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from huggingface_hub import HfApi
from support.pages import open_page
from support.tiny_models import ids, network

import attnviz
from attnviz.errors import LoadError, MemoryShortError
from attnviz.models.loading import hub
from attnviz.models.network.turns import use_turns
from attnviz.serving.limits import SETTINGS, read_limits
from attnviz.serving.queue import ForwardQueue
from attnviz.serving.requests import request

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def queue() -> Iterator[ForwardQueue]:
    """The queue that all passes of this test go through."""
    made = ForwardQueue(read_limits({}))
    use_turns(made.turn)
    yield made
    use_turns(None)


def test_the_folder_of_a_model_is_deleted_while_it_is_in_use(tmp_path: Path, bert_folder: str) -> None:
    folder = tmp_path / "model"
    shutil.copytree(bert_folder, folder)
    assert not open_page("heads", model=str(folder)).error
    shutil.rmtree(folder)
    app = open_page("heads", model=str(folder), sentence="the cat")
    assert len(app.error) == 1 and "does not exist" in app.error[0].value
    assert app.text_area(key="sentence").value == "the cat"
    assert not open_page("heads", sentence="the cat").error


def test_the_disk_is_full_when_a_model_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    files = [SimpleNamespace(rfilename=name, size=3_000_000) for name in ("config.json", "model.safetensors")]
    monkeypatch.setattr(HfApi, "model_info", lambda *parts, **options: SimpleNamespace(siblings=files))

    def fetch(*parts: Any) -> Path:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(hub, "_fetch", fetch)
    with pytest.raises(LoadError, match=re.escape("no room on the disk for somebody/model (6 MB)")):
        attnviz.load("somebody/model")
    assert attnviz.load("bundled").kinds


def test_a_pass_runs_out_of_memory(queue: ForwardQueue) -> None:
    model = attnviz.Model(network("bert"))
    model.record_ids(ids(3))

    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("out of memory")

    hook = model.network.bert.encoder.layer[0].register_forward_pre_hook(fail)
    with pytest.raises(MemoryShortError, match="does not fit into the memory"), request("heads", "one") as failed:
        model.record_ids(ids(4))
    hook.remove()
    assert failed.outcome == "MemoryShortError" and (queue.computing, queue.waiting) == (0, 0)
    assert model.record_ids(ids(4)).size("encoder")[3] == 4


def test_the_visitor_leaves_in_the_middle_of_a_pass(queue: ForwardQueue) -> None:
    model = attnviz.Model(network("bert"))

    def leave(share: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), request("heads", "one") as left:
        model.record_ids(ids(5), progress=leave)
    assert left.outcome == "left" and (queue.computing, queue.waiting) == (0, 0)
    assert model.record_ids(ids(5)).size("encoder")[3] == 5


LIMITS = {name for name in SETTINGS if name.endswith(("bytes", "seconds", "loaded", "length", "minute"))}
LIMITS |= {"characters", "tokens", "forwards"}


@pytest.mark.parametrize(("file", "names"), [("docs/serving.md", set(SETTINGS)), ("README.md", LIMITS)])
def test_every_setting_is_explained(file: str, names: set[str]) -> None:
    text = (ROOT / file).read_text(encoding="utf-8")
    rows = {row[1].strip("` "): row for row in (line.split("|") for line in text.splitlines()) if len(row) == 6}
    assert {name for name in rows if name.startswith("ATTNVIZ_")} == {SETTINGS[name].variable for name in names}
    for setting in (SETTINGS[name] for name in names):
        for cell, value in zip(rows[setting.variable][2:4], (setting.private, setting.public), strict=True):
            assert cell.strip() == written(value), setting.variable


def written(value: Any) -> str:
    """A value as the table has it."""
    if isinstance(value, str):
        return value or "none"
    number = int(value)
    for unit, size in (("G", 1024**3), ("M", 1024**2)):
        if number >= size and number % size == 0:
            return f"{number // size}{unit}"
    return str(number)
