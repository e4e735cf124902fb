"""Tables of numbers: each cell has the text that pandas would write for it, and is still the number that it was."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from streamlit.testing.v1 import AppTest

TABLE: dict[str, list[Any]] = {
    "word": ["Der", "-1.5", None, "a\nb"],
    "score": [-1.25, float("nan"), 3.0, -1e-9],
    "mixed": ["−∞", -1.0, 0.5, -2],
    "endless": [float("inf"), float("-inf"), 1e6, 0.125],
    "count": [1, 2, -3, 4],
    "yes": [True, False, True, True],
    "as it is": [0.5, -2.0, float("nan"), 1.0],
}
DIGITS = {"score": 4, "mixed": 3, "endless": 2, "not there": 1}


def draw(language: str, table: dict[str, list], digits: dict[str, int], plainly: bool) -> None:
    """A page with the table: as the app draws it, or with texts that pandas writes cell by cell."""
    import pandas as pd
    import streamlit as st

    from attnviz.ui.components.numbers.numbers_table import numbers_table
    from attnviz.ui.shell.messages import local_number, texts_in

    def write(count: int) -> object:
        return lambda number: number if isinstance(number, str) else local_number(f"{number:.{count}f}")

    with texts_in(language):
        if not plainly:
            numbers_table(table, digits)
            return
        frame = pd.DataFrame(table)
        formats = {name: write(count) for name, count in digits.items() if name in frame}
        st.dataframe(frame.style.format(formats, na_rep=""), hide_index=True)


def shown(*given: object) -> tuple[pa.Table, pa.Table, str]:
    """The numbers and the texts of the one table of a page, and the rules of its style."""
    app = AppTest.from_function(draw, args=given).run()
    assert not app.exception
    proto = app.dataframe[0].proto.arrow_data
    texts = pa.ipc.open_stream(proto.styler.display_values).read_all()
    return pa.ipc.open_stream(proto.data).read_all(), texts, proto.styler.styles


@pytest.mark.parametrize("language", ["en", "de"])
def test_cells_have_the_texts_that_pandas_writes_one_by_one(language: str) -> None:
    wide = {str(number): line for number, line in enumerate(np.random.default_rng(0).normal(size=(7, 11)).tolist())}
    for table, digits in ((TABLE, DIGITS), (wide, dict.fromkeys(wide, 4)), ({"score": [-0.5]}, {"score": 2})):
        found, expected = (shown(language, table, digits, plainly) for plainly in (False, True))
        assert found[0].equals(expected[0]) and found[1].equals(expected[1]) and found[2] == expected[2]


def test_numbers_have_the_readers_signs() -> None:
    numbers, texts, _style = shown("de", TABLE, DIGITS, False)
    assert texts["score"].to_pylist() == ["−1,2500", "", "3,0000", "0,0000"]
    assert texts["mixed"].to_pylist() == ["−∞", "−1,000", "0,500", "−2,000"]
    assert numbers["score"].to_pylist() == [-1.25, None, 3.0, -1e-9]
