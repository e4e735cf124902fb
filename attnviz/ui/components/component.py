"""Components of our own: JavaScript and CSS from the files beside this one, inline, without a build step or a CDN.

They live in the page itself rather than behind a shadow root, so that the browser's search, tests and assistive tools
find them like everything else; all their class names begin with `attnviz-`.
"""

from __future__ import annotations

import base64
import functools
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from attnviz.figures import style
from attnviz.ui.shell.messages import language, web_name

if TYPE_CHECKING:
    from streamlit.components.v2.bidi_component.state import ComponentResult

_COMMON = Path(__file__).resolve().with_name("common")
_log = logging.getLogger(__name__)


def define(module: str, *, parts: Sequence[str] = ()) -> Callable[..., ComponentResult]:
    """Registers the component whose program and style stand beside a module, under its name.

    Args:
        module: the `__file__` of the module: `head_grid.py` stands beside `head_grid.js` and `head_grid.css`.
        parts: what its program uses besides `common.js`, each the name of a file beside the module or, for what
            several components share, beside this one: "heatmap" is `heatmap.js` and, if there is one, `heatmap.css`.

    Returns:
        What mounts the component, with keywords as Streamlit's own; `data` is a dictionary. Functions that are called
        with what its program says need not look out for what it never says: that does nothing.

    Raises:
        FileNotFoundError: a part has no program.
    """
    beside = Path(module).resolve().with_suffix("")
    files = [_COMMON, *(_part(beside.parent, name) for name in parts), beside]
    scales = {theme: style.sequential_colours(theme) for theme in ("light", "dark")}
    signed = {theme: style.diverging_colours(theme) for theme in ("light", "dark")}
    constants = f"const SCALES = {json.dumps(scales)}, SIGNED_SCALES = {json.dumps(signed)};"
    js = [constants, *(_read(file, "js") for file in files)]
    css = [_read(file, "css") for file in files if file.with_suffix(".css").exists()]
    mount = st.components.v2.component(
        f"attnviz.{beside.name}", js="\n".join(js), css="\n".join(css), isolate_styles=False
    )

    def mount_in_language(*, data: Mapping[str, Any], **options: Any) -> ComponentResult:
        # Browsers hyphenate, screen readers speak and Chinese characters are drawn by the page's language, and numbers
        # get their decimal sign from it. Each component brings it along, because any of them may be drawn first.
        calls: dict[str, Any] = {name: _only_of_use(call) if callable(call) else call for name, call in options.items()}
        return mount(data={**data, "pageLanguage": web_name(language())}, **calls)

    return mount_in_language


def _only_of_use(call: Callable[..., object]) -> Callable[[], None]:
    """A function that is called with what a browser has sent, and does nothing where it can make no sense of that.

    A program of ours sends only what fits. Who writes messages by hand may send anything, and all that they would get
    for it is a page that does not come.
    """

    @functools.wraps(call)
    def call_or_ignore() -> None:
        try:
            call()
        except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            # What was sent may hold a reader's text, which is no matter for a log.
            _log.warning(
                "A component sent what it never sends: %s in %s.",
                type(error).__name__,
                getattr(call, "__qualname__", call),
            )

    return call_or_ignore


def encode(weights: np.ndarray) -> str:
    """Numbers in [0, 1] as base64 of 16-bit steps: a sixth of JSON's size, and exact to five digits."""
    steps = np.rint(np.clip(weights, 0.0, 1.0) * 65535).astype("<u2")
    return base64.b64encode(steps.tobytes()).decode("ascii")


def _part(folder: Path, name: str) -> Path:
    """Where a part stands: beside the component that uses it, or among what components share."""
    own = folder / name
    return own if own.with_suffix(".js").exists() else _COMMON.with_name(name)


def _read(path: Path, suffix: str) -> str:
    return path.with_suffix(f".{suffix}").read_text(encoding="utf-8")
