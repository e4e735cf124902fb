"""The picture as one HTML file that needs nothing else: the SVG, its numbers on hover and by keyboard, and tables."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from attnviz.export.metadata import as_json
from attnviz.export.picture import Picture, describe_panel, heading, key_labels, name, query_labels
from attnviz.export.svg.drawing import CAPTION_WIDTH, drawing
from attnviz.export.svg.layout import Layout, arrange
from attnviz.export.svg.text import escape_text
from attnviz.figures import style

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.measures.distances import Difference

# The file may be opened anywhere and sent to anybody: it can neither load nor send a thing.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"


def to_html(picture: Picture) -> str:
    """The picture as one HTML file that opens without internet.

    It has the vector drawing of `to_svg`. Pointing at a weight, or going there with the arrow keys, says "sah → Hund
    0.42"; with lines, a word's strongest weights and its lines alone. Below are the numbers as tables. `read` gives
    the picture back.

    Returns:
        A complete document for a file in UTF-8. Equal pictures give equal documents.

    Example:
        >>> to_html(picture).startswith("<!doctype html>")
        True
    """
    layout = arrange(picture, CAPTION_WIDTH)
    title = name(picture)
    details = "\n".join(_table_place(picture, panel) for panel in picture.panels)
    if len(picture.panels) == 1:
        help = picture.say("Point at the picture, or go through it with the arrow keys, to read its numbers.")
    else:
        help = picture.say(
            "Point at the picture, or go through it with the arrow keys, page up and page down, to read its numbers."
        )
    content = f"""<main>
<div id="picture" tabindex="0" role="group" aria-label="{escape_text(title)}" aria-describedby="help">
{drawing(picture, layout)}
</div>
<p id="help">{escape_text(help)}</p>
<div id="tip" role="status" hidden></div>
{details}
</main>
<script type="application/json" id="attnviz-data">{as_json(picture)}</script>
<script type="application/json" id="attnviz-shapes">{_shapes(picture, layout)}</script>
<script>
{_source("html.js")}</script>"""
    css = stylesheet(picture.theme, round(0.8 * layout.width))
    return document(content, title=title, language=picture.language, css=css)


def document(content: str, *, title: str, language: str, css: str) -> str:
    """A complete page that loads nothing: its content as HTML, its title as text, its language, its style sheet."""
    return f"""<!doctype html>
<html lang="{escape_text(language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape_text(title)}</title>
<style>
{css}</style>
</head>
<body>
{content}
</body>
</html>
"""


def _table_place(picture: Picture, panel: AttentionMap | Difference) -> str:
    """Where the page puts a panel's numbers when somebody opens them."""
    summary = picture.say("{0}: numbers as a table", heading(picture, panel))
    return (
        f"<details><summary>{escape_text(summary)}</summary>"
        f'<div class="table" tabindex="0" role="region" aria-label="{escape_text(describe_panel(picture, panel))}">'
        "</div></details>"
    )


def _shapes(picture: Picture, layout: Layout) -> str:
    """What the page's program needs of the drawing: where the maps are, and their labels."""
    panels = [
        {
            "x": shape.x,
            "y": shape.y,
            "width": shape.width,
            "cellWidth": shape.cell_width,
            "cellHeight": shape.cell_height,
            "left": shape.left,
            "right": shape.right,
            "queries": query_labels(panel),
            "keys": key_labels(panel),
        }
        for panel, shape in zip(picture.panels, layout.shapes, strict=True)
    ]
    texts = {
        "hidden": picture.say("hidden"),
        "caption": picture.say("Rows are queries, columns are keys."),
        "decimal": picture.decimal,
    }
    text = json.dumps({"panels": panels, "texts": texts}, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def stylesheet(theme: style.Theme, narrowest: int) -> str:
    """How exported pages look in a theme; a drawing in them becomes no narrower than so many CSS pixels."""
    palette = style.PALETTES[theme]
    text = _source("html.css")
    for word, value in (
        ("THEME", theme),
        ("BACKGROUND", palette.background),
        ("TEXT", palette.text),
        ("QUIET", palette.quiet),
        ("ACCENT", palette.accent),
        ("LINE", palette.line),
        ("NARROWEST", str(narrowest)),
    ):
        text = text.replace(word, value)
    return text


@cache
def _source(name: str) -> str:
    return (Path(__file__).parent / name).read_text(encoding="utf-8")
