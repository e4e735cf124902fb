"""What temperature, top-k and top-p make of a distribution: against transformers' own, and in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from support.generation import random_distribution
from transformers.generation import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

from attnviz.errors import InputError
from attnviz.generation.sampling import Distribution, Method, shape


@pytest.fixture
def drawn() -> Distribution:
    return random_distribution()


# What methods do to a distribution ------------------------------------------------------------------------------------


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("top_k", [0, 1, 7, 1000])
@pytest.mark.parametrize("top_p", [0.05, 0.6, 0.99, 1.0])
def test_shapes_are_those_of_transformers(drawn: Distribution, temperature: float, top_k: int, top_p: float) -> None:
    expected = TemperatureLogitsWarper(temperature)(None, drawn.logits[None])
    if top_k:
        expected = TopKLogitsWarper(top_k)(None, expected)
    if top_p < 1:
        expected = TopPLogitsWarper(top_p)(None, expected)
    found = shape(drawn, temperature, top_k, top_p)
    torch.testing.assert_close(found.logits, expected[0])
    assert float(found.probabilities.sum()) == pytest.approx(1, abs=1e-5)
    assert found.cut == pytest.approx(float(drawn.probabilities[~found.candidates].sum()), abs=1e-6)


def test_temperature_is_a_power_of_the_probabilities() -> None:
    model = torch.tensor([0.5, 0.3, 0.2])
    power = model**2
    found = shape(Distribution(model.log()), temperature=0.5).probabilities
    torch.testing.assert_close(found, power / power.sum())


def test_top_k_and_top_p_keep_the_likeliest() -> None:
    distribution = Distribution(torch.tensor([0.1, 0.4, 0.2, 0.3]).log())
    assert shape(distribution, top_k=2).candidates.tolist() == [False, True, False, True]
    torch.testing.assert_close(shape(distribution, top_k=2).probabilities, torch.tensor([0, 4 / 7, 0, 3 / 7]))
    assert shape(distribution, top_p=0.65).candidates.tolist() == [False, True, False, True]
    assert shape(distribution, top_p=0.75).candidates.tolist() == [False, True, True, True]
    assert shape(distribution, top_p=0.01).candidates.tolist() == [False, True, False, False]  # at least one
    # The temperature comes first: it changes how many tokens reach p.
    assert int(shape(distribution, temperature=0.2, top_p=0.75).candidates.sum()) == 1
    assert shape(distribution, top_k=3, top_p=0.7).cut == pytest.approx(0.3)


def test_greedy_leaves_one_token_and_a_beam_leaves_all(drawn: Distribution) -> None:
    best = int(drawn.logits.argmax())
    greedy = Method().shape(drawn)
    assert greedy.candidates.nonzero().flatten().tolist() == [best]
    assert greedy.cut == pytest.approx(1 - float(drawn.probabilities[best]))
    assert drawn.rank(best) == 0 and drawn.rank(int(drawn.logits.argmin())) == 502
    assert Method("beam").shape(drawn).candidates.all()


def test_draws_have_their_probabilities() -> None:
    distribution = Distribution(torch.tensor([0.2, 0.5, 0.3]).log())
    found = np.bincount([Method("sample", seed=seed).choose(distribution, 0) for seed in range(4000)], minlength=3)
    np.testing.assert_allclose(found / 4000, [0.2, 0.5, 0.3], atol=0.03)
    few = {Method("sample", seed=seed, top_k=2).choose(distribution, 3) for seed in range(300)}
    assert few == {1, 2}


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"temperature": 0.0}, "over 0, not 0.0"),
        ({"temperature": math.inf}, "over 0, not inf"),
        ({"top_k": -1}, "number of tokens"),
        ({"top_p": 0.0}, "up to 1, not 0.0"),
        ({"top_p": 1.5}, "up to 1, not 1.5"),
        ({"width": 0}, "1 to 10 texts wide"),
        ({"name": "magic"}, "not 'magic'"),
    ],
)
def test_what_a_method_cannot_be_is_said(options: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        Method(**options)
