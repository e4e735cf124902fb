"""Model: from a text or ids to a recording, and what is said where that cannot be."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from support import tiny_models as tiny
from support.tiny_tokenizers import gpt2, unigram, wordpiece
from tokenizers import Tokenizer, normalizers, pre_tokenizers
from tokenizers import models as tokenizer_models
from torch import Tensor, nn
from transformers import PreTrainedTokenizerFast

from attnviz import Model, Recording
from attnviz.errors import (
    AttnvizError,
    EmptyError,
    InputError,
    MemoryShortError,
    NoTokenizerError,
    TooLongError,
)
from attnviz.models import recorder
from attnviz.models import recording as recording_module

TEXT, OTHER = "Der Hund sah den Ball.", "The dogs bark."


@functools.cache
def bert() -> Model:
    return Model(tiny.network("bert", vocab_size=len(wordpiece()), pad_token_id=0), wordpiece(), name="tiny-bert")


@functools.cache
def gpt() -> Model:
    return Model(tiny.network("gpt2", vocab_size=len(gpt2())), gpt2())


@functools.cache
def t5() -> Model:
    return Model(tiny.network("t5", vocab_size=len(unigram()), eos_token_id=1), unigram(), name="tiny-t5")


def multilingual(tokens: tuple[str, ...] = (">>en<<", ">>de<<")) -> PreTrainedTokenizerFast:
    """A tokenizer with further special tokens, which it does not list among those with a role."""
    state = Tokenizer.from_str(unigram().backend_tokenizer.to_str())
    state.add_special_tokens(list(tokens))
    return PreTrainedTokenizerFast(tokenizer_object=state, unk_token="<unk>", pad_token="<pad>", eos_token="</s>")


def translator(tokenizer: Any, first: str | None) -> Model:
    """A network that writes the token `first`, if any, and that is made to end at the last token it may write."""
    network = tiny.network(
        "marian",
        vocab_size=len(tokenizer),
        decoder_start_token_id=0,
        eos_token_id=1,
        forced_eos_token_id=1,
        pad_token_id=0,
    )
    if first is not None:
        network.final_logits_bias[0, tokenizer.convert_tokens_to_ids(first)] = 1e4
    return Model(network, tokenizer)


def same_weights(found: Recording, kind: str, expected: tuple[Tensor, ...]) -> bool:
    """Whether every layer of a kind has the weights that a network gave in a batch of one."""
    assert found.size(kind)[0] == len(expected)
    pairs = [(found.weights(kind, layer=layer), item[0]) for layer, item in enumerate(expected)]
    return all(a.shape == b.shape and float((a - b).abs().max()) <= 1e-5 for a, b in pairs)


def eager_twin(name: str, **changes: Any) -> Any:
    return tiny.network(name, attention="eager", **changes)


def query_ids(found: Recording, kind: str) -> list[int]:
    return [token.id for token in found.query_tokens(kind)]


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
# Targets


def test_without_a_target_the_decoder_reads_the_models_own_greedy_output() -> None:
    found = t5().record(TEXT)
    ids = unigram()(TEXT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        output = (
            t5().network.generate(ids, do_sample=False, num_beams=1, max_new_tokens=recorder.MAX_NEW_TOKENS)[0].tolist()
        )
    assert len(output) > 3
    assert query_ids(found, "decoder") == output[:-1]
    assert found.logits is not None
    # Its logits say the same: the highest at each place is the token after it.
    assert found.logits.argmax(dim=-1).tolist() == output[1:]
    with torch.no_grad():
        twin = eager_twin("t5", vocab_size=len(unigram()), eos_token_id=1)
        expected = twin(ids, decoder_input_ids=torch.tensor([output[:-1]]), output_attentions=True)
    assert same_weights(found, "encoder", expected.encoder_attentions)
    assert same_weights(found, "decoder", expected.decoder_attentions)
    assert same_weights(found, "cross", expected.cross_attentions)


def test_a_given_target_is_read_behind_the_start_token_and_without_its_end() -> None:
    found = t5().record(TEXT, target=OTHER)
    target = unigram()(text_target=OTHER)["input_ids"]
    assert target[-1] == 1
    assert query_ids(found, "decoder") == [0, *target[:-1]]
    assert found.query_tokens("cross") == found.query_tokens("decoder")
    assert "".join(token.text for token in found.query_tokens("decoder")[1:]) == OTHER
    with torch.no_grad():
        twin = eager_twin("t5", vocab_size=len(unigram()), eos_token_id=1)
        ids = torch.tensor([unigram()(TEXT)["input_ids"]])
        expected = twin(ids, decoder_input_ids=torch.tensor([[0, *target[:-1]]]), output_attentions=True)
    assert same_weights(found, "decoder", expected.decoder_attentions)
    assert same_weights(found, "cross", expected.cross_attentions)


def test_a_target_is_shown_as_it_was_typed() -> None:
    typed = "☃ ﬁnden  ½"
    shown = t5().record(TEXT, target=typed).query_tokens("cross")[1:]
    assert "☃" in [token.text.strip() for token in shown], "the unknown token stands for what was typed"
    assert all(token.text == typed[token.start : token.end] for token in shown)


@pytest.mark.parametrize("target", ["", "  "])
def test_an_empty_target_is_none(target: str) -> None:
    assert query_ids(t5().record(TEXT, target=target), "decoder") == query_ids(t5().record(TEXT), "decoder")


def test_a_language_token_goes_before_a_given_target_as_the_model_itself_puts_it() -> None:
    tokenizer = multilingual()
    german = tokenizer.convert_tokens_to_ids(">>de<<")
    assert german not in tokenizer.all_special_ids, "as with the bundled tokenizer"
    found = translator(tokenizer, ">>de<<").record(TEXT, target=OTHER)
    words = tokenizer(OTHER)["input_ids"]
    assert query_ids(found, "decoder") == [0, german, *words[:-1]]
    first, second = found.query_tokens("decoder")[:2]
    assert first.special and second.special and second.text == ">>de<<"


def test_a_language_that_the_target_names_itself_stays() -> None:
    tokenizer = multilingual()
    model = translator(tokenizer, ">>de<<")
    english = tokenizer.convert_tokens_to_ids(">>en<<")
    with counted(model.network.get_decoder()) as passes:
        assert model.kinds
        before = len(passes)
        found = model.record(TEXT, target=f">>en<<{OTHER}")
        assert query_ids(found, "decoder")[:2] == [0, english]
        assert query_ids(found, "decoder").count(english) == 1
        assert len(passes) == before + 1, "there was nothing to ask the model for"


def test_no_token_goes_before_a_target_where_the_model_puts_none() -> None:
    words = multilingual()(OTHER)["input_ids"][:-1]
    assert query_ids(translator(multilingual(), None).record(TEXT, target=OTHER), "decoder") == [0, *words]
    # A model that fills gaps writes a sentinel first; a sentence that was given has no gap.
    tokenizer = multilingual(("<extra_id_0>", "<extra_id_1>"))
    found = translator(tokenizer, "<extra_id_0>").record(TEXT, target=OTHER)
    assert query_ids(found, "decoder") == [0, *words]


class Asking(PreTrainedTokenizerFast):
    """As M2M100's does: it has to be told the target's language."""

    def _switch_to_target_mode(self) -> None:
        raise KeyError(None)


def test_a_target_in_a_language_that_nobody_named() -> None:
    tokenizer = Asking(
        tokenizer_object=unigram().backend_tokenizer, unk_token="<unk>", pad_token="<pad>", eos_token="</s>"
    )
    model = Model(tiny.network("t5", vocab_size=len(tokenizer), eos_token_id=1), tokenizer)
    assert model.record(TEXT).size("cross")[3] > 3
    with pytest.raises(
        InputError, match="T5ForConditionalGeneration writes many languages, .* Set `model.tokenizer.tgt_lang`"
    ):
        model.record(TEXT, target=OTHER)


@pytest.mark.parametrize("limit", [1, 4])
def test_greedy_output_stops_at_a_given_limit(limit: int) -> None:
    model = translator(unigram(), None)
    model.network.final_logits_bias[0, 1] = -1e4  # it never ends by itself
    model.network.generation_config.forced_eos_token_id = None
    assert model.record(TEXT, generate=limit).size("decoder")[2] == limit


def test_greedy_output_that_finds_no_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    endless = Model(tiny.network("t5", vocab_size=len(unigram()), eos_token_id=1), unigram())
    endless.network.generation_config.eos_token_id = None
    monkeypatch.setattr(recorder, "MAX_NEW_TOKENS", 11)
    assert endless.record(TEXT).size("cross")[2] == 11
    # And before that where the decoder's table of positions ends.
    short = translator(unigram(), None)
    short.network.generation_config.eos_token_id = short.network.generation_config.forced_eos_token_id = None
    monkeypatch.setattr(recorder, "MAX_NEW_TOKENS", 1000)
    assert tiny.POSITIONS - 2 <= short.record(TEXT).size("cross")[2] <= tiny.POSITIONS


def test_a_limit_of_the_checkpoint_neither_cuts_the_output_nor_is_warned_about(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    for level in ("warning", "warning_once"):
        monkeypatch.setattr(transformers.generation.utils.logger, level, lambda text, *_: said.append(text))
    for model in (Model(t5().network, unigram()), Model(gpt().network, gpt2())):
        monkeypatch.setattr(model.network.generation_config, "eos_token_id", None)
        monkeypatch.setattr(model.network.generation_config, "max_length", 3)
        before = 0 if model.kinds[0] == "encoder" else len(gpt2()(TEXT)["input_ids"])
        assert model.record(TEXT, generate=7).size("decoder")[2] == before + 7
    assert not [text for text in said if "max_length" in text]


@pytest.mark.parametrize("name", ["nllb_moe", "bigbird_pegasus"])
def test_greedy_output_of_a_network_with_attention_of_its_own(name: str) -> None:
    network = tiny.network(name)
    found = Model(network).record_ids(tiny.ids())
    ids = torch.tensor([tiny.ids()])
    with torch.no_grad():
        output = network.generate(ids, do_sample=False, num_beams=1, max_new_tokens=tiny.POSITIONS - 1)[0].tolist()
    assert query_ids(found, "cross") == output[:-1]
    expected = tiny.eager(name, {"ids": tiny.ids(), "target_ids": output[:-1]})
    for kind, maps in expected.maps.items():
        assert same_weights(found, kind, tuple(item[None] for item in maps))


def test_an_encoder_decoder_of_two_networks_with_tables_of_their_own() -> None:
    """Vocabularies, positions and widths of the two differ, as where a BERT reads and a GPT-2 writes."""
    encoder = transformers.BertConfig(**tiny._BERT, vocab_size=61)
    decoder = transformers.GPT2Config(
        n_embd=28, n_layer=2, n_head=7, n_positions=31, vocab_size=89, bos_token_id=0, eos_token_id=0, is_decoder=True,
        add_cross_attention=True,
    )  # fmt: skip
    config = transformers.EncoderDecoderConfig(
        encoder=encoder.to_dict(), decoder=decoder.to_dict(), decoder_start_token_id=0, pad_token_id=0
    )
    network = transformers.EncoderDecoderModel(config)
    tiny.draw(network)
    model = Model(network)
    ids, targets = tiny.ids(47, stop=61), tiny.ids(31, seed=1, start=60, stop=89)
    found = model.record_ids(ids, targets)
    assert found.size("encoder") == (3, 5, 47, 47) and found.size("cross") == (2, 7, 31, 47)
    with pytest.raises(InputError, match=r"`ids` holds 61; .* ids from 0 to 60\."):
        model.record_ids([61])
    with pytest.raises(InputError, match=r"`target_ids` holds 89; .* ids from 0 to 88\."):
        model.record_ids([5], [89])
    with pytest.raises(TooLongError, match="The text has 48 tokens, and EncoderDecoderModel has positions for 47"):
        model.record_ids([5] * 48, targets)
    with pytest.raises(TooLongError, match="The target has 32 tokens, and EncoderDecoderModel has positions for 31"):
        model.record_ids(ids, [5] * 32)


def test_a_decoder_with_a_vocabulary_of_its_own() -> None:
    network = tiny.network("marian", vocab_size=101, decoder_vocab_size=37, share_encoder_decoder_embeddings=False)
    found = Model(network).record_ids([100, 50, 7], [36, 5])
    assert found.by_capture and found.size("cross")[2:] == (2, 3)
    with pytest.raises(InputError, match=r"`target_ids` holds 37; .* 0 to 36"):
        Model(network).record_ids([100], [37])


def test_a_target_for_a_network_without_a_decoder_of_its_own() -> None:
    with pytest.raises(
        InputError, match=r"tiny-bert has no decoder beside an encoder, so it takes no target sentence\."
    ):
        bert().record(TEXT, target=OTHER)
    with pytest.raises(InputError, match="GPT2LMHeadModel has no decoder beside an encoder, so it takes no target"):
        gpt().record_ids([5, 6], [7])


def test_an_encoder_decoder_without_a_language_head() -> None:
    headless = Model(transformers.T5Model(tiny.network("t5").config))
    found = headless.record_ids(tiny.ids(), tiny.target_ids())
    assert found.size("cross")[2:] == (tiny.TARGET_LENGTH, tiny.LENGTH) and found.logits is None
    found = headless.record_ids(tiny.ids())
    assert found.weights("encoder", layer=0).shape[0] == tiny.HEADS
    for _ in range(2):
        with pytest.raises(
            InputError, match="T5Model has no language head, so it has no output of its own. Pass a target"
        ):
            found.weights("cross", layer=0)


def test_a_target_for_a_network_that_cannot_be_asked_for_a_language() -> None:
    tokenizer = multilingual()
    network = transformers.MarianModel(translator(tokenizer, None).network.config)
    words = tokenizer(OTHER)["input_ids"][:-1]
    assert query_ids(Model(network, tokenizer).record(TEXT, target=OTHER), "cross") == [0, *words]


def test_half_of_an_encoder_decoder_is_an_encoder() -> None:
    alone = Model(transformers.T5EncoderModel(tiny.network("t5").config))
    found = alone.record_ids(tiny.ids())
    assert found.kinds == ("encoder",) and found.logits is None


def test_translate_is_the_greedy_output_as_text() -> None:
    ids = unigram()(TEXT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        output = t5().network.generate(ids, do_sample=False, num_beams=1, max_new_tokens=6)[0]
    assert t5().translate(TEXT, max_new_tokens=6) == unigram().decode(output, skip_special_tokens=True).strip()
    with pytest.raises(InputError, match="tiny-bert has no encoder and decoder, so it does not translate"):
        bert().translate(TEXT)


# ---------------------------------------------------------------------------------------------------------------------
# Generated text


@contextlib.contextmanager
def counted(module: nn.Module) -> Iterator[list[int]]:
    passes: list[int] = []
    handle = module.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        yield passes
    finally:
        handle.remove()


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
