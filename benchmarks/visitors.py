"""How many people the app serves: sentences a second, memory of each visitor, memory after many sentences.

    python benchmarks/visitors.py rate --seconds 20 --replicas 1 2 --cores 1 2
    python benchmarks/visitors.py connected --visitors 200 --active 10 --seconds 20
    python benchmarks/visitors.py memory --sentences 1000

Starts the app on free ports and visits it without a browser: each visitor is a connection that speaks Streamlit's own
messages, types a sentence into the home page, and waits until the server has sent the last of what a browser would
draw. What a browser needs to draw it is not in these figures; `benchmarks/tabs.py` measures that. Each ends with
status 1 where a visitor met an error.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import itertools
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from support.server import process_at, serving  # noqa: E402  (they start the server that the tests use)
from support.visitors import Visitor, new_sentences, visiting  # noqa: E402


async def type_on(visitor: Visitor, sentences: Iterator[str], end: float) -> None:
    """Types one sentence after the other until the end, or until there are no more."""
    while time.perf_counter() < end:
        sentence = next(sentences, None)
        if sentence is None:
            return
        await visitor.type(sentence)


def memory(process: int) -> float:
    """What it has in memory, in MiB."""
    line = next(line for line in Path(f"/proc/{process}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def processor_seconds(process: int) -> float:
    """The processor time that it has used."""
    parts = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def keep_to_cores(process: int, cores: int) -> None:
    """Has a process, with all its threads, use the first so many of the cores."""
    for task in Path(f"/proc/{process}/task").iterdir():
        os.sched_setaffinity(int(task.name), set(sorted(os.sched_getaffinity(0))[:cores]))


class Typing:
    """What the visitors' sentences took, and the servers."""

    def __init__(self, visitors: list[Visitor], processes: list[int]) -> None:
        self.visitors, self.processes = visitors, processes
        for visitor in visitors:
            visitor.seconds.clear()
        self.used = sum(map(processor_seconds, processes))
        self.used_here = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        self.began = time.perf_counter()

    def report(self, title: str) -> int:
        """Prints a line; returns how many errors there were."""
        took = time.perf_counter() - self.began
        seconds = sorted(itertools.chain.from_iterable(visitor.seconds for visitor in self.visitors))
        used = sum(map(processor_seconds, self.processes)) - self.used
        used_here = sum(resource.getrusage(resource.RUSAGE_SELF)[:2]) - self.used_here
        errors = [error for visitor in self.visitors for error in visitor.errors]
        slow = seconds[int(0.95 * (len(seconds) - 1))] if seconds else float("nan")
        each = 1000 / max(1, len(seconds))
        print(
            f"{title}: {len(seconds) / took:.1f} sentences a second, p50 {statistics.median(seconds or [0]):.2f} s, "
            f"p95 {slow:.2f} s; of processor time {each * used:.0f} ms each, the visitors themselves "
            f"{each * used_here:.0f} ms; {len(errors)} errors",
            *errors[:3],
            sep="\n  ",
            flush=True,
        )
        return len(errors)


async def measure_rate(urls: list[str], options: argparse.Namespace, cores: int) -> int:
    """Sentences a second of copies of the app whose visitors type without a pause."""
    sentences, processes = new_sentences(), [process_at(url) for url in urls]
    for process in processes:
        keep_to_cores(process, cores)
    async with contextlib.AsyncExitStack() as stack:
        visitors = []
        for number, url in enumerate(urls):
            count = options.typing // len(urls) + (number < options.typing % len(urls))
            visitors += await stack.enter_async_context(visiting(url, count))
        for visitor in visitors:
            await visitor.type(next(sentences))
        typing = Typing(visitors, processes)
        end = typing.began + options.seconds
        await asyncio.gather(*(type_on(visitor, sentences, end) for visitor in visitors))
        return typing.report(f"copies {len(urls)}, cores {cores}, {options.typing} typing")


