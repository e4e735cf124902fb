"""A layer of a text whose model gives its weights and no queries and keys, in the form of a layer of a batch.

Such models (Bloom, GPT-J, DeBERTa and others) compute their attention in code of their own, so only the weights of one
text at a time are known to be right: those that a recording keeps and proves.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class TextLayer:
    """One layer of one text, of a model that gives its weights and no queries and keys; used as a `BatchLayer`.

    Attributes:
        kind, layer: which.
        maps: (heads, queries, keys) in [0, 1]; rows sum to 1.
    """

    kind: str
    layer: int
    maps: Tensor

    @property
    def size(self) -> tuple[int, int, int, int]:
        """(1, heads, queries, keys)."""
        return (1, *self.maps.shape)

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.maps.device

    def of_text(self, index: int) -> TextLayer:
        """Itself: there is no other text."""
        return self

    def allowed(self, rows: slice) -> Tensor:
        """Which keys some queries may see, (1, rows, keys): softmax gives each of those more than 0 in some head."""
        return (self.maps[:, rows] > 0).any(dim=0)[None]

    def weights(self, rows: slice) -> Tensor:
        """The attention of some queries: float32 (1, heads, rows, keys)."""
        return self.maps[None, :, rows].float()
