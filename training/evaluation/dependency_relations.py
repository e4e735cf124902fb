"""Which encoder heads follow which grammatical relation, measured on Universal Dependencies treebanks.

The measure is that of Clark et al. 2019, "What Does BERT Look At?", section 4.2: for each relation and either
direction, how often the word that a head attends to most is the right one, beside the best fixed offset ("always two
words on"). This module reads CoNLL-U, lines the treebank's words up with the model's tokens, and scores; it trains
nothing and writes nothing.

    CoNLL-U ─ Sentence ─ units (with the model's tokens) ─ weights by unit ─ Instances ─ Score
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attnviz.models.model import Model
from attnviz.tokenization.token import Token

MOST_WORDS = 40
"""Longer sentences are left out: the model was trained on short ones, and its positions beyond mean little."""

MOST_SENTENCES = 1000
"""Of a treebank, taken at even steps through the file, so that every document of it takes part."""

FEWEST = 40
"""A relation with fewer instances in either half of the sentences is not reported: they would tell ± 15 points."""

OFFSETS = (*range(-10, 0), *range(1, 11))
DIRECTIONS = ("to_head", "to_dependent")
"""Who looks: the dependent at its head, or the head at its dependent."""

# Without a second word; of no grammatical interest; one that the annotators could not name.
_LEFT_OUT = {"root", "punct", "dep"}


@dataclass(frozen=True, slots=True)
class Word:
    """A syntactic word.

    Attributes:
        start, end: characters of the sentence's text. The words of one written token share them: "zum" is both "zu"
            and "dem".
        head: index of its head in the sentence, -1 for the root.
        relation: to its head, without the subtype: "nsubj" stands for "nsubj:pass" too.
    """

    start: int
    end: int
    head: int
    relation: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text and its syntactic words."""

    text: str
    words: tuple[Word, ...]


def read_conllu(lines: Iterable[str], name: str = "CoNLL-U") -> Iterator[Sentence]:
    """The sentences of a treebank in CoNLL-U (https://universaldependencies.org/format.html).

    Empty nodes are left out. A multiword token's words all have its place in the text.

    Raises:
        ValueError: a sentence has no `# text`, or a word that is not in it; names the sentence.

    >>> sentence = next(read_conllu(["# text = Ja!", "1\\tJa\\t_\\t_\\t_\\t_\\t0\\troot\\t_\\t_", ""]))
    >>> sentence.words
    (Word(start=0, end=2, head=-1, relation='root'),)
    """
    text, rows, number = None, [], 1
    for line in (*lines, ""):
        line = line.rstrip("\n")
        if line.startswith("# text = "):
            text = line.removeprefix("# text = ")
        elif line and not line.startswith("#"):
            rows.append(line.split("\t"))
        elif not line and rows:
            if text is None:
                raise ValueError(f"{name}: sentence {number} has no line `# text = …`; take the treebank's own file")
            yield Sentence(text, _words(text, rows, f"{name}: sentence {number}"))
            text, rows, number = None, [], number + 1


def _words(text: str, rows: list[list[str]], where: str) -> tuple[Word, ...]:
    words: list[Word] = []
    reached, last_of_token = 0, 0
    span = (0, 0)
    for row in rows:
        if len(row) != 10:
            raise ValueError(f"{where} has a line of {len(row)} columns; CoNLL-U has 10, with tabs between them")
        number = row[0]
        if "." in number:
            continue
        if "-" in number or int(number) > last_of_token:
            start = text.find(row[1], reached)
            if start < 0 or text[reached:start].strip():
                raise ValueError(f"{where} has the word {row[1]!r}, which its text has not at character {reached}")
            span = (start, start + len(row[1]))
            reached, last_of_token = span[1], int(number.split("-")[-1])
        if "-" not in number:
            words.append(Word(*span, head=int(row[6]) - 1, relation=row[7].split(":")[0]))
    return tuple(words)


def sample(sentences: Iterable[Sentence], most: int = MOST_SENTENCES) -> list[Sentence]:
    """Those of 2 to `MOST_WORDS` words, at most `most` of them at even steps."""
    fitting = [sentence for sentence in sentences if 2 <= len(sentence.words) <= MOST_WORDS]
    if len(fitting) <= most:
        return fitting
    return [fitting[index] for index in np.linspace(0, len(fitting) - 1, most).round().astype(int)]


