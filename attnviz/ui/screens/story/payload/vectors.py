"""The vectors of the second scene: a row of the embedding table, what is added to it, and the sum."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from attnviz.embeddings.hidden_states import hidden_states
from attnviz.errors import AttnvizError, LimitError
from attnviz.ui.screens.story.payload.packing import pack

if TYPE_CHECKING:
    from attnviz.computation.layer import Computation
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording

SHOWN = 32  # of a vector's numbers: as many as can be told apart as colours side by side


def first_vectors(model: Model, recording: Recording, kind: str, computation: Computation | None) -> dict[str, Any]:
    """What each token begins with, of `SHOWN` dimensions.

    Args:
        model: the one that made the recording.
        recording: of the text.
        kind: of the attention that the story is about.
        computation: of one of its layers, or None where the model cannot be followed.

    Returns:
        `width`, `shown`, `scale` (the largest magnitude), `factor` (what the model multiplies the embedding with),
        `positions` (where it has them: "added", "rotary", "bias", "none", "unknown"), `segments` (whether what is
        added tells two sentences apart as well), and the packed arrays (tokens, shown) `embedding`, `position` and
        `sum`; None where there is no such vector.
    """
    parts: dict[str, Tensor | None] = {"embedding": None, "position": None, "sum": None}
    factor, positions, segments = 1.0, "unknown", False
    if computation is not None and computation.added:
        token, *others = computation.added
        factor, positions = token.scale, computation.positions
        segments = any(item.kind == "segment" for item in others)
        total = sum((item.vectors for item in others), torch.zeros_like(token.vectors))
        parts["embedding"] = token.vectors
        parts["sum"] = computation.summed
        if others:
            # Where the model does more than adding, what is drawn as added is what really lies between the two.
            exact = torch.allclose(token.vectors + total, computation.summed, rtol=1e-3, atol=1e-4)
            parts["position"] = total if exact else computation.summed - token.vectors
    else:
        try:
            parts["embedding"] = hidden_states(model, recording, kind).static
        except LimitError:
            raise  # the next visit may have it
        except AttnvizError:
            parts["embedding"] = None  # it has no such table, or does not show it
        parts["sum"] = parts["embedding"]
    shown = {name: None if vectors is None else vectors[:, :SHOWN].float().cpu() for name, vectors in parts.items()}
    present = [vectors for vectors in shown.values() if vectors is not None]
    whole = next((vectors for vectors in parts.values() if vectors is not None), None)
    return {
        "width": 0 if whole is None else whole.shape[1],
        "shown": 0 if whole is None else min(SHOWN, whole.shape[1]),
        "scale": max((float(vectors.abs().max()) for vectors in present), default=1.0),
        "factor": factor if math.isfinite(factor) else 1.0,
        "positions": positions,
        "segments": segments,
        **{name: None if vectors is None else pack(vectors.numpy()) for name, vectors in shown.items()},
    }
