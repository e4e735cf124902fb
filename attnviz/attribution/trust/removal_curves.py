"""Whether the tokens that an attribution names matter to the model: they are removed, and the prediction is watched.

tokens, most important first ─ removed one after another ─ does the probability fall?       comprehensiveness
                            └ kept one after another ── does it come back?                  sufficiency
each token removed alone ─ in the order of the attribution?                                 blank-out correlation
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attnviz.attribution.contributions.occlusion import Missing, check_missing, without_tokens
from attnviz.attribution.contributions.path_integral import Progress
from attnviz.attribution.explained import Explained
from attnviz.attribution.methods import recorded_text
from attnviz.attribution.reading import Reading, check_precision
from attnviz.attribution.result import Attribution
from attnviz.attribution.trust.rank_correlation import spearman
from attnviz.errors import InputError
from attnviz.models.model import Model
from attnviz.models.recording.recording import Recording

POINTS = 20
"""Of a curve: for a long text tokens are removed several at a time."""
MOST_SEARCHED = 24
"""Tokens up to which the best order is looked for; each needs a pass for each of the others."""


@dataclass(frozen=True, slots=True, eq=False)
class Faithfulness:
    """What the prediction does when tokens are removed.

    Attributes:
        order: the tokens that were removed, as indices into `Attribution.tokens`, the most important first. Special
            tokens stay, and so does the one at the explained row, which knows of itself.
        counts: int (points,): how many are removed, from 0 to all.
        removed: float64 (points,) in [0, 1]: the probability without so many of the most important.
        kept: float64 (points,) in [0, 1]: the probability with so many of the most important, and none of the others.
        random: float64 (orders, points): as `removed`, in random orders.
        best: float64 (points,): as `removed`, each time without the token whose loss lowers the probability most (a
            greedy search, so not the best of all orders); None for more than `MOST_SEARCHED` tokens.
        alone: float64 (tokens removed,): how far the probability falls without each alone, in the order of `order`.
        blank_out: Spearman's correlation of the attribution with `alone` (Abnar & Zuidema 2020, "Quantifying Attention
            Flow in Transformers", section 4), in [-1, 1]; NaN where either gives all tokens the same.
        missing: how they were removed: "hide" or "replace".
    """

    order: tuple[int, ...]
    counts: np.ndarray
    removed: np.ndarray
    kept: np.ndarray
    random: np.ndarray
    best: np.ndarray | None
    alone: np.ndarray
    blank_out: float
    missing: Missing

    @property
    def comprehensiveness(self) -> float:
        """How far the probability falls without the most important tokens, the mean over the curve: the higher, the
        better (DeYoung et al. 2020, "ERASER", section 4.2, aggregated)."""
        return _area(self.removed)

    @property
    def sufficiency(self) -> float:
        """How far the probability stays below the whole text's with the most important alone, the mean over the curve:
        the lower, the better (the same section)."""
        return float(np.mean(self.kept[-1] - self.kept[:-1]))

    @property
    def random_comprehensiveness(self) -> float:
        """The same as `comprehensiveness`, the mean over the random orders."""
        return float(np.mean([_area(curve) for curve in self.random]))


def _area(curve: np.ndarray) -> float:
    return float(np.mean(curve[0] - curve[1:]))


def faithfulness(
    model: Model,
    text: str | Recording,
    result: Attribution,
    missing: Missing | None = None,
    orders: int = 10,
    seed: int = 0,
    beside: Faithfulness | None = None,
    progress: Progress | None = None,
) -> Faithfulness:
    """Removes tokens in the order of an attribution, in random orders and in the best one found.

    Args:
        model: which predicts.
        text: what was explained, as `attribute` took it; `result` knows the rest.
        result: of `attribute`.
        missing: "hide" (no token may look at them) or "replace" (by average vectors); None hides where the model
            allows it. Nothing is deleted, for this would move the tokens behind.
        orders: how many random ones, 1 or more.
        seed: of these.
        beside: of another method and the same prediction, from which the random and the best orders are taken over:
            they are most of the work.
        progress: is told what share is done.

    Raises:
        InputError: the text is another than the explained one, no token can be removed, nothing is predicted, or the
            model computes in half precision.
        NoAttentionError: the model hides nothing.

    >>> model = attnviz.load("bundled")
    >>> result = attribute(model, "Der Hund sah den Ball.", "occlusion", position=2)
    >>> faithfulness(model, "Der Hund sah den Ball.", result).blank_out
    1.0
    """
    explained = result.target
    check_precision(model)
    if explained.token is None:
        raise InputError("This attribution explains no prediction, so there is none to watch while tokens are removed.")
    if missing is None:
        missing = "hide" if model.recorder.plan.captures else "replace"
    check_missing(missing)
    if missing == "delete":
        raise InputError('Curves are drawn with `missing="hide"` or "replace": deleting moves the tokens behind.')
    if not isinstance(orders, int) or orders < 1:
        raise InputError("`orders` is a number of random orders, 1 or more, not {0!r}.", orders)
    recording = result.recording if isinstance(text, str) else recorded_text(model, text, None)
    reading = Reading(model, recording, explained.position)
    if reading.every_token != result.tokens or (isinstance(text, str) and not _is_of(text, recording, model)):
        raise InputError("This attribution is of another text. Pass the text that was explained.")
    tell = progress or _say_nothing
    watch = _Watch(reading, explained, missing)
    order = _order(reading, result)
    if beside is not None and (sorted(beside.order) != sorted(order) or beside.missing != missing):
        raise InputError("`beside` is of another text or another prediction. Pass one of the same, or None.")
    if not order:
        raise InputError("This text has no token that could be removed: all are special or stand at the explained row.")
    size = len(order)
    counts = np.unique(np.linspace(0, size, min(size, POINTS) + 1).round().astype(int))
    generator = np.random.default_rng(seed)
    random_orders = [generator.permutation(order) for _ in range(orders)]
    with model.recorder.exclusive():
        removed = watch.probabilities([order[:count] for count in counts])
        kept = watch.probabilities([order[count:] for count in counts])
        alone = removed[0] - watch.probabilities([[at] for at in order])
        tell(0.1)
        if beside is not None:
            random, best = beside.random, beside.best
        else:
            random = watch.probabilities([one[:count] for one in random_orders for count in counts])
            random = random.reshape(orders, len(counts))
            tell(0.4)
            best = watch.best_curve(order, tell)[counts] if size <= MOST_SEARCHED else None
    return Faithfulness(
        order=tuple(order),
        counts=counts,
        removed=removed,
        kept=kept,
        random=random,
        best=best,
        alone=alone,
        blank_out=spearman(result.values[order], alone),
        missing=missing,
    )


def _say_nothing(done: float) -> None:
    """Where nobody asked for progress."""


def _is_of(text: str, recording: Recording, model: Model) -> bool:
    """Whether a recording is of this text."""
    source = recording.key_tokens("cross") if "cross" in recording.kinds else recording.query_tokens(recording.kinds[0])
    ids = tuple(token.id for token in source)
    read = model.inputs.encode(text).ids
    return ids == read or ids[: len(read)] == read


def _order(reading: Reading, result: Attribution) -> list[int]:
    """The tokens that can be removed, the most important first; of equal ones the first first."""
    own = reading.position + (len(reading.tokens["source"]) if reading.is_paired else 0)
    able = [at for at, token in enumerate(reading.every_token) if not token.special and at != own]
    return sorted(able, key=lambda at: -result.values[at])


@dataclass(frozen=True, slots=True)
class _Watch:
    """The probability of the explained token, without some tokens."""

    reading: Reading
    explained: Explained
    missing: Missing

    def probabilities(self, choices: list) -> np.ndarray:
        """float64 (choices,): each choice is a list of tokens that are missing."""
        removed = np.zeros((len(choices), len(self.reading.every_token)), dtype=bool)
        for row, choice in enumerate(choices):
            removed[row, list(choice)] = True
        different, index = np.unique(removed, axis=0, return_inverse=True)
        values = np.empty(len(different))
        for rows, logits in without_tokens(self.reading, different, self.missing):
            values[rows] = self.explained.probabilities(logits).double().cpu().numpy()
        return values[index.reshape(-1)]

    def best_curve(self, tokens: list[int], tell: Progress) -> np.ndarray:
        """float64 (tokens + 1,): each time the token goes whose loss lowers the probability most."""
        gone: list[int] = []
        curve = [float(self.probabilities([[]])[0])]
        while len(gone) < len(tokens):
            left = [at for at in tokens if at not in gone]
            values = self.probabilities([[*gone, at] for at in left])
            gone.append(left[int(values.argmin())])
            curve.append(float(values.min()))
            tell(0.4 + 0.6 * len(gone) / len(tokens))
        return np.array(curve)
