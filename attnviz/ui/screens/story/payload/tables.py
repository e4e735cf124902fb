"""The numbers of the story as tables, for files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.ui.screens.story.payload.packing import unpack
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from attnviz.export.tables import Table


def story_tables(story: Mapping[str, Any]) -> list[Table]:
    """Tokens, the head's scores and shares, the block, the nearest words, and what is written.

    Args:
        story: what `wording.story_payload` returns.
    """
    from attnviz.export.tables import Table

    words, head = story["texts"]["tables"], story["head"]
    labels = [token["label"] for token in story["tokens"]]
    count = len(labels)
    tables = [
        Table(_("Tokens"), {words["token"]: labels, words["id"]: [token["id"] for token in story["tokens"]]}),
    ]
    for title, name in ((_("Scores"), "scores"), (_("Shares"), "weights")):
        if head[name] is not None:
            rows = unpack(head[name], count, count)
            # A score that a mask forbids is none.
            columns = {
                label: [float(value) if np.isfinite(value) else None for value in rows[:, index]]
                for index, label in enumerate(labels)
            }
            tables.append(Table(f"{title} {head['name']}", {words["token"]: labels} | columns))
    if story["block"]:
        lengths = {
            f"{number} {stage['name']}": [float(value) for value in unpack(stage["lengths"], count)]
            for number, stage in enumerate(story["block"], 1)
        }
        tables.append(Table(f"{_('Block')} · {words['length']}", {words["token"]: labels} | lengths))
    journey = story["journey"]
    if journey:
        rows_near = [
            (labels[index], layer, word, similarity)
            for index, layers in enumerate(journey["nearest"])
            for layer, near in zip(journey["layers"], layers or (), strict=False)
            for word, similarity in near
        ]
        names = (words["token"], words["layer"], words["nearest"], words["similarity"])
        if rows_near:
            tables.append(
                Table(words["nearest"], dict(zip(names, map(list, zip(*rows_near, strict=True)), strict=True)))
            )
    if story["writing"]:
        rows_next = [
            (number, step["label"], word, probability)
            for number, step in enumerate(story["writing"]["steps"], 1)
            for word, probability in step["candidates"]
        ]
        names = (words["step"], words["token"], words["candidate"], words["probability"])
        tables.append(
            Table(words["probability"], dict(zip(names, map(list, zip(*rows_next, strict=True)), strict=True)))
        )
    return tables
