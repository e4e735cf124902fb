"""A word in two sentences: how alike its vectors are in each layer, and what it looks at.

Numbers come in, a figure goes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from attnviz.figures import style
from attnviz.typography import set_number

MOST_TICKS = 14  # names of layers that fit below the chart
MOST_NUMBERS = 9  # points that have their number beside them
LONGEST = 16  # characters of a word's name
ROW = 36  # pixels of height of a word's two bars


@dataclass(frozen=True, slots=True)
class Names:
    """The words that the figures write; the app passes them in the reader's language."""

    same: str = "the word"
    others: str = "two different words"
    similarity: str = "cosine similarity"
    layer: str = "vector after layer"
    weight: str = "attention weight"
    share: str = "share of the change"


def draw_similarity(
    labels: Sequence[str],
    word: Sequence[float | None],
    others: Sequence[float | None] | None,
    *,
    theme: style.Theme = "light",
    names: Names | None = None,
    chosen: int | None = None,
) -> go.Figure:
    """Draws how alike a word's two vectors are, from the embedding table to the last layer.

    Args:
        labels: names of the layers after which the vectors are taken, the embedding table's first.
        word: cosines in [-1, 1]; None where there is no vector.
        others: the mean of different words, to compare with; None where there are none.
        theme: which background the colours are for.
        names: of the lines and axes.
        chosen: the index of the layer that is marked.

    Returns:
        A figure with a line for the word, and a dashed one for the others.

    Example:
        >>> draw_similarity(["static", "L0"], [1.0, 0.7], [0.1, 0.3]).data[0].y
        (1.0, 0.7)
    """
    names = names or Names()
    palette = style.PALETTES[theme]
    along = list(range(len(labels)))
    ticks = [style.escape_markup(label) for label in labels]
    traces = []
    numbers_shown = len(labels) <= MOST_NUMBERS
    lines = [(names.same, word, palette.accent, "solid", 3, "circle")]
    if others is not None:
        lines.append((names.others, others, palette.quiet, "dash", 2, "diamond"))
    for index, (name, numbers, colour, dash, width, symbol) in enumerate(lines):
        other = lines[1 - index][1] if len(lines) > 1 else [None] * len(numbers)
        trace = go.Scatter(
            x=along,
            y=list(numbers),
            name=style.escape_markup(name),
            mode="lines+markers+text" if numbers_shown else "lines+markers",
            line={"color": colour, "width": width, "dash": dash},
            marker={"color": colour, "size": 8, "symbol": symbol},
            text=["" if number is None else set_number(number) for number in numbers],
            textposition=[_label_position(number, rival) for number, rival in zip(numbers, other, strict=True)],
            textfont={"size": style.FONT_SIZE - 1, "color": palette.text if index == 0 else palette.quiet},
            cliponaxis=False,
            customdata=ticks,
            hovertemplate="%{customdata}: %{y}<extra>" + style.escape_markup(name) + "</extra>",
            yhoverformat=".4f",
        )
        traces.append(trace)
    all_numbers = [number for _, numbers, *_ in lines for number in numbers if number is not None]
    mark = {
        "type": "rect", "xref": "x", "yref": "y domain", "y0": 0, "y1": 1, "fillcolor": palette.accent, "opacity": 0.1,
        "line": {"width": 0},
    }  # fmt: skip
    step = -(-len(labels) // MOST_TICKS)
    layout = style.layout(
        theme,
        height=330,
        margin={**style.MARGIN, "t": 44},
        legend=_legend(),
        shapes=[] if chosen is None else [{**mark, "x0": chosen - 0.38, "x1": chosen + 0.38}],
        xaxis=style.axis(
            names.layer, theme, mirror=False, tickmode="array", tickvals=along[::step], ticktext=ticks[::step],
            range=[-0.45, len(labels) - 0.55],
        ),
        yaxis=style.axis(
            names.similarity, theme, mirror=False, showline=False, showgrid=True, gridcolor=palette.line,
            nticks=5, range=[min(0.0, *all_numbers) - 0.1, 1.12],
        ),
    )  # fmt: skip
    return go.Figure(traces, layout)


def _legend() -> dict[str, object]:
    """In one line above the figure, from its left edge."""
    return {
        "orientation": "h", "xref": "container", "x": 0, "yref": "container", "y": 1, "yanchor": "top",
        "itemclick": False, "itemdoubleclick": False,
    }  # fmt: skip


def _label_position(number: float | None, rival: float | None) -> str:
    """On the side of a point that is away from the other line."""
    return "bottom center" if number is not None and rival is not None and number < rival else "top center"


def draw_sources(
    labels: Sequence[str],
    weights: Sequence[float],
    shares: Sequence[float] | None,
    *,
    theme: style.Theme = "light",
    names: Names | None = None,
    own: int | None = None,
    range_to: float = 1.0,
) -> go.Figure:
    """Draws what a word looks at, and what that adds to it: two bars for each word, from the first at the top.

    Args:
        labels: of the words.
        weights: shares of the attention, in [0, 1].
        shares: of the change, in [0, 1]; None where they are not known.
        theme: which background the colours are for.
        names: of the bars.
        own: the index of the word itself, whose name is set bold.
        range_to: where the axis ends; the same for figures that are compared.

    Returns:
        A figure with one or two bar traces.

    Example:
        >>> draw_sources(["the", "bat"], [0.25, 0.75], None).data[0].x
        (0.25, 0.75)
    """
    names = names or Names()
    palette = style.PALETTES[theme]
    along = list(range(len(labels)))
    ticks = [style.escape_markup(_short(label)) for label in labels]
    ticks = [f"<b>{tick}</b>" if index == own else tick for index, tick in enumerate(ticks)]
    traces = []
    series = [(names.weight, weights, palette.quiet)]
    if shares is not None:
        series.append((names.share, shares, palette.accent))
    for name, numbers, colour in series:
        trace = go.Bar(
            x=[float(number) for number in numbers],
            y=along,
            orientation="h",
            name=style.escape_markup(name),
            marker={"color": colour},
            text=[f"{number:.2f}" for number in numbers],
            textposition="outside",
            textangle=0,
            constraintext="none",
            textfont={"size": style.FONT_SIZE - 2, "color": palette.text},
            cliponaxis=False,
            customdata=[style.escape_markup(label) for label in labels],
            hovertemplate="%{customdata}: %{x:.4f}<extra>" + style.escape_markup(name) + "</extra>",
        )
        traces.append(trace)
    layout = style.layout(
        theme, height=ROW * len(labels) + 46, margin={**style.MARGIN, "t": 34}, barmode="group", bargap=0.28,
        bargroupgap=0.06, showlegend=True, legend=_legend(),
        xaxis=style.axis(
            "", theme, showline=False, mirror=False, showticklabels=False, range=[0, max(range_to, 0.05) * 1.16]
        ),
        yaxis=style.axis(
            "", theme, mirror=False, tickmode="array", tickvals=along, ticktext=ticks,
            range=[len(labels) - 0.5, -0.5],
        ),
    )  # fmt: skip
    return go.Figure(traces, layout)


def strongest(weights: np.ndarray, most: int, keep: int | None = None) -> list[int]:
    """The indices of the largest numbers, in rising order.

    Args:
        weights: (words,).
        most: how many at most.
        keep: an index that is among them in any case.

    >>> strongest(np.array([0.1, 0.5, 0.0, 0.4]), 2)
    [1, 3]
    """
    order = np.argsort(-weights, kind="stable").tolist()
    chosen = order[:most]
    if keep is not None and keep not in chosen and chosen:
        chosen[-1] = keep
    return sorted(chosen)


def _short(label: str) -> str:
    return label if len(label) <= LONGEST else f"{label[: LONGEST - 1]}…"
