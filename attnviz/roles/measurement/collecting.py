"""Gathers the rows of a part of a corpus that may become examples, and makes `Example`s of those that do.

Of each head at most so many rows are kept while texts go by, one a text; parts are put together the same way. A row is
as strong as the attention that its head's role asks for ("previous token": the weight on the token before); of a head
without such a role, as its greatest weight on a token that is not special.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from attnviz.roles.measurement.facts import Facts, role_weight
from attnviz.roles.tables.examples import KEYS, Example
from attnviz.tokenization.token import Token

NEAR = 60
"""Of a text with more than twice as many tokens, only those near a row, and near the key it looks at, are kept."""

Head = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Ranking:
    """What the rows of a head are ranked by.

    Attributes:
        role: that the head is called by.
        asked: the role whose keys are looked for in a text: of "induction", which is measured on tokens at random, it
            is "natural induction".
        offset: in tokens, where the role is one of an offset.
    """

    role: str
    asked: str
    offset: int = 0


@dataclass(frozen=True)
class Reading:
    """A text with its tokens, as a model reads it.

    Attributes:
        number: of the text in its corpus.
        text, target: what was read; the target is empty where there is none.
        source, written: the tokens of the text, and those of the decoder's input.
        source_only: whether the encoder of an encoder–decoder reads it alone.
    """

    number: int
    text: str
    target: str
    source: tuple[Token, ...]
    written: tuple[Token, ...] = ()
    source_only: bool = False

    @functools.cached_property
    def source_axis(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The texts of the source's tokens, and the word that each is of."""
        return _axis(self.source)

    @functools.cached_property
    def written_axis(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The same of the decoder's input."""
        return _axis(self.written)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that may become an example: its text, its place, and the keys with its greatest weights."""

    strength: float
    reading: Reading
    query: int
    keys: np.ndarray
    weights: np.ndarray
    role: str = ""


@dataclass
class RowCollector:
    """The best rows of a part.

    Attributes:
        count: how many rows are kept of each head.
        drawn: the numbers of the texts that are drawn at random.
        rankings: of the heads that have a role which tells what their rows are ranked by.
        strongest, random: of each head by text number.
    """

    count: int
    drawn: frozenset[int] = frozenset()
    rankings: Mapping[Head, Ranking] = field(default_factory=dict)
    strongest: dict[Head, dict[int, Row]] = field(default_factory=dict)
    random: dict[Head, dict[int, Row]] = field(default_factory=dict)

    def add(
        self,
        kind: str,
        layer: int,
        readings: Sequence[Reading],
        weights: Tensor,
        greatest: Tensor,
        facts: Facts,
        special: Tensor,
    ) -> None:
        """Looks at a block of rows of one layer.

        Args:
            readings: the texts.
            weights: (texts, heads, rows, keys).
            greatest: (texts, heads, rows) the greatest weight of each row.
            facts: of these rows.
            special: (texts, keys) which keys are special tokens.
        """
        if not self.count:
            return
        plain = (weights * ~special[:, None, None]).amax(dim=-1) if bool(special.any()) else greatest
        ranked = [(head, self.rankings.get((kind, layer, head))) for head in range(weights.shape[1])]
        if any(ranking for _, ranking in ranked):
            plain = plain.clone()  # it may be the numbers that are counted
        for head, ranking in ranked:
            if ranking is not None:
                plain[:, head] = role_weight(weights[:, head], facts, ranking.asked, ranking.offset)
        counted = facts.counted
        strength = plain.masked_fill(~counted[:, None], -1.0)  # (texts, heads, rows)
        values, rows = (item.cpu().numpy() for item in strength.max(dim=-1))  # (texts, heads)
        chosen: list[tuple[int, int, int, bool]] = []
        for head in range(weights.shape[1]):
            own = self.strongest.get((kind, layer, head), {})
            least = min(row.strength for row in own.values()) if len(own) >= self.count else 0.0
            better = np.flatnonzero(values[:, head] > least)
            order = better[np.argsort(-values[better, head], kind="stable")][: self.count]
            chosen += [(int(text), head, int(rows[text, head]), False) for text in order]
        for text, reading in enumerate(readings):
            if reading.number in self.drawn:
                places = torch.nonzero(counted[text])[:, 0].tolist()
                chosen += [
                    (
                        text,
                        head,
                        places[int(draw(reading.number, kind, layer, head) * len(places))],
                        True,
                    )
                    for head in range(weights.shape[1])
                    if places and reading.number not in self.random.get((kind, layer, head), {})
                ]
        if chosen:
            self._keep(kind, layer, readings, weights, strength, chosen, facts.rows.start)

    def _keep(
        self,
        kind: str,
        layer: int,
        readings: Sequence[Reading],
        weights: Tensor,
        strength: Tensor,
        chosen: Sequence[tuple[int, int, int, bool]],
        start: int,
    ) -> None:
        text, head, place, _ = (torch.tensor(column, device=weights.device) for column in zip(*chosen, strict=True))
        top, keys = weights[text, head, place].topk(min(KEYS, weights.shape[-1]))
        own_strength = strength[text, head, place].tolist()
        top_weights, top_keys = top.cpu().numpy(), keys.cpu().numpy()
        for index, (of_text, of_head, row, is_random) in enumerate(chosen):
            reading = readings[of_text]
            ranking = self.rankings.get((kind, layer, of_head))
            item = Row(
                own_strength[index],
                reading,
                start + row,
                top_keys[index],
                top_weights[index],
                "" if ranking is None else ranking.role,
            )
            group = self.random if is_random else self.strongest
            own = group.setdefault((kind, layer, of_head), {})
            if reading.number not in own or own[reading.number].strength < item.strength:
                own[reading.number] = item
        for of_head in {entry[1] for entry in chosen}:
            own = self.strongest.get((kind, layer, of_head), {})
            if len(own) > self.count:
                ordered = sorted(own.items(), key=lambda entry: (-entry[1].strength, entry[0]))
                self.strongest[kind, layer, of_head] = dict(ordered[: self.count])

    def examples(self) -> list[Example]:
        """Every row that was kept."""
        return [
            make_example(head, row, random=group is self.random)
            for group in (self.strongest, self.random)
            for head, own in group.items()
            for row in own.values()
        ]


@dataclass
class ExampleCollector:
    """The best examples of several parts; attributes as of `RowCollector`."""

    count: int
    strongest: dict[Head, dict[int, Example]] = field(default_factory=dict)
    random: dict[Head, dict[int, Example]] = field(default_factory=dict)

    def add(self, items: Iterable[Example]) -> None:
        """Takes in what a part gathered."""
        for item in items:
            head = (item.kind, item.layer, item.head)
            (self.random if item.random else self.strongest).setdefault(head, {})[item.number] = item
        for head, own in self.strongest.items():
            ordered = sorted(own.values(), key=lambda item: (-item.strength, item.number))
            self.strongest[head] = {item.number: item for item in ordered[: self.count]}
        for head, own in self.random.items():
            self.random[head] = {number: own[number] for number in sorted(own, key=draw)[: self.count]}

    def items(self) -> list[Example]:
        """Every example."""
        return [item for group in (self.strongest, self.random) for own in group.values() for item in own.values()]


def draw(*key: object) -> float:
    """A number in [0, 1) that looks random and is always the same for the same key.

    >>> draw(7) == draw(7) != draw(8)
    True
    """
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def drawn_texts(numbers: Iterable[int], count: int) -> frozenset[int]:
    """The texts of a part that may be among `count` drawn from the whole corpus: those with the lowest draws."""
    return frozenset(sorted(numbers, key=draw)[:count])


def make_example(head: Head, row: Row, *, random: bool) -> Example:
    """A row as an example: of a long text what is near the row, and near the key that it looks at most."""
    kind, reading = head[0], row.reading
    of_target = bool(reading.written) and kind != "encoder"
    queries, query_words = reading.written_axis if of_target else reading.source_axis
    keys, key_words = reading.written_axis if of_target and kind == "decoder" else reading.source_axis
    chosen = [
        (key, value)
        for key, value in zip(row.keys.tolist(), row.weights.tolist(), strict=True)
        if value > 0 and key < len(keys)
    ]
    first = chosen[0][0] if chosen else 0
    related = kind != "cross"
    query_tokens, query_places = _near(queries, row.query, first if related else row.query)
    key_tokens, key_places = (query_tokens, query_places) if related else _near(keys, first, first)
    shown = [(key, value) for key, value in chosen if key in key_places]
    return Example(
        *head,
        random=random,
        strength=row.strength,
        text=reading.text,
        target=reading.target,
        number=reading.number,
        query_tokens=query_tokens,
        key_tokens=key_tokens,
        query=query_places[row.query],
        keys=tuple(key_places[key] for key, _ in shown),
        weights=tuple(round(value, 6) for _, value in shown),
        query_word=query_words[row.query],
        key_words=tuple(key_words[key] for key, _ in shown),
        role=row.role,
    )


def _near(texts: tuple[str, ...], first: int, second: int) -> tuple[tuple[str, ...], dict[int, int]]:
    """The texts near two places with "…" for each gap, and where each place is among them."""
    if len(texts) <= 2 * NEAR:
        return texts, _all_places(len(texts))
    result: list[str] = []
    places: dict[int, int] = {}
    before = -1
    for place in range(len(texts)):
        if min(abs(place - first), abs(place - second)) <= NEAR // 2:
            result += ["…"] if place > before + 1 else []
            places[place] = len(result)
            result.append(texts[place])
            before = place
    return (*result, "…") if before < len(texts) - 1 else tuple(result), places


@functools.cache
def _all_places(count: int) -> dict[int, int]:
    """Of a text that is shown whole; there are at most `2 * NEAR` of them."""
    return {place: place for place in range(count)}


def _axis(tokens: Sequence[Token]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    words: dict[int, str] = {}
    for token in tokens:
        if token.word is not None:
            words[token.word] = words.get(token.word, "") + token.text
    return (
        tuple(token.text for token in tokens),
        tuple(token.text if token.word is None else words[token.word].strip() for token in tokens),
    )
