"""From logits to a choice: what temperature, top-k and top-p make of a distribution, and which token is taken."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from attnviz.errors import InputError

Name = Literal["greedy", "beam", "sample"]

MOST_BEAMS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """What a model says about the next token.

    Attributes:
        logits: float32 (vocabulary,), as the model's language head gave them.
    """

    logits: Tensor

    @property
    def probabilities(self) -> Tensor:
        """float32 (vocabulary,) in [0, 1]; they sum to 1."""
        return self.logits.softmax(dim=-1)

    def rank(self, index: int) -> int:
        """How many tokens are more likely than this one; 0 for the model's first choice."""
        return int((self.logits > self.logits[index]).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Shaped:
    """What a method made of a distribution.

    Attributes:
        logits: float32 (vocabulary,), -inf where a token was cut off.
        cut: in [0, 1], what share of the model's own probability was cut off.
    """

    logits: Tensor
    cut: float

    @property
    def probabilities(self) -> Tensor:
        """float32 (vocabulary,) in [0, 1]; 0 where a token was cut off, and they sum to 1."""
        return self.logits.softmax(dim=-1)

    @property
    def candidates(self) -> Tensor:
        """bool (vocabulary,): whether a token can still be drawn."""
        return self.logits > -math.inf


def _check_shape(temperature: float, top_k: int, top_p: float) -> None:
    if not (temperature > 0 and math.isfinite(temperature)):
        raise InputError("A temperature is a number over 0, not {0}. For the likeliest token take greedy.", temperature)
    if top_k < 0:
        raise InputError("top_k is a number of tokens, or 0 for all, not {0}.", top_k)
    if not 0 < top_p <= 1:
        raise InputError("top_p is a probability over 0 and up to 1, not {0}.", top_p)


def shape(distribution: Distribution, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Shaped:
    """Divides the logits by the temperature, then cuts off the unlikely tokens: first by number, then by probability.

    p_i = exp(z_i / T) / Σ_j exp(z_j / T) (Ackley, Hinton & Sejnowski 1985, section 2); the k likeliest of these (Fan,
    Lewis & Dauphin 2018, section 5.4; those as likely as the k-th stay); then the smallest set of the likeliest whose
    probabilities reach p (Holtzman et al. 2020, section 3.1), at least one token.

    Args:
        distribution: what the model says.
        temperature: over 0.
        top_k: 1 or more, or 0 for all.
        top_p: in (0, 1].

    Raises:
        InputError: a value is out of its range.

    >>> found = shape(Distribution(torch.tensor([2.0, 1.0, 0.0])), top_k=2)
    >>> found.candidates.tolist(), round(found.cut, 3)
    ([True, True, False], 0.09)
    """
    _check_shape(temperature, top_k, top_p)
    logits = distribution.logits / temperature
    if 0 < top_k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(top_k).values[-1], -math.inf)
    if top_p < 1:
        ascending, order = logits.sort()
        # A token goes where it and all less likely ones together have no more than what may be missing.
        goes = ascending.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
        goes[-1] = False
        logits = logits.masked_fill(torch.zeros_like(goes).scatter(0, order, goes), -math.inf)
    cut = float(distribution.probabilities[logits == -math.inf].sum())
    return Shaped(logits, min(cut, 1.0))


@dataclass(frozen=True, slots=True)
class Method:
    """How the next token is chosen.

    Attributes:
        name: "greedy" takes the likeliest token, "sample" draws one, "beam" follows several texts at a time.
        width: of the beam, 1 to 10 texts.
        temperature: over 0; logits are divided by it, so less than 1 sharpens and more flattens.
        top_k: only the k likeliest tokens are drawn from; 0 for all.
        top_p: only the likeliest tokens that together reach this probability are drawn from, in (0, 1]; 1 for all.
        seed: what the draws come from; the same seed draws the same.

    Raises:
        InputError: a value is out of its range.
    """

    name: Name = "greedy"
    width: int = 4
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in get_args(Name):
            raise InputError("A method is {0}, not {1!r}.", ", ".join(map(repr, get_args(Name))), self.name)
        if not 1 <= self.width <= MOST_BEAMS:
            raise InputError("A beam is 1 to {0} texts wide, not {1}.", MOST_BEAMS, self.width)
        _check_shape(self.temperature, self.top_k, self.top_p)

    def shape(self, distribution: Distribution) -> Shaped:
        """What this method makes of a distribution; all of "greedy" goes to one token, "beam" leaves it as it is."""
        if self.name == "sample":
            return shape(distribution, self.temperature, self.top_k, self.top_p)
        if self.name == "beam":
            return Shaped(distribution.logits, 0.0)
        best = int(distribution.logits.argmax())
        logits = torch.full_like(distribution.logits, -math.inf)
        logits[best] = distribution.logits[best]
        return Shaped(logits, 1.0 - float(distribution.probabilities[best]))

    def choose(self, distribution: Distribution, position: int) -> int:
        """The token that greedy search takes or that is drawn at a position of the written text.

        The draw turns one number between 0 and 1 into a token: the likeliest come first, each as wide as its
        probability. The number depends on the seed and the position alone, so that another choice earlier in the text
        changes what there is to draw from and not the luck.
        """
        shaped = self.shape(distribution)
        if self.name != "sample":
            return int(shaped.logits.argmax())
        luck = random.Random(f"{self.seed} {position}").random()
        ordered, order = shaped.probabilities.double().sort(descending=True, stable=True)
        reached = ordered.cumsum(dim=0)
        drawn = int((reached < luck * float(reached[-1])).sum())
        return int(order[min(drawn, int(shaped.candidates.sum()) - 1)])


GREEDY = Method()
