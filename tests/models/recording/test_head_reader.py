"""Regions and links of recordings: of all architectures' masks, biases, caps, sinks and shared keys."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support import tiny_models as tiny
from support.recordings import kinds_and_layers, model, recording

from attnviz.attention.cells import Cells
from attnviz.interventions.ablation import Ablate
from attnviz.models.recording.changes import Heads


def shares(weights: torch.Tensor, rows: tuple[int, int], columns: tuple[int, int], size: int) -> np.ndarray:
    """(head, row, column) from the whole maps (head, query, key)."""
    cells = [Cells.of(*region, size) for region in (rows, columns)]
    values = weights[:, slice(*rows), slice(*columns)].double().numpy()
    for axis, part in enumerate(cells, start=1):
        values = np.add.reduceat(values, part.edges[:-1].numpy() - part.start, axis=axis)
    return values / cells[0].sizes.numpy()[:, None]


@pytest.mark.parametrize("name", ["t5", "llama", "gemma2", "gpt_oss", "mistral", "bart", "bloom"])
def test_regions_of_all_heads_are_those_of_their_weights(name: str) -> None:
    found = recording(name)
    for kind, layer in kinds_and_layers(name):
        weights = found.weights(kind, layer=layer)
        _, queries, keys = weights.shape
        for rows, columns in (((0, queries), (0, keys)), ((1, queries - 1), (2, keys))):
            expected = shares(weights, rows, columns, 4)
            region = found.pooled_region(kind, layer, size=4, reduce="share", rows=rows, columns=columns)
            np.testing.assert_allclose(region.values, expected, atol=1e-6)
            np.testing.assert_allclose(region.values.sum(dim=2) + region.hidden_mass + region.outside, 1.0, atol=1e-5)
            assert (region.row_edges[0], region.column_edges[-1]) == (rows[0], columns[1])
            one = found.pooled(kind, layer, 1, 4, "share", rows, columns)
            np.testing.assert_allclose(one, expected[1], atol=1e-6)


def test_regions_and_links_of_a_changed_run_are_of_the_changed_weights() -> None:
    ids = tiny.inputs("llama")["ids"]
    changed = model("llama").record_ids(ids, interventions=[Ablate(Heads("decoder", 1, 2), "uniform")])
    weights = changed.weights("decoder", layer=1)
    count = len(ids)
    values = changed.pooled("decoder", 1, size=3, reduce="share", columns=(2, count))
    np.testing.assert_allclose(values, shares(weights, (0, count), (2, count), 3), atol=1e-6)
    assert changed.links("decoder", 1, 2, 3, ())[0].weight == pytest.approx(float(weights[2].max()))


@pytest.mark.parametrize("name", ["t5", "llama", "bloom"])
def test_the_strongest_links_of_a_layer_are_those_of_its_heads(name: str) -> None:
    found = recording(name)
    for kind, layer in kinds_and_layers(name):
        weights = found.weights(kind, layer=layer)
        links = found.links(kind, layer, count=6)
        assert [link.weight for link in links] == sorted((link.weight for link in links), reverse=True)
        for link in links:
            assert abs(float(weights[link.head, link.query, link.key]) - link.weight) < 1e-6 and link.key > 0
            assert kind == "cross" or link.query - link.key not in (0, 1)
        each = [link for head in range(len(weights)) for link in found.links(kind, layer, head, 6)]
        assert [link.weight for link in links] == pytest.approx(sorted(link.weight for link in each)[:-7:-1])
