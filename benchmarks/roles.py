"""How fast heads are measured over a corpus, beside the plain forward pass on the same batches, and how that grows.

    python -m benchmarks.roles                 # 1,000 and 10,000 sentences of ten words
    python -m benchmarks.roles 1000 100000     # other sizes

Every size runs in a process of its own, so that its memory is its own, and on one core: several cores are used by
several processes. "CPU s" is time of the processor, which other programs on the machine change little. `docs/roles.md`
has a table.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time

import torch

import attnviz
from attnviz.models.model import Model
from attnviz.roles import Text, measure
from attnviz.roles.collecting import Reading
from attnviz.roles.parts import batches

GERMAN = "der Hund die Katze ein Kind sah den Ball im Garten und schläft heute nicht mehr weil es regnet"
ENGLISH = "the dog a cat one child saw our ball in that garden and sleeps today no more because it rains"
WORDS = 10
BATCH_TOKENS = 2048


def sentences(count: int) -> list[Text]:
    draw = random.Random(0)
    sides = [GERMAN.split(), ENGLISH.split()]
    return [Text(*(" ".join(draw.choice(words) for _ in range(WORDS)) + "." for words in sides)) for _ in range(count)]


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


def main() -> None:
    if len(sys.argv) > 2 and sys.argv[1] == "--one":
        one(int(sys.argv[2]))
        return
    print(" sentences       s   CPU s  per CPU s  forward CPU s  ratio  peak MB")
    for count in [int(size) for size in sys.argv[1:]] or [1_000, 10_000]:
        subprocess.run([sys.executable, "-m", "benchmarks.roles", "--one", str(count)], check=True)


def one(count: int) -> None:
    torch.set_num_threads(1)
    model, texts = attnviz.load("bundled", device="cpu"), sentences(count)
    measure(model, texts[:32])
    some = texts[: min(count, 2000)]
    plain = forward_time(model, some) * count / len(some)
    begin, busy = time.perf_counter(), time.process_time()
    measure(model, texts, batch_tokens=BATCH_TOKENS)
    busy, taken = time.process_time() - busy, time.perf_counter() - begin
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    speed, ratio = count / busy, busy / plain
    print(
        f"{count:>10,} {taken:>7.1f} {busy:>7.1f} {speed:>10.0f} {plain:>14.1f} {ratio:>6.2f} {memory:>8,}", flush=True
    )


if __name__ == "__main__":
    main()
