"""The model that ships with attnviz, loaded once for all tests that change nothing about it."""

from __future__ import annotations

import functools

import attnviz
from attnviz import Model


@functools.cache
def bundled_model() -> Model:
    """The bundled model on the CPU. Loading it takes longer than most of what is tested with it."""
    return attnviz.load("bundled", device="cpu")
