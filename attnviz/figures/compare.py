"""Figures that compare: the difference of two maps, and all heads placed by how alike they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from attnviz.figures import style
from attnviz.figures.heads import MOST_SQUARE, Scale, label_ticks, shared_top
from attnviz.typography import set_number

if TYPE_CHECKING:
    from attnviz.measures.distances import Difference

MOST_NAMED = 48  # heads whose names stand beside their dots; of more only on hover


def describe_difference(difference: Difference, most: int = 3, decimal: str = ".", name: str = "") -> str:
    """Names the largest differences, the largest first; the text alternative of the picture.

    Args:
        difference: weights (query, key) in [-1, 1].
        most: how many to name.
        decimal: the decimal sign.
        name: what the difference is called; its own name where it is "".

    Returns:
        One line, such as "L2 H5 − L0 H3: sah → Hund +0.42, den → Ball −0.31".
    """
    queries, keys = difference.query_labels, difference.key_labels
    flat = np.asarray(difference.weights).ravel()
    # Equal ones in reading order.
    largest = sorted(range(flat.size), key=lambda index: (-abs(flat[index]), index))[:most]
    parts = [
        f"{queries[index // len(keys)]} → {keys[index % len(keys)]} {format_signed(flat[index]).replace('.', decimal)}"
        for index in largest
    ]
    name = name or difference.name
    return f"{name}: {', '.join(parts)}" if parts else name


def format_signed(number: float) -> str:
    """A difference with its sign, such as "+0.42" or "−0.31"; 0 has none."""
    return set_number(number, signed=True)


def top_of_difference(difference: Difference, scale: Scale) -> float:
    """The difference that gets the strongest colours, in (0, 1]; as `top_of_scale` has it for weights."""
    if scale != "head":
        return shared_top(difference.weights.shape[1])
    return float(np.abs(difference.weights).max(initial=0.0)) or 1.0


def draw_difference(
    difference: Difference,
    *,
    theme: style.Theme = "light",
    scale: Scale = "shared",
    title: str | None = None,
    names: style.Names | None = None,
) -> go.Figure:
    """Draws the difference of two heads as a heatmap around 0: blue where the first looks more, orange the second.

    Args:
        difference: weights (query, key) in [-1, 1], as `attnviz.measures.difference` returns it.
        theme: which background the colours are for.
        scale: "shared" has the colour range -1 to 1; "head" ends it at the largest difference.
        title: over the figure; None for none.
        names: what the axes are called.

    Returns:
        A figure with one heatmap.

    Example:
        >>> draw_difference(difference(recording.map("encoder", layer=2, head=5), other)).data[0].zmid
        0.0
    """
    names = names or style.Names()
    queries = [style.escape_markup(label) for label in difference.query_labels]
    keys = [style.escape_markup(label) for label in difference.key_labels]
    top = top_of_difference(difference, scale)
    gap = 1 if max(len(queries), len(keys), 1) <= MOST_SQUARE else 0
    cell = max(9.0, min(52.0, 460 / max(len(queries), len(keys), 1)))
    figure = go.Figure(
        go.Heatmap(
            z=difference.weights,
            zmin=-top,
            zmid=0.0,
            zmax=top,
            xgap=gap,
            ygap=gap,
            colorscale=style.diverging(theme),
            colorbar=style.colour_bar(style.escape_markup(difference.name), theme),
            text=[
                [f"{query} → {key} {format_signed(weight)}" for key, weight in zip(keys, row, strict=True)]
                for query, row in zip(queries, difference.weights.tolist(), strict=True)
            ],
            hovertemplate="%{text}<extra></extra>",
        )
    )
    return figure.update_layout(
        **style.layout(theme, width=round(cell * len(keys)) + 220, height=round(cell * len(queries)) + 120),
        title={"text": title, "x": 0, "xref": "paper", "font": {"size": style.FONT_SIZE + 2}} if title else None,
        xaxis=style.axis(names.key, theme, side="top", **label_ticks(keys), range=[-0.5, len(keys) - 0.5]),
        yaxis=style.axis(names.query, theme, **label_ticks(queries), range=[len(queries) - 0.5, -0.5]),
    )


def draw_heads_map(
    points: np.ndarray,
    heads: Sequence[tuple[int, int]],
    *,
    theme: style.Theme = "light",
    title: str | None = None,
) -> go.Figure:
    """Draws all heads as dots coloured by layer; near means alike, and the directions mean nothing.

    Args:
        points: (head, 2), as `attnviz.measures.multidimensional_scaling` returns them.
        heads: layer and head of each.
        theme: which background the colours are for.
        title: over the figure; None for none.

    Returns:
        A figure with one trace for each layer; `customdata` of a dot is its layer and head.

    Raises:
        ValueError: there are not as many points as heads.

    Example:
        >>> size = recording.size("encoder")
        >>> heads = [(layer, head) for layer in range(size[0]) for head in range(size[1])]
        >>> points = multidimensional_scaling(divergences(recording, "encoder"))
        >>> len(draw_heads_map(points, heads).data)
        4
    """
    points = np.asarray(points)
    if points.shape != (len(heads), 2):
        raise ValueError(f"{len(heads)} heads need as many points of two coordinates, not {points.shape}.")
    palette = style.PALETTES[theme]
    layers = sorted({layer for layer, _head in heads})
    colours = style.sequential_colours(theme)[6:]  # those that stand out from the background
    figure = go.Figure()
    for order, layer in enumerate(layers):
        own = [index for index, (other, _head) in enumerate(heads) if other == layer]
        names = [f"L{layer} H{heads[index][1]}" for index in own]
        figure.add_scatter(
            x=points[own, 0],
            y=points[own, 1],
            name=f"L{layer}",
            mode="markers+text" if len(heads) <= MOST_NAMED else "markers",
            text=names,
            textposition="middle right",
            textfont={"size": style.FONT_SIZE - 3},
            customdata=[list(heads[index]) for index in own],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "size": 10,
                "color": colours[round(order * (len(colours) - 1) / max(1, len(layers) - 1))],
                "line": {"width": 1, "color": palette.background},
            },
        )
    # Positions have no unit: no ticks, no titles; but the same scale both ways, for distances are what is shown.
    hidden: dict[str, Any] = {"visible": False, "fixedrange": True}
    return figure.update_layout(
        **style.layout(theme, height=420),
        title={"text": title, "x": 0, "xref": "paper", "font": {"size": style.FONT_SIZE + 2}} if title else None,
        xaxis=hidden,
        yaxis={**hidden, "scaleanchor": "x"},
        legend={"orientation": "h", "y": 0, "yanchor": "top"},
    )
