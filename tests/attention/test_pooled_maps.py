"""Maps of long texts: groups of neighbours, and the share of a row that is hidden."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest
from support import tiny_models as tiny

from attnviz import Model, Recording
from attnviz.attention.attention_map import AttentionMap
from attnviz.attention.pooled_maps import groups, is_pooled, pool, pool_tokens
from attnviz.errors import InputError
from attnviz.export import notebook
from attnviz.tokenization.token import Token
from attnviz.ui.components.heads import mosaic
from attnviz.ui.controls.display_options import Switches

LENGTH = 300


def pieces(count: int) -> tuple[Token, ...]:
    return tuple(Token(place, f" w{place}", False, place, 4 * place, 4 * place + 4) for place in range(count))


@functools.cache
def recording(name: str, length: int = LENGTH) -> Recording:
    """A long text; where the model has sinks, they take about half of each row."""
    network = tiny.network(name)
    for parameter_name, parameter in network.named_parameters():
        if parameter_name.endswith("sinks"):
            parameter.data.fill_(3.0)
    return Model(network, name=name).record_ids(tiny.ids(length))


# A recording ---------------------------------------------------------------------------------------------------------


def by_hand(whole: AttentionMap, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights and hidden shares of the whole map, with groups as matrices."""
    rows, columns = (
        np.eye(min(count, size))[np.arange(count) * min(count, size) // count] for count in whole.weights.shape
    )
    mean = rows.T / rows.sum(axis=0)[:, None]
    return mean @ whole.weights @ columns, mean @ whole.hidden_mass


@pytest.mark.parametrize("size", [256, 64, 7])
def test_rows_and_what_a_sink_takes_still_sum_to_one(size: int) -> None:
    long = recording("gpt_oss")
    shares = []
    for layer in range(tiny.LAYERS):
        maps = long.pooled_maps("decoder", layer=layer, size=size)
        assert len(maps) == 6
        for head, map in enumerate(maps):
            weights, hidden = by_hand(long.map("decoder", layer=layer, head=head), size)
            assert map.weights.shape == (size, size)
            shares.append(hidden.max())
            np.testing.assert_allclose(map.weights, weights, atol=1e-5)
            np.testing.assert_allclose(map.hidden_mass, hidden, atol=1e-5)
            np.testing.assert_allclose(map.weights.sum(axis=1) + map.hidden_mass, 1.0, atol=1e-5)
            one = long.pooled_map("decoder", layer=layer, head=head, size=size)
            np.testing.assert_allclose(one.weights, map.weights, atol=1e-6)
            np.testing.assert_allclose(one.hidden_mass, map.hidden_mass, atol=1e-6)
            assert (one.kind, one.layer, one.head, one.model) == ("decoder", layer, head, "gpt_oss")
            assert one.key_tokens == map.key_tokens and sum(token.count for token in one.key_tokens) == LENGTH
    assert max(shares) > 0.3


def test_rows_of_sparse_layers_are_whole_in_a_picture_too() -> None:
    """BigBird reports its first block in part; what a picture shows of a row is all of it."""
    found = Model(tiny.network("big_bird"), name="big_bird").record_ids(tiny.ids(42))
    for layer in range(tiny.LAYERS):
        for map in found.pooled_maps("encoder", layer=layer, size=10):
            assert not map.hidden_mass.any()
            np.testing.assert_allclose(map.weights.sum(axis=1), 1.0, atol=1e-5)


def test_a_short_text_comes_back_as_it_is() -> None:
    short = recording("gpt_oss", tiny.LENGTH)
    for small, whole in zip(short.pooled_maps("decoder", layer=1), short.maps("decoder", layer=1), strict=True):
        assert (small.weights == whole.weights).all() and small.key_tokens == whole.key_tokens
    assert short.pooled_map("decoder", layer=1, head=2, size=tiny.LENGTH).query_tokens == short.query_tokens("decoder")


def test_without_sinks_nothing_of_a_long_text_is_hidden() -> None:
    for map in recording("llama").pooled_maps("decoder", layer=0):
        assert not map.hidden_mass.any()
        np.testing.assert_allclose(map.weights.sum(axis=1), 1.0, atol=1e-5)


def test_a_size_below_one_is_refused() -> None:
    for read in (recording("llama").pooled_map, recording("llama").pooled_maps):
        with pytest.raises(InputError, match="`size` has to be 1 or more, not 0"):
            read("decoder", layer=0, size=0, **({} if read.__name__ == "pooled_maps" else {"head": 0}))


def test_the_tiles_and_the_notebook_tell_what_is_hidden() -> None:
    long = recording("gpt_oss")
    for tile in mosaic.tiles(long, "decoder", Switches()):
        np.testing.assert_allclose(tile.weights.sum(axis=1) + tile.hidden_mass, 1.0, atol=1e-5)
    html = notebook.show(long)
    assert html is not None and ">hidden</text>" in re.sub(r"\s+<", "<", html)


# A map ---------------------------------------------------------------------------------------------------------------


def test_neighbours_keep_the_sums() -> None:
    whole = np.random.default_rng(0).dirichlet(np.ones(24), 23).astype(np.float32)
    weights, taken = whole[:, :23], whole[:, 23]
    map = AttentionMap.of(weights, pieces(23), pieces(23), hidden_mass=taken, layer=1, head=2)
    small = pool(map, 8)
    expected, hidden = by_hand(map, 8)
    np.testing.assert_allclose(small.weights, expected, atol=1e-6)
    np.testing.assert_allclose(small.hidden_mass, hidden, atol=1e-6)
    assert small.key_tokens[0].text == "w0…" and (small.layer, small.head) == (1, 2)
    assert [token.count for token in small.key_tokens] == [3, 3, 3, 3, 3, 3, 3, 2]
    assert pool(map, 23) is map


def test_a_renormalised_map_is_pooled_by_what_is_shown_of_a_row() -> None:
    weights = np.array([[0.5, 0.5, 0.0], [0.1, 0.0, 0.1], [1.0, 0.0, 0.0]])
    map = AttentionMap.of(weights, pieces(3), pieces(3), hidden_mass=[0.0, 0.8, 0.0]).hide([], renormalise=True)
    small = pool(map, 2)
    np.testing.assert_allclose(small.weights, [[1.1 / 1.2, 0.1 / 1.2], [1.0, 0.0]], atol=1e-6)
    np.testing.assert_allclose(small.hidden_mass, [0.4, 0.0], atol=1e-6)


def test_a_maximum_is_pooled_to_the_largest() -> None:
    weights = np.array([[0.9, 0.8, 0.1], [0.2, 0.7, 0.6], [0.3, 0.2, 0.5]])
    small = pool(AttentionMap.of(weights, pieces(3), pieces(3), aggregate="max"), 2)
    np.testing.assert_allclose(small.weights, [[0.9, 0.6], [0.3, 0.5]], atol=1e-6)


@pytest.mark.parametrize("shape", [(0, 9), (9, 0), (0, 0), (9, 2), (2, 9)])
def test_maps_of_any_shape_are_pooled(shape: tuple[int, int]) -> None:
    map = AttentionMap.of(np.zeros(shape), pieces(shape[0]), pieces(shape[1]), hidden_mass=np.ones(shape[0]))
    small = pool(map, 4)
    assert small.weights.shape == tuple(min(count, 4) for count in shape)
    assert (small.hidden_mass == 1).all()
    assert (is_pooled(small.query_tokens), is_pooled(small.key_tokens)) == (shape[0] > 4, shape[1] > 4)


# Tokens --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "size"), [(300, 256), (256, 256), (257, 256), (7, 3), (1000, 64), (5, 1)])
def test_groups_differ_by_one_at_most(count: int, size: int) -> None:
    sizes = np.bincount(groups(count, size))
    assert len(sizes) == min(count, size) and sizes.sum() == count and np.ptp(sizes) <= 1
    tokens = pool_tokens(pieces(count), size)
    assert [token.count for token in tokens] == sizes.tolist()
    assert is_pooled(tokens) == (count > size)


def test_a_group_is_named_by_the_first_word_that_begins_in_it() -> None:
    tokens = (
        Token(2, "[CLS]", True, None, None, None),
        Token(7, "the", False, 0, 0, 3),
        Token(8, "dog", False, 1, 4, 7),
        Token(9, "s", False, 1, 7, 8),
        Token(5, ",", False, 2, 8, 9),
        Token(9, "s", False, 3, 10, 11),
        Token(2, "[SEP]", True, None, None, None),
    )
    named = {size: [(token.text, token.count) for token in pool_tokens(tokens, size)] for size in (1, 3, 6)}
    assert named[1] == [("the…", 7)]
    assert named[3] == [("the…", 3), ("dogs…", 2), ("s…", 2)], "never a part of a word, never words run together"
    assert named[6] == [("the…", 2), ("dogs", 1), ("dogs", 1), (",", 1), ("s", 1), ("[SEP]", 1)]


def test_groups_of_groups_count_all_that_they_stand_for() -> None:
    once = pool_tokens(pieces(300), 100)
    twice = pool_tokens(once, 10)
    assert [token.count for token in twice] == [30] * 10 and twice[1].text == "w30…"


def test_a_token_stands_for_itself() -> None:
    assert Token(7, "a", False, 0, 0, 1).count == 1 and not is_pooled(pieces(3)) and not is_pooled(())
