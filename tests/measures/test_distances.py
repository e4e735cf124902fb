"""How far two heads are apart, how that is drawn in a plane, and what one has more than the other."""

from __future__ import annotations

import math

import numpy as np
import pytest
from support.maps import (
    KEYS,
    PLAIN,
    WITH_SPECIALS,
    is_special,
    map_of,
    map_of_text,
    random_rows,
    recording_of,
    tiny_recording,
)
from support.tiny_tokenizers import gpt2, wordpiece

from attnviz import AttentionMap, Recording, Token
from attnviz.errors import InputError
from attnviz.measures import distances, rows
from attnviz.measures.distances import Difference, difference, divergence, divergences, resolution
from attnviz.measures.scaling import multidimensional_scaling

# ---------------------------------------------------------------------------------------------------------------------
# How far apart


def test_divergence_of_the_same_and_of_nothing_in_common() -> None:
    assert divergence(map_of(random_rows()), map_of(random_rows())) == 0
    assert divergence(map_of(np.eye(7)), map_of(np.eye(7)[::-1])) == pytest.approx(6 / 7)  # the middle row is the same
    # One key against two, of which it is one: 1 - (3 / 4) log₂ 3 + 1 / 2 … = 0.3113 bits.
    half = (np.eye(7) + np.eye(7)[[1, 2, 3, 4, 5, 6, 0]]) / 2
    assert divergence(map_of(np.eye(7)), map_of(half)) == pytest.approx(1.5 - 0.75 * math.log2(3), abs=1e-6)


def test_divergence_is_symmetric_and_bounded() -> None:
    one, other = map_of(random_rows(seed=1)), map_of(random_rows(seed=2))
    assert divergence(one, other) == pytest.approx(divergence(other, one), abs=1e-12)
    assert 0 < divergence(one, other) < 1


def test_what_is_hidden_counts_as_one_more_key_unless_rows_are_renormalised() -> None:
    weights = np.zeros((7, 7))
    weights[:, 0], weights[:, 3] = 0.5, 0.5
    one, other = map_of(np.eye(7)[[3] * 7], WITH_SPECIALS), map_of(weights, WITH_SPECIALS)
    plain = divergence(one.hide(is_special), other.hide(is_special))
    assert plain == pytest.approx(1.5 - 0.75 * math.log2(3), abs=1e-6)
    assert plain == pytest.approx(divergence(one, other), abs=1e-6)
    divided = [map.hide(is_special, renormalise=True) for map in (one, other)]
    assert divergence(*divided) == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match="Renormalise both or neither"):
        divergence(divided[0], other.hide(is_special))


def test_maxima_are_compared_as_shares_of_their_rows() -> None:
    both = np.eye(7)[[0] * 7] + np.eye(7)[[6] * 7]
    most = map_of(both, aggregate="max", head=None)
    assert divergence(most, map_of(both / 2)) == pytest.approx(0, abs=1e-6)


def test_maps_of_nothing_are_no_distance_apart() -> None:
    nothing = map_of(random_rows()).hide(lambda token: True)
    assert divergence(nothing, nothing) == 0
    keyless = map_of(random_rows(7, 11), PLAIN, KEYS).hide(lambda token: token in KEYS)
    assert divergence(keyless, keyless) == 0


def pairwise(found: Recording, kind: str, prepare=lambda map: map) -> np.ndarray:
    layers, heads, _, _ = found.size(kind)
    maps = [prepare(found.map(kind, layer=i, head=j)) for i in range(layers) for j in range(heads)]
    return np.array([[divergence(one, other) for other in maps] for one in maps])


@pytest.mark.parametrize("name", ["bert", "bart", "gpt_oss", "bloom"])
def test_divergences_of_all_heads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = tiny_recording(name)
    for kind in found.kinds:
        expected = pairwise(found, kind)
        np.testing.assert_allclose(divergences(found, kind), expected, atol=3e-6)
        monkeypatch.setattr(rows, "STACKED", 512)  # several blocks
        blocks = divergences(found, kind)
        monkeypatch.undo()
        np.testing.assert_allclose(blocks, expected, atol=3e-6)
        assert (blocks == blocks.T).all() and not blocks.diagonal().any()


def test_divergences_of_what_is_shown() -> None:
    found = recording_of(np.stack([random_rows(seed=head) for head in range(3)])[None], WITH_SPECIALS)

    def prepare(map: AttentionMap) -> AttentionMap:
        return map.hide(is_special)

    np.testing.assert_allclose(divergences(found, "encoder", prepare), pairwise(found, "encoder", prepare), atol=3e-6)
    hidden = divergences(found, "encoder", lambda map: map.hide(lambda token: True))
    np.testing.assert_array_equal(hidden, np.zeros((3, 3)))


def test_heads_that_are_the_same_are_no_distance_apart_at_all() -> None:
    alike = recording_of(np.tile(random_rows(), (2, 3, 1, 1)))
    assert not divergences(alike, "encoder").any()
    assert divergences(recording_of(random_rows()[None, None]), "encoder").tolist() == [[0.0]]


