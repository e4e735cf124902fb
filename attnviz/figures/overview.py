"""All heads of all layers as one heatmap: layers from top to bottom, heads from left to right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import plotly.graph_objects as go

from attnviz.figures import style
from attnviz.figures.heads import MOST_HOVER, Scale, frame, tiles, top_of_scale

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap

MOST_TILE, LEAST_TILE = 150, 36  # pixels across a head
WIDTH = 1200  # pixels that the heads of a layer share
GAP = 0.09  # between heads, of their size


def draw_overview(
    maps: Sequence[AttentionMap],
    *,
    theme: style.Theme = "light",
    scale: Scale = "shared",
    title: str | None = None,
    names: style.Names | None = None,
) -> go.Figure:
    """Draws all heads in one trace, each at the crossing of its layer and its head number.

    One trace is drawn several times faster than a subplot for each head. Up to `MOST_HOVER` cells in all, pointing at
    a cell names head, tokens and weight; beyond that the weight alone, since the text would be larger than the map.

    Args:
        maps: heads of one kind of attention, all with the same tokens, in any order; where a layer lacks one, its
            place stays empty. Weights in [0, 1].
        theme: which background the colours are for.
        scale: "shared" has the colour range 0 to 1; "head" divides each head by its own largest weight, which the
            hover text leaves as it is.
        title: over the figure; None for none.
        names: what the colour bar is called.

    Returns:
        A figure with one heatmap; tick labels are "L0", "L1", … and "H0", "H1", ….

    Raises:
        ValueError: there is no map, one has no layer and head, two have the same, or their tokens differ in number.

    Example:
        >>> recording = attnviz.load("bundled").record("Der Hund sah den Ball.")
        >>> maps = [map for layer in range(4) for map in recording.maps("encoder", layer=layer)]
        >>> list(draw_overview(maps).layout.yaxis.ticktext)
        ['L0', 'L1', 'L2', 'L3']
    """
    names = names or style.Names()
    layers_and_heads = _layers_and_heads(maps)
    queries, keys = maps[0].weights.shape
    layers = sorted({layer for layer, _ in layers_and_heads})
    heads = sorted({head for _, head in layers_and_heads})
    gap_x, gap_y = max(1, round(keys * GAP)), max(1, round(queries * GAP))
    step_x, step_y = keys + gap_x, queries + gap_y

    canvas = np.full((len(layers) * step_y - gap_y, len(heads) * step_x - gap_x), np.nan, dtype=np.float32)
    text = np.full(canvas.shape, "", dtype=object) if canvas.size <= MOST_HOVER else None
    query_labels = [style.escape_markup(label) for label in maps[0].query_labels]
    key_labels = [style.escape_markup(label) for label in maps[0].key_labels]
    frames: list[dict[str, Any]] = []
    for (layer, head), map in zip(layers_and_heads, maps, strict=True):
        top, left = layers.index(layer) * step_y, heads.index(head) * step_x
        area = np.s_[top : top + queries, left : left + keys]
        canvas[area] = map.weights / (top_of_scale([map], "head") if scale == "head" else 1.0)
        if text is not None:
            text[area] = _texts(map, query_labels, key_labels)
        frames.append(frame(left - 0.5, top - 0.5, keys, queries, style.PALETTES[theme].line))
    figure = go.Figure(tiles(canvas, text, theme, scale, names, top_of_scale(maps, "shared")))
    tile = min(MOST_TILE, max(LEAST_TILE, WIDTH // len(heads)))
    height = tile * min(1.5, max(0.3, queries / max(1, keys)))
    figure.update_layout(
        **style.layout(theme, width=round(tile * len(heads)) + 130, height=round(height * len(layers)) + 70),
        title={"text": title, "x": 0, "xref": "paper", "font": {"size": style.FONT_SIZE + 2}} if title else None,
        shapes=frames,
        xaxis=style.axis(
            "", theme, showline=False, side="top", range=[-0.5, canvas.shape[1] - 0.5],
            **_ticks([f"H{head}" for head in heads], step_x, keys),
        ),
        yaxis=style.axis(
            "", theme, showline=False, range=[canvas.shape[0] - 0.5, -0.5],
            **_ticks([f"L{layer}" for layer in layers], step_y, queries),
        ),
    )  # fmt: skip
    return figure


def _layers_and_heads(maps: Sequence[AttentionMap]) -> list[tuple[int, int]]:
    """(layer, head) of each map; raises ValueError where they cannot stand in one picture."""
    if not maps:
        raise ValueError("There is no head to draw.")
    layers_and_heads = []
    for map in maps:
        if map.layer is None or map.head is None:
            raise ValueError(f"An overview has single heads; {map.name} is none. Leave it out.")
        if map.weights.shape != maps[0].weights.shape:
            raise ValueError("Heads in one overview need the same queries and keys.")
        layers_and_heads.append((map.layer, map.head))
    if len(set(layers_and_heads)) < len(layers_and_heads):
        raise ValueError("Two of the maps are of the same layer and head. Draw one kind of attention at a time.")
    return layers_and_heads


def _texts(map: AttentionMap, query_labels: Sequence[str], key_labels: Sequence[str]) -> list[list[str]]:
    """(query, key): "L2 H5: sah → Hund 0.42"."""
    return [
        [f"{map.name}: {query} → {key} {weight:.2f}" for key, weight in zip(key_labels, row, strict=True)]
        for query, row in zip(query_labels, map.weights.tolist(), strict=True)
    ]


def _ticks(labels: Sequence[str], step: int, size: int) -> dict[str, Any]:
    """Each label at the middle of its heads."""
    return {
        "tickmode": "array",
        "tickvals": [index * step + (size - 1) / 2 for index in range(len(labels))],
        "ticktext": list(labels),
    }
