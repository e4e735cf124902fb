"""Vectors and scores on the way through a layer: strips of coloured numbers, bars, and the lengths of vectors.

Numbers come in, a figure goes out. What may be negative is drawn on the scale that has 0 in its middle.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from attnviz.figures import style
from attnviz.typography import set_minus, set_number

STRIP = 34  # pixels of height of a vector
MOST_HOVER = 60_000  # numbers that carry their own hover text
LEAST_TEXT = 9  # pixels
MOST_SIDE_BY_SIDE = 8  # tokens whose numbers have room beside each other on a telephone
MOST_TEXTS = 16  # tokens whose bars have their number above them


def draw_strips(
    labels: Sequence[str],
    vectors: np.ndarray,
    *,
    theme: style.Theme = "light",
    dimension: str = "dimension",
    value: str = "value",
    range_to: float | None = None,
    height: int = STRIP,
) -> go.Figure:
    """Draws vectors as strips, one below the other, a cell for each number.

    Args:
        labels: of the strips, (strips,).
        vectors: (strips, dimensions); a shorter vector ends with NaN.
        theme: which background the colours are for.
        dimension, value: what the columns and the numbers are called.
        range_to: the colours go from -range_to to range_to; the largest number where it is None.
        height: of a strip, in pixels.

    Returns:
        A figure with one heatmap.

    Example:
        >>> draw_strips(["q"], np.array([[0.5, -2.0, 1.0]])).data[0].zmax
        2.0
    """
    vectors = np.atleast_2d(np.asarray(vectors, dtype=np.float32))
    if len(labels) != len(vectors):
        raise ValueError(f"{len(labels)} labels do not fit {len(vectors)} vectors.")
    most = range_to or float(np.nanmax(np.abs(vectors), initial=0.0)) or 1.0
    names = [style.escape_markup(label) for label in labels]
    strips = len(vectors)
    heatmap: dict[str, object] = {
        "type": "heatmap",
        "z": vectors,
        "y": list(range(strips)),
        "zmin": -most,
        "zmax": most,
        "xgap": 1 if vectors.shape[1] <= 96 else 0,
        "ygap": 3 if strips <= 12 else 0,
        "colorscale": style.diverging(theme),
        # A low figure has room for three numbers beside its colours, but not for what they are.
        "colorbar": style.colour_bar(
            value if height * strips >= 100 else "",
            theme,
            len=max(70, height * strips),
            lenmode="pixels",
            tickvals=[-most, 0, most],
            ticktext=[_short(-most), "0", _short(most)],
        ),
        "hoverongaps": False,
        "hovertemplate": f"{dimension} %{{x}}: %{{z}}<extra></extra>",
        "zhoverformat": ".4f",  # a format in the template itself would have a hyphen for a minus
    }
    if vectors.size <= MOST_HOVER:
        heatmap["customdata"] = [[name] * vectors.shape[1] for name in names]
        heatmap["hovertemplate"] = f"%{{customdata}} · {dimension} %{{x}}: %{{z}}<extra></extra>"
    layout = style.layout(theme, height=height * strips + 66)
    layout["xaxis"] = style.axis(dimension, theme, showline=False)
    layout["yaxis"] = style.axis(
        "", theme, showline=False, tickmode="array", tickvals=list(range(strips)), ticktext=names,
        range=[strips - 0.5, -0.5],
    )  # fmt: skip
    # Given at once: a layout that is changed afterwards takes plotly several times as long.
    return go.Figure([heatmap], layout)


def _short(number: float) -> str:
    return set_minus(f"{number:.2g}")


def draw_bars(
    labels: Sequence[str],
    series: Sequence[tuple[str, Sequence[float]]],
    *,
    theme: style.Theme = "light",
    chosen: int | None = None,
    share: bool = False,
    title: str = "",
) -> go.Figure:
    """Draws numbers that belong to tokens as bars, one or two series beside each other.

    Args:
        labels: of the tokens.
        series: up to two, each with a name and a number for each token; NaN and infinities get no bar.
        theme: which background the colours are for.
        chosen: the token whose bars are framed.
        share: the numbers are shares: the axis goes from 0 to 1, or to a half or a quarter where all are below that.
        title: of the axis of numbers.

    Returns:
        A figure with a bar trace for each series.

    Example:
        >>> [trace.name for trace in draw_bars(["a"], [("before", [2.0]), ("after", [1.0])]).data]
        ['before', 'after']
    """
    palette = style.PALETTES[theme]
    names = [style.escape_markup(label) for label in labels]
    colours = [palette.accent, palette.quiet] if len(series) == 1 else [palette.quiet, palette.accent]
    bars = []
    for (name, values), colour in zip(series, colours, strict=False):
        numbers = np.asarray(values, dtype=np.float64)
        shown = np.where(np.isfinite(numbers), numbers, np.nan)
        texts = [set_number(number, 4) for number in numbers]
        width = [2.0 if index == chosen else 0.0 for index in range(len(names))]
        bar = {
            "type": "bar",
            "x": list(range(len(names))),
            "y": shown,
            "name": name,
            "marker": {"color": colour, "line": {"color": palette.text, "width": width}},
            "customdata": [[label, text] for label, text in zip(names, texts, strict=True)],
            "hovertemplate": f"%{{customdata[0]}}: %{{customdata[1]}}<extra>{style.escape_markup(name)}</extra>",
            "textposition": "outside",
            "textfont": {"size": style.FONT_SIZE - 2, "color": palette.text},
            "cliponaxis": False,
        }
        if len(series) == 1 and len(names) <= MOST_SIDE_BY_SIDE:
            bar["constraintext"] = "none"  # at its full size, even where a telephone's screen makes the bar narrower
        if len(names) <= MOST_TEXTS:
            bar["text"] = [set_number(number) if np.isfinite(number) else "" for number in numbers]
        bars.append(bar)
    layout = style.layout(theme, height=270, barmode="group", bargap=0.35, bargroupgap=0.08)
    layout["uniformtext"] = {"mode": "hide", "minsize": LEAST_TEXT}  # rather no number than one that nobody can read
    layout["showlegend"] = len(series) > 1
    layout["legend"] = {"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"}
    layout["xaxis"] = style.axis(
        "", theme, mirror=False, tickmode="array", tickvals=list(range(len(names))), ticktext=names
    )
    layout["yaxis"] = style.axis(
        title, theme, showline=False, mirror=False, zeroline=True, zerolinecolor=palette.line, nticks=4,
        **({"range": [0, 1.1 * _top(series)]} if share else {}),
    )  # fmt: skip
    return go.Figure(bars, layout)


def _top(series: Sequence[tuple[str, Sequence[float]]]) -> float:
    largest = max((number for _, numbers in series for number in numbers), default=1.0)
    return next(top for top in (0.25, 0.5, 1.0) if largest <= top or top == 1.0)


def draw_lengths(
    labels: Sequence[str], lengths: Sequence[float], *, theme: style.Theme = "light", title: str = "length"
) -> go.Figure:
    """Draws the lengths of vectors as horizontal bars, from the first at the top to the last.

    Args:
        labels: of the places.
        lengths: Euclidean norms, 0 or more.
        theme: which background the colours are for.
        title: of the axis.

    Example:
        >>> len(draw_lengths(["input", "output"], [1.0, 2.0]).data[0].x)
        2
    """
    palette = style.PALETTES[theme]
    indices = list(range(len(labels)))
    bar = {
        "type": "bar",
        "x": list(lengths),
        "y": indices,
        "orientation": "h",
        "width": 0.62,
        "marker": {"color": palette.accent},
        "text": [f"{length:.2f}" for length in lengths],
        "textposition": "outside",
        "textfont": {"color": palette.text, "size": style.FONT_SIZE - 1},
        "cliponaxis": False,
        "hovertemplate": "%{y}: %{x:.4f}<extra></extra>",
    }
    layout = style.layout(theme, height=27 * len(indices) + 62)
    layout["showlegend"] = False
    layout["xaxis"] = style.axis(title, theme, showline=False, mirror=False, range=[0, max([*lengths, 1e-6]) * 1.15])
    layout["yaxis"] = style.axis(
        "", theme, showline=False, tickmode="array", tickvals=indices,
        ticktext=[style.escape_markup(label) for label in labels], range=[len(indices) - 0.5, -0.5],
    )  # fmt: skip
    return go.Figure([bar], layout)
