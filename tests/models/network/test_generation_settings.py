"""A checkpoint's generation settings: all that writes follows them alike, and as `generate` does."""

from __future__ import annotations

import inspect
import re
from typing import Any

import pytest
import torch
from support import tiny_models
from support import tiny_tokenizers as tokenizers_for_tests
from transformers import GenerationConfig, GenerationMixin, LogitsProcessorList
from transformers.generation import WatermarkingConfig

import attnviz
from attnviz.errors import AttnvizError, InputError
from attnviz.generation.decode import decode
from attnviz.generation.sampling import Method
from attnviz.generation.writer import Writer
from attnviz.models.model import Model
from attnviz.models.network.generation_settings import OVERRIDES, REFUSED, generation_settings, logits_processors
from attnviz.tokenization import tokenizer

LIMIT = 48
FREE = 97  # stands for the most frequent token of the text that the network writes without any setting

# Each setting that switches on a processor in greedy search, with a value that changes what the tiny networks write.
FOLLOWED: dict[str, Any] = {
    "sequence_bias": [[[FREE], -4.0]],
    "encoder_repetition_penalty": 0.2,
    "repetition_penalty": 1.7,
    "no_repeat_ngram_size": 2,
    "encoder_no_repeat_ngram_size": 1,
    "bad_words_ids": [[FREE]],
    "min_length": 42,
    "min_new_tokens": 42,
    "forced_bos_token_id": 31,
    "remove_invalid_values": True,
    "exponential_decay_length_penalty": (26, 1.5),
    "suppress_tokens": [FREE],
    "begin_suppress_tokens": [FREE],
    "renormalize_logits": True,
}
WITHOUT_EFFECT = {"remove_invalid_values", "renormalize_logits"}  # on what a sound network writes greedily
ONLY_WHERE_ONE_TOKEN_IS_READ = {"forced_bos_token_id"}
SAMPLING = {"temperature", "top_h", "top_k", "top_p", "min_p", "typical_p", "epsilon_cutoff", "eta_cutoff"}
# What neither changes scores nor chooses a token in greedy search, and ids and lengths that attnviz reads itself.
NEUTRAL = {
    "max_new_tokens", "early_stopping", "length_penalty", "use_cache", "stop_strings", "pad_token_id", "bos_token_id",
    "eos_token_id", "decoder_start_token_id", "num_assistant_tokens", "num_assistant_tokens_schedule",
    "assistant_confidence_threshold", "max_matching_ngram_size", "assistant_lookbehind", "target_lookbehind",
    "assistant_ensemble_weight", "compile_config", "disable_compile", "continuous_batching_config", "low_memory",
    "transformers_version",
}  # fmt: skip
KINDS = {"encoder-decoder": "marian", "decoder": "llama"}


def tiny(kind: str, **changes: Any) -> Model:
    changes = {"max_position_embeddings": 150} | changes
    model = Model(
        tiny_models.network(KINDS[kind], **changes), tokenizers_for_tests.gpt2() if changes.get("vocab_size") else None
    )
    model.network.generation_config.eos_token_id = None
    return model


def written(model: Model, ids: Any, limit: int = LIMIT, beams: int = 1) -> list[int]:
    method = Method() if beams == 1 else Method("beam", width=beams)
    return list(decode(Writer(model, ids), method=method, limit=limit).ids)


def generated(model: Model, ids: Any, limit: int = LIMIT, beams: int = 1) -> list[int]:
    given = torch.tensor([list(ids)])
    output = model.network.generate(
        given, attention_mask=torch.ones_like(given), max_new_tokens=limit, max_length=None, do_sample=False,
        num_beams=beams, forced_eos_token_id=None, tokenizer=model.tokenizer,
    )  # fmt: skip
    return output[0].tolist()[1 if model.network.config.is_encoder_decoder else len(ids) :]


def recorded(model: Model, ids: Any, limit: int = LIMIT) -> list[int]:
    """What `Model.record_ids` shows of a text of its own; of an encoder-decoder all but the last token."""
    shown = [token.id for token in model.record_ids(ids, generate=limit).query_tokens("decoder")]
    return shown[1:] if model.network.config.is_encoder_decoder else shown[len(ids) :]


