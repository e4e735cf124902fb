"""What exact pictures of long texts cost, beside what nobody can do without; ratios within one run.

    python benchmarks/long_text.py [--length 32768] [--growth 4096 8192 16384 32768 65536 131072] [--record 16384]
                                   [--rounds 3] [--threads 1] [--picture docs/long_text.svg]
    python benchmarks/long_text.py --device cuda [--length 131072] [--rounds 3]

- One head in cells, with the sum of each row known and without, against the product of its queries and keys alone in
  the same blocks.
- The same at growing lengths, with the memory that a picture needs beside queries and keys.
- Recording a text against the same network's plain forward pass with PyTorch's fused attention.

Times are processor times, so that other programs on the machine count little; with one thread they are steadiest. The
ways take turns, and the shortest time of each counts.

With `--device cuda`, one head of 128 dimensions in bfloat16 on a GPU instead: its pictures, by kernel and in blocks,
against one pass of PyTorch's flash attention over the same head, in seconds by the clock, and the memory that a picture
needs on the GPU beside queries and keys. Where there is no GPU, it says so and measures nothing.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
import weakref
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

sys.path.insert(0, str(Path(__file__).parent.parent))

import attnviz
from attnviz.attention import fused_kernel, streaming
from attnviz.attention.blockwise import Rule, Spans
from attnviz.attention.cells import Cells
from attnviz.attention.pooling import pool
from attnviz.attention.streaming import HeadVectors
from benchmarks.growth_picture import growth_picture

HEAD_DIM, SIZE = 64, 512
GPU_LENGTH, GPU_HEAD_DIM = 131072, 128


class Held(TorchDispatchMode):
    """The bytes of all tensors that an operation made inside and that are alive; the most of them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.most = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        given = {item.untyped_storage().data_ptr() for item in tree_leaves((args, kwargs)) if isinstance(item, Tensor)}
        for item in tree_leaves(result):
            if isinstance(item, Tensor) and item.untyped_storage().data_ptr() not in given:
                storage = item.untyped_storage()
                size = storage.nbytes()
                self.now += size
                self.most = max(self.most, self.now)
                count_off(storage, self, size)
        return result


def count_off(storage: torch.UntypedStorage, held: Held, size: int) -> None:
    """Takes the bytes of a storage off again once it is gone."""

    def gone() -> None:
        held.now -= size

    weakref.finalize(storage, gone)


def seconds(run: Callable[[], object]) -> float:
    """Processor time of one run."""
    start = time.process_time()
    run()
    return time.process_time() - start


def vectors(length: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(length, HEAD_DIM, generator=generator) for _ in range(2))
    return query, key


