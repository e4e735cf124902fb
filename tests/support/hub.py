"""A Hub on this machine that huggingface_hub itself talks to: what it serves and refuses, and where it breaks off."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import threading
import time
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Hub:
    """As much of the Hub's interface as a download needs, on this machine.

    Attributes:
        files: by repository and commit, the content of each file.
        refs: by repository, the commit of each branch and tag.
        gated: repositories whose files are given on request only; everybody may see their list, as on the Hub.
        slow: seconds that pass between the first half and the second of each weights file.
        breaks_off: after the first half of a weights file the Hub is gone, until this is set back.
        gone: whether it answers nothing at all.
        requests: method and path of each request so far, and from where on of the file.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, dict[str, bytes]]] = {}
        self.refs: dict[str, dict[str, str]] = {}
        self.gated: set[str] = set()
        self.slow = 0.0
        self.breaks_off = False
        self.gone = False
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
            if hub.gone:
                self.close_connection = True
                return
            start = re.match(r"bytes=(\d+)-", self.headers.get("Range", ""))
            hub.requests.append(f"{self.command} {self.path}" + (f" from {start[1]}" if start else ""))
            status, headers, body = hub.answer(self.path)
            if start and status == 200:
                first = int(start[1])
                status, headers["Content-Range"] = 206, f"bytes {first}-{len(body) - 1}/{len(body)}"
                body = body[first:]
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.send_body(body)

        def send_body(self, body: bytes) -> None:
            half = len(body) // 2 if self.path.endswith(".safetensors") else len(body)
            self.wfile.write(body[:half])
            self.wfile.flush()
            if half < len(body):
                time.sleep(hub.slow)
                if hub.breaks_off:
                    hub.gone = self.close_connection = True
                    return
            self.wfile.write(body[half:])

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
