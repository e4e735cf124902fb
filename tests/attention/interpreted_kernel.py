"""The kernel for GPUs, interpreted on a CPU: its numbers are those of whole maps, pooled afterwards.

`test_fused_kernel.py` runs this in a process of its own, with TRITON_INTERPRET=1 from the start. By hand:

    TRITON_INTERPRET=1 python -m pytest tests/attention/interpreted_kernel.py
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from attnviz.attention import fused_kernel, streaming
from attnviz.attention.blockwise import Rule, Spans
from attnviz.attention.cells import Cells
from attnviz.attention.fused_kernel import Tile
from attnviz.attention.pooling import pool
from attnviz.attention.streaming import HeadRows, HeadVectors

torch.set_num_threads(1)

HEADS, QUERIES, KEYS, HEAD_DIM = 3, 71, 83, 5
SINK = torch.tensor([-1.0, 0.5, 2.0])
OFFSET = torch.arange(QUERIES)[:, None] - torch.arange(KEYS)
WINDOW = (OFFSET >= 0) & (OFFSET < 9) & (torch.arange(QUERIES) > 1)[:, None]  # the first two see nothing
PADDING = ((torch.arange(KEYS) >= 5) & (torch.arange(KEYS) < 47)).expand(QUERIES, KEYS)

RULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"visible": Spans.of(OFFSET >= 0)},
    "window": {"visible": Spans.of(WINDOW)},
    "padding": {"visible": Spans.of(PADDING)},
    "soft cap": {"softcap": 1.5},
    "sinks": {"sink": SINK},
    "all": {"softcap": 2.5, "sink": SINK, "visible": Spans.of(WINDOW)},
}
REGIONS = [((0, QUERIES), (0, KEYS)), ((3, 70), (1, 80)), ((40, 41), (9, 62))]
SIZES = (1, 2, 5, 9)  # cells larger than a block of keys, and several in one block


class Launches:
    """How often the kernel ran, and how many blocks of scores it computed."""

    runs = products = 0


@pytest.fixture(autouse=True)
def launches(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Launches]]:
    """The CPU as a GPU on which the kernel runs; a warning that it does not is an error."""
    from triton.runtime.interpreter import InterpreterBuilder

    monkeypatch.setattr(fused_kernel, "DEVICES", ("cpu",))
    monkeypatch.setattr(fused_kernel, "LEAST_SCORES", 0)
    monkeypatch.setattr(fused_kernel, "_LEAST_KEYS", 1)
    monkeypatch.setattr(fused_kernel, "TILES", {2: (Tile(32, 32, {}),), 4: (Tile(32, 16, {}),)})
    monkeypatch.setattr(fused_kernel, "_trusted", {})
    monkeypatch.setattr(streaming, "MOST_IN_DOUBLE", 0)
    run, product = fused_kernel._run, InterpreterBuilder.create_dot
    Launches.runs = Launches.products = 0

    def counted_run(*arguments: Any) -> Any:
        Launches.runs += 1
        return run(*arguments)

    def counted_product(builder: Any, *operands: Any) -> Any:
        Launches.products += 1
        for operand in operands[:2]:
            if operand.data.dtype == np.uint16:  # the interpreter multiplies bfloat16's bits as if they were integers
                operand.data = (operand.data.astype(np.uint32) << 16).view(np.float32)
        return product(builder, *operands)

    monkeypatch.setattr(fused_kernel, "_run", counted_run)
    monkeypatch.setattr(InterpreterBuilder, "create_dot", counted_product)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        yield Launches


def vectors(dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """(heads, queries, head_dim) and the keys, which all heads share; as models give them, neighbours are heads."""
    generator = torch.Generator().manual_seed(0)
    query, key = (1.4 * torch.randn(count, HEADS, HEAD_DIM, generator=generator) for count in (QUERIES, KEYS))
    return query.to(dtype).transpose(0, 1), key.to(dtype).transpose(0, 1)[:1].expand(HEADS, -1, -1)


def heads_of(rule: Rule, query: Tensor, key: Tensor, head: int) -> tuple[HeadVectors, HeadRows]:
    """The head, and its whole map."""
    every = rule.weights(query, key, slice(0, query.shape[1]))[head]
    unknown = torch.full(query.shape[1:2], torch.nan, dtype=torch.float64)
    whole = HeadRows(lambda rows: every[rows], key.shape[1], rule.visible, 1e-5)
    return HeadVectors(query[head], key[head], rule, head, unknown), whole


def check(head: HeadVectors, whole: HeadRows, region: tuple[Any, Any], size: int, reduce: str) -> None:
    rows, columns = (Cells.of(*part, size) for part in region)
    for given, expected in zip(pool(head, rows, columns, reduce), pool(whole, rows, columns, reduce), strict=True):
        torch.testing.assert_close(given, expected, atol=1e-6, rtol=0.0)


@pytest.mark.parametrize("reduce", ["share", "max"])
@pytest.mark.parametrize("name", RULES)
def test_a_region_in_cells_is_the_whole_map_in_cells(name: str, reduce: str, launches: type[Launches]) -> None:
    query, key = vectors()
    for number, region in enumerate(REGIONS):
        head, whole = heads_of(Rule(HEAD_DIM**-0.5, **RULES[name]), query, key, number)
        for size in SIZES:  # the first without its rows' sums, the others with them
            check(head, whole, region, size, reduce)
        fresh, _ = heads_of(head.rule, query, key, number)
        check(fresh, whole, region, 7, reduce)
        torch.testing.assert_close(fresh.log_sums, head.log_sums, atol=1e-5, rtol=0.0, equal_nan=True)
    assert launches.runs > 0 and all(fused_kernel._trusted.values())


@pytest.mark.parametrize("seed", range(12))
def test_any_spans_any_rows_any_columns_and_any_cells(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)

    def ends(most: int, count: int) -> Tensor:
        return torch.randint(most + 1, (2, count), generator=generator).sort(dim=0).values

    first, stop = ends(KEYS, QUERIES)
    if seed % 3 == 1:  # neighbours see nearly the same
        first, stop = (end.sort().values // (1 + seed) * (1 + seed) for end in (first, stop))
    if seed % 3 == 2:  # all see the same
        first, stop = (end[:1].expand(QUERIES) for end in (first, stop))
    stop = torch.maximum(first, stop)
    query, key = vectors()
    head, whole = heads_of(Rule(0.5, visible=Spans(first, stop)), query, key, seed % HEADS)
    for reduce in ("share", "max"):
        (row, row_stop), (column, column_stop) = (ends(most - 1, 1).flatten().tolist() for most in (QUERIES, KEYS))
        size = int(torch.randint(1, 20, (1,), generator=generator))
        check(head, whole, ((row, row_stop + 1), (column, column_stop + 1)), size, reduce)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("name", ["plain", "all"])
def test_half_precision_is_multiplied_as_it_is_and_added_up_in_float32(dtype: torch.dtype, name: str) -> None:
    query, key = vectors(dtype)
    head, whole = heads_of(Rule(HEAD_DIM**-0.5, **RULES[name]), query, key, 1)
    for size, reduce in ((2, "share"), (7, "max")):
        check(head, whole, REGIONS[0], size, reduce)
        check(head, whole, REGIONS[1], size, reduce)
    assert all(fused_kernel._trusted.values()) and {way[1] for way in fused_kernel._trusted} == {dtype}


@pytest.mark.parametrize("reduce", ["share", "max"])
def test_scores_far_apart_do_not_overflow(reduce: str) -> None:
    key = torch.zeros(1, KEYS, 1)
    key[0, 20], key[0, 60] = 120.0, 110.0
    query = torch.linspace(-8, 8, 9).view(1, 9, 1)
    head, whole = heads_of(Rule(1.0), query, key, 0)
    check(head, whole, ((0, 9), (0, KEYS)), 5, reduce)
    check(head, whole, ((2, 7), (16, 70)), 5, reduce)


@pytest.mark.parametrize(("visible", "share"), [(OFFSET >= 0, 0.75), (WINDOW, 0.45), (WINDOW & (OFFSET < 0), 0.0)])
def test_blocks_that_nobody_sees_are_not_computed(visible: Tensor, share: float, launches: type[Launches]) -> None:
    query, key = vectors()
    counts = []
    for rule in (Rule(1.0), Rule(1.0, visible=Spans.of(visible))):
        for _ in range(2):  # the first time, some rows are computed once more on trial
            head, _ = heads_of(rule, query, key, 0)
            launches.products = 0
            head.cells(slice(0, QUERIES), Cells.of(0, KEYS, 3))
        counts.append(launches.products)
    assert counts[0] > 0 and counts[1] <= share * counts[0]