def units(spans: Sequence[tuple[int, int]], tokens: Sequence[Token]) -> tuple[list[int], list[int | None]]:
    """The smallest parts of a text that both a list of words and a model's tokens can be cut into.

    Mostly a unit is a written word. The two syntactic words of "zum" are one, and so are two words that share a token
    (as happens in Chinese): attention cannot tell them apart.

    Args:
        spans: (start, end) of each word, in the order of the text.
        tokens: of the model; special tokens and those of nothing but space belong to no unit.

    Returns:
        For each word its unit, for each token its unit or None. Units count from 0 in the order of the text.

    >>> units([(0, 3), (4, 7)], [Token(5, "Der", False, 0, 0, 3), Token(6, " Ba", False, 1, 3, 6),
    ...                          Token(7, "ll", False, 1, 6, 7), Token(2, "</s>", True, None, None, None)])
    ([0, 1], [0, 1, 1, None])
    """
    touched = [_touched_words(token, spans) for token in tokens]
    joined_to_next = [False] * len(spans)
    for first in range(len(spans) - 1):
        joined_to_next[first] = spans[first] == spans[first + 1]
    for words in touched:
        for word in words[:-1]:
            joined_to_next[word] = True
    of_word, unit = [], 0
    for joined in joined_to_next:
        of_word.append(unit)
        unit += not joined
    return of_word, [of_word[words[0]] if words else None for words in touched]


def _touched_words(token: Token, spans: Sequence[tuple[int, int]]) -> list[int]:
    if token.special or token.start is None or token.end is None:
        return []
    start = token.end - len(token.text.lstrip())
    end = token.start + len(token.text.rstrip())
    return [index for index, (first, last) in enumerate(spans) if start < last and first < end]


def by_unit(weights: np.ndarray, of_query: Sequence[int | None], of_key: Sequence[int | None]) -> np.ndarray:
    """Attention between units: the sum over a unit's key tokens, the mean over its query tokens.

    Args:
        weights: (heads, query tokens, key tokens).
        of_query, of_key: the unit of each token, or None for those that are dropped.

    Returns:
        (heads, query units, key units), 0 for a unit without tokens. As `AttentionMap.by_word`, for all heads at once.
    """
    queries, keys = _members(of_query), _members(of_key)
    return (queries / np.maximum(queries.sum(axis=1, keepdims=True), 1.0)) @ weights @ keys.T


def _members(of_token: Sequence[int | None]) -> np.ndarray:
    """(units, tokens) float32: 1 where the token is a part of the unit."""
    count = 1 + max((unit for unit in of_token if unit is not None), default=-1)
    member = np.zeros((count, len(of_token)), dtype=np.float32)
    for token, unit in enumerate(of_token):
        if unit is not None:
            member[unit, token] = 1.0
    return member


