"""Steps: which row of which map belongs to each token that was written."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support import tiny_models
from support.generation import DECODERS, PAIRS, SENTENCES, source_ids, tiny_model

from attnviz.errors import InputError
from attnviz.generation.decode import decode
from attnviz.generation.fill_mask import fill
from attnviz.generation.sampling import Method
from attnviz.generation.steps import Steps
from attnviz.generation.writer import Writer
from attnviz.models.model import Model

# Steps ----------------------------------------------------------------------------------------------------------------


def decode_in_steps(model: Model, ids: Any, **options: Any) -> tuple[Steps, Writer]:
    writer = Writer(model, ids)
    written = decode(writer, **options)
    return Steps.of_text(writer, written, Method(), writer.record(written.ids)), writer


@pytest.mark.parametrize("name", [*PAIRS, *DECODERS])
def test_a_row_belongs_to_the_token_that_it_predicts(name: str) -> None:
    steps, writer = decode_in_steps(tiny_model(name), tiny_models.ids(), limit=7)
    for place, index in enumerate(steps.written.ids):
        # What the recording says at a step's row is what the writer chose from.
        expected = writer.next(steps.written.ids[:place])
        torch.testing.assert_close(steps.distribution(place).logits, expected.logits, atol=5e-5, rtol=1e-3)
        assert int(steps.constrained_distribution(place).logits.argmax()) == index
    map = steps.map("cross" if writer.pair else "decoder", 1, 3)
    whole = steps.recording.weights(map.kind, layer=1, head=3).numpy()
    np.testing.assert_array_equal(map.weights, whole[writer.first_row :])
    assert map.weights.shape[0] == len(steps) <= 7
    mean = steps.map(map.kind, 1)
    np.testing.assert_allclose(
        mean.weights, steps.recording.weights(map.kind, layer=1).numpy().mean(axis=0)[writer.first_row :], atol=1e-6
    )
    assert (mean.head, mean.aggregate) == (None, "mean")


@pytest.mark.parametrize("head", [0, None])
def test_what_a_sink_takes_of_a_step_is_what_the_recording_says(head: int | None) -> None:
    network = tiny_models.network("gpt_oss")
    for name, parameter in network.named_parameters():
        if name.endswith("sinks"):
            parameter.data.fill_(-2.0)  # takes about one part in a hundred
    steps, writer = decode_in_steps(Model(network), tiny_models.ids(), limit=7)
    shares = []
    for layer in range(steps.recording.size("decoder")[0]):
        map = steps.map("decoder", layer, head)
        np.testing.assert_allclose(map.weights.sum(axis=1) + map.hidden_mass, 1.0, atol=1e-5)
        maps = steps.recording.maps("decoder", layer=layer)
        whole = np.mean([map.hidden_mass for map in (maps if head is None else maps[head : head + 1])], axis=0)
        np.testing.assert_allclose(map.hidden_mass, whole[writer.first_row :][: len(steps)], atol=1e-6)
        shares.extend(map.hidden_mass)
    assert any(1e-3 < share < 0.03 for share in shares)


def test_rows_are_labelled_by_what_was_read_and_what_is_predicted(bundled: Model) -> None:
    steps, _ = decode_in_steps(bundled, source_ids(bundled, SENTENCES[1]))
    assert steps.row_labels == (
        "<s> → >>en<<", ">>en<< → The", "The → dog", "dog → saw", "saw → the", "the → ball", "ball → .", ". → </s>",
    )  # fmt: skip
    map = steps.map("cross", 3)
    assert map.key_labels[-1] == "</s>"
    # Words and hiding change the keys alone: every row stays a step.
    assert map.hide(lambda token: token.special).by_word().weights.shape == (8, 6)
    assert steps.map("encoder", 3).weights.shape == (7, 7)
    assert steps.visible_keys("decoder").weights.sum(axis=1).tolist() == list(range(1, 9))
    assert steps.visible_keys("cross").weights.all()
    with pytest.raises(InputError, match="not 'sideways'"):
        steps.map("sideways", 0)


def test_the_steps_of_gaps_are_the_gaps(masked: Model) -> None:
    ids = source_ids(masked, "the [MASK] saw the [MASK] .")
    filled = fill(masked, ids)
    steps = Steps.of_gaps(filled, Method(), masked.tokenizer)
    assert len(steps) == 2 and steps.own == "encoder"
    assert all(label.startswith("[MASK] → ") for label in steps.row_labels)
    for gap, (recording, position) in enumerate(zip(filled.recordings, filled.positions, strict=True)):
        expected = recording.weights("encoder", layer=2, head=1)[position].numpy()
        np.testing.assert_array_equal(steps.map("encoder", 2, 1).weights[gap], expected)


def test_a_beam_goes_on_with_what_survived(bundled: Model) -> None:
    writer = Writer(bundled, source_ids(bundled, SENTENCES[0]))
    whole = decode(writer).ids
    written = decode(writer, whole[:1], Method("beam", width=3))
    steps = Steps.of_text(writer, written, Method("beam", width=3), writer.record(written.ids))
    assert steps.survivors(0) == {whole[0]}
    assert steps.survivors(1) == set(writer.next(whole[:1]).logits.topk(3).indices.tolist())
    assert all(index in steps.survivors(place) for place, index in enumerate(written.ids))
