"""Visitors without a browser: connections that speak Streamlit's own messages with the app's server."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.Element_pb2 import Element
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

LONGEST_RUN = 120  # seconds until a visitor gives up

_WORDS = ("Hund", "Ball", "Lehrer", "Student", "Haus", "Buch", "Fluss", "Baum", "Garten", "Vogel", "Tisch", "Brief")


def new_sentences(begin_with: int = 0) -> Iterator[str]:
    """Sentences of some ten tokens, none of them twice; another number to begin with makes others."""
    for number in itertools.count(begin_with):
        for one, two, three in itertools.permutations(_WORDS, 3):
            yield f"Der {one} sah den {two} und den {three} {number}."


@dataclass
class Visitor:
    """A connection to a page.

    Attributes:
        socket: of it.
        page: by its name in the address; "" is the home page.
        page_hash: what Streamlit calls the page; a message without it begins the page anew.
        widgets: what can be set on the page, by its key: its id, and which kind of element it is.
        seconds: how long each sentence took, from sending it to the last message.
        errors: what the page said went wrong.
        elements: of the page as it was opened.
    """

    socket: ClientConnection
    page: str = ""
    page_hash: str = ""
    widgets: dict[str, tuple[str, str]] = field(default_factory=dict)
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    elements: list[Element] = field(default_factory=list)

    async def open(self, query: str = "") -> list[Element]:
        """Has the page drawn anew, with what its address asks for; returns its elements once all of them have come."""
        self.page_hash = ""
        return await self._run(self._request(query))

    async def type(self, sentence: str) -> None:
        """Has the page drawn for another sentence, and notes how long that took."""
        request = self._request("")
        state = request.rerun_script.widget_states.widgets.add()
        state.id, state.string_value = self.widgets["sentence"][0], sentence
        began = time.perf_counter()
        elements = await self._run(request)
        self.seconds.append(time.perf_counter() - began)
        if not any(sentence.encode() in element.SerializeToString() for element in elements):
            self.errors.append(f"no picture of {sentence!r}")

    async def set(self, values: dict[str, tuple[str, Any]], query: str = "") -> list[Element]:
        """Has the page drawn with these values of its widgets: by key, the field of Streamlit's message and a value."""
        request = self._request(query)
        for key, (name, value) in values.items():
            state = request.rerun_script.widget_states.widgets.add()
            state.id = self.widgets[key][0] if key in self.widgets else key
            if name.endswith("array_value"):
                getattr(state, name).data.extend(value)
            elif name == "string_trigger_value":
                state.string_trigger_value.data = value
            else:
                setattr(state, name, value)
        return await self._run(request)

    async def send(self, sentence: str) -> None:
        """Sends a sentence and does not wait for what comes of it."""
        request = self._request("")
        state = request.rerun_script.widget_states.widgets.add()
        state.id, state.string_value = self.widgets["sentence"][0], sentence
        await self.socket.send(request.SerializeToString())

    def _request(self, query: str) -> BackMsg:
        request = BackMsg()
        request.rerun_script.query_string = query
        request.rerun_script.page_name = self.page
        request.rerun_script.page_script_hash = self.page_hash
        request.rerun_script.context_info.locale = "de-DE"
        return request

    async def _run(self, request: BackMsg) -> list[Element]:
        await self.socket.send(request.SerializeToString())
        elements: list[Element] = []
        async with asyncio.timeout(LONGEST_RUN):
            while True:
                message = ForwardMsg.FromString(await self.socket.recv(decode=False))
                kind = message.WhichOneof("type")
                if kind == "delta" and message.delta.HasField("new_element"):
                    elements.append(message.delta.new_element)
                    self._note(message.delta.new_element)
                elif kind == "navigation":
                    self.page_hash = message.navigation.page_script_hash
                elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    return elements

    def _note(self, element: Element) -> None:
        kind = element.WhichOneof("type")
        if kind is None:
            return
        part = getattr(element, kind)
        if kind == "exception" or (kind == "alert" and part.format == part.ERROR):
            self.errors.append(str(part)[:300])
        elif identity := getattr(part, "id", ""):
            # Streamlit writes "$$ID-", a hash, and the key, which may be "None".
            self.widgets[identity.split("-", 2)[-1] if identity.startswith("$$ID-") else identity] = (identity, kind)


@contextlib.asynccontextmanager
async def visiting(url: str, count: int, page: str = "", query: str = "") -> AsyncIterator[list[Visitor]]:
    """So many visitors who have a page before them.

    Args:
        url: of the app's server.
        count: how many.
        page: by its name in the address; "" is the home page.
        query: what the address asks for, behind the question mark.
    """
    address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
    async with contextlib.AsyncExitStack() as stack:
        visitors = []
        for _ in range(count):
            socket = await stack.enter_async_context(
                connect(address, subprotocols=["streamlit"], origin=url, max_size=None, proxy=None)
            )
            visitor = Visitor(socket, page)
            visitor.elements = await visitor.open(query)
            visitors.append(visitor)
        yield visitors
