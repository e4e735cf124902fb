"""What the cross-attention says about which word a translation comes from, against pairs aligned by hand.

The decoder is given the right translation, so that what is measured is the attention and not the model's choice of
words. Heads are chosen on every other pair and measured on the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from attnviz.models.model import Model
from attnviz.models.recording.batches import Batch, BatchLayer, most_tokens
from attnviz.models.recording.text_layer import TextLayer
from attnviz.roles.corpora.aligned_pairs import AlignedPair, Span
from attnviz.roles.corpora.units import by_unit, units
from attnviz.roles.measurement.collecting import Reading
from attnviz.roles.measurement.parts import batches, with_beginnings
from attnviz.roles.measurement.statistics import ratio_interval
from attnviz.roles.tables.catalogue import GAIN
from attnviz.roles.tables.table import HeadRole
from attnviz.tokenization.token import Token

ROWS = ("own", "before")
"""Whose row is a word's: the row in which the decoder reads it, or the row before, in which it predicts it."""

BATCH_TOKENS = 2048


def between_words(
    weights: np.ndarray,
    queries: Sequence[Token],
    keys: Sequence[Token],
    target: Sequence[Span],
    source: Sequence[Span],
) -> tuple[dict[str, np.ndarray], list[int], list[int]]:
    """Cross-attention from the words of a target to those of a source, special tokens dropped.

    Args:
        weights: (heads, query tokens, key tokens).
        target, source: (start, end) of the words.

    Returns:
        For each of `ROWS` (heads, target units, source units); the unit of each target word, and of each source word.
    """
    of_target, of_query = units(target, queries)
    of_source, of_key = units(source, keys)
    before = [*of_query[1:], None]
    return (
        {
            "own": by_unit(weights, of_query, of_key),
            "before": by_unit(weights, before, of_key),
        },
        of_target,
        of_source,
    )


@dataclass(frozen=True, slots=True)
class Alignments:
    """For every target word with a counterpart, whether the attention points to it.

    Attributes:
        correct: per `ROWS` entry (words, layers, heads + 1) bool: the greatest weight is on a right source word. The
            last "head" is the mean of its layer's.
        diagonal: (words,) bool: so is the source word at the same place in its sentence.
        language: (words,) str.
        second_half: (words,) bool: heads are chosen on the other half of the pairs, and reported on this one.
        pair: (words,) the number of the pair.
        pairs: how many there are.
    """

    correct: dict[str, np.ndarray]
    diagonal: np.ndarray
    language: np.ndarray
    second_half: np.ndarray
    pair: np.ndarray
    pairs: int


def collect(model: Model, pairs: Sequence[AlignedPair]) -> Alignments:
    """Runs the model on every pair and looks where each cross-attention head points."""
    readings = []
    for number, pair in enumerate(pairs):
        target = model.inputs.encode_target(pair.target)
        written = () if target is None else target.tokens
        readings.append(
            Reading(
                number,
                pair.source,
                pair.target,
                model.inputs.encode(pair.source).tokens,
                written,
            )
        )
    layers: dict[int, list[dict[str, np.ndarray]]] = {}
    lined_up: dict[int, tuple[list[int], list[int]]] = {}

    def watch(layer: BatchLayer | TextLayer) -> None:
        if layer.kind != "cross":
            return
        whole = layer.weights(slice(0, layer.size[2])).cpu().numpy()
        for item, of_text in zip(batch, whole, strict=True):
            weights = of_text[:, : len(item.written), : len(item.source)]
            weights = np.concatenate([weights, weights.mean(axis=0, keepdims=True)])  # (head + mean, …)
            pair = pairs[item.number]
            views, *words = between_words(weights, item.written, item.source, pair.target_words, pair.source_words)
            layers.setdefault(item.number, []).append({rows: view.argmax(axis=2) for rows, view in views.items()})
            lined_up[item.number] = words[0], words[1]

    for texts in batches(readings, most_tokens(model, BATCH_TOKENS)):
        run = Batch(model, [[token.id for token in item.source] for item in texts])
        run.read(lambda layer: None)
        batch = with_beginnings(model, run, texts)
        run.read_targets([[token.id for token in item.written] for item in batch], watch)
    return _alignments(pairs, lined_up, layers)


