"""The training loop: resumable, seeded, the same on CPU and GPU, on a CPU in one process or several."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
import torch.distributed as dist
from torch import nn
from transformers import MarianMTModel, get_wsd_schedule

from training.corpus.pairs import Packed, batches, padded, source_counts, texts
from training.network import model

AVERAGE_EVERY = 25
NEIGHBOURS = 16
"""Similar words that a word may be replaced by."""

MOST_PARTS = 3
"""Sentences of a text whose words are judged: 1, 2, 3, 1, 2, … in turn."""


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how the training goes.

    The learning rate warms up, stays, and falls to zero over the last `decay` steps (warm-up, stable, decay), so that
    a run can be lengthened or ended from any checkpoint of its stable part.
    """

    steps: int = 2750
    warmup: int = 60
    decay: int = 1100
    batch_tokens: int = 4096
    learning_rate: float = 1.2e-3
    smoothing: float = 0.1
    dropout: float = 0.05
    attention_dropout: float = 0.1
    """Of the weights after the softmax."""
    weight_decay: float = 0.1
    """Of the matrices inside the layers, times the learning rate."""
    layers: int = 4
    """Of the decoder, and of the encoder too unless the next says otherwise."""
    encoder_layers: int = 0
    width: int = 256
    heads: int = 8
    masked: float = 0.0
    """Share of the source tokens that are hidden in half of the sentences, for the encoder to guess."""
    masked_at_last: float = 0.0
    """The same, while the learning rate falls."""
    masked_weight: float = 0.5
    """Of the loss of those guesses, beside the translation's at 1."""
    misread: float = 0.15
    """Share of the words of a second reading of every source that are hidden or replaced by similar words."""
    naming_weight: float = 0.5
    """Of the loss of naming those words."""
    judging_weight: float = 4.0
    """Of the loss of telling which words were replaced."""
    end_hidden: float = 0.5
    """Share of the sentences in which the encoder's words may not look at the end token."""
    punctuation_hidden: float = 0.5
    """The same of punctuation."""
    embedding_std: float = 0.02
    """Of the embeddings at first, before they are multiplied by the root of the width; positions have 0.7."""
    embedding_rate: float = 0.5
    """The learning rate of embeddings, biases and norms, as a share of that of the matrices."""
    seed: int = 7
    average: int = 5
    """How many weights of the last steps, 25 steps apart, are averaged into the result."""
    kept: float = 0.05
    """Share in the result of the weights that the run began with, where it began with exported ones."""


