"""Which heads follow which grammatical relation, measured on treebanks.

The measure is that of Clark et al. 2019, "What Does BERT Look At?", section 4.2: for each relation and either
direction, how often the word that a head attends to most is the right one, beside the best fixed offset ("always two
words on"). Heads are chosen on one half of the sentences and measured on the other: among many heads one always looks
good by chance.

    Sentence ─ units (with the model's tokens) ─ weights by unit ─ Instances ─ Score ─ HeadRole
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from attnviz.models.model import Model
from attnviz.models.recording.batches import Batch, BatchLayer, most_tokens
from attnviz.models.recording.text_layer import TextLayer
from attnviz.roles.corpora.treebank import Sentence
from attnviz.roles.corpora.units import by_unit, units
from attnviz.roles.measurement.collecting import Reading
from attnviz.roles.measurement.facts import Axis, Facts, score
from attnviz.roles.measurement.parts import batches
from attnviz.roles.measurement.statistics import ratio_interval
from attnviz.roles.tables.catalogue import GAIN, REACH
from attnviz.roles.tables.table import HeadRole

FEWEST = 40
"""A relation with fewer instances in either half of the sentences is not reported: they would tell ± 15 points."""

OFFSETS = (*range(-REACH, 0), *range(1, REACH + 1))
"""In words, that a baseline is the best of."""
DIRECTIONS = ("to_head", "to_dependent")
"""Who looks: the dependent at its head, or the head at its dependent."""

# Without a second word; of no grammatical interest; one that the annotators could not name.
_LEFT_OUT = {"root", "punct", "dep"}

BATCH_TOKENS = 2048


@dataclass(frozen=True, slots=True)
class Instances:
    """Every pair of related words of one language, and whether each head points from one to the other.

    Attributes:
        relation, direction: (instances,) str.
        offset: (instances,) by how many words the right one is behind the one that looks; before it where negative.
        correct: (instances, layers, heads) bool: the right word gets more than any other.
        second_half: (instances,) bool: heads are chosen on the other half, and reported on this one.
        length: (instances,) how many words the sentence has.
        sentence: (instances,) the number of the sentence.
        sentences, words: how many were read.
        left_out: the share of pairs that lie within one unit, in [0, 1].
        positions: (layers, heads, 21) how often each head's greatest weight is at the offset -10 … 10 in tokens.
        possible: (21,) how often there was a token at that offset.
    """

    relation: np.ndarray
    direction: np.ndarray
    offset: np.ndarray
    correct: np.ndarray
    second_half: np.ndarray
    length: np.ndarray
    sentence: np.ndarray
    sentences: int
    words: int
    left_out: float
    positions: np.ndarray
    possible: np.ndarray

    def of_at_most(self, words: int) -> Instances:
        """Only the pairs of sentences of at most so many words; what counts the whole treebank stays."""
        short = self.length <= words
        names = (
            "relation",
            "direction",
            "offset",
            "correct",
            "second_half",
            "length",
            "sentence",
        )
        return dataclasses.replace(self, **{name: getattr(self, name)[short] for name in names})


def collect(model: Model, sentences: Sequence[Sentence], kind: str = "encoder") -> Instances:
    """Runs the model on every sentence and looks where each head points.

    Args:
        model: whose heads.
        sentences: every other one is for choosing.
        kind: of attention, "encoder" or that of a model that only has a decoder.
    """
    readings = [
        Reading(number, sentence.text, "", model.inputs.encode(sentence.text).tokens)
        for number, sentence in enumerate(sentences)
    ]
    greatest: dict[int, list[np.ndarray]] = {}
    lined_up = {
        item.number: units(
            [(word.start, word.end) for word in sentences[item.number].words],
            item.source,
        )
        for item in readings
    }
    counts: dict[int, np.ndarray] = {}
    possible = np.zeros(2 * REACH + 1)

    def watch(layer: BatchLayer | TextLayer) -> None:
        nonlocal possible
        if layer.kind != kind:
            return
        rows = slice(0, layer.size[2])
        weights = layer.weights(rows)
        facts = Facts.of(axis, axis, layer.allowed(rows), rows, related=True)
        hits = score(weights, facts).offsets.sum(dim=0).cpu().numpy()
        counts[layer.layer] = counts.get(layer.layer, 0) + hits
        if layer.layer == 0:
            possible = possible + facts.offset_number.sum(dim=0).cpu().numpy()
        whole = weights.cpu().numpy()
        for item, of_text in zip(batch, whole, strict=True):
            length = len(item.source)
            _, of_token = lined_up[item.number]
            between = by_unit(of_text[:, :length, :length], of_token, of_token)
            between[:, np.arange(between.shape[1]), np.arange(between.shape[1])] = -1.0
            greatest.setdefault(item.number, []).append(between.argmax(axis=2))

    for batch in batches(readings, most_tokens(model, BATCH_TOKENS)):
        axis = Axis.of([item.source for item in batch], {}, model.device)
        Batch(model, [[token.id for token in item.source] for item in batch]).read(watch)
    positions = np.stack([counts[layer] for layer in sorted(counts)]) if counts else np.zeros((0, 0, 2 * REACH + 1))
    return _instances(sentences, lined_up, greatest, positions, possible)


def _instances(
    sentences: Sequence[Sentence],
    lined_up: dict[int, tuple[list[int], list[int | None]]],
    greatest: dict[int, list[np.ndarray]],
    positions: np.ndarray,
    possible: np.ndarray,
) -> Instances:
    rows: list[tuple[str, str, int, bool, int, int]] = []
    correct: list[np.ndarray] = []
    pairs = within = 0
    for number, sentence in enumerate(sentences):
        of_word, _ = lined_up[number]
        pointed = np.stack(greatest[number])  # (layers, heads, unit)
        for index, word in enumerate(sentence.words):
            if word.head < 0 or word.relation in _LEFT_OUT:
                continue
            pairs += 1
            dependent, head = of_word[index], of_word[word.head]
            if dependent == head:
                within += 1
                continue
            for direction, looking, right in zip(DIRECTIONS, (dependent, head), (head, dependent), strict=True):
                length = len(sentence.words)
                rows.append(
                    (
                        word.relation,
                        direction,
                        right - looking,
                        number % 2 == 1,
                        length,
                        number,
                    )
                )
                correct.append(pointed[:, :, looking] == right)
    columns = [np.array(column) for column in zip(*rows, strict=True)] if rows else [np.zeros(0)] * 6
    return Instances(
        relation=columns[0],
        direction=columns[1],
        offset=columns[2],
        correct=np.array(correct).reshape(len(correct), *positions.shape[:2]).astype(bool),
        second_half=columns[3].astype(bool),
        length=columns[4],
        sentence=columns[5],
        sentences=len(sentences),
        words=sum(len(sentence.words) for sentence in sentences),
        left_out=within / max(pairs, 1),
        positions=positions,
        possible=possible,
    )


def positional(instances: Sequence[Instances], share: float = 0.9) -> list[tuple[int, int, int, float]]:
    """Heads whose greatest weight is at one fixed offset from the token nearly always, whatever the language.

    Voita et al. 2019, "Analyzing Multi-Head Self-Attention", section 5.1: at least 90 % of the time. Counted over the
    tokens that have a token at that offset: the first has none before it.

    Returns:
        (layer, head, offset in tokens, share in [0, 1]) of each such head; offset 0 is the token itself.
    """
    counts = np.sum([item.positions for item in instances], axis=0)
    shares = counts / np.maximum(np.sum([item.possible for item in instances], axis=0), 1)
    reach = shares.shape[2] // 2
    return [
        (layer, head, int(best) - reach, float(shares[layer, head, best]))
        for (layer, head), best in np.ndenumerate(counts.argmax(axis=2))
        if shares[layer, head, best] >= share
    ]


@dataclass(frozen=True, slots=True)
class Score:
    """How well a head finds one end of a relation from the other, on the half of the sentences it was not chosen on.

    Attributes:
        accuracy: share of instances where the right word gets the greatest weight, in [0, 1].
        offset: the fixed offset in words that does best. It is taken from the very half that is reported, which favours
            it over the head; one taken from the other half does badly where there are few instances.
        offset_accuracy: the same share for that offset.
        instances: how many there are.
        chosen_gain: accuracy above the offset on the half that it was chosen on.
        low, high: the 95 % interval of the accuracy.
    """

    language: str
    relation: str
    direction: str
    layer: int
    head: int
    accuracy: float
    offset: int
    offset_accuracy: float
    instances: int
    chosen_gain: float
    low: float
    high: float

    @property
    def holds(self) -> bool:
        """Whether the head may be said to follow the relation: it gains on both halves, and not by chance."""
        return min(self.chosen_gain, self.gain) >= GAIN and self.low > self.offset_accuracy

    @property
    def gain(self) -> float:
        """Accuracy above the fixed offset, in [-1, 1]."""
        return self.accuracy - self.offset_accuracy


def scores(language: str, instances: Instances) -> list[list[Score]]:
    """For each relation and direction with enough instances, every head's score, the best on the first half first."""
    result = []
    for relation in sorted(set(instances.relation.tolist())):
        for direction in DIRECTIONS:
            chosen = (instances.relation == relation) & (instances.direction == direction)
            first, second = (
                chosen & ~instances.second_half,
                chosen & instances.second_half,
            )
            if min(first.sum(), second.sum()) < FEWEST:
                continue
            _, chosen_accuracy = _best_offset(instances.offset[first])
            offset, offset_accuracy = _best_offset(instances.offset[second])
            learned = instances.correct[first].mean(axis=0)  # (layers, heads)
            reported = instances.correct[second].mean(axis=0)
            low, high = ratio_interval(instances.correct[second], instances.sentence[second])
            order = np.argsort(-learned, axis=None, kind="stable")
            result.append(
                [
                    Score(
                        language=language,
                        relation=relation,
                        direction=direction,
                        layer=int(layer),
                        head=int(head),
                        accuracy=float(reported[layer, head]),
                        offset=offset,
                        offset_accuracy=offset_accuracy,
                        instances=int(second.sum()),
                        chosen_gain=float(learned[layer, head]) - chosen_accuracy,
                        low=float(low[layer, head]),
                        high=float(high[layer, head]),
                    )
                    for layer, head in zip(*np.unravel_index(order, learned.shape), strict=True)
                ]
            )
    return result


def _best_offset(offsets: np.ndarray) -> tuple[int, float]:
    shares = [float((offsets == offset).mean()) for offset in OFFSETS]
    best = int(np.argmax(shares))
    return OFFSETS[best], shares[best]


def relation_rows(kind: str, groups: Sequence[Sequence[Score]], most_words: int | None = None) -> Iterator[HeadRole]:
    """The rows of a table: of every relation, direction and language the heads that follow it, and the best one.

    Args:
        kind: of attention.
        groups: from `scores`.
        most_words: what the sentences were limited to; None for all.
    """
    for group in groups:
        for item in group:
            if item.holds or item is group[0]:
                yield HeadRole(
                    kind,
                    item.layer,
                    item.head,
                    item.relation,
                    item.accuracy,
                    item.low,
                    item.high,
                    item.offset_accuracy,
                    item.instances,
                    labelled=item.holds,
                    language=item.language,
                    direction=item.direction,
                    offset=item.offset,
                    most_words=most_words,
                )
