"""A server for strangers: only the models of its list, headers, and nothing about the computer in any answer."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from starlette.types import Message, Receive, Scope, Send
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from support.browsing import new_context
from support.pages import open_page
from support.server import ROOT, serving

from attnviz.serving import limits
from attnviz.ui.server.discreet import DiscreetMessages
from attnviz.ui.server.headers import content_policy
from attnviz.ui.shell import model_names, models

TOKEN = "a token of this test"


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch, bert_folder: str) -> Iterator[str]:
    """This process as a public server that shows the bundled model and "small"; gives the folder of the latter."""
    monkeypatch.setenv("ATTNVIZ_PUBLIC", "1")
    monkeypatch.setenv("ATTNVIZ_MODELS", f"bundled, small={bert_folder}")
    limits.limits.cache_clear()
    yield bert_folder
    monkeypatch.undo()
    limits.limits.cache_clear()


def test_a_model_of_the_list_goes_by_its_name(public: str) -> None:
    app = open_page("heads", model="small")
    assert not app.error and app.selectbox(key="model").options == ["Bundled translation model", "small"]
    assert not app.selectbox(key="model").proto.accept_new_options
    shown = [loaded.model.name for loaded in models.loaded_models()]
    assert "small" in shown and public not in shown


class Lookups:
    """In the place of a function that asks the file system: notes where it is asked for a name."""

    def __init__(self, touched: list[object], name: str) -> None:
        self._touched, self._name = touched, name

    def __call__(self, path: object) -> bool:
        if str(path) == self._name:
            self._touched.append(path)
        return Path(str(path)).exists()


@pytest.mark.parametrize("name", ["gpt2", "../bundled", "{folder}", "bundled@main", "http://127.0.0.1/"])
def test_what_is_not_on_the_list_is_not_touched(public: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    name = name.format(folder=public)
    open_page("heads")  # loads what ships
    touched: list[object] = []
    monkeypatch.setattr(models.attnviz, "load", lambda *parts, **options: touched.append(parts))
    looked_up = Lookups(touched, name)
    monkeypatch.setattr(model_names.os.path, "isdir", looked_up)
    monkeypatch.setattr(model_names.os.path, "exists", looked_up)
    app = open_page("heads", model=name)
    assert len(app.error) == 1 and "This server shows these models" in app.error[0].value
    assert touched == []


def test_what_is_wrong_with_a_model_of_the_list_is_for_the_log(
    public: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("ATTNVIZ_MODELS", "bundled, gone=/nowhere/secret-folder")
    limits.limits.cache_clear()
    app = open_page("heads", model="gone")
    assert [error.value for error in app.error] == [
        "This model cannot be loaded here at the moment. Choose another one."
    ]
    assert "secret-folder" in caplog.text


def test_a_message_of_streamlit_loses_path_and_versions_and_nothing_else() -> None:
    message = ForwardMsg()
    message.new_session.main_script_path = "/somewhere/app.py"
    message.new_session.name = "attnviz"
    message.new_session.initialize.environment_info.streamlit_version = "1.67.0"
    message.new_session.initialize.environment_info.python_version = "3.11.0"
    sent: list[Message] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        for data in (message.SerializeToString(), b"other /somewhere/else.py"):
            await send({"type": "websocket.send", "bytes": data})

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    asyncio.run(DiscreetMessages(app, "/somewhere/app.py")({"type": "websocket"}, receive, send))
    data = sent[0]["bytes"]
    read = ForwardMsg.FromString(data)
    assert b"somewhere" not in data and b"1.67" not in data and b"3.11" not in data
    assert (read.new_session.main_script_path, read.new_session.name) == ("app.py", "attnviz")
    assert sent[1]["bytes"] == b"other /somewhere/else.py"


def test_scripts_in_a_page_run_by_their_hash_alone() -> None:
    policy = content_policy("https://example.org", ["<p><script>one()</script>", "<script>two()</script>"])
    scripts = next(part for part in policy.split("; ") if part.startswith("script-src"))
    assert scripts.count("'sha256-") == 2 and "unsafe" not in scripts
    assert "frame-ancestors https://example.org" in policy
    assert "'unsafe-eval'" in content_policy("*", is_public=False)


def answer_of(url: str, **headers: str) -> tuple[int, str, dict[str, str]]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urllib.request.Request(url, headers=headers), timeout=60) as response:
            return response.status, response.read().decode(), dict(response.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), dict(error.headers)


def test_a_public_server_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    variables = {"ATTNVIZ_PUBLIC": "1", "ATTNVIZ_METRICS_TOKEN": TOKEN, "ATTNVIZ_MAX_CHARACTERS": "40"}
    with serving(tmp_path, **variables) as url:
        context = new_context(browser, base_url=url, locale="en-US")
        page = context.new_page()
        refused: list[str] = []
        page.on("console", lambda message: refused.append(message.text) if "Content Security" in message.text else None)
        frames: list[bytes] = []
        page.on("websocket", lambda socket: socket.on("framereceived", lambda data: frames.append(
            data if isinstance(data, bytes) else data.encode())))  # fmt: skip
        page.goto("/?sentence=" + "a" * 41)
        alert = page.get_by_test_id("stAlert").filter(has_text="41 characters, and here it may have 40")
        alert.wait_for()
        box = page.locator(".st-key-sentence textarea")
        assert box.input_value() == "a" * 41
        box.fill("A dog.")
        box.press("Enter")
        page.locator('.attnviz-ready[data-sentence="A dog."]').wait_for(state="attached")
        page.goto("/story")
        page.locator(".attnviz-story[data-scene]").wait_for(state="attached")
        page.locator("#attnviz-first-frame").wait_for(state="detached")
        context.close()
        assert refused == []
        assert frames and not [data for data in frames if str(ROOT).encode() in data]
        status, text, headers = answer_of(f"{url}/metrics", Authorization=f"Bearer {TOKEN}")
        assert status == 200 and 'attnviz_requests_total{outcome="TooLongError",request="heads"}' in text
        assert "attnviz_cache_bytes{" in text
        assert headers["x-content-type-options"] == "nosniff" and "script-src 'self' blob:" in headers[
            "content-security-policy"]  # fmt: skip
        assert [answer_of(f"{url}{path}")[0] for path in ("/metrics", "/_stcore/metrics")] == [404, 404]
        log = (tmp_path / "server.log").read_text()
        assert '"request": "heads"' in log and '"outcome": "TooLongError"' in log and "A dog" not in log
