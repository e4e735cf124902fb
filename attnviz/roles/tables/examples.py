"""Where in a corpus each head does most what it does, and where it looks in texts drawn at random: `ExamplesIndex`.

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
    from attnviz.roles.tables.table import RolesTable

KEYS = 8
"""Of each row, at most so many keys with the greatest weights."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row of one head in one text.

    Attributes:
        kind, layer, head: which head.
        random: whether the text was drawn at random; else the row is among the head's strongest.
        strength: what rows are ranked by, in [0, 1]: how much of the attention goes where the head's role asks for it,
            or where there is no such role, the greatest weight on a token that is not special.
        text, target: what was read; the target is empty where there is none.
        number: of the text in its corpus, from 0.
        query_tokens, key_tokens: what stands on both sides, of a long text what is near; "…" is what is left out.
        query: index of the row in `query_tokens`.
        keys: indices in `key_tokens` of the keys with the greatest weights, the greatest first.
        weights: of those keys, in [0, 1].
        query_word, key_words: the words that those tokens are of.
        role: that the rows of this head are ranked by; empty where they are ranked by the greatest weight.
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
    role: str = ""


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
        "role": pyarrow.string(),
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

    def of_heads(
        self, *, kind: str | None = None, layer: int | None = None, head: int | None = None, random: bool | None = None
    ) -> pyarrow.Table:
        """The rows of one head, or of several where something is None; those of a head the strongest first."""
        rows, field = self.rows, pyarrow.compute.field
        for name, value in {"kind": kind, "layer": layer, "head": head, "random": random}.items():
            if value is not None:
                rows = rows.filter(field(name) == value)
        return rows

    @staticmethod
    def with_word(rows: pyarrow.Table, word: str) -> pyarrow.Table:
        """Those rows whose query, or the key with its greatest weight, is of this word, however it is spelled."""
        wanted = same_word(word)
        queries = rows.column("query_word").to_pylist()
        keys = rows.column("key_words").to_pylist()
        return rows.filter(
            pyarrow.array(
                [
                    same_word(query) == wanted or bool(key) and same_word(key[0]) == wanted
                    for query, key in zip(queries, keys, strict=True)
                ],
                pyarrow.bool_(),
            )
        )


def examples(
    table: RolesTable,
    kind: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    count: int = 10,
    *,
    role: str | None = None,
) -> tuple[Example, ...]:
    """Where in the corpus a head does most what it does: its strongest rows, one a text at most.

    Args:
        table: one that was measured with examples.
        kind, layer, head: which head; None for any.
        count: at most so many.
        role: only of heads that are called so.

    Raises:
        InputError: the table has no examples, or there is no such role.

    >>> examples(bundled_table(), "encoder", 2, 5, count=1)[0].strength > 0.5
    True
    >>> {(item.layer, item.head) for item in examples(bundled_table(), role="previous token")}
    {(2, 5)}
    """
    return _chosen(table, "", kind, layer, head, role, random=False)[:count]


def random_examples(
    table: RolesTable,
    kind: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    count: int = 10,
    *,
    role: str | None = None,
) -> tuple[Example, ...]:
    """What a head does in texts drawn at random, the same texts for every head; arguments as for `examples`."""
    return _chosen(table, "", kind, layer, head, role, random=True)[:count]


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
    return _chosen(table, word, kind, layer, head, role, random=None)[:count]


def _chosen(
    table: RolesTable,
    word: str,
    kind: str | None,
    layer: int | None,
    head: int | None,
    role: str | None,
    *,
    random: bool | None,
) -> tuple[Example, ...]:
    """The examples that fit, the strongest first; "" and None leave all."""
    if table.index is None:
        raise InputError("This table has no examples. Measure the model again with `examples` above 0.")
    rows = table.index.of_heads(kind=kind, layer=layer, head=head, random=random)
    if word:
        rows = table.index.with_word(rows, word)
    items = _examples(rows.sort_by([("strength", "descending"), ("number", "ascending")]))
    if role is None:
        return items
    heads = {(row.kind, row.layer, row.head) for row in table.find(role)}
    return tuple(item for item in items if (item.kind, item.layer, item.head) in heads)


def _examples(rows: pyarrow.Table) -> tuple[Example, ...]:
    result = []
    for row in rows.to_pylist():
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in row.items()
        }
        values["role"] = values["role"] or ""  # tables of earlier versions do not say
        result.append(Example(**values))
    return tuple(result)
