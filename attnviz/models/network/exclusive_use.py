"""A network in the hands of one user at a time, in evaluation mode and not compiled."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Iterator

from torch import nn

from attnviz.models.network.turns import turn
from attnviz.models.network.wrappers import without_compilation

# A capture changes a setting of the network while it runs, and several models may hold the same network.
_locks: weakref.WeakKeyDictionary[nn.Module, threading.RLock] = weakref.WeakKeyDictionary()
_locks_guard = threading.Lock()


def _lock(network: nn.Module) -> threading.RLock:
    with _locks_guard:
        return _locks.setdefault(network, threading.RLock())


@contextlib.contextmanager
def _evaluation_mode(network: nn.Module) -> Iterator[None]:
    """Puts the network into evaluation mode while the context is open; afterwards each module has its own mode again.

    Somebody may train the network between two recordings, and with dropout it would give other weights each time.
    """
    training = [module for module in network.modules() if module.training]
    for module in training:
        module.training = False
    try:
        yield
    finally:
        for module in training:
            module.training = True


@contextlib.contextmanager
def exclusive_use(network: nn.Module) -> Iterator[None]:
    """While the context is open, nobody else has the network through this function; other threads wait.

    Args:
        network: whose modules are in evaluation mode meanwhile, and run as they are written even if it is compiled.
    """
    with turn(network), _lock(network), _evaluation_mode(network), without_compilation(network):
        yield
