"""The next token before and after a change: two bars for each of the likeliest tokens.

Numbers come in, a figure goes out.
"""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from attnviz.figures import style

ROW = 26  # pixels of height of a token's two bars


def draw_next_tokens(
    labels: Sequence[str],
    before: Sequence[float],
    after: Sequence[float],
    *,
    theme: style.Theme = "light",
    names: tuple[str, str] = ("before", "after"),
    axis: str = "probability",
) -> go.Figure:
    """Draws what a model says comes next, before and after.

    Args:
        labels: the tokens, the likeliest first.
        before, after: their probabilities in [0, 1].
        theme: which background the colours are for.
        names: of the two runs.
        axis: what the numbers are called.

    Returns:
        A figure with a trace for each run.

    Example:
        >>> draw_next_tokens(["dog", "cat"], [0.9, 0.1], [0.2, 0.8]).data[1].x
        (0.2, 0.8)
    """
    palette = style.PALETTES[theme]
    along = list(range(len(labels)))
    ticks = [style.escape_markup(label) for label in labels]
    looks = (
        {"color": palette.quiet, "pattern": {"shape": "/", "size": 5, "solidity": 0.35}},
        {"color": palette.accent},
    )
    traces = [
        go.Bar(
            x=list(numbers),
            y=along,
            orientation="h",
            name=style.escape_markup(name),
            marker=look,
            customdata=ticks,
            hovertemplate="%{customdata}: %{x:.1%}<extra>" + style.escape_markup(name) + "</extra>",
        )
        for name, numbers, look in zip(names, (before, after), looks, strict=True)
    ]
    layout = style.layout(
        theme,
        height=96 + ROW * len(labels),
        margin={**style.MARGIN, "t": 34},
        barmode="group",
        bargap=0.25,
        legend={"orientation": "h", "y": 1.0, "yanchor": "bottom", "x": 0, "traceorder": "normal"},
        xaxis=style.axis(
            axis, theme, mirror=False, showline=False, range=[0, 1], tickformat=".0%", showgrid=True,
            gridcolor=palette.line,
        ),
        yaxis=style.axis(
            "", theme, mirror=False, tickmode="array", tickvals=along, ticktext=ticks, autorange="reversed",
        ),
    )  # fmt: skip
    return go.Figure(traces, layout)
