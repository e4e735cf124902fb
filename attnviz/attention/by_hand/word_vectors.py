"""A small table of words, each with a few numbers, as somebody types it and as an address carries it.

Reads what was typed, says what cannot be used and why, and never changes it. Knows neither torch nor attention:
`attnviz.by_hand` computes with the table.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from attnviz.errors import InputError
from attnviz.tokenization import token
from attnviz.tokenization.token import Token

DIM = 3  # numbers for each word
MOST_WORDS = 16  # each is a row and a column that can still be read
LARGEST = 1000.0  # of a number; the scores of two such rows still have four digits in float32


@dataclass(frozen=True, slots=True)
class WordVectors:
    """Words and their vectors.

    Attributes:
        words: as they were typed, without white space around them.
        vectors: for each word `DIM` finite numbers in [-LARGEST, LARGEST].
    """

    words: tuple[str, ...]
    vectors: tuple[tuple[float, ...], ...]

    def __len__(self) -> int:
        return len(self.words)

    @property
    def labels(self) -> tuple[str, ...]:
        """The words, readable and no two alike: the second "the" is "the₂"."""
        return token.labels([Token(i, word, False, i, None, None) for i, word in enumerate(self.words)])

    @property
    def sentence(self) -> str:
        """The words, one after the other."""
        return " ".join(self.words)


EXAMPLE = WordVectors(
    ("Your", "journey", "starts", "with", "one", "step"),
    (
        (0.43, 0.15, 0.89),
        (0.55, 0.87, 0.66),
        (0.57, 0.85, 0.64),
        (0.22, 0.58, 0.33),
        (0.77, 0.25, 0.10),
        (0.05, 0.80, 0.55),
    ),
)


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in the table that cannot be used.

    Attributes:
        row: from 1, as a reader counts.
        kind: "word" (none there), "number" (none there, or not one), "large" or "rows" (too many of them).
        text: what was typed; for "rows", how many there are.
        column: from 1, of a number; 0 elsewhere.
    """

    row: int
    kind: str
    text: str = ""
    column: int = 0


def read(rows: Iterable[Sequence[object]]) -> tuple[WordVectors, list[Problem]]:
    """Reads rows as they were typed: a word and `DIM` numbers, with a decimal point or a comma.

    Args:
        rows: each (word, number, …) as text, numbers or None. Rows with nothing in them are passed over.

    Returns:
        The rows that can be used, and what is wrong with the others: one `Problem` for each such entry.

    Example:
        >>> read([("step", "0,05", "0.8", ".55"), ("one", "0.77", "", "1/10")])[1]
        [Problem(row=2, kind='number', text='', column=2), Problem(row=2, kind='number', text='1/10', column=3)]
    """
    words, vectors, problems = [], [], []
    filled = [(row_number, [_entry_text(entry) for entry in row]) for row_number, row in enumerate(rows, 1)]
    filled = [(row_number, row) for row_number, row in filled if any(row)]
    for row_number, (word, *entries) in filled[:MOST_WORDS]:
        wrong = [] if word else [Problem(row_number, "word")]
        numbers = []
        for column, entry in enumerate(entries, 1):
            number = number_of(entry)
            numbers.append(number or 0.0)
            if number is None:
                wrong.append(Problem(row_number, "number", entry, column))
            elif abs(number) > LARGEST:
                wrong.append(Problem(row_number, "large", entry, column))
        if not wrong:
            words.append(word)
            vectors.append(tuple(numbers))
        problems += wrong
    if len(filled) > MOST_WORDS:
        problems.append(Problem(filled[MOST_WORDS][0], "rows", str(len(filled))))
    return WordVectors(tuple(words), tuple(vectors)), problems


def number_of(text: str) -> float | None:
    """The number that a text stands for, None where it is none; a comma and a true minus sign are understood.

    >>> number_of("−0,5"), number_of("nan")
    (-0.5, None)
    """
    try:
        number = float(text.strip().replace(",", ".").replace("−", "-").replace("_", "x"))
    except ValueError:
        return None
    return number + 0.0 if math.isfinite(number) else None  # no minus zero


def plain(number: float) -> str:
    """A number as somebody would type it, with two decimals at least and none that it does not need.

    >>> plain(0.1), plain(0.125), plain(3.0)
    ('0.10', '0.125', '3.00')
    """
    two = f"{number:.2f}"
    return two if float(two) == number else f"{number:.12f}".rstrip("0") if abs(number) >= 1e-9 else repr(number)


def to_text(table: WordVectors) -> str:
    """The table in a line, for an address; `from_text` reads it.

    >>> to_text(WordVectors(("a; b", "c"), ((1.0, 2.0, 0.5), (0.0, 0.25, 0.1))))
    'a%3B b 1 2 0.5; c 0 0.25 0.1'
    """
    rows = []
    for word, vector in zip(table.words, table.vectors, strict=True):
        numbers = " ".join(repr(number).removesuffix(".0") for number in vector)
        # What separates rows, and what marks that it does not.
        escaped = word.replace("%", "%25").replace(";", "%3B")
        rows.append(f"{escaped} {numbers}")
    return "; ".join(rows)


def from_text(text: str) -> WordVectors:
    """Reads what `to_text` wrote; raises InputError where something in it cannot be used.

    >>> from_text("Your 0.43 0.15 0.89; journey 0.55 0.87 0.66").words
    ('Your', 'journey')
    """
    rows: list[list[str]] = []
    for part in text.split(";"):
        if not part.strip():
            continue
        word, *numbers = part.strip().rsplit(None, DIM)
        if len(numbers) < DIM:
            raise InputError("A row is a word and {0} numbers; “{1}” is not.", DIM, _short(part.strip()))
        rows.append([unquote(word), *numbers])
    table, problems = read(rows)
    if problems:
        first = problems[0]
        if first.kind == "rows":
            raise InputError("{0} rows are more than the {1} that there is room for.", first.text, MOST_WORDS)
        raise InputError("Row {0} cannot be used: “{1}”.", first.row, _short(" ".join(rows[first.row - 1])))
    if not table.words:
        raise InputError("There is no row in it.")
    return table


def _entry_text(entry: object) -> str:
    """An entry as text: one line, nothing around it; a cell without anything may hold None or a float's nan."""
    if entry is None or (isinstance(entry, float) and math.isnan(entry)):
        return ""
    return " ".join(str(entry).split())


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
