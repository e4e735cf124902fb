"""How far several methods say the same about one prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from attnviz.attribution.contributions.path_integral import Progress
from attnviz.attribution.methods import METHODS, attribute, attribute_recording
from attnviz.attribution.result import Attribution
from attnviz.attribution.trust.rank_correlation import kendall, spearman
from attnviz.errors import AttnvizError, EmptyError, InputError
from attnviz.models.model import Model
from attnviz.models.recording.recording import Recording


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Several methods and how alike they order the tokens.

    Attributes:
        results: what each of them says, in the order asked for.
        refused: for each method that does not apply to this model or text, why.
        spearman, kendall: float64 (methods, methods) over `results`, in [-1, 1]; NaN where a method gives all tokens
            the same.
    """

    results: tuple[Attribution, ...]
    refused: dict[str, AttnvizError]
    spearman: np.ndarray
    kendall: np.ndarray

    @property
    def methods(self) -> tuple[str, ...]:
        """Their names, as rows and columns have them."""
        return tuple(result.method for result in self.results)


def agreement(
    model: Model,
    text: str | Recording,
    methods: Sequence[str] = tuple(METHODS),
    position: int | None = None,
    token: int | str | None = None,
    against: int | str | None = None,
    target: str | None = None,
    steps: int = 64,
    progress: Progress | None = None,
) -> Agreement:
    """Explains one prediction by several methods and compares in which order they put the tokens.

    Args:
        model, text, position, token, against, target, steps: as for `attribute`.
        methods: keys of `METHODS`, at least one.
        progress: is told what share is done.

    Raises:
        InputError: there is no such method, or the prediction cannot be found. A method that does not apply is no
            error but named in `refused`.

    >>> agreement(attnviz.load("bundled"), "Der Hund sah den Ball.", ["attention", "norms"]).spearman.shape
    (2, 2)
    """
    if not methods:
        raise EmptyError("There is no method to compare. Pass at least one of: {0}.", ", ".join(METHODS))
    unknown = [method for method in methods if method not in METHODS]
    if unknown:
        raise InputError("There is no method {0!r}. Choose one of: {1}.", unknown[0], ", ".join(METHODS))
    first = attribute(model, text, "attention", position, token, against, target)
    results, refused = [], {}
    for done, method in enumerate(methods):
        try:
            results.append(attribute_recording(model, first.recording, first.target, method, steps=steps))
        except AttnvizError as error:
            refused[method] = error
        if progress is not None:
            progress((done + 1) / len(methods))
    tables = [
        np.array([[measure(one.values, other.values) for other in results] for one in results])
        for measure in (spearman, kendall)
    ]
    return Agreement(tuple(results), refused, *tables)
