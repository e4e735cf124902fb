"""Sums over texts from which shares and their intervals come; those of two parts of a corpus are added.

For a role, text i has n_i rows that count, and a head scores x_i in them. Its value is Σx / Σn. Rows of one text are
not independent, so the variance is that of a ratio over texts (Cochran 1977, "Sampling Techniques", section 6.3):

    Σ (x_i - value · n_i)² / (Σn)² · m / (m - 1)   with m texts,

for which Σx², Σxn and Σn² are enough. The interval is Wilson's (1927) with as many independent rows as give that
variance (Korn & Graubard 1998), so that it stays within [0, 1] and is not empty where a head is always right.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Z = 1.959964
"""Of a 95 % interval."""


@dataclass
class Sums:
    """Sums of some columns (roles, or offsets) for the layers and heads of one kind.

    Attributes:
        score, square, product: (columns, layers, heads) Σx, Σx², Σxn.
        baseline: (columns, layers) Σ of what attention spread evenly scores.
        rows, rows_square, texts: (columns, layers) Σn, Σn², m.
    """

    score: np.ndarray
    square: np.ndarray
    product: np.ndarray
    baseline: np.ndarray
    rows: np.ndarray
    rows_square: np.ndarray
    texts: np.ndarray

    @classmethod
    def zeros(cls, columns: int, layers: int, heads: int) -> Sums:
        """Nothing counted yet."""
        big, small = (columns, layers, heads), (columns, layers)
        return cls(*(np.zeros(big) for _ in range(3)), *(np.zeros(small) for _ in range(4)))

    def add(self, layer: int, scores: np.ndarray, rows: np.ndarray, baseline: np.ndarray) -> None:
        """Counts the texts of a batch in one layer.

        Args:
            layer: which.
            scores: (texts, heads, columns) x_i.
            rows: (texts, columns) n_i.
            baseline: (texts, columns).
        """
        scores, rows = scores.astype(np.float64), rows.astype(np.float64)
        self.score[:, layer] += scores.sum(axis=0).T
        self.square[:, layer] += (scores * scores).sum(axis=0).T
        self.product[:, layer] += np.einsum("thc,tc->ch", scores, rows)
        self.baseline[:, layer] += baseline.astype(np.float64).sum(axis=0)
        self.rows[:, layer] += rows.sum(axis=0)
        self.rows_square[:, layer] += (rows * rows).sum(axis=0)
        self.texts[:, layer] += (rows > 0).sum(axis=0)

    def __iadd__(self, other: Sums) -> Sums:
        for name, value in vars(other).items():
            setattr(self, name, getattr(self, name) + value)  # what comes from another process is read-only
        return self

    def values(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Value, low, high (columns, layers, heads) and baseline (columns, layers); NaN where nothing was counted."""
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.clip(self.score / self.rows[:, :, None], 0.0, 1.0)  # float32 may give 1 + 1e-7
            deviation = self.square - 2 * value * self.product + value**2 * self.rows_square[:, :, None]
            texts = self.texts[:, :, None]
            variance = np.maximum(deviation, 0.0) / self.rows[:, :, None] ** 2 * texts / np.maximum(texts - 1, 1)
            low, high = interval(value, variance, texts)
            return value, low, high, self.baseline / self.rows


def interval(value: np.ndarray, variance: np.ndarray, texts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Wilson's 95 % interval of shares with the given variance.

    Args:
        value: in [0, 1].
        variance: of the value over texts; where it is 0, each text counts as one independent row.
        texts: how many there are.

    >>> [float(end.round(3)) for end in interval(np.array(0.5), np.array(0.0025), np.array(100))]
    [0.404, 0.596]
    """
    spread = value * (1 - value)
    count = np.where(variance > 1e-12, spread / np.maximum(variance, 1e-12), texts)
    count = np.where(spread > 1e-9, count, texts).clip(min=1)
    middle = (value + Z**2 / (2 * count)) / (1 + Z**2 / count)
    half = Z / (1 + Z**2 / count) * np.sqrt(np.maximum(spread / count + Z**2 / (4 * count**2), 0.0))
    return np.maximum(middle - half, 0.0), np.minimum(middle + half, 1.0)


def ratio_interval(correct: np.ndarray, cluster: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 95 % interval of a share whose instances come in clusters, such as those of one sentence.

    Args:
        correct: (instances, …) boolean.
        cluster: (instances,) which belong together.

    Returns:
        Low and high, each of the axes behind the first.
    """
    _, of_instance = np.unique(cluster, return_inverse=True)
    count = int(of_instance.max()) + 1
    hits = np.zeros((count, *correct.shape[1:]))
    np.add.at(hits, of_instance, correct)
    rows = np.bincount(of_instance).reshape(-1, *[1] * (correct.ndim - 1))
    value = correct.mean(axis=0)
    variance = ((hits - value * rows) ** 2).sum(axis=0) / len(correct) ** 2 * count / max(count - 1, 1)
    return interval(value, variance, np.array(count))
