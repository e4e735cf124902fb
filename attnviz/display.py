"""Who draws a recording, a map or a picture in a notebook.

The drawing is made in `attnviz.export`, which stands on top of what it draws. So that nothing below has to know it,
only its name is here: the package's face sets it, and the module is imported when something is first shown.
"""

from __future__ import annotations

import importlib
from typing import Any

renderer: str | None = None
"""The module with the functions `show` (HTML of a value) and `show_png`, or None while nobody draws."""


def notebook_html(value: Any) -> str | None:
    """HTML for a notebook; None, for which it takes the repr, where nobody draws."""
    return _call("show", value)


def notebook_png(value: Any) -> bytes | None:
    """PNG for what cannot take HTML, such as a notebook that becomes a PDF; None where nobody draws."""
    return _call("show_png", value)


def _call(function: str, value: Any) -> Any:
    return None if renderer is None else getattr(importlib.import_module(renderer), function)(value)