@dataclass(frozen=True, slots=True)
class Instances:
    """Every pair of related words of one language, and whether each head points from one to the other.

    Attributes:
        relation, direction: (instances,) str.
        offset: (instances,) by how many words the right one is behind the one that looks; before it where negative.
        correct: (instances, layers, heads) bool: the right word gets more than any other.
        second_half: (instances,) bool: heads are chosen on the other half, and reported on this one.
        length: (instances,) how many words the sentence has.
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
    sentences: int
    words: int
    left_out: float
    positions: np.ndarray
    possible: np.ndarray

    def of_at_most(self, words: int) -> Instances:
        """Only the pairs of sentences of at most so many words; what counts the whole treebank stays."""
        short = self.length <= words
        names = ("relation", "direction", "offset", "correct", "second_half", "length")
        return dataclasses.replace(self, **{name: getattr(self, name)[short] for name in names})


def collect(model: Model, sentences: Sequence[Sentence]) -> Instances:
    """Runs the model on every sentence and looks where each encoder head points."""
    relations, directions, offsets, correct, half, lengths = [], [], [], [], [], []
    positions = possible = np.zeros(())
    pairs = within = words = 0
    for number, sentence in enumerate(sentences):
        recording = model.record(sentence.text)
        layers, heads, _, _ = recording.size("encoder")
        tokens = recording.query_tokens("encoder")
        weights = np.concatenate([recording.weights("encoder", layer=layer).numpy() for layer in range(layers)])
        counts, room_counts = _offsets_of_greatest(weights, [token.special for token in tokens])
        positions, possible = positions + counts, possible + room_counts
        of_word, of_token = units([(word.start, word.end) for word in sentence.words], tokens)
        between = by_unit(weights, of_token, of_token)  # (layers × heads, unit, unit)
        between[:, np.arange(between.shape[1]), np.arange(between.shape[1])] = -1.0
        greatest = between.argmax(axis=2)  # (layers × heads, unit)
        words += len(sentence.words)
        for index, word in enumerate(sentence.words):
            if word.head < 0 or word.relation in _LEFT_OUT:
                continue
            pairs += 1
            dependent, head = of_word[index], of_word[word.head]
            if dependent == head:
                within += 1
                continue
            for direction, looking, right in zip(DIRECTIONS, (dependent, head), (head, dependent), strict=True):
                relations.append(word.relation)
                directions.append(direction)
                offsets.append(right - looking)
                correct.append(greatest[:, looking] == right)
                half.append(number % 2 == 1)
                lengths.append(len(sentence.words))
    shape = (len(correct), layers, heads)
    return Instances(
        relation=np.array(relations),
        direction=np.array(directions),
        offset=np.array(offsets),
        correct=np.array(correct).reshape(shape),
        second_half=np.array(half),
        length=np.array(lengths),
        sentences=len(sentences),
        words=words,
        left_out=within / max(pairs, 1),
        positions=positions.reshape(layers, heads, -1),
        possible=possible,
    )


def _offsets_of_greatest(weights: np.ndarray, special: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Counts where the greatest weight of each row is, relative to the row: (heads, 21); and where it could be: (21,).

    Rows of special tokens do not count; as keys they do.
    """
    reach = len(OFFSETS) // 2
    rows = np.flatnonzero(~np.array(special))
    length = weights.shape[2]
    away = weights.argmax(axis=2)[:, rows] - rows  # (heads, row)
    steps = np.arange(-reach, reach + 1)
    counts = (away[:, :, None] == steps).sum(axis=1)
    targets = rows[:, None] + steps
    return counts, ((targets >= 0) & (targets < length)).sum(axis=0)


def positional(instances: Sequence[Instances], share: float = 0.9) -> list[tuple[int, int, int, float]]:
    """Heads whose greatest weight is at one fixed offset from the token nearly always, whatever the language.

    Voita et al. 2019, "Analyzing Multi-Head Self-Attention", section 5.1: at least 90 % of the time. Counted over the
    tokens that have a token at that offset: the first has none before it.

    Returns:
        (layer, head, offset in tokens, share in [0, 1]) of each such head; offset 0 is the token itself.
    """
    counts = sum(item.positions for item in instances)
    shares = counts / np.maximum(sum(item.possible for item in instances), 1)
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
            first, second = chosen & ~instances.second_half, chosen & instances.second_half
            if min(first.sum(), second.sum()) < FEWEST:
                continue
            _, chosen_accuracy = _best_offset(instances.offset[first])
            offset, offset_accuracy = _best_offset(instances.offset[second])
            learned = instances.correct[first].mean(axis=0)  # (layers, heads)
            reported = instances.correct[second].mean(axis=0)
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
                    )
                    for layer, head in zip(*np.unravel_index(order, learned.shape), strict=True)
                ]
            )
    return result


def _best_offset(offsets: np.ndarray) -> tuple[int, float]:
    shares = [float((offsets == offset).mean()) for offset in OFFSETS]
    best = int(np.argmax(shares))
    return OFFSETS[best], shares[best]


def treebanks(corpus: Path) -> dict[str, Path]:
    """The treebank of each language in `corpus/ud`; raises FileNotFoundError that says where to get them."""
    paths = {path.name.split("_")[0]: path for path in sorted((corpus / "ud").glob("??_*-ud-dev.conllu"))}
    if not paths:
        raise FileNotFoundError(
            f"no file such as de_gsd-ud-dev.conllu in {corpus / 'ud'}; training/README.md says where to get them"
        )
    return paths
