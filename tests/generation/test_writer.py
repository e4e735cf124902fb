"""Next-token distributions, what methods make of them, and texts: against transformers' own, and in closed form."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from support import tiny_models
from support import tiny_tokenizers as tokenizers_for_tests
from transformers.generation import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

import attnviz
from attnviz.errors import EmptyError, InputError, TooLongError
from attnviz.generation.decode import decode, next_token
from attnviz.generation.fill_mask import fill, mask_word
from attnviz.generation.sampling import Distribution, Method, shape
from attnviz.generation.steps import Steps
from attnviz.generation.writer import Writer, task
from attnviz.models.model import Model
from attnviz.tokenization.token import Token
from attnviz.tokenization.tokenizer import encode
from attnviz.ui.screens.translate.architecture_geometry import draw_architecture
from attnviz.ui.screens.translate.next_token_bars import format_percent, next_bars

SENTENCES = (
    "De kat zit op de mat.",
    "Der Hund sah den Ball.",
    "学生在写作业。",
    "The teacher taught the student with the book.",
    "De student las het boek dat de leraar hem gaf.",
)
PAIRS, DECODERS = ("marian", "bart", "t5", "m2m_100"), ("gpt2", "llama", "opt")
LIMIT = 19


@pytest.fixture(scope="module")
def bundled() -> Model:
    return attnviz.load("bundled", device="cpu")


def source(model: Model, sentence: str) -> tuple[int, ...]:
    return encode(model.tokenizer, sentence).ids


def tiny(name: str, **changes: Any) -> Model:
    return Model(tiny_models.network(name, **changes))


def generated(model: Model, ids: Any, limit: int, prefix: Any = (), **options: Any) -> list[int]:
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


@pytest.fixture
def drawn() -> Distribution:
    return Distribution(3 * torch.randn(503, generator=torch.Generator().manual_seed(1)))


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
    assert found.cut == pytest.approx(float(drawn.probabilities[~found.kept].sum()), abs=1e-6)


def test_temperature_is_a_power_of_the_probabilities() -> None:
    model = torch.tensor([0.5, 0.3, 0.2])
    power = model**2
    found = shape(Distribution(model.log()), temperature=0.5).probabilities
    torch.testing.assert_close(found, power / power.sum())


def test_top_k_and_top_p_keep_the_likeliest() -> None:
    distribution = Distribution(torch.tensor([0.1, 0.4, 0.2, 0.3]).log())
    assert shape(distribution, top_k=2).kept.tolist() == [False, True, False, True]
    torch.testing.assert_close(shape(distribution, top_k=2).probabilities, torch.tensor([0, 4 / 7, 0, 3 / 7]))
    assert shape(distribution, top_p=0.65).kept.tolist() == [False, True, False, True]
    assert shape(distribution, top_p=0.75).kept.tolist() == [False, True, True, True]
    assert shape(distribution, top_p=0.01).kept.tolist() == [False, True, False, False]  # at least one
    # The temperature comes first: it changes how many tokens reach p.
    assert int(shape(distribution, temperature=0.2, top_p=0.75).kept.sum()) == 1
    assert shape(distribution, top_k=3, top_p=0.7).cut == pytest.approx(0.3)


def test_greedy_leaves_one_token_and_a_beam_leaves_all(drawn: Distribution) -> None:
    best = int(drawn.logits.argmax())
    greedy = Method().shape(drawn)
    assert greedy.kept.nonzero().flatten().tolist() == [best]
    assert greedy.cut == pytest.approx(1 - float(drawn.probabilities[best]))
    assert drawn.rank(best) == 0 and drawn.rank(int(drawn.logits.argmin())) == 502
    assert Method("beam").shape(drawn).kept.all()


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


# The next token -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*PAIRS, *DECODERS])
def test_the_next_token_is_the_networks(name: str) -> None:
    model, ids, prefix = tiny(name), tiny_models.ids(), tiny_models.target_ids(3)
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
    model, ids = tiny(name), tiny_models.ids()
    found = decode(Writer(model, ids), prefix, limit=LIMIT)
    assert list(found.ids) == generated(model, ids, LIMIT, prefix, num_beams=1)
    assert found.given == len(prefix)


@pytest.mark.parametrize("name", [*PAIRS, *DECODERS])
@pytest.mark.parametrize("width", [2, 5])
def test_beam_texts_are_transformers(name: str, width: int) -> None:
    model = tiny(name)
    for seed in range(3):
        ids = tiny_models.ids(seed=seed)
        found = decode(Writer(model, ids), method=Method("beam", width=width), limit=11)
        assert list(found.ids) == generated(model, ids, 11, num_beams=width), seed


@pytest.mark.parametrize("penalty", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("early", [True, False, "never"])
def test_beams_obey_the_checkpoints_settings(penalty: float, early: bool | str) -> None:
    model = tiny("marian")
    model.network.generation_config.update(length_penalty=penalty, early_stopping=early)
    for seed in range(3):
        ids = tiny_models.ids(seed=seed)
        found = decode(Writer(model, ids), (9,), Method("beam", width=3), limit=12)
        assert list(found.ids) == generated(model, ids, 12, (9,), num_beams=3), seed


@pytest.mark.parametrize("sentence", SENTENCES)
def test_the_bundled_model_writes_what_transformers_writes(bundled: Model, sentence: str) -> None:
    ids = source(bundled, sentence)
    writer = Writer(bundled, ids)
    greedy = decode(writer)
    assert list(greedy.ids) == generated(bundled, ids, 128, num_beams=1) and greedy.ended == "end"
    beam = decode(writer, method=Method("beam", width=4))
    assert list(beam.ids) == generated(bundled, ids, 128, num_beams=4)
    assert bundled.tokenizer.decode(greedy.ids, skip_special_tokens=True).strip() == bundled.translate(sentence)


def test_beams_say_what_they_looked_at(bundled: Model) -> None:
    writer = Writer(bundled, source(bundled, SENTENCES[0]))
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
    writer = Writer(bundled, source(bundled, SENTENCES[1]))
    assert decode(writer, method=Method("beam", width=1)).ids == decode(writer).ids


def test_sampling_depends_on_its_seed_and_on_nothing_else(bundled: Model) -> None:
    writer = Writer(bundled, source(bundled, SENTENCES[0]))
    texts = [decode(writer, method=Method("sample", seed=seed)).ids for seed in (1, 2, 3, 1)]
    assert texts[0] == texts[3] and len(set(texts)) == 3
    # A choice that is the drawn token changes nothing of what follows.
    assert decode(writer, texts[0][:3], Method("sample", seed=1)).ids == texts[0]
    assert decode(writer, method=Method("sample", seed=5, top_k=1)).ids == decode(writer).ids


def test_another_choice_is_gone_on_from(bundled: Model) -> None:
    writer = Writer(bundled, source(bundled, SENTENCES[0]))
    whole = decode(writer).ids
    other = int(writer.next(whole[:3]).logits.topk(2).indices[1])
    found = decode(writer, (*whole[:3], other))
    assert found.ids[:4] == (*whole[:3], other) and found.given == 4 and found.ids != whole
    assert found.ended == "end" and decode(writer, found.ids).ids == found.ids


def test_a_text_ends_by_its_end_token_or_by_a_limit(bundled: Model) -> None:
    writer = Writer(bundled, source(bundled, SENTENCES[0]))
    whole = decode(writer)
    assert whole.ended == "end" and whole.ids[-1] in writer.ends
    cut = decode(writer, limit=4)
    assert cut.ids == whole.ids[:4] and cut.ended == "limit"
    endless = Writer(tiny("gpt2"), tiny_models.ids())
    found = decode(endless, limit=10_000)
    # As many as there are positions, and one more that only is predicted.
    assert len(found.ids) == endless.most == tiny_models.POSITIONS - tiny_models.LENGTH + 1
    assert found.ended == "limit"
    beam = decode(writer, method=Method("beam", width=2), limit=4)
    assert len(beam.ids) == 4 and beam.ended == "limit"


def test_the_checkpoints_rules_hold() -> None:
    model = tiny("bart")
    ids = tiny_models.ids()
    free = decode(Writer(model, ids), limit=LIMIT).ids
    model.network.generation_config.update(
        forced_bos_token_id=31, no_repeat_ngram_size=2, bad_words_ids=[[free[0]], [free[1]]], min_length=9
    )
    for method, beams in ((Method(), 1), (Method("beam", width=3), 3)):
        found = decode(Writer(model, ids), method=method, limit=LIMIT).ids
        assert found[0] == 31 and not set(found) & set(free[:2])
        assert list(found) == generated(model, ids, LIMIT, num_beams=beams)


def test_what_cannot_be_a_prefix_is_said(bundled: Model) -> None:
    writer = Writer(bundled, source(bundled, SENTENCES[0]))
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


# Gaps -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def masked() -> Model:
    tokenizer = tokenizers_for_tests.wordpiece()
    return Model(tiny_models.network("bert", vocab_size=len(tokenizer)), tokenizer)


def test_gaps_are_filled_from_left_to_right(masked: Model) -> None:
    ids = source(masked, "the [MASK] saw the [MASK] .")
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
    assert other.written.ids[0] == 9 and other.written.given == 1 and other.written.ended == "gaps"
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
        fill(masked, source(masked, "the dogs"))
    with pytest.raises(InputError, match="17 gaps, and up to 16"):
        fill(masked, source(masked, "[MASK] " * 17))
    with pytest.raises(InputError, match="2 tokens are given for 1 gap"):
        fill(masked, source(masked, "the [MASK]"), given=(9, 9))
    with pytest.raises(InputError, match="greedy or sampling"):
        fill(masked, source(masked, "the [MASK]"), method=Method("beam"))
    with pytest.raises(InputError, match="fills no gaps"):
        fill(tiny("gpt2"), (5, 6))


def test_models_are_told_apart(masked: Model) -> None:
    assert task(masked) == "fill" and task(tiny("gpt2")) == "continue" and task(tiny("t5")) == "translate"
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
        task(tiny("bert"))
    with pytest.raises(InputError, match="Use `gaps.fill`"):
        Writer(masked, (2, 5, 3))


# Steps ----------------------------------------------------------------------------------------------------------------


def walked(model: Model, ids: Any, **options: Any) -> tuple[Steps, Writer]:
    writer = Writer(model, ids)
    written = decode(writer, **options)
    return Steps.of_text(writer, written, Method(), writer.record(written.ids)), writer


@pytest.mark.parametrize("name", [*PAIRS, *DECODERS])
def test_a_row_belongs_to_the_token_that_it_predicts(name: str) -> None:
    steps, writer = walked(tiny(name), tiny_models.ids(), limit=7)
    for place, index in enumerate(steps.written.ids):
        # What the recording says at a step's row is what the writer chose from.
        expected = writer.next(steps.written.ids[:place])
        torch.testing.assert_close(steps.distribution(place).logits, expected.logits, atol=5e-5, rtol=1e-3)
        assert int(steps.allowed(place).logits.argmax()) == index
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
    steps, writer = walked(Model(network), tiny_models.ids(), limit=7)
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
    steps, _ = walked(bundled, source(bundled, SENTENCES[1]))
    assert steps.row_labels == (
        "<s> → >>en<<", ">>en<< → The", "The → dog", "dog → saw", "saw → the", "the → ball", "ball → .", ". → </s>",
    )  # fmt: skip
    map = steps.map("cross", 3)
    assert map.key_labels[-1] == "</s>"
    # Words and hiding change the keys alone: every row stays a step.
    assert map.hide(lambda token: token.special).by_word().weights.shape == (8, 6)
    assert steps.map("encoder", 3).weights.shape == (7, 7)
    assert steps.seen("decoder").weights.sum(axis=1).tolist() == list(range(1, 9))
    assert steps.seen("cross").weights.all()
    with pytest.raises(InputError, match="not 'sideways'"):
        steps.map("sideways", 0)


def test_the_steps_of_gaps_are_the_gaps(masked: Model) -> None:
    ids = source(masked, "the [MASK] saw the [MASK] .")
    filled = fill(masked, ids)
    steps = Steps.of_gaps(filled, Method(), masked.tokenizer)
    assert len(steps) == 2 and steps.own == "encoder"
    assert all(label.startswith("[MASK] → ") for label in steps.row_labels)
    for gap, (recording, position) in enumerate(zip(filled.recordings, filled.positions, strict=True)):
        expected = recording.weights("encoder", layer=2, head=1)[position].numpy()
        np.testing.assert_array_equal(steps.map("encoder", 2, 1).weights[gap], expected)


def test_a_beam_goes_on_with_what_survived(bundled: Model) -> None:
    writer = Writer(bundled, source(bundled, SENTENCES[0]))
    whole = decode(writer).ids
    written = decode(writer, whole[:1], Method("beam", width=3))
    steps = Steps.of_text(writer, written, Method("beam", width=3), writer.record(written.ids))
    assert steps.survivors(0) == {whole[0]}
    assert steps.survivors(1) == set(writer.next(whole[:1]).logits.topk(3).indices.tolist())
    assert all(index in steps.survivors(place) for place, index in enumerate(written.ids))


# Figures --------------------------------------------------------------------------------------------------------------


def test_bars_sum_to_one_and_name_what_was_taken(drawn: Distribution) -> None:
    shaped = shape(drawn, 0.7, 3)
    before, after, kept = drawn.probabilities.numpy(), shaped.probabilities.numpy(), shaped.kept.numpy()
    bars = next_bars(before, after, kept, taken=11, most=5)
    assert [bar.id for bar in bars.bars[:-1]] == drawn.logits.topk(5).indices.tolist()
    assert bars.bars[-1].id == 11 and bars.bars[-1].taken and not bars.bars[-1].kept
    assert (bars.others, bars.left) == (503 - 6, 3)
    assert sum(bar.before for bar in bars.bars) + bars.before == pytest.approx(1, abs=1e-5)
    assert sum(bar.after for bar in bars.bars) + bars.after == pytest.approx(1, abs=1e-5)
    assert bars.after == 0 and bars.cut == pytest.approx(shaped.cut, abs=1e-6)
    few = next_bars(np.array([0.25, 0.75]), np.array([0.0, 1.0]), np.array([False, True]), taken=1)
    assert [bar.id for bar in few.bars] == [1, 0] and few.others == 0 and few.before == 0


@pytest.mark.parametrize(
    ("share", "text"), [(0, "0"), (1e-9, "< 0.1 %"), (0.0123, "1.2 %"), (0.5, "50 %"), (0.9951, "99.5 %"), (1, "100 %")]
)
def test_shares_read_as_percent(share: float, text: str) -> None:
    assert format_percent(share) == text


@pytest.mark.parametrize(
    ("kinds", "layers", "places"),
    [
        (("encoder", "decoder", "cross"), {"encoder": 4, "decoder": 2}, ["encoder", "decoder", "cross"]),
        (("decoder",), {"decoder": 12}, ["decoder"]),
        (("encoder",), {"encoder": 3}, ["encoder"]),
    ],
)
def test_the_drawing_has_the_places_that_the_model_has(
    kinds: tuple[str, ...], layers: dict[str, int | None], places: list[str]
) -> None:
    drawing = draw_architecture(kinds, layers)
    assert [block.kind for block in drawing.blocks if block.kind] == places
    named = [label.text for label in drawing.labels]
    assert all(f"{count} layers" in named for count in layers.values())
    assert ("next token" in named) == ("decoder" in kinds)
    for block in (*drawing.blocks, *drawing.frames):
        assert block.x >= 0 and block.x + block.width <= drawing.width
        assert block.y >= 0 and block.y + block.height <= drawing.height
    points = [point for line in drawing.lines for point in line.points]
    assert all(0 <= x <= drawing.width and 0 <= y <= drawing.height for x, y in points)
