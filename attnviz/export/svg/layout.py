"""Computes where everything of a picture goes, in SVG units (CSS pixels), before anything is drawn.

    Picture ─ shape of each panel ─ arrange ─ Layout

A panel is a map with margins: labels at its left, title and labels above it, hidden shares or words at its right. In a
grid the maps of a column start at the same x and those of a row at the same y.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from attnviz.export.picture import Picture, heading, hidden_mass, key_labels, query_labels, title
from attnviz.export.svg.text import shorten, width, wrap
from attnviz.tokenization.token import spaced_labels

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.measures.distances import Difference

MARGIN = 16.0  # around the whole picture
TITLE_SIZE = 16.0
HEADING_SIZE = 13.0
QUIET_SIZE = 11.0  # axis names, caption, colour bar
LINE = 1.35  # of a font's size, from one line to the next
SLANT = 52.0  # degrees, of key labels that are wider than their column
COMFORTABLE = 9.5  # a position that is smaller than this cannot have its own label
BAR = 36.0  # width of a full bar of hidden share
LABEL_ROOM = 170.0  # a longer label ends with an ellipsis


@dataclass(frozen=True, slots=True)
class Shape:
    """A panel: its map, what is written around it, and where it is.

    Attributes:
        x, y: of the map's upper left corner (with lines: of the space between the words).
        cell_width, cell_height: of a weight; with lines the width is that of the space between the words.
        width, height: of the map.
        left, above, right, below: the room around the map.
        label_size: of the font of the labels.
        queries, keys: (position, text) of the labels that are written; queries is empty where the panel at the left
            has the same ones.
        slanted: whether key labels are.
        heading: lines above the panel.
        hidden: whether the shares of the rows that are not shown stand beside them.
        numbers: whether each of those shares is written, too.
    """

    cell_width: float
    cell_height: float
    width: float
    height: float
    label_size: float
    queries: tuple[tuple[int, str], ...]
    keys: tuple[tuple[int, str], ...]
    heading: tuple[str, ...]
    hidden: bool
    numbers: bool
    slanted: bool = False
    left: float = 0.0
    above: float = 0.0
    right: float = 0.0
    below: float = 0.0
    x: float = 0.0
    y: float = 0.0


@dataclass(frozen=True, slots=True)
class Layout:
    """The placed panels, the lines of the title, and how large they are together, margins left out."""

    shapes: tuple[Shape, ...]
    columns: int
    title: tuple[str, ...]
    width: float
    height: float


def arrange(picture: Picture, least_width: float) -> Layout:
    """Places all panels below the title.

    Args:
        least_width: of the picture, for what stands below the panels.
    """
    count = len(picture.panels)
    columns = picture.columns or min(count, max(1, math.ceil(math.sqrt(2 * count))))
    columns = min(columns, count)
    make = _heatmap if picture.style == "heatmap" else _lines
    shapes = [
        make(picture, panel, columns, follows=index % columns > 0 and _same_rows(picture.panels[index - 1], panel))
        for index, panel in enumerate(picture.panels)
    ]
    gap_x, gap_y = (20.0, 22.0) if count > 1 else (0.0, 0.0)
    grid = [shapes[start : start + columns] for start in range(0, count, columns)]
    lefts = [max(row[column].left for row in grid if column < len(row)) for column in range(columns)]
    widths = [
        max(row[column].width + row[column].right for row in grid if column < len(row)) for column in range(columns)
    ]
    total = max(sum(lefts) + sum(widths) + gap_x * (columns - 1), least_width)
    over = tuple(wrap([shorten(title(picture), TITLE_SIZE, 2.0 * total)], TITLE_SIZE, total))
    y = MARGIN + len(over) * TITLE_SIZE * LINE + (8.0 if over else 0.0)
    placed = []
    for row in grid:
        above = max(shape.above for shape in row)
        x = MARGIN
        for column, shape in enumerate(row):
            placed.append(replace(shape, x=x + lefts[column], y=y + above, above=above))
            x += lefts[column] + widths[column] + gap_x
        y += above + max(shape.height + shape.below for shape in row) + gap_y
    return Layout(tuple(placed), columns, over, total, y - gap_y - MARGIN)


def _same_rows(one: AttentionMap | Difference, other: AttentionMap | Difference) -> bool:
    """Whether the second can do without the labels of its rows; hidden shares between the two would separate them."""
    return query_labels(one) == query_labels(other) and one.weights.shape == other.weights.shape


def _side(picture: Picture, columns: int, longest: int) -> float:
    """How long the longer side of a map is."""
    if len(picture.panels) == 1:
        comfortable, most = min(680.0, max(464.0, 24.0 * longest)), 912.0
    else:
        comfortable, most = max(110.0, min(420.0, 1080.0 / columns)), max(160.0, 1680.0 / columns)
    return max(comfortable, min(most, COMFORTABLE * longest))


def _spaced_labels(labels: tuple[str, ...], size: float, pitch: float) -> tuple[tuple[int, str], ...]:
    """Every label, or every second, third … where not all have room."""
    every = max(1, math.ceil(1.15 * size / pitch))
    return tuple((index, shorten(label, size, LABEL_ROOM)) for index, label in spaced_labels(labels, every))


def _heading(picture: Picture, panel: AttentionMap | Difference, room: float) -> tuple[str, ...]:
    return tuple(wrap(heading(picture, panel).split(" · "), HEADING_SIZE, max(room, 130.0)))


def _widest(labels: tuple[tuple[int, str], ...], size: float) -> float:
    return max((width(label, size) for _, label in labels), default=0.0)


def _heatmap(picture: Picture, panel: AttentionMap | Difference, columns: int, follows: bool) -> Shape:
    queries, keys = panel.weights.shape
    longest = max(queries, keys, 1)
    side = _side(picture, columns, longest)
    largest = 58.0 if len(picture.panels) == 1 else 44.0
    cell = min(largest, side / longest)
    # A map of few keys and many queries, or the other way round, stays wide and high enough to be read.
    cell_width, cell_height = (max(cell, min(largest, 0.3 * side / max(1, count))) for count in (keys, queries))
    if min(cell_width, cell_height) >= 6.0:
        cell_width, cell_height = math.floor(cell_width), math.floor(cell_height)
    map_width, map_height = cell_width * keys, cell_height * queries
    size = max(8.0, min(12.5, 0.8 * min(cell_width, cell_height)))

    shown_keys = _spaced_labels(key_labels(panel), size, cell_width)
    slanted = any(width(label, size) + 6.0 > cell_width for _, label in shown_keys)
    if slanted:
        cos, sin = math.cos(math.radians(SLANT)), math.sin(math.radians(SLANT))
        label_height = _widest(shown_keys, size) * sin + 0.4 * size
        ends = [(index + 0.5) * cell_width + width(label, size) * cos + 0.4 * size for index, label in shown_keys]
        overhang = max(ends, default=0.0) - map_width
    else:
        label_height, overhang = size * 1.1, 0.0
    shown_queries = () if follows else _spaced_labels(query_labels(panel), size, cell_height)
    hidden = hidden_mass(panel) is not None
    numbers = hidden and cell_height >= 12.0
    bars = max(BAR + (30.0 if numbers else 0.0), width(picture.say("hidden"), QUIET_SIZE)) if hidden else 0.0
    right = max(overhang, 8.0 + bars if hidden else 0.0, 1.0)
    key_title = width(picture.say("key"), QUIET_SIZE)
    left = 0.0 if follows else max(_widest(shown_queries, size), key_title) + 8.0 + 1.6 * QUIET_SIZE
    shape = Shape(
        cell_width, cell_height, map_width, map_height, size, shown_queries, shown_keys, (), hidden, numbers,
        slanted=slanted, left=left, above=5.0 + label_height + 5.0, right=right,
    )  # fmt: skip
    return _under_heading(shape, picture, panel, map_width)


def _lines(picture: Picture, panel: AttentionMap | Difference, columns: int, follows: bool) -> Shape:
    """As `_heatmap`; words stand on both sides whatever the panel at the left has, for the lines start at them."""
    longest = max(*panel.weights.shape, 1)
    one = len(picture.panels) == 1
    pitch = max(1520.0 / longest if longest > 160 else COMFORTABLE, min(44.0 if one else 34.0, 440.0 / longest))
    size = max(8.0, min(13.0, 0.8 * pitch))
    space = 300.0 if one else max(110.0, min(240.0, 560.0 / columns))
    shown_queries, shown_keys = (
        _spaced_labels(labels, size, pitch) for labels in (query_labels(panel), key_labels(panel))
    )
    hidden = hidden_mass(panel) is not None
    numbers = hidden and pitch >= 12.0
    left = _widest(shown_queries, size) + 10.0 + (14.0 + BAR + (30.0 if numbers else 0.0) if hidden else 0.0)
    right = max(_widest(shown_keys, size) + 10.0, width(picture.say("key"), QUIET_SIZE) + 10.0)
    shape = Shape(
        space, pitch, space, pitch * longest, size, shown_queries, shown_keys, (), hidden, numbers,
        left=max(left, width(picture.say("query"), QUIET_SIZE) + 10.0), above=QUIET_SIZE + 14.0, right=right,
    )  # fmt: skip
    return _under_heading(shape, picture, panel, left + space)


def _under_heading(shape: Shape, picture: Picture, panel: AttentionMap | Difference, inner: float) -> Shape:
    """The shape with the lines above it, and the room that they and the hidden shares need.

    Args:
        shape: of the map, its labels and what is at its right.
        picture, panel: what the lines are about.
        inner: how wide the lines may be, apart from the room at the right.
    """
    lines = _heading(picture, panel, inner + shape.right)
    return replace(
        shape,
        heading=lines,
        above=shape.above + len(lines) * HEADING_SIZE * LINE,
        right=max(shape.right, _widest(tuple(enumerate(lines)), HEADING_SIZE) - inner),
        below=1.5 * QUIET_SIZE if shape.hidden else 1.0,
    )
