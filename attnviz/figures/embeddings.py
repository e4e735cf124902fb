"""Words as vectors and positions as pictures: angles, cosines, neighbours, fields of numbers and curves by distance.

Numbers come in, a figure goes out. Cosines and whatever else may be negative are drawn on the scale that has 0 in its
middle. The points in three dimensions are a component of the app, for they are turned.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from attnviz.figures import style
from attnviz.typography import set_minus, set_number

MOST_WRITTEN = 16  # words up to which cosines stand in their cells
LEAST_WRITTEN = 0.1  # that does; smaller ones would only be noise, and lie under the pointer and in the table
CELL = 30  # pixels of height of a word's row
ARROWS = 300  # pixels of height of the two arrows


def draw_angle(
    labels: tuple[str, str],
    ends: tuple[tuple[float, float], tuple[float, float]],
    degrees: float,
    *,
    theme: style.Theme = "light",
) -> go.Figure:
    """Draws two vectors as arrows from one point, in the plane that they span, with the angle between them.

    Args:
        labels: of the two.
        ends: where they end; the first on the first axis.
        degrees: the angle, in [0, 180].
        theme: which background the colours are for.

    Returns:
        A figure whose two axes have the same unit.

    Example:
        >>> draw_angle(("a", "b"), ((1.0, 0.0), (0.0, 1.0)), 90.0).layout.annotations[-1].text
        '90.0°'
    """
    palette = style.PALETTES[theme]
    longest = max(math.hypot(*end) for end in ends) or 1.0
    radius = 0.3 * longest
    turned = np.radians(np.linspace(0.0, degrees, 61))
    colours = (palette.accent, palette.text)
    arc = go.Scatter(
        x=radius * np.cos(turned),
        y=radius * np.sin(turned),
        mode="lines",
        line={"color": palette.text, "width": 1.5},
        hoverinfo="skip",
    )
    tips = [
        go.Scatter(
            x=[end[0]],
            y=[end[1]],
            mode="markers",
            marker={"color": colour, "size": 5},
            customdata=[math.hypot(*end)],
            hovertemplate=f"{style.escape_markup(label)}: %{{customdata:.4f}}<extra></extra>",
        )
        for label, end, colour in zip(labels, ends, colours, strict=True)
    ]
    (one, _), (across, up) = ends
    notes = [_arrow(end, colour) for end, colour in zip(ends, colours, strict=True)]
    # Each name on the outer side of its arrow, so that they stay apart where the arrows are close together.
    notes.append(
        _annotation(one, 0.0, f"<b>{style.escape_markup(labels[0])}</b>", colours[0], yanchor="top", yshift=-5)
    )
    notes.append(
        _annotation(across, up, f"<b>{style.escape_markup(labels[1])}</b>", colours[1], yanchor="bottom", yshift=5)
    )
    middle, beyond = math.radians(degrees / 2), 1.12 * radius
    where = {"xanchor": "left" if degrees < 150 else "center", "yanchor": "middle" if degrees < 60 else "bottom"}
    notes.append(
        _annotation(beyond * math.cos(middle), beyond * math.sin(middle), f"{degrees:.1f}°", palette.text, **where)
    )
    left, right, pad = min(0.0, across), max(one, across), 0.16 * longest
    hidden = {"visible": False, "fixedrange": True}
    layout = style.layout(
        theme,
        height=ARROWS,
        showlegend=False,
        annotations=notes,
        xaxis={**hidden, "range": [left - pad, right + pad]},
        yaxis={**hidden, "range": [-pad, max(up, radius) + pad], "scaleanchor": "x", "scaleratio": 1},
    )
    return go.Figure([arc, *tips], layout)


def _arrow(end: tuple[float, float], colour: str) -> dict[str, Any]:
    """From the origin to `end`."""
    frame = {"ax": 0, "ay": 0, "xref": "x", "yref": "y", "axref": "x", "ayref": "y", "text": "", "showarrow": True}
    looks = {"arrowhead": 2, "arrowsize": 1.1, "arrowwidth": 2.5, "arrowcolor": colour}
    return {"x": end[0], "y": end[1], **frame, **looks}


def _annotation(x: float, y: float, text: str, colour: str, **anchors: Any) -> dict[str, Any]:
    """A text at a point; `anchors` say on which side of it."""
    return {"x": x, "y": y, "text": text, "showarrow": False, "font": {"color": colour}, "xanchor": "center", **anchors}


def draw_cosines(
    labels: Sequence[str], cosines: np.ndarray, *, theme: style.Theme = "light", name: str = "cosine"
) -> go.Figure:
    """Draws how alike words are, each with each, on a range from -1 to 1.

    Args:
        labels: of the words.
        cosines: (words, words) in [-1, 1].
        theme: which background the colours are for.
        name: of the quantity.

    Example:
        >>> draw_cosines(["a"], np.ones((1, 1))).data[0].zmin
        -1
    """
    names = [style.escape_markup(label) for label in labels]
    indices = list(range(len(names)))
    written = len(names) <= MOST_WRITTEN
    texts = [
        [
            set_number(value) if abs(value) >= LEAST_WRITTEN and row != column else ""
            for column, value in enumerate(values)
        ]
        for row, values in enumerate(cosines.tolist())
    ]
    hover = [[f"{one} · {other}" for other in names] for one in names]
    trace = go.Heatmap(
        z=np.asarray(cosines, dtype=np.float32),
        zmin=-1,
        zmax=1,
        xgap=1,
        ygap=1,
        colorscale=style.diverging(theme),
        colorbar=style.colour_bar(
            name, theme, tickvals=[-1, 0, 1], ticktext=[set_number(end, 0) for end in (-1, 0, 1)]
        ),
        text=texts if written else None,
        texttemplate="%{text}" if written else None,
        textfont={"size": style.FONT_SIZE - 3},
        customdata=hover,
        hovertemplate="%{customdata}: %{z}<extra></extra>",
        zhoverformat=".4f",
    )
    ticks = {"tickmode": "array", "tickvals": indices, "ticktext": names, "showline": False}
    layout = style.layout(
        theme,
        height=max(220, CELL * len(names) + 70) if written else max(420, 16 * len(names) + 90),
        xaxis=style.axis("", theme, **ticks, side="bottom", tickangle=-90 if len(names) > 7 else 0),
        yaxis=style.axis("", theme, **ticks, range=[len(names) - 0.5, -0.5]),
    )
    return go.Figure(trace, layout)


def draw_neighbours(
    labels: Sequence[str], cosines: Sequence[float], *, theme: style.Theme = "light", name: str = "cosine"
) -> go.Figure:
    """Draws the nearest entries of the vocabulary as horizontal bars, the nearest at the top.

    Args:
        labels: of the entries.
        cosines: with the word, in [-1, 1].
        theme: which background the colours are for.
        name: of the quantity.

    Example:
        >>> list(draw_neighbours(["cats", "dog"], [0.5, 0.25]).data[0].x)
        [0.5, 0.25]
    """
    palette = style.PALETTES[theme]
    indices = list(range(len(labels)))
    names = [style.escape_markup(label) for label in labels]
    trace = go.Bar(
        x=list(cosines),
        y=indices,
        orientation="h",
        width=0.62,
        marker={"color": palette.accent},
        text=[set_number(cosine) for cosine in cosines],
        textposition="outside",
        textfont={"color": palette.text, "size": style.FONT_SIZE - 1},
        cliponaxis=False,
        customdata=names,
        hovertemplate="%{customdata}: %{x}<extra></extra>",
        xhoverformat=".4f",
    )
    lowest = min([0.0, *cosines])
    layout = style.layout(
        theme,
        height=CELL * max(1, len(indices)) + 62,
        showlegend=False,
        xaxis=style.axis(name, theme, showline=False, mirror=False, range=[lowest * 1.15, 1.0], nticks=6),
        yaxis=style.axis(
            "", theme, showline=False, tickmode="array", tickvals=indices, ticktext=names,
            range=[len(indices) - 0.5, -0.5],
        ),
    )  # fmt: skip
    return go.Figure(trace, layout)


def draw_field(
    values: np.ndarray,
    *,
    theme: style.Theme = "light",
    columns: str,
    rows: str,
    name: str,
    most: float | None = None,
    first_column: int = 0,
    height: int = 360,
) -> go.Figure:
    """Draws numbers that belong to two axes as colours, with 0 in the middle of the scale.

    Args:
        values: (rows, columns).
        theme: which background the colours are for.
        columns, rows: what the axes are called.
        name: of the quantity.
        most: the colours go from -most to most; the largest number where it is None.
        first_column: what the first column is counted as.
        height: in pixels.

    Example:
        >>> draw_field(np.array([[0.5, -2.0]]), columns="dimension", rows="position", name="value").data[0].zmax
        2.0
    """
    values = np.asarray(values, dtype=np.float32)
    most = most or float(np.abs(values).max(initial=0.0)) or 1.0
    end = f"{most:.2g}"
    trace = go.Heatmap(
        z=values,
        x0=first_column,
        dx=1,
        zmin=-most,
        zmax=most,
        colorscale=style.diverging(theme),
        colorbar=style.colour_bar(name, theme, tickvals=[-most, 0, most], ticktext=[set_minus(f"-{end}"), "0", end]),
        hovertemplate=f"{rows} %{{y}}, {columns} %{{x}}: %{{z}}<extra></extra>",
        zhoverformat=".4f",
    )
    few = len(values) <= 16
    layout = style.layout(
        theme,
        height=height,
        xaxis=style.axis(columns, theme, showline=False),
        yaxis=style.axis(rows, theme, showline=False, range=[len(values) - 0.5, -0.5], **({"dtick": 1} if few else {})),
    )
    return go.Figure(trace, layout)


def draw_curves(
    across: Sequence[float],
    curves: Sequence[tuple[str, Sequence[float]]],
    *,
    theme: style.Theme = "light",
    title: str,
    name: str,
    strong: int = 0,
    height: int = 360,
) -> go.Figure:
    """Draws numbers by distance as lines, one of them strong.

    Args:
        across: the distances.
        curves: each with its name and a number for each distance.
        theme: which background the colours are for.
        title: of the axis of distances.
        name: of the quantity.
        strong: the curve that stands out.
        height: in pixels.

    Example:
        >>> [line.name for line in draw_curves([0, 1], [("H0", [1.0, 0.5])], title="distance", name="bias").data]
        ['H0']
    """
    palette = style.PALETTES[theme]
    order = [index for index in range(len(curves)) if index != strong] + [strong]
    lines = []
    for index in order:
        label, values = curves[index]
        strongly = index == strong
        line = go.Scatter(
            x=list(across),
            y=list(values),
            mode="lines",
            name=style.escape_markup(label),
            line={"color": palette.accent if strongly else palette.quiet, "width": 2.5 if strongly else 1},
            opacity=1.0 if strongly else 0.55,
            hovertemplate=f"{style.escape_markup(label)} · {title} %{{x}}: %{{y}}<extra></extra>",
            yhoverformat=".4f",
        )
        lines.append(line)
    layout = style.layout(
        theme,
        height=height,
        showlegend=False,
        xaxis=style.axis(title, theme, mirror=False),
        yaxis=style.axis(
            name, theme, showline=False, mirror=False, zeroline=True, zerolinecolor=palette.line, nticks=6
        ),
    )
    return go.Figure(lines, layout)
