"""A head that is missing: its output becomes nothing, the same for every word, or that of equal weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from attnviz.errors import InputError
from attnviz.models.recording.changes import Heads, Intervention, LayerRows, Stage

To = Literal["zero", "mean", "uniform"]


@dataclass(frozen=True)
class Ablate(Intervention):
    """Takes away what a head finds out, before its output goes into the joining matrix.

    - "zero": the head puts out nothing (Michel et al. 2019, "Are Sixteen Heads Really Better than One?", section 2.3,
      whose mask variable of the head is 0). Its weights are still shown; nobody reads what they give.
    - "mean": every position gets the mean of the head's output over all positions, so that only what differs between
      words is lost.
    - "uniform": the head looks equally at all that it may see, so that only its choice is lost.

    Attributes:
        where: the heads.
        to: one of the three.

    Raises:
        InputError: `to` is none of them.

    >>> Ablate(Heads("encoder", layer=2, head=5)).to
    'zero'
    """

    where: Heads
    to: To = "zero"

    def __post_init__(self) -> None:
        if self.to not in ("zero", "mean", "uniform"):
            raise InputError('`to` has to be "zero", "mean" or "uniform", not {0!r}.', self.to)

    @property
    def stage(self) -> Stage:  # type: ignore[override]
        """Equal weights are weights; the others replace the output as a whole."""
        return "weights" if self.to == "uniform" else "output"

    @property
    def needs_whole_maps(self) -> bool:
        """A head that puts out nothing does so for each position alone."""
        return self.to != "zero"

    def change(self, values: Tensor, at: LayerRows) -> Tensor:
        """Equal weights on what may be seen; a row that may see nothing stays 0."""
        allowed = at.allowed.to(values.dtype)
        return allowed / allowed.sum(dim=-1, keepdim=True).clamp_min(1.0)

    def change_output(self, output: Tensor) -> Tensor:
        """Nothing, or the mean over the positions: (heads, queries, value_dim)."""
        if self.to == "zero":
            return torch.zeros_like(output)
        return output.mean(dim=1, keepdim=True).expand_as(output)
