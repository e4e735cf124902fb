"""The component that shows the text beside the map, coloured passage by passage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from attnviz.tokenization.passages import Passage
from attnviz.ui.components.component import define
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.screens.long_text.components.long_map import scale_texts
from attnviz.ui.shell.messages import _

_component = define(__file__, parts=["tip", "long_text_talk"])


def long_text_panel(
    axes: Sequence[tuple[str, Sequence[Passage]]], *, queries: int, keys: int, run: str, key: str
) -> None:
    """Draws the text; what is clicked there, the map hears of, and asks the server.

    Args:
        axes: each text with its title and passages.
        queries, keys: which of them the rows and the columns of the map are.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
    """
    texts: list[dict[str, Any]] = [
        {
            "title": title,
            "passages": [
                [one.text, one.stop - one.start, one.level, int(one.opens), int(one.special), one.label]
                for one in passages
            ],
        }
        for title, passages in axes
    ]
    data = {
        "run": run,
        "picture": run_name(texts, queries, keys),
        "axes": texts,
        "queries": queries,
        "keys": keys,
        "texts": {
            "ways": _("What the colours of the text say"),
            "all": _("How much each is looked at"),
            "given": _("What it looks at"),
            "received": _("What looks at it"),
            **scale_texts(),
        },
    }
    _component(key=key, data=data)
