"""Maps and recordings of given weights, and tokens for them."""

from __future__ import annotations

import functools

import numpy as np
import torch

from attnviz import AttentionMap, Model, Recording, Token
from attnviz.models.recording.recorded_stack import RecordedStack
from attnviz.tokenization.tokenizer import encode
from support import tiny_models as tiny

PLAIN = tuple(Token(10 + i, f"w{i}", False, i, 3 * i, 3 * i + 2) for i in range(7))
WITH_SPECIALS = (Token(1, "<s>", True, None, None, None), *PLAIN[1:6], Token(2, "</s>", True, None, None, None))


KEYS = tuple(Token(30 + i, f"k{i}", i == 10, None if i == 10 else i, 3 * i, 3 * i + 2) for i in range(11))


@functools.cache
def tiny_recording(name: str, length: int = tiny.LENGTH) -> Recording:
    return Model(tiny.network(name), name=name).record_ids(**tiny.inputs(name, length))


def recording_of(weights: np.ndarray, tokens: tuple[Token, ...] = PLAIN) -> Recording:
    """A recording of given weights (layer, head, token, token)."""
    layers = [torch.tensor(layer, dtype=torch.float32) for layer in weights]
    return Recording(("encoder",), RecordedStack({"encoder": layers}, tokens), model="fixed")


def random_rows(queries: int = 7, keys: int = 7, seed: int = 0) -> np.ndarray:
    raw = np.random.default_rng(seed).exponential(size=(queries, keys)) ** 2
    return raw / raw.sum(axis=1, keepdims=True)


def map_of(weights: object, tokens: tuple[Token, ...] = PLAIN, keys: tuple[Token, ...] | None = None, **origin):
    return AttentionMap.of(weights, tokens, keys or tokens, **({"kind": "encoder", "layer": 2, "head": 5} | origin))


def is_special(token: Token) -> bool:
    return token.special


def map_of_text(tokenizer: object, text: str, seed: int = 0, **origin) -> AttentionMap:
    tokens = encode(tokenizer, text).tokens
    return map_of(random_rows(len(tokens), len(tokens), seed), tokens, **origin)
