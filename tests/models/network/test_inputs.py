"""What a model takes: ids in any form, padding, as many tokens as it has positions and no more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from support import tiny_models as tiny
from support.tiny_tokenizers import unigram
from support.written_models import TEXT, bert, gpt, query_ids, t5, translator

from attnviz import Model
from attnviz.errors import (
    EmptyError,
    InputError,
    NoTokenizerError,
    TooLongError,
)

# ---------------------------------------------------------------------------------------------------------------------
# Lengths

ROOM = {
    "bert": 47, "roberta": 45, "electra": 47, "albert": 47, "distilbert": 47, "gpt2": 47, "opt": 47, "gptj": 47,
    "deberta_v2": 47, "bart": 47, "marian": 47, "bigbird_pegasus": 47,
}  # fmt: skip


ENDLESS = ["llama", "gpt_neox", "modernbert", "t5", "m2m_100", "bloom"]


@pytest.mark.parametrize("name", ROOM)
def test_what_fits_is_recorded_and_one_token_more_is_refused_by_number(name: str) -> None:
    room = ROOM[name]
    model = Model(tiny.network(name), name="this-model")
    assert model.max_tokens == room
    targets = {"target_ids": tiny.target_ids()} if name in tiny.ENCODER_DECODERS else {}
    found = model.record_ids(tiny.ids(room), **targets)
    assert found.size(found.kinds[-1])[3] == room
    said = (
        rf"The text has {room + 1} tokens, and this-model has positions for {room}\. Shorten it by 1 token, or choose"
    )
    with pytest.raises(TooLongError, match=said):
        model.record_ids(tiny.ids(room + 1), **targets)
    with pytest.raises(TooLongError, match=r"The text has 1,047 tokens, .* Shorten it by 1,00[02] tokens"):
        model.record_ids(tiny.ids(1047), **targets)


@pytest.mark.parametrize("name", ENDLESS)
def test_positions_without_an_end_take_any_length(name: str) -> None:
    model = Model(tiny.network(name))
    assert model.max_tokens is None
    given = tiny.inputs(name, 2 * tiny.POSITIONS, 3 * tiny.POSITIONS)
    found = model.record_ids(**given)
    assert found.size(found.kinds[-1])[3] >= 2 * tiny.POSITIONS
    assert found.weights(found.kinds[-1], layer=0, head=0).isfinite().all()


@pytest.mark.parametrize("name", ["bart", "marian", "bigbird_pegasus"])
def test_a_target_that_is_too_long_is_refused_at_once(name: str) -> None:
    model = Model(tiny.network(name))
    assert model.record_ids([5, 6], tiny.target_ids(47)).size("decoder")[2] == 47
    with pytest.raises(TooLongError, match=r"The target has 48 tokens, and \w+ has positions for 47\."):
        model.record_ids([5, 6], tiny.target_ids(48))


def test_a_limit_that_is_in_no_table_is_said_when_the_network_meets_it() -> None:
    config = transformers.MptConfig(d_model=30, n_heads=5, n_layers=2, max_seq_len=19, vocab_size=tiny.VOCABULARY)
    model = Model(transformers.MptForCausalLM(config))
    assert model.record_ids(tiny.ids(19)).size("decoder")[2] == 19
    with pytest.raises(TooLongError, match=r"The text has 23 tokens, and MptForCausalLM has positions for 19\."):
        model.record_ids(tiny.ids(23))


def test_a_long_text_says_how_long_it_is_in_tokens() -> None:
    with pytest.raises(TooLongError, match=r"The text has \d,\d{3} tokens, and tiny-bert has positions for 47"):
        bert().record(TEXT * 400)
    with pytest.raises(
        TooLongError, match="The text with what is generated has 50 tokens, and GPT2LMHeadModel has .* 47"
    ):
        gpt().record_ids(tiny.ids(40), generate=10)
    with pytest.raises(TooLongError, match=r"The text has \d+ tokens, and MarianMTModel has positions for 47"):
        translator(unigram(), None).translate(TEXT * 20)
    with pytest.raises(TooLongError, match=r"The target has \d+ tokens, and MarianMTModel has positions for 47"):
        translator(unigram(), None).record(TEXT, target=TEXT * 20)


# ---------------------------------------------------------------------------------------------------------------------
# Ids


@pytest.mark.parametrize(
    "make",
    [tuple, np.array, lambda ids: np.array(ids, dtype=np.uint8), torch.tensor, lambda ids: torch.tensor(ids).int()],
    ids=["tuple", "array", "bytes", "tensor", "int32"],
)
def test_ids_in_any_form(make: Callable[[list[int]], Any]) -> None:
    found = gpt().record_ids(make([5, 7, 11]))
    assert query_ids(found, "decoder") == [5, 7, 11]


@pytest.mark.parametrize(
    ("ids", "text"),
    [
        ([[5, 7]], r"has to be integers of shape \(sequence,\), not torch\.int64 of shape \(1, 2\)\."),
        (5, r"has to be integers of shape \(sequence,\), not torch\.int64 of shape \(\)\."),
        ([5.0, 7.0], r"has to be integers of shape \(sequence,\), not torch\.float32 of shape \(2,\)\."),
        ([True, False], r"has to be integers of shape \(sequence,\), not torch\.bool of shape \(2,\)\."),
        ([1j], r"has to be integers .* not torch\.complex64"),
        ("a text", r"has to be integers of shape \(sequence,\), not 'a text'\."),
        (["a", "b"], r"has to be integers of shape \(sequence,\), not \['a', 'b'\]\."),
        ([[5], [7, 11]], r"has to be integers of shape \(sequence,\), not \[\[5\], \[7, 11\]\]\."),
        ([2**70], r"has to be integers of shape \(sequence,\), not \[\d+\.*\d+\]\."),
        ({"input_ids": [5]}, r"has to be integers of shape \(sequence,\), not \{'input_ids': \[5\]\}\."),
        ([], r"holds no token\. Pass at least one vocabulary id\."),
        ([5, -1], r"holds -1; the vocabulary of tiny-t5 has ids from 0 to \d+\."),
        ([5, 100_000], r"holds 100000; the vocabulary of tiny-t5 has ids from 0 to \d+\."),
    ],
)
def test_ids_that_cannot_be_used(ids: Any, text: str) -> None:
    with pytest.raises(InputError, match=f"^`ids` {text}"):
        t5().record_ids(ids)
    with pytest.raises(InputError, match=f"^`target_ids` {text}"):
        t5().record_ids([5, 7], ids)


@pytest.mark.parametrize("name", ["bert", "phi3", "t5", "bart", "splinter", "deberta_v2"])
def test_padding_at_either_end_never_shows(name: str) -> None:
    network = tiny.network(name)
    pad, start = network.config.pad_token_id, getattr(network.config, "decoder_start_token_id", None)
    model = Model(network)
    given = tiny.inputs(name)
    bare = model.record_ids(**given)
    for ids in ([pad] * 3 + given["ids"], given["ids"] + [pad] * 5, [pad] + given["ids"] + [pad] * 2):
        found = model.record_ids(**given | {"ids": ids})
        assert query_ids(found, bare.kinds[0]) == given["ids"]
        for kind in bare.kinds:
            assert torch.equal(found.weights(kind, layer=1), bare.weights(kind, layer=1))
    middle = given["ids"][:4] + [pad] + given["ids"][4:]
    assert model.record_ids(**given | {"ids": middle}).size(bare.kinds[0])[2] == tiny.LENGTH + 1
    with pytest.raises(EmptyError, match=rf"`ids` holds nothing but padding \({pad}\)\."):
        model.record_ids(**given | {"ids": [pad] * 3})
    if start is not None:
        padded = model.record_ids(given["ids"], [start, *given["target_ids"], pad, pad])
        assert query_ids(padded, "decoder") == [start, *given["target_ids"]], "T5 starts with its padding, too"
        assert query_ids(model.record_ids(given["ids"], [start]), "decoder") == [start]


def test_an_id_that_is_padding_and_something_else_is_kept() -> None:
    network = tiny.network("gpt2", pad_token_id=0)
    assert network.config.eos_token_id == 0
    assert query_ids(Model(network).record_ids([0, 5, 0]), "decoder") == [0, 5, 0]


# ---------------------------------------------------------------------------------------------------------------------
# Many texts at once


def test_of_many_texts_those_that_cannot_be_read_are_none() -> None:
    model = t5()
    texts = ["den", " ", "Der Hund bellt."]
    read = model.inputs.encode_many(texts)
    assert read == [model.inputs.encode("den"), None, model.inputs.encode("Der Hund bellt.")]
    targets = model.inputs.encode_many(texts, target=True)
    assert targets == [model.inputs.encode_target("den"), None, model.inputs.encode_target("Der Hund bellt.")]
    limited = Model(model.network, model.tokenizer).inputs
    limited.most_characters = 5
    assert [encoding is None for encoding in limited.encode_many(texts)] == [False, True, True]


def test_many_texts_say_what_a_model_lacks() -> None:
    with pytest.raises(NoTokenizerError, match="has no tokenizer"):
        Model(tiny.network("bert")).inputs.encode_many(["den"])
    with pytest.raises(InputError, match="takes no target"):
        bert().inputs.encode_many(["den"], target=True)
    assert bert().inputs.encode_many(["", ""], target=True) == [None, None]
