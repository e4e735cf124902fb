"""How far two heads are apart, and where they differ."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention.attention_map import AttentionMap
from attnviz.measures.correspondence import aligned
from attnviz.measures.rows import STACKED, Prepare, iterate_maps, row_outcomes, whole_rows
from attnviz.tokenization.token import Token

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording


MOST_WORK = 50_000_000
LEAST_ROWS, LEAST_KEYS = 8, 32
"""What `divergences` compares: so many numbers over all pairs of heads, but no fewer rows and groups of keys."""


# How far two heads are apart -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """One map minus another; made by `difference`.

    Attributes:
        weights: float32 (query, key) in [-1, 1].
        query_tokens, key_tokens: what the rows and the columns stand for, as the first map has them.
        name: "L2 H5 − L1 H3", with model and kind where these differ.
        divergence: how far apart they are, in [0, 1]; see `divergence`.
        a, b: the two maps, `aligned`.
    """

    weights: np.ndarray
    query_tokens: tuple[Token, ...]
    key_tokens: tuple[Token, ...]
    name: str
    divergence: float
    a: AttentionMap
    b: AttentionMap

    def __repr__(self) -> str:
        return f"Difference({self.name}: {len(self.query_tokens)} queries × {len(self.key_tokens)} keys)"

    @property
    def query_labels(self) -> tuple[str, ...]:
        """Readable, unique labels of the rows."""
        return self.a.query_labels

    @property
    def key_labels(self) -> tuple[str, ...]:
        """Readable, unique labels of the columns."""
        return self.a.key_labels


def difference(a: AttentionMap, b: AttentionMap) -> Difference:
    """What the first map has more of than the second, cell by cell, once they are `aligned`.

    Raises:
        InputError: their tokens do not correspond, and why.

    Example:
        >>> pieces = (Token(7, "a", False, 0, 0, 1), Token(8, "b", False, 1, 2, 3))
        >>> one = AttentionMap.of([[1, 0], [0.5, 0.5]], pieces, pieces, layer=2, head=5)
        >>> other = AttentionMap.of([[0.5, 0.5], [0.5, 0.5]], pieces, pieces, layer=1, head=3)
        >>> found = difference(one, other)
        >>> found.name, found.weights.tolist(), round(found.divergence, 3)
        ('L2 H5 − L1 H3', [[0.5, -0.5], [0.0, 0.0]], 0.156)
    """
    a, b = aligned(a, b)
    origins = [
        [one.model if a.model != b.model else "", one.kind if a.kind != b.kind else "", one.name] for one in (a, b)
    ]
    return Difference(
        weights=a.weights - b.weights,
        query_tokens=a.query_tokens,
        key_tokens=a.key_tokens,
        name=" − ".join(" ".join(part for part in origin if part) for origin in origins),
        divergence=_divergence(a, b),
        a=a,
        b=b,
    )


def divergence(a: AttentionMap, b: AttentionMap) -> float:
    """How far apart two maps are: 0 where they are the same, 1 where no row has a key in common.

    The Jensen–Shannon divergence of two rows p and q, H((p + q) / 2) - (H(p) + H(q)) / 2 with entropies H in bits
    (Lin 1991, "Divergence Measures Based on the Shannon Entropy"); mean over rows. What is hidden counts as one more
    key, so that rows are whole; in renormalised maps only what is shown counts. Each row is divided by its sum, which
    matters in a maximum. Maps of which no row is shown are 0 apart.

    Raises:
        InputError: their tokens do not correspond, and why; see `aligned`.

    Example:
        >>> pieces = (Token(7, "a", False, 0, 0, 1), Token(8, "b", False, 1, 2, 3))
        >>> one, other = ([[1, 0], [0, 1]], [[1, 0], [1, 0]])
        >>> divergence(AttentionMap.of(one, pieces, pieces), AttentionMap.of(other, pieces, pieces))
        0.5
    """
    return _divergence(*aligned(a, b))


def _divergence(a: AttentionMap, b: AttentionMap) -> float:
    p, q = (whole_rows(map).astype(np.float64) for map in (a, b))
    if not len(p):
        return 0.0
    rows = _negentropy((p + q) / 2) - (_negentropy(p) + _negentropy(q)) / 2
    return float(np.clip(-rows, 0.0, 1.0).mean())


def _negentropy(rows: np.ndarray) -> np.ndarray:
    """Σ p log₂ p of each row."""
    return (rows * np.log2(np.where(rows > 0, rows, 1.0))).sum(axis=-1)


def resolution(layers: int, heads: int, queries: int, keys: int) -> tuple[int, int]:
    """How many query rows and how many groups of keys `divergences` compares for a recording of this size.

    As many as `MOST_WORK` numbers over all pairs allow, first rows, then keys, but no fewer than `LEAST_ROWS` and
    `LEAST_KEYS`. All of them for 72 heads and up to 138 tokens.

    >>> resolution(6, 12, 16, 16), resolution(6, 12, 256, 256), resolution(24, 16, 1000, 1000)
    ((16, 16), (76, 256), (8, 83))
    """
    pairs = max(1, (layers * heads) * (layers * heads - 1) // 2)
    each = MOST_WORK // pairs
    rows = min(queries, max(LEAST_ROWS, each // (keys + 1)))
    return rows, min(keys, max(LEAST_KEYS, each // max(1, rows) - 1))


def divergences(recording: Recording, kind: str, prepare: Prepare | None = None) -> np.ndarray:
    """How far apart any two heads of a recording are; what is compared, `resolution` says.

    Args:
        kind, prepare: as in `measure_all`; `prepare` has to leave the same tokens in all maps.

    Returns:
        float64 (head, head) in [0, 1], of all layers: head h of layer l is at l * heads + h where all layers have
        as many heads, and else behind those of the layers before. Symmetric, 0 on the
        diagonal. Where not all rows can be compared, it is the mean over some that are evenly spaced; where not all
        keys can, neighbours are taken together, which can make heads only more alike than they are.

    Raises:
        InputError: there is no such kind.

    Example:
        >>> divergences(attnviz.load("bundled").record("Der Hund sah den Ball."), "encoder").shape
        (32, 32)
    """
    layers, heads, _queries, _keys = recording.size(kind)
    rows: np.ndarray | None = None
    count = sum(recording.heads(kind, layer) for layer in range(layers))
    index = 0
    for maps in iterate_maps(recording, kind, prepare):
        for map in maps:
            if rows is None:
                height, width = resolution(layers, heads, *map.weights.shape)
                rows = np.empty((count, height * (width + 1)), dtype=np.float32)
            rows[index] = _sample(map, height, width).ravel()
            index += 1
    assert rows is not None
    return _pairwise(rows, height)


def _sample(map: AttentionMap, height: int, width: int) -> np.ndarray:
    """(height, width + 1): whole rows, evenly spaced, with neighbouring keys summed into groups."""
    queries, keys = map.weights.shape
    if height < queries:
        # In the middle of as many stretches; the tokens of the rows play no part any more.
        chosen = (2 * np.arange(height) + 1) * queries // (2 * height)
        map = dataclasses.replace(map, weights=map.weights[chosen], hidden_mass=map.hidden_mass[chosen])
    shown, rest = row_outcomes(map)
    if width < keys:
        starts = -(-np.arange(width) * keys // width)  # rounded up, as `Recording.pooled` divides them
        shown = np.add.reduceat(shown, starts, axis=1)
    return np.concatenate([shown, rest[:, None]], axis=1)


def _pairwise(vectors: np.ndarray, rows: int) -> np.ndarray:
    """(head, head) divergences of vectors (head, rows × keys), each of `rows` distributions.

    With f(x) = Σ x ln x over all numbers of a vector and s = p + q, the mean over rows is
    1 + (f(p) + f(q) - f(s)) / (2 rows ln 2), because f(s / 2) = f(s) / 2 - rows ln 2. One logarithm for each number.
    """
    count, size = vectors.shape
    result = np.zeros((count, count))
    if not rows:
        return result
    # A block of sums stays within the processor's cache.
    step = max(1, STACKED // size)
    buffer = np.empty((2, min(step, count), size), dtype=np.float32)
    tiny = np.finfo(np.float32).tiny

    def function(sums: np.ndarray) -> np.ndarray:
        logarithms = buffer[1, : len(sums)]
        np.maximum(sums, tiny, out=logarithms)
        np.log(logarithms, out=logarithms)
        logarithms *= sums
        return logarithms.sum(axis=1).astype(np.float64)

    own = np.concatenate([function(vectors[start : start + step]) for start in range(0, count, step)])
    for one in range(count - 1):
        for start in range(one + 1, count, step):
            others = slice(start, min(start + step, count))
            sums = buffer[0, : others.stop - start]
            np.add(vectors[others], vectors[one], out=sums)
            result[one, others] = 1.0 + (own[one] + own[others] - function(sums)) / (2 * rows * np.log(2.0))
    # What rounding leaves of no difference at all.
    result[result < 2e-6] = 0.0
    return np.minimum(result + result.T, 1.0)
