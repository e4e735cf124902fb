"""A Hub on this machine: what is downloaded of it, and what is said where that fails."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from support.checkpoints import ROOT
from support.hub import Hub, serving

from attnviz.errors import NetworkError, NotFoundError, UnsafeError

PROGRAM = """
import json, socket, sys
real = socket.socket.connect
def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "localhost", "::1"):
        raise OSError(f"outside of this machine: {address}")
    return real(self, address)
socket.socket.connect = connect
import attnviz
for line in sys.stdin:
    results = []
    for task in json.loads(line):
        told = []
        try:
            model = attnviz.load(**task, progress=lambda fraction, text: told.append((fraction, text)))
            recording = model.record("Der Hund sah den Ball.")
            tokens = len(recording.query_tokens(recording.kinds[0]))
            results.append({"kinds": model.kinds, "revision": model.revision, "name": model.name, "tokens": tokens,
                            "weight": float(next(model.network.parameters()).flatten()[0])})
        except BaseException as error:
            results.append({"error": type(error).__name__, "text": str(error)})
        results[-1]["told"] = told
    print(json.dumps(results), flush=True)
"""
Tasks = list[dict[str, Any]]


@contextlib.contextmanager
def loading(endpoint: str, home: Path, errors: Path, **environment: str) -> Iterator[Callable[[Tasks], Tasks]]:
    """What loading gives in a process of its own: huggingface_hub reads its settings when it is imported.

    Args:
        endpoint: the Hub's address.
        home: the folder of what is downloaded.
        errors: a file for what the process writes to its standard error.
        environment: more variables of its environment.

    Yields:
        a function that loads one model after the other and gives what came of each.
    """
    clean = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy") and name[:3] != "HF_"
    }
    clean |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}
    with (
        errors.open("w") as log,
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM], cwd=ROOT, env=clean | environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=log, text=True,
        ) as process,
    ):  # fmt: skip
        assert process.stdin is not None and process.stdout is not None

        def load(tasks: Tasks) -> Tasks:
            process.stdin.write(json.dumps(tasks) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            assert answer, errors.read_text()
            results: Tasks = json.loads(answer)
            return results

        yield load
        process.stdin.close()
        assert process.wait(timeout=60) == 0, errors.read_text()


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def hub_results(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What happened to a number of loads: while the Hub answered, after it went, and what it was asked."""
    hub, home = Hub(), tmp_path_factory.mktemp("huggingface")
    bert, marian = files(saved / "bert"), files(saved / "marian")
    other = dict(bert)
    changed = load_file(saved / "bert" / "model.safetensors")
    changed["bert.embeddings.word_embeddings.weight"] += 1
    path = tmp_path_factory.mktemp("changed") / "model.safetensors"
    save_file(changed, path, {"format": "pt"})
    other["model.safetensors"] = path.read_bytes()
    extra = {
        "pytorch_model.bin": b"P" * 999, "consolidated.safetensors": b"C" * 999, "model.fp16.safetensors": b"F" * 999,
        "onnx/model.onnx": b"O" * 999, "onnx/config.json": b"{}", "own.py": b"raise SystemExit", "README.md": b"#",
    }  # fmt: skip
    commits = {
        "main": hub.add("somebody/tiny-bert", bert | extra),
        "old": hub.add("somebody/tiny-bert", other, branch="old"),
        "marian": hub.add("tiny-marian", marian),
    }
    hub.add("somebody/pickled", {"config.json": bert["config.json"], "pytorch_model.bin": b"P" * 999})
    hub.add("somebody/far-away", bert)
    hub.add("somebody/empty", {"README.md": b"#"})
    hub.add("somebody/gated", bert)
    hub.gated.add("somebody/gated")
    own = json.loads(bert["config.json"]) | {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}
    hub.add("somebody/own-code", bert | {"config.json": json.dumps(own).encode(), "own.py": b"raise SystemExit"})
    online = {
        "bert": {"name": "somebody/tiny-bert"},
        "old": {"name": "somebody/tiny-bert", "revision": "old"},
        "commit": {"name": "somebody/tiny-bert", "revision": commits["old"]},
        "marian": {"name": "tiny-marian"},
        "pickled": {"name": "somebody/pickled"},
        "empty": {"name": "somebody/empty"},
        "gated": {"name": "somebody/gated"},
        "own code": {"name": "somebody/own-code"},
        "unknown": {"name": "somebody/nothing"},
        "unknown revision": {"name": "somebody/tiny-bert", "revision": "v9"},
    }
    offline = {name: online[name] for name in ("bert", "old", "commit", "marian", "unknown")}
    errors = tmp_path_factory.mktemp("log") / "errors.txt"
    # Each process imports torch and transformers, which takes seconds: one goes on where the Hub has gone.
    with contextlib.ExitStack() as later:
        with serving(hub) as endpoint:
            load = later.enter_context(loading(endpoint, home, errors))
            results = dict(zip(online, load(list(online.values())), strict=True))
            hub.breaks_off, hub.gone = True, False
            results["broken"] = load([{"name": "somebody/far-away"}])[0]
            hub.breaks_off = hub.gone = False
            results["again"] = load([{"name": "somebody/far-away"}])[0]
            with loading(endpoint, tmp_path_factory.mktemp("quiet"), errors, TQDM_DISABLE="1",
                         HF_HUB_DISABLE_PROGRESS_BARS="1") as load_quietly:  # fmt: skip
                quiet = load_quietly([online["bert"]])
        hub.gone = True  # nor does it answer on a connection that is still open
        gone = dict(zip(offline, load(list(offline.values())), strict=True))
    with loading(endpoint, home, errors, HF_HUB_OFFLINE="1") as load_offline:
        said_so = load_offline([online["bert"], online["unknown"]])
    yield {"online": results, "gone": gone, "quiet": quiet[0], "offline": said_so, "hub": hub, "commits": commits}


