"""Several heads as one map: against closed forms, and against a second way to compute the same from real models."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch
from support import tiny_models as tiny

from attnviz import AttentionMap, Model, Recording, Token, aggregate
from attnviz.aggregate import maximum, mean, over_heads, over_layers, rollout
from attnviz.errors import InputError
from attnviz.models.recording.recorded_stack import RecordedStack

SEVEN = tuple(Token(10 + i, f"w{i}", False, i, 3 * i, 3 * i + 2) for i in range(7))
ELEVEN = tuple(Token(30 + i, f"k{i}", i == 10, None if i == 10 else i, 3 * i, 3 * i + 2) for i in range(11))


@functools.cache
def recording(name: str) -> Recording:
    return Model(tiny.network(name), name=name).record_ids(**tiny.inputs(name))


def some_rows(heads: int = 3, seed: int = 0) -> np.ndarray:
    """(heads, 7, 11) weights whose rows sum to 1."""
    raw = np.random.default_rng(seed).exponential(size=(heads, 7, 11)) ** 2
    return raw / raw.sum(axis=-1, keepdims=True)


def some_maps(heads: int = 3, **origin) -> list[AttentionMap]:
    origin = {"kind": "cross", "layer": 2, "model": "m"} | origin
    return [
        AttentionMap.of(weights, SEVEN, ELEVEN, **{"head": head, **origin})
        for head, weights in enumerate(some_rows(heads))
    ]


# ---------------------------------------------------------------------------------------------------------------------
# Mean and maximum


def test_mean_and_maximum_are_taken_cell_by_cell() -> None:
    np.testing.assert_allclose(mean(some_maps()).weights, some_rows().mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(mean(some_maps()).weights.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(maximum(some_maps()).weights, some_rows().max(axis=0), atol=1e-7)
    assert maximum(some_maps()).weights.sum(axis=1).min() > 1.0
    for made in (mean(iter(some_maps())), maximum(iter(some_maps()))):
        assert made.weights.dtype == made.hidden_mass.dtype == np.float32
        assert (made.query_tokens, made.key_tokens, made.kind, made.model) == (SEVEN, ELEVEN, "cross", "m")
        assert (made.layer, made.head) == (2, None) and not made.hidden_mass.any()


def test_what_is_put_together_stays_as_it_was() -> None:
    maps = some_maps()
    maximum(maps), mean(maps)
    np.testing.assert_allclose(maps[0].weights, some_rows()[0], atol=1e-7)


def test_names_say_what_was_put_together() -> None:
    assert mean(some_maps()).name == "L2 mean"
    layers = [some_maps(1, layer=layer, head=5)[0] for layer in range(4)]
    assert mean(layers).name == "L0–3 mean H5"
    assert maximum([layers[0], layers[2]]).name == "L0,2 max H5"
    whole_layers = [mean(some_maps(layer=layer)) for layer in range(4)]
    assert mean(whole_layers).name == "L0–3 mean"
    assert maximum(whole_layers).name == "L0–3 max of mean"
    assert mean([mean(layers), mean([replace(map, head=6) for map in layers])]).name == "L0–3 mean"
    assert mean(some_maps(1)).name == "L2 mean H0"
    assert mean([some_maps()[0], mean(some_maps())]).name == "L2 mean of several"


def test_what_is_hidden_is_averaged_or_taken_as_one_more_column() -> None:
    shown = [map.hide(lambda token: token.special) for map in some_maps()]
    np.testing.assert_allclose(mean(shown).hidden_mass, some_rows()[..., 10].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(
        mean(shown).weights, mean(some_maps()).hide(lambda token: token.special).weights, atol=1e-6
    )
    highest = some_rows().max(axis=0)  # (query, key)
    expected = highest[:, 10] / highest.sum(axis=1)
    np.testing.assert_allclose(maximum(shown).hidden_mass, expected, atol=1e-6)
    np.testing.assert_allclose(maximum(some_maps()).hide(lambda token: token.special).hidden_mass, expected, atol=1e-6)


def test_renormalised_maps_count_for_as_much_as_is_shown_of_them() -> None:
    shown = [map.hide(lambda token: token.special, renormalise=True) for map in some_maps()]
    made = mean(shown)
    expected = mean(some_maps()).hide(lambda token: token.special, renormalise=True)
    np.testing.assert_allclose(made.weights, expected.weights, atol=1e-6)
    np.testing.assert_allclose(made.weights.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(made.hidden_mass, expected.hidden_mass, atol=1e-6)
    assert made.renormalised
    np.testing.assert_allclose(maximum(shown).weights.sum(axis=1), 1.0, atol=1e-6)


def test_a_mean_of_maxima_is_still_no_mean_of_whole_rows() -> None:
    maxima = [maximum(some_maps(layer=layer)).hide(lambda token: token.special) for layer in range(2)]
    made = mean(maxima)
    assert made.name == "L0–1 mean of max" and made.weights.sum(axis=1).min() > 1.0
    np.testing.assert_allclose(made.hidden_mass, maxima[0].hidden_mass, atol=1e-6)
    assert made.by_word().weights.max() <= 1.0


@pytest.mark.parametrize(
    ("maps", "text"),
    [
        ([], "There is no map to put together"),
        ([some_maps()[0], AttentionMap.of(np.zeros((7, 7)), SEVEN, SEVEN)], "L0 H0 has other tokens than L2 H0"),
        ([some_maps()[0], some_maps(kind="encoder")[1]], "L2 H0 is cross attention of m, L2 H1 is encoder attention"),
        ([some_maps()[0], some_maps(model="n")[1]], "attention of m, L2 H1 is cross attention of n"),
        ([some_maps()[0], some_maps()[1].hide([], renormalise=True)], "rows of L2 H1 were divided .* those of L2 H0"),
    ],
)
def test_maps_that_do_not_fit_together_are_refused(maps: list[AttentionMap], text: str) -> None:
    with pytest.raises(InputError, match=text):
        mean(maps)


# ---------------------------------------------------------------------------------------------------------------------
# Over the heads and the layers of a recording


@pytest.mark.parametrize("name", ["bart", "llama", "gpt_oss", "bloom"])
@pytest.mark.parametrize("at_once", [True, False])
def test_over_heads_and_over_layers(name: str, at_once: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not at_once:
        monkeypatch.setattr(aggregate, "WHOLE_LAYER", 0)
    found = recording(name)
    for kind in found.kinds:
        layers, heads, _, _ = found.size(kind)
        every = np.stack([found.weights(kind, layer=layer).numpy() for layer in range(layers)])
        np.testing.assert_allclose(over_heads(found, kind, 1).weights, every[1].mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(over_heads(found, kind, 1, "max").weights, every[1].max(axis=0), atol=1e-6)
        np.testing.assert_allclose(over_layers(found, kind, 3).weights, every[:, 3].mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(over_layers(found, kind, 3, "max").weights, every[:, 3].max(axis=0), atol=1e-6)
        made = over_heads(found, kind, 1), over_layers(found, kind, 3, "max")
        assert [map.name for map in made] == ["L1 mean", f"L0–{layers - 1} max H3"]
        assert [map.kind for map in made] == [kind, kind] and made[0].model == name
        np.testing.assert_allclose(made[0].weights.sum(axis=1) + made[0].hidden_mass, 1.0, atol=1e-5)
        with pytest.raises(InputError, match=f"layers 0 to {layers - 1}, not {layers}"):
            over_heads(found, kind, layers)
        with pytest.raises(InputError, match=f"heads 0 to {heads - 1}, not {heads}"):
            over_layers(found, kind, heads)


def test_there_are_two_ways_to_put_heads_together() -> None:
    with pytest.raises(InputError, match='by "mean" or "max", not \'median\''):
        over_heads(recording("bert"), "encoder", 0, "median")
    with pytest.raises(InputError, match="This recording has encoder attention, not 'decoder'"):
        over_layers(recording("bert"), "decoder", 0)


# ---------------------------------------------------------------------------------------------------------------------
# Rollout


def fixed(weights: np.ndarray, kind: str = "encoder") -> Recording:
    """A recording of given weights (layer, head, token, token)."""
    layers = [torch.tensor(layer, dtype=torch.float32) for layer in weights]
    return Recording((kind,), RecordedStack({kind: layers}, SEVEN[: weights.shape[-1]]), model="fixed")


def test_rollout_of_heads_that_look_at_themselves_is_the_identity() -> None:
    alone = fixed(np.tile(np.eye(7), (5, 3, 1, 1)))
    np.testing.assert_array_equal(rollout(alone, "encoder", 4).weights, np.eye(7))


def test_rollout_of_uniform_attention_forgets_by_halves() -> None:
    # U U = U, so (U/2 + I/2)^n = U (1 - 1/2^n) + I / 2^n.
    uniform = fixed(np.full((5, 3, 7, 7), 1 / 7))
    for layer in range(5):
        kept = 0.5 ** (layer + 1)
        expected = (1 - kept) / 7 + kept * np.eye(7)
        np.testing.assert_allclose(rollout(uniform, "encoder", layer).weights, expected, atol=1e-6)


def test_rollout_of_two_layers_by_hand() -> None:
    first = [[[0.5, 0.5], [0, 1]], [[0, 1], [0.5, 0.5]]]  # A0 = [[5, 3], [1, 7]] / 8
    second = [[[1, 0], [1, 0]]] * 2  # A1 = [[2, 0], [1, 1]] / 2
    made = rollout(fixed(np.array([first, second])), "encoder", 1)
    np.testing.assert_allclose(made.weights, [[5 / 8, 3 / 8], [3 / 8, 5 / 8]], atol=1e-6)  # A0 A1 would be another
    assert (made.name, made.layer, made.head, made.aggregate) == ("rollout L1", 1, None, "rollout")


def test_what_a_sink_takes_is_divided_away() -> None:
    # Half of each row went to a sink: A = (U/4 + I/2) / (3/4) = U/3 + 2 I/3.
    sunk = fixed(np.full((1, 3, 7, 7), 0.5 / 7), "decoder")
    np.testing.assert_allclose(rollout(sunk, "decoder", 0).weights, 1 / 21 + 2 / 3 * np.eye(7), atol=1e-6)


@pytest.mark.parametrize("name", ["bert", "bart", "llama", "gpt_oss", "bloom"])
def test_rollout_of_real_models(name: str) -> None:
    found = recording(name)
    for kind in found.kinds:
        if kind == "cross":
            continue
        layers, _, queries, _ = found.size(kind)
        expected = np.eye(queries)
        for layer in range(layers):
            step = found.weights(kind, layer=layer).numpy().astype(np.float64).mean(axis=0) + np.eye(queries)
            expected = step / step.sum(axis=1, keepdims=True) @ expected
            made = rollout(found, kind, layer)
            np.testing.assert_allclose(made.weights, expected, atol=1e-6)
            np.testing.assert_allclose(made.weights.sum(axis=1), 1.0, atol=1e-6)
            assert not made.hidden_mass.any() and made.model == name
            if kind == "decoder":
                assert not np.triu(made.weights, 1).any()
        with pytest.raises(InputError, match=f"layers 0 to {layers - 1}, not {layers}"):
            rollout(found, kind, layers)


def test_rollout_is_not_for_cross_attention() -> None:
    with pytest.raises(InputError, match='from one sequence to another. Choose "encoder" or "decoder"'):
        rollout(recording("bart"), "cross", 0)