def optimisers(
    network: nn.Module, recipe: Recipe, processes: int = 1, others: Iterable[nn.Parameter] = ()
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices inside the layers, AdamW for embeddings, biases, norms and `others`.

    Muon (Jordan et al. 2024) orthogonalises each update; scaled to AdamW's update size both share one learning rate.
    Of several processes each updates a part of the matrices: that takes a good part of a step.
    """
    matrices, rest = [], []
    for name, parameter in network.named_parameters():
        if parameter.requires_grad:
            (matrices if parameter.ndim == 2 and "embed" not in name else rest).append(parameter)
    rest += others
    for_matrices = {
        "lr": recipe.learning_rate,
        "weight_decay": recipe.weight_decay,
        "adjust_lr_fn": "match_rms_adamw",
    }
    if processes == 1:
        muon = torch.optim.Muon(matrices, **for_matrices)
    else:
        # Imported here, because the module warns of what PyTorch has deprecated in itself.
        from torch.distributed.optim import ZeroRedundancyOptimizer

        muon = ZeroRedundancyOptimizer(matrices, torch.optim.Muon, **for_matrices)
    return [
        muon,
        torch.optim.AdamW(
            rest,
            lr=recipe.learning_rate * recipe.embedding_rate,
            betas=(0.9, 0.98),
            eps=1e-9,
            weight_decay=0.0,
            fused=True,
        ),
    ]


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
        start: a folder that `training.export.export` wrote, whose weights a new run begins with instead of fresh ones.
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
        torch.multiprocessing.spawn(
            _work,
            (processes, port, packed, vocabulary, recipe, folder, device, save_every, punctuation),
            nprocs=processes,
        )
    average(folder, [recipe.steps - AVERAGE_EVERY * back for back in range(recipe.average)])
    if recipe.kept:
        begun = _network(vocabulary, recipe)
        model.read(begun, first)
        mix(folder / "averaged.pt", begun.state_dict(), recipe.kept)


def _network(vocabulary: int, recipe: Recipe) -> MarianMTModel:
    return model.build(
        vocabulary,
        recipe.layers,
        recipe.width,
        recipe.heads,
        recipe.dropout,
        recipe.seed,
        recipe.embedding_std,
        recipe.attention_dropout,
        recipe.encoder_layers,
    )


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
    if size > 1:
        torch.set_num_threads(max(1, torch.get_num_threads() // size))
        dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=size)
    network = _network(vocabulary, recipe)
    network.to(device).train()
    # Not a part of the network, and not exported: it only says what the encoder has to know.
    judge = nn.Linear(recipe.width, 1, device=device)
    of_judge = list(judge.parameters()) if recipe.misread else []
    sight = model.Sight(
        recipe.end_hidden, recipe.punctuation_hidden, torch.tensor(punctuation, dtype=torch.long, device=device)
    )
    optimiser_list = optimisers(network, recipe, size, of_judge)
    trained = [parameter for parameter in (*network.parameters(), *of_judge) if parameter.requires_grad]
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
    begun_with = folder / "start.safetensors"
    if not checkpoint.exists() and begun_with.exists():
        model.read(network, begun_with)
    elif checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        judge.load_state_dict(state["judge"])
        for optimiser, saved in zip(optimiser_list, state["optimisers"], strict=True):
            optimiser.load_state_dict(saved)
        # A checkpoint brings its own; the recipe's counts.
        optimiser_list[0].param_groups[0]["weight_decay"] = recipe.weight_decay
        step = state["step"]
        for scheduler in schedulers:
            # The schedule is a function of the step alone, so it needs no state of its own.
            scheduler.last_epoch = step
            for group, rate in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, strict=True):
                group["lr"] = rate * scheduler.lr_lambdas[0](step)

    def save() -> None:
        if size > 1:
            optimiser_list[0].consolidate_state_dict(to=0)
        if rank == 0:
            state = {
                "network": network.state_dict(),
                "judge": judge.state_dict(),
                "optimisers": [optimiser.state_dict() for optimiser in optimiser_list],
                "step": step,
            }
            partial = checkpoint.with_suffix(".partial")
            torch.save(state, partial)
            partial.replace(checkpoint)

    kind, starter = device.split(":")[0], os.getppid()
    epoch, plan, near = -1, [], None
    smooth: list[float] = []
    pairs, since = 0, time.perf_counter()
    first_epoch_batches = len(batches(packed, recipe.batch_tokens, recipe.seed))
    while step < recipe.steps:
        if size > 1 and os.getppid() != starter:
            # Who ended the command, by whatever signal, meant these processes too.
            return
        # Epochs differ by a batch or so in how many batches they hold; the first one's number places every step, so
        # that a resumed run sees the batches that an uninterrupted one would.
        now, within = divmod(step, first_epoch_batches)
        if now != epoch:
            epoch, plan = now, batches(packed, recipe.batch_tokens, recipe.seed + now)
        whole = plan[within % len(plan)]
        # A batch of fewer pairs than processes is read by all of them, which changes nothing.
        rows = whole[rank::size] if len(whole) >= size else whole
        torch.manual_seed(recipe.seed * 1_000_003 + step + 500_000_009 * rank)
        source = torch.from_numpy(padded(packed.source, packed.source_starts, rows, model.PAD)).to(device)
        target = torch.from_numpy(padded(packed.target, packed.target_starts, rows, model.PAD)).to(device)
        masked = recipe.masked if step < recipe.steps - recipe.decay else recipe.masked_at_last
        with torch.autocast(kind, dtype=torch.bfloat16):
            value = model.loss(network, source, target, recipe.smoothing, masked, recipe.masked_weight, sight)
        value.backward()
        losses = [value.item()]
        if recipe.misread:
            if near is None:
                counts = torch.from_numpy(source_counts(packed, vocabulary)).to(device)
                near = model.neighbours(network.model.shared.weight.detach(), counts, NEIGHBOURS)
            text, languages = texts(packed, rows, parts=1 + step % MOST_PARTS, end=model.END, pad=model.PAD)
            text, languages = torch.from_numpy(text).to(device), torch.from_numpy(languages).to(device)
            with torch.autocast(kind, dtype=torch.bfloat16):
                named, judged = model.judgement(network, judge, text, languages, near, recipe.misread, sight)
                both = recipe.naming_weight * named + recipe.judging_weight * judged
            both.backward()
            losses += [named.item(), judged.item()]
        if size > 1:
            average_gradients(trained, int((target != model.PAD).sum()))
        nn.utils.clip_grad_norm_(trained, 1.0)
        for optimiser, scheduler in zip(optimiser_list, schedulers, strict=True):
            optimiser.step()
            scheduler.step()
        for parameter in trained:
            parameter.grad = None
        step += 1
        pairs += len(whole)
        smooth = [0.98 * old + 0.02 * new for old, new in zip(smooth or losses, losses, strict=True)]
        if step % 50 == 0 and rank == 0:
            seconds = time.perf_counter() - since
            minutes = (recipe.steps - step) * seconds / 50 / 60
            print(
                f"step {step:6d}  loss {' '.join(f'{one:.3f}' for one in smooth)}  {pairs / seconds:5.0f} pairs/s  "
                f"rate {schedulers[0].get_last_lr()[0]:.1e}  {minutes:5.1f} min left",
                flush=True,
            )
            pairs, since = 0, time.perf_counter()
        if step % save_every == 0 or step in (recipe.steps - recipe.decay, recipe.steps):
            save()
            # The embeddings have moved; and whoever goes on from the checkpoint has no older neighbours.
            near = None
        if rank == 0 and step == recipe.steps - recipe.decay:
            # From here a later, longer run can go on as if this one had never ended.
            shutil.copy(checkpoint, folder / "stable.pt")
        left = recipe.steps - step
        if rank == 0 and left < recipe.average * AVERAGE_EVERY and left % AVERAGE_EVERY == 0:
            torch.save(network.state_dict(), folder / f"weights-{step:07d}.pt")
    if size > 1:
        dist.barrier()
        dist.destroy_process_group()


def average_gradients(parameters: list[nn.Parameter], tokens: int) -> None:
    """Gives every process the mean of all their gradients, by their numbers of tokens; the same bits in each."""
    gradients = [parameter.grad for parameter in parameters]
    flat = torch.cat([*(gradient.view(-1) for gradient in gradients), gradients[0].new_ones(1)]).mul_(tokens)
    dist.all_reduce(flat)
    flat = flat[:-1].div_(flat[-1].item())
    for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


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


def mix(path: Path, begun: dict[str, torch.Tensor], kept: float) -> None:
    """Writes into the weights at `path` a share of those that the run began with.

    Between weights and those that they were trained on from, the loss is often lower than at either end (Wortsman et
    al. 2022, "Robust fine-tuning of zero-shot models").
    """
    state = torch.load(path, map_location="cpu", weights_only=True)
    torch.save(
        {name: value.double().lerp(begun[name].double(), kept).to(value.dtype) for name, value in state.items()}, path
    )
