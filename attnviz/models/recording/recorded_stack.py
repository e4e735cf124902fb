"""What one stack of a model leaves of a forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from attnviz.models.capture.capture import Layer
from attnviz.tokenization.token import Token

Stored = Layer | Tensor
"""A layer as captured, or its (heads, queries, keys) weights where the model could only be asked for those."""


@dataclass(frozen=True, slots=True)
class RecordedStack:
    """The layers of the kinds that one stack of the model gives, with their tokens.

    Attributes:
        layers: per kind, a `Stored` for each layer.
        tokens: of this stack: the queries of its kinds.
        logits: (sequence, vocabulary) float32, or None.
    """

    layers: Mapping[str, Sequence[Stored]]
    tokens: tuple[Token, ...]
    logits: Tensor | None = None
