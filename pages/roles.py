"""What heads do: the roles of all heads of a model, measured over many texts, and the texts where they show."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.ui.components.export_menu import PageFigures, export_menu
from attnviz.ui.components.page.ready import figures_ready, run_name, theme
from attnviz.ui.controls import page_header, url_state
from attnviz.ui.screens.roles import address, measuring, payload
from attnviz.ui.screens.roles.head_roles import head_roles
from attnviz.ui.screens.roles.tables import role_tables
from attnviz.ui.shell import errors
from attnviz.ui.shell.messages import _, language, model_label
from attnviz.ui.shell.role_tables import role_table
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.roles import Example, RolesTable
    from attnviz.ui.controls.page_header import ModelRow
    from attnviz.ui.screens.roles.payload import HeadId
    from attnviz.ui.shell.models import Loaded

MOST_EXAMPLES = 10_000  # all of a table


@dataclass(frozen=True)
class Asked:
    """What the reader chose: a role, a head, a word to look for; the head is the page's own where `is_opening`."""

    role: str | None
    head: HeadId | None
    word: str
    is_opening: bool


def main() -> None:
    url_state.keep_values(*url_state.SHARED_KEYS, "head")
    top = page_header.model_row()
    figures = st.container(key="figures")
    below = st.container()
    loaded = top.load(figures)
    if loaded is None:
        url_state.keep_values(*measuring.CONTROL_KEYS, address.WORD_KEY)
        return
    table = role_table(loaded)
    with figures if table is None else below.expander(_("Measure again, or on other texts")):
        if table is None:
            st.markdown(f"##### {_('This model has not been measured yet')}")
            st.markdown(_("Measured once, its heads carry their roles on the pages Heads, Overview and Compare too."))
        measuring.measuring_controls(loaded)
    if table is None:
        url_state.keep_values(address.WORD_KEY)
    else:
        show(figures, top, loaded, table)
    if errors.attempt(figures, lambda: measuring.measure_if_asked(loaded, top.progress)) is not None:
        st.rerun()


def show(figures: DeltaGenerator, top: ModelRow, loaded: Loaded, table: RolesTable) -> None:
    """Shows a table of roles, and what of it the reader asks for."""
    with top.controls:
        word = address.word_box()
    role = address.requested_role(table, top.say)
    head = address.requested_head(table, top.say)
    is_opening = head is None and not word
    asked = Asked(role, address.opening_head(table, role) if is_opening else head, word, is_opening)
    run = run_name(loaded.key, table.corpus, table.tokens, repr(asked), language(), theme())
    if errors.attempt(figures, lambda: draw(figures, top, table, asked, run)):
        figures_ready(run, word, figures=1)


def draw(container: DeltaGenerator, top: ModelRow, table: RolesTable, asked: Asked, run: str) -> bool:
    """Draws everything."""
    strongest, drawn = shown_examples(table, asked)
    if asked.head is None:
        panel = payload.word_panel(asked.word, strongest, drawn)
    else:
        panel = payload.head_panel(table, asked.head, asked.word, strongest, drawn)
    title = " · ".join([_("What heads do"), model_label(top.model)])
    with container:
        with st.container(key="take_corner"):
            tables = partial(role_tables, table, [*strongest, *drawn])
            export_menu(page=PageFigures("attnviz-roles", title, tables, [payload.summary(table)]))
        head_roles(
            run=run,
            key="roles",
            summary=payload.summary(table),
            roles=payload.role_choices(table, asked.role),
            kinds=payload.kind_tiles(table, asked.role),
            panel=panel,
            open_head="" if asked.head is None else str(asked.head),
            texts=payload.page_texts(table, asked.role),
            on_role=address.choose_role,
            on_head=address.choose_head,
        )
    return True


def shown_examples(table: RolesTable, asked: Asked) -> tuple[list[Example], list[Example]]:
    """The strongest examples of the head, or with the word, and those drawn at random."""
    from attnviz.roles import examples, random_examples, search

    if table.index is None:
        return [], []
    head = asked.head
    if asked.word:
        if head is None:
            items = search(table, asked.word, role=asked.role, count=MOST_EXAMPLES)
        else:
            items = search(table, asked.word, kind=head.kind, layer=head.layer, head=head.head, count=MOST_EXAMPLES)
        return [item for item in items if not item.random], [item for item in items if item.random]
    if head is None:
        return [], []
    place = (head.kind, head.layer, head.head)
    return list(examples(table, *place, payload.SHOWN)), list(random_examples(table, *place, payload.SHOWN))


require_router()
main()
