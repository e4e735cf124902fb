"""The keys of a picture's columns, in the blocks and in the order in which they are multiplied with queries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from attnviz.attention.cells import Cells


@dataclass(frozen=True, slots=True, eq=False)
class KeyBlock:
    """The keys of some neighbouring cells, or of a part of one cell.

    A cell's keys lie apart, so that a processor adds up many cells at a time: first each cell's first key, then each
    cell's second.

    Attributes:
        cells: which of the columns' cells.
        start, stop: these hold the positions start … stop - 1.
        width: how many keys of each cell there are.
        key: (width × cells, dimensions).
        positions: (width × cells,) int64; a cell with one key fewer than others ends with its last one twice.
        short: (cells,) boolean: which cells these are; None where there is none of them, or their ends are not here.
    """

    cells: slice
    start: int
    stop: int
    width: int
    key: Tensor
    positions: Tensor
    short: Tensor | None

    def part(self, first: int, stop: int, edges: Tensor) -> KeyBlock | None:
        """Only the cells that hold some of the positions first … stop - 1; None where no cell does.

        Args:
            first, stop: the positions.
            edges: of the columns.
        """
        if first <= self.start and self.stop <= stop:
            return self
        if stop <= self.start or self.stop <= first:
            return None
        low = max(self.cells.start, int(torch.searchsorted(edges, first, right=True)) - 1)
        high = min(self.cells.stop, int(torch.searchsorted(edges, stop)))
        here = slice(low - self.cells.start, high - self.cells.start)
        return KeyBlock(
            slice(low, high),
            int(edges[low]),
            int(edges[high]),
            self.width,
            self.key.view(self.width, -1, self.key.shape[-1])[:, here].flatten(0, 1),
            self.positions.view(self.width, -1)[:, here].flatten(),
            None if self.short is None else self.short[here],
        )


def key_blocks(key: Tensor, columns: Cells, most: int, dtype: torch.dtype, ones: int) -> Iterator[KeyBlock]:
    """The keys of all the cells of `columns`, in order.

    Args:
        key: (keys, head_dim), of all positions and in any precision.
        columns: cells of its positions.
        most: keys of a block; of a cell with more, a block holds a part.
        dtype: the blocks' precision.
        ones: as many dimensions are added to each key, and are 1.
    """
    positions, short, width, edges = columns.positions, columns.short, columns.width, columns.edges.tolist()
    step, part = max(1, most // width), min(width, most)
    for low in range(0, columns.count, step):
        cells = slice(low, min(low + step, columns.count))
        for begin in range(0, width, part):
            at = positions[cells, begin : begin + part].T.flatten().to(key.device)
            block = key.new_ones(len(at), key.shape[-1] + ones, dtype=dtype)
            block[:, : key.shape[-1]] = key[at]
            ends = short[cells] if begin + part >= width and bool(short[cells].any()) else None
            ends = None if ends is None else ends.to(key.device)
            held = len(at) // (cells.stop - cells.start)
            yield KeyBlock(cells, edges[cells.start], edges[cells.stop], held, block, at, ends)
