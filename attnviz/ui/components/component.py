"""Components of our own: JavaScript and CSS from the files beside this one, inline, without a build step or a CDN.

They live in the page itself rather than behind a shadow root, so that the browser's search, tests and assistive tools
find them like everything else; all their class names begin with `attnviz-`.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from attnviz.figures import style

if TYPE_CHECKING:
    from streamlit.components.v2.types import ComponentRenderer

_COMMON = Path(__file__).resolve().with_name("common")


def define(module: str, name: str = "") -> ComponentRenderer:
    """Registers the component whose program and style stand beside a module, under its name or another.

    Args:
        module: the `__file__` of the module: `head_grid.py` stands beside `head_grid.js` and `head_grid.css`.
        name: of the two files, where it is not the module's.

    Returns:
        What mounts the component.
    """
    beside = Path(module).resolve().with_name(name or Path(module).stem)
    scales = {theme: style.sequential_colours(theme) for theme in ("light", "dark")}
    parts = [f"const SCALES = {json.dumps(scales)};", _read(_COMMON, "js"), _read(beside, "js")]
    css = "\n".join([_read(_COMMON, "css"), _read(beside, "css")])
    return st.components.v2.component(f"attnviz.{beside.name}", js="\n".join(parts), css=css, isolate_styles=False)


def encode(weights: np.ndarray) -> str:
    """Numbers in [0, 1] as base64 of 16-bit steps: a sixth of JSON's size, and exact to five digits."""
    steps = np.rint(np.clip(weights, 0.0, 1.0) * 65535).astype("<u2")
    return base64.b64encode(steps.tobytes()).decode("ascii")


def _read(path: Path, suffix: str) -> str:
    return path.with_suffix(f".{suffix}").read_text(encoding="utf-8")
