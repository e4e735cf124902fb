"""How an axis is divided into the cells of a picture, and what a picture of a region says besides its numbers."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from attnviz.errors import InputError

REDUCTIONS = ("share", "mean", "max", "lift")


@dataclass(frozen=True, slots=True)
class Cells:
    """Neighbouring positions of an axis in cells whose sizes differ by one at most.

    Attributes:
        edges: (cells + 1,) int64: cell i holds the positions edges[i] … edges[i + 1] - 1.

    >>> Cells.of(0, 7, 3).edges.tolist(), Cells.of(0, 7, 3).width
    ([0, 3, 5, 7], 3)
    """

    edges: Tensor

    @classmethod
    def of(cls, start: int, stop: int, size: int) -> Cells:
        """The positions start … stop - 1 in at most `size` cells."""
        count, cells = stop - start, min(stop - start, size)
        return cls(start + -(-torch.arange(cells + 1) * count // max(cells, 1)))

    @property
    def start(self) -> int:
        """The first position."""
        return int(self.edges[0])

    @property
    def stop(self) -> int:
        """The position behind the last one."""
        return int(self.edges[-1])

    @property
    def count(self) -> int:
        """How many cells there are."""
        return len(self.edges) - 1

    @property
    def sizes(self) -> Tensor:
        """(cells,) int64: how many positions each holds."""
        return self.edges.diff()

    @property
    def width(self) -> int:
        """How many positions the largest cell holds."""
        return int(self.sizes.max())

    @property
    def positions(self) -> Tensor:
        """(cells, width) int64; a cell with one position fewer ends with its last one twice (see `short`)."""
        return torch.minimum(self.edges[:-1, None] + torch.arange(self.width), self.edges[1:, None] - 1)

    @property
    def short(self) -> Tensor:
        """(cells,) boolean: which cells have one position fewer than others."""
        return self.sizes < self.width

    def index(self, rows: slice) -> Tensor:
        """(rows,) int64: the cell of each of the positions rows.start … rows.stop - 1."""
        return torch.bucketize(torch.arange(rows.start, rows.stop), self.edges[1:], right=True)


@dataclass(frozen=True, slots=True, eq=False)
class PooledRegion:
    """A region of attention maps in cells: what `Recording.pooled` gives, with what its axes mean.

    Attributes:
        values: float32 (row, column) for one head, (head, row, column) for all heads of a layer; on the CPU. In [0, 1],
            for "lift" 0 or more.
        row_edges: int64 (rows + 1,): row i holds the queries row_edges[i] … row_edges[i + 1] - 1.
        column_edges: int64 (columns + 1,): likewise for the keys.
        hidden_mass: float32 (row,) or (head, row), in [0, 1]: what share of the attention of a row's queries went to
            none of the tokens, as where a model has sinks; the mean over the queries.
        outside: likewise, what share went to keys that are not in this region. For "share", a row of `values` and
            these two sum to 1.
        reduce: "share", "mean", "max" or "lift".
    """

    values: Tensor
    row_edges: Tensor
    column_edges: Tensor
    hidden_mass: Tensor
    outside: Tensor
    reduce: str


def region_cells(name: str, region: tuple[int, int] | None, count: int, size: int) -> Cells:
    """The cells of a region of an axis.

    Args:
        name: what the region is called where it is asked for, for errors.
        region: (start, stop) within 0 … count, or None for all.
        count: positions on the axis.
        size: most cells, 1 or more.

    Raises:
        InputError: there is no such region or size.
    """
    if size < 1:
        raise InputError("`size` has to be 1 or more, not {0}.", size)
    start, stop = (0, count) if region is None else region
    if not 0 <= start < stop <= count:
        raise InputError("`{0}` is (start, stop) within 0 to {1}, not {2}.", name, count, region)
    return Cells.of(start, stop, size)


def check_reduce(reduce: str) -> None:
    """Raises InputError where there is no such way to fill a cell."""
    if reduce not in REDUCTIONS:
        raise InputError("`reduce` is one of {0}, not {1!r}.", REDUCTIONS, reduce)
