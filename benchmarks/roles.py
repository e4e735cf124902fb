"""How fast heads are measured over a corpus, beside the plain forward pass on the same batches, and how that grows.

    python -m benchmarks.roles                                  # 1,000 and 10,000 sentences of ten words, one core
    python -m benchmarks.roles --threads 2 1000                 # one process with two threads
    python -m benchmarks.roles --workers 2 1000 10000 100000    # two processes: throughput and memory, as it grows

Every size runs in a process of its own, so that its memory is its own. "CPU s" is time of the processor, which other
programs on the machine change little; "s" is what a clock says. With workers, memory is that of every process that the
run starts, Ray's own among them, read twice a second; pages that processes share are counted for each. "per s" leaves
out what comes before the first texts are done, the start of the processes above all. `docs/roles.md` has the tables.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import torch

import attnviz
from attnviz.models.model import Model
from attnviz.roles import Text, measure
from attnviz.roles.measurement.collecting import Reading
from attnviz.roles.measurement.parts import batches

GERMAN = "der Hund die Katze ein Kind sah den Ball im Garten und schläft heute nicht mehr weil es regnet"
ENGLISH = "the dog a cat one child saw our ball in that garden and sleeps today no more because it rains"
WORDS = 10
BATCH_TOKENS = 2048
PLAIN = 2_000
"""The plain pass is run on so many sentences at most, and its time is taken for the others."""


def sentences(count: int) -> Iterator[Text]:
    """Pairs of sentences of ten words, always the same ones, made one after another so that they need no memory."""
    draw = random.Random(0)
    sides = [GERMAN.split(), ENGLISH.split()]
    for _ in range(count):
        yield Text(*(" ".join(draw.choice(words) for _ in range(WORDS)) + "." for words in sides))


def forward_time(model: Model, texts: list[Text]) -> float:
    """Seconds of processor time for the plain forward pass: encoder, decoder and logits, tokens ready made."""
    readings = [
        Reading(
            number,
            text.text,
            text.target or "",
            model.inputs.encode(text.text).tokens,
            model.inputs.encode(text.target or ".").tokens,
        )
        for number, text in enumerate(texts)
    ]
    pad = model.network.config.pad_token_id
    made = []
    for batch in batches(readings, BATCH_TOKENS):
        source = padded([[token.id for token in reading.source] for reading in batch], pad)
        target = padded([[token.id for token in reading.written] for reading in batch], pad)
        made.append((source, (source != pad).long(), target))
    with torch.no_grad():
        model.network(input_ids=made[0][0], attention_mask=made[0][1], decoder_input_ids=made[0][2])
        begin = time.process_time()
        for source, mask, target in made:
            model.network(input_ids=source, attention_mask=mask, decoder_input_ids=target)
        return time.process_time() - begin


def padded(rows: list[list[int]], pad: int) -> torch.Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [pad] * (longest - len(row)) for row in rows])


class Memory:
    """The most that this process and those that it starts have in memory together, in MiB.

    Attributes:
        own, reader, together: of this process, of the largest reader, and of all of them.
    """

    def __init__(self) -> None:
        self.own = self.reader = self.together = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.5):
            held = {number: held_by(number) for number in family(os.getpid())}
            readers = [size for number, size in held.items() if is_reader(number)]
            self.own = max(self.own, held.get(os.getpid(), 0))
            self.reader = max(self.reader, *readers, 0)
            self.together = max(self.together, sum(held.values()))


def family(first: int) -> list[int]:
    """A process, and all that it and its children started."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except OSError:  # it has ended
            continue
        children.setdefault(parent, []).append(int(folder.name))
    result = [first]
    for number in result:
        result += children.get(number, [])
    return result


def held_by(number: int) -> int:
    """What a process has in memory, in MiB; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{number}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) // 1024 for line in lines if line.startswith("VmRSS")), 0)


def is_reader(number: int) -> bool:
    """Whether a process is one of Ray's that hold a model."""
    try:
        return Path(f"/proc/{number}/cmdline").read_bytes().startswith(b"ray::_Reader")
    except OSError:
        return False


def in_one_process(count: int, threads: int) -> None:
    """Measures in this process and prints a line."""
    torch.set_num_threads(threads)
    model, some = attnviz.load("bundled", device="cpu"), list(sentences(min(count, PLAIN)))
    measure(model, some[:32])
    plain = forward_time(model, some) * count / len(some)
    begin, busy = time.perf_counter(), time.process_time()
    measure(model, sentences(count), batch_tokens=BATCH_TOKENS)
    busy, taken = time.process_time() - busy, time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{count:>10,} {taken:>8.1f} {count / taken:>6.0f} {busy:>8.1f} {count / busy:>10.0f} {plain:>14.1f} "
        f"{busy / plain:>6.2f} {memory:>8,}",
        flush=True,
    )


def in_several(count: int, workers: int) -> None:
    """Measures with Ray and prints a line."""
    model, done = attnviz.load("bundled", device="cpu"), [(0.0, 0)]
    size = min(1024, max(1, count // (2 * workers)))
    begin = time.perf_counter()
    with Memory() as memory:
        measure(
            model,
            sentences(count),
            batch_tokens=BATCH_TOKENS,
            texts_at_once=size,
            workers=workers,
            progress=lambda texts, _: done.append((time.perf_counter() - begin, texts)),
        )
        taken = time.perf_counter() - begin
    (first, before), (last, after) = done[1], done[-1]
    speed = (after - before) / (last - first) if after > before else count / taken
    print(
        f"{count:>10,} {taken:>8.1f} {first:>12.1f} {speed:>6.0f} {memory.own:>8,} {memory.reader:>10,} "
        f"{memory.together:>7,}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="How fast heads are measured over a corpus, and how that grows.")
    parser.add_argument("sizes", nargs="*", type=int, default=[1_000, 10_000], help="how many sentences")
    parser.add_argument("--threads", type=int, default=1, help="of a single process")
    parser.add_argument("--workers", type=int, default=0, help="processes, with Ray; 0 for this one alone")
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        if options.workers:
            in_several(options.sizes[0], options.workers)
        else:
            in_one_process(options.sizes[0], options.threads)
        return
    if options.workers:
        print(" sentences        s  until first  per s  main MB  reader MB  all MB", flush=True)
    else:
        print(" sentences        s  per s    CPU s  per CPU s  forward CPU s  ratio  peak MB", flush=True)
    same = ["--threads", str(options.threads), "--workers", str(options.workers)]
    for count in options.sizes:
        subprocess.run([sys.executable, "-m", "benchmarks.roles", "--one", *same, str(count)], check=True)


if __name__ == "__main__":
    main()