def _alignments(
    pairs: Sequence[AlignedPair],
    lined_up: dict[int, tuple[list[int], list[int]]],
    layers: dict[int, list[dict[str, np.ndarray]]],
) -> Alignments:
    correct: dict[str, list[np.ndarray]] = {rows: [] for rows in ROWS}
    diagonal, language, half, numbers = [], [], [], []
    for number, pair in enumerate(pairs):
        of_target, of_source = lined_up[number]
        rights: dict[int, set[int]] = {}
        for word, linked in enumerate(pair.links):
            rights.setdefault(of_target[word], set()).update(of_source[index] for index in linked)
        for unit, right in rights.items():
            if not right:
                continue
            for rows in ROWS:
                greatest = np.stack([views[rows][:, unit] for views in layers[number]])
                correct[rows].append(np.isin(greatest, list(right)))
            diagonal.append(round(unit * of_source[-1] / max(of_target[-1], 1)) in right)
            language.append(pair.language)
            half.append(number % 2 == 1)
            numbers.append(number)
    return Alignments(
        {rows: np.array(correct[rows]) for rows in ROWS},
        np.array(diagonal),
        np.array(language),
        np.array(half),
        np.array(numbers),
        len(pairs),
    )


@dataclass(frozen=True, slots=True)
class AlignmentScore:
    """How often one head (or the mean of a layer: head None) points at the right word, on the half not chosen on.

    Attributes:
        rows: one of `ROWS`: the one that did better on the other half.
        accuracy, diagonal: share of words in [0, 1]; of the head, and of "the same place in the sentence".
        words: how many there are.
        chosen_gain: accuracy above the diagonal on the half that was chosen on.
        low, high: the 95 % interval of the accuracy.
    """

    layer: int
    head: int | None
    rows: str
    accuracy: float
    diagonal: float
    words: int
    chosen_gain: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the head may be said to find the source word: it gains on both halves, and not by chance."""
        return min(self.chosen_gain, self.accuracy - self.diagonal) >= GAIN and self.low > self.diagonal


def scores(alignments: Alignments) -> list[AlignmentScore]:
    """Every head's and every layer mean's score, the best on the first half of the pairs first."""
    first, second = ~alignments.second_half, alignments.second_half
    result = []
    _, layers, columns = alignments.correct["own"].shape
    for layer in range(layers):
        for column in range(columns):
            chosen = {rows: float(alignments.correct[rows][first, layer, column].mean()) for rows in ROWS}
            rows = max(ROWS, key=chosen.__getitem__)
            low, high = ratio_interval(alignments.correct[rows][second, layer, column], alignments.pair[second])
            result.append(
                AlignmentScore(
                    layer=layer,
                    head=column if column < columns - 1 else None,
                    rows=rows,
                    accuracy=float(alignments.correct[rows][second, layer, column].mean()),
                    diagonal=float(alignments.diagonal[second].mean()),
                    words=int(second.sum()),
                    chosen_gain=chosen[rows] - float(alignments.diagonal[first].mean()),
                    low=float(low),
                    high=float(high),
                )
            )
    return sorted(result, key=lambda score: -score.chosen_gain)


def alignment_rows(items: Sequence[AlignmentScore]) -> Iterator[HeadRole]:
    """The rows of a table: every head of the cross-attention, in the rows in which it does better."""
    for item in items:
        if item.head is not None:
            yield HeadRole(
                "cross",
                item.layer,
                item.head,
                "alignment",
                item.accuracy,
                item.low,
                item.high,
                item.diagonal,
                item.words,
                labelled=item.holds,
                rows=item.rows,
            )
