"""What the modules of a network did in one forward pass: their calls in order, what each read and what it gave.

Knows nothing of what the modules are for; that is found out in `module_roles.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from attnviz.models.capture import capture

CLOSE = 1e-4
"""Of the largest number: two ways to compute the same differ by far less, different things by far more."""


@dataclass(slots=True)
class Event:
    """One call of a module, in the order in which they began."""

    name: str
    module: nn.Module
    above: tuple[int, ...]  # the calls that it is inside of, outermost first
    calls_before: int  # attention calls until it began
    input: Tensor | None = None  # the first tensor that it read
    result: Tensor | None = None  # and gave
    calls_after: int = -1  # attention calls until it ended

    @property
    def leaf(self) -> bool:
        """Whether it is a layer of its own: no children, or a normalisation."""
        return next(self.module.children(), None) is None or is_norm(self.module)


@contextmanager
def record_calls(network: nn.Module, captured: capture.Capture, keep: Container[int]) -> Iterator[list[Event]]:
    """Writes down every call of a module of the network while the context is open.

    Args:
        network: whose modules.
        captured: the capture that is running, which counts the attention calls.
        keep: the numbers of attention calls after which tensors are kept; all of a large model's would fill the memory.
    """
    trace: list[Event] = []
    open_calls: list[int] = []
    handles = []

    def copy_of(tensor: Any) -> Tensor | None:
        # A copy, for some modules write their output over their input.
        return tensor.detach().clone() if isinstance(tensor, Tensor) and len(captured.layers) in keep else None

    def before(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            tensor = kwargs.get("hidden_states")
            if not isinstance(tensor, Tensor):
                tensor = next((item for item in (*args, *kwargs.values()) if isinstance(item, Tensor)), None)
            trace.append(Event(name, module, tuple(open_calls), len(captured.layers), copy_of(tensor)))
            open_calls.append(len(trace) - 1)

        return hook

    def after(module: nn.Module, _args: tuple, result: Any) -> None:
        event = trace[open_calls.pop()]
        if not isinstance(result, Tensor):
            values = result.values() if hasattr(result, "values") else result if isinstance(result, tuple) else ()
            result = next((item for item in values if isinstance(item, Tensor)), None)
        event.result, event.calls_after = copy_of(result), len(captured.layers)

    try:
        for name, module in network.named_modules():
            handles.append(module.register_forward_pre_hook(before(name), with_kwargs=True))
            handles.append(module.register_forward_hook(after, prepend=True))
        yield trace
    finally:
        for handle in handles:
            handle.remove()


def block_of(trace: Sequence[Event], call: int) -> int | None:
    """The outermost repeated module around an attention call: the block that a model has several of."""
    around = [index for index, event in enumerate(trace) if event.calls_before <= call < event.calls_after]
    for index in around:
        if any(part.isdigit() for part in trace[index].name.split(".")):
            return index
    return around[-1] if around else None


def is_matrix(module: nn.Module) -> bool:
    """Whether it multiplies with one learned matrix: a linear layer, or GPT-2's Conv1D."""
    return isinstance(module, nn.Linear) or type(module).__name__ == "Conv1D"


def matrix_of(module: nn.Module) -> Tensor:
    """The (in, out) matrix of such a module, float32."""
    weight = plain(module.weight)  # type: ignore[arg-type]
    return weight.T if isinstance(module, nn.Linear) else weight


def bias_of(module: nn.Module) -> Tensor | None:
    """What it adds after: (out,) float32, or None."""
    bias = getattr(module, "bias", None)
    return plain(bias) if isinstance(bias, Tensor) else None


def is_norm(module: nn.Module) -> bool:
    """Whether it is a normalisation, of whatever kind: they have no class in common but a name."""
    return "norm" in type(module).__name__.lower()


def same(one: Tensor, other: Tensor, slack: float = CLOSE) -> bool:
    """Whether two tensors hold the same numbers but for rounding."""
    one, other = one.float(), other.float().to(one.device)
    return float((one - other).abs().max()) <= slack * max(float(other.abs().max()), 1e-6)


def split(joined: Tensor, heads: int) -> Tensor:
    """(tokens, heads × dim) as (heads, tokens, dim)."""
    return joined.reshape(joined.shape[0], heads, -1).transpose(0, 1)


def rows_of(tensor: Tensor) -> Tensor:
    """(…, tokens, size) of one text as float32 (tokens, size)."""
    return plain(tensor).reshape(-1, tensor.shape[-1])


def plain(tensor: Tensor) -> Tensor:
    """As float32 on the CPU, without gradients."""
    return tensor.detach().to("cpu", torch.float32)
