"""A layer of a model followed with its real numbers: `attnviz.computation.follow`.

The names below are resolved when they are first asked for, because what computes them imports torch, for which the
controls of a page do not wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnviz.computation.layer import Computation, follow

__all__ = ["Computation", "follow"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from attnviz.computation import layer

        return getattr(layer, name)
    raise AttributeError(f"module 'attnviz.computation' has no attribute {name!r}")
