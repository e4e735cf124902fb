"""Colours, fonts and margins that every figure shares.

Both scales have equal steps in CIELAB, so equal differences of a number look equally large, and their lightness only
rises or only falls, so they can be read with any colour vision and in print. Their zero is the background of the
theme: no attention leaves no mark.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Theme = Literal["light", "dark"]

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'Noto Sans CJK SC', sans-serif"
FONT_SIZE = 13  # pixels
MARGIN = {"l": 8, "r": 8, "t": 8, "b": 8}  # pixels around what plotly measures itself

# Arc-length steps along a Bézier curve through Oklab, computed once: white or the dark background, mint, cyan, blue,
# ink; a single hue would be a shorter path, and neighbouring weights would be harder to tell apart.
# fmt: off
_SEQUENTIAL: dict[str, tuple[str, ...]] = {
    "light": (
        "#ffffff", "#e5f9ee", "#c5f0e3", "#a1e3dc", "#81d4d9", "#67c5d7", "#52b5d5", "#44a5d2", "#3a96ce",
        "#3486c8", "#3275c0", "#3263b5", "#3150a6", "#2f3b91", "#2a2775", "#231a5b", "#1d1245",
    ),
    "dark": (
        "#0f1317", "#161c2c", "#1c2743", "#22345d", "#274679", "#2b5c94", "#2d72a7", "#3185b2", "#3996b9",
        "#44a6bd", "#53b6bf", "#67c5bf", "#7fd4be", "#9de3bf", "#c0f0c4", "#e1fad0", "#fbffe0",
    ),
}
# Orange below zero, blue above: the pair that all common kinds of colour blindness keep apart.
_DIVERGING: dict[str, tuple[str, ...]] = {
    "light": (
        "#8a3a00", "#ab5619", "#c67338", "#d98f58", "#e7a978", "#f1c099", "#f8d7ba", "#fcebdc", "#ffffff",
        "#dcebf9", "#b9d6f2", "#96bfe7", "#73a7da", "#538dc9", "#3672b5", "#1f579d", "#123c80",
    ),
    "dark": (
        "#ffd9b0", "#f5bd88", "#dc9a60", "#b77540", "#8f582d", "#6b4224", "#4b301f", "#2e211b", "#0f1317",
        "#152535", "#1c3957", "#27517c", "#396ea3", "#548fc8", "#77afe5", "#9eccf7", "#c4e4ff",
    ),
}
# fmt: on


@dataclass(frozen=True, slots=True)
class Palette:
    """The colours of one theme; the same values as in `.streamlit/config.toml`."""

    background: str
    text: str
    quiet: str  # axis titles, the share that is hidden
    line: str  # frames and ticks
    accent: str


@dataclass(frozen=True, slots=True)
class Names:
    """The words that a figure writes beside the tokens; the app passes them in the reader's language."""

    query: str = "query"
    key: str = "key"
    weight: str = "attention weight"
    hidden: str = "hidden"


PALETTES: dict[str, Palette] = {
    "light": Palette(background="#ffffff", text="#1b1f24", quiet="#5b6472", line="#d5dae1", accent="#2b5f9e"),
    "dark": Palette(background="#0f1317", text="#e8eaed", quiet="#a3adba", line="#323a44", accent="#7fb2ea"),
}


def sequential(theme: Theme = "light", *, root: bool = False) -> list[list[Any]]:
    """The scale for weights and other shares, as plotly wants it: 0 is the background, 1 the strongest colour.

    With `root` the colours go by the square root, so a quarter has the colour that is in the middle of the scale.
    """
    return [[position**2 if root else position, colour] for position, colour in _stops(_SEQUENTIAL[theme])]


def diverging(theme: Theme = "light") -> list[list[Any]]:
    """The scale for differences, which belongs on a range with 0 in its middle."""
    return _stops(_DIVERGING[theme])


def sequential_colours(theme: Theme = "light") -> tuple[str, ...]:
    """The same scale as equally spaced colours."""
    return _SEQUENTIAL[theme]


def diverging_colours(theme: Theme = "light") -> tuple[str, ...]:
    """The scale for signed numbers as equally spaced colours; the one in the middle is the background."""
    return _DIVERGING[theme]


def _stops(colours: tuple[str, ...]) -> list[list[Any]]:
    return [[index / (len(colours) - 1), colour] for index, colour in enumerate(colours)]


def layout(theme: Theme = "light", **changes: Any) -> dict[str, Any]:
    """What every figure's layout begins with; transparent, so that it sits on any background of its theme."""
    palette = PALETTES[theme]
    return {
        "font": {"family": FONT, "size": FONT_SIZE, "color": palette.text},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "margin": dict(MARGIN),
        "hoverlabel": {
            "font": {"family": FONT, "size": FONT_SIZE, "color": palette.background},
            "bgcolor": palette.text,
            "bordercolor": palette.text,
        },
        # A drag on a heatmap would zoom into something that has no finer detail.
        "dragmode": False,
        **changes,
    }


def axis(title: str, theme: Theme = "light", **changes: Any) -> dict[str, Any]:
    """An axis with a name, framed, without grid lines."""
    palette = PALETTES[theme]
    return {
        "title": {"text": title, "standoff": 8, "font": {"size": FONT_SIZE - 1, "color": palette.quiet}},
        "showgrid": False,
        "zeroline": False,
        "showline": True,
        "mirror": True,
        "linecolor": palette.line,
        "linewidth": 1,
        "ticks": "",
        "automargin": True,
        "fixedrange": True,
        **changes,
    }


def colour_bar(title: str, theme: Theme = "light", **changes: Any) -> dict[str, Any]:
    """A colour bar that names its quantity."""
    palette = PALETTES[theme]
    flat = changes.get("orientation") == "h"
    return {
        "title": {
            "text": title,
            "side": "top" if flat else "right",
            "font": {"size": FONT_SIZE - 1, "color": palette.quiet},
        },
        "thickness": 10,
        "outlinewidth": 1,
        "outlinecolor": palette.line,
        "ticks": "",
        **changes,
    }


def escape_markup(label: str) -> str:
    """A label that plotly draws as it is: it would read `<b>`, `<br>` and `&amp;` as its own markup."""
    return label.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
