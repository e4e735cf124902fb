"""Tables of numbers that are no attention maps, such as scores or vectors, as files: CSV, npz, and a page of HTML.

Table, Table, … ─ tables_to_csv, tables_to_npz, tables_to_html
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from attnviz.export.csv_table import comment_line, spreadsheet_cell
from attnviz.export.html import document, stylesheet
from attnviz.export.svg.text import escape_text, legal_text
from attnviz.figures.style import Theme
from attnviz.typography import set_number

PICTURE = "<!-- picture -->"
"""Stands in the page of `tables_to_html` where whoever draws the picture puts it."""

COLUMNS = ("table", "row", "label", "column", "value")


@dataclass(frozen=True)
class Table:
    """Columns of numbers and of names for the rows.

    Attributes:
        name: what the table is about.
        columns: all as long as each other; in one of numbers, None is a gap.

    Example:
        >>> Table("scores", {"key": ["Der", "Hund"], "score": [0.5, -1.25]}).labels
        ['Der', 'Hund']
    """

    name: str
    columns: Mapping[str, Sequence[object]]

    @property
    def labels(self) -> list[str]:
        """What each row is called: its texts, one after another."""
        texts = [column for column in self.columns.values() if not _is_numeric(column)]
        return [" · ".join("" if part is None else str(part) for part in row) for row in zip(*texts, strict=True)] or [
            "" for _row in range(self.size)
        ]

    @property
    def numbers(self) -> dict[str, list[float | None]]:
        """The columns of numbers."""
        columns = {name: column for name, column in self.columns.items() if _is_numeric(column)}
        return {
            name: [None if value is None else float(value) for value in column]  # type: ignore[arg-type]
            for name, column in columns.items()
        }

    @property
    def size(self) -> int:
        """How many rows there are."""
        return max((len(column) for column in self.columns.values()), default=0)


def _is_numeric(column: Sequence[object]) -> bool:
    values = [value for value in column if value is not None]
    return bool(values) and all(isinstance(value, (int, float, np.number)) for value in values)


def tables_to_csv(tables: Sequence[Table], *, title: str = "", facts: Sequence[str] = ()) -> str:
    """All numbers of some tables in one: a line for each, with nine digits, which give back every float32.

    The columns are table (its name), row (from 0), label (the row's names), column and value. Above stand lines that
    begin with "#": the title, what else is to be known, and how pandas reads it whole.

    Returns:
        Text that begins with U+FEFF, by which spreadsheets know UTF-8.

    Example:
        >>> tables_to_csv([Table("scores", {"key": ["Hund"], "score": [-1.25]})]).splitlines()[-1]
        '"scores",0,"Hund","score",-1.25'
    """
    stream = io.StringIO()
    stream.write("\ufeff")
    for line in ("attnviz", title, *facts, 'in pandas: read_csv(file, comment="#", keep_default_na=False)'):
        if line:
            stream.write(f"# {comment_line(line)}\n")
    writer = csv.writer(stream, quoting=csv.QUOTE_MINIMAL, lineterminator="\n")
    writer.writerow(COLUMNS)
    quoting = csv.writer(stream, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    for table in tables:
        name = spreadsheet_cell(table.name)
        for column, values in table.numbers.items():
            for row, (label, value) in enumerate(zip(table.labels, values, strict=True)):
                number = "" if value is None else _Digits(value)
                quoting.writerow([name, row, spreadsheet_cell(label), spreadsheet_cell(column), number])
    return stream.getvalue()


class _Digits(float):
    """Written with nine digits, and no more."""

    def __repr__(self) -> str:
        return f"{float(self):.9g}"

    __str__ = __repr__


def tables_to_npz(tables: Sequence[Table], *, title: str = "", facts: Sequence[str] = ()) -> bytes:
    """The numbers of some tables as numpy arrays, compressed; readable with `allow_pickle=False`.

    `tables` are their names. For each, counted from 0, the file has `numbers_0` (float64 (row, column), NaN where there
    is none), `rows_0` and `columns_0`, their labels; `about` is JSON with the title and what else is to be known.

    Example:
        >>> file = np.load(io.BytesIO(tables_to_npz([Table("scores", {"key": ["Hund"], "score": [-1.25]})])))
        >>> file["numbers_0"].tolist(), file["rows_0"].tolist()
        ([[-1.25]], ['Hund'])
    """
    arrays: dict[str, np.ndarray] = {
        "about": np.array(json.dumps({"title": title, "facts": list(facts)})),
        "tables": _texts([table.name for table in tables]),
    }
    for index, table in enumerate(tables):
        columns = [[np.nan if value is None else value for value in column] for column in table.numbers.values()]
        arrays[f"numbers_{index}"] = np.array(columns, dtype=np.float64).reshape(len(columns), table.size).T
        arrays[f"rows_{index}"] = _texts(table.labels)
        arrays[f"columns_{index}"] = _texts(list(table.numbers))
    stream = io.BytesIO()
    np.savez_compressed(stream, allow_pickle=False, **arrays)
    return stream.getvalue()


def _texts(texts: Sequence[str]) -> np.ndarray:
    return np.array([legal_text(text) for text in texts], dtype=np.str_)


def tables_to_html(
    tables: Sequence[Table],
    *,
    title: str,
    facts: Sequence[str] = (),
    language: str = "en",
    decimal: str = ".",
    theme: Theme = "light",
) -> str:
    """A page that opens without internet: a title, room for a picture, and the tables below, each to be opened.

    Args:
        tables: in the order of the page.
        title: of the page, and of the picture.
        facts: what else is to be known, in a line.
        language: of the words, as web pages write it.
        decimal: the decimal sign.
        theme: the background that the picture is drawn for.

    Returns:
        A complete document for a file in UTF-8, with `PICTURE` where an <img> may be put.

    Example:
        >>> tables_to_html([], title="Step 4").startswith("<!doctype html>")
        True
    """
    below = "\n".join(_html_table(table, decimal) for table in tables)
    content = f"""<main>
<h1 hidden>{escape_text(title)}</h1>
{PICTURE}
<p id="help">{escape_text(" · ".join(facts))}</p>
{below}
</main>"""
    css = f"{stylesheet(theme, 0)}\nimg {{ display: block; max-width: 100%; height: auto; }}\n"
    return document(content, title=title, language=language, css=css)


def _html_table(table: Table, decimal: str) -> str:
    """A table that is folded under its name."""

    def written(value: object) -> str:
        if value is None or isinstance(value, str):
            return escape_text(value or "")
        is_integer = isinstance(value, (int, np.integer))
        return set_number(float(value), 0 if is_integer else 4, decimal=decimal)  # type: ignore[arg-type]

    head = "".join(f"<th scope=col>{escape_text(name)}</th>" for name in table.columns)
    rows = "".join(
        f"<tr>{''.join(f'<td>{written(value)}</td>' for value in row)}</tr>"
        for row in zip(*table.columns.values(), strict=True)
    )
    name = escape_text(table.name)
    return (
        f'<details><summary>{name}</summary><div class="table" tabindex="0" role="region" aria-label="{name}">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )
