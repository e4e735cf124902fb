"""The component that shows what contributed to a word: the output, the coloured texts, all methods, and the proof."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import streamlit as st

from attnviz.ui.components.component import define
from attnviz.ui.components.page.ready import run_name

_component = define(__file__)


@dataclass(frozen=True)
class OutputWord:
    """A word that can be explained.

    Attributes:
        label: as the reader sees it.
        chosen: whether it is the one that is explained.
    """

    label: str
    chosen: bool


@dataclass(frozen=True)
class Coloured:
    """A token with what it contributed; `number` is the value as the reader's language writes it."""

    label: str
    value: float
    number: str


@dataclass(frozen=True)
class Group:
    """Tokens that belong together: the source, or what had been written before."""

    title: str
    tokens: tuple[Coloured, ...]


@dataclass(frozen=True)
class Card:
    """What one method says.

    Attributes:
        name: of the method.
        answers: the question that it answers, a sentence.
        groups: the texts.
        signed: whether values can be negative.
        most: the greatest size of a value, at which the colour is strongest.
        scale: the ends of the colours in numbers.
        note: a remark below; "" for none.
    """

    name: str
    answers: str
    groups: tuple[Group, ...]
    signed: bool
    most: float
    scale: tuple[str, str]
    note: str = ""


@dataclass(frozen=True)
class Row:
    """A method in the table of all, or a word that was written; `agrees` says how far a method orders the words as the
    chosen one does."""

    name: str
    values: tuple[float, ...]
    numbers: tuple[str, ...]
    most: float
    signed: bool
    agrees: str = ""


@dataclass(frozen=True)
class Table:
    """All methods under each other, or all words of a translation; a column a token of the source.

    Attributes:
        title: stands above it.
        tokens: the columns.
        rows: from top to bottom.
        agreement: above the last column, which says how far methods agree; "" for none.
        note: under the title; "" for none.
    """

    title: str
    tokens: tuple[str, ...]
    rows: tuple[Row, ...]
    agreement: str = ""
    note: str = ""


@dataclass(frozen=True)
class Line:
    """A curve: the probability, in [0, 1], as words are gone.

    Attributes:
        name: what its key says.
        values: one for each step.
        kind: of the first method, of the one beside it, of random orders, of the best order found.
        words: for each step what is gone then, and the probability; empty where that is no single order.
    """

    name: str
    values: tuple[float, ...]
    kind: Literal["method", "beside", "random", "best"]
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class Curve:
    """How a probability falls.

    Attributes:
        title: for screen readers.
        lines: one a method, that of random orders and that of the best order found.
        counts: how many words are gone at each step.
        across, up: names of the axes.
        ticks: of the upright axis, as values with their labels.
    """

    title: str
    lines: tuple[Line, ...]
    counts: tuple[int, ...]
    across: str
    up: str
    ticks: tuple[dict[str, float | str], ...]


@dataclass(frozen=True)
class Bar:
    """A bar with its name and its number."""

    name: str
    value: float
    number: str


@dataclass(frozen=True)
class Trust:
    """Whether a method can be trusted, as far as it can be measured.

    Attributes:
        title: the question.
        sentences: what was measured, in words.
        curve: None where nothing is predicted.
        bars_title, bars: what becomes of the prediction when weights are made even or shuffled.
        conclusion: what follows for reading maps.
    """

    title: str
    sentences: tuple[str, ...]
    curve: Curve | None
    bars_title: str
    bars: tuple[Bar, ...]
    conclusion: tuple[str, ...]


def explanation(
    ask: str,
    words: Sequence[OutputWord],
    question: str,
    cards: Sequence[Card],
    matrix: Table | None,
    table: Table | None,
    trust: Trust | None,
    *,
    run: str,
    key: str,
    on_word: Callable[[int], None],
) -> None:
    """Draws all of it.

    Args:
        ask: what the reader is asked to do.
        words: the output.
        question: what is explained, as a sentence.
        cards: one or two methods.
        matrix: of the whole translation; None where nobody asked for it.
        table: of all methods; None where nobody asked for it.
        trust: None where nobody asked.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
        on_word: called with the index of the word that the reader chose.
    """
    data = {
        "ask": ask,
        "output": {"title": ask, "words": [asdict(word) for word in words]},
        "question": question,
        "cards": [asdict(card) for card in cards],
        "matrix": asdict(matrix) if matrix else None,
        "table": asdict(table) if table else None,
        "trust": asdict(trust) if trust else None,
    }

    def choose() -> None:
        value = st.session_state[key].get("word")
        if value is not None:
            on_word(int(value))

    _component(
        key=key, data={"run": run, "picture": run_name(*map(repr, data.values())), **data}, on_word_change=choose
    )
