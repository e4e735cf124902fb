"""From `AttentionMap` to plotly figures; every builder is `draw_x(map, *, options) -> go.Figure`.

Numbers come in, a figure goes out: nothing here knows Streamlit, torch or how the numbers were made.
"""

from attnviz.figures.compare import draw_difference, draw_heads_map
from attnviz.figures.describe import describe
from attnviz.figures.heads import draw_head, draw_heads
from attnviz.figures.overview import draw_overview
from attnviz.figures.steps import draw_bars, draw_lengths, draw_strips

__all__ = [
    "describe",
    "draw_bars",
    "draw_difference",
    "draw_head",
    "draw_heads",
    "draw_heads_map",
    "draw_lengths",
    "draw_overview",
    "draw_strips",
]
