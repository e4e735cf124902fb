"""The picture as PNG, without a browser, and only if this machine has fonts for every character in it."""

from __future__ import annotations

import io
import math
import re
import unicodedata
from xml.etree import ElementTree

import numpy as np
import resvg_py
from PIL import Image

from attnviz.errors import FontError, InputError
from attnviz.export.picture import Picture
from attnviz.export.svg.drawing import to_svg
from attnviz.export.svg.text import escape_text, fonts

MOST_PIXELS = 100_000_000  # of a PNG: 400 MB while it is made
_CELL = 48  # pixels in which a character is drawn to see whether there is a font for it
_AT_ONCE = 200  # characters
_UNASSIGNED = "\u0378"  # no font has it

_drawable: set[str] = set()


def to_png(picture: Picture, pixels_per_unit: float = 2) -> bytes:
    """The picture of `to_svg` as pixels, drawn with the fonts of this machine.

    Args:
        pixels_per_unit: of SVG's units, in which labels are some 12 high: 2 for a screen of high density, 4 for print.

    Raises:
        FontError: there is no font for some characters of the picture; such text would be missing in it.
        InputError: `pixels_per_unit` is not above 0, or the image would be too large.

    Example:
        >>> to_png(picture)[:8]
        b'\\x89PNG\\r\\n\\x1a\\n'
    """
    if not 0 < pixels_per_unit < math.inf:
        raise InputError("pixels_per_unit is a number above 0, such as 2, not {0!r}.", pixels_per_unit)
    svg = to_svg(picture)
    size = re.search(r'width="(\d+)" height="(\d+)"', svg)
    assert size is not None
    wide, high = (round(int(length) * pixels_per_unit) for length in size.groups())
    if not 1 <= wide * high <= MOST_PIXELS:
        raise InputError(
            "With {0:g} pixels for each unit the image would have {1:,} × {2:,} pixels; from 1 to {3:,} in all can "
            "be made. Choose another number, or take .svg, which has no pixels.",
            pixels_per_unit,
            wide,
            high,
            MOST_PIXELS,
        )
    _check_fonts("".join(text for element in _texts(svg) for text in element.itertext()))
    return bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=pixels_per_unit))


def _texts(svg: str) -> list[ElementTree.Element]:
    """The <text> elements, without the titles in them."""
    elements = list(ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"))
    for element in elements:
        for title in element.findall("{http://www.w3.org/2000/svg}title"):
            element.remove(title)
    return elements


def _check_fonts(text: str) -> None:
    """Raises FontError where a character would be left out or drawn as an empty box."""
    characters = sorted(set(text) - _drawable)
    # These are drawn with what is before them, or are not seen; what they belong to is looked at.
    characters = [one for one in characters if unicodedata.category(one)[0] not in "MZC"]
    if not characters:
        return
    missing = [
        one for start in range(0, len(characters), _AT_ONCE) for one in _missing(characters[start : start + _AT_ONCE])
    ]
    _drawable.update(set(characters) - set(missing))
    if missing:
        raise FontError(
            "This machine has no font for {0}{1} and would leave that out of a PNG. Take .svg or .html, which are "
            "drawn where they are opened, or install a font that has it (on Debian: fonts-dejavu-core, "
            "fonts-noto-cjk, fonts-noto-color-emoji) and start attnviz again.",
            " ".join(missing[:12]),
            " …" if len(missing) > 12 else "",
        )


def _missing(characters: list[str]) -> list[str]:
    """Those that are drawn as nothing, or as what a font draws for a character that no font has."""
    families = [fonts(one)[0][0] for one in characters]
    cells = [*zip(characters, families, strict=True), *((_UNASSIGNED, family) for family in families)]
    parts = [
        f'<text x="{index * _CELL + 8}" y="32" font-family="{family}">{escape_text(one)}</text>'
        for index, (one, family) in enumerate(cells)
    ]
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{len(cells) * _CELL}" height="{_CELL}" font-size="24">'
        f"{''.join(parts)}</svg>"
    )
    pixels = np.asarray(Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))).convert("RGBA"))
    drawn = [pixels[:, index * _CELL : (index + 1) * _CELL] for index in range(len(cells))]
    return [
        one
        for one, cell, unknown in zip(characters, drawn, drawn[len(characters) :], strict=False)
        if not cell.any() or np.array_equal(cell, unknown)
    ]
