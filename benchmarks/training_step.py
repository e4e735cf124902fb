"""What the parts of a training step cost, and our softmax cross-entropy beside PyTorch's, in one process on one core.

    python benchmarks/training_step.py [--rounds 5] [--device cpu]

The parts take turns on the same random batch of 4,096 tokens on a side (341 pairs of 12 tokens, bfloat16 products); the
figures are medians over the rounds of each part's share of its round, or of ratios within a round.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parent.parent))

from training.network import model
from training.network.cross_entropy import projected_cross_entropy
from training.network.recipe import Recipe
from training.network.trainer import NEIGHBOURS, optimisers

VOCABULARY, PAIRS, LENGTH = 12_000, 341, 12


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    torch.set_num_threads(1)
    kind = options.device.split(":")[0]

    def seconds(work: Callable[[], object]) -> float:
        if kind == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        work()
        if kind == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - started

    recipe = Recipe()
    network = model.build(VOCABULARY, recipe.layers, recipe.width, recipe.heads, recipe.dropout)
    network.to(options.device).train()
    judge = nn.Linear(recipe.width, 1, device=options.device)
    both = optimisers(network, recipe, others=judge.parameters())
    source = torch.randint(6, VOCABULARY, (PAIRS, LENGTH), device=options.device)
    source[:, -1] = model.END
    target, languages = source.flip(0).clone(), torch.zeros(PAIRS, dtype=torch.long, device=options.device)
    counts = torch.full((1, VOCABULARY), 20, device=options.device)
    near = model.neighbours(network.model.shared.weight.detach(), counts, NEIGHBOURS)

    def translating() -> None:
        with torch.autocast(kind, dtype=torch.bfloat16):
            value = model.loss(network, source, target, recipe.smoothing)
        value.backward()

    def judging() -> None:
        with torch.autocast(kind, dtype=torch.bfloat16):
            naming_loss, judging_loss = model.judgement(network, judge, source, languages, near, recipe.misread)
        (naming_loss + judging_loss).backward()

    parts = {"translating": translating, "naming and judging": judging, "Muon": both[0].step, "AdamW": both[1].step}
    for work in parts.values():
        work()
    shares: dict[str, list[float]] = {name: [] for name in parts}
    step_times = []
    for _ in range(options.rounds):
        took = {name: seconds(work) for name, work in parts.items()}
        step_times.append(sum(took.values()))
        for name, value in took.items():
            shares[name].append(value / step_times[-1])
    print(f"a step: {statistics.median(step_times):.2f} s, of which")
    for name, of_rounds in shares.items():
        print(f"  {name:<20} {statistics.median(of_rounds):4.0%}")

    # The logits of the batch's real tokens, as the decoder's last layer would give them.
    states = torch.randn((PAIRS * LENGTH, recipe.width), device=options.device, requires_grad=True)
    weight = torch.randn((VOCABULARY, recipe.width), device=options.device, requires_grad=True)
    wanted = torch.randint(VOCABULARY, (len(states),), device=options.device)

    def ours() -> None:
        with torch.autocast(kind, dtype=torch.bfloat16):
            projected_cross_entropy(states, weight, wanted, recipe.smoothing).backward()

    def theirs() -> None:
        with torch.autocast(kind, dtype=torch.bfloat16):
            logits = states @ weight.t()
            nn.functional.cross_entropy(logits, wanted, label_smoothing=recipe.smoothing).backward()

    ours()
    theirs()
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(options.rounds)]
    print(
        f"cross-entropy of {len(states):,} tokens with its gradients: "
        f"{statistics.median(first for first, _ in pairs):.2f} s, PyTorch's "
        f"{statistics.median(second / first for first, second in pairs):.1f} times as long"
    )


if __name__ == "__main__":
    main()
