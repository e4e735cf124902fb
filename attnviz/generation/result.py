"""A written text and how it came about: whether its end was reached, and the beams that were followed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

EndReason = Literal["end", "limit", "gaps"]


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One of the texts that a beam search looked at in a step.

    Attributes:
        ids: what it had written, the prefix left out.
        score: the sum of its tokens' log-probabilities.
        parent: which of the texts that the step before kept it goes on from; None in the first step.
        state: "kept" for the next step, "finished" by an end token, or "dropped".
    """

    ids: tuple[int, ...]
    score: float
    parent: int | None
    state: Literal["kept", "finished", "dropped"]


@dataclass(frozen=True, slots=True)
class Written:
    """A written text.

    Attributes:
        ids: all its tokens, its end token included where it has one.
        prefix_length: how many of them, from the first on, were the prefix.
        end_reason: "end" by the end token, "limit" by the most that may be written, "gaps" where each gap is filled.
        beams: per step of a beam search what it looked at, the likeliest first; the kept ones are the next parents.
        score: of a beam search, the sum of log-probabilities divided by a power of the length; else None.
    """

    ids: tuple[int, ...]
    prefix_length: int
    end_reason: EndReason
    beams: tuple[tuple[Hypothesis, ...], ...] = field(default=())
    score: float | None = None
