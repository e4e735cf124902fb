"""Shows errors and remarks on the screen as plain text: nothing in them is read as markup, none is a traceback."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from attnviz.errors import AttnvizError, LoadError, NotOfferedError
from attnviz.serving.limits import limits
from attnviz.serving.requests import note_error
from attnviz.ui.shell.messages import _, translate

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

T = TypeVar("T")

_logger = logging.getLogger("attnviz")


def as_markdown(text: str) -> str:
    """The text, escaped wherever Streamlit's Markdown would read markup, a link, a picture, a formula or an icon."""
    escaped = re.sub(r"([\\`*_\[\]<>~$:#|&@])", r"\\\1", text)
    # Lists and underlined headings begin a line.
    escaped = re.sub(r"(?m)^(\s*)([-+=])", r"\1\\\2", escaped)
    escaped = re.sub(r"(?m)^(\s*\d+)([.)])", r"\1\\\2", escaped)
    return escaped.replace("www.", "www\\.").replace("\n", "  \n")


def attempt(
    container: DeltaGenerator, make: Callable[[], T], help_out: Callable[[AttnvizError], None] | None = None
) -> T | None:
    """Returns what `make` makes; where it fails, says why in `container` and returns None. What was typed stays.

    `help_out` may put a way out below what was said, as `offering_beginning` does.
    """
    try:
        return make()
    except AttnvizError as error:
        note_error(error)
        container.error(as_markdown(error_text(error)), icon=":material/error:")
        if help_out is not None:
            help_out(error)
    except Exception as error:
        # A mistake of ours: the details are for the terminal.
        _logger.exception("a page could not be drawn")
        note_error(error)
        message = _("Something went wrong that should not have. The terminal that runs attnviz says more.")
        container.error(f"{message} {as_markdown(f'({type(error).__name__})')}", icon=":material/error:")
    return None


def error_text(error: AttnvizError) -> str:
    """What a reader is told of an error. Strangers are not told what is wrong with a model of the list, for such
    messages name folders and versions."""
    if limits().public and isinstance(error, LoadError) and not isinstance(error, NotOfferedError):
        _logger.error("a model could not be loaded", exc_info=error)
        return _("This model cannot be loaded here at the moment. Choose another one.")
    return translate(error.message)


class Remarks:
    """What a link asks for that does not exist, and what is shown instead; all in one warning box in `container`."""

    def __init__(self, container: DeltaGenerator) -> None:
        self._container = container
        self._remarks: list[str] = []

    def __call__(self, text: str) -> None:
        """Adds one."""
        self._remarks.append(as_markdown(text))
        self._container.warning("  \n".join(self._remarks), icon=":material/info:")
