"""A region of a map as the browser gets it: one byte a cell, at most `CELLS` cells a side, packed.

    Recording.pooled_region ─ steps of a logarithmic scale ─ zlib ─ base64

A cell's byte is 0 where nothing falls into it, else 1 … 255 in even steps of the logarithm from `low` to `high`: values
of six decades to about 3 %, from which the browser makes colours for any scale without asking again.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.tokenization.token import labels

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording
    from attnviz.tokenization.passages import Passage
    from attnviz.tokenization.token import Token
    from attnviz.ui.screens.long_text.address import Region

CELLS = 256
"""Rows and columns of a picture; finer ones have more cells than a screen has room for."""
DECADES = 6.0
"""Powers of ten below the largest value that are told apart."""
MOST_NAMED = 96
"""Tokens of a region's side up to which the browser gets their labels."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A region with its numbers.

    Attributes:
        region: of the map.
        values: float32 (rows, columns).
        row_edges, column_edges: int64 (rows + 1,) and (columns + 1,): where the cells begin and end.
    """

    region: Region
    values: np.ndarray
    row_edges: np.ndarray
    column_edges: np.ndarray

    def strongest(self) -> tuple[int, int, float]:
        """Row, column and value of the largest cell."""
        row, column = np.unravel_index(int(np.argmax(self.values)), self.values.shape)
        return int(row), int(column), float(self.values[row, column])


def read_region(recording: Recording, kind: str, layer: int, head: int, region: Region, reduce: str) -> Shown:
    """The exact cells of a region; `reduce` is "lift" or "share"."""
    rows, columns = (region.first, region.stop), (region.key_first, region.key_stop)
    pooled = recording.pooled_region(kind, layer, head, CELLS, reduce, rows, columns)
    return Shown(region, pooled.values.numpy(), pooled.row_edges.numpy(), pooled.column_edges.numpy())


def packed(values: np.ndarray) -> dict[str, Any]:
    """Values of 0 or more as bytes, with what they stand for."""
    high = float(values.max(initial=0.0)) or 1.0
    low = max(float(values[values > 0].min(initial=high)), high / 10**DECADES) * 0.999
    span = max(np.log(high / low), 1e-9)
    with np.errstate(divide="ignore"):
        steps = 1 + np.rint(254 * np.clip(np.log(values / low) / span, 0.0, 1.0))
    codes = np.where(values > 0, steps, 0).astype(np.uint8)
    return {"cells": base64.b64encode(zlib.compress(codes.tobytes(), 6)).decode("ascii"), "low": low, "high": high}


def unpacked(data: dict[str, Any]) -> np.ndarray:
    """What `packed` stands for, as the browser reads it: (cells,).

    >>> unpacked(packed(np.array([0.0, 0.25, 1.0]))).round(2).tolist()
    [0.0, 0.25, 1.0]
    """
    codes = np.frombuffer(zlib.decompress(base64.b64decode(data["cells"])), dtype=np.uint8)
    values = data["low"] * np.exp((codes.astype(float) - 1) / 254 * np.log(data["high"] / data["low"]))
    return np.where(codes > 0, values, 0.0)


def region_data(shown: Shown, queries: Sequence[Token], keys: Sequence[Token]) -> dict[str, Any]:
    """A picture for the browser."""
    rows, columns = shown.values.shape
    data: dict[str, Any] = {"region": list(shown.region), "rows": rows, "columns": columns, **packed(shown.values)}
    for name, tokens, edges in (("queries", queries, shown.row_edges), ("keys", keys, shown.column_edges)):
        first, stop = int(edges[0]), int(edges[-1])
        if stop - first <= MOST_NAMED:
            data[name] = [labels([token])[0] for token in tokens[first:stop]]  # the same word again is no other word
    return data


def received(whole: Shown, passages: Sequence[Passage]) -> np.ndarray:
    """(passages,): how much each is looked at, 1 being even; the mean over the rows that may see it."""
    sums = whole.values.sum(axis=0) / np.maximum((whole.values > 0).sum(axis=0), 1)
    return _over_passages(sums, whole.column_edges, passages)


def _over_passages(values: np.ndarray, edges: np.ndarray, passages: Sequence[Passage]) -> np.ndarray:
    """(passages,): the mean over their tokens of values that hold for cells of tokens."""
    of_token = np.repeat(values, np.diff(edges))
    total = np.concatenate([[0.0], np.cumsum(of_token)])
    starts, stops = (np.array([getattr(passage, side) for passage in passages]) for side in ("start", "stop"))
    return (total[stops] - total[starts]) / np.maximum(stops - starts, 1)


def read_passage(
    recording: Recording, kind: str, layer: int, head: int, passage: Passage, others: Sequence[Passage], *,
    received: bool,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """What a passage looks at, or what looks at it.

    Args:
        recording, kind, layer, head: which map.
        passage: with at least one token.
        others: the passages of the other axis.
        received: whether it is what looks at it.

    Returns:
        (others,) twice: what share of the attention of the one that looks falls on the other one, and how that
        compares with an even spread, which is 1.
    """
    from attnviz.attention.cells import Cells
    from attnviz.attention.pooling import pool

    (one,) = recording.read_heads(kind, layer, head)
    count = others[-1].stop
    own, every = Cells.of(passage.start, passage.stop, 1), Cells.of(0, count, count)
    sides = (every, own) if received else (own, every)
    share, lift = (pool(one, *sides, reduce)[0].numpy().ravel() for reduce in ("share", "lift"))
    edges = np.arange(count + 1)
    shares, lifts = _over_passages(share, edges, others), _over_passages(lift, edges, others)
    if not received:  # the sum over the keys of a passage
        shares = shares * np.array([other.stop - other.start for other in others])
    return shares, lifts
