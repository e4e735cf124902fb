"""Classical multidimensional scaling: a point in the plane for each head, from their distances."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.errors import InputError

if TYPE_CHECKING:
    pass


def multidimensional_scaling(distances: np.ndarray) -> np.ndarray:
    """A point in the plane for each head, so that heads that are alike are near each other.

    Classical multidimensional scaling (Torgerson 1952, "Multidimensional Scaling: I. Theory and Method") of the
    square roots of the divergences, which are a metric (Endres & Schindelin 2003, "A New Metric for Probability
    Distributions"). Distances in the plane are those square roots as far as two dimensions can show them.

    Args:
        distances: (head, head) divergences as `divergences` gives them, or any symmetric ones with a zero diagonal.

    Returns:
        float64 (head, 2), centred on 0, the first coordinate with the larger spread. Signs are fixed: the largest
        number of either coordinate is positive, the first one of equals. Heads that are the same fall together.

    Raises:
        InputError: the distances are no symmetric square of finite numbers.

    Example:
        >>> multidimensional_scaling(np.array([[0, 0.25], [0.25, 0]])).tolist()
        [[0.25, 0.0], [-0.25, 0.0]]
    """
    squares = np.asarray(distances, dtype=np.float64)
    count = len(squares)
    if squares.shape != (count, count) or not np.isfinite(squares).all() or not np.allclose(squares, squares.T):
        raise InputError(
            "Distances between heads have to be a symmetric square of numbers, not of the shape {0}.",
            squares.shape,
        )
    points = np.zeros((count, 2))
    if not count:
        return points
    centred = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    for axis, component in enumerate(range(count - 1, max(-1, count - 3), -1)):
        if values[component] > 1e-9:  # below, it is rounding
            vector = vectors[:, component]
            # Equals differ by rounding, so the first of the nearly largest decides.
            decisive = np.argmax(np.abs(vector) >= np.abs(vector).max() * (1 - 1e-6))
            points[:, axis] = vector * np.sign(vector[decisive]) * np.sqrt(values[component])
    return points
