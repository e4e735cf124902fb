"""What one head does: closed forms, and real models."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from support import tiny_models as tiny
from support.maps import KEYS, PLAIN, WITH_SPECIALS, is_special, map_of, random_rows, recording_of, tiny_recording
from support.tiny_tokenizers import wordpiece

from attnviz import AttentionMap, aggregate
from attnviz.aggregate import maximum
from attnviz.measures import rows
from attnviz.measures.head_measures import Measures, measure, measure_all
from attnviz.tokenization.tokenizer import encode

NAMES = [field.name for field in dataclasses.fields(Measures)]


def close(first: Measures, second: Measures, atol: float = 1e-5) -> None:
    assert (first.layer, first.head) == (second.layer, second.head)
    np.testing.assert_allclose(dataclasses.astuple(first)[2:], dataclasses.astuple(second)[2:], atol=atol)


# ---------------------------------------------------------------------------------------------------------------------
# What one head does


def test_a_head_that_looks_everywhere_alike() -> None:
    found = measure(map_of(np.full((7, 7), 1 / 7), WITH_SPECIALS))
    # The mean of |q - k| over a square of n is (n² - 1) / 3n.
    expected = (2, 5, math.log2(7), 48 / 21, 1 / 7, 1 / 7, 1 / 7, 1 / 7, 2 / 7, 1.0)
    np.testing.assert_allclose(dataclasses.astuple(found), expected, atol=1e-6)
    assert found.character == "broad"


def test_a_head_that_looks_at_one_place() -> None:
    found = measure(map_of(np.eye(7)))
    assert (found.entropy, found.distance, found.own, found.previous, found.next) == (0, 0, 1, 0, 0)
    assert found.first == pytest.approx(1 / 7) and math.isnan(found.special) and math.isnan(found.evenness)
    assert found.character == "own"
    found = measure(map_of(np.eye(7)[[0, 0, 1, 2, 3, 4, 5]]))  # the first row has no previous token
    assert (found.previous, found.next, found.character) == (1, 0, "previous")
    found = measure(map_of(np.eye(7)[[1, 2, 3, 4, 5, 6, 6]]))
    assert (found.next, found.previous, found.character) == (1, 0, "next")
    assert found.distance == pytest.approx(6 / 7)
    found = measure(map_of(np.eye(7)[[0] * 7]))
    assert (found.first, found.distance, found.character) == (1, pytest.approx(3), "first")
    found = measure(map_of(np.eye(7)[[6] * 7], WITH_SPECIALS))
    assert (found.special, found.first, found.character) == (1, 0, "special")


def test_numbers_of_a_causal_row_are_compared_with_what_it_may_see() -> None:
    lower = np.tril(np.ones((7, 7))) / np.arange(1, 8)[:, None]
    found = measure(map_of(lower, kind="decoder"))
    assert found.evenness == pytest.approx(1.0) and found.character == "broad"
    assert found.entropy == pytest.approx(np.log2(np.arange(1, 8)).mean(), abs=1e-6)
    assert found.distance == pytest.approx(np.arange(7).mean() / 2)
    assert found.next == 0


def test_numbers_against_the_formulas_row_by_row() -> None:
    weights = random_rows()
    found = measure(map_of(weights, WITH_SPECIALS))
    entropies = [-sum(p * math.log2(p) for p in row) for row in weights]
    distances = [sum(p * abs(q - k) for k, p in enumerate(row)) for q, row in enumerate(weights)]
    assert found.entropy == pytest.approx(np.mean(entropies), abs=1e-5)
    assert found.evenness == pytest.approx(np.mean(entropies) / math.log2(7), abs=1e-5)
    assert found.distance == pytest.approx(np.mean(distances), abs=1e-5)
    assert found.previous == pytest.approx(np.mean([weights[i, i - 1] for i in range(1, 7)]), abs=1e-6)
    assert found.next == pytest.approx(np.mean([weights[i, i + 1] for i in range(6)]), abs=1e-6)
    assert found.own == pytest.approx(np.trace(weights) / 7, abs=1e-6)
    assert found.first == pytest.approx(weights[:, 0].mean(), abs=1e-6)
    assert found.special == pytest.approx((weights[:, 0] + weights[:, 6]).mean(), abs=1e-6)


def test_positions_mean_nothing_between_two_texts() -> None:
    weights = random_rows(7, 11)
    found = measure(map_of(weights, PLAIN, KEYS, kind="cross"))
    assert all(math.isnan(getattr(found, name)) for name in ("distance", "previous", "next", "own"))
    assert found.first == pytest.approx(weights[:, 0].mean(), abs=1e-6)
    assert found.special == pytest.approx(weights[:, 10].mean(), abs=1e-6)
    assert found.entropy > 0
    # A copy has the same tokens on both sides; they are two texts all the same.
    assert math.isnan(measure(map_of(random_rows(), kind="cross")).own)
    assert math.isnan(measure(map_of(random_rows()).average_queries([1, 2])).own)


def test_shares_are_those_that_are_shown_and_entropy_is_of_what_is_shown() -> None:
    weights = random_rows()
    whole = map_of(weights, WITH_SPECIALS)
    plain, divided = measure(whole.hide(is_special)), measure(whole.hide(is_special, renormalise=True))
    left = weights[1:6, 1:6]
    assert plain.own == pytest.approx(np.trace(left) / 5, abs=1e-6)
    rows = left / left.sum(axis=1, keepdims=True)
    assert divided.own == pytest.approx(np.trace(rows) / 5, abs=1e-6)
    for found in (plain, divided):
        assert found.entropy == pytest.approx(-(rows * np.log2(rows)).sum(axis=1).mean(), abs=1e-5)
        assert math.isnan(found.special)
    place = np.arange(5)
    assert plain.distance == pytest.approx((rows * abs(place[:, None] - place)).sum(axis=1).mean(), abs=1e-5)


def test_rows_of_which_nothing_is_shown_have_no_entropy() -> None:
    weights = np.zeros((7, 7))
    weights[:, 0] = 1.0  # the special token
    weights[3] = [0, 0.25, 0.25, 0.25, 0.25, 0, 0]
    found = measure(map_of(weights, WITH_SPECIALS).hide(is_special))
    assert found.entropy == pytest.approx(2.0) and found.own == pytest.approx(0.25 / 5)
    nothing = measure(map_of(weights, WITH_SPECIALS).hide(lambda token: token.id != 1))
    assert nothing.first == 1 and math.isnan(nothing.previous)
    for empty in (map_of(weights).hide(lambda token: True), map_of(np.zeros((7, 7))).hide(lambda token: True)):
        assert all(math.isnan(value) for value in dataclasses.astuple(measure(empty))[2:])
        assert measure(empty).character is None


def test_words_are_measured_as_words() -> None:
    read = encode(wordpiece(), "Die Fledermaus flog").tokens
    found = map_of(random_rows(len(read), len(read)), read).by_word()
    assert measure(found).previous == pytest.approx(np.diagonal(found.weights, -1).mean(), abs=1e-6)


def test_shares_of_a_maximum_are_shares() -> None:
    most = maximum([map_of(np.eye(7)[[0] * 7], WITH_SPECIALS), map_of(np.eye(7)[[6] * 7], WITH_SPECIALS, head=6)])
    found = measure(most)
    assert (found.layer, found.head) == (2, None)
    assert (found.first, found.special, found.entropy) == (0.5, 1.0, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("numbers", "character"),
    [
        ({"previous": 0.6, "own": 0.2}, "previous"),
        ({"previous": 0.5}, None),
        ({"own": 0.7, "first": 0.8, "special": 0.9}, "first"),
        ({"first": 0.3, "special": 0.6, "evenness": 0.95}, "special"),
        ({"evenness": 0.9}, "broad"),
        ({"evenness": 0.89}, None),
        ({}, None),
    ],
)
def test_a_head_is_called_by_what_it_mostly_does(numbers: dict[str, float], character: str | None) -> None:
    known = dict.fromkeys(NAMES, math.nan) | {"layer": 0, "head": 0} | numbers
    assert Measures(**known).character == character


@pytest.mark.parametrize("name", ["bert", "llama", "bart", "gpt_oss", "bloom"])
@pytest.mark.parametrize("length", [tiny.LENGTH, 1])
def test_all_heads_at_once_are_measured_as_one_by_one(name: str, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = tiny_recording(name, length)
    for kind in found.kinds:
        layers, heads, _, _ = found.size(kind)
        every = measure_all(found, kind)
        assert [(one.layer, one.head) for one in every] == [(i, j) for i in range(layers) for j in range(heads)]
        one_by_one = [measure(found.map(kind, layer=one.layer, head=one.head)) for one in every]
        monkeypatch.setattr(rows, "STACKED", 0)
        monkeypatch.setattr(aggregate, "WHOLE_LAYER", 0)
        separately = measure_all(found, kind)
        monkeypatch.undo()
        for first, second, third in zip(every, one_by_one, separately, strict=True):
            close(first, second)
            close(first, third)


def test_what_is_shown_can_be_measured_instead() -> None:
    weights = [[random_rows(seed=3 * layer + head) for head in range(3)] for layer in range(2)]
    found = recording_of(np.array(weights), WITH_SPECIALS)

    def prepare(map: AttentionMap) -> AttentionMap:
        return map.hide(is_special, renormalise=True)

    for one in measure_all(found, "encoder", prepare):
        close(one, measure(prepare(found.map("encoder", layer=one.layer, head=one.head))))
