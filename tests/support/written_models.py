"""Tiny models with tokenizers, which texts and targets are given to."""

from __future__ import annotations

import functools
from typing import Any

from tokenizers import Tokenizer
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from attnviz import Model, Recording
from support import tiny_models as tiny
from support.tiny_tokenizers import gpt2, unigram, wordpiece

TEXT = "Der Hund sah den Ball."
OTHER = "The dogs bark."


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
