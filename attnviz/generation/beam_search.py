"""Beam search: several texts at a time, the likeliest of which go on; with all that was looked at on the way.

The search is Lowerre's (1976). Lengths are made comparable as in Wu et al. 2016, section 7, with transformers' penalty:
the sum of log-probabilities is divided by (number of new tokens) ** length_penalty. The checkpoint's own
`length_penalty` and `early_stopping` are used, so that a text is the one that `generate(num_beams=width)` writes.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from attnviz.generation.result import Hypothesis, Written

if TYPE_CHECKING:
    from attnviz.generation.sampling import Method
    from attnviz.generation.writer import Writer


@dataclass
class _Finished:
    """The best finished texts, at most as many as the beam is wide."""

    width: int
    texts: list[tuple[float, tuple[int, ...], float]] = field(default_factory=list)  # penalised score, ids, sum

    def add(self, score: float, ids: tuple[int, ...], total: float) -> None:
        self.texts = heapq.nlargest(self.width, [*self.texts, (score, ids, total)], key=lambda text: text[0])

    @property
    def full(self) -> bool:
        return len(self.texts) == self.width


def search(writer: Writer, prefix: tuple[int, ...], method: Method, limit: int) -> Written:
    """The text with the best score, and what the beam held in each step.

    Args:
        writer: what writes.
        prefix: what is written already; every hypothesis begins with it, and it has no part in their scores.
        method: its width counts.
        limit: the most tokens that are written, the prefix included.
    """
    if len(prefix) >= limit or writer.is_finished(prefix):
        return Written(prefix, len(prefix), writer.end_reason(prefix))
    config = getattr(writer.model.network, "generation_config", None)
    length_penalty, early_stopping = (getattr(config, name, None) for name in ("length_penalty", "early_stopping"))
    penalty = 1.0 if length_penalty is None else float(length_penalty)
    looks = max(2, 1 + len(writer.ends)) * method.width
    beam = [Hypothesis((), 0.0, None, "kept")]
    finished = _Finished(method.width)
    steps: list[tuple[Hypothesis, ...]] = []
    length = 0
    while True:
        last = len(prefix) + length + 1 == limit
        candidates = _candidates(writer, prefix, beam, looks)
        length += 1
        looked: list[Hypothesis] = []
        next_beam: list[Hypothesis] = []
        for rank, (ids, score, parent) in enumerate(candidates):
            complete = last or writer.is_finished((*prefix, *ids))
            # A text that ends counts only where it is among the best; else one that merely ends early would win.
            if complete and rank < method.width:
                finished.add(score / length**penalty, ids, score)
                state = "finished"
            elif not complete and len(next_beam) < method.width:
                state = "kept"
            else:
                state = "dropped"
            hypothesis = Hypothesis(ids, score, parent if steps else None, state)  # type: ignore[arg-type]
            looked.append(hypothesis)
            if state == "kept":
                next_beam.append(hypothesis)
        steps.append(tuple(looked))
        beam = next_beam
        if not beam or _is_settled(finished, beam[0].score, early_stopping, length, limit - len(prefix), penalty):
            break
    score, ids, _total = finished.texts[0]
    whole_ids = (*prefix, *ids)
    return Written(whole_ids, len(prefix), writer.end_reason(whole_ids), tuple(steps), score)


def _candidates(
    writer: Writer, prefix: tuple[int, ...], beam: list[Hypothesis], looks: int
) -> list[tuple[tuple[int, ...], float, int]]:
    """The likeliest continuations by one token: (ids, sum of log-probabilities, parent), the best first."""
    prefixes = [[*prefix, *hypothesis.ids] for hypothesis in beam]
    scores = writer.apply_processors(prefixes, writer.logits(prefixes).log_softmax(dim=-1))  # (hypotheses, vocabulary)
    totals: Tensor = scores + torch.tensor([hypothesis.score for hypothesis in beam])[:, None]
    best = totals.flatten().topk(min(looks, totals.numel()))
    continuations = []
    for score, flat_index in zip(best.values.tolist(), best.indices.tolist(), strict=True):
        parent, token = divmod(flat_index, totals.shape[1])
        if score > float("-inf"):
            continuations.append(((*beam[parent].ids, token), score, parent))
    return continuations


def _is_settled(
    finished: _Finished, best: float, early: bool | str | None, length: int, most: int, penalty: float
) -> bool:
    """Whether no text that is still open is expected to beat the finished ones."""
    if not finished.full:
        return False
    if early is True:
        return True
    hoped = most if early == "never" and penalty > 0 else length
    return best / hoped**penalty <= finished.texts[-1][0]
