"""Random and hostile inputs to the pages of a server, as somebody sends them who writes messages by hand.

page ─ a widget gets a value, of its own kind or of another      link ─ an address asks for something
upload ─ files that no page asked for, and messages that are too large or none
"""

from __future__ import annotations

import asyncio
import json
import random
import string
import urllib.error
import urllib.request
from collections import Counter
from typing import Any
from urllib.parse import urlencode, urlsplit

from streamlit.proto.Element_pb2 import Element
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from support.hostile_requests import NASTY
from support.visitors import visiting

PAGES = (
    "", "overview", "compare", "long_text", "story", "steps", "simple_attention", "embeddings", "context", "translate",
    "what_if", "attribution", "roles",
)  # fmt: skip
PARAMETERS = (
    "sentence", "target", "pair", "model", "kind", "layer", "head", "hide", "rows", "by_word", "hide_special", "lang",
    "renormalise", "hide_first", "scale_per_head", "even_colours", "panels", "beside", "method", "find", "word", "step",
    "scene", "change", "temperature", "embed", "rotation", "matrix", "n_heads", "d_out", "trust", "example", "role",
    "sentence_text", "direction", "sampling", "seed", "rounds", "times", "instead", "w_seed", "query_word", "drop",
)  # fmt: skip
SCRIPT = "<script>alert("  # in some of the texts; never in what a browser reads as HTML
FIELDS = {
    "text_area": "string_value", "text_input": "string_value", "selectbox": "string_value", "checkbox": "bool_value",
    "button_group": "string_array_value", "multiselect": "string_array_value", "button": "trigger_value",
    "slider": "double_array_value", "number_input": "double_value", "bidi_component": "json_trigger_value",
    "menu_button": "string_trigger_value",
}  # fmt: skip
EVENTS = (
    "open", "word", "pin", "pick", "want", "edit", "put", "scene", "address", "choose", "step", "reset", "mask", "kind",
    "role", "head", "look", "theme",
)  # fmt: skip
EVENT_KEYS = (
    "tile",
    "side",
    "index",
    "step",
    "id",
    "style",
    "format",
    "panel",
    "layer",
    "head",
    "rows",
    "columns",
    "value",
)
LONGEST_BUTTON = "measure_roles"  # computes for minutes
PATIENCE = 5  # seconds that somebody waits for that before leaving
LARGE = 6 * 1024**2  # bytes, more than a public server takes


def text(chance: random.Random) -> str:
    """A text that some program has stumbled over, or of any characters at all."""
    if chance.random() < 0.6:
        return chance.choice([*NASTY, f"{SCRIPT}1)</script>", f'"><img src=x onerror={SCRIPT}1)>']).replace(
            "\ud800", ""
        )
    alphabet = chance.choice([string.printable, "äöü学生😀\u200d\u0301", "0123456789-+.eE", '{}[]":,'])
    return "".join(chance.choice(alphabet) for _ in range(chance.randrange(60)))


def json_value(chance: random.Random, depth: int = 0) -> Any:
    """Something that JSON can hold."""
    if depth < 3 and chance.random() < 0.4:
        items = [json_value(chance, depth + 1) for _ in range(chance.randrange(4))]
        return items if chance.random() < 0.4 else {chance.choice([*EVENT_KEYS, text(chance)]): item for item in items}
    return chance.choice([None, True, -1, 0, 1, 2, 10**9, 0.5, float("1e308"), text(chance)])


def events(chance: random.Random) -> list[dict[str, Any]]:
    """What a component of the app may say that a reader has done with it."""
    # Each component has some of these; the others are not called.
    return [{"event": name, "value": json_value(chance)} for name in chance.sample(EVENTS, len(EVENTS))]


def value_of(field: str, chance: random.Random) -> Any:
    """A value for a field of Streamlit's message."""
    if field in ("bool_value", "trigger_value"):
        return chance.random() < 0.8
    if field == "double_value":
        return chance.choice([0.0, -1.0, 1e308, float("nan"), float("inf"), chance.uniform(-10, 10)])
    if field == "int_value":
        return chance.choice([0, -1, 2**53, chance.randrange(-20, 20)])
    if field == "double_array_value":
        return [value_of("double_value", chance) for _ in range(chance.randrange(4))]
    if field == "string_array_value":
        return [text(chance) for _ in range(chance.randrange(4))]
    if field == "json_trigger_value":
        return json.dumps(chance.choice([*9 * [events(chance)], json_value(chance), [float("nan")]]))
    if field == "json_value":
        return json.dumps(json_value(chance))
    return text(chance)


