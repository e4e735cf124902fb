"""One head's weights at any length, taken together in cells while they are computed: memory grows with the tokens.

    queries, keys, rule ─ block of scores ─ exp ─ sums per cell of keys ─ ÷ row sums ─ sums per cell of queries

A row's weights need its sum over all keys. As in online softmax (Milakov & Gimelshein 2018, "Online normalizer
calculation for softmax", section 3; Dao 2022, "FlashAttention", section 3.1), blocks are added up with a large score of
the row taken off, and what is rescaled at the end are the few sums per cell, so one pass gives both. Which score hardly
matters as long as nothing overflows: the largest of the first block is taken, and the largest of all only where that
was not enough. The logarithm of each row's sum is kept: with it, a region needs its own keys alone. What is taken off
is part of the product, and exponentials are powers of 2, which a CPU computes three times as fast.
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
            columns: of keys; where the rows' sums are not known yet, all of them.
            largest: the largest weight of each cell in place of the sum.
        """
        logs = self.log_sums[rows] * _LOG2_E
        query = self._query(rows)
        known = not bool(logs.isnan().any())
        shift = (logs if known else torch.full_like(logs, -torch.inf)).to(query.dtype)
        values, shown, shift = self._sums(query, shift, rows, columns, largest)
        if not known and not bool(shown.isfinite().all()):  # some score lies far above those of the first block
            values, shown, shift = self._sums(query, self._peaks(query, rows, columns), rows, columns, largest)
        if columns.start == 0 and columns.stop == self.keys:
            # Also where they were known: the same rounding above and below the line makes rows sum to 1.
            logs = self._logarithms(shift, shown, logs.dtype)
            if not known:
                self.log_sums[rows] = logs / _LOG2_E
        factor = (_finite(shift) - _finite(logs)).exp2().to(query.dtype)
        return RowCells(values.mul_(factor[:, None]), shown.mul_(factor), self._hidden(rows))

    def weights(self, rows: slice, columns: Cells) -> Iterator[tuple[int, Tensor]]:
        """Blocks of weights of rows that are prepared; keys in cells of one each.

        Yields:
            the position of the first key, and (rows, keys), which may be written into.
        """
        query = self._query(rows)
        self._take_off(query, self.log_sums[rows] * _LOG2_E)
        for cells, scores, _ in self._blocks(query, rows, columns):
            yield columns.start + cells.start, scores.exp2_().float()

    def _sums(
        self, query: Tensor, shift: Tensor, rows: slice, columns: Cells, largest: bool
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Exponentials in cells.

        Args:
            query: (rows, head_dim + 2), from `_query`.
            shift: (rows,) what is taken off a row's scores, as a logarithm to the base 2; -inf where the largest score
                of the first block in which the row sees a key is to be taken: then one exponential is 1, so that no
                sum is too small for float32, and only scores far above that one leave its range.

        Returns:
            (rows, cells) the sums or the largest, (rows,) the sum over all cells, and the shift that was taken.
        """
        values = query.new_zeros(len(query), columns.count)
        shown = query.new_zeros(len(query))
        self._take_off(query, shift)
        settled, most = bool((shift > -torch.inf).all()), columns.width
        for cells, scores, width in self._blocks(query, rows, columns):
            if not settled:
                peak = torch.where(shift == -torch.inf, scores.amax(dim=-1), -torch.inf)
                scores -= _finite(peak)[:, None]
                shift = torch.maximum(shift, peak)
                self._take_off(query, shift)
                settled = bool((shift > -torch.inf).all())
            weights = scores.exp2_().view(len(query), width, -1)
            if largest:
                shown += weights.sum(dim=(1, 2))
                values[:, cells] = torch.maximum(values[:, cells], weights.amax(dim=1))
            elif width == most:  # all of these cells' keys
                torch.sum(weights, dim=1, out=values[:, cells])
            else:
                values[:, cells] += weights.sum(dim=1)
        return values, shown if largest else values.sum(dim=-1), shift

    def _peaks(self, query: Tensor, rows: slice, columns: Cells) -> Tensor:
        """(rows,): the largest score of each row, as a logarithm to the base 2."""
        peaks = query.new_full((len(query),), -torch.inf)
        self._take_off(query, peaks)
        for _, scores, _ in self._blocks(query, rows, columns):
            torch.maximum(peaks, scores.amax(dim=-1), out=peaks)
        return peaks

    def _query(self, rows: slice) -> Tensor:
        """(rows, head_dim + 2): the queries, ready for the product, with room for what is taken off the scores."""
        query = self.query[rows].to(self._precision) * self._factor
        return torch.cat([query, query.new_zeros(len(query), _MORE)], dim=1)

    @staticmethod
    def _take_off(query: Tensor, shift: Tensor) -> None:
        """Makes the next products of `_query`'s rows, in whose last dimensions each key is 1, less by (rows,)."""
        query[:, -_MORE:] = -_finite(shift)[:, None] / _MORE

    @property
    def _precision(self) -> torch.dtype:
        return exact(self.key.device) if len(self.query) * self.keys <= MOST_IN_DOUBLE else torch.float32

    @property
    def _factor(self) -> float:
        """What queries are multiplied with: scores come out as logarithms to the base 2, or ready for the soft cap."""
        return self.rule.scale * _LOG2_E if self.rule.softcap is None else self.rule.scale / self.rule.softcap

    def _blocks(self, query: Tensor, rows: slice, columns: Cells) -> Iterator[tuple[slice, Tensor, int]]:
        """Blocks of scores (rows, width × cells), as logarithms to the base 2, for those cells that a row can see.

        A cell's keys lie apart, so that a processor adds up many cells at a time.

        Yields:
            which cells, their scores, and how many keys of each cell these are.
        """
        key = self._keys_in(columns)  # (cells, width, head_dim + 2)
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
                block, at = key[cells, inner].transpose(0, 1), positions[cells, inner].T
                wide, count = block.shape[0], block.shape[0] * block.shape[1]
                scores = buffer[: len(query) * count].view(len(query), count)
                self._multiply(query, block.reshape(count, -1), scores)
                within = certain[0] <= int(edges[cells.start]) and int(edges[cells.stop]) <= certain[1]
                self._finish(scores, rows, at.reshape(-1), within)
                if has_short and inner.stop == width:
                    scores.view(len(query), wide, -1)[:, -1, short[cells].to(key.device)] = -torch.inf
                yield cells, scores, wide

    def _multiply(self, query: Tensor, key: Tensor, scores: Tensor) -> None:
        """Writes the products, capped where the rule caps them, into `scores`."""
        if self.rule.softcap is None:
            torch.mm(query, key.T, out=scores)
            return
        torch.mm(query[:, :-_MORE], key[:, :-_MORE].T, out=scores)
        scores.tanh_().mul_(self.rule.softcap * _LOG2_E).add_(query[:, -_MORE:].sum(dim=1, keepdim=True))

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
                hidden = keys >= visible.stop[rows, None]
                if int(visible.first[rows].max()) > int(keys.min()):
                    hidden |= keys < visible.first[rows, None]
                scores.masked_fill_(hidden, -torch.inf)
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
        """(cells, width, head_dim + 2), the last two numbers of each 1; kept for the next block of rows."""
        if self._last is None or self._last[0] is not columns:
            key = self.key[columns.positions.to(self.key.device)].to(self._precision)
            self._last = columns, torch.cat([key, key.new_ones(*key.shape[:-1], _MORE)], dim=-1)
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


def _finite(logarithms: Tensor) -> Tensor:
    """With 0 in place of -inf, the logarithm of nothing, which cannot be taken off."""
    return logarithms.masked_fill(logarithms == -torch.inf, 0.0)


def _own(tensor: Tensor, head: int) -> int:
    """Which of the heads of a (heads or 1, …) tensor is this one's."""
    return head if tensor.shape[0] > 1 else 0
