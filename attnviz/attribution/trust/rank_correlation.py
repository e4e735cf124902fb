"""How far two lists of numbers put things in the same order."""

from __future__ import annotations

import numpy as np


def ranks(values: np.ndarray) -> np.ndarray:
    """The rank of each value, from 1; equal values share the mean of their ranks: float64 (n,).

    >>> ranks(np.array([0.5, 2.0, 0.5])).tolist()
    [1.5, 3.0, 1.5]
    """
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[index]


def spearman(first: np.ndarray, second: np.ndarray) -> float:
    """Spearman's rank correlation, in [-1, 1]: Pearson's of the ranks; NaN where either has no two different values.

    >>> spearman(np.array([1, 2, 3]), np.array([10, 20, 15]))
    0.5
    """
    one, other = (ranks(values) - (len(values) + 1) / 2 for values in (first, second))
    scale = np.sqrt((one**2).sum() * (other**2).sum())
    return float((one * other).sum() / scale) if scale > 0 else float("nan")


def kendall(first: np.ndarray, second: np.ndarray) -> float:
    """Kendall's rank correlation τ-b, in [-1, 1] (Kendall 1945, "The Treatment of Ties in Ranking Problems").

    The pairs in the same order less those in the opposite one, divided by the geometric mean of how many pairs each
    list orders at all; NaN where one orders none.

    >>> round(kendall(np.array([1, 2, 3]), np.array([10, 20, 15])), 4)
    0.3333
    """
    one, other = (np.sign(values[:, None] - values[None, :]) for values in (first, second))
    scale = np.sqrt(np.abs(one).sum() * np.abs(other).sum())
    return float((one * other).sum() / scale) if scale > 0 else float("nan")
