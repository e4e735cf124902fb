"""What the page that follows a computation opens with: the head that ties verb and object."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.measures.telling_heads import telling_head
from attnviz.ui.controls import url_state

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording


def open_on_a_telling_head(recording: Recording, kind: str, model: str) -> None:
    """Where neither the reader nor the link has chosen layer or head: puts the most telling ones into the controls."""
    if url_state.is_chosen("layer", "head"):
        return
    layer, head = telling_head(recording, kind, model)
    url_state.open_with("layer", layer)
    url_state.open_with("head", head)
