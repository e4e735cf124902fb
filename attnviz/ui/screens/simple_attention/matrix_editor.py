"""The editors of the weight matrices W_q, W_k, W_v and W_o, and the entries that were typed into them."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import streamlit as st

from attnviz.attention.by_hand import word_vectors
from attnviz.attention.by_hand.word_vectors import DIM, number_of
from attnviz.errors import InputError
from attnviz.ui.controls.url_state import Say
from attnviz.ui.screens.simple_attention.address import EDITOR_NUMBER_KEY, ENTRIES_KEY, read_from_url, write_to_url
from attnviz.ui.shell.messages import _, local_number

Entries = dict[tuple[str, int, int], str]


# The weight matrices ------------------------------------------------------------------------------------------------


def typed_entries(seed: int, d_out: int, say: Say) -> Entries:
    """What was typed into the matrices of this seed and size."""
    everything: dict[tuple[int, int], Entries] = st.session_state.setdefault(ENTRIES_KEY, {})
    if not everything:
        entries = read_from_url("entries", _read_entries, {}, say, _("the matrices as they are drawn"))
        everything[seed, d_out] = entries
    return everything.setdefault((seed, d_out), {})


def numeric_entries(
    typed: Entries, sizes: Mapping[str, tuple[int, int]], say: Say
) -> dict[tuple[str, int, int], float]:
    """Those entries that are numbers; of the others `say` tells the reader that the number that was drawn is used.

    Args:
        typed: of all matrices; those of one that is not there are kept for when it is.
        sizes: rows and columns of each matrix that is there.
    """
    numbers = {}
    for (letter, row, column), text in typed.items():
        rows, columns = sizes.get(letter, (DIM, DIM))
        number = number_of(text)
        if row >= rows or column >= columns:
            say(_("W_{0} has {1} rows and {2} columns; an entry outside is left out.").format(letter, rows, columns))
        elif number is None or abs(number) > word_vectors.LARGEST:
            template = _("W_{0}, row {1}, column {2}: “{3}” is not a number from −1000 to 1000; the one drawn is used.")
            say(template.format(letter, row, column, text[:40]))
        elif letter in sizes:
            numbers[letter, row, column] = number
    write_to_url("entries", _entries_text(numbers))
    return numbers


def matrix_editor(letter: str, drawn: list[list[float]], typed: Entries, seed: int) -> None:
    """A matrix, to be edited; what differs from what was drawn is put into `typed`, and the page runs again."""
    shown = [[local_number(f"{number:.4f}") for number in row] for row in drawn]
    columns = len(shown[0])
    key = f"hand_w_{letter}_{seed}_{columns}_{st.session_state.setdefault(EDITOR_NUMBER_KEY + letter, 0)}"
    begins_key = f"{key}_begins"
    if key not in st.session_state:
        # As with the table: what the editor begins with stays the same while it has edits.
        st.session_state[begins_key] = [
            [typed.get((letter, row, column), text) for column, text in enumerate(line)]
            for row, line in enumerate(shown)
        ]
    begins = st.session_state[begins_key]

    def store_entries() -> None:
        changes = st.session_state[key]["edited_rows"]
        now = [list(line) for line in begins]
        for row, entries_of_row in changes.items():
            for name, text in entries_of_row.items():
                now[int(row)][int(name)] = "" if text is None else str(text)
        for row, line in enumerate(now):
            for column, text in enumerate(line):
                position = (letter, row, column)
                if text == shown[row][column]:
                    typed.pop(position, None)
                else:
                    typed[position] = text

    st.data_editor(
        {str(column): [line[column] for line in begins] for column in range(columns)},
        key=key,
        hide_index=True,
        on_change=store_entries,
        column_config={str(column): st.column_config.TextColumn(alignment="right") for column in range(columns)},
        alt=_("The weight matrix W_{0}; every entry can be edited.").format(letter),
    )


def undo_button(typed: Entries, letters: Collection[str]) -> None:
    """A button that puts what was drawn back into the matrices; none where nothing was typed."""

    def undo() -> None:
        typed.clear()
        for letter in letters:
            st.session_state[EDITOR_NUMBER_KEY + letter] = st.session_state.get(EDITOR_NUMBER_KEY + letter, 0) + 1

    if typed:
        st.button(_("Matrices as they were drawn"), icon=":material/undo:", type="tertiary", on_click=undo)


def _entries_text(numbers: dict[tuple[str, int, int], float]) -> str:
    return "; ".join(
        f"{letter} {row} {column} {repr(number).removesuffix('.0')}"
        for (letter, row, column), number in sorted(numbers.items())
    )


def _read_entries(text: str) -> Entries:
    """Reads what `_entries_text` wrote; raises InputError where that is not possible."""
    entries: Entries = {}
    for part in filter(str.strip, text.split(";")):
        fields = part.split()
        fits = len(fields) == 4 and fields[0] in "qkvo" and all(re.fullmatch("[0-9]", index) for index in fields[1:3])
        if not fits or number_of(fields[3]) is None:
            raise InputError("An entry is a matrix, a row, a column and a number; “{0}” is not.", part.strip()[:40])
        entries[fields[0], int(fields[1]), int(fields[2])] = fields[3]
    return entries
