"""Networks as people hold them: wrapped, compiled, offloaded, inside a module of their own."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support import tiny_models as tiny
from torch import Tensor, nn

from attnviz import Model
from attnviz.errors import InputError


def weights_of(network: Any, name: str) -> Tensor:
    recording = Model(network).record_ids(**tiny.inputs(name))
    return recording.weights(recording.kinds[-1], layer=1)


def in_parallel(network: nn.Module) -> nn.Module:
    return nn.DataParallel(network)


def compiled(network: nn.Module) -> Any:
    return torch.compile(network, backend="eager", fullgraph=True)


def compiled_in_place(network: nn.Module) -> nn.Module:
    network.compile(backend="eager", fullgraph=True)
    return network


def compiled_layer_by_layer(network: nn.Module) -> nn.Module:
    network.base_model.layers[1].compile(backend="eager", fullgraph=True)
    return network


def compiled_inside(network: nn.Module) -> nn.Module:
    network.model = torch.compile(network.model, backend="eager", fullgraph=True)
    return network


def compiled_in_parallel(network: nn.Module) -> Any:
    return torch.compile(nn.DataParallel(network), backend="eager")


@pytest.mark.parametrize(
    "wrap", [in_parallel, compiled, compiled_in_place, compiled_layer_by_layer, compiled_inside, compiled_in_parallel]
)
def test_what_only_runs_a_network_another_way_is_recorded_as_the_network(wrap: Any) -> None:
    expected = weights_of(tiny.network("llama"), "llama")
    torch.testing.assert_close(weights_of(wrap(tiny.network("llama")), "llama"), expected, atol=1e-6, rtol=0.0)


def test_a_compiled_network_stays_compiled() -> None:
    network = compiled_in_place(tiny.network("llama"))
    ids = torch.tensor([tiny.ids()])
    Model(network).record_ids(tiny.ids())
    assert network._compiled_call_impl is not None
    with torch.no_grad():
        torch.testing.assert_close(network(ids).logits, tiny.network("llama")(ids).logits, atol=1e-4, rtol=0.0)


class Adapted(nn.Module):
    """As peft wraps a network: what is not its own is asked of the one inside."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.base_model = network
        self.config = network.config

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("base_model"), name)

    def forward(self, *arguments: Any, **named: Any) -> Any:
        return self.base_model(*arguments, **named)


def test_a_wrapper_that_passes_everything_on_is_recorded() -> None:
    expected = weights_of(tiny.network("llama"), "llama")
    torch.testing.assert_close(weights_of(Adapted(tiny.network("llama")), "llama"), expected)


class Classifier(nn.Module):
    def __init__(self, **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)
        self.head = nn.Linear(30, 2)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (
            lambda: Classifier(bert=tiny.network("bert")),
            r"Classifier is no model of transformers but holds one\. Hand over `network\.bert`: `attnviz\.Model\(net",
        ),
        (lambda: nn.DataParallel(Classifier(bert=tiny.network("bert"))), r"Hand over `network\.bert`"),
        (lambda: nn.Sequential(Classifier(encoder=tiny.network("bert"))), r"Hand over `network\.0\.encoder`"),
        (
            lambda: Classifier(left=tiny.network("bert"), right=tiny.network("bert")),
            r"`network\.left` or `network\.right`",
        ),
        (lambda: nn.Linear(2, 3), "Linear is no model of transformers and holds none"),
        (lambda: "bert-base-uncased", r"has to be a model of transformers, not str\. .*`attnviz\.load\(name\)`"),
        (lambda: SimpleNamespace(model=tiny.network("bert")), r"holds one. Hand that over: `attnviz\.Model\(it\.model"),
    ],
)
def test_what_holds_a_model_and_is_none_is_told_which_part_to_hand_over(network: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Model(network())


def test_a_module_with_a_configuration_of_its_own_is_no_model_either() -> None:
    network = Classifier(bert=tiny.network("bert"))
    network.config = network.bert.config
    with pytest.raises(InputError, match=r"Hand over `network\.bert`"):
        Model(network)


# Offloaded -----------------------------------------------------------------------------------------------------------


def offload(network: nn.Module, device: Any, holder: Any = lambda hook: hook) -> nn.Module:
    """As accelerate does: parameters on "meta", and a hook that brings those of a module while it is called."""
    for module in list(network.modules()):
        own = {name: item.data.clone() for name, item in module.named_parameters(recurse=False)}
        if not own:
            continue
        for name in own:
            setattr(module, name, nn.Parameter(torch.empty_like(own[name], device="meta"), requires_grad=False))
        module._hf_hook = holder(SimpleNamespace(execution_device=device, offload=True))
        module.forward = brought(module, own, module.forward)
    return network


def brought(module: nn.Module, own: dict[str, Tensor], forward: Any) -> Any:
    def call(*arguments: Any, **named: Any) -> Any:
        waiting = {name: getattr(module, name) for name in own}
        try:
            for name, item in own.items():
                setattr(module, name, nn.Parameter(item, requires_grad=False))
            return forward(*arguments, **named)
        finally:
            for name, item in waiting.items():
                setattr(module, name, item)

    return call


@pytest.mark.parametrize(
    ("device", "holder"),
    [
        (torch.device("cpu"), lambda hook: hook),
        ("cpu", lambda hook: SimpleNamespace(hooks=[SimpleNamespace(execution_device=None), hook])),
    ],
)
@pytest.mark.parametrize("name", ["llama", "bert", "t5"])
def test_ids_go_where_an_offloaded_network_takes_them(name: str, device: Any, holder: Any) -> None:
    network = tiny.network(name, **({"tie_word_embeddings": False} if name == "llama" else {}))
    expected = weights_of(network, name)
    model = Model(offload(network, device, holder))
    assert model.device == torch.device("cpu")
    recording = model.record_ids(**tiny.inputs(name))
    torch.testing.assert_close(recording.weights(recording.kinds[-1], layer=1), expected)


def test_a_network_without_numbers_is_refused() -> None:
    with torch.device("meta"):
        network = type(tiny.network("llama"))(tiny.network("llama").config)
    with pytest.raises(InputError, match=r"have shapes but no numbers yet \(device meta\)\. Load its weights"):
        Model(network).record_ids(tiny.ids())
