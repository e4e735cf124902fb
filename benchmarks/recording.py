"""What recording costs: plain forward, recording, and eager attention with all its maps, side by side in one process.

    python benchmarks/recording.py [--lengths 512 1024 2048 4096] [--rounds 5] [--device cpu]

Three ways to run the same network on the same tokens take turns, so that a machine that slows down slows all of them;
the figures are medians over the rounds of ratios within a round. Memory is the highest that the process (or the GPU's
allocator) held above what it held before, in MiB, the result included.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

sys.path.insert(0, str(Path(__file__).parent.parent))

import attnviz


def llama(device: str) -> attnviz.Model:
    """A random Llama: 6 layers, 8 heads, d = 512, no grouped keys, so that all three ways do the same work."""
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=1000,
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=6,
        num_attention_heads=8,
        max_position_embeddings=8192,
    )
    return attnviz.Model(LlamaForCausalLM(config).to(device), name="Llama, 6 layers")


class Peak:
    """The highest memory while a block runs, above what was held before it, in MiB."""

    def __init__(self, device: str) -> None:
        self.cuda = device.startswith("cuda")

    def __enter__(self) -> Peak:
        gc.collect()
        if self.cuda:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self.before = torch.cuda.memory_allocated()
        else:
            # What an earlier block freed is given back to the system first, and the kernel's high-water mark is reset.
            ctypes.CDLL("libc.so.6").malloc_trim(0)
            Path("/proc/self/clear_refs").write_text("5")
            self.before = _status("VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        highest = torch.cuda.max_memory_allocated() if self.cuda else _status("VmHWM")
        self.mib = (highest - self.before) / 2**20


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise KeyError(name)


def seconds(way: Callable[[], Any], device: str) -> float:
    """How long one run takes; its result is dropped behind the clock."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    started = time.perf_counter()
    result = way()
    if device.startswith("cuda"):
        torch.cuda.synchronize()
    took = time.perf_counter() - started
    del result
    return took


def mebibytes(way: Callable[[], Any], device: str) -> float:
    """The highest memory of one run; apart from the clock, since handing memory back to the system costs time."""
    with Peak(device) as peak:
        result = way()
    del result
    return peak.mib


def compare(model: attnviz.Model, ids: list[int], target: list[int] | None, rounds: int, device: str) -> str:
    """One row of the table."""
    network = model.network
    source = torch.tensor([ids], device=device)
    arguments: dict[str, Any] = {"input_ids": source, "use_cache": False}
    if target is not None:
        arguments["decoder_input_ids"] = torch.tensor([target], device=device)

    def plain() -> Any:
        network.set_attn_implementation("sdpa")
        with torch.no_grad():
            return network(**arguments)

    def recording() -> Any:
        network.set_attn_implementation("sdpa")
        made = model.record_ids(ids, target)
        return made, made.logits

    def eager() -> Any:
        network.set_attn_implementation("eager")
        with torch.no_grad():
            return network(**arguments, output_attentions=True)

    ways = [plain, recording, eager]
    for way in ways:
        way()
    times: list[list[float]] = []
    for turn in range(rounds):
        durations = {way: seconds(way, device) for way in ways[turn % 3 :] + ways[: turn % 3]}
        times.append([durations[way] for way in ways])
    memory = [[mebibytes(way, device) for way in ways] for _ in range(2)]
    network.set_attn_implementation("sdpa")

    def middle(values: Any) -> float:
        return statistics.median(values)

    return (
        f"| {model.name} | {len(ids):,} | {middle(t[0] for t in times) * 1e3:,.0f} ms "
        f"| {middle(t[1] / t[0] for t in times):.2f} | {middle(t[2] / t[1] for t in times):.1f} "
        f"| {middle(m[0] for m in memory):,.0f} | {middle(m[1] for m in memory):,.0f} "
        f"| {middle(m[2] for m in memory):,.0f} | {middle(m[2] / max(m[1], 0.1) for m in memory):.1f} |"
    )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lengths", type=int, nargs="+", default=[512, 1024, 2048, 4096])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    options = parser.parse_args()
    print(f"torch {torch.__version__}, {options.device}, {torch.get_num_threads()} threads, {options.rounds} rounds\n")
    print("| model | tokens | plain | recording / plain | eager / recording | MiB plain | recording | eager | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    generator = torch.Generator().manual_seed(0)

    def draw(length: int) -> list[int]:
        return torch.randint(10, 1000, (length,), generator=generator).tolist()

    bundled = attnviz.load("bundled", device=options.device)
    # The bundled model has 512 positions, for the source and for the target.
    print(compare(bundled, draw(512), draw(512), options.rounds, options.device), flush=True)
    random = llama(options.device)
    for length in options.lengths:
        print(compare(random, draw(length), None, options.rounds, options.device), flush=True)


if __name__ == "__main__":
    main()
