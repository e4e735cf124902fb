"""Figures that compare: what they hold, read from the figure itself."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from attnviz.figures import compare, style


def difference(queries: int = 3, keys: int = 5, seed: int = 0) -> SimpleNamespace:
    """What the builders need of a `Difference`."""
    weights = np.random.default_rng(seed).uniform(-0.6, 0.6, (queries, keys)).astype(np.float32)
    return SimpleNamespace(
        weights=weights,
        query_labels=tuple(f"q{place}" for place in range(queries)),
        key_labels=tuple(f"k{place}" for place in range(keys)),
        name="L0 H1 − L2 H3",
        divergence=0.25,
    )


# Differences --------------------------------------------------------------------------------------------------------


def test_a_difference_lies_around_zero() -> None:
    one = difference()
    (trace,) = compare.draw_difference(one).data
    np.testing.assert_array_equal(trace.z, one.weights)
    assert (trace.zmin, trace.zmid, trace.zmax) == (-1.0, 0.0, 1.0)
    assert [colour for _stop, colour in trace.colorscale] == [colour for _stop, colour in style.diverging("light")]
    assert trace.colorbar.title.text == one.name


def test_its_own_scale_is_symmetric_too() -> None:
    one = difference()
    (trace,) = compare.draw_difference(one, scale="head", theme="dark").data
    assert trace.zmax == -trace.zmin == pytest.approx(np.abs(one.weights).max())
    nothing = difference()
    nothing.weights[:] = 0
    assert compare.draw_difference(nothing, scale="head").data[0].zmax == 1.0


def test_rows_are_queries_and_words_are_never_markup() -> None:
    one = difference()
    one.query_labels = ("<b>", "&", "q")
    figure = compare.draw_difference(one, title="A − B")
    assert list(figure.layout.yaxis.ticktext) == ["&lt;b&gt;", "&amp;", "q"]
    assert list(figure.layout.xaxis.ticktext) == list(one.key_labels)
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]  # from top to bottom
    assert figure.data[0].text[0][0].startswith("&lt;b&gt; → k0 ")
    assert figure.layout.title.text == "A − B"


def test_of_many_words_some_have_labels() -> None:
    figure = compare.draw_difference(difference(7, 131))
    assert len(figure.layout.xaxis.ticktext) <= 48 and len(figure.layout.yaxis.ticktext) == 7


def test_it_is_said_in_words() -> None:
    one = difference(1, 3)
    one.weights = np.array([[0.25, -0.5, 0.001]], dtype=np.float32)
    assert compare.describe_difference(one, most=2) == "L0 H1 − L2 H3: q0 → k1 −0.50, q0 → k0 +0.25"
    assert compare.format_signed(0.001) == "0.00"
    one.weights = np.zeros((0, 3))
    assert compare.describe_difference(one) == one.name


# The map of all heads -----------------------------------------------------------------------------------------------


def test_heads_are_dots_of_their_layers() -> None:
    heads = [(layer, head) for layer in range(3) for head in range(5)]
    places = np.random.default_rng(1).normal(size=(15, 2))
    figure = compare.draw_heads_map(places, heads)
    assert [trace.name for trace in figure.data] == ["L0", "L1", "L2"]
    assert len({trace.marker.color for trace in figure.data}) == 3
    assert [list(one) for one in figure.data[1].customdata] == [[1, head] for head in range(5)]
    np.testing.assert_array_equal(figure.data[2].x, places[10:, 0])
    assert figure.data[0].text[4] == "L0 H4"


def test_directions_have_no_meaning_and_no_ticks() -> None:
    figure = compare.draw_heads_map(np.zeros((2, 2)), [(0, 0), (0, 1)], theme="dark")
    assert figure.layout.xaxis.visible is False and figure.layout.yaxis.visible is False
    assert figure.layout.yaxis.scaleanchor == "x"


def test_many_heads_are_named_on_hover_only() -> None:
    heads = [(layer, head) for layer in range(12) for head in range(12)]
    figure = compare.draw_heads_map(np.zeros((144, 2)), heads)
    assert {trace.mode for trace in figure.data} == {"markers"}


def test_there_are_as_many_points_as_heads() -> None:
    with pytest.raises(ValueError, match="2 heads need"):
        compare.draw_heads_map(np.zeros((3, 2)), [(0, 0), (0, 1)])
