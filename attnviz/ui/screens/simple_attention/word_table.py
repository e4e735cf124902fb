"""The table of words and their numbers that a reader edits."""

from __future__ import annotations

import streamlit as st

from attnviz.attention.by_hand import word_vectors
from attnviz.attention.by_hand.word_vectors import DIM, EXAMPLE, MOST_WORDS, Problem, WordVectors
from attnviz.examples import HAND_WORDS
from attnviz.ui.controls.url_state import Say
from attnviz.ui.screens.simple_attention.address import (
    EDITOR_NUMBER_KEY,
    ROWS_KEY,
    read_from_url,
    table_rows,
    write_to_url,
)
from attnviz.ui.shell.errors import Remarks
from attnviz.ui.shell.messages import _, language, ngettext

_LANGUAGE = "hand_language"  # whose words the table began with
_COLUMNS = ("word", *(f"x{index}" for index in range(DIM)))


# The table ----------------------------------------------------------------------------------------------------------


def word_table(say: Say) -> WordVectors:
    """The table, to be edited; returns the rows of it that can be used."""
    memory = st.session_state
    opening = opening_table(language())
    _follow_language()
    if ROWS_KEY not in memory:
        memory[ROWS_KEY] = table_rows(
            read_from_url("table", word_vectors.from_text, opening, say, _("the six words that it begins with"))
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
    # Only the English words need no place in the address: who opens a link may read in another language, and would have
    # other words than those that the link's other values name.
    write_to_url("table", word_vectors.to_text(table) if table != EXAMPLE and table.words else "")
    if table != opening or problems:
        st.button(
            _("Back to the six words"),
            key="first_table",
            icon=":material/undo:",
            type="tertiary",
            on_click=_restore_opening,
        )
    return table


def opening_table(code: str) -> WordVectors:
    """The numbers of `EXAMPLE` with the words of a language: "de", "zh_Hant"; English where it has none.

    >>> opening_table("de").words[1]
    'Reise'
    """
    return WordVectors(HAND_WORDS.get(code, EXAMPLE.words), EXAMPLE.vectors)


def _follow_language() -> None:
    """Gives an untouched table the words of a language that was chosen since."""
    memory = st.session_state
    before, now = memory.get(_LANGUAGE, language()), language()
    memory[_LANGUAGE] = now
    if before == now or ROWS_KEY not in memory:
        return
    if word_vectors.read(memory[ROWS_KEY])[0] == opening_table(before):
        _begin_with(opening_table(now))


def _restore_opening() -> None:
    _begin_with(opening_table(language()))


def _begin_with(table: WordVectors) -> None:
    st.session_state[ROWS_KEY] = table_rows(table)
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
