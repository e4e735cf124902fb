"""The picture's numbers as a table in CSV, and back."""

from __future__ import annotations

import base64
import csv
import io
import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import DamagedError, InputError
from attnviz.export.metadata import as_json, from_json, shapes
from attnviz.export.picture import Picture, hidden_mass, key_labels, query_labels, title
from attnviz.export.svg.text import legal_text

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.measures.distances import Difference

COLUMNS = (
    "panel", "name", "model", "kind", "layer", "head", "aggregate",
    "query", "query_token", "key", "key_token", "weight", "hidden",
)  # fmt: skip
MOST_ROWS = 1_000_000  # spreadsheets end at 1,048,576
_DATA = "# data: "
_DATA_WIDTH = 1000  # characters; spreadsheets cut off cells of more than 32,767
_BEGINS_FORMULA = re.compile(r"'*[=+\-@＝＋－＠]")


_PANDAS = 'read_csv(file, comment="#", keep_default_na=False)'
"""How pandas reads the table whole."""


def to_csv(picture: Picture) -> str:
    """The numbers as a table: one row for each weight, in reading order.

    The columns are panel (from 0), name ("L2 H5"), model, kind, layer, head, aggregate, query (from 0), query_token,
    key, key_token, weight and hidden: the share of the query's row that is not shown. Layer and head are empty where
    several were put together, all that a difference does not have is empty as well. Weights have 9 significant
    digits, which give back every float32.

    Above stand lines that begin with "#": the title, each of the settings, and in "# data:" what `read` needs besides.
    `pandas.read_csv(file, comment="#")` leaves them out; every text is quoted, so a token "#" stays.

    A text that a spreadsheet would take for a formula, because it begins with =, +, - or @ (or their wide forms), has
    an apostrophe before it, and so has one that already begins with apostrophes and such a sign.

    Returns:
        Text that begins with U+FEFF, by which spreadsheets know UTF-8.

    Raises:
        InputError: the picture has more than a million weights, which no spreadsheet opens.

    Example:
        >>> to_csv(picture).splitlines()[-1]
        '0,"L2 H5","bundled","encoder",2,5,"",6,"</s>",6,"</s>",0.0625,0'
    """
    count = sum(panel.weights.size for panel in picture.panels)
    if count > MOST_ROWS:
        raise InputError(
            "A table of this picture would have {0:,} rows, and spreadsheets open {1:,}. Take .npz, which numpy "
            "reads, or show fewer heads or tokens.",
            count,
            MOST_ROWS,
        )
    stream = io.StringIO()
    stream.write("\ufeff# attnviz: attention weights; rows are queries, columns are keys\n")
    # Without the option pandas takes words such as "None" and "null" for missing values, quoted or not.
    stream.write(f"# in pandas: {_PANDAS}\n")
    for name, value in (("title", title(picture)), *picture.settings.items()):
        if value:
            stream.write(f"# {comment_line(name)}: {comment_line(value)}\n")
    packed = base64.b64encode(zlib.compress(as_json(picture, weights=False).encode(), 9)).decode()
    for start in range(0, len(packed), _DATA_WIDTH):
        stream.write(f"{_DATA}{packed[start : start + _DATA_WIDTH]}\n")
    writer = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(COLUMNS)
    for index, panel in enumerate(picture.panels):
        _write(writer, index, panel)
    return stream.getvalue()


def _write(writer: Any, index: int, panel: AttentionMap | Difference) -> None:
    panel_cells = [
        index,
        *(
            spreadsheet_cell(getattr(panel, name, ""))
            for name in ("name", "model", "kind", "layer_number", "head", "aggregate")
        ),
    ]
    queries, keys = (
        [spreadsheet_cell(label) for label in labels] for labels in (query_labels(panel), key_labels(panel))
    )
    hidden = hidden_mass(panel)
    for query, (label, weights) in enumerate(zip(queries, panel.weights.tolist(), strict=True)):
        share = _Number(hidden[query]) if hidden is not None else 0
        row = [*panel_cells, query, label]
        writer.writerows([*row, key, keys[key], _Number(weight), share] for key, weight in enumerate(weights))


class _Number(float):
    """Written with the digits that give back a float32, and no more."""

    def __repr__(self) -> str:
        return f"{float(self):.9g}"

    __str__ = __repr__


def spreadsheet_cell(value: Any) -> Any:
    """A text that is no formula; numbers as they are."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return value
    value = legal_text(value)
    return f"'{value}" if _BEGINS_FORMULA.match(value) else value


def comment_line(text: str) -> str:
    """Text for a comment, which ends where the line does."""
    return " ".join(legal_text(text).split())


def from_csv(text: str) -> Picture:
    """The picture whose table this is; the order of the rows does not matter, nor do columns that were added.

    Raises:
        InputError: it is no such table, or lines, rows or columns of it are missing.
    """
    lines = text.removeprefix("\ufeff").splitlines()
    # Spreadsheets fill the lines above with empty cells and may quote them when they save.
    above = [line.strip(',;"') for line in lines if line.lstrip('"').startswith("#")]
    packed = "".join(line.removeprefix(_DATA).strip() for line in above if line.startswith(_DATA))
    if not packed:
        raise DamagedError('The lines that begin with "# data:" are missing; they hold the tokens of the table.')
    try:
        data = zlib.decompress(base64.b64decode(packed, validate=True)).decode()
    except (ValueError, zlib.error) as error:
        raise DamagedError('The lines that begin with "# data:" are damaged ({0}).', error) from error
    weights = [np.full(shape, np.nan, np.float32) for shape in shapes(data)]
    filled = [np.zeros(array.shape, dtype=bool) for array in weights]
    rows = csv.DictReader(line for line in lines if not line.lstrip('"').startswith("#"))
    try:
        for row in rows:
            panel, query, key = indices = int(row["panel"]), int(row["query"]), int(row["key"])
            if min(indices) < 0:
                raise IndexError(f"there is no panel {panel}, query {query}, key {key}")
            weights[panel][query, key] = float(row["weight"])
            filled[panel][query, key] = True
    except (LookupError, TypeError, ValueError) as error:
        raise DamagedError("A row of the table is damaged ({0}: {1}).", type(error).__name__, error) from error
    missing = sum(int((~array).sum()) for array in filled)
    if missing:
        raise DamagedError("The table is not whole: rows of {0:,} weights are missing.", missing)
    return from_json(data, dict(enumerate(weights)))
