"""How a model is called on the screen, and how a name with a revision is read."""

from __future__ import annotations

import os
import re

from attnviz.ui.shell.messages import BUNDLED, model_label

__all__ = ["BUNDLED", "model_and_revision", "model_label"]


def model_and_revision(name: str) -> tuple[str, str | None]:
    """The parts of what the model's box holds; a folder with an "@" in its name is a folder.

    >>> model_and_revision("google-t5/t5-small@df1b051")
    ('google-t5/t5-small', 'df1b051')
    """
    parts = re.fullmatch(r"([\w.-]+(?:/[\w.-]+)?)@([\w./-]+)", name)
    if parts is None or os.path.exists(os.path.expanduser(name)):
        return name, None
    return parts[1], parts[2]
