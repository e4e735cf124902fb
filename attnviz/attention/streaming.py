"""One head's weights at any length, taken together in cells while they are computed: memory grows with the tokens.

    queries, keys, rule ─ block of scores ─ exp ─ sums per cell of keys ─ ÷ row sums ─ sums per cell of queries

A row's weights need its sum over all keys. As in online softmax (Milakov & Gimelshein 2018, "Online normalizer
calculation for softmax", section 3; Dao 2022, "FlashAttention", section 3.1), blocks are added up with a large score of
the row taken off, and what is rescaled at the end are the few sums per cell, so one pass gives both. Which score hardly
matters as long as nothing overflows: none where the first block's are near 0, as with most heads, else the largest of
the first block, and the largest of all only where that was not enough. The logarithm of each row's sum is kept: with
it, a region needs its own keys alone. What is taken off is part of the product, and exponentials are powers of 2, which
a CPU computes three times as fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from attnviz.attention import blockwise, dot_product, fused_kernel
from attnviz.attention.blockwise import Diagonals, Rule, Spans
from attnviz.attention.cells import Cells
from attnviz.attention.fused_kernel import Part, Sums, finite
from attnviz.attention.key_blocks import KeyBlock, key_blocks
from attnviz.attention.workers import in_parallel

BLOCK_ROWS, BLOCK_COLUMNS = 1024, 1024
"""Of scores that are held at once on a CPU: they stay in its cache."""
MOST_IN_DOUBLE = 1 << 22
"""Scores of a head up to which they are computed in float64: this costs next to no time, and a region's weights then
agree with those of the whole map to float32's last digit. Of longer texts a cell holds the weights of many tokens."""
_LOG2_E = math.log2(math.e)
_HARMLESS = 32.0
"""Logarithms to the base 2 up to which a row's scores are exponentiated as they are: float32 reaches to 126."""
_MORE = 2
"""Dimensions by which the product takes off what has to be; with one, an odd number of them all, it is slower."""


@dataclass(frozen=True, slots=True)
class RowCells:
    """Some rows of a head's map with their keys in cells.

    Attributes:
        values: (rows, cells), float32 or float64: the sum of a cell's weights, or the largest.
        shown: (rows,) the sum over all cells; 1 less what is hidden, where the cells cover all keys.
        hidden: (rows,) what share went to none of the keys.
    """

    values: Tensor
    shown: Tensor
    hidden: Tensor


@dataclass(slots=True, eq=False)
class _Queries:
    """Rows that are ready for the product with keys whose last dimensions are 1.

    Attributes:
        vectors: (rows, head_dim + `_MORE`): multiplied with the rule's factor; the last dimensions take the shift off.
        has_shift: whether anything is taken off; if not, the last dimensions need not be multiplied.
    """

    vectors: Tensor
    has_shift: bool = False

    def take_off(self, shift: Tensor) -> None:
        """Makes the next products less by (rows,); -inf takes nothing off."""
        shift = finite(shift)
        self.has_shift = bool(shift.any())
        self.vectors[:, -_MORE:] = -shift[:, None] / _MORE


