"""Networks as people hold them: in wrappers that train, compile or offload; the transformers model inside.

What this module does not do: it knows those wrappers by what they do to a module, not by importing their packages.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from attnviz.errors import InputError

_SHOWN = 3  # of the models in a module that are named


def transformers_network(network: Any) -> Any:
    """The transformers model that computes alone what `network` does.

    DataParallel and compiled modules are unwrapped. A module that does something of its own around a model is not: what
    it computes would be another thing than the model inside.

    Raises:
        InputError: there is no such model, and what to hand over instead.

    >>> transformers_network(torch.nn.DataParallel(bert)) is bert
    True
    """
    while True:
        if isinstance(network, nn.DataParallel | nn.parallel.DistributedDataParallel):
            network = network.module
        elif isinstance(getattr(network, "_orig_mod", None), nn.Module):
            network = network._orig_mod
        else:
            break
    if _is_model(network):
        return network
    called = type(network).__name__
    if not isinstance(network, nn.Module):
        inner = getattr(network, "model", None)
        if isinstance(inner, nn.Module):
            raise InputError(
                "{0} is no network, but it holds one. Hand that over: `attnviz.Model(it.model, …)`.",
                called,
            )
        raise InputError(
            "`network` has to be a model of transformers, not {0}. To load one by its name or folder, use "
            "`attnviz.load(name)`.",
            called,
        )
    inside = _models_inside(network)
    # A wrapper without layers of its own, as those of peft, passes everything on, its configuration too.
    plain = len(list(network.children())) == 1 or hasattr(network, "get_base_model")
    if hasattr(network, "config") and (not inside or plain):
        return network
    if not inside:
        raise InputError(
            "{0} is no model of transformers and holds none, so it has no attention to show. Hand over a model of "
            "transformers, or load one with `attnviz.load(name)`.",
            called,
        )
    paths = " or ".join(f"`network.{path}`" for path in inside[:_SHOWN])
    raise InputError(
        "{0} is no model of transformers but holds one. Hand over {1}: `attnviz.Model(network.{2}, tokenizer)`.",
        called,
        paths,
        inside[0],
    )


def _is_model(module: Any) -> bool:
    # By name, because transformers is not imported before it is needed.
    return any(base.__name__ == "PreTrainedModel" for base in type(module).__mro__)


def _models_inside(network: nn.Module) -> list[str]:
    """The paths of the models of transformers in a module, without those inside of others."""
    paths: list[str] = []
    for path, module in network.named_modules():
        if _is_model(module) and not any(path.startswith(f"{outer}.") for outer in paths):
            paths.append(path)
    return paths


def input_device(network: Any) -> torch.device:
    """Where the network takes its ids.

    Of an offloaded network the parameters wait elsewhere (their device is "meta", which holds no numbers), and hooks
    bring each module's to the device where it computes.

    Raises:
        InputError: the parameters have shapes and no numbers, and nothing will bring these.
    """
    first = [network.get_input_embeddings()] if hasattr(network, "get_input_embeddings") else []
    for module in [item for item in (*first, *network.modules()) if isinstance(item, nn.Module)]:
        own = next(module.parameters(recurse=False), None)
        if own is None:
            continue
        if own.device.type != "meta":
            return own.device
        device = _execution_device(getattr(module, "_hf_hook", None))
        if device is not None:
            return device
    raise InputError(
        "The parameters of {0} have shapes but no numbers yet (device meta). Load its weights with from_pretrained, "
        "or use `attnviz.load(name)`.",
        type(network).__name__,
    )


def _execution_device(hook: Any) -> torch.device | None:
    """Where a module computes, by the hook of accelerate that brings its parameters; None where it does not say."""
    for item in (hook, *getattr(hook, "hooks", ())):
        device = getattr(item, "execution_device", None)
        if device is not None:
            return torch.device(device)
    return None


@contextlib.contextmanager
def without_compilation(network: nn.Module) -> Iterator[None]:
    """Runs compiled modules as they are written, for as long as this lasts: compilers cannot look into a capture."""
    if any(hasattr(item, "_orig_mod") or item._compiled_call_impl is not None for item in network.modules()):
        with torch.compiler.set_stance("force_eager"):
            yield
    else:
        yield
