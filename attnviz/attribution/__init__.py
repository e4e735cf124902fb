"""Why that output, and why that weight: what a number of the model is made of.

    why_attends ─ the score of one query and one key, split into what made it

The names below are resolved when they are first asked for, because what computes them imports torch, for which the
controls of a page do not wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnviz.attribution.score_split import ScorePart, ScoreSplit, split_score, why_attends

__all__ = ["ScorePart", "ScoreSplit", "split_score", "why_attends"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from attnviz.attribution import score_split

        return getattr(score_split, name)
    raise AttributeError(f"module 'attnviz.attribution' has no attribute {name!r}")
