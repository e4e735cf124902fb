"""Attention weights that are exchanged, against the same done by other means."""

from __future__ import annotations

import pytest
import torch
from support.recordings import model, recording
from support.written_models import bert

from attnviz import Model
from attnviz.attribution import attribute
from attnviz.attribution.trust.changed_weights import _shuffled, change_weights
from attnviz.errors import InputError
from attnviz.interventions import Ablate, Heads

POSITION = 4
NAMES = ["bert", "gpt2", "llama", "t5", "marian"]


@pytest.mark.parametrize("name", NAMES)
def test_equal_weights_are_those_of_heads_that_look_everywhere(name: str) -> None:
    result = attribute(model(name), recording(name), "attention", POSITION)
    changed = change_weights(model(name), result.recording, result.target, times=3)
    kind = "cross" if "cross" in result.recording.kinds else result.recording.kinds[0]
    other = model(name).record_changed(result.recording, [Ablate(Heads(kind), to="uniform")])
    expected = torch.softmax(other.logits[POSITION].double(), -1)[result.target.token]
    assert changed.even == pytest.approx(float(expected), abs=1e-6)
    assert changed.unchanged == pytest.approx(result.target.probability, abs=1e-6)
    assert len(changed.shuffled) == 3 and len(set(changed.shuffled)) > 1
    assert changed == change_weights(model(name), result.recording, result.target, times=3)


def test_shuffled_rows_have_the_same_weights_in_the_places_that_may_be_seen() -> None:
    weights = torch.rand(1, 2, 5, 5).tril()
    shuffled = _shuffled(weights, torch.Generator().manual_seed(0))
    assert torch.equal(shuffled.sort(-1).values, weights.sort(-1).values)
    assert torch.equal(shuffled > 0, weights > 0) and not torch.equal(shuffled, weights)


def test_a_network_that_predicts_nothing_is_refused() -> None:
    written = bert()
    bare = Model(written.network.bert, written.tokenizer, name="bare-bert")
    result = attribute(bare, "the cat", "attention")
    with pytest.raises(InputError, match="predicts nothing"):
        change_weights(bare, result.recording, result.target)
