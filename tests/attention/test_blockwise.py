"""Weights block by block: the same numbers as all at once, in memory that does not grow with the square."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from attnviz.attention import blockwise, dot_product
from attnviz.attention.blockwise import Diagonals, Rule, Spans

HEADS, QUERIES, KEYS, HEAD_DIM, VALUE_DIM = 3, 13, 17, 5, 7
ALL = slice(0, QUERIES)


class Largest(TorchDispatchMode):
    """Remembers the largest tensor, in elements, that any operation inside gives."""

    elements = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        sizes = [item.numel() for item in tree_leaves(result) if isinstance(item, torch.Tensor)]
        self.elements = max([self.elements, *sizes])
        return result


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of two rows at most, so that every result is put together from several."""
    monkeypatch.setattr(blockwise, "BLOCK_ELEMENTS", 2 * HEADS * KEYS)


def vectors(queries: int = QUERIES, keys: int = KEYS, heads: int = HEADS) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    shapes = (heads, queries, HEAD_DIM), (heads, keys, HEAD_DIM), (heads, keys, VALUE_DIM)
    return tuple(2 * torch.randn(shape, generator=generator) for shape in shapes)


def window(queries: int = QUERIES, keys: int = KEYS, width: int = 4) -> torch.Tensor:
    """(queries, keys): each query sees `width` keys, the last of them at its own place."""
    distance = torch.arange(queries)[:, None] - torch.arange(keys)
    return (distance >= 0) & (distance < width)


def some(*shape: int) -> torch.Tensor:
    """A mask without a pattern; each row sees something."""
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(1)) < 0.5
    mask[..., 2] = True
    return mask


def diagonal_bias(heads: int = HEADS, queries: int = QUERIES, keys: int = KEYS) -> torch.Tensor:
    """(heads, queries, keys): a value of its own for each head and each key - query."""
    distance = torch.arange(keys) - torch.arange(queries)[:, None]
    return torch.sin(distance + 10.0 * torch.arange(heads)[:, None, None])


# ---------------------------------------------------------------------------------------------------------------------
# Spans and diagonals


