"""How time and memory grow with the length of a text, as a picture with logarithmic axes, in SVG.

On such axes what grows with the square of the length is a line of slope 2, and what does not grow at all is level.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 24, 48
INK, QUIET, LINE = "#1b1f24", "#5b6472", "#d5dae1"
SECONDS, MEMORY = "#2b5f9e", "#b3541e"


def growth_picture(rows: Sequence[tuple[int, float, float]]) -> str:
    """The picture.

    Args:
        rows: of three lengths or more, the shortest first: tokens, seconds of a head's first picture, and MiB that it
            needs beside queries and keys; each larger than 0.

    >>> growth_picture([(4096, 0.04, 16.0), (8192, 0.12, 17.0), (16384, 0.37, 19.0)]).startswith("<svg")
    True
    """
    lengths = [tokens for tokens, _, _ in rows]
    values = [value for _, *pair in rows for value in pair]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))

    def x(tokens: float) -> float:
        share = math.log(tokens / lengths[0]) / math.log(lengths[-1] / lengths[0])
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(value: float) -> float:
        return HEIGHT - BOTTOM - (math.log10(value) - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def text(at: tuple[float, float], words: str, colour: str = QUIET, anchor: str = "start") -> str:
        return f'<text x="{at[0]:.1f}" y="{at[1]:.1f}" fill="{colour}" text-anchor="{anchor}">{words}</text>'

    def line(points: Sequence[tuple[float, float]], colour: str, more: str = "") -> str:
        path = " ".join(f"{across:.1f},{down:.1f}" for across, down in points)
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2" {more}/>'

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        'font-family="system-ui, sans-serif" font-size="12" role="img">',
        "<title>Time and memory of one head’s picture against the length of the text, both axes logarithmic</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
    ]
    for power in range(low, high + 1):
        parts += [
            line([(LEFT, y(10.0**power)), (WIDTH - RIGHT, y(10.0**power))], LINE, 'style="stroke-width:1"'),
            text((LEFT - 8, y(10.0**power) + 4), f"{10.0**power:g}", anchor="end"),
        ]
    parts += [text((x(tokens), HEIGHT - BOTTOM + 20), f"{tokens:,}", anchor="middle") for tokens in lengths]
    parts.append(text(((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8), "tokens", anchor="middle"))
    tokens, seconds, memory = rows[-1]
    square = [(x(n), y(seconds * (n / tokens) ** 2)) for n in lengths if seconds * (n / tokens) ** 2 >= 10.0**low]
    parts.append(line(square, QUIET, 'stroke-dasharray="3 5" style="stroke-width:1"'))
    for column, colour in ((1, SECONDS), (2, MEMORY)):
        points = [(x(row[0]), y(row[column])) for row in rows]
        parts.append(line(points, colour))
        parts += [f'<circle cx="{across:.1f}" cy="{down:.1f}" r="3.5" fill="{colour}"/>' for across, down in points]
    beside = WIDTH - RIGHT + 10
    apart = 9 if abs(y(seconds) - y(memory)) < 30 else 0
    up = 1 if seconds > memory else -1
    parts += [
        text((beside, y(seconds) + 4 - up * apart), "seconds, one thread", SECONDS),
        text((beside, y(memory) + 4 + up * apart), "MiB beside", MEMORY),
        text((beside, y(memory) + 20 + up * apart), "queries and keys", MEMORY),
        text((square[1][0] + 16, square[1][1] + 18), "dashed: length²"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"
