"""Saves exactly what is shown as SVG, PNG, HTML, CSV or npz, and reads it back.

    AttentionMap, Difference ─ Picture ─ to_svg, to_png, to_html, to_csv, to_npz, save
                                       ─ read ─ Picture, with the same numbers

Each export but PNG has the numbers in it as they are, with tokens, model, kind, layer, head and switches. Nothing here
needs a browser or the internet, and neither Streamlit nor torch is imported.
"""

from attnviz.export.csv_table import to_csv
from attnviz.export.files import SUFFIXES, read, save
from attnviz.export.html import to_html
from attnviz.export.npz import to_npz
from attnviz.export.picture import Picture, Style
from attnviz.export.png import to_png
from attnviz.export.svg.drawing import to_svg

__all__ = [
    "SUFFIXES",
    "Picture",
    "Style",
    "read",
    "save",
    "to_csv",
    "to_html",
    "to_npz",
    "to_png",
    "to_svg",
]
