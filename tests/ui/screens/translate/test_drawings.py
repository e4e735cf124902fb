"""The bars of the next token, and the drawing of the model's parts."""

from __future__ import annotations

import numpy as np
import pytest
from support.generation import random_distribution

from attnviz.generation.sampling import Distribution, shape
from attnviz.ui.components.numbers.next_token_bars import format_percent, next_bars
from attnviz.ui.screens.translate.architecture_geometry import draw_architecture


@pytest.fixture
def drawn() -> Distribution:
    return random_distribution()


def test_bars_sum_to_one_and_name_what_was_taken(drawn: Distribution) -> None:
    shaped = shape(drawn, 0.7, 3)
    before, after, kept = drawn.probabilities.numpy(), shaped.probabilities.numpy(), shaped.candidates.numpy()
    bars = next_bars(before, after, kept, chosen=11, most=5)
    assert [bar.id for bar in bars.bars[:-1]] == drawn.logits.topk(5).indices.tolist()
    assert bars.bars[-1].id == 11 and bars.bars[-1].chosen and not bars.bars[-1].candidate
    assert (bars.others, bars.candidates) == (503 - 6, 3)
    assert sum(bar.before for bar in bars.bars) + bars.before == pytest.approx(1, abs=1e-5)
    assert sum(bar.after for bar in bars.bars) + bars.after == pytest.approx(1, abs=1e-5)
    assert bars.after == 0 and bars.cut == pytest.approx(shaped.cut, abs=1e-6)
    few = next_bars(np.array([0.25, 0.75]), np.array([0.0, 1.0]), np.array([False, True]), chosen=1)
    assert [bar.id for bar in few.bars] == [1, 0] and few.others == 0 and few.before == 0


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0"), (1e-9, "< 0.1 %"), (0.0123, "1.2 %"), (0.5, "50 %"), (0.9951, "99.5 %"), (1, "100 %")]
)
def test_shares_read_as_percent(share: float, text: str) -> None:
    assert format_percent(share) == text


@pytest.mark.parametrize(
    ("kinds", "layers", "places"),
    [
        (("encoder", "decoder", "cross"), {"encoder": 4, "decoder": 2}, ["encoder", "decoder", "cross"]),
        (("decoder",), {"decoder": 12}, ["decoder"]),
        (("encoder",), {"encoder": 3}, ["encoder"]),
    ],
)
def test_the_drawing_has_the_places_that_the_model_has(
    kinds: tuple[str, ...], layers: dict[str, int | None], places: list[str]
) -> None:
    drawing = draw_architecture(kinds, layers)
    assert [block.kind for block in drawing.blocks if block.kind] == places
    named = [label.text for label in drawing.labels]
    assert all(f"{count} layers" in named for count in layers.values())
    assert ("next token" in named) == ("decoder" in kinds)
    for block in (*drawing.blocks, *drawing.frames):
        assert block.x >= 0 and block.x + block.width <= drawing.width
        assert block.y >= 0 and block.y + block.height <= drawing.height
    points = [point for line in drawing.lines for point in line.points]
    assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in points)