@dataclass(slots=True, eq=False)
class HeadVectors:
    """A head whose weights follow from its queries and keys.

    Attributes:
        query: (queries, head_dim), in any precision.
        key: (keys, head_dim).
        rule: what else decides the weights; not one that interventions changed.
        head: which head of the rule's layer it is.
        log_sums: (queries,), in the precision of `exact`: the logarithm of each row's sum of exponentials, the sink's
            with it; NaN where it is not known yet. It is filled in while rows are read.
    """

    query: Tensor
    key: Tensor
    rule: Rule
    head: int
    log_sums: Tensor
    _last: tuple[Cells, list[KeyBlock]] | None = field(default=None, init=False)

    @property
    def keys(self) -> int:
        """How many there are."""
        return self.key.shape[0]

    @property
    def visible(self) -> Spans | Tensor | None:
        """Which keys each query may see: None (all), `Spans`, or a (queries, keys) boolean mask."""
        visible = self.rule.visible
        return visible[_own(visible, self.head)] if isinstance(visible, Tensor) else visible

    def prepare(self, rows: Cells, columns: Cells, whole: bool = False) -> None:
        """Computes the sums of rows that are not known yet, where the columns that will be read are not all keys, or
        `whole` asks for them."""
        if whole or columns.start > 0 or columns.stop < self.keys:
            every = Cells.of(0, self.keys, -(-self.keys // (64 if self.key.device.type == "cpu" else BLOCK_COLUMNS)))
            unknown = (block for block in self.row_blocks(rows, every) if bool(self.log_sums[block].isnan().any()))
            for _ in in_parallel(lambda block: self.cells(block, every), unknown, self.key.device):
                pass

    def row_blocks(self, rows: Cells, columns: Cells | None = None) -> Iterator[slice]:
        """The rows in steps that fit into memory; larger ones where only cells of `columns` will be read of them."""
        step = self._most_rows
        if columns is not None and self._fusible:
            step = fused_kernel.most_rows(columns, step)
        for start in range(rows.start, rows.stop, step):
            yield slice(start, min(start + step, rows.stop))

    def cells(self, rows: slice, columns: Cells, largest: bool = False) -> RowCells:
        """A block of rows, exactly.

        Args:
            rows: positions of queries.
            columns: of keys; where the rows' sums are not known yet, all of them.
            largest: the largest weight of each cell in place of the sum.
        """
        logs = self.log_sums[rows] * _LOG2_E
        known = not bool(logs.isnan().any())
        taken = _needed(finite(logs)).to(self._precision) if known else None
        sums = self._fused(rows, columns, taken, largest) if self._fusible else None
        if sums is None and rows.stop - rows.start > self._most_rows:
            parts = [self.cells(part, columns, largest) for part in self.row_blocks(Cells.of(rows.start, rows.stop, 1))]
            return RowCells(*(torch.cat([getattr(part, name) for part in parts]) for name in RowCells.__slots__))
        values, shown, shift = sums or self._in_blocks(rows, columns, taken, largest)
        if columns.start == 0 and columns.stop == self.keys:
            # Also where they were known: the same rounding above and below the line makes rows sum to 1.
            logs = self._logarithms(shift, shown, logs.dtype)
            if not known:
                self.log_sums[rows] = logs / _LOG2_E
        factor = (finite(shift) - finite(logs)).exp2().to(self._precision)
        return RowCells(values.mul_(factor[:, None]), shown.mul_(factor), self._hidden(rows))

    def weights(self, rows: slice, columns: Cells) -> Iterator[tuple[int, Tensor]]:
        """Blocks of weights of rows that are prepared; keys in cells of one each.

        Yields:
            the position of the first key, and (rows, keys), which may be written into.
        """
        query = self._queries(rows)
        query.take_off(self.log_sums[rows] * _LOG2_E)
        for block, scores in self._blocks(query, rows, columns):
            yield columns.start + block.cells.start, scores.exp2_().float()

    @property
    def _most_rows(self) -> int:
        """Rows of a block, with as many columns."""
        return BLOCK_ROWS if self.query.device.type == "cpu" else 8 * BLOCK_ROWS

    @property
    def _fusible(self) -> bool:
        """Whether a kernel may compute cells without blocks of scores; where it does not, the blocks do."""
        suits = self.rule.bias is None and not isinstance(self.rule.visible, Tensor)
        return self.key.device.type in fused_kernel.DEVICES and suits and self._precision == torch.float32

    def _fused(self, rows: slice, columns: Cells, shift: Tensor | None, largest: bool) -> Sums | None:
        """As `_in_blocks`, by that kernel; None where it cannot be used."""
        visible, cap = self.visible, self.rule.softcap
        spans = (visible.first[rows], visible.stop[rows]) if isinstance(visible, Spans) else None
        cap = None if cap is None else cap * _LOG2_E
        part = Part(self.query[rows], self.key, self._factor, cap, spans, columns, shift, largest)

        def in_blocks(some: slice) -> Sums:
            here = slice(rows.start + some.start, rows.start + some.stop)
            return self._in_blocks(here, columns, None if shift is None else shift[some], largest)

        return fused_kernel.sums(part, in_blocks)

    def _in_blocks(self, rows: slice, columns: Cells, shift: Tensor | None, largest: bool) -> Sums:
        """The exponentials of rows in cells, with `shift` taken off; None where it is to follow from their scores."""
        query = self._queries(rows)
        nothing = query.vectors.new_full((rows.stop - rows.start,), -torch.inf)
        values, shown, taken = self._sums(query, nothing if shift is None else shift, rows, columns, largest)
        if shift is None and not bool(shown.isfinite().all()):  # some score lies far above those of the first block
            return self._sums(query, self._peaks(query, rows, columns), rows, columns, largest)
        return values, shown, taken

    def _sums(self, query: _Queries, shift: Tensor, rows: slice, columns: Cells, largest: bool) -> Sums:
        """Exponentials in cells.

        Args:
            query: the rows', from `_queries`.
            shift: (rows,) what is taken off a row's scores, as a logarithm to the base 2; -inf where it is to follow
                from the largest score of the first block in which the row sees a key: then no sum is too small for
                float32, and only scores far above that one leave its range.

        Returns:
            (rows, cells) the sums or the largest, (rows,) the sum over all cells, and the shift that was taken.
        """
        count, most = len(shift), columns.width
        values = shift.new_zeros(count, columns.count)
        shown = shift.new_zeros(count)
        query.take_off(shift)
        settled = bool((shift > -torch.inf).all())
        for block, scores in self._blocks(query, rows, columns):
            if not settled:
                new = torch.where(shift == -torch.inf, _needed(scores.amax(dim=-1)), -torch.inf)
                shift = torch.maximum(shift, new)
                query.take_off(shift)
                if query.has_shift:
                    scores -= finite(new)[:, None]
                settled = bool((shift > -torch.inf).all())
            weights = scores.exp2_().view(count, block.width, -1)
            if largest:
                shown += weights.sum(dim=(1, 2))
                values[:, block.cells] = torch.maximum(values[:, block.cells], weights.amax(dim=1))
            elif block.width == most:  # all of these cells' keys
                torch.sum(weights, dim=1, out=values[:, block.cells])
            else:
                values[:, block.cells] += weights.sum(dim=1)
        return values, shown if largest else values.sum(dim=-1), shift

    def _peaks(self, query: _Queries, rows: slice, columns: Cells) -> Tensor:
        """(rows,): the largest score of each row, as a logarithm to the base 2."""
        peaks = query.vectors.new_full((rows.stop - rows.start,), -torch.inf)
        query.take_off(peaks)
        for _, scores in self._blocks(query, rows, columns):
            torch.maximum(peaks, scores.amax(dim=-1), out=peaks)
        return peaks

    def _queries(self, rows: slice) -> _Queries:
        """The rows' queries, with nothing taken off yet."""
        query = self.query[rows].to(self._precision) * self._factor
        return _Queries(torch.cat([query, query.new_zeros(len(query), _MORE)], dim=1))

    @property
    def _precision(self) -> torch.dtype:
        return exact(self.key.device) if len(self.query) * self.keys <= MOST_IN_DOUBLE else torch.float32

    @property
    def _factor(self) -> float:
        """What queries are multiplied with: scores come out as logarithms to the base 2, or ready for the soft cap."""
        return self.rule.scale * _LOG2_E if self.rule.softcap is None else self.rule.scale / self.rule.softcap

    def _blocks(self, query: _Queries, rows: slice, columns: Cells) -> Iterator[tuple[KeyBlock, Tensor]]:
        """Blocks of scores (rows, width × cells), as logarithms to the base 2, for those cells that a row can see."""
        blocks, count = self._keys_in(columns), rows.stop - rows.start
        first, stop, certain = self._reach(rows)
        buffer = query.vectors.new_empty(count * max(len(block.key) for block in blocks))
        for whole in blocks:
            block = whole.part(first, stop, columns.edges)
            if block is None:
                continue
            scores = buffer[: count * len(block.key)].view(count, -1)
            self._multiply(query, block.key, scores)
            self._finish(scores, rows, block.positions, certain[0] <= block.start and block.stop <= certain[1])
            if block.short is not None:
                scores.view(count, block.width, -1)[:, -1, block.short] = -torch.inf
            yield block, scores

    def _multiply(self, query: _Queries, key: Tensor, scores: Tensor) -> None:
        """Writes the products, capped where the rule caps them, into `scores`."""
        vectors, softcap = query.vectors, self.rule.softcap
        if query.has_shift and softcap is None:
            torch.mm(vectors, key.T, out=scores)
            return
        torch.mm(vectors[:, :-_MORE], key[:, :-_MORE].T, out=scores)
        if softcap is not None:
            scores.tanh_().mul_(softcap * _LOG2_E)
            if query.has_shift:
                scores += vectors[:, -_MORE:].sum(dim=1, keepdim=True)

    def _finish(self, scores: Tensor, rows: slice, keys: Tensor, within: bool) -> None:
        """Bias and mask, in place."""
        rule = self.rule
        if isinstance(rule.bias, Diagonals):
            queries = torch.arange(rows.start, rows.stop, device=keys.device)
            values = rule.bias.values[_own(rule.bias.values, self.head)].to(scores.dtype) * _LOG2_E
            scores += values[keys + (rule.bias.queries - 1) - queries[:, None]]
        elif rule.bias is not None:
            bias = rule.bias[_own(rule.bias, self.head)]
            scores += (bias if bias.shape[0] == 1 else bias[rows])[:, keys].to(scores.dtype) * _LOG2_E
        visible = self.visible
        if isinstance(visible, Spans):
            if not within:
                _hide(scores, keys, visible.first[rows], visible.stop[rows])
        elif visible is not None:
            scores.masked_fill_(~(visible if visible.shape[0] == 1 else visible[rows])[:, keys], -torch.inf)

    def _reach(self, rows: slice) -> tuple[int, int, tuple[int, int]]:
        """The keys first … stop - 1 that some of the rows see, and those that all of them do."""
        if not isinstance(self.visible, Spans):
            return 0, self.keys, (0, self.keys)
        first, stop = self.visible.first[rows], self.visible.stop[rows]
        seeing = stop > first
        if not bool(seeing.any()):
            return 0, 0, (0, 0)
        certain = (int(first.max()), int(stop.min())) if bool(seeing.all()) else (0, 0)
        return int(first[seeing].min()), int(stop.max()), certain

    def _keys_in(self, columns: Cells) -> list[KeyBlock]:
        """Their keys, with dimensions for `_Queries`' shift; kept for the next block of rows."""
        if self._last is None or self._last[0] is not columns:
            most = BLOCK_COLUMNS if self.key.device.type == "cpu" else 8 * BLOCK_COLUMNS
            self._last = columns, list(key_blocks(self.key, columns, most, self._precision, _MORE))
        return self._last[1]

    def _logarithms(self, shift: Tensor, shown: Tensor, dtype: torch.dtype) -> Tensor:
        """(rows,): the logarithm to the base 2 of each row's sum, from the sum `shown` with the shift taken off."""
        logs = shift.to(dtype) + shown.to(dtype).log2()
        logs = logs.masked_fill(shown == 0, -torch.inf)  # of a row that may see no key
        if self.rule.sink is None:
            return logs
        sink = self.rule.sink[self.head].to(dtype) * _LOG2_E
        return torch.logaddexp2(logs, sink.expand_as(logs))

    def _hidden(self, rows: slice) -> Tensor:
        """What share of each row went to a sink; all of it where a row may see no key."""
        logs = self.log_sums[rows]
        if self.rule.sink is None:
            return (logs == -torch.inf).to(logs.dtype)
        return (self.rule.sink[self.head] - logs).exp()


@dataclass(frozen=True, slots=True, eq=False)
class HeadRows:
    """A head whose weights are known as they are, or follow from whole rows only, as where an intervention acts.

    Attributes:
        weights_of: gives the float32 (rows, keys) weights of a slice of rows.
        keys: how many there are.
        visible: as in `HeadVectors`.
        rounding: what a row may lack of 1 by rounding; see `dot_product.hidden_share`.
    """

    weights_of: Callable[[slice], Tensor]
    keys: int
    visible: Spans | Tensor | None
    rounding: float

    def prepare(self, rows: Cells, columns: Cells, whole: bool = False) -> None:
        """Nothing: whole rows are read anyway."""

    def row_blocks(self, rows: Cells, columns: Cells | None = None) -> Iterator[slice]:
        """The rows in steps that fit into memory."""
        for block in blockwise.blocks(rows.stop - rows.start, self.keys):
            yield slice(rows.start + block.start, rows.start + block.stop)

    def cells(self, rows: slice, columns: Cells, largest: bool = False) -> RowCells:
        """As `HeadVectors.cells`."""
        weights = self.weights_of(rows)
        gathered = weights[:, columns.positions.to(weights.device)]  # (rows, cells, width)
        gathered[:, columns.short.to(weights.device), -1] = 0.0
        sums = gathered.sum(dim=-1)
        values = gathered.amax(dim=-1) if largest else sums
        return RowCells(values, sums.sum(dim=-1), dot_product.hidden_share(weights, self.rounding))

    def weights(self, rows: slice, columns: Cells) -> Iterator[tuple[int, Tensor]]:
        """As `HeadVectors.weights`."""
        yield columns.start, self.weights_of(rows)[:, columns.start : columns.stop].clone()


Head = HeadVectors | HeadRows


def exact(device: torch.device) -> torch.dtype:
    """The precision of long sums on a device; some have no float64."""
    return torch.float32 if device.type == "mps" else torch.float64


def _needed(logarithms: Tensor) -> Tensor:
    """What has to be taken off a row's scores to keep its sum in float32's range: nothing where it is anyway."""
    return torch.where(logarithms.abs() <= _HARMLESS, 0.0, logarithms)


def _hide(scores: Tensor, keys: Tensor, first: Tensor, stop: Tensor) -> None:
    """Makes -inf, in place, of a row's scores with keys before `first` and from `stop` on.

    The smaller one of a score and ∞ or -∞: a processor finds it several times as fast as it fills in a mask.
    """
    near = int(keys.min())  # positions from here on are small numbers, which every precision holds
    keys = (keys - near).to(scores.dtype)
    limit = (stop - near).to(scores.dtype)[:, None] - 0.5 - keys
    torch.minimum(scores, limit.mul_(torch.inf), out=scores)
    if int(first.max()) > near:
        torch.sub(keys + 0.5, (first - near).to(scores.dtype)[:, None], out=limit)
        torch.minimum(scores, limit.mul_(torch.inf), out=scores)


def _own(tensor: Tensor, head: int) -> int:
    """Which of the heads of a (heads or 1, …) tensor is this one's."""
    return head if tensor.shape[0] > 1 else 0