def product(query: Tensor, key: Tensor, causal: bool) -> None:
    """Queries times keys in the blocks that a picture has, and nothing else."""
    width = Cells.of(0, len(key), SIZE).width
    step = max(1, streaming.BLOCK_COLUMNS // width) * width
    buffer = torch.empty(streaming.BLOCK_ROWS * step)
    for row in range(0, len(query), streaming.BLOCK_ROWS):
        rows = query[row : row + streaming.BLOCK_ROWS]
        for column in range(0, row + len(rows) if causal else len(key), step):
            keys = key[column : column + step]
            torch.mm(rows, keys.T, out=buffer[: len(rows) * len(keys)].view(len(rows), len(keys)))


def head_of(query: Tensor, key: Tensor, causal: bool) -> HeadVectors:
    spans = Spans.causal(len(query), query.device) if causal else None
    unknown = torch.full((len(query),), torch.nan, dtype=torch.float64)
    return HeadVectors(query, key, Rule(HEAD_DIM**-0.5, visible=spans), 0, unknown)


def compare(length: int, rounds: int, causal: bool) -> tuple[float, float, float]:
    """Seconds of the product alone, of the first picture, and of one with known sums."""
    query, key = vectors(length)
    cells = Cells.of(0, length, SIZE)
    best = [float("inf")] * 3
    for _ in range(rounds):
        head = head_of(query, key, causal)
        ways = (lambda: product(query, key, causal), *(lambda: pool(head, cells, cells, "share"),) * 2)  # noqa: B023
        best = [min(known, seconds(run)) for known, run in zip(best, ways, strict=True)]
    return best[0], best[1], best[2]


def memory(length: int) -> float:
    """MiB that the first picture of a head needs beside its queries and keys."""
    query, key = vectors(length)
    head, cells = head_of(query, key, True), Cells.of(0, length, SIZE)
    with Held() as held:
        pool(head, cells, cells, "share")
    return held.most / 2**20


def record(length: int, rounds: int) -> tuple[float, float]:
    """Seconds of a plain pass and of a recording, of a random Llama with 2 layers of 8 heads."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=1000, hidden_size=512, intermediate_size=1376, num_hidden_layers=2, num_attention_heads=8,
        max_position_embeddings=length, attn_implementation="sdpa",
    )  # fmt: skip
    network = LlamaForCausalLM(config).eval()
    model = attnviz.Model(network)
    ids = torch.randint(1000, (length,), generator=torch.Generator().manual_seed(1))
    model.record_ids(ids[:64])  # the trial of the network is made once
    best = [float("inf")] * 2

    def plain() -> None:
        with torch.no_grad():
            network(ids[None], use_cache=False)

    for _ in range(rounds):
        for index, run in enumerate((plain, lambda: model.record_ids(ids))):
            best[index] = min(best[index], seconds(run))
    return best[0], best[1]


def gpu_seconds(run: Callable[[], object], rounds: int) -> float:
    """The shortest time of a run, after one that builds what it needs."""
    best = float("inf")
    for number in range(rounds + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        run()
        torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start) if number else best
    return best


def on_gpu(length: int, rounds: int) -> None:
    """The table of a head on a GPU."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention

    if not torch.cuda.is_available():
        print("There is no GPU that this PyTorch can use: nothing was measured.")
        return
    generator = torch.Generator("cuda").manual_seed(0)
    query, key, value = torch.randn(
        3, 1, 1, length, GPU_HEAD_DIM, generator=generator, device="cuda", dtype=torch.bfloat16
    )  # (batch, head, tokens, head_dim) each
    cells = Cells.of(0, length, SIZE)

    def head_of_gpu(causal: bool) -> HeadVectors:
        spans = Spans.causal(length, query.device) if causal else None
        unknown = torch.full((length,), torch.nan, dtype=torch.float64, device="cuda")
        return HeadVectors(query[0, 0], key[0, 0], Rule(GPU_HEAD_DIM**-0.5, visible=spans), 0, unknown)

    print(f"{torch.cuda.get_device_name()}, {length:,} tokens, head_dim {GPU_HEAD_DIM}, {SIZE} × {SIZE} cells\n")
    print("| mask | way | flash | first picture | sums known | first ÷ flash | known ÷ flash | memory beside, MiB |")
    print("|---|---|---|---|---|---|---|---|")
    for causal in (False, True):
        with sdpa_kernel(SDPBackend.FLASH_ATTENTION), torch.no_grad():
            flash = gpu_seconds(lambda: scaled_dot_product_attention(query, key, value, is_causal=causal), rounds)  # noqa: B023
        for way, devices in (("kernel", fused_kernel.DEVICES), ("blocks", ())):
            with warnings.catch_warnings(record=True) as warned:
                warnings.simplefilter("always")
                before, fused_kernel.DEVICES = fused_kernel.DEVICES, devices
                first = gpu_seconds(lambda: pool(head_of_gpu(causal), cells, cells, "share"), rounds)  # noqa: B023
                head = head_of_gpu(causal)
                known = gpu_seconds(lambda: pool(head, cells, cells, "share"), rounds)  # noqa: B023
                head = head_of_gpu(causal)
                torch.cuda.reset_peak_memory_stats()
                held = torch.cuda.memory_allocated()
                pool(head, cells, cells, "share")
                beside = (torch.cuda.max_memory_allocated() - held) / 2**20
                fused_kernel.DEVICES = before
            print(
                f"| {'causal' if causal else 'none'} | {way} | {flash:.4f} | {first:.4f} | {known:.4f} "
                f"| {first / flash:.2f} | {known / flash:.2f} | {beside:.0f} |",
                flush=True,
            )
            for warning in warned:
                print(f"  {warning.message}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--length", type=int, help=f"32768; {GPU_LENGTH} with --device cuda")
    parser.add_argument("--growth", type=int, nargs="*", default=[4096, 8192, 16384, 32768, 65536, 131072])
    parser.add_argument("--record", type=int, default=16384)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--picture", type=Path, help="an SVG file for how time and memory grow")
    arguments = parser.parse_args()
    if arguments.device == "cuda":
        on_gpu(arguments.length or GPU_LENGTH, arguments.rounds)
        return
    length = arguments.length or 32768
    torch.set_num_threads(arguments.threads)
    print(f"{arguments.threads} thread(s), head_dim {HEAD_DIM}, {SIZE} × {SIZE} cells, seconds of processor time\n")

    print("| tokens | mask | product alone | first picture | sums known | first ÷ product | known ÷ product |")
    print("|---|---|---|---|---|---|---|")
    for causal in (False, True):
        alone, first, known = compare(length, arguments.rounds, causal)
        mask = "causal" if causal else "none"
        print(
            f"| {length:,} | {mask} | {alone:.2f} | {first:.2f} | {known:.2f} | {first / alone:.2f} "
            f"| {known / alone:.2f} |",
            flush=True,
        )

    print("\n| tokens | first picture | ns per score | sums known | memory beside, MiB |\n|---|---|---|---|---|")
    rows = []
    for tokens in arguments.growth:
        _, first, known = compare(tokens, 1 if tokens > 40_000 else arguments.rounds, True)
        per_score = first * 1e9 / (tokens * (tokens + 1) / 2)
        rows.append((tokens, first, memory(tokens)))
        print(f"| {tokens:,} | {first:.2f} | {per_score:.2f} | {known:.2f} | {rows[-1][2]:.0f} |", flush=True)
    if arguments.picture:
        arguments.picture.write_text(growth_picture(rows), encoding="utf-8")

    if arguments.record:
        plain, recorded = record(arguments.record, arguments.rounds)
        print(f"\nRecording {arguments.record:,} tokens, 2 layers: plain {plain:.2f}, recorded {recorded:.2f}, "
              f"ratio {recorded / plain:.3f}")  # fmt: skip


if __name__ == "__main__":
    main()
