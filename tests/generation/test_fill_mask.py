"""Gaps in a text, filled by a network that was trained to: from left to right, and what cannot be filled."""

from __future__ import annotations

import pytest
import torch
import transformers
from support import tiny_models
from support.generation import source_ids, tiny_model

from attnviz.errors import EmptyError, InputError
from attnviz.generation.fill_mask import fill, mask_word
from attnviz.generation.sampling import Method
from attnviz.generation.writer import Writer, task
from attnviz.models.model import Model
from attnviz.tokenization.token import Token


def test_gaps_are_filled_from_left_to_right(masked: Model) -> None:
    ids = source_ids(masked, "the [MASK] saw the [MASK] .")
    found = fill(masked, ids)
    filled = list(ids)
    for gap, position in enumerate(found.positions):
        assert ids[position] == masked.tokenizer.mask_token_id
        with torch.no_grad():
            logits = masked.network(torch.tensor([filled])).logits[0, position]
        torch.testing.assert_close(found.distribution(gap).logits, logits, atol=2e-5, rtol=1e-4)
        assert found.written.ids[gap] == int(logits.argmax())
        filled[position] = found.written.ids[gap]
    other = fill(masked, ids, given=(9,))
    assert other.written.ids[0] == 9 and other.written.prefix_length == 1 and other.written.end_reason == "gaps"
    assert not torch.equal(other.distribution(1).logits, found.distribution(1).logits)


def test_a_word_is_masked_where_there_is_no_gap(masked: Model) -> None:
    shown = masked.record("the dogs bark.").query_tokens("encoder")
    mask = masked.tokenizer.mask_token_id
    ids, word = mask_word(shown, mask)
    assert word == 2 and [index == mask for index in ids] == [token.word == 2 for token in shown]
    assert mask_word(shown, mask, 1)[1] == 1 and mask_word(shown, mask, 99)[1] == 2
    with_gap = masked.record("the [MASK]").query_tokens("encoder")
    assert mask_word(with_gap, mask) == (tuple(token.id for token in with_gap), None)
    with pytest.raises(EmptyError):
        mask_word((Token(2, "[CLS]", True, None, None, None),), mask)


def test_what_cannot_be_filled_is_said(masked: Model) -> None:
    with pytest.raises(InputError, match=r"no gap. Put \[MASK\]"):
        fill(masked, source_ids(masked, "the dogs"))
    with pytest.raises(InputError, match="17 gaps, and up to 16"):
        fill(masked, source_ids(masked, "[MASK] " * 17))
    with pytest.raises(InputError, match="2 tokens are given for 1 gap"):
        fill(masked, source_ids(masked, "the [MASK]"), given=(9, 9))
    with pytest.raises(InputError, match="greedy or sampling"):
        fill(masked, source_ids(masked, "the [MASK]"), method=Method("beam"))
    with pytest.raises(InputError, match="fills no gaps"):
        fill(tiny_model("gpt2"), (5, 6))


def test_models_are_told_apart(masked: Model) -> None:
    assert task(masked) == "fill" and task(tiny_model("gpt2")) == "continue" and task(tiny_model("t5")) == "translate"
    headless = transformers.BertModel(masked.network.config)
    with pytest.raises(InputError, match="no language head.* Choose a model"):
        task(Model(headless, masked.tokenizer))
    labels = transformers.BertForTokenClassification(masked.network.config)
    with pytest.raises(InputError, match="no language head"):
        task(Model(labels, masked.tokenizer))
    pair = transformers.T5Model(tiny_models.network("t5").config)
    with pytest.raises(InputError, match="no language head.*bundled"):
        task(Model(pair))
    with pytest.raises(InputError, match="no mask token"):
        task(tiny_model("bert"))
    with pytest.raises(InputError, match="Use `attnviz.generation.fill_mask.fill`"):
        Writer(masked, (2, 5, 3))