async def measure_connected(url: str, options: argparse.Namespace) -> int:
    """Memory of visitors who have the page before them, and how long sentences of some of them take."""
    sentences, process = new_sentences(), process_at(url)
    async with visiting(url, 4) as first:  # what every server takes that has been used at all
        for visitor in first * 10:
            await visitor.type(next(sentences))
    before = memory(process)
    async with visiting(url, options.visitors) as visitors:
        for visitor in visitors:
            visitor.errors.clear()
        print(f"{options.visitors} connected: {(memory(process) - before) / options.visitors:.2f} MiB a visitor")
        typing = Typing(visitors, [process])
        end = typing.began + options.seconds
        await asyncio.gather(*(type_on(visitor, sentences, end) for visitor in visitors[: options.active]))
        errors = typing.report(f"{options.active} of them typing")
        print(f"  after that: {(memory(process) - before) / options.visitors:.2f} MiB a visitor")
    return errors


async def measure_memory(url: str, options: argparse.Namespace) -> int:
    """What the server has in memory after 50 sentences, and after so many as were asked for."""
    sentences, process = new_sentences(), process_at(url)
    async with visiting(url, options.typing) as visitors:
        typing = Typing(visitors, [process])
        end, done = typing.began + options.longest, 0
        marks = {}
        for count in sorted({50, *range(250, options.sentences, 250), options.sentences}):
            some = itertools.islice(sentences, count - done)
            await asyncio.gather(*(type_on(visitor, some, end) for visitor in visitors))
            done = sum(len(visitor.seconds) for visitor in visitors)
            marks[done] = memory(process)
            if time.perf_counter() > end:
                break
        print("different sentences:", ", ".join(f"{value:.0f} MiB after {count}" for count, value in marks.items()))
        print(f"after the last of them {list(marks.values())[-1] - list(marks.values())[0]:+.0f} MiB")
        return typing.report(f"{options.typing} typing")


@contextlib.asynccontextmanager
async def copies(count: int, options: argparse.Namespace) -> AsyncIterator[list[str]]:
    """Addresses of so many servers of the app."""
    variables = dict(item.split("=", 1) for item in options.set)
    with contextlib.ExitStack() as stack:
        folders = [Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(count)]
        yield [stack.enter_context(serving(folder, **variables)) for folder in folders]


async def run(options: argparse.Namespace) -> int:
    """Measures what was asked for; returns how many errors the visitors met."""
    errors = 0
    if options.what == "rate":
        for count in options.replicas:
            async with copies(count, options) as urls:
                for cores in options.cores:
                    errors += await measure_rate(urls, options, cores)
    else:
        measure = {"connected": measure_connected, "memory": measure_memory}[options.what]
        async with copies(1, options) as (url,):
            errors += await measure(url, options)
    return errors


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="of the server's environment")
    what = parser.add_subparsers(dest="what", required=True)
    rate = what.add_parser("rate", help="sentences a second")
    rate.add_argument("--replicas", type=int, nargs="+", default=[1], help="copies of the app, one run for each number")
    rate.add_argument(
        "--cores", type=int, nargs="+", default=[os.cpu_count() or 1], help="that all copies share, likewise"
    )
    connected = what.add_parser("connected", help="many visitors, some of whom type")
    connected.add_argument("--visitors", type=int, default=200, help="that are connected at the same time")
    connected.add_argument("--active", type=int, default=10, help="of these, who type")
    held = what.add_parser("memory", help="after many sentences")
    held.add_argument("--sentences", type=int, default=1000, help="all of them different")
    held.add_argument("--longest", type=float, default=300, help="seconds for them at most")
    for one in (rate, connected):
        one.add_argument("--seconds", type=float, default=20, help="how long they type")
    for one in (rate, held):
        one.add_argument("--typing", type=int, default=8, help="visitors who type without a pause")
    return int(asyncio.run(run(parser.parse_args())) > 0)


if __name__ == "__main__":
    sys.exit(main())
