"""Rows of a head in cells on a GPU, in one kernel that never writes the scores down, where that is known to be right.

The kernel itself is in `triton_kernel`. Here is when it is used, and how it is checked: for each way of using it
(precision, dimensions, what the rule asks for), the first and the last rows that it is asked for are computed in blocks
as well, and where the two differ, or there is no Triton, or the GPU does not take the kernel, the caller computes
everything in blocks. So a head's numbers are right either way, and only their time differs.

Biases, boolean masks, texts so short that sums are taken in float64, and parts with few scores are left to the blocks.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from attnviz.attention.cells import Cells

DEVICES: tuple[str, ...] = ("cuda",)
"""Kinds of devices whose tensors the kernel reads."""
LEAST_SCORES = 1 << 26
"""Scores of a part from which the kernel is used: building it takes seconds, the blocks of fewer scores do not."""
MOST_CELLS = 1 << 25
"""Cells of a part: 128 MiB of sums, and as much of what was taken off."""
AGREEMENT = 5e-4
"""What a cell may differ from the same cell in blocks, as a share of it: float32 leaves out 1e-7 of each score, and a
head's scores may be in the hundreds."""
TRIAL_ROWS = 160
"""Rows at each end of a part that are computed in both ways; more than one block of the kernel's."""
_NEGLIGIBLE = 1e-6
"""Share of a row's largest cell below which another one need not be right in all its digits."""
_LEAST_KEYS = 9
"""Keys of a cell from which sums are far fewer than scores."""
_MOST_DIMENSIONS = 256
_MOST_COLUMNS = 1 << 15
"""Their square is below 2^31, which the kernel counts in."""


class Tile(NamedTuple):
    """How the kernel divides its work: rows and keys of a block, and what Triton is asked for."""

    rows: int
    keys: int
    options: dict[str, int]


_FEW = {"num_warps": 4, "num_stages": 2}
_MANY = {"num_warps": 8, "num_stages": 2}
TILES = {
    2: (Tile(128, 128, {**_MANY, "maxnreg": 128}), Tile(64, 64, _FEW)),
    4: (Tile(32, 64, _MANY), Tile(32, 32, _FEW)),
}
"""By the bytes of a number: the first that a GPU takes is used; smaller ones are for those with little fast memory.

With so many registers, two blocks share a processor of a GPU like an H100: one takes exponentials while the other
multiplies. Tensor cores do not multiply whole float32, and larger blocks of these do not fit into registers, as the
compiler reports.
"""

Sums = tuple[Tensor, Tensor, Tensor]
"""(rows, cells) the sums or the largest, (rows,) the sum over all cells, and (rows,) what was taken off the scores."""


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """Rows of a head's map that are wanted in cells.

    Attributes:
        query: (rows, head_dim).
        key: (keys, head_dim), of all positions.
        factor: of the product, which makes scores of it as logarithms to the base 2; or what the soft cap is taken of.
        cap: what its hyperbolic tangent is multiplied with; None where the model has no soft cap.
        spans: (rows,) twice, the keys first … stop - 1 that a row sees; None where each sees all.
        columns: cells of the keys.
        shift: (rows,) float32: what is taken off a row's scores; None where that has to follow from them.
        largest: the largest weight of each cell in place of the sum.
    """

    query: Tensor
    key: Tensor
    factor: float
    cap: float | None
    spans: tuple[Tensor, Tensor] | None
    columns: Cells
    shift: Tensor | None
    largest: bool

    def cut(self, rows: slice) -> Part:
        """Some of its rows."""
        return replace(
            self,
            query=self.query[rows],
            spans=None if self.spans is None else (self.spans[0][rows], self.spans[1][rows]),
            shift=None if self.shift is None else self.shift[rows],
        )


_trusted: dict[tuple[Any, ...], bool] = {}
_lock = threading.RLock()
_warned: list[str] = []


