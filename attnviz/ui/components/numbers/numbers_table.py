"""A table of numbers that are written as the reader's language writes them, and still sorted as numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.ui.shell.messages import decimal_sign, local_number

if TYPE_CHECKING:
    from attnviz.export.tables import Table

_collecting: ContextVar[list[Table] | None] = ContextVar("the numbers of a page", default=None)
MOST_WRITTEN = 100_000  # cells that are written out one by one, which takes some microseconds each


@contextmanager
def numbers_collected(into: list[Table]) -> Iterator[None]:
    """Adds all tables that are drawn meanwhile to a list, for an export of the page's numbers.

    Example:
        >>> with numbers_collected(tables):
        ...     numbers_table({"key": ["Hund"], "score": [-1.25]}, {"score": 4}, name="Scores")
    """
    before = _collecting.set(into)
    try:
        yield
    finally:
        _collecting.reset(before)


def collect_table(name: str, table: Mapping[str, Sequence[Any]], config: Mapping[str, Any] | None = None) -> None:
    """Adds a table to the page's numbers without drawing it.

    Args:
        name: what it is about.
        table, config: as `numbers_table` takes them.
    """
    tables = _collecting.get()
    if tables is not None:
        from attnviz.export.tables import Table

        titles = {column: str(dict((config or {}).get(column) or {}).get("label") or column) for column in table}
        tables.append(Table(name, {titles[column]: list(values) for column, values in table.items()}))


def numbers_table(
    table: Mapping[str, Sequence[Any]],
    digits: Mapping[str, int],
    config: Mapping[str, Any] | None = None,
    *,
    name: str = "",
    **options: Any,
) -> None:
    """Draws the columns of a table.

    Streamlit's own formats have a point before the decimals in every language, and a hyphen for a minus; so each cell
    gets its text where that is not what a reader should see. Beyond `MOST_WRITTEN` cells that would take seconds, and
    they stay.

    Args:
        table: for each column its name and its cells.
        digits: decimals of the columns that hold fractions, by name.
        config: settings of columns as `st.dataframe` takes them, by name, without formats.
        name: what it is about, for an export of the page's numbers.
        options: for `st.dataframe`.
    """
    collect_table(name, table, config)
    columns = dict(config or {})
    cells = sum(len(column) for column in table.values())
    plain = decimal_sign() == "." and not any(_has_negative(table[name]) for name in digits if name in table)
    if plain or cells > MOST_WRITTEN:
        for name, count in digits.items():
            titled = {part: value for part, value in columns.get(name, {}).items() if part != "type_config"}
            columns[name] = {**st.column_config.NumberColumn(format=f"%.{count}f"), **titled}
        st.dataframe(table, hide_index=True, column_config=columns, **options)
        return
    import pandas as pd

    from attnviz.ui.components.numbers.written_cells import with_texts

    frame = pd.DataFrame(table)
    texts = {name: _written(column.tolist(), digits.get(name)) for name, column in frame.items()}
    st.dataframe(with_texts(frame, texts), hide_index=True, column_config=columns, **options)


def _written(cells: Sequence[Any], count: int | None) -> list[str]:
    """The cells of a column as text, its numbers with so many decimals; None stands for a column of other things.

    A column has its signs set at once, as one text: cell by cell that takes ten times as long.
    """
    missing = [cell is None or cell != cell for cell in cells]
    if count is None:
        texts = [f"{cell:.6f}" if isinstance(cell, float) else str(cell) for cell in cells]
        return ["" if no else text for text, no in zip(texts, missing, strict=True)]
    numbers = [cell for cell, no in zip(cells, missing, strict=True) if not (no or isinstance(cell, str))]
    written = iter(local_number("\n".join(f"{number:.{count}f}" for number in numbers)).split("\n"))
    return [
        cell if isinstance(cell, str) else "" if no else next(written) for cell, no in zip(cells, missing, strict=True)
    ]


def _has_negative(column: Sequence[Any]) -> bool:
    return any(isinstance(number, (int, float)) and number < 0 for number in column)
