"""The component that shows tables of numbers, sums written out, and steps from one number to the next.

A block is a dictionary as the component reads it, made by `table_block`, `sum_block` or `steps_block`. Text is set like
a formula: single letters are italic, `_{…}` stands below the line and `^{…}` above it; a reader's own word goes through
`literal`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from attnviz.typography import set_power
from attnviz.ui.components.component import define
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.shell.messages import local_number

_component = define(__file__)

Block = dict[str, Any]
Text = str | list[str | dict[str, str]]
Cell = tuple[str, float | None, str]  # what it says, the weight that it is or None, its looks: "quiet", "bad", ""
Group = tuple[Text, int] | tuple[Text, int, str]  # over how many columns; "spare" ones are left out on a telephone
Pick = tuple[int, int, int | None]  # the head of the block, row, column


def number_tables(
    blocks: Sequence[Block], *, run: str, key: str, text: str, on_pick: Callable[[Pick], None] | None = None
) -> None:
    """Draws the blocks beside each other, as many as there is room for.

    Args:
        blocks: what `table_block`, `sum_block` and `steps_block` return.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
        text: what all of it is, in a line, for those who do not see it; the tables themselves can be read.
        on_pick: called with the row or the cell that was handle_pick, before the page runs again.
    """
    data = {"run": run, "picture": run_name(blocks, text), "text": text, "blocks": list(blocks)}

    def handle_pick() -> None:
        head, row, column = st.session_state[key].get("pick")
        if on_pick:
            on_pick((head, row, column))

    _component(key=key, data=data, on_pick_change=handle_pick)


def table_block(
    title: Text,
    columns: Sequence[Text],
    rows: Sequence[tuple[str, Sequence[Cell]]],
    *,
    groups: Sequence[Group] = (),
    corner: Text = "",
    foot: tuple[Text, Sequence[Cell]] | None = None,
    pick: str = "",
    on: tuple[int, int | None] | None = None,
    head: int = 0,
    legend: bool = False,
) -> Block:
    """A table: names of rows and columns, and their cells.

    Args:
        title: above it; "" for none.
        columns: their names.
        rows: each with its name, a reader's word, and a cell for each column.
        groups: what stands above the columns' names, from the left; every column is in one, or there are none.
        corner: above the rows' names.
        foot: a last row that sums up.
        pick: what a click takes: "row", "cell" or "", nothing.
        on: the row, and perhaps the column, that is marked.
        head: handed to `on_pick`.
        legend: whether the scale of the colours stands beside the title.
    """
    return {
        "kind": "table",
        "title": title,
        "columns": list(columns),
        "rows": [{"name": name, "cells": list(cells)} for name, cells in rows],
        "groups": list(groups),
        "corner": corner,
        "foot": None if foot is None else {"name": foot[0], "cells": list(foot[1])},
        "pick": pick,
        "on": on,
        "head": head,
        "legend": legend,
    }


def sum_block(title: Text, terms: Sequence[tuple[str, str]], total: str) -> Block:
    """Terms with what each comes to below it, and the total: ("0.5 · 2.0", "1.0") + … = "1.5"."""
    return {"kind": "sum", "title": title, "terms": list(terms), "total": total}


def steps_block(rows: Sequence[tuple[Text, Text, Cell]]) -> Block:
    """What is done one after the other: its name, how it is done, what comes out."""
    return {"kind": "steps", "rows": list(rows)}


def literal(text: str) -> dict[str, str]:
    """A reader's own word in a text; nothing in it is set like a formula."""
    return {"word": text}


def cell(number: float, weight: float | None = None, looks: str = "") -> Cell:
    """A cell with a number to four digits; what is not finite stands out."""
    strange = math.isnan(number) or number == math.inf
    return format_number(number), weight, looks or ("bad" if strange else "quiet" if number == -math.inf else "")


def weight_cell(number: float) -> Cell:
    """A cell with a weight, in its colour."""
    return cell(number, float(number))


def format_number(number: float) -> str:
    """A number with four decimals, or as a power of ten where these would say nothing or too much.

    Example:
        >>> format_number(-0.25), format_number(0.0), format_number(5.184705528587072e21), format_number(float("-inf"))
        ('−0.2500', '0', '5.185·10²¹', '−∞')
    """
    if math.isnan(number):
        return "nan"
    if math.isinf(number):
        return "inf" if number > 0 else "−∞"
    if number == 0:
        return "0"
    if 5e-5 <= abs(number) < 1e5:
        return local_number(f"{number:.4f}")
    return local_number(set_power(number, 3))
