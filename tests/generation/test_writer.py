"""Texts that a model writes, token by token: against transformers' own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from support import tiny_models
from support.generation import DECODERS, PAIRS, SENTENCES, source_ids, tiny_model

from attnviz.errors import EmptyError, InputError, TooLongError
from attnviz.generation.decode import decode, next_token
from attnviz.generation.sampling import Method
from attnviz.generation.writer import Writer
from attnviz.models.model import Model

LIMIT = 19


def transformers_text(model: Model, ids: Any, limit: int, prefix: Any = (), **options: Any) -> list[int]:
    """What transformers writes itself, without start token, source and padding."""
    given = torch.tensor([list(ids)])
    arguments = {"attention_mask": torch.ones_like(given), "max_length": None, "do_sample": False} | options
    if model.network.config.is_encoder_decoder:
        start = [model.inputs.start_token(), *prefix]
        arguments |= {"decoder_input_ids": torch.tensor([start]), "max_new_tokens": limit - len(prefix)}
        # A forced end at the limit is not the model's: `Writer` leaves it out.
        arguments["forced_eos_token_id"] = None
        return model.network.generate(given, **arguments)[0].tolist()[1:]
    given = torch.tensor([[*ids, *prefix]])
    arguments |= {"attention_mask": torch.ones_like(given), "max_new_tokens": limit - len(prefix)}
    return model.network.generate(given, **arguments)[0].tolist()[len(ids) :]


# The next token -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*PAIRS, *DECODERS])
def test_the_next_token_is_the_networks(name: str) -> None:
    model, ids, prefix = tiny_model(name), tiny_models.ids(), tiny_models.target_ids(3)
    found = next_token(model, ids, prefix)
    with torch.no_grad():
        if name in PAIRS:
            read = {"decoder_input_ids": torch.tensor([[model.inputs.start_token(), *prefix]])}
            expected = model.network(torch.tensor([ids]), **read).logits[0, -1]
        else:
            expected = model.network(torch.tensor([[*ids, *prefix]])).logits[0, -1]
    torch.testing.assert_close(found.logits, expected, atol=2e-5, rtol=1e-4)
    assert found.logits.dtype == torch.float32
    assert float(found.probabilities.sum()) == pytest.approx(1, abs=1e-5)


# Texts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*PAIRS, *DECODERS])
@pytest.mark.parametrize("prefix", [(), (17, 23)])
def test_greedy_texts_are_transformers(name: str, prefix: tuple[int, ...]) -> None:
    model, ids = tiny_model(name), tiny_models.ids()
    found = decode(Writer(model, ids), prefix, limit=LIMIT)
    assert list(found.ids) == transformers_text(model, ids, LIMIT, prefix, num_beams=1)
    assert found.prefix_length == len(prefix)


@pytest.mark.parametrize("name", [*PAIRS, *DECODERS])
@pytest.mark.parametrize("width", [2, 5])
def test_beam_texts_are_transformers(name: str, width: int) -> None:
    model = tiny_model(name)
    for seed in range(3):
        ids = tiny_models.ids(seed=seed)
        found = decode(Writer(model, ids), method=Method("beam", width=width), limit=11)
        assert list(found.ids) == transformers_text(model, ids, 11, num_beams=width), seed


@pytest.mark.parametrize("penalty", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("early", [True, False, "never"])
def test_beams_obey_the_checkpoints_settings(penalty: float, early: bool | str) -> None:
    model = tiny_model("marian")
    model.network.generation_config.update(length_penalty=penalty, early_stopping=early)
    for seed in range(3):
        ids = tiny_models.ids(seed=seed)
        found = decode(Writer(model, ids), (9,), Method("beam", width=3), limit=12)
        assert list(found.ids) == transformers_text(model, ids, 12, (9,), num_beams=3), seed


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_bundled_model_writes_what_transformers_writes(bundled: Model, sentence: str) -> None:
    ids = source_ids(bundled, sentence)
    writer = Writer(bundled, ids)
    greedy = decode(writer)
    assert list(greedy.ids) == transformers_text(bundled, ids, 128, num_beams=1) and greedy.end_reason == "end"
    beam = decode(writer, method=Method("beam", width=4))
    assert list(beam.ids) == transformers_text(bundled, ids, 128, num_beams=4)
    assert bundled.tokenizer.decode(greedy.ids, skip_special_tokens=True).strip() == bundled.translate(sentence)


def test_beams_say_what_they_looked_at(bundled: Model) -> None:
    writer = Writer(bundled, source_ids(bundled, SENTENCES[0]))
    found = decode(writer, method=Method("beam", width=3))
    first, second = found.beams[:2]
    assert all(one.parent is None for one in first)
    likeliest = writer.next(()).logits.log_softmax(dim=-1).topk(6)
    assert [one.ids[0] for one in first] == likeliest.indices.tolist()
    np.testing.assert_allclose([one.score for one in first], likeliest.values, atol=1e-5)
    end = bundled.network.config.eos_token_id
    going_on = [one for one in first if one.ids[0] != end]
    assert [one.state for one in going_on] == ["kept"] * 3 + ["dropped"] * (len(going_on) - 3)
    for place, one in enumerate(first):
        if one.ids[0] == end:  # only what ends among the best as many as there are beams is an answer
            assert one.state == ("finished" if place < 3 else "dropped")
    kept = [one for one in first if one.state == "kept"]
    for one in second:
        assert one.parent is not None and one.ids[:-1] == kept[one.parent].ids
        step = writer.next(one.ids[:-1]).logits.log_softmax(dim=-1)[one.ids[-1]]
        assert one.score == pytest.approx(kept[one.parent].score + float(step), abs=1e-4)
    (winner,) = [one for column in found.beams for one in column if one.ids == found.ids]
    assert winner.state == "finished" and found.score == pytest.approx(winner.score / len(found.ids))


def test_a_beam_of_one_is_greedy(bundled: Model) -> None:
    writer = Writer(bundled, source_ids(bundled, SENTENCES[1]))
    assert decode(writer, method=Method("beam", width=1)).ids == decode(writer).ids


def test_sampling_depends_on_its_seed_and_on_nothing_else(bundled: Model) -> None:
    writer = Writer(bundled, source_ids(bundled, SENTENCES[0]))
    texts = [decode(writer, method=Method("sample", seed=seed)).ids for seed in (1, 2, 3, 1)]
    assert texts[0] == texts[3] and len(set(texts)) == 3
    # A choice that is the drawn token changes nothing of what follows.
    assert decode(writer, texts[0][:3], Method("sample", seed=1)).ids == texts[0]
    assert decode(writer, method=Method("sample", seed=5, top_k=1)).ids == decode(writer).ids


def test_another_choice_is_gone_on_from(bundled: Model) -> None:
    writer = Writer(bundled, source_ids(bundled, SENTENCES[0]))
    whole = decode(writer).ids
    other = int(writer.next(whole[:3]).logits.topk(2).indices[1])
    found = decode(writer, (*whole[:3], other))
    assert found.ids[:4] == (*whole[:3], other) and found.prefix_length == 4 and found.ids != whole
    assert found.end_reason == "end" and decode(writer, found.ids).ids == found.ids


def test_a_text_ends_by_its_end_token_or_by_a_limit(bundled: Model) -> None:
    writer = Writer(bundled, source_ids(bundled, SENTENCES[0]))
    whole = decode(writer)
    assert whole.end_reason == "end" and whole.ids[-1] in writer.ends
    cut = decode(writer, limit=4)
    assert cut.ids == whole.ids[:4] and cut.end_reason == "limit"
    endless = Writer(tiny_model("gpt2"), tiny_models.ids())
    found = decode(endless, limit=10_000)
    # As many as there are positions, and one more that only is predicted.
    assert len(found.ids) == endless.most == tiny_models.POSITIONS - tiny_models.LENGTH + 1
    assert found.end_reason == "limit"
    beam = decode(writer, method=Method("beam", width=2), limit=4)
    assert len(beam.ids) == 4 and beam.end_reason == "limit"


def test_the_checkpoints_rules_hold() -> None:
    model = tiny_model("bart")
    ids = tiny_models.ids()
    free = decode(Writer(model, ids), limit=LIMIT).ids
    model.network.generation_config.update(
        forced_bos_token_id=31, no_repeat_ngram_size=2, bad_words_ids=[[free[0]], [free[1]]], min_length=9
    )
    for method, beams in ((Method(), 1), (Method("beam", width=3), 3)):
        found = decode(Writer(model, ids), method=method, limit=LIMIT).ids
        assert found[0] == 31 and not set(found) & set(free[:2])
        assert list(found) == transformers_text(model, ids, LIMIT, num_beams=beams)


def test_what_cannot_be_a_prefix_is_said(bundled: Model) -> None:
    writer = Writer(bundled, source_ids(bundled, SENTENCES[0]))
    end = next(iter(writer.ends))
    with pytest.raises(InputError, match="ids from 0 to 11999"):
        decode(writer, (12_000,))
    with pytest.raises(InputError, match="goes on after its end token"):
        decode(writer, (5, end, 7))
    with pytest.raises(TooLongError, match="can write 128"):
        decode(writer, (7,) * 129)
    assert decode(writer, (5, end)).ids == (5, end)
    with pytest.raises(EmptyError):
        Writer(bundled, ())
