"""The controls of the page "By hand": the table that can be edited, what is computed with it, and their place in the
address.

The table and the edited entries of the weight matrices stand in the address as text (`table`, `entries`) once they are
not what the page begins with. What cannot be read there, or was typed and is no number, is said and never thrown away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

import streamlit as st

from attnviz.attention.by_hand import word_vectors
from attnviz.attention.by_hand.word_vectors import DIM, EXAMPLE, MOST_WORDS, Problem, WordVectors, number_of, plain
from attnviz.errors import InputError
from attnviz.ui.controls.inputs import Say, hold
from attnviz.ui.shell.errors import Remarks, as_markdown
from attnviz.ui.shell.messages import _, ngettext

MATRIX_KEYS = ("w_seed", "d_out", "n_heads", "one_head", "w_o")
DROPOUT_KEYS = ("dropout_rate", "dropout_seed")
TIMES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # what scores can be multiplied with
SEEDS = range(10_000)
_COLUMNS = ("word", *(f"x{place}" for place in range(DIM)))

# Of this session, none of them a control: rows as they were typed, how often the editor was begun anew, the words of
# the last run, the word whose key is looked at, and entries of the weight matrices for each seed and size.
_ROWS, _BEGUN, _WORDS, KEY, _ENTRIES = "hand_rows", "hand_begun", "hand_words", "key_word", "hand_entries"

Entries = dict[tuple[str, int, int], str]


# The table ----------------------------------------------------------------------------------------------------------


def word_table(say: Say) -> WordVectors:
    """The table, to be edited; returns the rows of it that can be used."""
    memory = st.session_state
    if _ROWS not in memory:
        memory[_ROWS] = _as_rows(
            _from_address("table", word_vectors.from_text, EXAMPLE, say, _("the six words that it begins with"))
        )
    key = f"hand_table_{memory.setdefault(_BEGUN, 0)}"
    if key not in memory:
        # What the editor begins with has to stay the same until it begins anew: it keeps its edits apart from it.
        memory["hand_begins_with"] = memory[_ROWS]
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
                name: st.column_config.TextColumn(f"x{chr(0x2080 + place)}", width=62, alignment="right")
                for place, name in enumerate(_COLUMNS[1:])
            },
        },
        alt=_("Words and their vectors; every entry can be edited, and rows can be added and removed."),
    )
    rows = list(zip(*(edited[name] for name in _COLUMNS), strict=True))
    memory[_ROWS] = rows
    table, problems = word_vectors.read(rows)
    # Below the table, which would move away under the pointer if a box came up above it.
    say_here = Remarks(st.empty())
    for text in _said(problems):
        say_here(text)
    _to_address("table", word_vectors.to_text(table) if table != EXAMPLE and table.words else "")
    if table != EXAMPLE or problems:
        st.button(_("Back to the six words"), icon=":material/undo:", type="tertiary", on_click=_begin_anew)
    return table


def _begin_anew() -> None:
    st.session_state[_ROWS] = _as_rows(EXAMPLE)
    st.session_state[_BEGUN] += 1


def _as_rows(table: WordVectors) -> list[tuple[str, ...]]:
    return [
        (word, *(plain(number) for number in vector))
        for word, vector in zip(table.words, table.vectors, strict=True)
    ]  # fmt: skip


def _said(problems: list[Problem]) -> list[str]:
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
            texts.append(_("Row {0} is left out until it is complete: {1}.").format(row, "; ".join(parts)))
    return texts


# Which words --------------------------------------------------------------------------------------------------------


def query_control(table: WordVectors, say: Say) -> int:
    """The word whose attention is looked at, from 0."""
    labels = table.labels
    _follow("query_word", labels, 1, say)
    default = _default(labels, 1)
    value = st.segmented_control(
        _("Query: the word that asks"), labels, default=default, key="query_word", required=True, bind="query-params",
        format_func=as_markdown,
    )  # fmt: skip
    return labels.index(value) if value in labels else labels.index(default)


def key_word(table: WordVectors, say: Say) -> int:
    """The word whose answer is looked at, from 0; it is picked in the tables, not by a control."""
    labels = table.labels
    if KEY not in st.session_state:
        st.session_state[KEY] = st.query_params.get(KEY, "")
    _follow(KEY, labels, 2, say)
    default = _default(labels, 2)
    value = st.session_state[KEY]
    if value not in labels:
        value = st.session_state[KEY] = default
    _to_address(KEY, "" if value == default else value)
    st.session_state[_WORDS] = labels
    return labels.index(value)


def _default(labels: tuple[str, ...], place: int) -> str:
    return labels[min(place, len(labels) - 1)]


def _follow(key: str, labels: tuple[str, ...], default: int, say: Say) -> None:
    """A chosen word that was edited stays chosen; one that is not there at all is said and replaced."""
    before: tuple[str, ...] = st.session_state.get(_WORDS, ())
    chosen = st.session_state.get(key, st.query_params.get(key))
    # The address has a word as the control writes it.
    if not chosen or chosen in labels or chosen in map(as_markdown, labels):
        return
    if chosen in before:
        st.session_state[key] = _default(labels, before.index(chosen))
        return
    instead = _default(labels, default)
    say(_("There is no word “{0}” in the table; “{1}” is shown instead.").format(chosen[:40], instead))
    if key in st.session_state:
        st.session_state[key] = instead


# What is computed ---------------------------------------------------------------------------------------------------


def switches() -> dict[str, bool]:
    """The four switches, by the names that they have in `Settings`; dropout is its rate there."""

    def with_matrices() -> None:
        # Scores of learned queries and keys are divided by √d_k; those of the bare vectors are not.
        st.session_state["scaled"] = st.session_state["matrices"]

    matrices = st.toggle(
        _("Weight matrices"),
        key="matrices",
        bind="query-params",
        on_change=with_matrices,
        help=_("W_q, W_k and W_v make query, key and value of each vector; a model learns them in training."),
    )
    scaled = st.toggle(
        _("Divide by √d_k"),
        key="scaled",
        bind="query-params",
        help=_("Longer vectors have larger products; divided by the root of their length, scores stay moderate."),
    )
    causal = st.toggle(
        _("Causal mask"),
        key="causal",
        bind="query-params",
        help=_("A word sees only itself and the words before it, as in GPT."),
    )
    dropout = st.toggle(
        _("Dropout"),
        key="dropout",
        bind="query-params",
        help=_("In training, some weights are set to zero at random and the others are divided by 1 − p."),
    )
    return {"matrices": matrices, "scaled": scaled, "causal": causal, "dropout": dropout}


def matrix_controls(most_out: int, say: Say) -> dict[str, Any]:
    """Seed and size of the weight matrices, the heads and the output projection, by their names in `Settings`."""
    _checked("w_seed", SEEDS, 123, say, _("Seeds go from 0 to 9999, there is no {0}; {1} is taken."))
    _checked("d_out", range(1, most_out + 1), 2, say, _("The matrices have 1 to 8 columns, not {0}; {1} are shown."))
    seed = st.number_input(
        _("Seed"), 0, SEEDS[-1], value=123, step=1, key="w_seed", bind="query-params", width=140,
        help=_("Draws all matrices, as torch.manual_seed does."),
    )  # fmt: skip
    columns = st.number_input(
        "d_out", 1, most_out, value=2, step=1, key="d_out", bind="query-params", width=140,
        help=_("Columns of W_q, W_k and W_v: the numbers of a query, a key, a value."),
    )  # fmt: skip
    d_out = 2 if columns is None else int(columns)
    shared = [heads for heads in range(1, d_out + 1) if d_out % heads == 0]
    _checked(
        "n_heads",
        shared,
        1,
        say,
        _(
            "{2} columns cannot be shared evenly by {0} heads; {1} is shown.",
        ),
        d_out,
    )
    heads = st.segmented_control(
        _("Heads"), shared, default=1, key="n_heads", required=True, bind="query-params",
        help=_("The heads share the columns evenly; each has its own scores and weights."),
    )  # fmt: skip
    heads = heads if heads in shared else 1
    projection = st.toggle(
        _("Output projection"), key="w_o", bind="query-params", help=_("W_o mixes the contexts of all heads.")
    )
    return {"seed": 123 if seed is None else int(seed), "d_out": d_out, "heads": heads, "projection": projection}


def head_control(heads: int, say: Say) -> int:
    """Which head is followed, from 0."""
    if heads == 1:
        hold("one_head")
        return 0
    _checked("one_head", range(heads), 0, say, _("There is no head {0}; head {1} is shown."))
    value = st.segmented_control(_("Head"), range(heads), default=0, key="one_head", required=True, bind="query-params")
    return value if value in range(heads) else 0


def dropout_controls(say: Say) -> dict[str, Any]:
    """Rate and seed of dropout, by their names in `Settings`."""
    _checked("dropout_rate", range(10, 100, 10), 50, say, _("Dropout goes from 10 % to 90 %, not {0}; {1} is taken."))
    _checked("dropout_seed", SEEDS, 0, say, _("Seeds go from 0 to 9999, there is no {0}; {1} is taken."))
    rate = st.slider(
        _("Dropout p"), 10, 90, value=50, step=10, key="dropout_rate", format="%d %%", bind="query-params", width=160,
        help=_("The share of the weights that is set to zero."),
    )  # fmt: skip
    seed = st.number_input(
        _("Dropout seed"), 0, SEEDS[-1], value=0, step=1, key="dropout_seed", bind="query-params", width=140,
        help=_("Draws which weights are left out."),
    )  # fmt: skip
    return {"dropout": rate / 100, "dropout_seed": int(seed or 0)}


def times_control(say: Say) -> int:
    """What the scores are multiplied with before softmax."""
    _checked("times", TIMES, 1, say, _("Scores are multiplied with 1 to 1000, not {0}; {1} is taken."))
    value = st.select_slider(_("Scores ×"), TIMES, value=1, key="times", bind="query-params")
    return value if value in TIMES else 1


# The weight matrices ------------------------------------------------------------------------------------------------


def entries(seed: int, d_out: int, say: Say) -> Entries:
    """What was typed into the matrices of this seed and size."""
    everything: dict[tuple[int, int], Entries] = st.session_state.setdefault(_ENTRIES, {})
    if not everything:
        found = _from_address("entries", _read_entries, {}, say, _("the matrices as they are drawn"))
        everything[seed, d_out] = found
    return everything.setdefault((seed, d_out), {})


def usable(typed: Entries, sizes: Mapping[str, tuple[int, int]], say: Say) -> dict[tuple[str, int, int], float]:
    """Those entries that are numbers; the others are said, and what was drawn stands in their place.

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
            said = _("W_{0}, row {1}, column {2}: “{3}” is not a number from −1000 to 1000; the one drawn is used.")
            say(said.format(letter, row, column, text[:40]))
        elif letter in sizes:
            numbers[letter, row, column] = number
    _to_address("entries", _entries_text(numbers))
    return numbers


