"""Relevance is kept on its way back: nothing of the score is lost, nothing made."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from support.bundled import bundled_model
from support.recordings import model, recording

from attnviz.attention.blockwise import Rule
from attnviz.attribution import attribute
from attnviz.attribution.contributions.lrp import RelevanceRules, relevances
from attnviz.attribution.explained import find_explained
from attnviz.attribution.reading import Reading
from attnviz.errors import NoAttentionError

POSITION = 4


@pytest.mark.parametrize("name", ["bert", "gpt2", "llama", "phi3", "t5", "marian", "m2m_100", "albert", "gpt_neox"])
@pytest.mark.parametrize("against", [None, 11])
def test_the_relevance_of_words_positions_biases_and_softmax_is_the_score(name: str, against: int | None) -> None:
    explained = find_explained(model(name), recording(name), POSITION, against=against)
    values, absorbed, score = relevances(Reading(model(name), recording(name), POSITION), explained)
    logits = recording(name).logits
    assert logits is not None
    expected = float(logits[POSITION, explained.token] - (0.0 if against is None else logits[POSITION, against]))
    assert score == pytest.approx(expected, abs=1e-4)
    assert values.sum() + sum(absorbed.values()) == pytest.approx(score, abs=1e-4)
    result = attribute(model(name), recording(name), "attention_lrp", POSITION, against=against)
    assert np.allclose(result.values, values, atol=1e-6)


def test_one_layer_of_attention_by_hand() -> None:
    """Two keys, one head, no matrices: half of the output goes to the values, a quarter by the softmax to its query."""
    generator = torch.Generator().manual_seed(0)
    query, key, value = (torch.randn(1, 1, size, 3, generator=generator, requires_grad=True) for size in (1, 2, 2))
    rule = Rule(1.0, None, None, None, None)
    rules = RelevanceRules()
    output, _ = rules.apply(torch.empty(0, dtype=torch.float32), query, key, value, rule)
    gradients = torch.autograd.grad(output.sum(), (query, key, value))
    query, key, value = query.detach(), key.detach(), value.detach()
    weights = (query @ key.transpose(2, 3)).softmax(-1)  # (1, 1, 1, 2)
    relevance = weights[0, 0, 0] * value[0, 0].sum(-1)  # of each weight, and of each value
    assert torch.allclose((gradients[2] * value)[0, 0].sum(-1), relevance / 2)
    scores = (query @ key.transpose(2, 3))[0, 0, 0]
    expected = scores * (relevance / 2 - weights[0, 0, 0] * (relevance / 2).sum())  # equation 13
    assert torch.allclose((gradients[1] * key)[0, 0].sum(-1), expected / 2, atol=1e-6)
    assert float((gradients[0] * query).sum()) == pytest.approx(float(expected.sum()) / 2, abs=1e-6)


def test_the_bundled_model_hands_the_score_back_to_the_word_that_it_translates() -> None:
    result = attribute(bundled_model(), "Der Hund sah den Ball.", "attention_lrp", position=2)
    assert result.tokens[int(result.source_values.argmax())].text == " Hund" and result.delta is None


def test_a_network_with_a_part_that_has_no_rule_is_refused() -> None:
    """RoBERTa's head calls its activation as a function, where no hook reaches it."""
    with pytest.raises(NoAttentionError, match="Relevance cannot be handed back through"):
        attribute(model("roberta"), recording("roberta"), "attention_lrp", POSITION)
