"""The numbers of the page as tables, for files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnviz.ui.components.heads.role_wording import head_words
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from attnviz.export.tables import Table
    from attnviz.roles import Example, RolesTable


def role_tables(table: RolesTable, examples: Sequence[Example]) -> list[Table]:
    """Every number of every head, and the examples that are shown."""
    from attnviz.export.tables import Table

    rows = table.rows
    roles = Table(
        _("What was measured of each head"),
        {
            _("Attention"): [row.kind for row in rows],
            _("Layer"): [str(row.layer) for row in rows],
            _("Head"): [str(row.head) for row in rows],
            _("Role"): [row.role or "" for row in rows],
            _("What it does"): [head_words(row).deed for row in rows],
            _("Direction"): [row.direction or "" for row in rows],
            _("Language"): [row.language or "" for row in rows],
            _("Has this role"): [_("yes") if row.labelled else _("no") for row in rows],
            _("Its number"): [row.value for row in rows],
            _("95 % interval, from"): [row.low for row in rows],
            _("95 % interval, to"): [row.high for row in rows],
            _("Baseline"): [row.baseline for row in rows],
            _("Cases"): [float(row.n) for row in rows],
        },
    )
    if not examples:
        return [roles]
    shown = Table(
        _("Examples that are shown"),
        {
            _("Head"): [f"{item.kind} L{item.layer} H{item.head}" for item in examples],
            _("Drawn at random"): [_("yes") if item.random else _("no") for item in examples],
            _("Text"): ["".join(item.query_tokens).strip() for item in examples],
            _("looks"): [item.query_tokens[item.query].strip() for item in examples],
            _("is looked at most"): [item.key_tokens[item.keys[0]].strip() if item.keys else "" for item in examples],
            _("attention weight"): [item.weights[0] if item.weights else 0.0 for item in examples],
        },
    )
    return [roles, shown]
