"""Tiny models that write, and the ids that they are given."""

from __future__ import annotations

from typing import Any

import torch

from attnviz.generation.sampling import Distribution
from attnviz.models.model import Model
from attnviz.tokenization.tokenizer import encode
from support import tiny_models

SENTENCES = (
    "De kat zit op de mat.",
    "Der Hund sah den Ball.",
    "学生在写作业。",
    "The teacher taught the student with the book.",
    "De student las het boek dat de leraar hem gaf.",
)


PAIRS = ("marian", "bart", "t5", "m2m_100")
DECODERS = ("gpt2", "llama", "opt")


def source_ids(model: Model, sentence: str) -> tuple[int, ...]:
    return encode(model.tokenizer, sentence).ids


def tiny_model(name: str, **changes: Any) -> Model:
    return Model(tiny_models.network(name, **changes))


def random_distribution() -> Distribution:
    """Over 503 tokens, always the same one."""
    return Distribution(3 * torch.randn(503, generator=torch.Generator().manual_seed(1)))
