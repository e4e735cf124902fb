"""The picture as SVG: every word is text, every line and cell a vector; only large maps are embedded as images.

What is drawn is what `attnviz.figures` and the app draw, with the colours of attnviz.figures.style, by a writer of our
own: it needs no browser, and equal pictures give equal files.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from attnviz.export.metadata import as_json
from attnviz.export.picture import (
    Picture,
    describe_panel,
    facts,
    has_root,
    hidden_mass,
    is_difference,
    key_labels,
    name,
    number,
    query_labels,
    shared_tops,
    top_of_panel,
)
from attnviz.export.svg import colours
from attnviz.export.svg.layout import (
    BAR,
    HEADING_SIZE,
    LINE,
    MARGIN,
    QUIET_SIZE,
    SLANT,
    TITLE_SIZE,
    Layout,
    Shape,
    arrange,
)
from attnviz.export.svg.text import FONT, escape_text, fonts, in_language, underlined, width, wrap
from attnviz.figures import style
from attnviz.figures.compare import format_signed as signed_number

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.measures.distances import Difference

MOST_VECTOR_CELLS = 20_000  # of a picture; beyond, each map is an image with a pixel for each weight
MOST_NUMBERS = 2_000  # cells of a picture that have their weights written in them
MOST_LINES = 20_000  # of a panel; beyond, only the strongest are drawn, and the caption says so
LEAST_LINE = 1 / 255  # a weaker line would not change one pixel
LEGEND_WIDTH = 190.0
CAPTION_WIDTH = 430.0  # at least


def to_svg(picture: Picture) -> str:
    """The picture as SVG.

    Labels, titles and numbers are text, in fonts that nearly every machine has; cells are shapes, unless the picture
    has more than 20,000 of them: then each map is an image with one pixel for each weight, and all else stays vector.
    Its numbers travel in it (see `attnviz.export.data`), so `read` gives the picture back.

    Returns:
        A complete document for a file in UTF-8. Equal pictures give equal documents.

    Example:
        >>> to_svg(Picture((recording.map("encoder", layer=2, head=5),)))[:54]
        '<?xml version="1.0" encoding="UTF-8"?>\\n<svg xmlns="http'
    """
    data = as_json(picture)
    drawn = drawing(picture, arrange(picture, CAPTION_WIDTH), data=data)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{drawn}\n'


def drawing(picture: Picture, layout: Layout, *, data: str = "") -> str:
    """The <svg> element alone, with these data in it, if any."""
    return in_language(Drawing(picture, layout).render(data), picture.language)


class Drawing:
    """Writes the parts of one picture."""

    def __init__(self, picture: Picture, layout: Layout) -> None:
        self.picture = picture
        self.layout = layout
        self.palette = style.PALETTES[picture.theme]
        # Several pictures may stand in one page, and names of its elements must not meet.
        description = repr((picture.theme, name(picture), [describe_panel(picture, panel) for panel in picture.panels]))
        self.id = f"a{zlib.crc32(description.encode('utf-8', 'backslashreplace')):08x}"
        cells = sum(panel.weights.size for panel in picture.panels)
        self.as_images = cells > MOST_VECTOR_CELLS
        self.with_numbers = cells <= MOST_NUMBERS
        self.shared_tops = shared_tops(picture)
        self.left_out = 0  # lines that are not drawn

    def render(self, data: str) -> str:
        """The <svg> element."""
        picture, palette = self.picture, self.palette
        body = [*self._title()]
        for index, (panel, shape) in enumerate(zip(picture.panels, self.layout.shapes, strict=True)):
            body.append(f'<g class="panel" data-panel="{index}">')
            body += self._heatmap(panel, shape) if picture.style == "heatmap" else self._lines(panel, shape)
            body.append("</g>")
        below = MARGIN + self.layout.height + 18.0
        legend, below = self._legend(below)
        caption, below = self._caption(below)
        wide, high = math.ceil(self.layout.width + 2 * MARGIN), math.ceil(below + MARGIN - 4.0)
        description = "; ".join(describe_panel(picture, panel) for panel in picture.panels)
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="{wide}" '
                f'height="{high}" viewBox="0 0 {wide} {high}" role="img" '
                f'aria-labelledby="{self.id}-title {self.id}-text" font-family="{FONT}">',
                f'<title id="{self.id}-title">{escape_text(name(picture))}</title>',
                f'<desc id="{self.id}-text">{escape_text(description)}</desc>',
                *([f'<metadata id="attnviz-data">{data}</metadata>'] if data else []),
                f'<rect width="{wide}" height="{high}" fill="{palette.background}"/>',
                *body,
                *legend,
                *caption,
                "</svg>",
            ]
        )

    def _text(
        self, x: float, y: float, text: str, size: float, *, quiet: bool = False, anchor: str = "", more: str = ""
    ) -> str:
        colour = self.palette.quiet if quiet else self.palette.text
        where = f' text-anchor="{anchor}"' if anchor else ""
        return (
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" fill="{colour}"{where}{more} '
            f'xml:space="preserve">{_in_fonts(text)}</text>'
        )

    def _label(self, x: float, y: float, shown: str, full: str, size: float, anchor: str, more: str = "") -> str:
        """A token's label; where it does not fit, the whole of it is what a viewer shows at the pointer."""
        text = self._text(x, y, shown, size, anchor=anchor, more=more)
        return text if shown == full else text.replace("</text>", f"<title>{escape_text(full)}</title></text>")

    def _title(self) -> Iterator[str]:
        for line, text in enumerate(self.layout.title):
            y = MARGIN + TITLE_SIZE * (0.8 + line * LINE)
            yield self._text(MARGIN, y, text, TITLE_SIZE, more=' font-weight="600"')

    # A panel ---------------------------------------------------------------------------------------------------------

    def _heading(self, shape: Shape, x: float) -> Iterator[str]:
        for line, text in enumerate(shape.heading):
            y = shape.y - shape.above + HEADING_SIZE * (0.85 + line * LINE)
            yield self._text(x, y, text, HEADING_SIZE, more=' font-weight="600"')

    def _heatmap(self, panel: AttentionMap | Difference, shape: Shape) -> Iterator[str]:
        yield from self._heading(shape, shape.x)
        yield from self._cells(panel, shape)
        # Around the map, not on it.
        yield (
            f'<rect x="{_n(shape.x - 0.5)}" y="{_n(shape.y - 0.5)}" width="{_n(shape.width + 1)}" '
            f'height="{_n(shape.height + 1)}" fill="none" stroke="{self.palette.line}"/>'
        )
        size, queries, keys = shape.label_size, query_labels(panel), key_labels(panel)
        for index, label in shape.keys:
            x = shape.x + (index + 0.5) * shape.cell_width
            more = underlined(panel.key_tokens[index])
            if shape.slanted:
                more += f' transform="rotate(-{_n(SLANT)} {_n(x + 0.3 * size)} {_n(shape.y - 5.0)})"'
                yield self._label(x + 0.3 * size, shape.y - 5.0, label, keys[index], size, "", more)
            else:
                yield self._label(x, shape.y - 0.45 * size - 1.5, label, keys[index], size, "middle", more)
        for index, label in shape.queries:
            y = shape.y + (index + 0.5) * shape.cell_height + 0.35 * size
            more = underlined(panel.query_tokens[index])
            yield self._label(shape.x - 6.0, y, label, queries[index], size, "end", more)
        if shape.queries:
            yield self._text(
                shape.x - 8.0, shape.y - 6.0, self.picture.say("key"), QUIET_SIZE, quiet=True, anchor="end"
            )
            x, y = shape.x - shape.left + 0.85 * QUIET_SIZE, shape.y + shape.height / 2
            turn = f' transform="rotate(-90 {_n(x)} {_n(y)})"'
            yield self._text(x, y, self.picture.say("query"), QUIET_SIZE, quiet=True, anchor="middle", more=turn)
        yield from self._hidden_bars(panel, shape, shape.x + shape.width + 8.0)

    def _top(self, panel: AttentionMap | Difference) -> float:
        """The weight, or the size of a difference, that has the strongest colour: of this panel, or of all like it."""
        return top_of_panel(panel, "head") if self.picture.scale == "head" else self.shared_tops[is_difference(panel)]

    def _cells(self, panel: AttentionMap | Difference, shape: Shape) -> Iterator[str]:
        queries, keys = panel.weights.shape
        if not panel.weights.size:
            return
        signed = is_difference(panel)
        steps = colours.colour_steps(panel.weights, self._top(panel), signed, has_root(self.picture))
        table = colours.ramp(self.picture.theme, signed)
        if self.as_images:
            yield (
                f'<image x="{_n(shape.x)}" y="{_n(shape.y)}" width="{_n(shape.width)}" height="{_n(shape.height)}" '
                'preserveAspectRatio="none" image-rendering="optimizeSpeed" style="image-rendering:pixelated" '
                f'xlink:href="data:image/png;base64,{colours.png_data(steps, table)}"/>'
            )
        else:
            yield f'<g shape-rendering="crispEdges" transform="translate({_n(shape.x)} {_n(shape.y)})">'
            background = tuple(bytes.fromhex(self.palette.background[1:]))
            for step, path in _runs(steps, shape.cell_width, shape.cell_height):
                if tuple(table[step].tolist()) != background:
                    yield f'<path fill="{colours.hex_colour(table[step])}" d="{path}"/>'
            yield "</g>"
            if min(shape.cell_width, shape.cell_height) >= 8.0:
                yield self._hairlines(queries, keys, shape)
        if self.with_numbers and shape.cell_width >= 26.0 and shape.cell_height >= 13.0:
            yield from self._numbers(panel, steps, shape, signed)

    def _hairlines(self, queries: int, keys: int, shape: Shape) -> str:
        """Between cells that are large enough to be looked at one by one."""
        across = [f"M0 {_n(query * shape.cell_height)}h{_n(shape.width)}" for query in range(1, queries)]
        down = [f"M{_n(key * shape.cell_width)} 0v{_n(shape.height)}" for key in range(1, keys)]
        return (
            f'<path transform="translate({_n(shape.x)} {_n(shape.y)})" fill="none" stroke="{self.palette.background}" '
            f'stroke-opacity="0.75" d="{"".join(across + down)}"/>'
        )

    def _numbers(
        self, panel: AttentionMap | Difference, steps: np.ndarray, shape: Shape, signed: bool
    ) -> Iterator[str]:
        size = min(12.0, 0.36 * shape.cell_width, 0.62 * shape.cell_height)
        ink = colours.ink(self.picture.theme, signed)
        yield f'<g font-size="{_n(size)}" text-anchor="middle">'
        for (query, key), weight in np.ndenumerate(panel.weights):
            if abs(weight) >= 0.005 or np.isnan(weight):
                x, y = shape.x + (key + 0.5) * shape.cell_width, shape.y + (query + 0.5) * shape.cell_height
                text = (signed_number(weight) if signed else f"{weight:.2f}").replace(".", self.picture.decimal)
                yield f'<text x="{_n(x)}" y="{_n(y + 0.35 * size)}" fill="{ink[steps[query, key]]}">{text}</text>'
        yield "</g>"

    def _hidden_bars(self, panel: AttentionMap | Difference, shape: Shape, left: float) -> Iterator[str]:
        """A bar at each row: the share of its attention that is not shown."""
        hidden = hidden_mass(panel)
        if hidden is None:
            return
        thick = max(1.0, min(6.0, 0.5 * shape.cell_height))
        track, full = [], []
        for query, share in enumerate(hidden.tolist()):
            y = shape.y + (query + 0.5) * shape.cell_height - thick / 2
            track.append(f"M{_n(left)} {_n(y)}h{_n(BAR)}v{_n(thick)}h-{_n(BAR)}z")
            if share > 0:
                full.append(f"M{_n(left)} {_n(y)}h{_n(BAR * share)}v{_n(thick)}h-{_n(BAR * share)}z")
            if shape.numbers:
                size = min(10.5, shape.label_size)
                share_text, down = f"{share:.2f}".replace(".", self.picture.decimal), y + thick / 2 + 0.35 * size
                yield self._text(left + BAR + 4.0, down, share_text, size, quiet=True)
        for opacity, path in ((0.14, track), (0.6, full)):
            yield f'<path fill="{self.palette.text}" fill-opacity="{opacity}" d="{"".join(path)}"/>'
        below = shape.y + shape.height + 1.2 * QUIET_SIZE
        yield self._text(left, below, self.picture.say("hidden"), QUIET_SIZE, quiet=True)

    def _lines(self, panel: AttentionMap | Difference, shape: Shape) -> Iterator[str]:
        yield from self._heading(shape, shape.x - shape.left)
        size = shape.label_size
        right = shape.x + shape.width
        above = shape.y - 6.0
        yield self._text(shape.x - 6.0, above, self.picture.say("query"), QUIET_SIZE, quiet=True, anchor="end")
        yield self._text(right + 6.0, above, self.picture.say("key"), QUIET_SIZE, quiet=True)
        signed = is_difference(panel)
        shares = np.nan_to_num(panel.weights / self._top(panel), nan=0.0)
        strength = np.minimum(np.abs(shares), 1.0)
        drawn = np.flatnonzero(strength.ravel() >= LEAST_LINE)
        if drawn.size > MOST_LINES:
            self.left_out += drawn.size - MOST_LINES
            order = np.argsort(-strength.ravel()[drawn], kind="stable")
            drawn = np.sort(drawn[order[:MOST_LINES]])
        yield (
            f'<g fill="none" stroke="{self._stroke(1.0, signed)}" stroke-width="2" stroke-linecap="round" '
            f'transform="translate({_n(shape.x)} {_n(shape.y)})">'
        )
        middle = _n(shape.width / 2)
        for query, key in zip(*np.unravel_index(drawn, strength.shape), strict=True):
            start, end = _n((query + 0.5) * shape.cell_height), _n((key + 0.5) * shape.cell_height)
            colour = f' stroke="{self._stroke(-1.0, True)}"' if shares[query, key] < 0 else ""
            yield (
                f'<path data-query="{query}" data-key="{key}"{colour} stroke-opacity="{strength[query, key]:.3f}" '
                f'd="M0 {start}C{middle} {start} {middle} {end} {_n(shape.width)} {end}"/>'
            )
        yield "</g>"
        for side, labels, full_labels, tokens in (
            ("query", shape.queries, query_labels(panel), panel.query_tokens),
            ("key", shape.keys, key_labels(panel), panel.key_tokens),
        ):
            for index, label in labels:
                y = shape.y + (index + 0.5) * shape.cell_height + 0.35 * size
                more = f' data-{side}="{index}"{underlined(tokens[index])}'
                x, anchor = (shape.x - 6.0, "end") if side == "query" else (right + 6.0, "")
                yield self._label(x, y, label, full_labels[index], size, anchor, more)
        yield from self._hidden_bars(panel, shape, shape.x - shape.left)

    def _stroke(self, sign: float, signed: bool) -> str:
        """The colour of a line at full strength."""
        if not signed:
            return self.palette.accent
        return colours.hex_colour(colours.ramp(self.picture.theme, True)[56 if sign < 0 else 199])

    # Below the panels ------------------------------------------------------------------------------------------------

    def _legend(self, y: float) -> tuple[list[str], float]:
        """A bar of colours for weights, one for differences, as they are needed."""
        panels = self.picture.panels
        parts: list[str] = []
        x = MARGIN
        for signed in (False, True):
            tops = [self._top(panel) for panel in panels if is_difference(panel) == signed]
            if not tops:
                continue
            one = len(set(tops)) == 1
            largest = number(tops[0], self.picture.decimal) if tops[0] != 1.0 else "1"
            end = largest if one else self.picture.say("max")
            # Of a long text, the scale ends before its largest weights.
            low, high = (f"≤ −{end}", f"≥ {end}") if self.picture.scale != "head" and end != "1" else (f"−{end}", end)
            ticks = [low, "0", high] if signed else ["0", high]
            if not signed and has_root(self.picture):
                # The bar has the colours in even steps, so its middle stands for a quarter of its end.
                ticks.insert(1, number(tops[0] / 4, self.picture.decimal))
            elif one and tops[0] == 1.0 and not signed:
                ticks = [tick.replace(".", self.picture.decimal) for tick in ("0", "0.25", "0.5", "0.75", "1")]
            quantity = "difference of attention weights" if signed else "attention weight"
            quantity = self.picture.say(quantity if one else f"{quantity}, of each panel's largest")
            parts += self._bar(x, y, quantity, ticks, signed)
            x += max(LEGEND_WIDTH, width(quantity, QUIET_SIZE)) + 36.0
        return parts, y + 46.0

    def _bar(self, x: float, y: float, quantity: str, ticks: list[str], signed: bool) -> Iterator[str]:
        name = f"{self.id}-{'differences' if signed else 'weights'}"
        yield f'<linearGradient id="{name}">'
        if self.picture.style == "heatmap":
            for offset, colour in (style.diverging if signed else style.sequential)(self.picture.theme):
                yield f'<stop offset="{_n(offset)}" stop-color="{colour}"/>'
        elif signed:
            for offset, sign, opacity in ((0, -1.0, 1), (0.5, -1.0, 0), (0.5, 1.0, 0), (1, 1.0, 1)):
                yield f'<stop offset="{offset}" stop-color="{self._stroke(sign, True)}" stop-opacity="{opacity}"/>'
        else:
            for opacity in (0, 1):
                yield f'<stop offset="{opacity}" stop-color="{self._stroke(1.0, False)}" stop-opacity="{opacity}"/>'
        yield "</linearGradient>"
        yield self._text(x, y + QUIET_SIZE, quantity, QUIET_SIZE, quiet=True)
        yield (
            f'<rect x="{_n(x + 0.5)}" y="{_n(y + 17.5)}" width="{_n(LEGEND_WIDTH)}" height="9" fill="url(#{name})" '
            f'stroke="{self.palette.line}"/>'
        )
        for index, tick in enumerate(ticks):
            share = index / (len(ticks) - 1)
            anchor = "" if share == 0 else "end" if share == 1 else "middle"
            yield self._text(x + share * (LEGEND_WIDTH + 1), y + 40.0, tick, QUIET_SIZE, quiet=True, anchor=anchor)

    def _caption(self, y: float) -> tuple[list[str], float]:
        """What model, kind and switches this is, in as many lines as it takes."""
        phrases = facts(self.picture)
        if self.left_out:
            phrases.append(self.picture.say("without the weakest {0} lines", self.left_out))
        lines = wrap(phrases, QUIET_SIZE, self.layout.width)
        first = y + 6.0 + QUIET_SIZE
        parts = [
            self._text(MARGIN, first + line * QUIET_SIZE * LINE, text, QUIET_SIZE, quiet=True)
            for line, text in enumerate(lines)
        ]
        return parts, first + (len(lines) - 1) * QUIET_SIZE * LINE + 4.0 if lines else y


def _in_fonts(text: str) -> str:
    """The text, with a font of their own for characters that the usual fonts lack."""
    return "".join(
        escape_text(part) if font == FONT else f'<tspan font-family="{font}">{escape_text(part)}</tspan>'
        for font, part in fonts(text)
    )


def _n(value: float) -> str:
    """A coordinate to a hundredth of a unit, as short as it goes."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _runs(steps: np.ndarray, wide: float, high: float) -> Iterator[tuple[int, str]]:
    """For each colour a path around all its cells; neighbours in a row are one rectangle."""
    paths: dict[int, list[str]] = {}
    for query, row in enumerate(steps):
        edges = [0, *(np.flatnonzero(np.diff(row)) + 1).tolist(), len(row)]
        for start, end in zip(edges, edges[1:], strict=False):
            x, length = start * wide, (end - start) * wide
            rectangle = f"M{_n(x)} {_n(query * high)}h{_n(length)}v{_n(high)}h-{_n(length)}z"
            paths.setdefault(int(row[start]), []).append(rectangle)
    for step in sorted(paths):
        yield step, "".join(paths[step])
