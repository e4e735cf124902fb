"""What all seven steps draw from: the computation, the chosen head, query and key; and how numbers are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from attnviz.ui.components.numbers.numbers_table import numbers_table as draw_table
from attnviz.ui.components.page.ready import mark_run
from attnviz.ui.controls.token_choice import Choice
from attnviz.ui.shell.errors import as_markdown
from attnviz.ui.shell.messages import _, local_number

if TYPE_CHECKING:
    from attnviz.attribution import ScoreSplit
    from attnviz.computation.layer import Computation
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording

MOST_ROWS = 40  # of a picture with a row for each token


@dataclass(frozen=True)
class StepContext:
    """What is followed, and how it is called on the screen.

    Attributes:
        model, recording, computation: as in the package.
        head: from 0.
        asker, answerer: the word whose query is followed, and the one whose key it meets.
        queries, keys: labels of all tokens.
        run: the name of what the page shows.
        split: what the score of this query and key is made of, computed where it is asked for.
    """

    model: Model
    recording: Recording
    computation: Computation
    head: int
    asker: Choice
    answerer: Choice
    queries: tuple[str, ...]
    keys: tuple[str, ...]
    run: str
    split: Callable[[], ScoreSplit]

    @property
    def query(self) -> int:
        """The token whose query is followed."""
        return self.asker.position

    @property
    def key(self) -> int:
        """The token whose key it meets."""
        return self.answerer.position

    @property
    def head_index(self) -> dict[str, int]:
        """Layer and head, as the recording takes them."""
        return {"layer": self.computation.layer, "head": self.head}

    def draw_figure(self, figure: go.Figure, key: str, alt: str) -> int:
        """Draws a figure into the current container."""
        st.plotly_chart(mark_run(figure, self.run), key=key, theme=None, alt=alt, config={"displayModeBar": False})
        return 1


def format_number(value: float, digits: int = 4) -> str:
    """A number for a formula; nothing is "0"."""
    text = f"{value:.{digits}f}"
    return "0" if float(text) == 0 else local_number(text)


def numbers_table(name: str, table: dict[str, list]) -> None:
    """The numbers of a figure, to be copied."""
    with st.expander(_("Numbers")):
        # A column with "−∞" is one of texts throughout: the table has one type for each.
        columns = {
            name: ["−∞" if item == -np.inf else format_number(item, 5) for item in column]
            if any(isinstance(item, float) and item == -np.inf for item in column)
            else column
            for name, column in table.items()
        }
        fractions = [name for name, column in columns.items() if column and isinstance(column[0], float)]
        draw_table(columns, dict.fromkeys(fractions, 5), name=name)


def vectors_table(name: str, vectors: dict[str, np.ndarray], key: str = "vectors_numbers") -> None:
    """Vectors as columns, a row for each dimension."""
    longest = max(len(vector) for vector in vectors.values())
    with st.expander(_("Numbers of the vectors"), key=key):
        draw_table(
            {_("dimension"): list(range(longest))}
            | {name: [*vector.tolist(), *[None] * (longest - len(vector))] for name, vector in vectors.items()},
            dict.fromkeys(vectors, 5),
            name=name,
        )


def escape_label(label: str) -> str:
    """A label inside Markdown."""
    return as_markdown(label)
