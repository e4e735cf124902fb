"""A picture of a region of one head's map: its weights in cells of queries and keys, in one of four ways."""

from __future__ import annotations

import torch
from torch import Tensor

from attnviz.attention.blockwise import Spans
from attnviz.attention.cells import Cells
from attnviz.attention.streaming import Head, HeadVectors, RowCells, exact
from attnviz.attention.workers import in_parallel


def pool(head: Head, rows: Cells, columns: Cells, reduce: str) -> tuple[Tensor, Tensor, Tensor]:
    """A picture of a region of one head's map.

    Args:
        head: whose.
        rows, columns: the cells of queries and keys.
        reduce: "share" (what part of a query's attention falls into the cell, the mean over the cell's queries), "mean"
            (the average weight), "max" (the largest), "lift" ("share" divided by what it were if each query spread its
            attention evenly over the keys that it may see: 1 is even; 0 where none may be seen).

    Returns:
        float32 (rows, columns), and (rows,) each of what was hidden and what went to keys outside the region, as in
        `PooledRegion`; on the CPU.
    """
    device = head.query.device if isinstance(head, HeadVectors) else torch.device("cpu")
    dtype = exact(device)
    total = torch.zeros(rows.count, columns.count, dtype=dtype, device=device)
    even = torch.zeros_like(total) if reduce == "lift" else None
    hidden, outside = (torch.zeros(rows.count, dtype=dtype, device=device) for _ in range(2))
    head.prepare(rows, columns)
    whole = columns.start == 0 and columns.stop == head.keys

    def read(block: slice) -> RowCells:
        return head.cells(block, columns, largest=reduce == "max")

    for block, part in in_parallel(read, head.row_blocks(rows, columns), device):
        missing = torch.zeros_like(part.shown) if whole else (1.0 - part.shown - part.hidden).clamp_min(0.0)
        _reduce(total, rows, block, part.values, "amax" if reduce == "max" else "sum")
        _reduce(hidden, rows, block, part.hidden, "sum")
        _reduce(outside, rows, block, missing, "sum")
        if even is not None:
            _reduce(even, rows, block, _even_shares(head.visible, block, columns, head.keys), "sum")
    counts = rows.sizes.to(device)
    if reduce == "share":
        total /= counts[:, None]
    elif reduce == "mean":
        total /= counts[:, None] * columns.sizes.to(device)
    elif even is not None:
        total = torch.where(even > 0, total / even.clamp_min(torch.finfo(torch.float32).tiny), 0.0)
    return total.float().cpu(), (hidden / counts).float().cpu(), (outside / counts).float().cpu()


def _even_shares(visible: Spans | Tensor | None, rows: slice, columns: Cells, keys: int) -> Tensor:
    """(rows, cells): what share of an even spread over the keys that a query may see falls into each cell."""
    if visible is None:
        return (columns.sizes / keys).expand(rows.stop - rows.start, -1)
    if isinstance(visible, Spans):
        edges = columns.edges.to(visible.first.device)
        first, stop = visible.first[rows, None], visible.stop[rows, None]
        seen = torch.minimum(stop, edges[1:]) - torch.maximum(first, edges[:-1])
        return seen.clamp_min(0) / (stop - first).clamp_min(1)
    allowed = (visible if visible.shape[0] == 1 else visible[rows]).expand(rows.stop - rows.start, -1)
    gathered = allowed[:, columns.positions.to(allowed.device)]
    gathered[:, columns.short.to(allowed.device), -1] = False
    return gathered.sum(dim=-1) / allowed.sum(dim=-1, keepdim=True).clamp_min(1)


def _reduce(target: Tensor, rows: Cells, block: slice, values: Tensor, how: str) -> None:
    """Adds the values of a block of rows to those of their cells, or takes the largest."""
    index = rows.index(block)
    here = slice(int(index[0]), int(index[-1]) + 1)
    low = torch.zeros(here.stop - here.start, *values.shape[1:], dtype=values.dtype, device=values.device)
    index = (index - here.start).to(values.device)
    if how == "sum":
        target[here] += low.index_add_(0, index, values).to(target.device, target.dtype)
    else:
        low.scatter_reduce_(0, index[:, None].expand_as(values), values, "amax")
        target[here] = torch.maximum(target[here], low.to(target.device, target.dtype))
