"""How a checkpoint's own generation settings change what a model writes, the same for everything that writes here.

A checkpoint can come with settings for `generate`: tokens that must not come, a penalty for repetition, a reward for
ending. transformers turns them into a list of logits processors, each of which changes the scores of the next token.
This module asks transformers for that list, so that a text written token by token (`generation.Writer`, `beams`) and
one that `generate` writes (`Model.record`, `Model.translate`) follow the same settings.

Every setting has one of four fates:

- It changes the scores, and is followed. So is what ends a text: end tokens and stop strings.
- It chooses a method, a limit or the shape of the result, and attnviz has its own: `OVERRIDES`. Forced end tokens are
  among them, because a text that reaches the limit is shown as one that did.
- It cannot be followed token by token, and is refused with an error that names it: `REFUSED`.
- It changes neither scores nor choice, such as a speed: it stays as it is.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Sequence
from typing import Any

import torch

from attnviz.errors import InputError, Message

OVERRIDES: dict[str, Any] = {
    # The method: greedy, unless the caller has its own way to choose from the scores.
    "do_sample": False,
    "num_beams": 1,
    "num_beam_groups": 1,
    "diversity_penalty": 0.0,
    "penalty_alpha": None,
    # Ways to write the same text faster. Some need a second network or a package that may be missing.
    "use_mtp": None,
    "prompt_lookup_num_tokens": None,
    "assistant_early_exit": None,
    "is_assistant": None,
    "speculation_type": None,
    "cache_implementation": None,
    "cache_config": None,
    "max_cache_len": None,
    "prefill_chunk_size": None,
    # The limit: a checkpoint's own would be warned about beside ours, and a clock makes texts differ by machine.
    "max_length": None,
    "max_time": None,
    "forced_eos_token_id": None,
    # The shape of the result: one text, as ids.
    "num_return_sequences": 1,
    "return_dict_in_generate": False,
    "output_attentions": False,
    "output_hidden_states": False,
    "output_scores": False,
    "output_logits": False,
}
"""Settings that attnviz decides itself, with their values."""

REFUSED: dict[str, Message] = {
    "guidance_scale": Message("runs the network twice for each token"),
    "watermarking_config": Message("hides a pattern in the text by favouring tokens at random"),
    "token_healing": Message("replaces the last token of the text"),
    "dola_layers": Message("subtracts what earlier layers would write"),
    "constraints": Message("forces words into the text"),
    "force_words_ids": Message("forces words into the text"),
}
"""Settings that cannot be followed, and what each does."""

_OFF: dict[str, tuple[Any, ...]] = {"guidance_scale": (None, 1), "token_healing": (None, False)}


def generation_settings(network: Any, name: str, tokenizer: Any = None, start: int | None = None) -> Any:
    """A checkpoint's settings, with attnviz's own in place of those in `OVERRIDES`.

    Args:
        network: a transformers model; its own settings stay as they are.
        name: what errors call it.
        tokenizer: needed where the settings name strings that end a text.
        start: the decoder's start token, for an encoder-decoder.

    Returns:
        A `GenerationConfig`; None for a network that has no settings.

    Raises:
        InputError: a setting cannot be followed; and what to change.

    >>> config = generation_settings(attnviz.load("bundled").network, "bundled", start=1)
    >>> config.exponential_decay_length_penalty, config.forced_eos_token_id
    ((60, 1.1), None)
    """
    own = getattr(network, "generation_config", None)
    if own is None or not hasattr(network, "_get_logits_processor"):
        return None
    for setting, effect in REFUSED.items():
        value = getattr(own, setting, None)
        if value not in _OFF.get(setting, (None,)):
            raise InputError(
                "The generation settings of {0} ask for {1}={2!r}, which {3}. attnviz shows the model's own choice "
                "of each token and cannot follow that. Set `model.network.generation_config.{1} = None` to see what "
                "it writes without.",
                name,
                setting,
                value,
                effect,
            )
    misplaced = network.config._get_generation_parameters()
    if misplaced:
        raise InputError(
            "The configuration of {0} holds generation settings ({1}), which transformers reads only from "
            "`generation_config`. Move them from `model.network.config` to `model.network.generation_config`, or "
            "delete them.",
            name,
            ", ".join(sorted(misplaced)),
        )
    if own.stop_strings and tokenizer is None:
        raise InputError(
            "The generation settings of {0} end a text at stop_strings={1!r}, and the model has no tokenizer to find "
            "them with. Pass one to `Model`, or set `model.network.generation_config.stop_strings = None`.",
            name,
            own.stop_strings,
        )
    if own.exponential_decay_length_penalty is not None and own.eos_token_id is None:
        raise InputError(
            "The generation settings of {0} reward an end token (exponential_decay_length_penalty) and name none. "
            "Set `model.network.generation_config.eos_token_id`, or exponential_decay_length_penalty to None.",
            name,
        )
    config = copy.deepcopy(own)
    for setting, value in OVERRIDES.items():
        setattr(config, setting, value)
    if start is not None:
        config.decoder_start_token_id = start
    return config


@contextlib.contextmanager
def exchange_generation_config(
    network: Any, name: str, source: Sequence[int], begin: int, **options: Any
) -> Iterator[None]:
    """Lets the network's `generate` write by the rules of this module while the context is open.

    The network's settings are exchanged and put back, because `generate` takes every setting that an argument leaves
    at None from them, and checks them before it looks at its arguments. Nobody else may use the network meanwhile.

    Args:
        network, name: as for `generation_settings`.
        source: the ids of the text, with special tokens.
        begin: how many tokens the decoder reads before the first that is written.
        options: `tokenizer` and `start`, as for `generation_settings`.

    Raises:
        InputError: a setting cannot be followed, or transformers refuses its value.
    """
    config = generation_settings(network, name, **options)
    logits_processors(network, name, config, source, begin)  # a bad value is named here, not deep inside `generate`
    own = network.generation_config
    network.generation_config = config
    try:
        yield
    finally:
        network.generation_config = own


def logits_processors(network: Any, name: str, config: Any, source: Sequence[int], begin: int) -> Any:
    """transformers' own list of logits processors for some settings, in its own order.

    Args:
        network: what writes.
        name: what errors call it.
        config: from `generation_settings`.
        source: the ids of the text, with special tokens.
        begin: how many tokens the decoder reads before the first that is written: the start token, or the text.

    Returns:
        A `LogitsProcessorList`: (ids read so far, scores (texts, vocabulary)) -> scores, on the CPU.

    Raises:
        InputError: transformers refuses the value of a setting.
    """
    from transformers import generation

    if config is None:
        return generation.LogitsProcessorList()
    config = copy.deepcopy(config)
    config.update(**config._get_default_generation_params(), defaults_only=True)
    if config.min_new_tokens is not None:
        config.min_length = config.min_new_tokens + begin  # as `generate` does: the one takes the place of the other
    try:
        network._prepare_special_tokens(config, device="cpu")
        return network._get_logits_processor(
            generation_config=config,
            input_ids_seq_length=begin,
            encoder_input_ids=torch.tensor([list(source)]),
            device="cpu",
        )
    except (TypeError, ValueError) as error:
        raise InputError(
            "transformers cannot use the generation settings of {0}: {1} Correct them in "
            "`model.network.generation_config`.",
            name,
            error,
        ) from error


class Ending:
    """What ends a text: its end tokens and stop strings.

    Attributes:
        tokens: the ids of the end tokens.
    """

    def __init__(self, network: Any, config: Any, tokenizer: Any) -> None:
        from transformers.generation import StopStringCriteria

        # A network without settings for `generate` names its end in its configuration.
        end = getattr(network.config if config is None else config, "eos_token_id", None)
        self.tokens = frozenset(() if end is None else end if isinstance(end, list) else [end])
        strings = getattr(config, "stop_strings", None)
        self._stop = StopStringCriteria(tokenizer, strings) if strings else None

    def is_reached(self, read: Sequence[int]) -> bool:
        """Whether a text ends with the last of its tokens.

        Args:
            read: the ids of the text and of what the decoder read before it.
        """
        if self._stop is None or not read or read[-1] in self.tokens:
            return bool(read) and read[-1] in self.tokens
        return bool(self._stop(torch.tensor([list(read)]), None).any())
