"""The component that lists a head's strongest links; a click on one leads to its place in the map and in the text."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from attnviz.ui.components.component import define
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.shell.messages import _

_component = define(__file__, parts=["long_text_talk"])


def link_list(rows: Sequence[Mapping[str, Any]] | None, *, run: str, key: str) -> None:
    """Draws the list; it is also what the map says for who cannot see it.

    Args:
        rows: as `payload.link_rows` gives them; None while they are being looked for: the browser asks again by itself.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
    """
    texts = {
        "title": _("Strongest links"),
        "note": _("The largest weights away from the token itself, the one before it, the first and special ones."),
        "weight": _("weight"),
        "query": _("looks"),
        "key": _("looked at"),
        "go": _("Show"),
        "goName": _("Show in the map: {0} looks at {1}"),
        "none": _("This head looks at nothing else."),
        "waiting": _("Looking for the strongest links …"),
    }  # fmt: skip
    data = {
        "run": run,
        "picture": run_name(rows, texts),
        "rows": None if rows is None else [dict(row) for row in rows],
        "call": time.monotonic_ns() if rows is None else 0,  # each answer that they are not there yet is a new one
        "texts": texts,
    }
    _component(key=key, data=data, on_look_change=lambda: None)