class Findings:
    """What came of hostile inputs.

    Attributes:
        seen: how many inputs of each kind there were, and what was answered.
        faults: answers that there must not be.
    """

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()
        self.faults: list[str] = []

    def check(self, about: str, elements: list[Element]) -> None:
        """Notes what a page must not hold: an error of the program, a traceback, a script made of a text."""
        for element in elements:
            kind = element.WhichOneof("type") or ""
            part = getattr(element, kind, None)
            if kind == "exception":
                self.faults.append(f"{about}: {str(part)[:300]}")
            shown = element.SerializeToString()
            if b"Traceback (most recent" in shown:
                self.faults.append(f"{about}: a traceback in {kind}")
            html = {"html": "body", "iframe": "srcdoc", "bidi_component": "html_content"}.get(kind)
            if html and SCRIPT in getattr(part, html):
                self.faults.append(f"{about}: a script in {kind}")
            if kind == "markdown" and part is not None and part.allow_html and SCRIPT in part.body:
                self.faults.append(f"{about}: a script in markdown")


async def set_widgets(url: str, count: int, chance: random.Random, findings: Findings) -> None:
    """Gives widgets of all pages values, so many times in all; every tenth is of a kind that is not the widget's."""
    done = 0
    while done < count:
        page = chance.choice(PAGES)
        async with visiting(url, 1, page) as (visitor,):
            while done < count and chance.random() < 0.95:
                done += 1
                key = chance.choice(sorted(visitor.widgets))
                identity, kind = visitor.widgets[key]
                field = FIELDS.get(kind, "string_value")
                findings.seen["page, another kind" if (is_wrong := chance.random() < 0.1) else "page"] += 1
                if is_wrong:
                    field = chance.choice(sorted({*FIELDS.values(), "int_value", "json_value"} - {field}))
                if kind == "bidi_component" and chance.random() < 0.9:
                    identity = f"$$STREAMLIT_INTERNAL_KEY_{identity}__events"  # as Streamlit calls what it does
                value = value_of(field, chance)
                about = f"/{page} {key} {field} {str(value)[:200]!r}"
                try:
                    async with asyncio.timeout(PATIENCE if key == LONGEST_BUTTON else None):
                        findings.check(about, await visitor.set({identity: (field, value)}))
                except TimeoutError:
                    if key != LONGEST_BUTTON:
                        findings.faults.append(f"{about}: no answer")
                    break


async def follow_links(url: str, count: int, chance: random.Random, findings: Findings) -> None:
    """Opens pages with addresses that ask for something, each in a connection of its own."""
    for _ in range(count):
        page = chance.choice(PAGES)
        parameters = [(chance.choice(PARAMETERS), text(chance)) for _ in range(chance.randrange(1, 6))]
        query = urlencode(parameters, errors="replace")
        findings.seen["link"] += 1
        async with visiting(url, 1, page, query) as (visitor,):
            findings.check(f"/{page}?{query[:300]}", visitor.elements)
        if page == "story":
            answer = await asyncio.to_thread(_fetch, f"{url}/story?{query}")
            if SCRIPT in answer[1]:
                findings.faults.append(f"/story?{query[:300]}: a script in the page")


async def send_files(url: str, count: int, chance: random.Random, findings: Findings) -> None:
    """Sends files to Streamlit's address for them, and messages that are too large or none."""
    address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
    for _ in range(count):
        body = bytes(chance.randrange(256) for _ in range(chance.randrange(2_000)))
        what = chance.choice(["file", "file", "message", "large message", "text"])
        findings.seen[f"upload: {what}"] += 1
        if what == "file":
            path = f"/_stcore/upload_file/{chance.choice(['one', '..', '%2e%2e', '%00'])}/{chance.randrange(9)}"
            status, answer = await asyncio.to_thread(_fetch, f"{url}{path}", body)
            if status < 400 or status >= 500 or "Traceback" in answer:
                findings.faults.append(f"{path}: {status} {answer[:200]}")
            continue
        async with connect(address, subprotocols=["streamlit"], origin=url, max_size=None, proxy=None) as socket:
            sent: bytes | str = {"message": body, "large message": b"\x0a" * LARGE}.get(what, text(chance))
            try:
                await socket.send(sent)
                async with asyncio.timeout(5):
                    while True:
                        if b"Traceback" in await socket.recv(decode=False):
                            findings.faults.append(f"{what}: a traceback")
            except (ConnectionClosed, TimeoutError):
                pass  # closed, or the random bytes were a message that asks for nothing


def _fetch(url: str, body: bytes | None = None) -> tuple[int, str]:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(urllib.request.Request(url, body), timeout=60) as answer:
            return answer.status, answer.read().decode("utf-8", "replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode("utf-8", "replace")
