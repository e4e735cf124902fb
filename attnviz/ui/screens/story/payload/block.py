"""The way through the block around the head: what each of its parts adds, and how long a word's vector is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.ui.screens.story.payload.packing import pack

if TYPE_CHECKING:
    from attnviz.computation.layer import Computation
    from attnviz.computation.module_roles import Stage

ADDING = ("attention", "other attention", "feed-forward")


def block_stages(computation: Computation) -> list[dict[str, Any]]:
    """The parts of the block in the model's own order, each with the length of every token's vector there.

    The matrices inside the feed-forward network, whose vectors have another size, are left out.

    Returns:
        For each its `kind`, `lengths` (tokens,), and whether it `adds` to what was there; then `after` (tokens,) is the
        length of the sum, None where the sum comes only with a later part (GPT-NeoX adds two at once).
    """
    stages = computation.stages
    width = stages[0].vectors.shape[-1] if stages else 0
    sums = {
        max(index for index in stage.of if stages[index].kind in ADDING): stage
        for stage in reversed(stages)  # the first sum that a part is in counts
        if any(stages[index].kind in ADDING for index in stage.of)
    }
    summands = {index for stage in stages for index in stage.of}
    parts = []
    for index, stage in enumerate(stages):
        if stage.vectors.shape[-1] != width or stage.kind not in (*ADDING, "norm"):
            continue
        followed_by_norm = index + 1 < len(stages) and stages[index + 1].kind == "norm"
        if stage.kind == "feed-forward" and index not in summands and not followed_by_norm:
            continue  # a square matrix in the middle of the network
        after = sums.get(index)
        parts.append(
            {
                "kind": stage.kind,
                "adds": stage.kind in ADDING and index in summands,
                "lengths": _lengths(stage),
                "after": None if after is None else _lengths(after),
            }
        )
    return parts


def _lengths(stage: Stage) -> str:
    return pack(stage.norms.float().cpu().numpy())