def agree(model: Model, ids: Any, limit: int = LIMIT) -> list[int]:
    """What all write, after a check that they write the same."""
    found = written(model, ids, limit)
    assert found == generated(model, ids, limit)
    assert recorded(model, ids, limit) == (found[:-1] if model.network.config.is_encoder_decoder else found)
    return found


def filled(value: Any, token: int) -> Any:
    if isinstance(value, list):
        return [filled(item, token) for item in value]
    return token if value == FREE and type(value) is int else value


def test_every_setting_of_transformers_has_its_fate() -> None:
    """A new setting of transformers fails here, until somebody has looked at what it does."""
    settings = {name for name in vars(GenerationConfig()) if not name.startswith("_")}
    fates = [set(FOLLOWED), set(OVERRIDES), set(REFUSED), SAMPLING, NEUTRAL]
    assert settings == set().union(*fates)
    assert sum(map(len, fates)) == len(settings)  # and only one
    read = set(re.findall(r"generation_config\.(\w+)", inspect.getsource(GenerationMixin._get_logits_processor)))
    read -= {"_eos_token_tensor", "do_sample", "num_beams", "max_length", "use_cache"}  # of other settings' processors
    assert read == {*FOLLOWED, *SAMPLING, "guidance_scale", "watermarking_config", "forced_eos_token_id"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", FOLLOWED)
def test_each_setting_is_followed_as_generate_follows_it(kind: str, setting: str) -> None:
    model, ids = tiny(kind), tiny_models.ids()
    free = written(model, ids)
    about_end = setting in {"min_length", "min_new_tokens", "exponential_decay_length_penalty"}
    frequent = free[0] if setting == "begin_suppress_tokens" else max(set(free), key=free.count)
    if setting.startswith("encoder_"):  # these compare with the source, so that it has to hold what is written
        ids = [*ids, frequent]
        free = written(model, ids)
    if about_end:  # an end that is written soon, or not at all
        soon = setting != "exponential_decay_length_penalty"
        model.network.generation_config.eos_token_id = (
            free[5] if soon else next(set(range(3, 101)).difference(free).__iter__())
        )
        free = written(model, ids)
    model.network.generation_config.update(**{setting: filled(FOLLOWED[setting], frequent)})
    found = agree(model, ids)
    assert len(found) > LIMIT // 2
    without = setting in WITHOUT_EFFECT or (kind == "decoder" and setting in ONLY_WHERE_ONE_TOKEN_IS_READ)
    assert (found == free) == without
    if setting == "exponential_decay_length_penalty":
        assert len(found) < LIMIT
    assert written(model, ids, 8, beams=2) == generated(model, ids, 8, beams=2)


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_followed_together(kind: str) -> None:
    model, ids = tiny(kind), tiny_models.ids()
    some = {"repetition_penalty": 1.3, "no_repeat_ngram_size": 3, "min_length": 55, "min_new_tokens": 20}
    model.network.generation_config.update(eos_token_id=[2, 44], renormalize_logits=True, **some)
    agree(model, ids)


def test_the_bundled_model_ends_a_long_text_alike_on_every_page() -> None:
    model = attnviz.load("bundled", device="cpu")
    ids = tokenizer.encode(model.tokenizer, "Hund " * 100).ids
    found = decode(Writer(model, ids))
    assert 60 < len(found.ids) < 128 and found.end_reason == "end"
    assert list(found.ids) == generated(model, ids, 128)
    assert model.record("Hund " * 100).size("decoder")[2] == len(found.ids)


LEFT_BEHIND = [
    {"return_dict_in_generate": True},
    {"return_dict_in_generate": True, "output_attentions": True, "output_hidden_states": True, "output_scores": True},
    {"num_return_sequences": 3},
    {"num_beams": 4, "num_return_sequences": 2},
    {"do_sample": True, "temperature": 2.5, "top_k": 3},
    {"num_beams": 4, "num_beam_groups": 2, "diversity_penalty": 0.5},
    {"penalty_alpha": 0.6, "top_k": 4},
    {"prompt_lookup_num_tokens": 3},
    {"cache_implementation": "quantized"},
    {"max_length": 3, "max_time": 1e-9},
    {"forced_eos_token_id": 5},
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("settings", LEFT_BEHIND, ids=lambda settings: "-".join(settings))
def test_settings_of_another_generation_neither_fail_nor_change_what_greedy_is(
    kind: str, settings: dict[str, Any]
) -> None:
    model, ids = tiny(kind), tiny_models.ids()
    expected = agree(model, ids, 20)
    for setting, value in settings.items():
        setattr(model.network.generation_config, setting, value)
    assert written(model, ids, 20) == expected
    assert recorded(model, ids, 20) == (expected[:-1] if kind == "encoder-decoder" else expected)
    assert all(getattr(model.network.generation_config, setting) == value for setting, value in settings.items())


@pytest.mark.parametrize("kind", KINDS)
def test_stop_strings_end_a_text_everywhere(kind: str) -> None:
    model = tiny(kind, vocab_size=len(tokenizers_for_tests.gpt2()))
    ids = tiny_models.ids()
    # Only words and their parts, for a piece of a character is no text to stop at.
    vocabulary = range(len(model.tokenizer))
    strange = [index for index in vocabulary if not re.fullmatch(" ?[A-Za-z]+", model.tokenizer.decode([index]))]
    # transformers refuses these beside a forced end, which is among them.
    model.network.generation_config.update(forced_eos_token_id=None, suppress_tokens=strange)
    free = written(model, ids, 30)
    stop = next(text for text in map(model.tokenizer.decode, free[2:]) if text.strip())
    model.network.generation_config.stop_strings = [stop]
    found = agree(model, ids, 30)
    assert len(found) < 30 and stop in model.tokenizer.decode(found)
    assert decode(Writer(model, ids), limit=30).end_reason == "end"
    assert written(model, ids, 8, beams=2) == generated(model, ids, 8, beams=2)
    with pytest.raises(InputError, match="goes on after its end"):
        decode(Writer(model, ids), (*found, 7))
    model.tokenizer = None
    for write in (written, recorded):
        with pytest.raises(InputError, match="has no tokenizer to find them with"):
            write(model, ids)


REFUSALS = {
    "guidance_scale": 1.5, "watermarking_config": WatermarkingConfig(), "token_healing": True, "dola_layers": "high",
    "constraints": ["a"], "force_words_ids": [[5]],
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("setting", REFUSED)
def test_what_cannot_be_followed_is_refused_by_name(kind: str, setting: str) -> None:
    model = tiny(kind)
    setattr(model.network.generation_config, setting, REFUSALS[setting])
    for write in (written, recorded):
        with pytest.raises(InputError, match=rf"ask for {setting}=.*generation_config\.{setting} = None"):
            write(model, tiny_models.ids())


@pytest.mark.parametrize("kind", KINDS)
def test_values_that_transformers_refuses_are_said(kind: str) -> None:
    for settings in (
        {"bad_words_ids": "word"},
        {"repetition_penalty": -1.0},
        {"exponential_decay_length_penalty": (3, 1.1)},
    ):
        model = tiny(kind)
        for setting, value in settings.items():
            setattr(model.network.generation_config, setting, value)
        for write in (written, recorded):
            with pytest.raises(AttnvizError, match="generation settings of"):
                write(model, tiny_models.ids())


@pytest.mark.parametrize("kind", KINDS)
def test_settings_in_the_networks_configuration_are_refused(kind: str) -> None:
    model = tiny(kind)
    model.network.config.no_repeat_ngram_size = 2
    for write in (written, recorded):
        with pytest.raises(InputError, match=r"\(no_repeat_ngram_size\).*Move them"):
            write(model, tiny_models.ids())


def test_a_network_without_settings_has_no_processors() -> None:
    network = torch.nn.Linear(2, 2)
    assert generation_settings(network, "linear") is None
    assert logits_processors(network, "linear", None, [1], 1) == LogitsProcessorList()
