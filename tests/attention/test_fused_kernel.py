"""When a kernel on a GPU computes a head's cells, and that blocks do wherever it is missing, fails or differs.

What the kernel itself computes is held against whole maps in `interpreted_kernel.py`: Triton interprets kernels
on a CPU, if it is asked for that before it is imported, hence in a process of its own. PyTorch for CUDA brings Triton
along, so most people have it; where there is another PyTorch without it, that test is skipped.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from attnviz.attention import fused_kernel, streaming
from attnviz.attention.blockwise import Diagonals, Rule, Spans
from attnviz.attention.cells import Cells
from attnviz.attention.fused_kernel import Part, Sums, Tile
from attnviz.attention.pooling import pool
from attnviz.attention.streaming import HeadRows, HeadVectors

TOKENS, HEAD_DIM = 67, 7
ROOT = Path(__file__).resolve().parents[2]


def head_of(rule: Rule, tokens: int = TOKENS, dtype: torch.dtype = torch.float32) -> HeadVectors:
    generator = torch.Generator().manual_seed(0)
    query, key = (torch.randn(tokens, HEAD_DIM, generator=generator).to(dtype) for _ in range(2))
    return HeadVectors(query, key, rule, 0, torch.full((tokens,), torch.nan).double())


def picture(rule: Rule, reduce: str = "share") -> torch.Tensor:
    cells = Cells.of(0, TOKENS, 5)
    return pool(head_of(rule), cells, cells, reduce)[0]


class Kernel:
    """Stands in for a GPU's: it gives what blocks give, changed as a test wants it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.head = head_of(RULE)
        self.tiles: list[int] = []  # keys of a block
        self.rows: list[int] = []
        self.change: Any = lambda part, sums: sums
        monkeypatch.setattr(fused_kernel, "_run", self.run)

    def run(self, part: Part, tile: Tile) -> Sums:
        self.tiles.append(tile.keys)
        self.rows.append(len(part.query))
        first = int((self.head.query == part.query[0]).all(dim=1).nonzero()[0])
        rows = slice(first, first + len(part.query))
        return self.change(part, self.head._in_blocks(rows, part.columns, part.shift, part.largest))


