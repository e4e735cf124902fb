"""Model: from a text or ids to a recording, and what is said where that cannot be."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
import transformers
from support import tiny_models as tiny
from support.tiny_tokenizers import gpt2, wordpiece
from support.written_models import OTHER, TEXT, bert, eager_twin, gpt, query_ids, same_weights, t5
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers import models as tokenizer_models
from torch import nn
from transformers import PreTrainedTokenizerFast

from attnviz import Model
from attnviz.errors import (
    AttnvizError,
    EmptyError,
    InputError,
    MemoryShortError,
    NoTokenizerError,
    TooLongError,
)
from attnviz.models.recording import recording as recording_module

# ---------------------------------------------------------------------------------------------------------------------
# Texts


def test_a_text_is_read_as_its_tokenizer_reads_it() -> None:
    found = bert().record(TEXT)
    assert [token.text for token in found.query_tokens("encoder")][:4] == ["[CLS]", "Der", "Hu", "nd"]
    encoding = wordpiece()(TEXT, return_tensors="pt")
    assert query_ids(found, "encoder") == encoding["input_ids"][0].tolist()
    with torch.no_grad():
        expected = eager_twin("bert", vocab_size=len(wordpiece()))(**encoding, output_attentions=True)
    assert same_weights(found, "encoder", expected.attentions)
    assert found.logits is not None
    torch.testing.assert_close(found.logits, expected.logits[0], atol=1e-4, rtol=0.0)
    assert found.model == "tiny-bert"


def test_a_pair_is_read_with_the_sentence_that_each_token_belongs_to() -> None:
    found = bert().record(TEXT, pair=OTHER)
    encoding = wordpiece()(TEXT, OTHER, return_tensors="pt")
    assert encoding["token_type_ids"].sum() > 2
    twin = eager_twin("bert", vocab_size=len(wordpiece()))
    with torch.no_grad():
        expected = twin(**encoding, output_attentions=True).attentions
        without = twin(encoding["input_ids"], output_attentions=True).attentions
    assert same_weights(found, "encoder", expected)
    assert not same_weights(found, "encoder", without), "else this test shows nothing"
    assert [token.text for token in found.query_tokens("encoder")].count("[SEP]") == 2


@pytest.mark.parametrize("name", ["distilbert", "modernbert"])
def test_a_network_that_knows_no_sentence_types_takes_a_tokenizer_that_gives_them(name: str) -> None:
    network = tiny.network(name, vocab_size=len(wordpiece()), pad_token_id=0)
    found = Model(network, wordpiece()).record(TEXT)
    with torch.no_grad():
        twin = eager_twin(name, vocab_size=len(wordpiece()), pad_token_id=0)
        expected = twin(wordpiece()(TEXT, return_tensors="pt")["input_ids"], output_attentions=True)
    assert same_weights(found, "encoder", expected.attentions)


@pytest.mark.parametrize("text", ["", " ", "\n\t ", "\u3000"])
def test_an_empty_sentence(text: str) -> None:
    for model in (bert(), t5()):
        with pytest.raises(EmptyError, match=r"There is no sentence yet\. Type one: a few words are enough\."):
            model.record(text)
    with pytest.raises(EmptyError, match="There is no sentence yet"):
        bert().record(TEXT, pair=text)
    with pytest.raises(EmptyError, match="There is no sentence yet"):
        t5().translate(text)


def test_a_text_of_which_the_tokenizer_makes_nothing() -> None:
    tokenizer = Tokenizer(tokenizer_models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    tokenizer.normalizer = normalizers.BertNormalizer(clean_text=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    model = Model(tiny.network("gpt2"), PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="?"))
    assert model.record("a a").size("decoder")[2] == 2
    with pytest.raises(EmptyError, match="The tokenizer makes no tokens of this text"):
        model.record("\x07")


def test_a_tokenizer_with_more_ids_than_the_network_has() -> None:
    model = Model(tiny.network("gpt2", vocab_size=len(gpt2()) - 7), gpt2())
    assert model.record("The dogs").kinds == ("decoder",)
    last = gpt2().decode([len(gpt2()) - 1])
    assert gpt2()(last)["input_ids"] == [len(gpt2()) - 1]
    with pytest.raises(
        InputError, match=rf"`text` holds {len(gpt2()) - 1}; the vocabulary of GPT2LMHeadModel has ids from 0"
    ):
        model.record(last)


@pytest.mark.parametrize("text", ["😀 学生 <img src=x onerror=alert(1)>", "a\x00b", "\ud83d half a pair", "ö" * 40])
def test_texts_out_of_the_ordinary(text: str) -> None:
    found = gpt().record(text[:20])
    assert found.size("decoder")[2] == len(found.query_tokens("decoder")) > 0
    assert bert().record(text[:20]).weights("encoder", layer=0, head=0).isfinite().all()


def test_text_without_a_tokenizer() -> None:
    with pytest.raises(
        NoTokenizerError, match=r"BertForMaskedLM has no tokenizer, so it cannot read text\. .*record_ids"
    ):
        Model(tiny.network("bert")).record(TEXT)
    with pytest.raises(NoTokenizerError, match="T5ForConditionalGeneration has no tokenizer"):
        Model(tiny.network("t5")).translate(TEXT)


# ---------------------------------------------------------------------------------------------------------------------
# Generated text


def test_generated_tokens_are_recorded_with_the_text() -> None:
    found = gpt().record("The dogs", generate=5)
    ids = gpt2()("The dogs", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        output = gpt().network.generate(ids, do_sample=False, max_new_tokens=5)
        expected = eager_twin("gpt2", vocab_size=len(gpt2()))(output, output_attentions=True)
    assert output.shape[1] == ids.shape[1] + 5
    assert query_ids(found, "decoder") == output[0].tolist()
    assert same_weights(found, "decoder", expected.attentions)
    assert [token.text for token in found.query_tokens("decoder")][:2] == ["The", " dogs"]


def test_generation_ends_where_the_model_ends() -> None:
    free = query_ids(gpt().record("The dogs", generate=5), "decoder")
    model = Model(tiny.network("gpt2", vocab_size=len(gpt2())), gpt2())
    count = len(gpt2()("The dogs")["input_ids"])
    model.network.generation_config.eos_token_id = free[count]
    assert query_ids(model.record("The dogs", generate=5), "decoder") == free[: count + 1]


def test_generating_nothing_is_recording_the_text() -> None:
    assert query_ids(gpt().record("The dogs", generate=0), "decoder") == gpt2()("The dogs")["input_ids"]


def test_ids_can_be_continued_too() -> None:
    assert gpt().record_ids([5, 7, 11], generate=4).size("decoder")[2] == 7


@pytest.mark.parametrize("number", [-1, 2.5, "3"])
def test_a_number_of_tokens_that_is_none(number: Any) -> None:
    for model in (gpt(), t5(), bert()):
        with pytest.raises(InputError, match=rf"`generate` is a number of tokens, 0 or more, not {number!r}\."):
            model.record(TEXT, generate=number)


def test_generating_with_a_network_that_cannot() -> None:
    text = r"does not generate text\. Leave out `generate`, or choose a decoder such as GPT-2\."
    with pytest.raises(InputError, match=rf"tiny-bert {text}"):
        bert().record(TEXT, generate=3)
    with pytest.raises(InputError, match=rf"GPT2Model {text}"):
        Model(transformers.GPT2Model(tiny.network("gpt2").config)).record_ids([5, 6], generate=3)


# ---------------------------------------------------------------------------------------------------------------------
# Memory


SHORT = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    torch.OutOfMemoryError("whatever it says"),
    MemoryError(),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory: you tried to allocate"
    ),
    RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 34359738368 bytes."),
    RuntimeError("MPS backend out of memory (MPS allocated: 17.95 GB, max allowed: 18.13 GB)."),
]


SAID = (
    r"does not fit into the memory of cpu with this input\. Shorten the text, choose a smaller model, or load it with"
)


@contextlib.contextmanager
def failing(module: nn.Module, error: Exception) -> Iterator[None]:
    def fail(*_: Any) -> None:
        raise error

    handle = module.register_forward_pre_hook(fail)
    try:
        yield
    finally:
        handle.remove()


@pytest.mark.parametrize("error", SHORT, ids=range(len(SHORT)))
@pytest.mark.parametrize("name", ["gpt2", "bloom", "t5"])
def test_running_out_of_memory_is_said_and_the_model_works_again(name: str, error: Exception) -> None:
    network = tiny.network(name)
    model, given = Model(network), tiny.inputs(name)
    last = [module for module in network.modules() if isinstance(module, nn.Dropout | nn.LayerNorm)][-1]
    with failing(last, error), pytest.raises(MemoryShortError, match=f"{type(network).__name__} {SAID}"):
        model.record_ids(**given)
    expected = model.record_ids(**given)
    assert expected.by_capture is (name != "bloom"), "the failed trial decided nothing"
    assert expected.logits is not None
    with failing(last, error), pytest.raises(MemoryShortError, match=SAID):
        _ = model.record_ids(**given).logits
    again = model.record_ids(**given)
    assert again.logits is not None and torch.equal(again.logits, expected.logits)


def test_running_out_of_memory_in_the_last_step_of_the_trial_decides_nothing() -> None:
    network, passes = tiny.network("gpt2"), []

    def fail(*_: Any) -> None:
        passes.append(1)
        if len(passes) == 3:  # the network as it is, its eager attention, and then the capture
            raise SHORT[0]

    handle = network.lm_head.register_forward_pre_hook(fail)
    with pytest.raises(MemoryShortError, match=SAID):
        Model(network).record_ids(tiny.ids())
    handle.remove()
    assert len(passes) == 3
    assert Model(network).record_ids(tiny.ids()).by_capture


def test_running_out_of_memory_while_generating() -> None:
    for model in (gpt(), t5()):
        assert model.kinds
        with failing(model.network.lm_head, SHORT[0]), pytest.raises(MemoryShortError, match=SAID):
            model.record(TEXT, generate=3).size("decoder")


def test_maps_that_do_not_fit_say_what_does(monkeypatch: pytest.MonkeyPatch) -> None:
    found = gpt().record("The dogs bark.")

    def full(*_: Any, **__: Any) -> None:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")

    queries = found.size("decoder")[2]
    monkeypatch.setattr(recording_module.torch, "empty", full)
    with pytest.raises(MemoryShortError, match=rf"The weights of 5 heads for {queries} queries .* GB.*`pooled`"):
        found.weights("decoder", layer=0)


def test_other_errors_of_a_network_are_not_dressed_up() -> None:
    model = Model(tiny.network("gpt2"))
    assert model.kinds
    with failing(model.network.lm_head, RuntimeError("a bug")), pytest.raises(RuntimeError, match="^a bug$"):
        model.record_ids([5, 6])


# ---------------------------------------------------------------------------------------------------------------------
# The model itself


def test_a_model_says_what_it_is() -> None:
    network = tiny.network("bert").train()
    model = Model(network, revision="abc")
    assert not network.training
    assert (model.name, model.revision, model.tokenizer) == ("BertForMaskedLM", "abc", None)
    assert model.device == torch.device("cpu") and model.dtype == torch.float32
    assert Model(tiny.network("bert").bfloat16()).dtype == torch.bfloat16
    assert repr(bert()) == "Model('tiny-bert', BertForMaskedLM, device='cpu')"
    assert (bert().kinds, gpt().kinds, t5().kinds) == (("encoder",), ("decoder",), ("encoder", "decoder", "cross"))


def test_every_error_is_an_attnviz_error_and_wrong_input_a_value_error() -> None:
    assert issubclass(TooLongError, InputError) and issubclass(InputError, ValueError)
    assert issubclass(InputError, AttnvizError) and issubclass(MemoryShortError, AttnvizError)
    assert not issubclass(MemoryShortError, ValueError)
