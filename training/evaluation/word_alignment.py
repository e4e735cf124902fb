"""What the cross-attention says about which word a translation comes from, against pairs aligned by hand.

The pairs are in `alignments.tsv` beside this file, whose first lines say how it is written. The decoder is given the
right translation, so that what is measured is the attention and not the model's choice of words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attnviz.models.model import Model
from attnviz.tokenization.token import Token
from training.evaluation.dependency_relations import by_unit, units

PAIRS = Path(__file__).with_name("alignments.tsv")

ROWS = ("own", "before")
"""Whose row is a word's: the row in which the decoder reads it, or the row before, in which it predicts it."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class AlignedPair:
    """A sentence and its translation with the words that correspond.

    Attributes:
        source_words, target_words: (start, end) of each word in its text.
        links: for each word of the target the words of the source that it comes from; none where it has no counterpart.
    """

    language: str
    source: str
    target: str
    source_words: tuple[Span, ...]
    target_words: tuple[Span, ...]
    links: tuple[frozenset[int], ...]


def read_alignments(lines: Iterable[str]) -> Iterator[AlignedPair]:
    """The pairs of a file such as `alignments.tsv`.

    Raises:
        ValueError: a line has not four columns, or a link names a word that is not there; says which.

    >>> next(read_alignments(["de\\tJa|!\\tYes|!\\tJa=Yes !=!"])).links
    (frozenset({0}), frozenset({1}))
    """
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != 4:
            raise ValueError(f"line {number} has {len(columns)} columns; it needs language, source, target and links")
        language, marked_source, marked_target, links = columns
        source, source_words = _cut(marked_source)
        target, target_words = _cut(marked_target)
        linked: list[set[int]] = [set() for _ in target_words]
        for link in links.split():
            # The last sign can itself be "=": "==" would be a link between two of them.
            source_word, _, target_word = link.partition("=")
            source_index = _word_index(source_word, source, source_words, number)
            linked[_word_index(target_word, target, target_words, number)].add(source_index)
        yield AlignedPair(language, source, target, source_words, target_words, tuple(map(frozenset, linked)))


def _cut(marked: str) -> tuple[str, tuple[Span, ...]]:
    """The text without its marks, and where its words are."""
    text, spans = "", []
    for part in marked.split(" "):
        text += " " if text else ""
        for word in filter(None, part.split("|")):
            spans.append((len(text), len(text) + len(word)))
            text += word
    return text, tuple(spans)


def _word_index(name: str, text: str, words: Sequence[Span], line: int) -> int:  # "Ja", or "Ja:2" for its second one
    word, _, number = name.partition(":")
    indices = [index for index, (start, end) in enumerate(words) if text[start:end] == word]
    wanted = int(number or 1)
    if len(indices) < wanted or (len(indices) > 1 and not number):
        raise ValueError(f"line {line} links {name!r}, and {text!r} has {len(indices)} words {word!r}")
    return indices[wanted - 1]


def between_words(
    weights: np.ndarray, queries: Sequence[Token], keys: Sequence[Token], target: Sequence[Span], source: Sequence[Span]
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
        {"own": by_unit(weights, of_query, of_key), "before": by_unit(weights, before, of_key)},
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
        pairs: how many there are.
    """

    correct: dict[str, np.ndarray]
    diagonal: np.ndarray
    language: np.ndarray
    second_half: np.ndarray
    pairs: int


def collect(model: Model, pairs: Sequence[AlignedPair]) -> Alignments:
    """Runs the model on every pair and looks where each cross-attention head points."""
    correct: dict[str, list[np.ndarray]] = {rows: [] for rows in ROWS}
    diagonal, language, half = [], [], []
    for number, pair in enumerate(pairs):
        recording = model.record(pair.source, pair.target)
        layers, heads, _, _ = recording.size("cross")
        weights = np.stack([recording.weights("cross", layer=layer).numpy() for layer in range(layers)])
        weights = np.concatenate([weights, weights.mean(axis=1, keepdims=True)], axis=1)  # (layer, head + mean, …)
        queries, keys = recording.query_tokens("cross"), recording.key_tokens("cross")
        views, of_target, of_source = between_words(
            weights.reshape(-1, *weights.shape[2:]), queries, keys, pair.target_words, pair.source_words
        )
        rights: dict[int, set[int]] = {}
        for word, linked in enumerate(pair.links):
            rights.setdefault(of_target[word], set()).update(of_source[index] for index in linked)
        for unit, right in rights.items():
            if not right:
                continue
            for rows in ROWS:
                greatest = views[rows][:, unit].argmax(axis=1).reshape(layers, heads + 1)
                correct[rows].append(np.isin(greatest, list(right)))
            diagonal.append(round(unit * of_source[-1] / max(of_target[-1], 1)) in right)
            language.append(pair.language)
            half.append(number % 2 == 1)
    return Alignments(
        {rows: np.array(correct[rows]) for rows in ROWS},
        np.array(diagonal),
        np.array(language),
        np.array(half),
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
    """

    layer: int
    head: int | None
    rows: str
    accuracy: float
    diagonal: float
    words: int
    chosen_gain: float


def scores(alignments: Alignments) -> list[AlignmentScore]:
    """Every head's and every layer mean's score, the best on the first half of the pairs first."""
    first, second = ~alignments.second_half, alignments.second_half
    result = []
    _, layers, columns = alignments.correct["own"].shape
    for layer in range(layers):
        for column in range(columns):
            chosen = {rows: float(alignments.correct[rows][first, layer, column].mean()) for rows in ROWS}
            rows = max(ROWS, key=chosen.__getitem__)
            result.append(
                AlignmentScore(
                    layer=layer,
                    head=column if column < columns - 1 else None,
                    rows=rows,
                    accuracy=float(alignments.correct[rows][second, layer, column].mean()),
                    diagonal=float(alignments.diagonal[second].mean()),
                    words=int(second.sum()),
                    chosen_gain=chosen[rows] - float(alignments.diagonal[first].mean()),
                )
            )
    return sorted(result, key=lambda score: -score.chosen_gain)
