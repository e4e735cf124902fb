"""One head, large: heatmap, lines, the same head of the other kinds of attention, and its numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import streamlit as st

from attnviz.attention.attention_map import AttentionMap
from attnviz.figures import describe, draw_head
from attnviz.figures.heads import Scale
from attnviz.figures.style import Names
from attnviz.ui.components.explanation.score_parts import is_asked
from attnviz.ui.components.heads.head_grid import head_grid
from attnviz.ui.components.heads.token_lines import head_lines
from attnviz.ui.components.numbers.weights_table import head_table
from attnviz.ui.components.page.ready import mark_run, theme
from attnviz.ui.screens.heads.why import choose_word
from attnviz.ui.shell.messages import _, decimal_sign, kind_title


def opened_head(
    map: AttentionMap,
    others: Sequence[AttentionMap],
    *,
    run: str,
    scale: Scale,
    on_close: Callable[[], None],
    on_kind: Callable[[str], None],
    take: Callable[[], None] = lambda: None,
    measured: Sequence[str] = (),
    why: Callable[[], None] | None = None,
) -> int:
    """Draws an opened head into the current container.

    Args:
        map: the head.
        others: the same layer and head of the other kinds of attention; a click goes there.
        run: the name of what the page shows now.
        scale: as in the grid.
        on_close: called when the reader closes it.
        on_kind: called with the kind that was clicked.
        take: draws the buttons that take the head along, into the panel's first line.
        measured: what the head was measured to do, a line each.
        why: draws why it looks where it does; None where that is not known.

    Returns:
        How many figures were drawn.
    """
    with st.container(key="opened", border=True):
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.markdown(f"##### L{map.layer_number} H{map.head} · {kind_title(map.kind)}")
            with st.container(horizontal=True, vertical_alignment="center", width="content", key="opened_tools"):
                take()
                st.button(_("Close"), key="close_head", icon=":material/close:", type="tertiary", on_click=on_close)
        if measured:
            st.caption(_("Measured over many sentences: {0}").format(_("; ").join(measured)))
        heatmap, lines = st.columns(2, gap="medium")
        with heatmap:
            figure = draw_head(map, theme=theme(), scale=scale, names=_names())
            # Its own width where there is room for it, the column's where there is not.
            with st.container(width=figure.layout.width):
                st.plotly_chart(
                    mark_run(figure, run),
                    key="head_heatmap",
                    theme=None,
                    alt=describe(map, most=10, decimal=decimal_sign()),
                    config={"displayModeBar": False},
                )
        with lines:
            choose = partial(choose_word, map) if why is not None and is_asked() else None
            head_lines(map, run=run, key="head_lines", scale=scale, on_pin=choose)
        if why is not None:
            why()
        if others:
            st.caption(_("The same head of the other kinds of attention"))
            for column, other in zip(st.columns(max(3, len(others))), others, strict=False):
                with column:
                    head_grid(
                        [other],
                        run=run,
                        key=f"other_{other.kind}",
                        title=kind_title(other.kind),
                        height=200,
                        scale=scale,
                        on_open=partial(_open_kind, on_kind, other.kind),
                    )
        with st.expander(_("Numbers")):
            head_table(map)
    return 2 + len(others)


def _open_kind(on_kind: Callable[[str], None], kind: str, _head: int) -> None:
    on_kind(kind)


def _names() -> Names:
    query, key = _("query: the word that looks"), _("key: the word it looks at")
    return Names(query=query, key=key, weight=_("attention weight"), hidden=_("hidden"))
