"""The way through the block around the head: what each of its parts adds, and how long a word's vector is there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from attnviz.ui.screens.story.packing import pack

if TYPE_CHECKING:
    from attnviz.computation.layer import Computation
    from attnviz.computation.module_roles import Stage

ADDING = ("attention", "other attention", "feed-forward")


def block_stages(computation: Computation) -> list[dict[str, Any]]:
    """The stages in the model's own order, each with the length of every token's vector.

    The matrices inside the feed-forward network, whose vectors have another size, are left out, and so is what leaves
    the block where it is the sum or the norm just before.
    """
    stages = computation.stages
    width = stages[0].vectors.shape[-1] if stages else 0
    summands = {index for stage in stages for index in stage.of}
    chosen: list[tuple[int, Stage]] = []
    for index, stage in enumerate(stages):
        if stage.vectors.shape[-1] != width or stage.kind == "activation":
            continue
        if stage.kind == "output" and chosen and chosen[-1][1].vectors.equal(stage.vectors):
            continue
        if stage.kind == "feed-forward" and index not in summands and stages[index + 1].kind != "norm":
            continue  # a square matrix in the middle of the network
        chosen.append((index, stage))
    return [
        {
            "kind": stage.kind,
            "adds": stage.kind in ADDING and index in summands,
            "lengths": pack(stage.norms.float().cpu().numpy()),
        }
        for index, stage in chosen
    ]
