"""A Hub on this machine: what is downloaded of it, and what is said where that fails."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from support.checkpoints import ROOT

from attnviz.errors import NetworkError, NotFoundError, UnsafeError


class Hub:
    """As much of the Hub's interface as a download needs, on this machine.

    Attributes:
        files: by repository and commit, the content of each file.
        refs: by repository, the commit of each branch and tag.
        gated: repositories whose files are given on request only; everybody may see their list, as on the Hub.
        requests: method and path of each request so far.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, dict[str, bytes]]] = {}
        self.refs: dict[str, dict[str, str]] = {}
        self.gated: set[str] = set()
        self.requests: list[str] = []

    def add(self, name: str, files: dict[str, bytes], *, branch: str = "main") -> str:
        """Adds a commit to a repository."""
        commit = hashlib.sha1(f"{name} {branch}".encode() + b"".join(files.values())).hexdigest()
        self.files.setdefault(name, {})[commit] = files
        self.refs.setdefault(name, {})[branch] = commit
        return commit

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path."""
        path = path.split("?")[0].strip("/").replace("%2F", "/")
        if path.startswith("api/models/"):
            name, _, rest = path.removeprefix("api/models/").partition("/revision/")
            name, _, tree = name.partition("/tree/")
            return self._listing(name, rest or tree or "main", tree=bool(tree))
        name, _, rest = path.partition("/resolve/")
        revision, _, file = rest.partition("/")
        commit = self.refs.get(name, {}).get(revision, revision)
        content = self.files.get(name, {}).get(commit, {}).get(file)
        if name in self.gated:
            return 401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this model is restricted."}, b""
        if content is None:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        return 200, {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}, content

    def _listing(self, name: str, revision: str, *, tree: bool) -> tuple[int, dict[str, str], bytes]:
        if name not in self.files:
            return 401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, b""
        commit = self.refs[name].get(revision, revision)
        if commit not in self.files[name]:
            return 404, {"X-Error-Code": "RevisionNotFound", "X-Error-Message": f"Invalid rev id: {revision}"}, b""
        files = self.files[name][commit]
        data: Any = {"id": name, "modelId": name, "sha": commit, "siblings": [{"rfilename": file} for file in files]}
        data |= {"private": False, "gated": "manual" if name in self.gated else False, "tags": [], "downloads": 1}
        if tree:
            data = [{"type": "file", "path": file, "size": len(content), "oid": f"{zlib.crc32(content):040x}"}
                    for file, content in files.items()]  # fmt: skip
        return 200, {"Content-Type": "application/json"}, json.dumps(data).encode()


@contextlib.contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """The address at which the Hub answers inside."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            """Nothing at the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


PROGRAM = """
import json, socket, sys
real = socket.socket.connect
def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "localhost", "::1"):
        raise OSError(f"outside of this machine: {address}")
    return real(self, address)
socket.socket.connect = connect
import attnviz
results = []
for task in json.load(sys.stdin):
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
print(json.dumps(results))
"""


def run(endpoint: str, home: Path, tasks: list[dict[str, Any]], **environment: str) -> list[dict[str, Any]]:
    """What loading gives in a process of its own: huggingface_hub reads its settings when it is imported."""
    clean = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy") and name[:3] != "HF_"
    }
    clean |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=clean | environment, input=json.dumps(tasks),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


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
    with serving(hub) as endpoint:
        results = dict(zip(online, run(endpoint, home, list(online.values())), strict=True))
        quiet = run(endpoint, tmp_path_factory.mktemp("quiet"), [online["bert"]], TQDM_DISABLE="1",
                    HF_HUB_DISABLE_PROGRESS_BARS="1")  # fmt: skip
    offline = {name: online[name] for name in ("bert", "old", "commit", "marian", "unknown")}
    gone = dict(zip(offline, run(endpoint, home, list(offline.values())), strict=True))
    said_so = run(endpoint, home, [online["bert"], online["unknown"]], HF_HUB_OFFLINE="1")
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
