"""What the reader chose to see.

It stands apart from the page, which is read anew in each run: making a class takes longer than drawing most controls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from attnviz.ui.controls.display_options import Switches


@dataclass(frozen=True)
class HeadSelection:
    """All that decides what the figures show, apart from the recording."""

    kind: str
    layer: int
    head: int | None
    switches: Switches
