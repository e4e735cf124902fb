"""Where in a corpus each head looks most sharply, and where it looks in texts drawn at random: `ExamplesIndex`.

The strongest rows of a head alone would fool us: ten perfect rows can be found of nearly any head. So rows from texts
drawn at random, the same texts for every head, stand beside them. The index is bounded: so many rows a head, and of a
long text only what is near the row and the key that it looks at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow
import pyarrow.compute
import pyarrow.parquet

from attnviz.errors import InputError
from attnviz.tokenization.token import same_word

if TYPE_CHECKING:
    from attnviz.roles.table import RolesTable

KEYS = 8
"""Of each row, at most so many keys with the greatest weights."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row of one head in one text.

    Attributes:
        kind, layer, head: which head.
        random: whether the text was drawn at random; else the row is among the head's strongest.
        strength: its greatest weight on a token that is not special, in [0, 1].
        text, target: what was read; the target is empty where there is none.
        number: of the text in its corpus, from 0.
        query_tokens, key_tokens: what stands on both sides, of a long text what is near; "…" is what is left out.
        query: index of the row in `query_tokens`.
        keys: indices in `key_tokens` of the keys with the greatest weights, the greatest first.
        weights: of those keys, in [0, 1].
        query_word, key_words: the words that those tokens are of.
    """

    kind: str
    layer: int
    head: int
    random: bool
    strength: float
    text: str
    target: str
    number: int
    query_tokens: tuple[str, ...]
    key_tokens: tuple[str, ...]
    query: int
    keys: tuple[int, ...]
    weights: tuple[float, ...]
    query_word: str
    key_words: tuple[str, ...]


_WORDS = pyarrow.list_(pyarrow.string())
_SCHEMA = pyarrow.schema(
    {
        "kind": pyarrow.string(),
        "layer": pyarrow.int16(),
        "head": pyarrow.int16(),
        "random": pyarrow.bool_(),
        "strength": pyarrow.float32(),
        "text": pyarrow.string(),
        "target": pyarrow.string(),
        "number": pyarrow.int64(),
        "query_tokens": _WORDS,
        "key_tokens": _WORDS,
        "query": pyarrow.int32(),
        "keys": pyarrow.list_(pyarrow.int32()),
        "weights": pyarrow.list_(pyarrow.float32()),
        "query_word": pyarrow.string(),
        "key_words": _WORDS,
    }
)


class ExamplesIndex:
    """The examples of every head of a model, as a table of Arrow.

    Attributes:
        rows: one for each example, with the fields of `Example`.
    """

    def __init__(self, rows: pyarrow.Table) -> None:
        self.rows = rows

    @classmethod
    def of(cls, items: Sequence[Example]) -> ExamplesIndex:
        """An index of some examples, the strongest of each head first."""
        ordered = sorted(
            items,
            key=lambda item: (
                item.kind,
                item.layer,
                item.head,
                item.random,
                -item.strength,
                item.number,
            ),
        )
        columns = {item.name: [getattr(row, item.name) for row in ordered] for item in fields(Example)}
        return cls(pyarrow.table(columns, schema=_SCHEMA))

    @classmethod
    def load(cls, path: Path) -> ExamplesIndex:
        """Reads what `save` wrote."""
        return cls(pyarrow.parquet.read_table(path, schema=_SCHEMA))

    def save(self, path: Path) -> None:
        """Writes the index as one Parquet file."""
        pyarrow.parquet.write_table(self.rows, path, compression="zstd")

    def items(self) -> list[Example]:
        """Every example."""
        return list(_examples(self.rows))

    def of_head(self, kind: str, layer: int, head: int, *, random: bool, count: int) -> tuple[Example, ...]:
        """At most `count` examples of one head, the strongest first."""
        field = pyarrow.compute.field
        condition = (field("kind") == kind) & (field("layer") == layer) & (field("head") == head)
        return _examples(self.rows.filter(condition & (field("random") == random)).slice(0, count))

    def with_word(self, word: str) -> pyarrow.Table:
        """The rows whose query, or the key with its greatest weight, is of this word, however it is spelled."""
        wanted = same_word(word)
        queries = self.rows.column("query_word").to_pylist()
        keys = self.rows.column("key_words").to_pylist()
        return self.rows.filter(
            pyarrow.array(
                [
                    same_word(query) == wanted or bool(key) and same_word(key[0]) == wanted
                    for query, key in zip(queries, keys, strict=True)
                ],
                pyarrow.bool_(),
            )
        )


def examples(table: RolesTable, kind: str, layer: int, head: int, count: int = 10) -> tuple[Example, ...]:
    """Where in the corpus a head looks most sharply: its rows with the greatest weight, one a text at most.

    Args:
        table: one that was measured with examples.
        kind, layer, head: which head.
        count: at most so many.

    Raises:
        InputError: the table has no examples.

    >>> examples(bundled_table(), "encoder", 2, 5, count=1)[0].strength > 0.5
    True
    """
    return _index(table).of_head(kind, layer, head, random=False, count=count)


def random_examples(table: RolesTable, kind: str, layer: int, head: int, count: int = 10) -> tuple[Example, ...]:
    """What a head does in texts drawn at random, the same texts for every head; arguments as for `examples`."""
    return _index(table).of_head(kind, layer, head, random=True, count=count)


def search(
    table: RolesTable,
    word: str,
    *,
    kind: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    role: str | None = None,
    count: int = 50,
) -> tuple[Example, ...]:
    """The examples in which a word looks, or is what is looked at most; the strongest first.

    Args:
        table: one that was measured with examples.
        word: as it is written; upper and lower case are the same.
        kind, layer, head: only of these heads; None for all.
        role: only of heads that are called so.
        count: at most so many.

    Raises:
        InputError: the table has no examples, or there is no such role.

    >>> {"Hund"} & {item.query_word for item in search(bundled_table(), "Hund")} <= {"Hund"}
    True
    """
    rows = _index(table).with_word(word)
    conditions: dict[str, Any] = {"kind": kind, "layer": layer, "head": head}
    for name, value in conditions.items():
        if value is not None:
            rows = rows.filter(pyarrow.compute.field(name) == value)
    found = _examples(rows.sort_by([("strength", "descending"), ("number", "ascending")]))
    if role is not None:
        heads = {(row.kind, row.layer, row.head) for row in table.find(role)}
        found = tuple(item for item in found if (item.kind, item.layer, item.head) in heads)
    return found[:count]


def _index(table: RolesTable) -> ExamplesIndex:
    if table.index is None:
        raise InputError("This table has no examples. Measure the model again with `examples` above 0.")
    return table.index


def _examples(rows: pyarrow.Table) -> tuple[Example, ...]:
    result = []
    for row in rows.to_pylist():
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in row.items()
        }
        result.append(Example(**values))
    return tuple(result)
