"""Whose turn it is to run a network, where a server has many visitors; without one everybody's is at once.

What this module does not do: it keeps no queue. A server puts its own in with `use_turns`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn

Check = Callable[[], None]
"""Called before each layer; what it raises ends the pass."""
Turns = Callable[[Any], AbstractContextManager[Check | None]]
"""Waits for a turn with a network, and has it while the context is open; what it gives is called before each layer."""

_turns: Turns | None = None


def use_turns(turns: Turns | None) -> None:
    """From now on every pass of this process waits for its turn there; None: none waits."""
    global _turns
    _turns = turns


@contextlib.contextmanager
def turn(network: nn.Module) -> Iterator[None]:
    """A turn with a network, which may end in the middle of a pass: before a layer."""
    if _turns is None:
        yield
        return
    with _turns(network) as check:
        if check is None:
            yield
            return
        hooks = [layer.register_forward_pre_hook(lambda *_: check()) for layer in _layers(network)]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()


def _layers(network: nn.Module) -> list[nn.Module]:
    """The members of the network's lists: its layers. Lists within layers, such as of experts, are left out."""
    from torch import nn  # a server names its queue before torch is loaded

    lists: dict[str, nn.ModuleList] = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.ModuleList) and not any(name.startswith(f"{outer}.") for outer in lists):
            lists[name] = module
    return [layer for members in lists.values() for layer in members] or [network]
