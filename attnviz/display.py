"""Who draws a recording, a map or a picture in a notebook.

The drawing is made in `attnviz.export`, which stands on top of what it draws. So that nothing below has to know it,
only its name is here: the package's face sets it, and the module is imported when something is first shown.
"""

from __future__ import annotations

import importlib
from typing import Any

renderer: tuple[str, str] | None = None
"""Module and function that make HTML of a value, or None while nobody draws."""


def notebook_html(value: Any) -> str | None:
    """HTML for a notebook; None, for which it takes the repr, where nobody draws."""
    if renderer is None:
        return None
    module, function = renderer
    return getattr(importlib.import_module(module), function)(value)
