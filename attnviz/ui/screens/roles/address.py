"""What the page's address asks for: a role, a head, and a word that is looked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.ui.controls.url_state import Say, shorten
from attnviz.ui.screens.roles.payload import HeadId
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from attnviz.roles import RolesTable

ROLE_KEY, HEAD_KEY, WORD_KEY = "role", "at", "word"
_HEAD = re.compile(r"(encoder|decoder|cross)\.L(\d{1,4})\.H(\d{1,4})")


def requested_role(table: RolesTable, say: Say) -> str | None:
    """The role that the address names; None for all."""
    requested = st.query_params.get(ROLE_KEY)
    if not requested or requested in {row.role for row in table.rows}:
        return requested or None
    say(_("The role “{0}” was not measured of this model; all are shown.").format(shorten(requested)))
    st.query_params.pop(ROLE_KEY, None)
    return None


def requested_head(table: RolesTable, say: Say) -> HeadId | None:
    """The head that the address names; None for the page's own choice."""
    requested = st.query_params.get(HEAD_KEY)
    if not requested:
        return None
    match = _HEAD.fullmatch(requested)
    if match:
        head = HeadId(match[1], int(match[2]), int(match[3]))
        layers, heads = table.sizes.get(head.kind, (0, 0))
        if head.layer < layers and head.head < heads:
            return head
    say(_("This model has no head {0}; another one is open.").format(shorten(requested)))
    st.query_params.pop(HEAD_KEY, None)
    return None


def opening_head(table: RolesTable, role: str | None) -> HeadId:
    """The head that is open where nobody chose one: the clearest of its role, or of all."""
    from attnviz.roles.tables.catalogue import is_general

    rows = table.find(role) or table.find(role, labelled=False) if role else ()
    if rows:
        return HeadId.of(rows[0])
    named = [row for row in table.heads if row.role is not None]
    if not named:
        return HeadId.of(table.heads[0])
    return HeadId.of(max(named, key=lambda row: (not is_general(row.role or ""), row.gain)))


def choose_role(role: str) -> None:
    """Writes the role into the address; another role opens with its own clearest head. For callbacks."""
    _write(ROLE_KEY, role)
    st.query_params.pop(HEAD_KEY, None)


def choose_head(head: str) -> None:
    """Writes the head into the address; "" for none. For callbacks."""
    _write(HEAD_KEY, head)


def _write(key: str, value: str) -> None:
    if value:
        st.query_params[key] = value
    else:
        st.query_params.pop(key, None)


def word_box() -> str:
    """The word that is looked for in the examples; "" for none."""
    return st.text_input(
        _("Find a word"), key=WORD_KEY, bind="query-params", width=180, icon=":material/search:",
        help=_("Shows the examples in which this word looks, or is looked at most."),
    ).strip()  # fmt: skip
