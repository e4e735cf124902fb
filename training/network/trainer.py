"""The training loop: resumable, seeded, the same on CPU and GPU, on a CPU in one process or several."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from transformers import MarianMTModel, get_wsd_schedule

from training.corpus.pairs import Packed, batches, pad_rows, source_counts, texts
from training.network import model
from training.network.recipe import Recipe

AVERAGE_EVERY = 25
NEIGHBOURS = 16
"""Similar words that a word may be replaced by."""

MOST_PARTS = 3
"""Sentences of a text whose words are judged: 1, 2, 3, 1, 2, … in turn."""

LOG_EVERY = 50


def build_network(vocabulary: int, recipe: Recipe) -> MarianMTModel:
    """A fresh network with the sizes of the recipe, its weights drawn by the recipe's seed."""
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


class Trainer:
    """Trains a network step by step, from its last checkpoint where there is one.

    One process among several works on its part of each batch; the first writes the files and the log.

    Args:
        packed: the pairs.
        vocabulary: entries of the vocabulary.
        recipe: what decides how the training goes.
        folder: for checkpoints; `start.safetensors` in it holds the weights that a new run begins with, if any.
        device: "cpu" or "cuda".
        save_every: steps between checkpoints.
        punctuation: entries of the vocabulary that `Recipe.punctuation_hidden` is about.
        rank: the number of this process, from 0.
        size: how many processes share each batch; with more than one, PyTorch's process group is open already.
    """

    def __init__(
        self,
        packed: Packed,
        vocabulary: int,
        recipe: Recipe,
        folder: Path,
        device: str,
        save_every: int,
        punctuation: Sequence[int] = (),
        rank: int = 0,
        size: int = 1,
    ) -> None:
        self.packed, self.vocabulary, self.recipe, self.folder = packed, vocabulary, recipe, folder
        self.device, self.save_every, self.rank, self.size = device, save_every, rank, size
        self.checkpoint = folder / "checkpoint.pt"
        self.network = build_network(vocabulary, recipe)
        self.network.to(device).train()
        # Not a part of the network, and not exported: it only says what the encoder has to know.
        self.judge = nn.Linear(recipe.width, 1, device=device)
        of_judge = list(self.judge.parameters()) if recipe.misread else []
        self.sight = model.Sight(
            recipe.end_hidden, recipe.punctuation_hidden, torch.tensor(punctuation, dtype=torch.long, device=device)
        )
        self.optimisers = optimisers(self.network, recipe, size, of_judge)
        self.trained = [one for one in (*self.network.parameters(), *of_judge) if one.requires_grad]
        self.schedulers = [
            get_wsd_schedule(
                optimiser,
                num_warmup_steps=recipe.warmup,
                num_decay_steps=recipe.decay,
                num_training_steps=recipe.steps,
                decay_type="1-sqrt",
            )
            for optimiser in self.optimisers
        ]
        self.step = 0
        """Steps that were made."""
        self.similar: torch.Tensor | None = None
        """Words like each word, computed when they are needed and again after each checkpoint."""
        self.epoch, self.plan = -1, []
        self.first_epoch_batches = len(batches(packed, recipe.batch_tokens, recipe.seed))
        self.smooth_losses: list[float] = []
        self.pairs, self.since = 0, time.perf_counter()
        self.resume()

    def resume(self) -> None:
        """Takes up the last checkpoint, or the weights that a new run begins with, where there are any."""
        begun_with = self.folder / "start.safetensors"
        if self.checkpoint.exists():
            state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.judge.load_state_dict(state["judge"])
            for optimiser, saved in zip(self.optimisers, state["optimisers"], strict=True):
                optimiser.load_state_dict(saved)
            # A checkpoint brings its own; the recipe's counts.
            self.optimisers[0].param_groups[0]["weight_decay"] = self.recipe.weight_decay
            self.step = state["step"]
            for scheduler in self.schedulers:
                # The schedule is a function of the step alone, so it needs no state of its own.
                scheduler.last_epoch = self.step
                for group, rate in zip(scheduler.optimizer.param_groups, scheduler.base_lrs, strict=True):
                    group["lr"] = rate * scheduler.lr_lambdas[0](self.step)
        elif begun_with.exists():
            model.read(self.network, begun_with)

    def run(self) -> bool:
        """Makes all steps that are left; returns False if the command that started this process ended before."""
        starter = os.getppid()
        self.since = time.perf_counter()
        while self.step < self.recipe.steps:
            if self.size > 1 and os.getppid() != starter:
                # Who ended the command, by whatever signal, meant these processes too.
                return False
            self.make_step()
            if self.step % LOG_EVERY == 0 and self.rank == 0:
                self.log()
            self.save()
        return True

    def make_step(self) -> None:
        """One batch: losses, gradients of all processes, update; counts it in `step`."""
        pairs = self.batch()
        # A batch of fewer pairs than processes is read by all of them, which changes nothing.
        rows = pairs[self.rank :: self.size] if len(pairs) >= self.size else pairs
        torch.manual_seed(self.recipe.seed * 1_000_003 + self.step + 500_000_009 * self.rank)
        translated, tokens = self.translate(rows)
        losses = [translated]
        if self.recipe.misread:
            losses += self.judge_words(rows)
        if self.size > 1:
            average_gradients(self.trained, tokens)
        nn.utils.clip_grad_norm_(self.trained, 1.0)
        for optimiser, scheduler in zip(self.optimisers, self.schedulers, strict=True):
            optimiser.step()
            scheduler.step()
        for parameter in self.trained:
            parameter.grad = None
        self.step += 1
        self.pairs += len(pairs)
        self.smooth_losses = [
            0.98 * old + 0.02 * new for old, new in zip(self.smooth_losses or losses, losses, strict=True)
        ]

    def batch(self) -> np.ndarray:
        """The numbers of the pairs of this step's batch, of all processes together."""
        # Epochs differ by a batch or so in how many batches they hold; the first one's number places every step, so
        # that a resumed run sees the batches that an uninterrupted one would.
        epoch, within = divmod(self.step, self.first_epoch_batches)
        if epoch != self.epoch:
            self.epoch = epoch
            self.plan = batches(self.packed, self.recipe.batch_tokens, self.recipe.seed + epoch)
        return self.plan[within % len(self.plan)]

    def translate(self, rows: np.ndarray) -> tuple[float, int]:
        """Adds the gradients of translating these pairs; returns the loss (nats) and the tokens of the targets."""
        recipe, packed = self.recipe, self.packed
        source = torch.from_numpy(pad_rows(packed.source, packed.source_starts, rows, model.PAD)).to(self.device)
        target = torch.from_numpy(pad_rows(packed.target, packed.target_starts, rows, model.PAD)).to(self.device)
        masked = recipe.masked if self.step < recipe.steps - recipe.decay else recipe.masked_at_last
        with self.autocast():
            loss = model.loss(self.network, source, target, recipe.smoothing, masked, recipe.masked_weight, self.sight)
        loss.backward()
        return loss.item(), int((target != model.PAD).sum())

    def judge_words(self, rows: np.ndarray) -> list[float]:
        """Adds the gradients of naming misread words and of judging all words; returns both losses (nats)."""
        if self.similar is None:
            counts = torch.from_numpy(source_counts(self.packed, self.vocabulary)).to(self.device)
            self.similar = model.neighbours(self.network.model.shared.weight.detach(), counts, NEIGHBOURS)
        text, languages = texts(self.packed, rows, parts=1 + self.step % MOST_PARTS, end=model.END, pad=model.PAD)
        text, languages = torch.from_numpy(text).to(self.device), torch.from_numpy(languages).to(self.device)
        with self.autocast():
            naming_loss, judging_loss = model.judgement(
                self.network, self.judge, text, languages, self.similar, self.recipe.misread, self.sight
            )
            both = self.recipe.naming_weight * naming_loss + self.recipe.judging_weight * judging_loss
        both.backward()
        return [naming_loss.item(), judging_loss.item()]

    def autocast(self) -> torch.autocast:
        """Half the precision where it is enough, for the forward pass."""
        return torch.autocast(self.device.split(":")[0], dtype=torch.bfloat16)

    def log(self) -> None:
        """Prints a line: step, losses, speed since the last line, learning rate, time left."""
        seconds = time.perf_counter() - self.since
        minutes = (self.recipe.steps - self.step) * seconds / LOG_EVERY / 60
        print(
            f"step {self.step:6d}  loss {' '.join(f'{one:.3f}' for one in self.smooth_losses)}  "
            f"{self.pairs / seconds:5.0f} pairs/s  rate {self.schedulers[0].get_last_lr()[0]:.1e}  "
            f"{minutes:5.1f} min left",
            flush=True,
        )
        self.pairs, self.since = 0, time.perf_counter()

    def save(self) -> None:
        """Writes what is due after this step: the checkpoint, a copy before the decay, the weights to be averaged."""
        recipe, steps_left = self.recipe, self.recipe.steps - self.step
        if self.step % self.save_every == 0 or steps_left in (recipe.decay, 0):
            self.save_checkpoint()
            # The embeddings have moved; and whoever goes on from the checkpoint has no older neighbours.
            self.similar = None
        if self.rank:
            return
        if steps_left == recipe.decay:
            # From here a later, longer run can go on as if this one had never ended.
            shutil.copy(self.checkpoint, self.folder / "stable.pt")
        if steps_left < recipe.average * AVERAGE_EVERY and steps_left % AVERAGE_EVERY == 0:
            torch.save(self.network.state_dict(), self.folder / f"weights-{self.step:07d}.pt")

    def save_checkpoint(self) -> None:
        """Replaces `checkpoint.pt` by the state of now, in one go, so that an interruption leaves the older one."""
        if self.size > 1:
            self.optimisers[0].consolidate_state_dict(to=0)
        if self.rank == 0:
            state = {
                "network": self.network.state_dict(),
                "judge": self.judge.state_dict(),
                "optimisers": [optimiser.state_dict() for optimiser in self.optimisers],
                "step": self.step,
            }
            partial = self.checkpoint.with_suffix(".partial")
            torch.save(state, partial)
            partial.replace(self.checkpoint)


def average_gradients(parameters: list[nn.Parameter], tokens: int) -> None:
    """Gives every process the mean of all their gradients, by their numbers of tokens; the same bits in each."""
    gradients = [parameter.grad for parameter in parameters]
    flat = torch.cat([*(gradient.view(-1) for gradient in gradients), gradients[0].new_ones(1)]).mul_(tokens)
    dist.all_reduce(flat)
    flat = flat[:-1].div_(flat[-1].item())
    for gradient, mean in zip(gradients, flat.split([gradient.numel() for gradient in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))
