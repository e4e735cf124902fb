"""The component that shows what heads do: roles to choose from, a tile and a row for each head, texts of one head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import streamlit as st

from attnviz.ui.components.component import define
from attnviz.ui.components.page.ready import run_name

_component = define(__file__, parts=["role_table", "role_examples"])


@dataclass(frozen=True)
class RoleChoice:
    """A role that some heads have.

    Attributes:
        name: as in the table.
        group: decides its colour.
        text: what such a head does: "looks at the token before".
        title: the field's term, and what was counted.
        sign: stands for it on a tile that has no room for words.
        count: heads that have it.
        chosen: whether only those stand out.
    """

    name: str
    group: str
    text: str
    title: str
    sign: str
    count: int
    chosen: bool


@dataclass(frozen=True)
class Measured:
    """A measured number as a picture: a dot with a whisker, and a mark for what needs no head.

    Attributes:
        value, low, high, baseline: in [0, 1].
        number, interval, beside, cases: the same in words: "97 %", "96–98 %", "9 %", "1,204".
        size: how many were counted.
    """

    value: float
    low: float
    high: float
    baseline: float
    number: str
    interval: str
    beside: str
    cases: str
    size: int


@dataclass(frozen=True)
class HeadTile:
    """A head.

    Attributes:
        id: in the address: "encoder.L2.H5".
        name: "L2 H5".
        label: of its role, a word or two; empty for none.
        sign: of its role, for a tile that has no room for words.
        group: of the role, which decides the colour.
        text: for its row and for screen readers: "Encoder L2 H5: looks at the token before".
        deed: what it does.
        measured: its number in the role that is chosen, or in its own; None where there is none.
        marked: whether it has the role that is chosen; all heads are where none is.
    """

    id: str
    name: str
    label: str
    sign: str
    group: str
    text: str
    deed: str
    measured: Measured | None
    marked: bool


@dataclass(frozen=True)
class KindTiles:
    """All heads of one kind of attention: `layers` rows of `heads` tiles, None where a layer has fewer."""

    title: str
    layers: Sequence[str]
    heads: int
    tiles: Sequence[HeadTile | None]


@dataclass(frozen=True)
class Looking:
    """One row of a head in one text.

    Attributes:
        text: for screen readers: "“book” looks at “bought” 0.99, “red” 0.01".
        queries: tokens of the side that looks.
        keys: tokens that are looked at; empty where these are the queries.
        query: which token looks.
        weights: pairs of a key and its weight.
        head: whose it is, where several heads are shown; else empty.
    """

    text: str
    queries: Sequence[str]
    keys: Sequence[str]
    query: int
    weights: Sequence[tuple[int, float]]
    head: str = ""


@dataclass(frozen=True)
class Column:
    """Examples under a heading; `empty` is said where there are none."""

    title: str
    note: str
    items: Sequence[Looking]
    empty: str


@dataclass(frozen=True)
class Fact:
    """One role of the head that is open; `labelled` where it is called so."""

    group: str
    text: str
    title: str
    measured: Measured
    labelled: bool


@dataclass(frozen=True)
class HeadPanel:
    """What is to be read of one head, or of a word in all heads."""

    title: str
    deed: str
    group: str
    about: str
    facts: Sequence[Fact]
    columns: Sequence[Column]
    close: str


def head_roles(
    *,
    run: str,
    key: str,
    summary: str,
    roles: Sequence[RoleChoice],
    kinds: Sequence[KindTiles],
    panel: HeadPanel,
    open_head: str,
    texts: dict[str, Any],
    on_role: Callable[[str], None],
    on_head: Callable[[str], None],
) -> None:
    """Draws all of it.

    Args:
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
        summary: what was measured, a sentence.
        roles: what can be chosen.
        kinds: every head.
        panel: what is to be read beside.
        open_head: the id of the head that is open; "" for none.
        texts: what else it says.
        on_role: called with the role that was chosen, "" for none, before the page runs again.
        on_head: called with the id of the head that was chosen, "" for none.
    """
    data = {
        "summary": summary,
        "roles": [asdict(role) for role in roles],
        "kinds": [asdict(kind) for kind in kinds],
        "panel": asdict(panel),
        "open": open_head,
        "texts": texts,
    }

    def choose(name: str, tell: Callable[[str], None]) -> None:
        value = st.session_state[key].get(name)
        if isinstance(value, str):
            tell(value)

    _component(
        key=key,
        data={"run": run, "picture": run_name(*map(repr, data.values())), **data},
        on_role_change=lambda: choose("role", on_role),
        on_head_change=lambda: choose("head", on_head),
    )
