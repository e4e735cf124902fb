"""What a model's heads do, where the model was measured: a table that ships, is kept here, or is of this session.

On a public server nothing of a reader's own texts is kept: their table lives in the session alone. What was measured on
the sample texts is kept for everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from attnviz.serving.limits import limits

if TYPE_CHECKING:
    from attnviz.roles import RolesTable
    from attnviz.ui.shell.models import Loaded

_OWN = "attnviz_own_role_tables"  # by the model's fingerprint


def role_table(loaded: Loaded) -> RolesTable | None:
    """The table of a model; None where it was not measured."""
    from attnviz.roles.tables import store

    name = model_fingerprint(loaded)
    own: dict[str, RolesTable] = st.session_state.get(_OWN, {})
    if name in own:
        return own[name]
    stamp = store.stamp(name)
    if stamp is not None:
        table = loaded.cache.get(("roles", stamp), lambda: store.stored(name))
        if table is not None:
            return table
    return shipped_table(name)


def shipped_table(model: str) -> RolesTable | None:
    """The bundled model's table, where a fingerprint is that model's."""
    from attnviz.errors import InputError
    from attnviz.roles.tables.table import bundled_table

    try:
        table = bundled_table()
    except InputError:
        return None
    return table if table.model == model else None


def keep_role_table(loaded: Loaded, table: RolesTable, *, own_text: bool) -> None:
    """Keeps a table for all pages, and for all sessions where it tells strangers nothing of a reader's own text."""
    from attnviz.roles.tables import store

    own: dict[str, RolesTable] = st.session_state.setdefault(_OWN, {})
    own.pop(table.model, None)
    if (own_text and limits().public) or not store.keep(table):
        own[table.model] = table


def model_fingerprint(loaded: Loaded) -> str:
    """The fingerprint of a model's weights."""
    from attnviz.models.network.fingerprint import fingerprint

    return loaded.cache.get(("fingerprint",), lambda: fingerprint(loaded.model.network))
