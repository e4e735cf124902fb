"""What the browser gets of a region: the engine's exact numbers in little room."""

from __future__ import annotations

import numpy as np
import pytest
from support.bundled import bundled_model

from attnviz.tokenization.passages import passages
from attnviz.ui.screens.long_text.address import Region
from attnviz.ui.screens.long_text.regions import packed, read_passage, read_region, received, region_data, unpacked

TEXT = "The dog saw the ball. The cat sat on the mat, and the bird sang."
RECORDING = bundled_model().record(TEXT)


def test_a_packed_picture_keeps_six_decades_to_a_few_percent() -> None:
    values = np.concatenate([np.zeros(5), np.geomspace(1e-6, 1.0, 200)])
    found = unpacked(packed(values))
    assert (found[:5] == 0).all()
    np.testing.assert_allclose(found[5:], values[5:], rtol=0.03)
    assert unpacked(packed(np.zeros(4))).tolist() == [0.0] * 4
    assert unpacked(packed(np.full(3, 0.5))) == pytest.approx([0.5] * 3, rel=1e-2)


def test_a_region_has_the_weights_of_its_tokens_and_their_labels() -> None:
    weights = RECORDING.weights("encoder", layer=1, head=2).numpy()
    shown = read_region(RECORDING, "encoder", 1, 2, Region(3, 9, 1, 12), "share")
    np.testing.assert_allclose(shown.values, weights[3:9, 1:12], atol=1e-6)
    data = region_data(shown, RECORDING.query_tokens("encoder"), RECORDING.key_tokens("encoder"))
    assert (data["rows"], data["columns"], data["region"]) == (6, 11, [3, 9, 1, 12])
    assert len(data["queries"]) == 6 and len(data["keys"]) == 11 and data["queries"][0] == "the"
    row, column, value = shown.strongest()
    assert value == shown.values[row, column] == shown.values.max()
    assert value == pytest.approx(weights[3:9, 1:12].max(), abs=1e-6)


@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_what_a_passage_looks_at_adds_up_to_all_of_its_attention(kind: str) -> None:
    queries, keys = RECORDING.query_tokens(kind), RECORDING.key_tokens(kind)
    rows, columns = passages(TEXT if kind == "encoder" else "x" * 200, queries), passages(TEXT, keys)
    weights = RECORDING.weights(kind, layer=2, head=5).numpy()
    shares, lifts = read_passage(RECORDING, kind, 2, 5, rows[0], columns, received=False)
    assert shares.sum() == pytest.approx(1.0, abs=1e-5) and len(lifts) == len(columns)
    first = weights[rows[0].start : rows[0].stop]
    assert shares[0] == pytest.approx(first[:, columns[0].start : columns[0].stop].sum(axis=1).mean(), abs=1e-5)
    looked, _lifts = read_passage(RECORDING, kind, 2, 5, columns[0], rows, received=True)
    assert looked[0] == pytest.approx(shares[0], abs=1e-5)


def test_how_much_a_passage_is_looked_at_is_even_for_even_attention() -> None:
    tokens = RECORDING.key_tokens("encoder")
    whole = read_region(RECORDING, "encoder", 0, 0, Region(0, len(tokens), 0, len(tokens)), "lift")
    even = type(whole)(whole.region, np.ones_like(whole.values), whole.row_edges, whole.column_edges)
    assert received(even, passages(TEXT, tokens)) == pytest.approx(np.ones(3))
