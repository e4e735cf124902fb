"""`RolesTable`: what every head of a model was measured to do over a corpus, in one small file.

What this module does not do: it measures nothing; that is `measurement/measuring.py`. Where in the corpus a head does
it is in `examples.py`.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from attnviz.errors import InputError
from attnviz.roles.tables.catalogue import ROLES, is_general

if TYPE_CHECKING:
    from attnviz.roles.tables.examples import ExamplesIndex

SCHEMA = 1
SUFFIX = ".examples.parquet"


@dataclass(frozen=True, slots=True)
class HeadRole:
    """How much of one role one head has.

    Attributes:
        kind, layer, head: which head; kind is "encoder", "decoder" or "cross".
        role: a name of `catalogue.ROLES`, or a relation of Universal Dependencies such as "obj"; None in
            `RolesTable.heads` for a head that no role fits.
        value: in [0, 1]; what it counts is said by `ROLES[role].value`, of a relation how often the head's greatest
            weight is on the right word.
        low, high: its 95 % interval.
        baseline: the same number of something that needs no head: attention spread evenly over the same keys, of a
            relation the best fixed offset in words, of an alignment the same place in the sentence.
        n: how many rows were counted.
        labelled: whether the head is called so: the interval is clear of the baseline and the value large enough.
        language: code of the treebank's or the pairs' language; None where all texts were taken together.
        direction: of a relation, "to_head" or "to_dependent": where the head looks.
        offset: in tokens for the role "offset", in words for a relation's baseline; negative is before.
        rows: of an alignment, "own" (a word's row is the one in which the decoder reads it) or "before" (the one in
            which it predicts it).
        most_words: of a relation, only sentences of at most so many words were counted; None for all.

    Example:
        >>> HeadRole("encoder", 2, 5, "previous token", 0.97, 0.96, 0.98, baseline=0.09, n=9120, labelled=True).gain
        0.88
    """

    kind: str
    layer: int
    head: int
    role: str | None
    value: float
    low: float
    high: float
    baseline: float
    n: int
    labelled: bool = False
    language: str | None = None
    direction: str | None = None
    offset: int | None = None
    rows: str | None = None
    most_words: int | None = None

    @property
    def gain(self) -> float:
        """The value above the baseline."""
        return round(self.value - self.baseline, 10)


@dataclass(frozen=True)
class RolesTable:
    """What every head of a model was measured to do.

    Attributes:
        rows: for each head and role one, and for a relation one for each direction and language.
        model: the fingerprint of the network's weights; see `attnviz.models.network.fingerprint`.
        corpus: what the texts are called.
        texts, tokens: how many were read.
        sizes: of each kind of attention (layers, heads).
        index: the examples, where they were kept.
    """

    rows: tuple[HeadRole, ...]
    model: str
    corpus: str
    texts: int = 0
    tokens: int = 0
    sizes: dict[str, tuple[int, int]] = field(default_factory=dict)
    index: ExamplesIndex | None = field(default=None, compare=False, repr=False)

    @functools.cached_property
    def heads(self) -> tuple[HeadRole, ...]:
        """One row a head, in the order of kinds, layers and heads: the role that it is called by.

        Of several that is the one with the most gain over its baseline; "broad" and "narrow" come after every other.
        A head that no role fits has None there, and no numbers (NaN).
        """
        first: dict[tuple[str, int, int], HeadRole] = {}
        for row in self.rows:
            place = (row.kind, row.layer, row.head)
            if row.labelled and (place not in first or _order(row) < _order(first[place])):
                first[place] = row
        return tuple(
            first.get((kind, layer, head)) or _unlabelled(kind, layer, head)
            for kind, (layers, heads) in self.sizes.items()
            for layer in range(layers)
            for head in range(heads)
        )

    def of_head(self, kind: str, layer: int, head: int) -> tuple[HeadRole, ...]:
        """Every row of one head: those that it is called by first, the most telling before the others."""
        own = [row for row in self.rows if (row.kind, row.layer, row.head) == (kind, layer, head)]
        return tuple(sorted(own, key=lambda row: (not row.labelled, _order(row))))

    def find(self, role: str, *, labelled: bool = True) -> tuple[HeadRole, ...]:
        """The heads that have a role, the one with the greatest value first.

        Args:
            role: a name of `catalogue.ROLES`, or a relation such as "obj".
            labelled: only those that are called so; False for every head that was measured.

        Raises:
            InputError: no row has such a role, and which there are.

        >>> [(row.layer, row.head) for row in bundled_table().find("previous token")][0]
        (2, 5)
        """
        known = {row.role for row in self.rows if row.role is not None}
        if role not in known | set(ROLES):
            raise InputError(
                "There is no role {0!r}. Those measured are: {1}",
                role,
                ", ".join(sorted(known)),
            )
        rows = [row for row in self.rows if row.role == role and (row.labelled or not labelled)]
        return tuple(sorted(rows, key=lambda row: -row.value))

    def save(self, path: str | Path) -> None:
        """Writes the table as JSON, and its examples beside it as `<name>.examples.parquet`."""
        path = Path(path)
        names = [item.name for item in fields(HeadRole)]
        about = {
            "schema": SCHEMA,
            "model": self.model,
            "corpus": self.corpus,
            "texts": self.texts,
            "tokens": self.tokens,
            "sizes": self.sizes,
            "columns": names,
        }
        rows = ",\n".join(
            json.dumps([_short(value) for value in asdict(row).values()], ensure_ascii=False) for row in self.rows
        )
        path.write_text(
            f'{json.dumps(about, ensure_ascii=False)[:-1]}, "rows": [\n{rows}\n]}}\n',
            encoding="utf-8",
        )
        if self.index is not None:
            self.index.save(path.with_suffix(SUFFIX))

    @classmethod
    def load(cls, path: str | Path) -> RolesTable:
        """Reads what `save` wrote; the examples too, where they lie beside it.

        Raises:
            InputError: the file is no such table.
        """
        from attnviz.roles.tables.examples import ExamplesIndex

        path = Path(path)
        try:
            content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if content["schema"] != SCHEMA:
                raise ValueError(content["schema"])
            rows = tuple(HeadRole(**dict(zip(content["columns"], row, strict=True))) for row in content["rows"])
            sizes = {kind: (int(layers), int(heads)) for kind, (layers, heads) in content["sizes"].items()}
            about = {name: content[name] for name in ("model", "corpus", "texts", "tokens")}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                "{0} holds no table of head roles. Measure one with `python -m attnviz roles`.",
                path.name,
            ) from error
        examples = path.with_suffix(SUFFIX)
        index = ExamplesIndex.load(examples) if examples.is_file() else None
        return cls(rows, **about, sizes=sizes, index=index)

    def with_rows(self, rows: Iterable[HeadRole]) -> RolesTable:
        """The table with further rows."""
        return replace(self, rows=(*self.rows, *rows))


def _unlabelled(kind: str, layer: int, head: int) -> HeadRole:
    return HeadRole(kind, layer, head, None, math.nan, math.nan, math.nan, math.nan, 0)


def _order(row: HeadRole) -> tuple[bool, float]:
    return is_general(row.role or ""), -row.gain


def _short(value: Any) -> Any:
    return round(value, 6) if isinstance(value, float) else value


def bundled_table() -> RolesTable:
    """The table of the bundled model, as it ships."""
    return _load_bundled()


@functools.cache
def _load_bundled() -> RolesTable:
    return RolesTable.load(Path(__file__).parents[2] / "bundled" / "roles.json")


def find(role: str, table: RolesTable | None = None) -> tuple[HeadRole, ...]:
    """The heads of a model that have a role, the one with the greatest value first.

    Args:
        role: a name of `catalogue.ROLES`, or a relation of Universal Dependencies such as "obj".
        table: of the model; None for the bundled one.

    Raises:
        InputError: no row has such a role, and which there are.

    >>> find("previous token")[0].head
    5
    """
    return (bundled_table() if table is None else table).find(role)