def test_a_hub_model_is_downloaded_and_its_commit_kept(hub_results: dict[str, Any]) -> None:
    found = hub_results["online"]["bert"]
    assert found["kinds"] == ["encoder"] and found["name"] == "somebody/tiny-bert" and found["tokens"] > 6
    assert found["revision"] == hub_results["commits"]["main"]
    marian = hub_results["online"]["marian"]
    assert marian["kinds"] == ["encoder", "decoder", "cross"] and marian["revision"] == hub_results["commits"]["marian"]


def test_a_revision_by_branch_or_commit(hub_results: dict[str, Any]) -> None:
    main, old, commit = (hub_results["online"][name] for name in ("bert", "old", "commit"))
    assert old["revision"] == commit["revision"] == hub_results["commits"]["old"]
    assert old["weight"] == commit["weight"] == pytest.approx(main["weight"] + 1)


def test_only_what_is_needed_is_downloaded(hub_results: dict[str, Any]) -> None:
    asked = [
        request.rsplit("/resolve/", 1)[1].partition("/")[2]
        for request in hub_results["hub"].requests
        if "/resolve/" in request
    ]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(asked)
    assert not [file for file in asked if file.endswith((".bin", ".py", ".md", ".onnx")) or "/" in file]
    assert not {"consolidated.safetensors", "model.fp16.safetensors"} & set(asked)


def test_a_download_tells_how_far_it_is(hub_results: dict[str, Any]) -> None:
    for name in ("bert", "marian"):
        told = hub_results["online"][name]["told"]
        full = "somebody/tiny-bert" if name == "bert" else "tiny-marian"
        assert told[0] == [None, f"Looking for {full} on the Hub"] and told[-1] == [None, f"Loading {full}"]
        fractions = [fraction for fraction, text in told if text.startswith(f"Downloading {full}: ")]
        assert fractions and all(0.0 <= fraction <= 1.0 for fraction in fractions)
        assert max(fractions) == 1.0
        texts = [text for _fraction, text in told if text.startswith("Downloading")]
        assert all(re.fullmatch(r"Downloading .+: \d of \d files, \d+ of \d+ MB", text) for text in texts), texts
        counts = [re.search(r"(\d) of (\d) files", text).groups() for text in texts]  # type: ignore[union-attr]
        assert counts[-1][0] == counts[-1][1] and counts == sorted(counts)


def test_a_download_that_breaks_off_says_so_and_goes_on_from_there(hub_results: dict[str, Any]) -> None:
    broken, again = hub_results["online"]["broken"], hub_results["online"]["again"]
    assert broken.get("error") == NetworkError.__name__, broken
    assert broken["text"].startswith("The download of somebody/far-away stopped (")
    assert broken["text"].endswith("What is there is kept; try again.")
    assert again.get("kinds") == ["encoder"] and again["weight"] == hub_results["online"]["bert"]["weight"], again


def test_a_download_goes_well_where_progress_bars_are_off(hub_results: dict[str, Any]) -> None:
    assert hub_results["quiet"].get("kinds") == ["encoder"], hub_results["quiet"]


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        (
            "pickled",
            UnsafeError,
            "somebody/pickled has its weights only as pytorch_model.bin, a format that can run code",
        ),
        ("empty", NotFoundError, "somebody/empty has no *.safetensors file, so there are no weights to load."),
        (
            "gated",
            NotFoundError,
            "somebody/gated is gated: its owner gives access on request. Ask for it on its Hub page",
        ),
        ("own code", UnsafeError, "somebody/own-code needs code of its own to run, and attnviz runs no code"),
        ("unknown", NotFoundError, "There is no model 'somebody/nothing' on the Hub, and no folder of that name here."),
        ("unknown revision", NotFoundError, "somebody/tiny-bert has no revision 'v9'. Leave it empty for the newest."),
    ],
)
def test_what_is_wrong_with_a_hub_model_is_said(name: str, error: type, text: str, hub_results: dict[str, Any]) -> None:
    found = hub_results["online"][name]
    assert found.get("error") == error.__name__, found
    assert found["text"].startswith(text)


def test_nothing_is_downloaded_of_a_model_that_is_refused(hub_results: dict[str, Any]) -> None:
    asked = [request for request in hub_results["hub"].requests if "/resolve/" in request]
    assert asked
    assert not [request for request in asked if "/pickled/" in request or "/empty/" in request]


def test_what_was_downloaded_is_there_without_the_hub(hub_results: dict[str, Any]) -> None:
    for name in ("bert", "old", "commit", "marian"):
        found, before = hub_results["gone"][name], hub_results["online"][name]
        assert "error" not in found, (name, found)
        assert (found["revision"], found["weight"]) == (before["revision"], before["weight"])
    assert hub_results["offline"][0].get("kinds") == ["encoder"], "nor is it asked where that is forbidden"


def test_no_network_is_said(hub_results: dict[str, Any]) -> None:
    for found in (hub_results["gone"]["unknown"], hub_results["offline"][1]):
        assert found.get("error") == NetworkError.__name__, found
        assert found["text"].startswith("somebody/nothing is not on this machine, and the Hub could not be reached (")
        assert 'or use the bundled model, which needs no network ("bundled").' in found["text"]
