"""`Attribution`: how much each token contributed to a prediction, by one method."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from attnviz.attribution.explained import Explained
from attnviz.models.recording.recording import Recording
from attnviz.tokenization.token import Token


@dataclass(frozen=True, slots=True, eq=False)
class Attribution:
    """What each token contributed to a prediction.

    Attributes:
        method: a key of `METHODS`.
        target: what was explained.
        tokens: the source, and behind it, for an encoder–decoder, what it had read of its target; for a decoder the
            text up to the row.
        values: float32 (tokens,), one for each; not to be written to. Their range is the method's: see `METHODS`.
        source_length: how many of the tokens are the source's.
        delta: how far the values miss what they should add up to, as a share of it, 0 or more; None for methods that
            promise no sum.
        recording: of the text, which other functions take over.
    """

    method: str
    target: Explained
    tokens: tuple[Token, ...]
    values: np.ndarray
    source_length: int
    delta: float | None
    recording: Recording = field(repr=False)

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float32)
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    @property
    def source_values(self) -> np.ndarray:
        """float32 (source tokens,)."""
        return self.values[: self.source_length]

    def summary(self, count: int = 3) -> str:
        """One line with the tokens that contributed most, of either sign.

        >>> attribute(attnviz.load("bundled"), "Der Hund sah den Ball.", "norms", position=2).summary(1)
        'norms: "dog" because of "Hund" 0.50'
        """
        order = np.argsort(-np.abs(self.values), kind="stable")[:count]
        named = ", ".join(f'"{self.tokens[at].text.strip()}" {self.values[at]:.2f}' for at in order)
        return f'{self.method}: "{self.target.text.strip()}" because of {named}'