def most_rows(columns: Cells, least: int) -> int:
    """How many rows fit into a part."""
    return max(least, MOST_CELLS // max(1, columns.count))


def sums(part: Part, in_blocks: Callable[[slice], Sums]) -> Sums | None:
    """A part, computed by the kernel.

    Args:
        part: which.
        in_blocks: computes some of its rows in blocks, for comparison.

    Returns:
        None where the part has to be computed in blocks.
    """
    if not _suits(part):
        return None
    reason = ""
    for tile in TILES[part.query.element_size()]:
        vectors = (part.query, part.key)
        way = (part.query.device, part.query.dtype, *(v.stride() for v in vectors), *_constants(part, tile).items())
        try:
            with _lock:
                if way not in _trusted:
                    _trusted[way] = _agrees(part, tile, in_blocks)
            if _trusted[way]:
                return _run(part, tile)
            reason = reason or "its numbers differ from those of the blocks"
        except torch.OutOfMemoryError:
            return None  # fewer rows may fit
        except Exception as problem:  # of whatever kind: Triton, its compiler and the driver have many
            _trusted[way] = False
            reason = f"{type(problem).__name__}: {str(problem).strip().splitlines()[0] if str(problem).strip() else ''}"
    _warn_once(part.query.device, reason)
    return None


def _suits(part: Part) -> bool:
    """Whether the kernel is made for such a part."""
    columns, query = part.columns, part.query
    return (
        query.device.type in DEVICES
        and query.dtype == part.key.dtype
        and query.dtype in (torch.float16, torch.bfloat16, torch.float32)
        and query.shape[1] <= _MOST_DIMENSIONS
        and len(query) * (columns.stop - columns.start) >= LEAST_SCORES
        and columns.width >= _LEAST_KEYS
        and columns.count <= _MOST_COLUMNS
        and torch.equal(columns.edges, Cells.of(columns.start, columns.stop, columns.count).edges)
    )


def _agrees(part: Part, tile: Tile, in_blocks: Callable[[slice], Sums]) -> bool:
    """Whether the kernel gives what the blocks give, at both ends of a part."""
    rows = len(part.query)
    for ends in (slice(0, min(TRIAL_ROWS, rows)), slice(max(0, rows - TRIAL_ROWS), rows)):
        values, shown, shift = (number.double() for number in _run(part.cut(ends), tile))
        wanted, whole, taken = (number.double() for number in in_blocks(ends))
        factor = (finite(shift) - finite(taken)).exp2()
        slack = _NEGLIGIBLE * wanted.amax(dim=1, keepdim=True)
        near = (values * factor[:, None] - wanted).abs() <= AGREEMENT * (wanted + slack)
        if not bool(near.all()) or not bool(((shown * factor - whole).abs() <= AGREEMENT * whole).all()):
            return False
    return True


def _run(part: Part, tile: Tile) -> Sums:
    """What the kernel gives."""
    from attnviz.attention.triton_kernel import cell_kernel

    columns, largest, device = part.columns, part.largest, part.query.device
    query, key = (vectors if vectors.stride(1) == 1 else vectors.contiguous() for vectors in (part.query, part.key))
    rows, cells = len(query), columns.count
    values = torch.full((rows, cells), -torch.inf if largest else 0.0, dtype=torch.float32, device=device)
    totals = values.new_zeros(rows if largest else 0)
    shifts = values.new_full((0,) if part.shift is not None else (rows,) if largest else (rows, cells), -torch.inf)
    first, stop = (totals, totals) if part.spans is None else (end.to(torch.int32).contiguous() for end in part.spans)
    with torch.cuda.device_of(query):
        cell_kernel[(-(-rows // tile.rows),)](
            query, key, first, stop, totals if part.shift is None else part.shift.contiguous(), values, shifts, totals,
            query.stride(0), key.stride(0), rows, columns.start, columns.stop - columns.start, cells,
            part.factor, 0.0 if part.cap is None else part.cap,
            **_constants(part, tile), **tile.options, enable_fp_fusion=True,
        )  # fmt: skip
    if part.shift is not None:
        shift = part.shift
    elif largest:
        shift = shifts
    else:  # each cell had its own
        shift = shifts.amax(dim=1)
        values.mul_(shifts.sub_(finite(shift)[:, None]).exp2_())
    if largest:
        values.sub_(finite(shift)[:, None]).exp2_()
    return values, totals if largest else values.sum(dim=1), shift


def _constants(part: Part, tile: Tile) -> dict[str, Any]:
    """What the kernel is built for; see `triton_kernel.cell_kernel`."""
    sizes, width, head_dim = part.columns.sizes, part.columns.width, part.query.shape[1]
    slots = min(tile.keys, _power(width))
    filled = bool((sizes % slots == 0).all()) and part.columns.count % (tile.keys // slots) == 0
    return {
        "HEAD_DIM": head_dim,
        "DIMS": max(16, _power(head_dim)),  # no product has fewer
        "ROWS": tile.rows,
        "KEYS": tile.keys,
        "SLOTS": slots,
        "KNOWN": part.shift is not None,
        "SPANS": part.spans is not None,
        "LARGEST": part.largest,
        "CAPPED": part.cap is not None,
        "RAGGED": not filled,
        "PRECISION": "ieee",
    }


def _power(number: int) -> int:
    """The power of 2 from a number on."""
    return 1 << (number - 1).bit_length()


def finite(logarithms: Tensor) -> Tensor:
    """With 0 in place of -inf, the logarithm of nothing, which cannot be taken off."""
    return logarithms.masked_fill(logarithms == -torch.inf, 0.0)


def _warn_once(device: torch.device, reason: str) -> None:
    """Warns, once, that long texts take longer than they might."""
    with _lock:
        if _warned:
            return
        _warned.append(reason)
    warnings.warn(
        f"Long texts are computed in blocks on {device}, because the kernel that is made for it cannot be used "
        f"({reason}). The numbers are the same; only the time is not.",
        RuntimeWarning,
        stacklevel=2,
    )
