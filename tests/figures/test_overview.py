"""The overview as a figure: read from `fig.data` and `fig.layout`, as a browser would draw it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from attnviz.attention.attention_map import AttentionMap
from attnviz.figures import style
from attnviz.figures.overview import draw_overview
from attnviz.tokenization.token import Token

LAYERS, HEADS, QUERIES, KEYS = 2, 3, 5, 7  # they differ, so that a swapped axis shows


def tokens(count: int) -> tuple[Token, ...]:
    return tuple(Token(place, f"t<{place}>", False, place, None, None) for place in range(count))


def heads(queries: int = QUERIES, keys: int = KEYS) -> list[AttentionMap]:
    random = np.random.default_rng(0)
    return [
        AttentionMap.of(
            random.dirichlet(np.ones(keys), queries),
            tokens(queries),
            tokens(keys),
            kind="cross",
            layer=layer,
            head=head,
        )
        for layer in range(LAYERS)
        for head in range(HEADS)
    ]


def test_all_heads_are_one_trace_with_layers_down_and_heads_across() -> None:
    maps = heads()
    figure = draw_overview(maps)
    (heatmap,) = figure.data
    across, down = figure.layout.xaxis, figure.layout.yaxis
    assert list(across.ticktext) == ["H0", "H1", "H2"] and list(down.ticktext) == ["L0", "L1"]
    assert down.range[0] > down.range[1]  # layer 0 is at the top
    for map in maps:
        top = round(down.tickvals[map.layer] - (QUERIES - 1) / 2)
        left = round(across.tickvals[map.head] - (KEYS - 1) / 2)
        np.testing.assert_array_equal(heatmap.z[top : top + QUERIES, left : left + KEYS], map.weights)
        assert heatmap.text[top + 1][left + 2] == f"{map.name}: t&lt;1&gt; → t&lt;2&gt; {map.weights[1, 2]:.2f}"
    assert np.isfinite(heatmap.z).sum() == LAYERS * HEADS * QUERIES * KEYS  # nothing but gaps between them
    assert len(figure.layout.shapes) == LAYERS * HEADS


def test_the_order_of_the_maps_does_not_matter_and_a_missing_head_leaves_its_place() -> None:
    maps = heads()
    whole, shuffled = draw_overview(maps).data[0], draw_overview(maps[::-1]).data[0]
    np.testing.assert_array_equal(whole.z, shuffled.z)
    without = draw_overview(maps[1:]).data[0]
    assert without.z.shape == whole.z.shape
    assert np.isnan(without.z[:QUERIES, :KEYS]).all()


def test_heads_share_the_range_0_to_1_or_have_their_own() -> None:
    maps = heads()
    shared = draw_overview(maps).data[0]
    assert (shared.zmin, shared.zmax) == (0.0, 1.0)
    assert shared.colorbar.title.text == "attention weight"
    own = draw_overview(maps, scale="head").data[0]
    assert own.colorbar.title.text == "attention weight / max"
    assert np.nanmax(own.z[:QUERIES, :KEYS]) == pytest.approx(1.0)
    assert own.text[0][0] == shared.text[0][0]  # the number stays the weight


def test_colours_are_those_of_the_theme() -> None:
    figure = draw_overview(heads(), theme="dark", title="All heads")
    assert [list(stop) for stop in figure.data[0].colorscale] == style.sequential("dark")
    assert figure.layout.title.text == "All heads"
    assert figure.layout.shapes[0].line.color == style.PALETTES["dark"].line


def test_large_maps_carry_no_text() -> None:
    heatmap = draw_overview(heads(150, 150)).data[0]
    assert heatmap.text is None and "%{z" in heatmap.hovertemplate


def test_what_is_no_overview_is_refused() -> None:
    maps = heads()
    with pytest.raises(ValueError, match="no head"):
        draw_overview([])
    with pytest.raises(ValueError, match="same queries and keys"):
        draw_overview([*maps[:2], heads(4, 4)[2]])
    with pytest.raises(ValueError, match="same layer and head"):
        draw_overview([maps[0], maps[0]])
    with pytest.raises(ValueError, match="L1 mean is none"):
        draw_overview([dataclasses.replace(maps[0], layer=1, head=None, aggregate="mean")])
