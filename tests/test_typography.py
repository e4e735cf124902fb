"""Numbers are set alike wherever people read them: with a real minus, and none before a zero."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go
import pytest
from support.pictures import HEADS

from attnviz.export import Picture, to_csv, to_svg
from attnviz.figures.compare import describe_difference, draw_difference
from attnviz.figures.context import draw_similarity
from attnviz.figures.embeddings import draw_cosines, draw_curves, draw_field, draw_neighbours
from attnviz.figures.steps import draw_bars, draw_strips
from attnviz.measures.distances import difference
from attnviz.typography import set_minus, set_number, set_power

SIGNED = np.array([[0.5, -2.25], [-0.001, 1.0]], dtype=np.float32)
FIGURES = {
    "strips": lambda: draw_strips(["q", "k"], SIGNED),
    "bars": lambda: draw_bars(["a", "b"], [("score", [-1.5, -math.inf])]),
    "cosines": lambda: draw_cosines(["a", "b"], np.array([[1.0, -0.5], [-0.5, 1.0]])),
    "neighbours": lambda: draw_neighbours(["a"], [-0.25]),
    "field": lambda: draw_field(SIGNED, columns="dimension", rows="position", name="value"),
    "curves": lambda: draw_curves([-1, 0], [("H0", [-0.5, 1.0])], title="distance", name="bias"),
    "similarity": lambda: draw_similarity(["L0", "L1"], [0.5, -0.25], None),
    "difference": lambda: draw_difference(difference(HEADS[0], HEADS[1])),
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-0.25", "−0.25"),
        ("-0.00", "0.00"),
        ("-0", "0"),
        ("-0.05", "−0.05"),
        ("-inf", "−inf"),
        ("L2-H5, 3-4, e-07 and a-1", "L2-H5, 3-4, e-07 and a-1"),
        ("q · k = -1.5 × -2", "q · k = −1.5 × −2"),
    ],
)
def test_a_negative_number_has_a_minus_and_a_word_its_hyphen(text: str, expected: str) -> None:
    assert set_minus(text) == expected


def test_numbers_have_decimals_a_sign_where_asked_for_and_no_negative_zero() -> None:
    assert set_number(-0.004) == set_number(0.0, signed=True) == "0.00"
    assert set_number(0.418, decimal=",", signed=True) == "+0,42"
    assert (set_number(-math.inf), set_number(math.nan)) == ("−∞", "nan")
    assert set_power(-2.44e-7) == "−2.4·10⁻⁷"


@pytest.mark.parametrize("name", FIGURES)
def test_no_figure_writes_a_hyphen_for_a_minus(name: str) -> None:
    figure = FIGURES[name]()
    for text in texts(figure):
        assert set_minus(text) == text
    for trace in figure.data:
        # Only numbers without a format of their own in the template get plotly's minus; others have a hyphen.
        template = trace.hovertemplate or ""
        assert not any(f"%{{{axis}:" in template for axis in "xyz")


def texts(figure: go.Figure) -> list[str]:
    """All texts that a figure draws or says at the pointer."""
    found = []
    for trace in figure.data:
        for name in ("text", "customdata"):
            found += [item for item in np.ravel(np.asarray(trace[name], dtype=object)) if isinstance(item, str)]
        bar = trace.colorbar if "colorbar" in trace else None
        found += list((bar and bar.ticktext) or ())
    return found


def test_pictures_have_a_minus_and_tables_for_programs_a_hyphen() -> None:
    apart = difference(HEADS[0], HEADS[1])
    picture = Picture((apart,))
    assert "−" in describe_difference(apart)
    drawn = to_svg(picture).partition("</metadata>")[2]
    assert "−" in drawn and ">-0" not in drawn
    weights = [row.split(",")[-2] for row in to_csv(picture).splitlines()[-apart.weights.size :]]
    assert any(weight.startswith("-0.") for weight in weights) and not any("−" in weight for weight in weights)
