"""Targets of an encoder-decoder: the model's own greedy output, a given text, and the language that it is in."""

from __future__ import annotations

import pytest
import torch
import transformers
from support import tiny_models as tiny
from support.recordings import count_passes
from support.tiny_tokenizers import gpt2, unigram
from support.written_models import (
    OTHER,
    TEXT,
    bert,
    eager_twin,
    gpt,
    multilingual,
    query_ids,
    same_weights,
    t5,
    translator,
)
from transformers import PreTrainedTokenizerFast

from attnviz import Model
from attnviz.errors import (
    InputError,
    TooLongError,
)
from attnviz.models.recording import recorder

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
    with count_passes(model.network.get_decoder()) as passes:
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