@pytest.mark.parametrize(
    "allowed",
    [
        pytest.param(torch.ones(QUERIES, KEYS, dtype=torch.bool), id="all"),
        pytest.param(window(), id="window"),
        pytest.param(window(width=QUERIES), id="causal"),
        pytest.param(torch.zeros(QUERIES, KEYS, dtype=torch.bool), id="nothing"),
        pytest.param(window() & (torch.arange(QUERIES) != 6)[:, None], id="a row of nothing"),
        pytest.param((torch.arange(KEYS) >= 5).expand(QUERIES, KEYS), id="left padding"),
        pytest.param((torch.arange(KEYS) < 11).expand(QUERIES, KEYS), id="right padding"),
        pytest.param(torch.arange(QUERIES)[:, None] // 4 == torch.arange(KEYS) // 4, id="chunks"),
        pytest.param(torch.ones(1, 1, dtype=torch.bool), id="one token"),
    ],
)
def test_a_mask_of_neighbours_comes_back_from_its_spans(allowed: torch.Tensor) -> None:
    spans = Spans.of(allowed)
    assert spans is not None
    assert spans.first.shape == spans.stop.shape == allowed.shape[:1]
    rows, keys = allowed.shape
    assert torch.equal(spans.allowed(slice(0, rows), keys), allowed)
    assert torch.equal(spans.allowed(slice(rows // 2, rows), keys), allowed[rows // 2 :])


@pytest.mark.parametrize("hole", [(0, 1), (7, 9), (12, 15)])
def test_a_mask_with_a_hole_in_any_row_has_no_spans(hole: tuple[int, int]) -> None:
    allowed = torch.ones(QUERIES, KEYS, dtype=torch.bool)
    allowed[hole] = False
    assert Spans.of(allowed) is None


def test_causal_spans() -> None:
    spans = Spans.causal(5, torch.device("cpu"))
    assert torch.equal(spans.allowed(slice(0, 5), 7), torch.ones(5, 7).tril().bool())


@pytest.mark.parametrize("shape", [(HEADS, QUERIES, KEYS), (1, KEYS, QUERIES), (2, 1, 5), (2, 5, 1)])
def test_a_bias_by_distance_comes_back_from_its_diagonals(shape: tuple[int, int, int]) -> None:
    bias = diagonal_bias(*shape)
    diagonals = Diagonals.of(bias)
    assert diagonals is not None
    heads, queries, keys = shape
    assert diagonals.values.shape == (heads, queries + keys - 1)
    assert torch.equal(diagonals.block(slice(0, queries), keys), bias)
    assert torch.equal(diagonals.block(slice(queries // 2, queries), keys), bias[:, queries // 2 :])


@pytest.mark.parametrize("place", [(0, 1, 1), (2, 12, 16), (1, 5, 0), (1, 0, 9)])
def test_a_bias_that_differs_along_one_diagonal_has_none(place: tuple[int, int, int]) -> None:
    bias = diagonal_bias()
    bias[place] += 1e-3
    assert Diagonals.of(bias) is None


# ---------------------------------------------------------------------------------------------------------------------
# Blocks


@pytest.mark.parametrize(("queries", "keys", "heads"), [(13, 17, 3), (1, 10**9, 7), (10**6, 1, 1), (0, 5, 2)])
def test_blocks_cover_every_row_once(queries: int, keys: int, heads: int) -> None:
    slices = list(blockwise.blocks(queries, keys, heads))
    assert [row for rows in slices for row in range(queries)[rows]] == list(range(queries))
    assert all(
        (rows.stop - rows.start) * keys * heads <= blockwise.BLOCK_ELEMENTS or rows.stop - rows.start == 1
        for rows in slices
    )


def dense(rule: dict[str, Any], allowed: torch.Tensor | None, bias: torch.Tensor | None) -> torch.Tensor:
    """(heads, queries, keys): everything at once, with masks and biases written out."""
    query, key, _ = vectors()
    given = {name: rule.get(name) for name in ("scale", "softcap")}
    scores = dot_product.scores(query, key, **given, bias=bias, allowed=allowed)
    return dot_product.weights(scores, sink=rule.get("sink"))


SINK = torch.tensor([-1.0, 0.5, 2.0])
RULES: dict[str, tuple[dict[str, Any], Any, torch.Tensor | None, Any, torch.Tensor | None]] = {
    # what else | visible, written out | bias, written out
    "plain": ({}, None, None, None, None),
    "scale": ({"scale": 1.7}, None, None, None, None),
    "spans": ({}, Spans.of(window()), window(), None, None),
    "a mask for all heads": ({}, some(1, QUERIES, KEYS), some(1, QUERIES, KEYS), None, None),
    "a mask for each head": ({}, some(HEADS, QUERIES, KEYS), some(HEADS, QUERIES, KEYS), None, None),
    "diagonals": ({}, None, None, Diagonals.of(diagonal_bias()), diagonal_bias()),
    "diagonals for all heads": ({}, None, None, Diagonals.of(diagonal_bias(1)), diagonal_bias(1)),
    "a bias": ({}, None, None, torch.cos(diagonal_bias() * KEYS), torch.cos(diagonal_bias() * KEYS)),
    "a bias by key": ({}, None, None, torch.linspace(-3, 3, HEADS * KEYS).view(HEADS, 1, KEYS),
                      torch.linspace(-3, 3, HEADS * KEYS).view(HEADS, 1, KEYS)),
    "soft cap": ({"softcap": 1.5}, None, None, None, None),
    "sinks": ({"sink": SINK}, None, None, None, None),
    "all of it": ({"scale": 0.9, "softcap": 2.5, "sink": SINK}, Spans.of(window()), window(),
                  Diagonals.of(diagonal_bias()), diagonal_bias()),
}  # fmt: skip


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize("name", RULES)
def test_blockwise_is_what_all_at_once_is(name: str) -> None:
    others, visible, allowed, bias, written = RULES[name]
    rule = Rule(**({"scale": HEAD_DIM**-0.5} | others), visible=visible, bias=bias)
    query, key, value = vectors()
    expected = dense({"scale": rule.scale} | others, allowed, written)
    assert len(list(blockwise.blocks(QUERIES, KEYS, HEADS))) == 7, "two rows at a time"

    found = torch.cat(
        [rule.weights(query[:, rows], key, rows) for rows in blockwise.blocks(QUERIES, KEYS, HEADS)], dim=1
    )
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0.0)
    for head in range(HEADS):  # and one head alone
        one = slice(head, head + 1)
        alone = [rule.weights(query[one, rows], key[one], rows, one) for rows in blockwise.blocks(QUERIES, KEYS)]
        torch.testing.assert_close(torch.cat(alone, dim=1)[0], expected[head], atol=1e-6, rtol=0.0)
    torch.testing.assert_close(blockwise.output(query, key, value, rule), expected @ value, atol=1e-5, rtol=0.0)


def test_half_precision_is_computed_in_float32() -> None:
    query, key, value = (item.bfloat16() for item in vectors())
    rule = Rule(scale=1.0, sink=SINK.bfloat16(), bias=torch.ones(1, 1, KEYS, dtype=torch.bfloat16))
    weights, result = rule.weights(query, key, ALL), blockwise.output(query, key, value, rule)
    assert weights.dtype == result.dtype == torch.float32
    scores = query.float() @ key.float().transpose(1, 2) + 1
    expected = torch.cat([scores, SINK[:, None, None].expand(-1, QUERIES, 1)], dim=-1).softmax(dim=-1)[..., :-1]
    torch.testing.assert_close(weights, expected, atol=1e-6, rtol=0.0)
    torch.testing.assert_close(result, expected @ value.float(), atol=1e-5, rtol=0.0)


def test_the_output_of_4099_tokens_never_makes_a_matrix_of_them() -> None:
    tokens = 4099
    query, key, value = vectors(tokens, tokens, heads=1)
    with Largest() as largest:
        blockwise.output(
            query, key, value, Rule(scale=0.5, softcap=3.0, visible=Spans.causal(tokens, torch.device("cpu")))
        )
    assert largest.elements <= blockwise.BLOCK_ELEMENTS