def test_what_is_compared_is_bounded() -> None:
    for layers, heads in ((1, 1), (4, 8), (6, 12), (12, 12), (48, 25)):
        pairs = max(1, layers * heads * (layers * heads - 1) // 2)
        for length in (1, 7, 138, 512, 4096):
            rows, groups = resolution(layers, heads, length, length)
            assert 1 <= rows <= length and 1 <= groups <= length
            floor = distances.LEAST_ROWS * (distances.LEAST_KEYS + 1)
            assert pairs * rows * (groups + 1) <= max(distances.MOST_WORK, pairs * floor)
    assert resolution(6, 12, 138, 138) == (138, 138)
    assert resolution(6, 12, 0, 0) == (0, 0)


def test_a_long_text_is_compared_by_some_rows_and_groups_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tiny_recording("bert", 43)
    exact = divergences(found, "encoder")
    monkeypatch.setattr(distances, "MOST_WORK", 105 * 13 * 44)  # 105 pairs
    assert resolution(*found.size("encoder")) == (13, 43)
    sampled = divergences(found, "encoder")
    weights = found.weights("encoder", layer=1)[2:4].numpy()
    chosen = [(2 * i + 1) * 43 // 26 for i in range(13)]
    one, other = (
        AttentionMap.of(rows[chosen], tuple(Token(i, str(i), False, i, None, None) for i in range(13)),
                        found.key_tokens("encoder")) for rows in weights
    )  # fmt: skip
    assert sampled[7, 8] == pytest.approx(divergence(one, other), abs=3e-6)
    assert np.corrcoef(sampled.ravel(), exact.ravel())[0, 1] > 0.9
    monkeypatch.setattr(distances, "MOST_WORK", 1)
    assert resolution(*found.size("encoder")) == (8, 32)
    grouped = divergences(found, "encoder")
    monkeypatch.setattr(distances, "LEAST_KEYS", 43)
    assert (grouped <= divergences(found, "encoder") + 1e-6).all()


# ---------------------------------------------------------------------------------------------------------------------
# Places


def test_places_keep_the_distances_that_a_plane_can_show() -> None:
    points = np.random.default_rng(0).normal(size=(11, 2)) * [3, 1]
    squares = ((points[:, None] - points) ** 2).sum(axis=-1)
    found = multidimensional_scaling(squares)
    np.testing.assert_allclose(((found[:, None] - found) ** 2).sum(axis=-1), squares, atol=1e-9)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-9)
    assert found[:, 0].var() > found[:, 1].var()
    assert (found.max(axis=0) >= -found.min(axis=0)).all()
    np.testing.assert_allclose(multidimensional_scaling(squares), found)


def test_places_of_few_heads_and_of_the_same_heads() -> None:
    assert multidimensional_scaling(np.zeros((0, 0))).shape == (0, 2)
    assert multidimensional_scaling(np.zeros((1, 1))).tolist() == [[0, 0]]
    np.testing.assert_allclose(
        multidimensional_scaling(np.array([[0, 0.64], [0.64, 0]])), [[0.4, 0], [-0.4, 0]], atol=1e-12
    )
    assert multidimensional_scaling(np.zeros((5, 5))).tolist() == [[0, 0]] * 5
    two = np.array([[0, 0, 0.25], [0, 0, 0.25], [0.25, 0.25, 0]])
    np.testing.assert_allclose(multidimensional_scaling(two)[0], multidimensional_scaling(two)[1], atol=1e-9)


@pytest.mark.parametrize("distances", [np.zeros((3, 2)), np.array([[0, 1.0], [2, 0]]), np.full((2, 2), np.nan)])
def test_what_is_no_distances_is_refused(distances: np.ndarray) -> None:
    with pytest.raises(InputError, match="have to be a symmetric square of numbers"):
        multidimensional_scaling(distances)


# ---------------------------------------------------------------------------------------------------------------------
# Differences


def test_a_difference_is_one_minus_the_other() -> None:
    one, other = map_of(random_rows(7, 11), PLAIN, KEYS), map_of(random_rows(7, 11, 1), PLAIN, KEYS, layer=1, head=3)
    found = difference(one, other)
    assert isinstance(found, Difference) and found.weights.dtype == np.float32
    np.testing.assert_allclose(found.weights, random_rows(7, 11) - random_rows(7, 11, 1), atol=1e-6)
    assert (found.query_tokens, found.key_tokens) == (PLAIN, KEYS)
    assert (found.query_labels, found.key_labels) == (one.query_labels, one.key_labels)
    assert found.name == "L2 H5 − L1 H3" and (found.a, found.b) == (one, other)
    assert found.divergence == pytest.approx(divergence(one, other))
    np.testing.assert_allclose(difference(other, one).weights, -found.weights)


def test_a_difference_names_model_and_kind_where_these_differ() -> None:
    one = map_of(random_rows(), model="gpt2", kind="decoder")
    assert (
        difference(one, map_of(random_rows(), model="bert", head=3)).name == "gpt2 decoder L2 H5 − bert encoder L2 H3"
    )
    mean = map_of(random_rows(), model="gpt2", kind="decoder", layer=None, aggregate="L0–3 mean")
    assert difference(one, mean).name == "L2 H5 − L0–3 mean H5"


def test_a_difference_of_two_tokenizers_is_one_of_words() -> None:
    text = "Die Fledermaus flog"
    one, other = map_of_text(gpt2(), text), map_of_text(wordpiece(), text, 1)
    found = difference(one, other)
    assert found.query_labels == found.key_labels == ("Die", "Fledermaus", "flog")
    np.testing.assert_allclose(
        found.weights, one.by_word().weights - other.by_word().hide(is_special).weights, atol=1e-6
    )
