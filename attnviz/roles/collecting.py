"""Gathers the rows of a part of a corpus that may become examples, and makes `Example`s of those that do.

Of each head at most so many rows are kept while texts go by, one a text; two parts are put together the same way, so
the result does not depend on how a corpus was cut into parts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from attnviz.roles.examples import KEYS, Example
from attnviz.tokenization.token import Token

NEAR = 60
"""Of a text with more tokens than this on both sides of a row, only those near it are kept."""

Head = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text with its tokens, as a model reads it.

    Attributes:
        number: of the text in its corpus.
        text, target: what was read; the target is empty where there is none.
        source, written: the tokens of the text, and those of the decoder's input.
    """

    number: int
    text: str
    target: str
    source: tuple[Token, ...]
    written: tuple[Token, ...] = ()


@dataclass
class Collector:
    """The best rows so far.

    Attributes:
        count: how many rows are kept of each head.
        drawn: the numbers of the texts that are drawn at random.
        strongest: of each head by text number (strength, example).
        random: of each head by text number.
    """

    count: int
    drawn: frozenset[int] = frozenset()
    strongest: dict[Head, dict[int, Example]] = field(default_factory=dict)
    random: dict[Head, dict[int, Example]] = field(default_factory=dict)

    def add(
        self,
        kind: str,
        layer: int,
        readings: Sequence[Reading],
        weights: Tensor,
        greatest: Tensor,
        counted: Tensor,
        special: Tensor,
        start: int,
    ) -> None:
        """Looks at a block of rows of one layer.

        Args:
            readings: the texts.
            weights: (texts, heads, rows, keys).
            greatest: (texts, heads, rows) the greatest weight of each row.
            counted: (texts, rows) which rows count.
            special: (texts, keys) which keys are special tokens.
            start: the first of the rows.
        """
        if not self.count:
            return
        plain = (weights * ~special[:, None, None]).amax(dim=-1) if bool(special.any()) else greatest
        strength = plain.masked_fill(~counted[:, None], -1.0)  # (texts, heads, rows)
        best, row = strength.max(dim=-1)  # (texts, heads)
        best_values, best_rows = best.cpu().numpy(), row.cpu().numpy()
        for head in range(weights.shape[1]):
            own = self.strongest.setdefault((kind, layer, head), {})
            least = min((item.strength for item in own.values()), default=0.0) if len(own) >= self.count else 0.0
            order = np.argsort(-best_values[:, head], kind="stable")[: self.count]
            for text in order:
                value = float(best_values[text, head])
                if value <= least:
                    break
                reading = readings[text]
                earlier = own.get(reading.number)
                if earlier is None or value > earlier.strength:
                    place = int(best_rows[text, head])
                    own[reading.number] = example(
                        reading, kind, layer, head, weights[text, head, place], start + place, value
                    )
            if len(own) > self.count:
                self.strongest[kind, layer, head] = _cut(own, self.count)
        for text, reading in enumerate(readings):
            if reading.number in self.drawn and bool(counted[text].any()):
                self._add_random(kind, layer, reading, weights[text], strength[text], counted[text], start)

    def _add_random(
        self, kind: str, layer: int, reading: Reading, weights: Tensor, strength: Tensor, counted: Tensor, start: int
    ) -> None:
        rows = torch.nonzero(counted)[:, 0].tolist()
        for head in range(weights.shape[0]):
            own = self.random.setdefault((kind, layer, head), {})
            if reading.number not in own:
                place = rows[int(draw(reading.number, kind, layer, head) * len(rows))]
                value = float(strength[head, place])
                own[reading.number] = example(
                    reading, kind, layer, head, weights[head, place], start + place, value, random=True
                )

    def merge(self, items: Iterable[Example]) -> None:
        """Takes in what another part gathered."""
        for item in items:
            head = (item.kind, item.layer, item.head)
            own = (self.random if item.random else self.strongest).setdefault(head, {})
            if item.number not in own or own[item.number].strength < item.strength:
                own[item.number] = item
        for head, own in self.strongest.items():
            self.strongest[head] = _cut(own, self.count)
        for head, own in self.random.items():
            kept = sorted(own, key=draw)[: self.count]
            self.random[head] = {number: own[number] for number in kept}

    def items(self) -> list[Example]:
        """Every example."""
        return [item for group in (self.strongest, self.random) for own in group.values() for item in own.values()]


def _cut(own: dict[int, Example], count: int) -> dict[int, Example]:
    ordered = sorted(own.values(), key=lambda item: (-item.strength, item.number))[:count]
    return {item.number: item for item in ordered}


def draw(*key: object) -> float:
    """A number in [0, 1) that looks random and is always the same for the same key."""
    digest = hashlib.blake2b(repr(key).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


def drawn_texts(numbers: Iterable[int], count: int) -> frozenset[int]:
    """The texts of a part that may be among `count` drawn from the whole corpus: those with the lowest draws."""
    return frozenset(sorted(numbers, key=draw)[:count])


def example(
    reading: Reading,
    kind: str,
    layer: int,
    head: int,
    row: Tensor,
    query: int,
    strength: float,
    *,
    random: bool = False,
) -> Example:
    """One row as an example: of a long text what is near the row, and near the key that it looks at most."""
    queries = reading.written if kind != "encoder" and reading.written else reading.source
    keys = reading.source if kind == "cross" or not reading.written or kind == "encoder" else reading.written
    values, top = row[: len(keys)].topk(min(KEYS, len(keys)))
    chosen = [(int(key), float(value)) for key, value in zip(top, values, strict=True) if value > 0]
    first = chosen[0][0] if chosen else query
    query_places = _places(len(queries), query, query if kind == "cross" else first)
    key_places = query_places if kind != "cross" else _places(len(keys), first, first)
    shown = [(key, value) for key, value in chosen if key in key_places]
    return Example(
        kind=kind,
        layer=layer,
        head=head,
        random=random,
        strength=strength,
        text=reading.text,
        target=reading.target,
        number=reading.number,
        query_tokens=_texts(queries, query_places),
        key_tokens=_texts(keys, key_places),
        query=_index(query_places, query),
        keys=tuple(_index(key_places, key) for key, _ in shown),
        weights=tuple(value for _, value in shown),
        query_word=_word(queries, query),
        key_words=tuple(_word(keys, key) for key, _ in shown),
    )


def _places(length: int, first: int, second: int) -> list[int]:
    if length <= 2 * NEAR:
        return list(range(length))
    return [place for place in range(length) if min(abs(place - first), abs(place - second)) <= NEAR // 2]


def _index(places: Sequence[int], place: int) -> int:
    """Where a place is in the list of texts, which has "…" at each gap."""
    index = places.index(place)
    before = [-1, *places[:index]]
    return index + sum(after > earlier + 1 for earlier, after in zip(before, places[: index + 1], strict=True))


def _texts(tokens: Sequence[Token], places: Sequence[int]) -> tuple[str, ...]:
    result: list[str] = []
    before = -1
    for place in places:
        result += ["…"] if place > before + 1 else []
        result.append(tokens[place].text)
        before = place
    return (*result, "…") if before < len(tokens) - 1 else tuple(result)


def _word(tokens: Sequence[Token], place: int) -> str:
    word = tokens[place].word
    if word is None:
        return tokens[place].text
    first = last = place
    while first > 0 and tokens[first - 1].word == word:
        first -= 1
    while last + 1 < len(tokens) and tokens[last + 1].word == word:
        last += 1
    return "".join(token.text for token in tokens[first : last + 1]).strip()
