"""The strongest links of a head: its largest weights away from where nearly every head looks, found block by block."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from attnviz.attention.cells import Cells
from attnviz.attention.streaming import Head
from attnviz.errors import InputError

BESIDE = ("self", "previous", "first", "special")


@dataclass(frozen=True, slots=True, order=True)
class Link:
    """One weight of a map.

    Attributes:
        weight: in [0, 1].
        head: which head of the layer.
        query, key: the positions that look and that are looked at, from 0.
    """

    weight: float
    head: int
    query: int
    key: int


def check_links(count: int, beside: Collection[str]) -> None:
    """Raises InputError where so many links cannot be asked for, or something unknown is left out."""
    if count < 1:
        raise InputError("`{0}` has to be 1 or more, not {1}.", "count", count)
    unknown = sorted(set(beside) - set(BESIDE))
    if isinstance(beside, str) or unknown:
        raise InputError("`beside` names some of {0}, not {1}.", BESIDE, beside if isinstance(beside, str) else unknown)


def strongest(
    head: Head,
    count: int,
    beside: Collection[str],
    special_queries: Tensor,
    special_keys: Tensor,
    *,
    number: int,
    same_text: bool,
) -> list[Link]:
    """The largest weights of one head, the largest first and equal ones in reading order.

    Args:
        head: whose.
        count: at most so many; a weight of 0 is no link.
        beside: what is left out: "self" (a token's weight on itself), "previous" (on the token before), "first" (on the
            first token), "special" (of and on special tokens).
        special_queries, special_keys: (queries,) and (keys,) boolean.
        number: of the head, for the links.
        same_text: whether queries and keys are the same tokens; else there is no "self" and "previous".
    """
    values, places = torch.zeros(0), torch.zeros(0, dtype=torch.long)
    keys = head.keys
    rows, columns = Cells.of(0, len(special_queries), 1), Cells.of(0, keys, keys)
    head.prepare(rows, columns, whole=True)
    for block in head.row_blocks(rows):
        for start, weights in head.weights(block, columns):
            stop = start + weights.shape[1]
            if same_text:
                for name, before in (("self", 0), ("previous", 1)):
                    offset = block.start - before - start
                    if name in beside and -weights.shape[0] < offset < weights.shape[1]:
                        weights.diagonal(offset).zero_()
            if "first" in beside and start == 0:
                weights[:, 0] = 0.0
            if "special" in beside:
                weights[:, special_keys[start:stop].to(weights.device)] = 0.0
                weights[special_queries[block].to(weights.device)] = 0.0
            least = float(values[-1]) if len(values) == count else 0.0
            if float(weights.amax()) <= least:
                continue
            top, index = weights.flatten().topk(min(count, weights.numel()))
            place = (block.start + index // (stop - start)) * keys + start + index % (stop - start)
            values, places = torch.cat([values, top.cpu()]), torch.cat([places, place.cpu()])
            order = values.topk(min(count, len(values))).indices
            values, places = values[order], places[order]
    found = [
        Link(value, number, place // keys, place % keys)
        for value, place in zip(values.tolist(), places.tolist(), strict=True)
        if value > 0
    ]
    return sorted(found, key=lambda link: (-link.weight, link.query, link.key))
