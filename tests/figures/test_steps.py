"""Strips, bars and lengths: what is in the figure is what was given."""

from __future__ import annotations

import numpy as np
import pytest

from attnviz.figures import draw_bars, draw_lengths, draw_strips


def test_a_strip_has_a_cell_for_each_number() -> None:
    vectors = np.array([[0.5, -2.0, 1.0], [0.0, 0.25, np.nan]])
    figure = draw_strips(["q", "<b>k</b>"], vectors)
    heatmap = figure.data[0]
    np.testing.assert_allclose(heatmap.z, vectors)
    assert (heatmap.zmin, heatmap.zmax) == (-2.0, 2.0)
    assert list(figure.layout.yaxis.ticktext) == ["q", "&lt;b&gt;k&lt;/b&gt;"]


def test_zero_has_the_middle_colour_also_where_all_is_zero() -> None:
    heatmap = draw_strips(["x"], np.zeros((1, 4)), range_to=None).data[0]
    assert heatmap.zmin == -heatmap.zmax != 0


def test_labels_have_to_fit() -> None:
    with pytest.raises(ValueError, match="2 labels do not fit 1 vectors"):
        draw_strips(["a", "b"], np.zeros((1, 3)))


def test_what_is_infinite_gets_no_bar_but_is_said() -> None:
    figure = draw_bars(["a", "b"], [("before", [1.5, -np.inf]), ("after", [0.5, 0.25])], chosen=1)
    assert np.isnan(figure.data[0].y[1])
    assert figure.data[0].customdata[1][1] == "−∞"
    assert figure.data[1].marker.line.width[1] > 0
    assert figure.layout.showlegend is True


@pytest.mark.parametrize(("largest", "top"), [(0.2, 0.25), (0.4, 0.5), (0.9, 1.0)])
def test_the_axis_of_shares_ends_at_a_round_number(largest: float, top: float) -> None:
    figure = draw_bars(["a", "b"], [("weight", [largest, 0.1])], share=True)
    assert figure.layout.yaxis.range[1] == pytest.approx(1.1 * top)


def test_lengths_go_from_the_first_down() -> None:
    figure = draw_lengths(["input", "output"], [1.0, 2.0])
    assert list(figure.data[0].x) == [1.0, 2.0]
    assert figure.layout.yaxis.range[0] > figure.layout.yaxis.range[1]


def test_numbers_above_bars_are_never_tiny() -> None:
    words = [f"w{index}" for index in range(7)]
    alone, pair = (draw_bars(words, [("a", [1.0] * 7), ("b", [2.0] * 7)][:count]) for count in (1, 2))
    assert alone.data[0].constraintext == "none"  # on a telephone each has room at its full size
    assert pair.data[0].constraintext is None and pair.layout.uniformtext.mode == "hide"
    assert pair.layout.uniformtext.minsize >= 9
