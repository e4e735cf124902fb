"""What the configuration says and what the tokenizer says: padding, special tokens, positions, what was typed."""

from __future__ import annotations

import warnings

import pytest
import torch
from support import tiny_models as tiny
from support.bundled import bundled_model
from support.tiny_tokenizers import gpt2, wordlevel
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from attnviz import Model
from attnviz.errors import InputError, NoAttentionError
from attnviz.export import Picture, read, to_svg
from attnviz.figures import draw_head
from attnviz.tokenization.token import labels

NAMES = ["[UNK]", "[PAD]", "<s>", "the", "dog", "sees", "a", "cat"]


def words(**roles: str) -> PreTrainedTokenizerFast:
    core = Tokenizer(models.WordLevel({name: i for i, name in enumerate(NAMES)}, unk_token="[UNK]"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if "bos_token" in roles:
        core.post_processor = processors.TemplateProcessing(
            single=f"{roles['bos_token']} $A", special_tokens=[("<s>", NAMES.index("<s>"))]
        )
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="[UNK]", **roles)


# Padding --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [[1, 1, 1, 3, 4, 5], [3, 4, 5, 1, 1], [1, 3, 4, 5, 1]])
def test_padding_that_only_the_tokenizer_names_is_left_off(given: list[int]) -> None:
    network = tiny.network("llama", pad_token_id=None, bos_token_id=1)  # Llama's configuration names other roles
    recording = Model(network, words(pad_token="[PAD]")).record_ids(given)
    assert [token.text.strip() for token in recording.query_tokens("decoder")] == ["the", "dog", "sees"]
    expected = Model(tiny.network("llama")).record_ids([3, 4, 5])
    torch.testing.assert_close(recording.weights("decoder", layer=1), expected.weights("decoder", layer=1))


def test_padding_that_is_the_end_token_too_stays() -> None:
    network = tiny.network("llama", pad_token_id=None)
    recording = Model(network, words(pad_token="[PAD]", eos_token="[PAD]")).record_ids([3, 4, 1])
    assert len(recording.query_tokens("decoder")) == 3


# Special tokens that a text has already ------------------------------------------------------------------------------


def test_a_text_that_begins_with_the_start_token_is_told_that_there_are_two() -> None:
    model = Model(tiny.network("llama"), words(bos_token="<s>"))
    with pytest.warns(UserWarning, match=r"begins with <s>.* puts another <s> before it.*add_special_tokens=False"):
        twice = model.record("<s> the dog")
    assert [token.text for token in twice.query_tokens("decoder")][:2] == ["<s>", "<s>"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        once = model.record("<s> the dog", add_special_tokens=False)
        plain = model.record("the dog")
    assert [token.id for token in once.query_tokens("decoder")] == [token.id for token in plain.query_tokens("decoder")]
    assert once.query_tokens("decoder")[0].special


# What was typed, and what was generated ------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["the zebra sees a cat", "zebra", "the dog sees a zebra", "zebra zebra the"])
def test_the_typed_tokens_stay_as_they_were_when_a_text_is_written_on(text: str) -> None:
    model = Model(tiny.network("llama", eos_token_id=None), words())
    typed = model.record(text).query_tokens("decoder")
    longer = model.record(text, generate=3).query_tokens("decoder")
    assert longer[: len(typed)] == typed and not any(token.special for token in typed)
    assert [token.generated for token in longer] == [False] * len(typed) + [True] * 3
    assert len(set(labels(longer))) == len(longer)
    written = [token.word for token in longer if token.word is not None]
    assert written == sorted(written)
    behind = [token.start for token in longer[len(typed) :] if token.start is not None]
    assert all(start >= len(text) for start in behind)


def test_what_is_generated_within_a_word_belongs_to_it() -> None:
    """The space before a word tells: without one, what is written goes on the last word that was typed."""
    model = Model(tiny.network("gpt2", vocab_size=len(gpt2()), n_positions=64, eos_token_id=None), gpt2())
    longer = model.record("Der Hund", generate=9).query_tokens("decoder")
    first = next(token for token in longer if token.generated)
    last = [token for token in longer if not token.generated][-1]
    text = "Der Hund" + "".join(token.text for token in longer if token.generated)
    assert (first.word == last.word) == (text[len("Der Hund")].isalpha())
    assert first.start == last.end


def test_an_export_knows_what_was_generated() -> None:
    recording = Model(tiny.network("llama", eos_token_id=None), words()).record("the zebra", generate=2)
    map = recording.map("decoder", layer=0, head=0)
    drawn = to_svg(Picture((map,)))
    assert read(drawn.encode()).panels[0].query_tokens == recording.query_tokens("decoder")
    assert drawn.count('text-decoration="underline"') == 2 * 2 and "underlined: written by the model" in drawn
    ticks = draw_head(map).layout.yaxis.ticktext
    assert [text.startswith("<u>") for text in ticks] == [False] * (len(ticks) - 2) + [True] * 2
    assert "underline" not in to_svg(
        Picture((recording.map("decoder", layer=0, head=0).hide(lambda one: one.generated),))
    )


def test_a_translation_of_the_models_own_is_generated_and_a_target_is_not() -> None:
    bundled = bundled_model()
    own = bundled.record("Der Hund sah den Ball.")
    tokens = own.query_tokens("cross")
    assert [token.generated for token in tokens] == [False] + [True] * (len(tokens) - 1)
    given = bundled.record("Der Hund sah den Ball.", target="The dog saw the ball.")
    assert not any(token.generated for token in (*given.query_tokens("cross"), *given.key_tokens("cross")))
    assert not any(token.generated for token in own.key_tokens("cross"))


# Texts packed into one sequence ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["llama", "qwen3", "gemma3"])
def test_packed_texts_do_not_see_each_other(name: str) -> None:
    network = tiny.network(name)
    first, second = tiny.ids(6), tiny.ids(5, seed=3)
    model = Model(network)
    packed = model.record_ids([*first, *second], position_ids=[*range(6), *range(5)])
    for layer in range(3):
        weights = packed.weights("decoder", layer=layer)
        for part, ids in ((slice(0, 6), first), (slice(6, 11), second)):
            alone = model.record_ids(ids).weights("decoder", layer=layer)
            torch.testing.assert_close(weights[:, part, part], alone, atol=1e-5, rtol=0.0)
        assert not weights[:, 6:, :6].any()


def test_positions_go_with_their_ids_when_padding_is_left_off() -> None:
    model = Model(tiny.network("llama", pad_token_id=1))
    padded = model.record_ids([1, 1, 7, 8, 9], position_ids=[0, 0, 4, 5, 6])
    alone = model.record_ids([7, 8, 9], position_ids=[4, 5, 6])
    torch.testing.assert_close(padded.weights("decoder", layer=2), alone.weights("decoder", layer=2))


def test_positions_that_cannot_be_are_refused() -> None:
    with pytest.raises(InputError, match=r"for each of the 3 ids; there are 2, from 0 on"):
        Model(tiny.network("llama")).record_ids([7, 8, 9], position_ids=[0, 1])
    with pytest.raises(InputError, match="takes no `position_ids`"):
        Model(tiny.network("bloom")).record_ids([7, 8, 9], position_ids=[0, 1, 2])
    with pytest.raises(InputError, match="takes no `position_ids`"):
        Model(tiny.network("t5")).record_ids([7, 8, 9], [1, 2], position_ids=[0, 1, 2])


# Numbers that are too large -------------------------------------------------------------------------------------------


def test_scores_that_float16_cannot_hold_name_the_dtypes_that_can() -> None:
    network = tiny.network("qwen3").half()
    for layer in network.model.layers:
        for norm in (layer.self_attn.q_norm, layer.self_attn.k_norm):
            norm.weight.data += 500
    message = r'larger than float16 can hold \(65,504\).*dtype="bfloat16" or "float32"'
    with pytest.raises(NoAttentionError, match=message):
        Model(network).record_ids(tiny.ids())
    assert Model(network.bfloat16()).record_ids(tiny.ids()).kinds == ("decoder",)


def test_a_tokenizer_without_roles_has_no_padding() -> None:
    recording = Model(tiny.network("llama", pad_token_id=None), wordlevel(None)).record_ids([1, 1, 2])
    assert len(recording.query_tokens("decoder")) == 3
