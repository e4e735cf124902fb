"""The training loop: resumable, seeded, the same on CPU and GPU."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import get_wsd_schedule

from training import model
from training.data import Packed, batches, padded

AVERAGE_EVERY = 25


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how the training goes.

    The learning rate warms up, stays, and falls to zero over the last `decay` steps (warm-up, stable, decay), so that
    a run can be lengthened or ended from any checkpoint of its stable part.
    """

    steps: int = 6000
    warmup: int = 300
    decay: int = 2000
    batch_tokens: int = 6144
    learning_rate: float = 2e-3
    smoothing: float = 0.1
    dropout: float = 0.1
    layers: int = 4
    width: int = 256
    heads: int = 8
    seed: int = 0
    average: int = 1
    """How many weights of the last steps, 25 steps apart, are averaged into the result."""


def optimisers(network: nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings, biases and norms.

    Muon (Jordan et al. 2024) orthogonalises each update; scaled to AdamW's update size both share one learning rate.
    """
    matrices, rest = [], []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            (matrices if parameter.ndim == 2 and "embed" not in name else rest).append(parameter)
    return [
        torch.optim.Muon(matrices, lr=recipe.learning_rate, weight_decay=0.01, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(rest, lr=recipe.learning_rate, betas=(0.9, 0.98), eps=1e-9, weight_decay=0.0, fused=True),
    ]


def train(packed: Packed, vocabulary: int, recipe: Recipe, folder: Path, device: str = "cpu", save_every: int = 250):
    """Trains, or goes on from `folder/checkpoint.pt` where there is one; the result is `folder/averaged.pt`.

    Prints a line every 50 steps: loss (nats per token, smoothed), pairs a second, minutes left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.json").write_text(json.dumps(asdict(recipe), indent=2))
    network = model.build(vocabulary, recipe.layers, recipe.width, recipe.heads, recipe.dropout, recipe.seed)
    network.to(device).train()
    optimiser_list = optimisers(network, recipe)
    schedulers = [
        get_wsd_schedule(
            optimiser,
            num_warmup_steps=recipe.warmup,
            num_decay_steps=recipe.decay,
            num_training_steps=recipe.steps,
            decay_type="1-sqrt",
        )
        for optimiser in optimiser_list
    ]
    step = 0
    checkpoint = folder / "checkpoint.pt"
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        for optimiser, saved in zip(optimiser_list, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        step = state["step"]
        for scheduler in schedulers:
            # The schedule is a function of the step alone, so it needs no state of its own.
            scheduler.last_epoch = step
            for group, rate in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, strict=True):
                group["lr"] = rate * scheduler.lr_lambdas[0](step)

    def save() -> None:
        state = {
            "network": network.state_dict(),
            "optimisers": [optimiser.state_dict() for optimiser in optimiser_list],
            "step": step,
        }
        partial = checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(checkpoint)

    epoch, plan = -1, []
    smooth, pairs, since = None, 0, time.perf_counter()
    first_epoch_batches = len(batches(packed, recipe.batch_tokens, recipe.seed))
    while step < recipe.steps:
        # Epochs differ by a batch or so in how many batches they hold; the first one's number places every step, so
        # that a resumed run sees the batches that an uninterrupted one would.
        now, within = divmod(step, first_epoch_batches)
        if now != epoch:
            epoch, plan = now, batches(packed, recipe.batch_tokens, recipe.seed + now)
        rows = plan[within % len(plan)]
        torch.manual_seed(recipe.seed * 1_000_003 + step)
        source = torch.from_numpy(padded(packed.source, packed.source_starts, rows, 4, model.PAD)).to(device)
        target = torch.from_numpy(padded(packed.target, packed.target_starts, rows, 4, model.PAD)).to(device)
        with torch.autocast(device.split(":")[0], dtype=torch.bfloat16):
            value = model.loss(network, source, target, recipe.smoothing)
        value.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        for optimiser, scheduler in zip(optimiser_list, schedulers, strict=True):
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            scheduler.step()
        step += 1
        pairs += len(rows)
        smooth = value.item() if smooth is None else 0.98 * smooth + 0.02 * value.item()
        if step % 50 == 0:
            seconds = time.perf_counter() - since
            minutes = (recipe.steps - step) * seconds / 50 / 60
            print(
                f"step {step:6d}  loss {smooth:.3f}  {pairs / seconds:5.0f} pairs/s  "
                f"rate {schedulers[0].get_last_lr()[0]:.1e}  {minutes:5.1f} min left",
                flush=True,
            )
            pairs, since = 0, time.perf_counter()
        if step % save_every == 0 or step == recipe.steps:
            save()
        if step == recipe.steps - recipe.decay:
            # From here a later, longer run can go on as if this one had never ended.
            save()
            shutil.copy(checkpoint, folder / "stable.pt")
        left = recipe.steps - step
        if left < recipe.average * AVERAGE_EVERY and left % AVERAGE_EVERY == 0:
            torch.save(network.state_dict(), folder / f"weights-{step:07d}.pt")
    average(folder, [recipe.steps - AVERAGE_EVERY * back for back in range(recipe.average)])


def average(folder: Path, steps: list[int]) -> Path:
    """The mean of the weights saved at these steps as `folder/averaged.pt`."""
    paths = [folder / f"weights-{step:07d}.pt" for step in steps]
    states = [torch.load(path, map_location="cpu", weights_only=True) for path in paths]
    mean = {
        name: sum(state[name].double() for state in states).div(len(states)).to(first.dtype)
        for name, first in states[0].items()
    }
    torch.save(mean, folder / "averaged.pt")
    return folder / "averaged.pt"
