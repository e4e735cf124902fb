"""A training from start to result: begins or goes on, in one process or several, and averages the last weights.

The steps themselves are in `training.network.trainer`.
"""

from __future__ import annotations

import json
import multiprocessing
import shutil
import socket
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
import torch.distributed as dist

from training.corpus.pairs import Packed
from training.network import model
from training.network.recipe import Recipe
from training.network.trainer import AVERAGE_EVERY, Trainer, build_network


def train(
    packed: Packed,
    vocabulary: int,
    recipe: Recipe,
    folder: Path,
    device: str = "cpu",
    processes: int = 1,
    save_every: int = 250,
    start: Path | None = None,
    punctuation: Sequence[int] = (),
) -> None:
    """Trains, or goes on from `folder/checkpoint.pt` where there is one; the result is `folder/averaged.pt`.

    `folder/recipe.json` becomes the list of the recipes that made the weights, one a run, this one last.

    Prints a line every 50 steps: the losses (nats, smoothed) of translating and, where words are misread, of naming
    and of judging them; pairs a second; minutes left.

    Args:
        packed: the pairs.
        vocabulary: entries of the vocabulary.
        recipe: what decides how the training goes.
        folder: for checkpoints and the result.
        device: "cpu" or "cuda".
        processes: how many share each batch, on a CPU one for each core. The batches and their order are those of one
            process; dropout differs.
        save_every: steps between checkpoints.
        start: a folder that `training.publish.export.export` wrote, whose weights a new run begins with instead of
            fresh ones.
        punctuation: entries of the vocabulary that `Recipe.punctuation_hidden` is about.
    """
    folder.mkdir(parents=True, exist_ok=True)
    earlier, first = folder / "earlier.json", folder / "start.safetensors"
    if not (folder / "checkpoint.pt").exists():
        earlier.write_text((start / "recipe.json").read_text() if start else "[]")
        first.unlink(missing_ok=True)
        if start:
            shutil.copy(start / "model.safetensors", first)
    if not first.exists():
        recipe = replace(recipe, kept=0.0)
    runs = [*json.loads(earlier.read_text()), asdict(recipe)] if earlier.exists() else [asdict(recipe)]
    (folder / "recipe.json").write_text(json.dumps(runs, indent=2) + "\n")
    if processes == 1:
        _work(0, 1, 0, packed, vocabulary, recipe, folder, device, save_every, punctuation)
    else:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        # They come from one process that has imported all this once: each by itself takes some five seconds for it.
        multiprocessing.set_forkserver_preload([__name__])
        torch.multiprocessing.start_processes(
            _work,
            (processes, port, packed, vocabulary, recipe, folder, device, save_every, punctuation),
            nprocs=processes,
            start_method="forkserver",
        )
    average(folder, [recipe.steps - AVERAGE_EVERY * back for back in range(recipe.average)])
    if recipe.kept:
        begun = build_network(vocabulary, recipe)
        model.read(begun, first)
        mix(folder / "averaged.pt", begun.state_dict(), recipe.kept)


def _work(
    rank: int,
    size: int,
    port: int,
    packed: Packed,
    vocabulary: int,
    recipe: Recipe,
    folder: Path,
    device: str,
    save_every: int,
    punctuation: Sequence[int],
) -> None:
    """What each process does; the arguments are those of `train`, after which process of how many this one is."""
    if size > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // size))
        dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=size)
    trainer = Trainer(packed, vocabulary, recipe, folder, device, save_every, punctuation, rank, size)
    if trainer.run() and size > 1:
        dist.barrier()
        dist.destroy_process_group()


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


def mix(path: Path, begun: dict[str, torch.Tensor], share: float) -> None:
    """Mixes into the weights at `path` a share, in [0, 1], of those that the run began with.

    Between weights and those that they were trained on from, the loss is often lower than at either end (Wortsman et
    al. 2022, "Robust fine-tuning of zero-shot models").
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    torch.save(
        {name: value.double().lerp(begun[name].double(), share).to(value.dtype) for name, value in state.items()}, path
    )
