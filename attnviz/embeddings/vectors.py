"""Arithmetic of vectors: cosines, the plane through two of them, principal components."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """Points along the axes on which they differ most.

    Attributes:
        points: float32 (points, axes), around their mean.
        shares: float32 (axes,) in [0, 1]: of the variance, by axis.
    """

    points: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True, slots=True)
class Plane:
    """Two vectors in the plane that they span, the first along its first axis.

    Attributes:
        product: a · b over all dimensions.
        lengths: ‖a‖ and ‖b‖.
        cosine: in [-1, 1]; 0 where a vector has no length.
        degrees: the angle, in [0, 180].
    """

    product: float
    lengths: tuple[float, float]
    cosine: float
    degrees: float

    @property
    def ends(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Where the two arrows end."""
        one, other = self.lengths
        sine = max(0.0, 1.0 - self.cosine**2) ** 0.5
        return (one, 0.0), (other * self.cosine, other * sine)


# Of vectors ---------------------------------------------------------------------------------------------------------


def cosines(vectors: np.ndarray) -> np.ndarray:
    """The cosine of each vector with each, over all dimensions.

    Args:
        vectors: (vectors, width).

    Returns:
        float32 (vectors, vectors) in [-1, 1]; 0 where a vector has no length.

    >>> cosines(np.array([[1.0, 0.0], [3.0, 3.0]])).astype(float).round(4).tolist()
    [[1.0, 0.7071], [0.7071, 1.0]]
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    units = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return np.clip(units @ units.T, -1.0, 1.0).astype(np.float32)


def plane(one: np.ndarray, other: np.ndarray) -> Plane:
    """Two vectors and their angle, over all dimensions: cos θ = a · b / (‖a‖ ‖b‖).

    >>> plane(np.array([2.0, 0.0]), np.array([1.0, 1.0])).degrees
    45.0
    """
    one, other = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    product = float(one @ other)
    lengths = float(np.linalg.norm(one)), float(np.linalg.norm(other))
    cosine = product / (lengths[0] * lengths[1]) if all(lengths) else 0.0
    cosine = min(1.0, max(-1.0, cosine))
    return Plane(product, lengths, cosine, round(math.degrees(math.acos(cosine)), 9))


def components(vectors: np.ndarray, axes: int = 3) -> Components:
    """Principal components, from the singular values of the centred vectors (Pearson 1901; Jolliffe 2002, 3.5).

    Args:
        vectors: (points, width).
        axes: how many. Of two points there is one axis with anything on it; the others are zero.

    Returns:
        The points, and the share of the variance that each axis keeps. Of an axis' two directions, the one in which
        the farthest point is positive, so that the same points give the same picture.

    >>> components(np.array([[0.0, 1.0], [4.0, 1.0]]), axes=1).points.tolist()
    [[2.0], [-2.0]]
    """
    centred = np.asarray(vectors, dtype=np.float64)
    centred = centred - centred.mean(axis=0)
    left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    scores = left * sizes  # (points, rank)
    leading = scores[:, :axes]
    points = np.zeros((len(centred), axes))
    points[:, : leading.shape[1]] = leading
    farthest = points[np.abs(points).argmax(axis=0), np.arange(axes)]
    points *= np.where(farthest < 0, -1.0, 1.0)
    variance = sizes**2
    shares = np.zeros(axes)
    if variance.sum() > 0:
        shares[: leading.shape[1]] = (variance / variance.sum())[:axes]
    return Components(points.astype(np.float32), shares.astype(np.float32))