def matrix_editor(letter: str, drawn: list[list[float]], typed: Entries, seed: int) -> None:
    """A matrix, to be edited; what differs from what was drawn is put into `typed`, and the page runs again."""
    shown = [[f"{number:.4f}" for number in row] for row in drawn]
    columns = len(shown[0])
    key = f"hand_w_{letter}_{seed}_{columns}_{st.session_state.setdefault(_BEGUN + letter, 0)}"
    begins_key = f"{key}_begins"
    if key not in st.session_state:
        # As with the table: what the editor begins with stays the same while it has edits.
        st.session_state[begins_key] = [
            [typed.get((letter, row, column), text) for column, text in enumerate(line)]
            for row, line in enumerate(shown)
        ]
    begins = st.session_state[begins_key]

    def edited() -> None:
        changes = st.session_state[key]["edited_rows"]
        now = [list(line) for line in begins]
        for row, entries_of_row in changes.items():
            for name, text in entries_of_row.items():
                now[int(row)][int(name)] = "" if text is None else str(text)
        for row, line in enumerate(now):
            for column, text in enumerate(line):
                place = (letter, row, column)
                if text == shown[row][column]:
                    typed.pop(place, None)
                else:
                    typed[place] = text

    st.data_editor(
        {str(column): [line[column] for line in begins] for column in range(columns)},
        key=key,
        hide_index=True,
        on_change=edited,
        column_config={str(column): st.column_config.TextColumn(alignment="right") for column in range(columns)},
        alt=_("The weight matrix W_{0}; every entry can be edited.").format(letter),
    )


