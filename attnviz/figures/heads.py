"""Heatmaps of attention heads: one large, or all heads of a layer side by side.

Rows are queries, from top to bottom; columns are keys. The colour range is 0 to 1 unless a head is to be seen on its
own scale, and then the colour bar says so.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import plotly.graph_objects as go

from attnviz.figures import style
from attnviz.tokenization.token import spaced_labels

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap

Scale = Literal["shared", "head", "root"]

MOST_LABELS = 48  # on one axis; more would run into each other
MOST_SQUARE = 64  # positions on an axis up to which single cells are looked at, so their shape matters
MOST_NUMBERED = 14  # positions on an axis up to which a number fits into each cell
MOST_CHARACTERS = 24  # of a label; a longer one, of a group of tokens, would leave no room for the map
MOST_ON_FULL_SCALE = 60  # keys up to which the colours that heads share end at 1
EVEN_SHARES = 16  # beyond that they end at so many times the weight that each key gets where all get the same
MOST_HOVER = 256 * 256  # cells that carry their own hover text
HIDDEN_WIDTH = 0.12  # of the width of the map: a full bar of the share that is not shown


def draw_head(
    map: AttentionMap,
    *,
    theme: style.Theme = "light",
    scale: Scale = "shared",
    title: str | None = None,
    names: style.Names | None = None,
) -> go.Figure:
    """Draws one head as a heatmap, with the share of each row that is not shown at its right.

    Args:
        map: weights (query, key) in [0, 1].
        theme: which background the colours are for.
        scale: "shared" has the colour range 0 to 1, of a long text less (see `top_of_scale`); "head" ends it at the
            largest weight of this head; "root" is "shared" with colours that go by the square root of the weight, so
            that the weak weights of a long text differ from each other.
        title: over the figure; None for none.
        names: what axes and colour bar are called.

    Returns:
        A figure whose first trace is the heatmap; a second one are the hidden shares, if there are any.

    Example:
        >>> draw_head(recording.map("encoder", layer=2, head=5)).data[0].zmax
        1.0
    """
    names = names or style.Names()
    palette = style.PALETTES[theme]
    queries, keys = len(map.query_tokens), len(map.key_tokens)
    query_labels = [style.escape_markup(label) for label in map.query_labels]
    key_labels = [style.escape_markup(label) for label in map.key_labels]
    query_ticks, key_ticks = label_ticks(query_labels), label_ticks(key_labels)
    for ticks, tokens in ((query_ticks, map.query_tokens), (key_ticks, map.key_tokens)):
        # Underlined is what the model wrote.
        ticks["ticktext"] = [
            f"<u>{text}</u>" if tokens[index].generated else text
            for index, text in zip(ticks["tickvals"], ticks["ticktext"], strict=True)
        ]
    square = max(queries, keys) <= MOST_SQUARE
    has_hidden = bool((map.hidden_mass > 0).any())

    figure = go.Figure(
        go.Heatmap(
            z=map.weights,
            zmin=0.0,
            zmax=top_of_scale([map], scale),
            xgap=1 if square else 0,
            ygap=1 if square else 0,
            colorscale=style.sequential(theme, root=scale == "root"),
            # Below the map: beside it, it would stand apart from a map that is narrower than the page.
            colorbar=style.colour_bar(
                names.weight,
                theme,
                orientation="h",
                x=0,
                xanchor="left",
                y=0,
                yanchor="top",
                ypad=14,
                lenmode="pixels",
                len=220,
            ),
            # Where they do not fit, as on a phone, plotly leaves them out by itself.
            texttemplate="%{z:.2f}" if max(queries, keys) <= MOST_NUMBERED else None,
            **_hover(map.weights, query_labels, key_labels, names),
        )
    )
    right = keys - 0.5
    if has_hidden:
        start = right + 0.02 * keys
        right = start + HIDDEN_WIDTH * keys
        figure.add_bar(
            x=map.hidden_mass * (right - start),
            base=start,
            y=list(range(queries)),
            orientation="h",
            width=0.6,
            marker={"color": palette.quiet, "opacity": 0.55, "line": {"width": 0}},
            customdata=[[label, float(share)] for label, share in zip(query_labels, map.hidden_mass, strict=True)],
            hovertemplate=f"%{{customdata[0]}}: %{{customdata[1]:.2f}} {names.hidden}<extra></extra>",
            showlegend=False,
        )
        figure.add_annotation(
            x=start, y=queries - 0.5, yshift=-4, text=names.hidden, showarrow=False, xanchor="left", yanchor="top",
            font={"size": style.FONT_SIZE - 2, "color": palette.quiet},
        )  # fmt: skip
    figure.update_layout(
        **style.layout(theme, **_figure_size(queries, keys, title)),
        title={"text": title, "x": 0, "xref": "paper", "font": {"size": style.FONT_SIZE + 2}} if title else None,
        xaxis=style.axis(names.key, theme, side="top", **key_ticks, range=[-0.5, right]),
        yaxis=style.axis(names.query, theme, **query_ticks, range=[queries - 0.5, -0.5]),
    )
    if has_hidden:
        # The frame is around the map alone; the bars stand outside it.
        figure.update_xaxes(showline=False).update_yaxes(showline=False)
        figure.add_shape(frame(-0.5, -0.5, keys, queries, palette.line))
    return figure


def draw_heads(
    maps: Sequence[AttentionMap],
    *,
    columns: int | None = None,
    theme: style.Theme = "light",
    scale: Scale = "shared",
    title: str | None = None,
    names: style.Names | None = None,
) -> go.Figure:
    """Draws heads side by side as one heatmap: one trace is several times faster than a subplot for each head.

    Args:
        maps: all with the same tokens, such as the heads of a layer.
        columns: heads in a row; None for a grid that is about twice as wide as high.
        theme, title, names: as in `draw_head`.
        scale: "shared" has the colour range 0 to 1; "head" divides each head by its own largest weight, which its
            label then names; "root" as in `draw_head`.

    Returns:
        A figure with one heatmap; a head's label is the annotation above it.

    Example:
        >>> len(draw_heads(recording.maps("encoder", layer=2)).layout.annotations)
        8
    """
    if not maps:
        raise ValueError("There is no head to draw.")
    names = names or style.Names()
    palette = style.PALETTES[theme]
    queries, keys = maps[0].weights.shape
    if any(other.weights.shape != (queries, keys) for other in maps):
        raise ValueError("Heads side by side need the same queries and keys.")
    columns = columns or min(len(maps), max(1, math.ceil(math.sqrt(2 * len(maps)))))
    rows = math.ceil(len(maps) / columns)
    gap_x, gap_y = max(1, round(keys * 0.1)), max(1, round(queries * 0.22))
    step_x, step_y = keys + gap_x, queries + gap_y

    canvas = np.full((rows * step_y - gap_y, columns * step_x - gap_x), np.nan, dtype=np.float32)
    query_labels = [style.escape_markup(label) for label in maps[0].query_labels]
    key_labels = [style.escape_markup(label) for label in maps[0].key_labels]
    text = np.full(canvas.shape, "", dtype=object) if canvas.size <= MOST_HOVER else None
    figure = go.Figure()
    for index, map in enumerate(maps):
        top, left = (index // columns) * step_y, (index % columns) * step_x
        area = np.s_[top : top + queries, left : left + keys]
        largest = top_of_scale([map], "head") if scale == "head" else 1.0
        canvas[area] = map.weights / largest
        if text is not None:
            text[area] = _texts(map.weights, query_labels, key_labels)
        label = map.name
        figure.add_annotation(
            x=left - 0.5, y=top - 0.5, yshift=2, xanchor="left", yanchor="bottom", showarrow=False,
            text=f"{label} · max {largest:.2f}" if scale == "head" else label,
        )  # fmt: skip
        figure.add_shape(frame(left - 0.5, top - 0.5, keys, queries, palette.line))
    figure.add_trace(tiles(canvas, text, theme, scale, names, top_of_scale(maps, "shared")))
    figure.update_layout(
        **style.layout(theme, height=round(60 + 260 * rows)),
        title={"text": title, "x": 0, "xref": "paper", "font": {"size": style.FONT_SIZE + 2}} if title else None,
        xaxis=style.axis(names.key, theme, showline=False, range=[-0.5, canvas.shape[1] - 0.5],
                         **label_ticks(key_labels, repeats=columns, step=step_x)),
        yaxis=style.axis(names.query, theme, showline=False, range=[canvas.shape[0] - 0.5, -0.5 - gap_y],
                         **label_ticks(query_labels, repeats=rows, step=step_y)),
    )  # fmt: skip
    return figure


def shared_top(keys: int) -> float:
    """Where the colours that heads share end, of maps with so many keys: in (0, 1].

    >>> shared_top(7), round(shared_top(145), 2)
    (1.0, 0.11)
    """
    return 1.0 if keys <= MOST_ON_FULL_SCALE else EVEN_SHARES / keys


def tiles(
    canvas: np.ndarray, text: np.ndarray | None, theme: style.Theme, scale: Scale, names: style.Names, top: float
) -> go.Heatmap:
    """The one trace of several heads that share a canvas, each at its place.

    Args:
        canvas: (row, column) weights in [0, 1]; with the scale "head", each head's divided by its largest. NaN between
            the heads.
        text: (row, column) what pointing at a cell says; None for the number alone.
        theme, scale, names: as in `draw_heads`.
        top: with the scale "shared", the weight that has the strongest colour.
    """
    says = "%{z:.2f}" if text is None else "%{text}"
    return go.Heatmap(
        z=canvas,
        zmin=0.0,
        zmax=1.0 if scale == "head" else top,
        colorscale=style.sequential(theme, root=scale == "root"),
        colorbar=style.colour_bar(f"{names.weight} / max" if scale == "head" else names.weight, theme),
        hoverongaps=False,
        text=text,
        hovertemplate=f"{says}<extra></extra>",
    )


def top_of_scale(maps: Sequence[AttentionMap], scale: Scale) -> float:
    """The weight from which on a cell has the strongest colour, in (0, 1]; never 0, which has no scale.

    Args:
        maps: that are shown with the same colours.
        scale: "head" for their largest weight. Others for 1 or, where a map has more than `MOST_ON_FULL_SCALE` keys,
            `EVEN_SHARES` times the even share 1 / keys: a row's weights sum to 1 however many they are, so on a scale
            up to 1 the map of a long text is white. It depends on nothing but the number of keys, so that the heads of
            a text, and texts of one length, can be compared.

    >>> round(top_of_scale(recording.maps("encoder", layer=2), "shared"), 2)
    1.0
    """
    if scale != "head":
        return max((shared_top(map.weights.shape[1]) for map in maps), default=1.0)
    return max((float(map.weights.max()) for map in maps if map.weights.size), default=1.0) or 1.0


def _texts(weights: np.ndarray, query_labels: Sequence[str], key_labels: Sequence[str]) -> list[list[str]]:
    """(query, key): "sah → Hund 0.42"."""
    return [
        [f"{query} → {key} {weight:.2f}" for key, weight in zip(key_labels, row, strict=True)]
        for query, row in zip(query_labels, weights.tolist(), strict=True)
    ]


def _hover(
    weights: np.ndarray, query_labels: Sequence[str], key_labels: Sequence[str], names: style.Names
) -> dict[str, Any]:
    if weights.size <= MOST_HOVER:
        return {"text": _texts(weights, query_labels, key_labels), "hovertemplate": "%{text}<extra></extra>"}
    return {"hovertemplate": f"{names.query} %{{y}} → {names.key} %{{x}} %{{z:.2f}}<extra></extra>"}


def label_ticks(labels: Sequence[str], repeats: int = 1, step: int = 0) -> dict[str, Any]:
    """Labels at their positions, once for each repeat; every second, third … where all would not fit."""
    every = max(1, math.ceil(len(labels) * repeats / MOST_LABELS))
    written = spaced_labels([html.unescape(label) for label in labels], every)
    return {
        "tickmode": "array",
        "tickvals": [position + repeat * step for repeat in range(repeats) for position, _label in written],
        "ticktext": [_shorten(style.escape_markup(label)) for _ in range(repeats) for _position, label in written],
    }


def _shorten(escaped: str) -> str:
    """The label, or its beginning with an ellipsis."""
    label = html.unescape(escaped)
    return escaped if len(label) <= MOST_CHARACTERS else style.escape_markup(f"{label[: MOST_CHARACTERS - 1]}…")


def frame(left: float, top: float, keys: int, queries: int, colour: str) -> dict[str, Any]:
    """The shape around a map whose first cell begins at (left, top), in cells."""
    return {
        "type": "rect", "x0": left, "x1": left + keys, "y0": top, "y1": top + queries,
        "line": {"color": colour, "width": 1}, "layer": "above",
    }  # fmt: skip


def _figure_size(queries: int, keys: int, title: str | None) -> dict[str, int]:
    """Width and height in pixels that make cells square: large ones for a short sentence, in all a screen at most.

    The page may squeeze the width; a fixed aspect would then leave a gap.
    """
    longest = max(queries, keys, 1)
    cell = min(58.0, max(464.0, min(680.0, 24.0 * longest)) / longest)
    # A map of few keys and many queries, or the other way round, stays wide and high enough to be read.
    width, height = (max(cell, min(58.0, 200.0 / max(1, count))) * count for count in (keys, queries))
    return {"width": round(width) + 130, "height": round(height) + (180 if title else 150)}
