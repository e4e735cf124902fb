"""Texts for the cells of a table, given to Streamlit without pandas writing each cell by itself.

Streamlit shows such texts where it gets a `Styler`, which describes every cell as a piece of HTML; Streamlit then takes
the texts out of that again. For the 33,000 numbers of the bundled model's positions that was 0.4 seconds of a page that
otherwise takes 0.15.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from pandas.io.formats.style import Styler


class _WithTexts(pd.DataFrame):
    """A table that is asked for its cells as text, and has them."""

    _metadata = ["texts"]
    texts: pd.DataFrame

    def astype(self, dtype: Any, *arguments: Any, **options: Any) -> pd.DataFrame:
        return self.texts if dtype is str else super().astype(dtype, *arguments, **options)


def with_texts(frame: pd.DataFrame, texts: Mapping[Any, Sequence[str]]) -> Styler:
    """What `st.dataframe` shows with these texts, and sorts by the cells of the frame.

    Args:
        frame: numbers and words, with a column of each name.
        texts: for each column its name and a text for each cell.
    """
    data = _WithTexts(frame)
    data.texts = pd.DataFrame(dict(texts), index=frame.index, columns=frame.columns, dtype=str)
    styled = data.style
    # Streamlit begins with the table as text and lays over it what each cell's HTML says: no cell has any here.
    styled._translate = lambda *_: {}
    return styled
