"""Pictures of regions and strongest links, streamed: the numbers of the whole map, in little memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from attnviz.attention import streaming
from attnviz.attention.blockwise import Diagonals, Rule, Spans
from attnviz.attention.cells import REDUCTIONS, Cells, check_reduce, region_cells
from attnviz.attention.links import BESIDE, check_links, strongest
from attnviz.attention.pooling import pool
from attnviz.attention.streaming import HeadRows, HeadVectors
from attnviz.errors import InputError

torch.set_num_threads(1)  # what is computed on other threads is not seen by accounts

HEADS, QUERIES, KEYS, HEAD_DIM = 3, 29, 37, 5
SINK = torch.tensor([-1.0, 0.5, 2.0])


def distance(queries: int, keys: int) -> Tensor:
    return torch.arange(queries)[:, None] - torch.arange(keys)


def window(queries: int = QUERIES, keys: int = KEYS, width: int = 4) -> Tensor:
    """(queries, keys): each query sees `width` keys, the last of them at its own place; the first two see nothing."""
    return (distance(queries, keys) >= 0) & (distance(queries, keys) < width) & (torch.arange(queries) > 1)[:, None]


def holes(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.5


def padding(queries: int = QUERIES, keys: int = KEYS) -> Tensor:
    key = torch.arange(keys)
    return ((key >= 5) & (key < 31)).expand(queries, keys)


def bias(heads: int = HEADS, queries: int = QUERIES, keys: int = KEYS) -> Tensor:
    """As T5's: a value of its own for each head and each key - query."""
    return torch.sin(-distance(queries, keys) + 10.0 * torch.arange(heads)[:, None, None])


