"""attnviz: see what every attention head of a transformer does with a sentence.

    import attnviz

    model = attnviz.load("bundled")
    recording = model.record("Der Hund sah den Ball.")
    recording.map("encoder", layer=1, head=3).by_word()

Importing this package is quick: torch and transformers come in when a model is loaded.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from attnviz import display
from attnviz.errors import AttnvizError

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.models.loading.load import load
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording
    from attnviz.tokenization.token import Token

display.renderer = "attnviz.export.notebook"

__version__ = "0.1.0"
__all__ = ["AttentionMap", "AttnvizError", "Model", "Recording", "Token", "load"]

_HOMES = {
    "AttentionMap": "attnviz.attention.attention_map",
    "Model": "attnviz.models.model",
    "Recording": "attnviz.models.recording.recording",
    "Token": "attnviz.tokenization.token",
    "load": "attnviz.models.loading.load",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'attnviz' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
