"""One head with all its numbers: queries, keys, scores, shares, values and what comes of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import AttnvizError, LimitError
from attnviz.ui.screens.story.payload.packing import pack, pack_flags

if TYPE_CHECKING:
    from attnviz.computation.layer import Computation
    from attnviz.models.recording.recording import Recording


def head_numbers(
    recording: Recording, kind: str, layer: int, head: int, computation: Computation | None
) -> dict[str, Any]:
    """A head's numbers, packed.

    Args:
        recording: of the text.
        kind, layer, head: which head, as in `Recording.weights`.
        computation: of the layer, or None where the model gives its weights alone.

    Returns:
        `weights` (queries, keys) and `visible` likewise; where they are known, `queries` and `keys` (tokens, width),
        `values` and `outputs` (tokens, valueWidth), `scores` (queries, keys) as they go into the softmax, `divisor`
        (what the products are divided by) and `plain`: whether the scores are just that, with nothing added.
    """
    weights = recording.weights(kind, layer=layer, head=head).cpu().numpy()
    numbers: dict[str, Any] = {
        "width": 0, "valueWidth": 0, "divisor": 1.0, "queries": None, "keys": None, "values": None, "scores": None,
        "plain": False, "outputs": None, "weights": pack(weights),
    }  # fmt: skip
    visible = weights > 0
    if computation is not None:
        queries, keys, values = (
            get(kind, layer=layer, head=head).float().cpu().numpy()
            for get in (recording.queries, recording.keys, recording.values)
        )
        scores = recording.scores(kind, layer=layer, head=head).cpu().numpy()
        visible = np.isfinite(scores) & (scores > np.finfo(np.float16).min)
        divided = queries @ keys.T * computation.scale
        numbers |= {
            "width": queries.shape[1],
            "valueWidth": values.shape[1],
            "divisor": 1 / computation.scale,
            "queries": pack(queries),
            "keys": pack(keys),
            "values": pack(values),
            "scores": pack(np.where(visible, scores, -np.inf)),
            "plain": not computation.has_sink and bool(np.allclose(scores[visible], divided[visible], 1e-3, 1e-3)),
            "outputs": pack(computation.heads(head).cpu().numpy()),
        }
    else:
        try:
            scores = recording.scores(kind, layer=layer, head=head).cpu().numpy()
            visible = np.isfinite(scores)
            numbers["scores"] = pack(scores)
        except LimitError:
            raise  # the next visit may have it
        except AttnvizError:
            pass  # such a model gives its weights and nothing before them
    return numbers | {"visible": pack_flags(visible)}
