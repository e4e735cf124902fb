"""A table of numbers that are written as the reader's language writes them, and still sorted as numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from attnviz.ui.shell.messages import decimal_sign, local_number

MOST_WRITTEN = 100_000  # cells that are written out one by one, which takes some microseconds each


def numbers_table(
    table: Mapping[str, Sequence[Any]],
    digits: Mapping[str, int],
    config: Mapping[str, Any] | None = None,
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
        options: for `st.dataframe`.
    """
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

    def write(count: int) -> Any:
        return lambda number: number if isinstance(number, str) else local_number(f"{number:.{count}f}")

    frame = pd.DataFrame(table)
    written = frame.style.format({name: write(count) for name, count in digits.items() if name in frame}, na_rep="")
    st.dataframe(written, hide_index=True, column_config=columns, **options)


def _has_negative(column: Sequence[Any]) -> bool:
    return any(isinstance(number, (int, float)) and number < 0 for number in column)
