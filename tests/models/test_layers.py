"""Layers as the model counts them, and layers that differ in their heads."""

from __future__ import annotations

import functools

import numpy as np
import pytest
from support import tiny_models as tiny
from support import uncommon_layers

from attnviz import Model, Recording, aggregate
from attnviz.errors import InputError
from attnviz.export import Picture, read, to_csv, to_svg
from attnviz.measures.distances import divergences
from attnviz.measures.head_measures import measure_all


@functools.cache
def hybrid() -> Recording:
    return Model(uncommon_layers.hybrid(), name="hybrid").record_ids([11, 12, 13])


def test_maps_of_a_hybrid_are_called_by_the_models_own_layers() -> None:
    found = hybrid()
    assert found.size("decoder")[0] == 2
    assert [found.layer_number("decoder", layer) for layer in (0, 1)] == [2, 6]
    maps = [*found.maps("decoder", layer=0), found.pooled_map("decoder", layer=1, head=3, size=2)]
    assert [map.name for map in maps] == ["L2 H0", "L2 H1", "L2 H2", "L2 H3", "L6 H3"]
    assert maps[4].by_word().hide([]).name == "L6 H3"


def test_exports_and_what_is_put_together_say_them_too() -> None:
    found = hybrid()
    picture = Picture(found.maps("decoder", layer=1))
    assert '"L6 H0","hybrid","decoder",6,0' in to_csv(picture)
    for content in (to_csv(picture), to_svg(picture)):
        assert [panel.name for panel in read(content.encode()).panels] == [panel.name for panel in picture.panels]
    assert aggregate.over_heads(found, "decoder", 1).name == "L6 mean"
    assert aggregate.over_layers(found, "decoder", 2).name == "L2,6 mean H2"
    assert aggregate.rollout(found, "decoder", 1).name == "rollout L6"


def test_a_layer_that_there_is_not_is_told_with_the_models_own_numbers() -> None:
    with pytest.raises(InputError, match=r"has layers 0 to 1 \(the model's layers 2, 6: only those with attention"):
        hybrid().weights("decoder", layer=2)


@pytest.mark.parametrize("name", ["llama", "bert", "t5", "bloom", "albert", "gpt2"])
def test_models_whose_layers_all_attend_count_from_0(name: str) -> None:
    found = Model(tiny.network(name)).record_ids(**tiny.inputs(name))
    for kind in found.kinds:
        assert [found.map(kind, layer=layer, head=0).number for layer in range(found.size(kind)[0])] == [None] * (
            found.size(kind)[0]
        )


# Layers that differ in their heads -----------------------------------------------------------------------------------


@functools.cache
def uneven() -> Recording:
    return Model(uncommon_layers.uneven()).record_ids([11, 12, 13, 14])


def test_every_head_of_every_layer_is_shown() -> None:
    found = uneven()
    assert found.size("decoder") == (3, 6, 4, 4)
    assert [found.heads("decoder", layer) for layer in range(3)] == [4, 6, 4]
    for layer, heads in enumerate([4, 6, 4]):
        maps = found.maps("decoder", layer=layer)
        assert [map.name for map in maps] == [f"L{layer} H{head}" for head in range(heads)]
        assert len(found.pooled_maps("decoder", layer=layer, size=2)) == heads
        np.testing.assert_allclose(np.stack([map.weights.sum(axis=1) for map in maps]), 1.0, atol=1e-5)


def test_a_head_that_this_layer_does_not_have_is_refused() -> None:
    assert uneven().weights("decoder", layer=1, head=5).shape == (4, 4)
    with pytest.raises(InputError, match="Layer 2 of the decoder has heads 0 to 3, not 5"):
        uneven().weights("decoder", layer=2, head=5)


def test_measures_distances_and_means_take_what_there_is() -> None:
    found = uneven()
    assert len(measure_all(found, "decoder")) == 14
    assert divergences(found, "decoder").shape == (14, 14)
    assert np.isfinite(divergences(found, "decoder")).all()
    assert aggregate.over_heads(found, "decoder", 2).name == "L2 mean"
    assert aggregate.over_layers(found, "decoder", 5).name == "L1 mean H5"
    np.testing.assert_allclose(aggregate.rollout(found, "decoder", 2).weights.sum(axis=1), 1.0, atol=1e-5)
