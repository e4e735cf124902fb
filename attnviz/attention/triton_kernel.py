"""The kernel that runs on a GPU for `fused_kernel`: the sum, or the largest, of each row's weights in cells of keys.

    a block of queries ─┬─ for each block of keys: product ─ soft cap ─ mask ─ powers of 2 ─ per cell ─ stored
    a block of keys ────┘

As in FlashAttention (Dao 2022, section 3.1), a block of scores lives in registers and never reaches memory; unlike
there, no values are multiplied with the weights, so half of the products is left, and each cell's number is held.

Blocks of keys are counted from 0 over all columns. A cell with as many keys as a block or more has blocks of its own;
of the last one, a part may lie behind its end. Of smaller cells a block holds several, each in a power of 2 of slots.

This module needs Triton, which comes with PyTorch for CUDA; only `fused_kernel` imports it, where tensors lie on a GPU.
"""

import triton
import triton.language as tl

_NONE = tl.constexpr(float("-inf"))


@triton.jit
def _edge(cell, start, base, rest, cells):
    """The first position of a cell, as `Cells.of` has it: each has `base` keys, and `rest` of them one more."""
    return start + cell * base + (cell * rest + cells - 1) // cells


@triton.jit
def _cell_of(position, start, count, cells):
    """Which cell holds a position."""
    return ((position - start).to(tl.int64) * cells // count).to(tl.int32)


@triton.jit
def _block_of(position, start, count, cells, base, rest, KEYS: tl.constexpr, SLOTS: tl.constexpr):
    """Which block holds a position; all of the cells before its own, and what is before it in its own."""
    cell = _cell_of(position, start, count, cells)
    if SLOTS < KEYS:
        block = cell // (KEYS // SLOTS)
    else:
        block = cell * ((base + KEYS - 1) // KEYS)
        if base % KEYS == 0:  # a key more is a block more
            block += (cell * rest + cells - 1) // cells
        block += (position - _edge(cell, start, base, rest, cells)) // KEYS
    return block


@triton.jit
def _capped(score, cap):
    """`cap` times the hyperbolic tangent; near 0 from its series, because 1 less nearly 1 would keep few digits."""
    square = score * score
    series = 1 + square * (-1 / 3 + square * (2 / 15 + square * (-17 / 315 + square * (62 / 2835))))
    whole = 1 - 2 / (tl.exp2(score * 2.8853900817779268) + 1)  # 2 × the logarithm of e to the base 2
    return cap * tl.where(square < 0.0625, score * series, whole)


@triton.jit
def _read(
    begin, end, final, cell, offset, low, high, lag, held, peak, total,
    q, key, key_stride, row, rows, first, stop, shift, values, shifts,
    start, cells, base, rest, factor, cap,
    MASKED: tl.constexpr, HEAD_DIM: tl.constexpr, DIMS: tl.constexpr, KEYS: tl.constexpr, SLOTS: tl.constexpr,
    KNOWN: tl.constexpr, LARGEST: tl.constexpr, CAPPED: tl.constexpr, RAGGED: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    """Reads the blocks begin … end - 1; `final` is the last one of all.

    Where cells have blocks of their own, `cell` holds the positions low … high - 1 and the next block begins at its
    `offset`; `lag` counts towards the next cell with one key more, so that nothing has to be divided here.

    Returns:
        these five, and (rows,) each the cell's number up to here, the largest score of the row, and its sum.
    """
    EMPTY: tl.constexpr = _NONE if LARGEST else 0.0
    column, dim = tl.arange(0, KEYS), tl.arange(0, DIMS)
    for block in range(begin, end):
        if SLOTS < KEYS:
            own = block * (KEYS // SLOTS) + column // SLOTS
            position = _edge(own, start, base, rest, cells) + column % SLOTS
            exists = (own < cells) & (position < _edge(own + 1, start, base, rest, cells))
        else:
            position = low + offset + column
            exists = position < high
        where = key + position.to(tl.int64)[None, :] * key_stride + dim[:, None]  # (dims, keys)
        if RAGGED or HEAD_DIM < DIMS:
            vectors = tl.load(where, mask=exists[None, :] & (dim < HEAD_DIM)[:, None], other=0.0)
        else:
            vectors = tl.load(where)
        score = tl.dot(q, vectors, input_precision=PRECISION) * factor  # (rows, keys)
        if CAPPED:
            score = _capped(score, cap)
        if RAGGED:
            score = tl.where(exists[None, :], score, _NONE)
        if MASKED:
            seen = (position[None, :] >= first[:, None]) & (position[None, :] < stop[:, None])
            score = tl.where(seen, score, _NONE)

        if KNOWN:
            weight = tl.exp2(score - shift[:, None])
            fading = 1.0
        else:  # online softmax: what is taken off grows with the largest score so far
            higher = tl.maximum(peak, tl.max(score, axis=1))
            taken = tl.where(higher == _NONE, 0.0, higher)
            weight = tl.exp2(score - taken[:, None])
            fading = tl.exp2(peak - taken)
            peak = higher
        if LARGEST:
            total = total * fading + tl.sum(weight, axis=1)

        if SLOTS < KEYS:
            grouped = tl.reshape(score if LARGEST else weight, (q.shape[0], KEYS // SLOTS, SLOTS))
            number = tl.max(grouped, axis=2) if LARGEST else tl.sum(grouped, axis=2)  # (rows, cells of the block)
            here = block * (KEYS // SLOTS) + tl.arange(0, KEYS // SLOTS)
            target = row.to(tl.int64)[:, None] * cells + here[None, :]
            there = (row < rows)[:, None] & (here < cells)[None, :]
            tl.store(values + target, number, mask=there)
            if not KNOWN and not LARGEST:
                tl.store(shifts + target, tl.broadcast_to(peak[:, None], number.shape), mask=there)
        else:
            held = tl.maximum(held, tl.max(score, axis=1)) if LARGEST else held * fading + tl.sum(weight, axis=1)
            offset += KEYS
            done = (low + offset >= high) | (block == final)
            target = row.to(tl.int64) * cells + cell
            there = row < tl.where(done, rows, 0)
            tl.store(values + target, held, mask=there)
            if not KNOWN and not LARGEST:
                tl.store(shifts + target, peak, mask=there)
            held = tl.where(done, EMPTY, held)
            # The next cell; its size is `base`, and one more whenever the lag is used up.
            less = lag - rest
            size = tl.where(less < 0, base + 1, base)
            cell = tl.where(done, cell + 1, cell)
            offset = tl.where(done, 0, offset)
            low = tl.where(done, high, low)
            high = tl.where(done, high + size, high)
            lag = tl.where(done, tl.where(less < 0, less + cells, less), lag)
    return cell, offset, low, high, lag, held, peak, total


@triton.jit(do_not_specialize=["rows", "start", "count", "cells"])
def cell_kernel(
    query, key, firsts, stops, known, values, shifts, totals,
    query_stride, key_stride, rows, start, count, cells, factor, cap,
    HEAD_DIM: tl.constexpr, DIMS: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr, SLOTS: tl.constexpr,
    KNOWN: tl.constexpr, SPANS: tl.constexpr, LARGEST: tl.constexpr, CAPPED: tl.constexpr, RAGGED: tl.constexpr,
    PRECISION: tl.constexpr,
):  # fmt: skip
    """A block of rows against those columns that some of them see.

    Args:
        query, key: (rows, head_dim) and (all keys, head_dim); neighbours along the last dimension.
        firsts, stops: (rows,) int32: the keys first … stop - 1 are seen. Read where SPANS.
        known: (rows,) float32, taken off a row's scores, which are logarithms to the base 2. Read where KNOWN.
        values: (rows, cells) float32, written where a cell is seen: the sum of the exponentials; with LARGEST the
            largest score, with nothing taken off.
        shifts: what was taken off, where not KNOWN: (rows, cells), with LARGEST (rows,).
        totals: (rows,) the sum over all columns; with LARGEST only.
        query_stride, key_stride: from one vector to the next.
        rows, start, count, cells: how many queries; the columns start … start + count - 1 in so many cells.
        factor, cap: of the product; with CAPPED it is cap × tanh(factor × product).
        HEAD_DIM, DIMS: dimensions of the vectors, and the power of 2 that holds them.
        ROWS, KEYS: of a block.
        SLOTS: of a cell in a block; as many as KEYS where a cell has blocks of its own.
        RAGGED: whether some slot of some block holds no key.
        PRECISION: of the product of float32.
    """
    program = tl.num_programs(0) - 1 - tl.program_id(0)  # under a causal mask the last rows see most: they start first
    row = program * ROWS + tl.arange(0, ROWS)
    dim = tl.arange(0, DIMS)
    inside = row < rows
    where = query + row.to(tl.int64)[:, None] * query_stride + dim[None, :]
    q = tl.load(where, mask=inside[:, None] & (dim < HEAD_DIM)[None, :], other=0.0)  # (rows, dims)
    base, rest = count // cells, count % cells

    # All keys that some row sees, and in between the blocks of which every row sees every key, which need no mask.
    stop_all = start + count
    nearest, furthest = start, stop_all
    common_first, common_stop = start, stop_all
    first, stop = row, row
    if SPANS:
        first = tl.load(firsts + row, mask=inside, other=0)
        stop = tl.load(stops + row, mask=inside, other=0)
        seeing = stop > first
        nearest = tl.maximum(start, tl.min(tl.where(seeing, first, stop_all), axis=0))
        furthest = tl.minimum(stop_all, tl.max(tl.where(seeing, stop, start), axis=0))
        common_first = tl.max(tl.where(inside, first, 0), axis=0)
        common_stop = tl.min(tl.where(inside, stop, stop_all), axis=0)
    nearest = tl.minimum(nearest, stop_all - 1)
    begin = _block_of(nearest, start, count, cells, base, rest, KEYS, SLOTS)
    last = tl.maximum(furthest, start + 1) - 1
    end = tl.where(furthest > nearest, _block_of(last, start, count, cells, base, rest, KEYS, SLOTS) + 1, begin)
    inner, outer = begin, end
    if SPANS:
        before = tl.minimum(tl.maximum(common_first, start + 1), stop_all) - 1
        behind = tl.minimum(tl.maximum(common_stop, start), stop_all - 1)
        inner = _block_of(before, start, count, cells, base, rest, KEYS, SLOTS) + 1
        outer = _block_of(behind, start, count, cells, base, rest, KEYS, SLOTS)
        inner = tl.minimum(tl.maximum(tl.where(common_first > start, inner, begin), begin), end)
        outer = tl.minimum(tl.maximum(tl.where(common_stop < stop_all, outer, end), inner), end)

    cell = _cell_of(nearest, start, count, cells)
    low, high = _edge(cell, start, base, rest, cells), _edge(cell + 1, start, base, rest, cells)
    offset = (nearest - low) // KEYS * KEYS
    lag = (cells - (cell + 1) * rest % cells) % cells
    shift = tl.zeros((ROWS,), tl.float32)
    if KNOWN:
        shift = tl.load(known + row, mask=inside, other=0.0)
    held = tl.full((ROWS,), _NONE if LARGEST else 0.0, tl.float32)
    peak = tl.full((ROWS,), _NONE, tl.float32)
    total = tl.zeros((ROWS,), tl.float32)
    for stretch in tl.static_range(3):
        if SPANS or stretch == 1:
            here = begin if stretch == 0 else inner if stretch == 1 else outer
            there = inner if stretch == 0 else outer if stretch == 1 else end
            cell, offset, low, high, lag, held, peak, total = _read(
                here, there, end - 1, cell, offset, low, high, lag, held, peak, total,
                q, key, key_stride, row, rows, first, stop, shift, values, shifts,
                start, cells, base, rest, factor, cap,
                stretch != 1, HEAD_DIM, DIMS, KEYS, SLOTS, KNOWN, LARGEST, CAPPED, RAGGED, PRECISION,
            )  # fmt: skip
    if LARGEST:
        tl.store(totals + row, total, mask=inside)
        if not KNOWN:
            tl.store(shifts + row, peak, mask=inside)
