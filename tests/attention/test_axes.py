"""Maps of any length by words, with tokens left out and rows averaged: the numbers of the whole map."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from support import tiny_models as tiny
from support.bundled import bundled_model

from attnviz import Model, Recording
from attnviz.attention import streaming
from attnviz.attention.attention_map import AttentionMap
from attnviz.attention.axes import Axis
from attnviz.attention.pooled_maps import pool
from attnviz.models.recording.head_reader import axis_maps

SIZE = 31


@functools.cache
def recording(name: str) -> Recording:
    network = tiny.network(name)
    for parameter_name, parameter in network.named_parameters():
        if parameter_name.endswith("sinks"):
            parameter.data.fill_(3.0)
    return Model(network, name=name).record_ids(tiny.ids(97))


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "BLOCK_ROWS", 23)
    monkeypatch.setattr(streaming, "BLOCK_COLUMNS", 19)


def assert_alike(map: AttentionMap, whole: AttentionMap) -> None:
    # A whole map that was divided has lost some digits of its undivided weights.
    np.testing.assert_allclose(map.weights, whole.weights, atol=1e-5 if whole.renormalised else 1e-6)
    np.testing.assert_allclose(map.hidden_mass, whole.hidden_mass, atol=1e-6)
    assert (map.query_labels, map.key_labels) == (whole.query_labels, whole.key_labels)
    assert map.renormalised == whole.renormalised and map.name == whole.name


@pytest.mark.parametrize("name", ["llama", "gpt_oss", "gemma2", "bloom"])
@pytest.mark.parametrize("renormalise", [False, True])
def test_hiding_and_groups_are_those_of_the_whole_map(name: str, renormalise: bool) -> None:
    long = recording(name)
    kind = long.kinds[0]
    tokens = long.key_tokens(kind)
    left_out = {0, 5, 6, 7, 40, 96}
    axis = Axis.of(tokens, SIZE, left_out=left_out)
    for head, map in enumerate(axis_maps(long, kind, 1, None, axis, axis, renormalise=renormalise)):
        whole = long.map(kind, layer=1, head=head)
        by_identity = {id(tokens[position]) for position in left_out}
        hidden = whole.hide(lambda token, gone=by_identity: id(token) in gone, renormalise=renormalise)
        assert_alike(map, pool(hidden, SIZE))


def test_words_and_averaged_rows_are_those_of_the_whole_map() -> None:
    # Its words are of one to three pieces.
    long, kind = (
        bundled_model().record("Die Fledermäuse versteckten Geburtstagskuchen im Wolkenkratzer. " * 6),
        "encoder",
    )
    tokens = long.query_tokens(kind)
    for head in range(2):
        whole = long.map(kind, layer=0, head=head).by_word()
        rows, columns = Axis.of(tokens, SIZE, by_word=True), Axis.of(tokens, SIZE, by_word=True)
        (map,) = axis_maps(long, kind, 0, head, rows, columns, renormalise=False)
        assert_alike(map, pool(whole, SIZE))
        rows = Axis.of(tokens, SIZE, by_word=True, averaged={3, 20, 21})
        columns = Axis.of(tokens, 500, by_word=True)
        (map,) = axis_maps(long, kind, 0, head, rows, columns, renormalise=False)
        assert_alike(map, whole.average_queries([3, 20, 21]))


def test_nothing_is_left_where_all_is_left_out() -> None:
    long = recording("llama")
    kind, tokens = long.kinds[0], long.query_tokens(long.kinds[0])
    nothing = Axis.of(tokens, SIZE, left_out=range(len(tokens)))
    (map,) = axis_maps(long, kind, 0, 0, nothing, nothing, renormalise=True)
    assert map.weights.shape == (0, 0)
    columns = Axis.of(tokens, SIZE, left_out=range(len(tokens)))
    (map,) = axis_maps(long, kind, 0, 0, Axis.of(tokens, SIZE), columns, renormalise=False)
    np.testing.assert_allclose(map.hidden_mass, 1.0, atol=1e-6)
