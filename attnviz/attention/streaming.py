"""One head's weights at any length, taken together in cells while they are computed: memory grows with the tokens.

    queries, keys, rule ─ block of scores ─ exp ─ sums per cell of keys ─ ÷ row sums ─ sums per cell of queries

A row's weights need its sum over all keys. It is put together from blocks with the largest score of each taken off
(Milakov & Gimelshein 2018, "Online normalizer calculation for softmax", section 3), as FlashAttention does (Dao 2022,
section 3.1); but what is rescaled at the end are the few sums per cell, so one pass gives both. The logarithm of each
row's sum is kept: with it, a region needs its own keys alone. Exponentials are powers of 2, which a CPU computes three
times as fast.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from attnviz.attention import blockwise, dot_product
from attnviz.attention.blockwise import Diagonals, Rule, Spans
from attnviz.attention.cells import Cells
from attnviz.attention.workers import in_parallel

BLOCK_ROWS, BLOCK_COLUMNS = 1024, 1024
"""Of scores that are held at once on a CPU: they stay in its cache."""
MOST_IN_DOUBLE = 1 << 22
"""Scores of a head up to which they are computed in float64: this costs next to no time, and a region's weights then
agree with those of the whole map to float32's last digit. Of longer texts a cell holds the weights of many tokens."""
_LOG2_E = math.log2(math.e)


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
    _last: tuple[Cells, Tensor] | None = field(default=None, init=False)

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
            every = Cells.of(0, self.keys, -(-self.keys // 64))
            unknown = (block for block in self.row_blocks(rows) if bool(self.log_sums[block].isnan().any()))
            for _ in in_parallel(lambda block: self.cells(block, every), unknown, self.key.device):
                pass

    def row_blocks(self, rows: Cells) -> Iterator[slice]:
        """The rows in steps that fit into memory."""
        step = BLOCK_ROWS if self.query.device.type == "cpu" else 8 * BLOCK_ROWS
        for start in range(rows.start, rows.stop, step):
            yield slice(start, min(start + step, rows.stop))

    def cells(self, rows: slice, columns: Cells, largest: bool = False) -> RowCells:
        """A block of rows, exactly.

        Args:
            rows: positions of queries.
            columns: of keys; not all of them need be in it.
            largest: the largest weight of each cell in place of the sum.
        """
        known = not bool(self.log_sums[rows].isnan().any())
        query = self.query[rows].to(self._precision) * self._factor
        logs = self.log_sums[rows] * _LOG2_E
        values = query.new_zeros(len(query), columns.count)
        parts: list[tuple[slice, Tensor, Tensor, Tensor]] = []
        shift = logs.to(query.dtype).masked_fill(logs == -torch.inf, 0.0)
        every = query.new_zeros(len(query))
        for cells, scores, width in self._blocks(query, rows, columns):
            if not known:
                shift = scores.amax(dim=-1)
                shift = shift.masked_fill(shift == -torch.inf, 0.0)
            weights = scores.sub_(shift[:, None]).exp2_().view(len(query), -1, width)
            sums = weights.sum(dim=-1)  # a copy, also where a cell has one key: the block is used again
            part = weights.amax(dim=-1) if largest else sums
            if not known:
                parts.append((cells, shift, part, sums.sum(dim=-1)))
                continue
            # All blocks have the same shift, so they are added up before anything else.
            every += sums.sum(dim=-1)
            if largest:
                values[:, cells] = torch.maximum(values[:, cells], part)
            else:
                values[:, cells] += part
        if known:
            parts, values = [(slice(0, columns.count), shift, values, every)], torch.zeros_like(values)
        if columns.start == 0 and columns.stop == self.keys:
            # Also where they were known: the same rounding above and below the line makes rows sum to 1.
            logs = self._add_up([(shift, total) for _, shift, _, total in parts], logs)
            if not known:
                self.log_sums[rows] = logs / _LOG2_E
        logs = logs.masked_fill(logs == -torch.inf, 0.0)
        shown = query.new_zeros(len(query))
        for cells, shift, part, total in parts:
            factor = (shift - logs).exp2().to(query.dtype)
            shown += total * factor
            part *= factor[:, None]
            if largest:
                values[:, cells] = torch.maximum(values[:, cells], part)
            else:
                values[:, cells] += part
        return RowCells(values, shown, self._hidden(rows))

    def weights(self, rows: slice, columns: Cells) -> Iterator[tuple[int, Tensor]]:
        """Blocks of weights of rows that are prepared; keys in cells of one each.

        Yields:
            the position of the first key, and (rows, keys), which may be written into.
        """
        query = self.query[rows].to(self._precision) * self._factor
        logs = self.log_sums[rows] * _LOG2_E
        shift = logs.masked_fill(logs == -torch.inf, 0.0).to(query.dtype)[:, None]
        for cells, scores, _ in self._blocks(query, rows, columns):
            yield columns.start + cells.start, scores.sub_(shift).exp2_().float()

    @property
    def _precision(self) -> torch.dtype:
        return exact(self.key.device) if len(self.query) * self.keys <= MOST_IN_DOUBLE else torch.float32

    @property
    def _factor(self) -> float:
        """What queries are multiplied with: scores come out as logarithms to the base 2, or ready for the soft cap."""
        return self.rule.scale * _LOG2_E if self.rule.softcap is None else self.rule.scale / self.rule.softcap

    def _blocks(self, query: Tensor, rows: slice, columns: Cells) -> Iterator[tuple[slice, Tensor, int]]:
        """Blocks of scores (rows, cells × width), as logarithms to the base 2, for those cells that a row can see.

        Yields:
            which cells, their scores, and how many keys of each cell these are.
        """
        key = self._keys_in(columns)  # (cells, width, head_dim)
        positions, short = columns.positions.to(key.device), columns.short
        first, stop, certain = self._reach(rows)
        edges, width = columns.edges, columns.width
        low = max(0, int(torch.searchsorted(edges, first, right=True)) - 1)
        high = min(columns.count, int(torch.searchsorted(edges, stop)))
        most = BLOCK_COLUMNS if key.device.type == "cpu" else 16 * BLOCK_COLUMNS
        step, part = max(1, most // width), min(width, most)
        buffer = query.new_empty(len(query) * step * part)
        for cell in range(low, high, step):
            cells = slice(cell, min(cell + step, high))
            has_short = bool(short[cells].any())
            for begin in range(0, width, part):
                inner = slice(begin, min(begin + part, width))
                block, at = key[cells, inner], positions[cells, inner]
                count, wide = block.shape[0] * block.shape[1], block.shape[1]
                scores = torch.mm(
                    query, block.reshape(count, -1).T, out=buffer[: len(query) * count].view(len(query), count)
                )
                within = certain[0] <= int(edges[cells.start]) and int(edges[cells.stop]) <= certain[1]
                self._finish(scores, rows, at.reshape(-1), within)
                if has_short and inner.stop == width:
                    scores.view(len(query), -1, wide)[:, short[cells].to(key.device), -1] = -torch.inf
                yield cells, scores, wide

    def _finish(self, scores: Tensor, rows: slice, keys: Tensor, within: bool) -> None:
        """Soft cap, bias and mask, in place."""
        rule = self.rule
        if rule.softcap is not None:
            scores.tanh_().mul_(rule.softcap * _LOG2_E)
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
                allowed = (keys >= visible.first[rows, None]) & (keys < visible.stop[rows, None])
                scores.masked_fill_(~allowed, -torch.inf)
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

    def _keys_in(self, columns: Cells) -> Tensor:
        """(cells, width, head_dim); kept for the next block of rows."""
        if self._last is None or self._last[0] is not columns:
            self._last = columns, self.key[columns.positions.to(self.key.device)].to(self._precision)
        return self._last[1]

    def _add_up(self, parts: list[tuple[Tensor, Tensor]], like: Tensor) -> Tensor:
        """The logarithm to the base 2 of each row's sum, from the sum of each block with its shift taken off."""
        sink = None if self.rule.sink is None else self.rule.sink[self.head].to(like.dtype) * _LOG2_E
        peak = torch.full_like(like, -torch.inf) if sink is None else sink.expand_as(like)
        for shift, total in parts:
            peak = torch.where(total > 0, torch.maximum(peak, shift.to(like.dtype)), peak)
        finite = peak.masked_fill(peak == -torch.inf, 0.0)
        every = torch.zeros_like(like) if sink is None else (sink - finite).exp2()
        for shift, total in parts:
            every = every + torch.where(total > 0, total * (shift - finite).exp2(), 0.0)
        return finite + every.log2()

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

    def row_blocks(self, rows: Cells) -> Iterator[slice]:
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


def _own(tensor: Tensor, head: int) -> int:
    """Which of the heads of a (heads or 1, …) tensor is this one's."""
    return head if tensor.shape[0] > 1 else 0
