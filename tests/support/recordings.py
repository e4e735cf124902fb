"""Recordings of the tiny models, made once for all tests that change nothing about them."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from attnviz import Model, Recording
from support import tiny_models as tiny

WEIGHTS = {"atol": 1e-5, "rtol": 0.0}
LOGITS = {"atol": 1e-4, "rtol": 0.0}


@functools.cache
def model(name: str) -> Model:
    """One model for every test that changes nothing about it."""
    return Model(tiny.network(name), name=name)


@functools.cache
def recording(name: str) -> Recording:
    return model(name).record_ids(**tiny.inputs(name))


@functools.cache
def eager(name: str) -> tiny.Eager:
    return tiny.eager(name)


def kinds_and_layers(name: str) -> list[tuple[str, int]]:
    """Every kind and layer of a recording."""
    found = recording(name)
    return [(kind, layer) for kind in found.kinds for layer in range(found.size(kind)[0])]


def assert_close(actual: Tensor, expected: Tensor, where: object = "", **tolerance: float) -> None:
    torch.testing.assert_close(actual, expected, **(tolerance or WEIGHTS), msg=lambda text: f"{where}: {text}")


def attention_settings(network: nn.Module) -> list[tuple[int, str | None]]:
    """The attention implementation of every configuration in reach of the network, nested ones too."""
    found, waiting = {}, [module.config for module in network.modules() if hasattr(module, "config")]
    while waiting:
        config = waiting.pop()
        if id(config) not in found and hasattr(config, "_attn_implementation"):
            found[id(config)] = config._attn_implementation
            waiting += [item for item in vars(config).values() if hasattr(item, "_attn_implementation")]
    return sorted(found.items())


# ---------------------------------------------------------------------------------------------------------------------
# When things run


@contextlib.contextmanager
def count_passes(module: nn.Module) -> Iterator[list[int]]:
    """The number of forward passes of a module inside, as the length of a list."""
    passes: list[int] = []
    handle = module.register_forward_pre_hook(lambda *_: passes.append(1))
    try:
        yield passes
    finally:
        handle.remove()
