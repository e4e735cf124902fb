"""The table of words and their numbers that a reader edits."""

from __future__ import annotations

import streamlit as st

from attnviz.attention.by_hand import word_vectors
from attnviz.attention.by_hand.word_vectors import DIM, EXAMPLE, MOST_WORDS, Problem, WordVectors
from attnviz.ui.controls.url_state import Say
from attnviz.ui.screens.simple_attention.address import (
    EDITOR_NUMBER_KEY,
    ROWS_KEY,
    read_from_url,
    table_rows,
    write_to_url,
)
from attnviz.ui.shell.errors import Remarks
from attnviz.ui.shell.messages import _, ngettext

_COLUMNS = ("word", *(f"x{index}" for index in range(DIM)))


# The table ----------------------------------------------------------------------------------------------------------


def word_table(say: Say) -> WordVectors:
    """The table, to be edited; returns the rows of it that can be used."""
    memory = st.session_state
    if ROWS_KEY not in memory:
        memory[ROWS_KEY] = table_rows(
            read_from_url("table", word_vectors.from_text, EXAMPLE, say, _("the six words that it begins with"))
        )
    key = f"hand_table_{memory.setdefault(EDITOR_NUMBER_KEY, 0)}"
    if key not in memory:
        # What the editor begins with has to stay the same until it begins anew: it keeps its edits apart from it.
        memory["hand_begins_with"] = memory[ROWS_KEY]
    begins = memory["hand_begins_with"]
    edited = st.data_editor(
        {name: [row[column] for row in begins] for column, name in enumerate(_COLUMNS)},
        key=key,
        num_rows="dynamic",
        hide_index=True,
        placeholder="",
        column_config={
            "word": st.column_config.TextColumn(_("word"), width=96),
            **{
                name: st.column_config.TextColumn(f"x{chr(0x2080 + index)}", width=62, alignment="right")
                for index, name in enumerate(_COLUMNS[1:])
            },
        },
        alt=_("Words and their vectors; every entry can be edited, and rows can be added and removed."),
    )
    rows = list(zip(*(edited[name] for name in _COLUMNS), strict=True))
    memory[ROWS_KEY] = rows
    table, problems = word_vectors.read(rows)
    # Below the table, which would move away under the pointer if a box came up above it.
    say_here = Remarks(st.empty())
    for text in _problem_texts(problems):
        say_here(text)
    write_to_url("table", word_vectors.to_text(table) if table != EXAMPLE and table.words else "")
    if table != EXAMPLE or problems:
        st.button(
            _("Back to the six words"),
            key="first_table",
            icon=":material/undo:",
            type="tertiary",
            on_click=_restore_example,
        )
    return table


def _restore_example() -> None:
    st.session_state[ROWS_KEY] = table_rows(EXAMPLE)
    st.session_state[EDITOR_NUMBER_KEY] += 1


def _problem_texts(problems: list[Problem]) -> list[str]:
    """What is wrong with the table, one text for each row, and what to do about it."""
    texts = []
    for row in dict.fromkeys(problem.row for problem in problems):
        parts = []
        of_row = [problem for problem in problems if problem.row == row]
        missing = sum(problem.kind == "number" and not problem.text for problem in of_row)
        for problem in of_row:
            if problem.kind == "rows":
                texts.append(
                    _("The table has {0} rows, and there is room for {1}; the first {1} are used.").format(
                        problem.text, MOST_WORDS
                    )
                )
            elif problem.kind == "word":
                parts.append(_("it has no word yet"))
            elif problem.kind == "large":
                parts.append(_("{0} is too large, numbers go from −1000 to 1000").format(problem.text))
            elif problem.text:
                parts.append(_("“{0}” is not a number such as 0.50").format(problem.text[:40]))
        if missing:
            parts.append(ngettext("{0} number is missing", "{0} numbers are missing", missing).format(missing))
        if parts:
            texts.append(_("Row {0} is left out until it is complete: {1}.").format(row, _("; ").join(parts)))
    return texts
