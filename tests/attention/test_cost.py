"""What attention costs, counted."""

from __future__ import annotations

import pytest
from support.bundled import bundled_model

import attnviz
from attnviz.attention.cost import BYTES, cost, readable


def test_the_weights_are_as_many_as_a_recording_has() -> None:
    recording = bundled_model().record("Der Hund sah den Ball.")
    layers, heads, queries, keys = recording.size("encoder")
    vectors = recording.vector_size("encoder")
    assert vectors is not None
    counted = cost(queries, keys, layers=layers, heads=heads, key_heads=vectors[0], head_dim=vectors[1])
    assert counted.weights == sum(recording.weights("encoder", layer=layer).numel() for layer in range(layers))
    vector_numbers = sum(
        recording.queries("encoder", layer=layer).numel() + recording.keys("encoder", layer=layer).numel()
        for layer in range(layers)
    )
    assert counted.query_key_bytes == vector_numbers * BYTES


def test_twice_the_tokens_are_four_times_the_weights() -> None:
    once, twice = (cost(n, n, layers=3, heads=5, head_dim=7) for n in (11, 22))
    assert twice.weights == 4 * once.weights and twice.bytes == 4 * once.bytes
    assert twice.query_key_bytes == 2 * once.query_key_bytes


def test_shared_keys_need_less() -> None:
    assert cost(8, 8, layers=1, heads=6, key_heads=2, head_dim=10).query_key_bytes == (8 * 6 + 8 * 2) * 10 * BYTES


@pytest.mark.parametrize(
    ("number", "unit", "text"),
    [
        (392, "", "392"),
        (55_296, "", "55,296"),
        (37_748_736, "", "37.7 million"),
        (2.4e12, "", "2.40 trillion"),
        (150_994_944, "B", "151 MB"),
        (1_568, "B", "1.57 kB"),
        (9_437_184_000_000, "B", "9.44 TB"),
    ],
)
def test_numbers_can_be_read(number: float, unit: str, text: str) -> None:
    assert readable(number, unit) == text


def test_nothing_costs_nothing() -> None:
    with pytest.raises(attnviz.AttnvizError, match="`queries` has to be 1 or more, not 0"):
        cost(0, 3, layers=1, heads=1, head_dim=1)
