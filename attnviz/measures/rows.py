"""The rows of maps, a layer or a whole recording at a time, as the measures read them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from attnviz.aggregate import each_head
from attnviz.attention.attention_map import AttentionMap

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording


Prepare = Callable[[AttentionMap], AttentionMap]
"""What is done to each map before it is measured, such as `lambda map: map.hide(is_special).by_word()`."""

STACKED = 1 << 16
"""Weights of a map up to which the heads of a layer are measured at once; a larger one fills the processor's cache."""

NOTHING = 1e-12
"""A row with less than this is taken for empty; 1e-7 is the rounding of a whole one."""


def iterate_maps(recording: Recording, kind: str, prepare: Prepare | None) -> Iterator[list[AttentionMap]]:
    """The maps of all heads, some with the same tokens at a time."""
    layers, heads, queries, keys = recording.size(kind)
    at_once = heads if queries * keys <= STACKED else 1
    for layer in range(layers):
        maps = each_head(recording, kind, layer)
        while some := list(itertools.islice(maps, at_once)):
            yield some if prepare is None else [prepare(map) for map in some]


def row_outcomes(map: AttentionMap) -> tuple[np.ndarray, np.ndarray]:
    """(query, key) and (query,): what is shown, and what else there is, of rows divided so that both sum to 1.

    Of a renormalised map there is nothing else, unless nothing is shown.
    """
    shown, rest = map.amounts()
    if map.renormalised:
        shown, rest = map.weights, np.zeros_like(rest)
    total = shown.sum(axis=1) + rest
    some = total > NOTHING
    divisor = np.where(some, total, 1.0)
    return shown / divisor[:, None], np.where(some, rest / divisor, 1.0)


def whole_rows(map: AttentionMap) -> np.ndarray:
    """(query, key + 1): distributions whose last outcome is what the map does not show."""
    shown, rest = row_outcomes(map)
    return np.concatenate([shown, rest[:, None]], axis=1)
