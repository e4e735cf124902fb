"""How many people one process serves: sentences a second, memory of each visitor, memory after many sentences.

    python benchmarks/visitors.py --seconds 20 --visitors 200 --sentences 1000

Starts the app on a free port and visits it without a browser: each visitor is a connection that speaks Streamlit's own
messages, types a sentence into the home page, and waits until the server has sent the last of what a browser would
draw. What a browser needs to draw it is not in these figures; `benchmarks/app.py` measures that.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.server import serving  # noqa: E402  (it starts the server that the tests use)

WORDS = ("Hund", "Ball", "Lehrer", "Student", "Haus", "Buch", "Fluss", "Baum", "Garten", "Vogel", "Tisch", "Brief")
LONGEST_RUN = 120  # seconds until a visitor gives up
MIB = 1024**2


def new_sentences() -> Iterator[str]:
    """Sentences of some ten tokens, none of them twice."""
    for number, (one, two, three) in enumerate(itertools.permutations(WORDS, 3)):
        yield f"Der {one} sah den {two} und den {three} {number}."


@dataclass
class Visitor:
    """A connection to the home page.

    Attributes:
        seconds: how long each run took, from the sentence to the last message.
        errors: what the page said went wrong.
    """

    socket: ClientConnection
    box: str = ""
    seconds: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def run(self, sentence: str | None = None) -> None:
        """Opens the page, or has it drawn for another sentence; returns once all of it has come."""
        request = BackMsg()
        request.rerun_script.query_string = ""
        request.rerun_script.context_info.locale = "de-DE"
        if sentence is not None:
            state = request.rerun_script.widget_states.widgets.add()
            state.id, state.string_value = self.box, sentence
        began = time.perf_counter()
        await self.socket.send(request.SerializeToString())
        ready = sentence is None
        async with asyncio.timeout(LONGEST_RUN):
            while True:
                data = await self.socket.recv(decode=False)
                ready = ready or (sentence or "").encode() in data
                message = ForwardMsg.FromString(data)
                kind = message.WhichOneof("type")
                if kind == "delta" and message.delta.HasField("new_element"):
                    self._read(message.delta.new_element)
                elif kind == "script_finished" and message.script_finished == ForwardMsg.FINISHED_SUCCESSFULLY:
                    break
        if sentence is not None:
            self.seconds.append(time.perf_counter() - began)
            if not ready:
                self.errors.append(f"no picture of {sentence!r}")

    def _read(self, element: object) -> None:
        kind = element.WhichOneof("type")  # type: ignore[attr-defined]
        part = getattr(element, kind) if kind else None
        if kind == "text_area" and "sentence" in part.id:
            self.box = part.id
        elif kind == "exception" or (kind == "alert" and part.format == part.ERROR):
            self.errors.append(str(part)[:300])


@contextlib.asynccontextmanager
async def visiting(url: str, count: int):
    """So many visitors who have the home page before them."""
    address = f"ws://{urlsplit(url).netloc}/_stcore/stream"
    async with contextlib.AsyncExitStack() as stack:
        visitors = []
        for _ in range(count):
            socket = await stack.enter_async_context(
                connect(address, subprotocols=["streamlit"], origin=url, max_size=None, proxy=None)
            )
            visitor = Visitor(socket)
            await visitor.run()
            visitors.append(visitor)
        yield visitors


async def type_on(visitor: Visitor, sentences: Iterator[str], end: float) -> None:
    """Types one sentence after the other until the end, or until there are no more."""
    while time.perf_counter() < end:
        sentence = next(sentences, None)
        if sentence is None:
            return
        await visitor.run(sentence)


def server_process(url: str) -> int:
    """The process that serves."""
    port = str(urlsplit(url).port)
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if port in (folder / "cmdline").read_text().split("\0"):
                return int(folder.name)
    raise RuntimeError("no process serves on this port")


def memory(process: int) -> float:
    """What it has in memory, in MiB."""
    line = next(line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def processor_seconds(process: int) -> float:
    """The processor time that it has used."""
    parts = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


async def measure(url: str, options: argparse.Namespace) -> None:
    """Measures what was asked for and prints it."""
    sentences, process = new_sentences(), server_process(url)
    if options.cores:
        os.sched_setaffinity(process, set(range(options.cores)))
    async with visiting(url, options.typing) as visitors:
        for visitor in visitors:
            await visitor.run(next(sentences))
        used, began = processor_seconds(process), time.perf_counter()
        end = began + options.seconds
        for visitor in visitors:
            visitor.seconds.clear()
        await asyncio.gather(*(type_on(visitor, sentences, end) for visitor in visitors))
        report(f"{options.typing} typing all the time", visitors, began, processor_seconds(process) - used)
        if options.sentences:
            await measure_memory(visitors, sentences, process, options)
    if options.visitors:
        before = memory(process)
        async with visiting(url, options.visitors) as visitors:
            each = (memory(process) - before) / options.visitors
            print(f"{options.visitors} connected: {each:.1f} MiB a visitor")
            began, used = time.perf_counter(), processor_seconds(process)
            end = began + options.seconds
            active = visitors[: options.active]
            await asyncio.gather(*(type_on(visitor, sentences, end) for visitor in active))
            report(f"{options.active} of them typing", active, began, processor_seconds(process) - used)
            each = (memory(process) - before) / options.visitors
            print(f"  after that: {each:.1f} MiB a visitor")


async def measure_memory(
    visitors: list[Visitor], sentences: Iterator[str], process: int, options: argparse.Namespace
) -> None:
    """What the server has in memory after 50 more sentences, and after so many as were asked for."""
    end = time.perf_counter() + options.longest
    marks = {}
    for count in (50, options.sentences - 50):
        some = itertools.islice(sentences, count)
        done = [len(visitor.seconds) for visitor in visitors]
        await asyncio.gather(*(type_on(visitor, some, end) for visitor in visitors))
        typed = sum(len(visitor.seconds) for visitor in visitors) - sum(done)
        marks[sum(marks) + typed if marks else typed] = memory(process)
    text = ", ".join(f"{value:.0f} MiB after {count}" for count, value in marks.items())
    print(f"different sentences: {text}")


def report(title: str, visitors: list[Visitor], began: float, used: float) -> None:
    """A line of how many sentences were drawn and how long each took."""
    seconds = sorted(itertools.chain.from_iterable(visitor.seconds for visitor in visitors))
    took = time.perf_counter() - began
    errors = [error for visitor in visitors for error in visitor.errors]
    slow = seconds[int(0.95 * (len(seconds) - 1))] if seconds else float("nan")
    print(
        f"{title}: {len(seconds) / took:.1f} sentences a second, p50 {statistics.median(seconds or [0]):.2f} s, "
        f"p95 {slow:.2f} s, {1000 * used / max(1, len(seconds)):.0f} ms of processor time each, {len(errors)} errors",
        *errors[:3],
        sep="\n  ",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="How many people one process serves, without a browser.")
    parser.add_argument("--seconds", type=float, default=20, help="how long the visitors type")
    parser.add_argument("--typing", type=int, default=8, help="visitors who type without a pause")
    parser.add_argument(
        "--visitors", type=int, default=200, help="that are connected at the same time; 0: leave it out"
    )
    parser.add_argument("--active", type=int, default=10, help="of these, who type")
    parser.add_argument("--sentences", type=int, default=1000, help="for the memory; 0: leave it out")
    parser.add_argument("--longest", type=float, default=180, help="seconds for these sentences at most")
    parser.add_argument("--cores", type=int, default=0, help="that the server may use; 0: all")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="of the server's environment")
    options = parser.parse_args()
    variables = dict(item.split("=", 1) for item in options.set)
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder), **variables) as url:
        asyncio.run(measure(url, options))


if __name__ == "__main__":
    main()
