"""Roles that show only on texts made for them: random tokens read twice, and a sentence hidden in a long text.

They are asked of models that read from left to right and nothing else (GPT and its like).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from attnviz.models.model import Model
from attnviz.models.network.network import vocabulary_size
from attnviz.models.recording.batches import Batch, BatchLayer
from attnviz.models.recording.text_layer import TextLayer
from attnviz.roles.corpora.corpus import Text
from attnviz.roles.measurement.statistics import Sums
from attnviz.roles.tables.catalogue import ROLES
from attnviz.roles.tables.table import HeadRole

REPEATED = 32
"""Random tokens that are read twice."""
SEQUENCES = 16
HAYSTACK = 400
"""Tokens of the text that the sentence is hidden in, where the model takes so many."""
NEEDLE = 12
"""Most tokens of the hidden sentence."""


def probe_rows(model: Model, texts: Sequence[Text]) -> Iterator[HeadRole]:
    """The rows "induction" and "retrieval" of every head.

    Args:
        model: measured where it has a decoder and nothing else.
        texts: of the corpus; they are the long text, and what is hidden in it.
    """
    if model.kinds != ("decoder",):
        return
    generator = np.random.default_rng(0)
    room = model.max_tokens or HAYSTACK + 2 * NEEDLE
    count = min(REPEATED, (room - 1) // 2)
    if count >= 4:
        yield from _induction(model, generator, count)
    if room >= 64:
        yield from _retrieval(model, texts, generator, min(HAYSTACK, room - 2 * NEEDLE))


def _induction(model: Model, generator: np.random.Generator, count: int) -> Iterator[HeadRole]:
    """Olsson et al. 2022, "In-context Learning and Induction Heads": a start token and random tokens read twice; from
    each of the second time, the share to the token that came after it the first time."""
    start = _start(model)
    ids = _plain_ids(model)
    drawn = [generator.choice(ids, count, replace=len(ids) < count).tolist() for _ in range(SEQUENCES)]
    texts = [[*start, *sequence, *sequence] for sequence in drawn]
    rows = torch.arange(len(start) + count, len(start) + 2 * count)
    keys = rows - count + 1
    yield from _rows(model, "induction", texts, [(rows, keys)] * len(texts), points=False)


def _retrieval(model: Model, texts: Sequence[Text], generator: np.random.Generator, length: int) -> Iterator[HeadRole]:
    """Wu et al. 2024, "Retrieval Head Mechanistically Explains Long-Context Factuality", section 2: how often the
    greatest weight is on the token of the hidden sentence that is being copied. The copy is given, so that the
    attention is measured and not whether the model chooses to copy."""
    read = [list(model.inputs.encode(text.text).ids) for text in texts[:400]]
    chosen = [ids for ids in read if len(ids) >= 6][:: max(1, len(read) // SEQUENCES)][:SEQUENCES]
    made, places = [], []
    for sentence in chosen:
        needle = sentence[:NEEDLE]
        # What is hidden must not stand in the long text a second time.
        flowing = [token for ids in read if ids != sentence for token in ids]
        if len(flowing) < length:
            continue
        begin = int(generator.integers(0, len(flowing) - length + 1))
        before = int(generator.integers(1, length))
        hay = flowing[begin : begin + length]
        made.append([*hay[:before], *needle, *hay[before:], *needle])
        copied = torch.arange(1, len(needle))
        # The row that predicts a token is the one before it.
        places.append((length + len(needle) + copied - 1, before + copied))
    if not made:
        return
    order = sorted(range(len(made)), key=lambda index: -len(made[index]))
    yield from _rows(
        model, "retrieval", [made[index] for index in order], [places[index] for index in order], points=True
    )


def _rows(
    model: Model,
    role: str,
    texts: Sequence[Sequence[int]],
    places: Sequence[tuple[torch.Tensor, torch.Tensor]],
    *,
    points: bool,
) -> Iterator[HeadRole]:
    counts = model.recorder.plan.heads["decoder"]
    sums = Sums.zeros(1, len(counts), max(counts))

    def watch(layer: BatchLayer | TextLayer) -> None:
        scores, number, even = [], [], []
        for index, (rows, keys) in enumerate(read):
            one = layer.of_text(index)
            block = slice(int(rows[0]), int(rows[-1]) + 1)
            weights = one.weights(block)[0].cpu()  # (heads, rows, keys)
            seen = one.allowed(block)[0].cpu()
            own = weights[:, torch.arange(len(rows)), keys]
            others = weights.clone()
            others[:, torch.arange(len(rows)), keys] = -1.0
            score = (own > others.amax(dim=-1)).float() if points else own
            inside = seen[torch.arange(len(rows)), keys]
            scores.append((score * inside).sum(dim=-1))
            number.append(float(inside.sum()))
            even.append(float((inside / seen.sum(dim=-1).clamp(min=1)).sum()))
        sums.add(
            layer.layer,
            torch.stack(scores).numpy()[:, :, None],
            np.array(number)[:, None],
            np.array(even)[:, None],
        )

    # One at a time where no more can be captured.
    step = len(texts) if model.recorder.plan.captures else 1
    for first in range(0, len(texts), step):
        read = places[first : first + step]
        Batch(model, texts[first : first + step]).read(watch)
    value, low, high, baseline = sums.values()
    for layer, heads in enumerate(counts):
        if not sums.rows[0, layer]:
            continue
        for head in range(heads):
            share, least, most = (float(item[0, layer, head]) for item in (value, low, high))
            even, count = float(baseline[0, layer]), int(sums.rows[0, layer])
            labelled = least > even and share >= ROLES[role].least
            yield HeadRole("decoder", layer, head, role, share, least, most, even, count, labelled)


def _start(model: Model) -> list[int]:
    """The token that a text begins with, where the model has one."""
    for holder in (model.tokenizer, model.network.config):
        for name in ("bos_token_id", "cls_token_id", "eos_token_id"):
            index = getattr(holder, name, None)
            if isinstance(index, int) and 0 <= index < vocabulary_size(model.network):
                return [index]
    return []


def _plain_ids(model: Model) -> np.ndarray:
    """The ids that are no special tokens."""
    special = set(getattr(model.tokenizer, "all_special_ids", ()))
    size = min(vocabulary_size(model.network), len(model.tokenizer or ()) or 1 << 31)
    return np.array([index for index in range(size) if index not in special])
