"""What strangers do over the network: they leave half-way, come from other sites, send what no page does."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from support.pages import save_checkpoint
from support.server import serving
from support.tiny_tokenizers import wordpiece
from support.visitors import visiting
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

TOKEN = "a token of this test"
STORED = 'attnviz_cache_entries{model="slow"}'
LONG_TEXT = "the cat " * 1_000  # which the model of this test reads for many seconds, layer by layer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a public server with a model that is slow, and the file of what it writes."""
    folder = tmp_path_factory.mktemp("strangers")
    sizes = {"num_hidden_layers": 60, "max_position_embeddings": 8192}
    slow = save_checkpoint(folder / "slow", "bert", wordpiece(), **sizes)
    variables = {"ATTNVIZ_PUBLIC": "1", "ATTNVIZ_MODELS": f"bundled, slow={slow}", "ATTNVIZ_MAX_TOKENS": "8000"}
    variables |= {"ATTNVIZ_FORWARD_SECONDS": "0", "ATTNVIZ_METRICS_TOKEN": TOKEN, "HF_HUB_OFFLINE": "1"}
    with serving(folder, **variables) as url:
        until(lambda: asked(f"{url}/readyz")[0] == 200)  # what it computes at its start is over
        assert ask_weights(url, "the cat") == 200
        yield url, folder / "server.log"


def asked(url: str, body: bytes | None = None, **headers: str) -> tuple[int, str]:
    """Status and text of an answer."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urllib.request.Request(url, body, headers), timeout=60) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def number(url: str, name: str) -> int:
    """A number of the server's own about itself."""
    text = asked(f"{url}/metrics", Authorization=f"Bearer {TOKEN}")[1]
    match = re.search(rf"^{re.escape(name)} (\d+)", text, re.MULTILINE)
    assert match
    return int(match[1])


def computing(url: str) -> int:
    """How many computations are under way."""
    return number(url, "attnviz_queue_computing")


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 150  # a server that starts on a busy machine takes more than a minute
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)


def outcomes(log: Path, request: str) -> list[str]:
    """What came of the requests of a page or an address, in their order."""
    lines = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [line["outcome"] for line in lines if line["request"] == request]


def ask_weights(url: str, text: str) -> int:
    """The status of an answer with the weights of a text."""
    body = json.dumps({"model": "slow", "text": text, "pool": 8}).encode()
    return asked(f"{url}/api/v1/attention", body, **{"Content-Type": "application/json"})[0]


def slow_request(url: str, text: str = LONG_TEXT) -> bytes:
    """A request for the weights of a text, as it goes over the network."""
    body = json.dumps({"model": "slow", "text": text, "pool": 8}).encode()
    host = urlsplit(url).netloc
    head = f"POST /api/v1/attention HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def test_a_program_that_leaves_ends_its_computation_and_gives_up_its_place(server: tuple[str, Path]) -> None:
    url, log = server
    address = (urlsplit(url).hostname, urlsplit(url).port)
    with socket.create_connection(address) as first, socket.create_connection(address) as second:
        first.sendall(slow_request(url))
        until(lambda: computing(url) == 1)
        second.sendall(slow_request(url, LONG_TEXT + "sat"))
        time.sleep(0.5)  # until it waits behind the first
        second.close()
        until(lambda: outcomes(log, "/api/v1/attention")[1:] == ["left"])
        assert computing(url) == 1
    until(lambda: outcomes(log, "/api/v1/attention")[1:] == ["left", "left"])
    assert computing(url) == 0
    assert ask_weights(url, "the cat sat") == 200


def test_a_tab_that_is_closed_ends_its_computation(server: tuple[str, Path]) -> None:
    url, log = server
    stored: list[int] = []

    async def visit() -> None:
        async with visiting(url, 1) as (visitor,):
            await visitor.open("model=slow&sentence=the+cat")
            assert visitor.errors == []
            stored.append(number(url, STORED))
            await visitor.send(LONG_TEXT)
            await asyncio.to_thread(until, lambda: computing(url) == 1)
            visitor.socket.transport.abort()  # as a computer does that is switched off

    asyncio.run(visit())
    until(lambda: outcomes(log, "heads")[-1] == "left")
    assert computing(url) == 0 and [number(url, STORED)] == stored, "nothing was computed to its end"


def test_pages_of_other_sites_cannot_connect(server: tuple[str, Path]) -> None:
    url, _log = server
    address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
    for origin in ("https://example.org", "http://127.0.0.1.example.org", "null"):
        with pytest.raises(InvalidStatus, match="403"):
            connect(address, origin=origin, subprotocols=["streamlit"], proxy=None)
    with connect(address, origin=url, subprotocols=["streamlit"], proxy=None) as socket_:
        socket_.send(BackMsg(rerun_script={"query_string": ""}).SerializeToString())
        assert ForwardMsg.FromString(socket_.recv(decode=False)).WhichOneof("type")


@pytest.mark.parametrize("data", [b"\xff\xff not a message", "text"])
def test_what_is_no_message_ends_its_connection(server: tuple[str, Path], data: bytes | str) -> None:
    url, log = server
    with connect(f"ws://{urlsplit(url).netloc}/_stcore/stream", origin=url, subprotocols=["streamlit"]) as visitor:
        visitor.send(data)
        with pytest.raises(ConnectionClosed):
            while True:
                assert b"Traceback" not in visitor.recv(decode=False)
    assert "Traceback" not in log.read_text()


def test_messages_that_no_page_sends_do_nothing(server: tuple[str, Path]) -> None:
    url, _log = server
    before = asked(f"{url}/api/v1/models")[1]
    with connect(f"ws://{urlsplit(url).netloc}/_stcore/stream", origin=url, subprotocols=["streamlit"]) as visitor:
        for kind in ("clear_cache", "load_git_info", "set_run_on_save", "debug_shutdown_runtime"):
            visitor.send(BackMsg(**{kind: True}).SerializeToString())
        visitor.send(BackMsg(file_urls_request={"request_id": "one", "file_names": ["a.txt"]}).SerializeToString())
        visitor.send(BackMsg(app_heartbeat=True).SerializeToString())
        kinds = []
        while "heartbeat_ack" not in kinds:
            kinds.append(ForwardMsg.FromString(visitor.recv(decode=False)).WhichOneof("type"))
    assert not {"git_info_changed", "file_urls_response", "session_status_changed"} & set(kinds)
    assert json.loads(before)["models"][0]["loaded"] and asked(f"{url}/api/v1/models")[1] == before
    assert asked(f"{url}/_stcore/upload_file/one/two", b"a", **{"Content-Type": "text/plain"})[0] in (404, 405)