def undo_entries(typed: Entries, letters: Collection[str]) -> None:
    """A button that puts what was drawn back into the matrices; none where nothing was typed."""

    def undo() -> None:
        typed.clear()
        for letter in letters:
            st.session_state[_BEGUN + letter] = st.session_state.get(_BEGUN + letter, 0) + 1

    if typed:
        st.button(_("Matrices as they were drawn"), icon=":material/undo:", type="tertiary", on_click=undo)


def _entries_text(numbers: dict[tuple[str, int, int], float]) -> str:
    return "; ".join(
        f"{letter} {row} {column} {repr(number).removesuffix('.0')}"
        for (letter, row, column), number in sorted(numbers.items())
    )


def _read_entries(text: str) -> Entries:
    """Reads what `_entries_text` wrote; raises InputError where that is not possible."""
    found: Entries = {}
    for part in filter(str.strip, text.split(";")):
        fields = part.split()
        fits = len(fields) == 4 and fields[0] in "qkvo" and all(re.fullmatch("[0-9]", place) for place in fields[1:3])
        if not fits or number_of(fields[3]) is None:
            raise InputError(f"An entry is a matrix, a row, a column and a number; “{part.strip()[:40]}” is not.")
        found[fields[0], int(fields[1]), int(fields[2])] = fields[3]
    return found


# The address --------------------------------------------------------------------------------------------------------


def _from_address(name: str, read: Callable[[str], Any], otherwise: Any, say: Say, called: str) -> Any:
    """What the address holds under a name; where it cannot be read, that is said and something else is taken."""
    text = st.query_params.get(name, "")
    if not text:
        return otherwise
    try:
        return read(text)
    except InputError as error:
        said = _("“{0}” in the address could not be read, so the page has {1}.").format(name, called)
        say(f"{said} {error}")
        return otherwise


def _to_address(name: str, text: str) -> None:
    """Writes what no control holds; "" takes it out."""
    if not text:
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != text:
        st.query_params[name] = text


def _checked(key: str, options: Collection[int], otherwise: int, say: Say, missing: str, *more: object) -> None:
    """Before a control is drawn: replaces a number that it does not have, and says so."""
    asked = st.session_state.get(key, st.query_params.get(key))
    if asked is None or asked == "":
        return
    text = str(asked)
    if text.isdecimal() and len(text) < 6 and int(text) in options:
        return
    say(missing.format(text[:40], otherwise, *more))
    if key in st.session_state:
        st.session_state[key] = otherwise