RULES: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"visible": Spans.of(distance(QUERIES, KEYS) >= 0)},
    "window": {"visible": Spans.of(window())},
    "padding": {"visible": Spans.of(padding())},
    "holes": {"visible": holes(1, QUERIES, KEYS)},
    "holes by head": {"visible": holes(HEADS, QUERIES, KEYS)},
    "holes for all rows": {"visible": holes(1, 1, KEYS)},
    "diagonals": {"bias": Diagonals.of(bias())},
    "bias": {"bias": torch.cos(bias() * KEYS)},
    "bias by key": {"bias": torch.linspace(-3, 3, KEYS).view(1, 1, KEYS)},
    "soft cap": {"softcap": 1.5},
    "sinks": {"sink": SINK},
    "all": {"softcap": 2.5, "sink": SINK, "visible": Spans.of(window(width=9)), "bias": Diagonals.of(bias())},
}


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So small that each picture is put together from many."""
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 8)
    monkeypatch.setattr(streaming, "BLOCK_COLUMNS", 7)


def vectors(queries: int = QUERIES, keys: int = KEYS) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(1.4 * torch.randn(HEADS, count, HEAD_DIM, generator=generator) for count in (queries, keys))


def head_of(rule: Rule, query: Tensor, key: Tensor, head: int) -> HeadVectors:
    return HeadVectors(query[head], key[head], rule, head, torch.full(query.shape[1:2], torch.nan, dtype=torch.float64))


def written_out(weights: Tensor, seen: Tensor, rows: Cells, columns: Cells, reduce: str) -> tuple[Tensor, ...]:
    """Values, hidden mass and what is outside, from the whole float64 map."""
    tops, lefts = (cells.edges[:-1].numpy() - cells.start for cells in (rows, columns))

    def per_cell(values: Tensor, ufunc: np.ufunc = np.add) -> Tensor:
        cut = values[rows.start : rows.stop, columns.start : columns.stop].double().numpy()
        return torch.from_numpy(ufunc.reduceat(ufunc.reduceat(cut, tops, axis=0), lefts, axis=1))

    sums, even = per_cell(weights), per_cell(seen / seen.sum(dim=1, keepdim=True).clamp_min(1))
    counts = rows.sizes[:, None]
    picture = {
        "share": sums / counts,
        "mean": sums / counts / columns.sizes,
        "max": per_cell(weights, np.maximum),
        "lift": torch.where(even > 0, sums / even.clamp_min(1e-12), 0.0),
    }[reduce]
    whole = weights.sum(dim=1)
    outside = whole - weights[:, columns.start : columns.stop].sum(dim=1)
    of_rows = [
        torch.from_numpy(np.add.reduceat(part[rows.start : rows.stop].numpy(), tops)) / rows.sizes
        for part in (1 - whole, outside)
    ]
    return picture, *of_rows


def check(head: Any, weights: Tensor, seen: Tensor, region: tuple[Any, Any], size: int, reduce: str) -> None:
    cells = [region_cells("rows", part, count, size) for part, count in zip(region, weights.shape, strict=True)]
    actual = pool(head, *cells, reduce)
    expected = written_out(weights.double(), seen.expand_as(weights).double(), *cells, reduce)
    for index, (found, wanted) in enumerate(zip(actual, expected, strict=True)):
        assert found.dtype == torch.float32
        # A lift is a weight times as many keys as a query may see.
        bound = 1e-6 * (weights.shape[1] if reduce == "lift" and index == 0 else 1)
        torch.testing.assert_close(found.double(), wanted, atol=bound, rtol=0.0)


def seen_by(rule: Rule, head: int, queries: int, keys: int) -> Tensor:
    if isinstance(rule.visible, Spans):
        return rule.visible.allowed(slice(0, queries), keys)
    return torch.ones(queries, keys) if rule.visible is None else rule.visible[head % len(rule.visible)]


REGIONS = [(None, None), ((3, 28), (1, 30)), ((17, 18), (9, 26))]


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("reduce", REDUCTIONS)
@pytest.mark.parametrize("name", RULES)
def test_a_region_in_cells_is_the_whole_map_in_cells(name: str, reduce: str) -> None:
    rule = Rule(scale=HEAD_DIM**-0.5, **RULES[name])
    query, key = vectors()
    every = rule.weights(query, key, slice(0, QUERIES))
    for head in range(HEADS):
        seen = seen_by(rule, head, QUERIES, KEYS)
        rows = HeadRows(lambda rows, head=head: every[head, rows], KEYS, rule.visible, 1e-5)
        if isinstance(rule.visible, Tensor):
            rows = HeadRows(rows.weights_of, KEYS, rule.visible[head % len(rule.visible)], 1e-5)
        for region in REGIONS:
            fresh = head_of(rule, query, key, head)
            for size in (1, 3, 512):  # the first without its rows' sums, the others with them
                check(fresh, every[head], seen, region, size, reduce)
            check(rows, every[head], seen, region, 3, reduce)


@pytest.mark.parametrize("reduce", REDUCTIONS)
def test_a_text_of_1500_tokens_in_half_precision(reduce: str) -> None:
    tokens = 1501
    spans = Spans.of(window(tokens, tokens, 700))
    rule = Rule(scale=0.4, softcap=4.0, sink=SINK, visible=spans)
    query, key = (part.bfloat16() for part in vectors(tokens, tokens))
    weights = rule.weights(query[1:2], key[1:2], slice(0, tokens), slice(1, 2))[0]
    head = head_of(rule, query, key, 1)
    check(head, weights, seen_by(rule, 1, tokens, tokens), (None, None), 32, reduce)
    check(head, weights, seen_by(rule, 1, tokens, tokens), ((70, 1333), (901, 1500)), 17, reduce)


def test_several_threads_give_the_same_and_leave_their_number_as_it_was() -> None:
    query, key = vectors(3000, 3000)
    cells = Cells.of(0, 3000, 30)
    pictures = []
    for threads in (1, 3):
        torch.set_num_threads(threads)
        try:
            pictures.append(pool(head_of(Rule(0.4), query, key, 0), cells, Cells.of(10, 3000, 30), "lift"))
            assert torch.get_num_threads() == threads
        finally:
            torch.set_num_threads(1)
    for alone, shared in zip(*pictures, strict=True):
        torch.testing.assert_close(alone, shared, atol=1e-5, rtol=1e-5)


def test_scores_far_apart_do_not_overflow() -> None:
    query, key = torch.tensor([[300.0], [-300.0]]), torch.tensor([[1.0], [0.0], [-1.0]])
    head = HeadVectors(query, key, Rule(scale=1.0), 0, torch.full((2,), torch.nan, dtype=torch.float64))
    cells = Cells.of(0, 2, 2), Cells.of(0, 3, 3)
    for _ in range(2):
        values, hidden, _ = pool(head, *cells, "share")
        assert torch.equal(values, torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])) and not hidden.any()


@pytest.mark.usefixtures("small_blocks")
def test_a_score_far_above_those_of_the_first_block_does_not_overflow() -> None:
    key = torch.zeros(KEYS, 1)
    # Their exponentials are beyond float32, and those of 8 times as much beyond float64.
    key[20], key[30] = 120.0, 110.0
    rising = torch.linspace(-1, 1, 9)[:, None]  # rows of one block from which something is taken off, and nothing
    for query, dtype in (
        (torch.ones(9, 1), torch.float32), (8 * torch.ones(9, 1), torch.float64), (rising, torch.float32),
    ):  # fmt: skip
        head = HeadVectors(query, key, Rule(1.0), 0, torch.full((9,), torch.nan).double())
        weights = Rule(1.0).weights(query[None], key[None], slice(0, 9))[0]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(streaming, "MOST_IN_DOUBLE", 0 if dtype == torch.float32 else 1 << 22)
            for reduce in REDUCTIONS:
                check(head, weights, torch.ones(9, KEYS), (None, None), 12, reduce)
                check(head, weights, torch.ones(9, KEYS), ((2, 7), (16, 33)), 12, reduce)


# ---------------------------------------------------------------------------------------------------------------------
# What is computed


class Accounts(TorchDispatchMode):
    """The largest tensor and how many scores are computed inside."""

    elements = scores = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        sizes = [item.numel() for item in tree_leaves(result) if isinstance(item, Tensor)]
        self.elements = max([self.elements, *sizes])
        if "mm" in func.__name__:
            self.scores += sizes[0]
        return result


def test_8000_tokens_need_no_matrix_of_them_and_what_a_window_hides_is_not_computed() -> None:
    tokens = 8009
    query, key = (torch.randn(tokens, HEAD_DIM, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    for spans, most in ((Spans.causal(tokens, query.device), 0.6), (Spans.of(window(tokens, tokens, 200)), 0.2)):
        head = HeadVectors(query, key, Rule(1.0, visible=spans), 0, torch.full((tokens,), torch.nan).double())
        cells = Cells.of(0, tokens, 256)
        with Accounts() as accounts:
            values, _, _ = pool(head, cells, cells, "share")
        assert accounts.elements <= streaming.BLOCK_ROWS * streaming.BLOCK_COLUMNS < tokens * tokens / 50
        assert accounts.scores <= most * tokens * tokens
        seen = values.sum(dim=1)
        torch.testing.assert_close(seen[1:], torch.ones(255), atol=1e-5, rtol=0.0)
        with Accounts() as zoom:
            pool(head, region_cells("rows", (4000, 4200), tokens, 256), Cells.of(3900, 4100, 256), "share")
        assert zoom.scores <= 400 * 400, "a region needs its own keys alone, once the sums are known"


# ---------------------------------------------------------------------------------------------------------------------
# Links


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", ["plain", "causal", "holes", "sinks"])
@pytest.mark.parametrize("beside", [(), BESIDE, ("self",), ("previous", "special")])
def test_links_are_the_first_of_a_full_sort(name: str, beside: tuple[str, ...]) -> None:
    rule = Rule(scale=HEAD_DIM**-0.5, **RULES[name])
    query, key = vectors()
    weights = rule.weights(query, key, slice(0, QUERIES))[2]
    head = head_of(rule, query, key, 2)
    special_queries, special_keys = torch.arange(QUERIES) % 7 == 3, torch.arange(KEYS) % 6 == 1
    offset = distance(QUERIES, KEYS)
    out = torch.zeros(QUERIES, KEYS, dtype=torch.bool)
    for part, where in (("self", offset == 0), ("previous", offset == 1), ("first", torch.arange(KEYS) == 0),
                        ("special", special_queries[:, None] | special_keys)):  # fmt: skip
        if part in beside:
            out |= where
    rest = weights.masked_fill(out, 0.0).flatten()
    for source in (head, HeadRows(lambda rows: weights[rows], KEYS, None, 1e-5)):
        for count in (1, 10, 2000):
            links = strongest(source, count, beside, special_queries, special_keys, number=2, same_text=True)
            assert len(links) == min(count, int((rest > 0).sum()))
            expected = rest.topk(len(links)).values
            torch.testing.assert_close(torch.tensor([link.weight for link in links]), expected, atol=1e-6, rtol=0.0)
            for link in links:
                assert link.head == 2 and abs(float(weights[link.query, link.key]) - link.weight) < 1e-6
                assert not out[link.query, link.key]
            assert len({(link.query, link.key) for link in links}) == len(links)


# ---------------------------------------------------------------------------------------------------------------------
# Wrong settings


def test_wrong_settings_say_what_is_right() -> None:
    with pytest.raises(InputError, match="`reduce` is one of .*'lift'.*, not 'median'"):
        check_reduce("median")
    with pytest.raises(InputError, match="`size` has to be 1 or more, not 0"):
        region_cells("rows", None, 5, 0)
    for region in ((3, 3), (-1, 2), (2, 6)):
        with pytest.raises(InputError, match=r"`columns` is \(start, stop\) within 0 to 5, not"):
            region_cells("columns", region, 5, 2)
    with pytest.raises(InputError, match="`count` has to be 1 or more, not 0"):
        check_links(0, ())
    with pytest.raises(InputError, match=r"`beside` names some of .*, not \['sink'\]"):
        check_links(1, ("self", "sink"))