RULE = Rule(0.7, visible=Spans.causal(TOKENS, torch.device("cpu")))
LARGE, SMALL = 32, 16


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if tensors of the CPU lay on a GPU, where nothing has been tried yet."""
    monkeypatch.setattr(fused_kernel, "DEVICES", ("cpu",))
    monkeypatch.setattr(fused_kernel, "LEAST_SCORES", 0)
    monkeypatch.setattr(fused_kernel, "TILES", {4: (Tile(32, LARGE, {}), Tile(16, SMALL, {}))})
    monkeypatch.setattr(fused_kernel, "TRIAL_ROWS", 20)
    monkeypatch.setattr(fused_kernel, "_trusted", {})
    monkeypatch.setattr(fused_kernel, "_warned", [])
    monkeypatch.setattr(streaming, "MOST_IN_DOUBLE", 0)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def kernel(on_a_gpu: None, monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


def in_blocks(reduce: str = "share") -> torch.Tensor:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fused_kernel, "DEVICES", ())
        return picture(RULE, reduce)


def test_on_a_cpu_nothing_of_it_is_loaded_or_run() -> None:
    code = (
        "import sys, torch; from attnviz.attention.streaming import *; from attnviz.attention.pooling import pool\n"
        "cells = Cells.of(0, 2100, 9); sums = torch.full((2100,), torch.nan).double()\n"
        "pool(HeadVectors(torch.ones(2100, 4), torch.ones(2100, 4), Rule(1.0), 0, sums), cells, cells, 'share')\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'triton' or 'triton_kernel' in name]"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


@pytest.mark.parametrize("reduce", ["share", "max"])
def test_it_is_used_once_it_agrees_with_the_blocks_at_both_ends(kernel: Kernel, reduce: str) -> None:
    expected = in_blocks(reduce)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(2):
            torch.testing.assert_close(picture(RULE, reduce), expected, atol=1e-6, rtol=0.0)
    assert set(kernel.tiles) == {LARGE}
    assert kernel.rows == [20, 20, TOKENS, TOKENS], "what was tried once is not tried again"


@pytest.mark.parametrize("end", [0, -1])
@pytest.mark.parametrize("number", ["values", "shown", "nan"])
def test_one_that_differs_is_not_used_and_a_warning_says_so_once(kernel: Kernel, end: int, number: str) -> None:
    def change(part: Part, sums: Sums) -> Sums:
        values, shown, shift = sums
        if number == "values":
            values[end] *= 1.002
        elif number == "shown":
            shown[end] *= 0.998
        else:
            values[end, -1] = torch.nan
        return values, shown, shift

    expected = in_blocks()
    kernel.change = change
    with pytest.warns(RuntimeWarning, match="computed in blocks on cpu, because .*its numbers differ from") as seen:
        for _ in range(3):
            assert torch.equal(picture(RULE), expected)
    assert len(seen) == 1
    assert set(kernel.tiles) == {LARGE, SMALL} and TOKENS not in kernel.rows


def test_where_only_small_blocks_fit_these_are_used(kernel: Kernel) -> None:
    def change(part: Part, sums: Sums) -> Sums:
        if kernel.tiles[-1] == LARGE:
            raise RuntimeError("out of resource: shared memory")
        return sums

    expected = in_blocks()
    kernel.change = change
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.testing.assert_close(picture(RULE), expected, atol=1e-6, rtol=0.0)
    assert kernel.tiles == [LARGE, SMALL, SMALL, SMALL]


@pytest.mark.usefixtures("on_a_gpu")
def test_without_triton_there_are_blocks_and_one_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = in_blocks()
    monkeypatch.setitem(sys.modules, "attnviz.attention.triton_kernel", None)
    with pytest.warns(RuntimeWarning, match=r"cannot be used \(ModuleNotFoundError: .*numbers are the same") as seen:
        for _ in range(2):
            assert torch.equal(picture(RULE), expected)
    assert len(seen) == 1


def test_one_that_fails_later_gives_way_to_blocks_that_fit_into_memory(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = in_blocks()

    def change(part: Part, sums: Sums) -> Sums:
        if len(part.query) > 20:
            raise RuntimeError("the driver has gone\nand took its time")
        return sums

    kernel.change = change
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 8)
    every = head_of(RULE).row_blocks(Cells.of(0, TOKENS, 1), Cells.of(0, TOKENS, 5))
    assert list(every) == [slice(0, TOKENS)], "the kernel gets more rows than a block has"
    with pytest.warns(RuntimeWarning, match=r"\(RuntimeError: the driver has gone\)"):
        torch.testing.assert_close(picture(RULE), expected, atol=1e-6, rtol=0.0)
    assert max(kernel.rows) == TOKENS and len(kernel.tiles) == 6, "after that it was not called again"


def test_where_memory_is_short_it_gets_fewer_rows_at_a_time(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = in_blocks()

    def change(part: Part, sums: Sums) -> Sums:
        if len(part.query) > 20:
            raise torch.OutOfMemoryError("128 MiB")
        return sums

    kernel.change = change
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.testing.assert_close(picture(RULE), expected, atol=1e-6, rtol=0.0)
    assert kernel.rows == [20, 20, TOKENS, *[8] * 8, 3]


def test_what_it_is_not_made_for_is_left_to_the_blocks(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    rows, cells = slice(0, TOKENS), Cells.of(0, TOKENS, 5)
    mask = torch.ones(1, TOKENS, TOKENS, dtype=torch.bool).tril()
    diagonals = Diagonals.of(torch.zeros(1, TOKENS, TOKENS))
    for rule in (Rule(1.0, visible=mask), Rule(1.0, bias=diagonals), Rule(1.0, bias=torch.zeros(1, 1, TOKENS))):
        head_of(rule).cells(rows, cells)
    uneven = Cells(torch.tensor([0, 20, 30, TOKENS]))
    for columns in (Cells.of(0, TOKENS, TOKENS), uneven):  # a number for each score, and no even cells
        head_of(RULE).cells(rows, columns)
    head_of(RULE, dtype=torch.float64).cells(rows, cells)
    with monkeypatch.context() as patch:
        patch.setattr(streaming, "MOST_IN_DOUBLE", 1 << 22)
        head_of(RULE).cells(rows, cells)
    with monkeypatch.context() as patch:
        patch.setattr(fused_kernel, "LEAST_SCORES", TOKENS * TOKENS + 1)
        head_of(RULE).cells(rows, cells)
    monkeypatch.setattr(fused_kernel, "_MOST_DIMENSIONS", HEAD_DIM - 1)
    head_of(RULE).cells(rows, cells)
    assert not kernel.tiles


def test_it_gives_the_weights_of_whole_maps_where_triton_interprets_it() -> None:
    pytest.importorskip("triton", reason="comes with PyTorch for CUDA")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
    environment = os.environ | {"TRITON_INTERPRET": "1"}
    result = subprocess.run(
        [*command, "tests/attention/interpreted_kernel.py"], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_compiles_for_a_gpu_that_is_not_there(
    dtype: torch.dtype, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("triton", reason="comes with PyTorch for CUDA")
    if "TRITON_INTERPRET" in os.environ:
        pytest.skip("Triton interprets kernels here")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource, compile

    from attnviz.attention.triton_kernel import cell_kernel

    vectors, ends = torch.zeros(300, 128, dtype=dtype), torch.zeros(300)
    part = Part(vectors, vectors, 1.0, 1.0, (ends, ends), Cells.of(0, 300, 1), None, False)
    element = {torch.float32: "*fp32", torch.bfloat16: "*bf16"}[dtype]
    types = {"query": element, "key": element, "firsts": "*i32", "stops": "*i32", "factor": "fp32", "cap": "fp32"}
    types |= dict.fromkeys(("known", "values", "shifts", "totals"), "*fp32")
    tile = fused_kernel.TILES[part.query.element_size()][0]
    constants = fused_kernel._constants(part, tile)
    names = cell_kernel.arg_names
    signature = {name: "constexpr" if name in constants else types.get(name, "i32") for name in names}
    source = ASTSource(cell_kernel, signature, {(names.index(name),): value for name, value in constants.items()})
    built = compile(source, GPUTarget("cuda", 90, 32), {**tile.options, "enable_fp_fusion": True})
    assert built.asm["cubin"] and ("wgmma" in built.asm["ptx"]) == (dtype is torch.bfloat16)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("reduce", ["share", "max"])
def test_on_a_gpu_it_gives_the_weights_of_the_cpu(dtype: torch.dtype, reduce: str) -> None:
    tokens = 9001
    for spans, softcap in ((None, None), (Spans.causal(tokens, torch.device("cpu")), None), (None, 3.0)):
        head = head_of(Rule(0.5, softcap=softcap, visible=spans), tokens, dtype)
        moved = None if spans is None else Spans(spans.first.cuda(), spans.stop.cuda())
        rule = Rule(0.5, softcap=softcap, visible=moved)
        there = HeadVectors(head.query.cuda(), head.key.cuda(), rule, 0, head.log_sums.cuda())

        def weights(rows: slice, head: HeadVectors = head) -> torch.Tensor:
            return head.rule.weights(head.query[None, rows], head.key[None], rows)[0]

        whole = HeadRows(weights, tokens, spans, 1e-5)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for cells in (Cells.of(0, tokens, 60), Cells.of(400, 8801, 500)):
                given, expected = (pool(one, cells, cells, reduce)[0] for one in (there, whole))
                torch.testing.assert_close(given, expected, atol=2e-6, rtol=1e-4)
    assert any(fused_kernel._trusted.values())
