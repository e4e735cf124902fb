"""Numbers to colours: the figures' scales in 256 steps, and what can be read on each."""

from __future__ import annotations

import base64
import io
from functools import cache

import numpy as np
from PIL import Image

from attnviz.figures import style

STEPS = 256


@cache
def ramp(theme: style.Theme, diverging: bool = False) -> np.ndarray:
    """uint8 (256, 3): the scale for weights from 0 to the top, or for differences from -top to top."""
    stops = style.diverging(theme) if diverging else style.sequential(theme)
    positions = [position for position, _ in stops]
    channels = np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for _, colour in stops])
    wanted = np.linspace(0.0, 1.0, STEPS)
    table = np.stack([np.interp(wanted, positions, channels[:, channel]) for channel in range(3)], axis=1)
    return table.round().astype(np.uint8)


def colour_steps(values: np.ndarray, top: float, diverging: bool = False, root: bool = False) -> np.ndarray:
    """uint8, as `values`: the step of `ramp` for each; not a number has the colour of 0.

    With `root` the steps of weights go by their square root.

    >>> colour_steps(np.array([0.0, 0.5, 1.0]), top=1.0).tolist()
    [0, 128, 255]
    """
    shares = np.nan_to_num(np.asarray(values, dtype=np.float64), nan=0.0) / top
    if diverging:
        shares = (shares + 1.0) / 2.0
    elif root:
        shares = np.sqrt(np.clip(shares, 0.0, None))
    return np.floor(np.clip(shares, 0.0, 1.0) * (STEPS - 1) + 0.5).astype(np.uint8)


def hex_colour(colour: np.ndarray) -> str:
    """As SVG writes it: "#2b5f9e"."""
    return "#" + bytes(colour.tolist()).hex()


@cache
def ink(theme: style.Theme, diverging: bool = False) -> tuple[str, ...]:
    """For each step black or white, whichever stands out from it more: at least 4.5 : 1 on any colour."""
    shares = ramp(theme, diverging) / 255.0
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    luminance = linear @ np.array([0.2126, 0.7152, 0.0722])  # WCAG 2.2, "relative luminance"
    # Where (luminance + 0.05) / 0.05 and 1.05 / (luminance + 0.05), the two "contrast ratios", are equal.
    return tuple("#000000" if light else "#ffffff" for light in luminance > 0.05 * 21**0.5 - 0.05)


def png_data(steps: np.ndarray, table: np.ndarray) -> str:
    """An image with a pixel for each weight, as base64."""
    image = Image.fromarray(steps)
    image.putpalette(table.tobytes())
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return base64.b64encode(stream.getvalue()).decode()
