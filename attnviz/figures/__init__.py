"""From `AttentionMap` to plotly figures; every builder is `draw_x(map, *, options) -> go.Figure`.

Numbers come in, a figure goes out: nothing here knows Streamlit, torch or how the numbers were made.
"""

from attnviz.figures.describe import describe
from attnviz.figures.heads import draw_head, draw_heads

__all__ = ["describe", "draw_head", "draw_heads"]
