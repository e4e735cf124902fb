"""What a head does, in numbers; how far two heads are apart, and where they differ.

    a map, or all of a recording ─ measure, measure_all ─ Measures
    two maps ─ aligned ─ divergence, difference ─ Difference
    all heads of a recording ─ divergences ─ placed ─ a point for each head

Works on numpy arrays; asks a recording for its maps and knows no torch.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.aggregate import each_head
from attnviz.attention.attention_map import AttentionMap
from attnviz.errors import InputError
from attnviz.measures.correspondence import aligned
from attnviz.tokenization.tokenizer import Token

if TYPE_CHECKING:
    from attnviz.models.recording import Recording


Prepare = Callable[[AttentionMap], AttentionMap]
"""What is done to each map before it is measured, such as `lambda map: map.hide(is_special).by_word()`."""

STACKED = 1 << 16
"""Weights of a map up to which the heads of a layer are measured at once; a larger one fills the processor's cache."""

MAINLY = 0.5
"""A head is called by what gets more than this share of its attention; Clark et al. 2019, section 3.1, count so too."""

BROADLY = 0.9
"""A head is called broad from this evenness on: our own choice. 13 of 17 keys alike, and next to nothing for the other
four, come to it."""

MOST_WORK = 50_000_000
LEAST_ROWS, LEAST_KEYS = 8, 32
"""What `divergences` compares: so many numbers over all pairs of heads, but no fewer rows and groups of keys."""

NOTHING = 1e-12
"""A row with less than this is taken for empty; 1e-7 is the rounding of a whole one."""

# What one head does --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Measures:
    """What a head does with one text. NaN where there is no such thing, as the previous token in cross-attention.

    A row's shares are its weights as the map shows them: where tokens are hidden and rows not renormalised, they are
    shares of the whole row all the same. Entropy, evenness and distance need rows that sum to 1, so these are divided
    by what is shown of them, and a row of which nothing is shown does not count. The rows of a maximum are divided by
    their sums first. Positions count as they stand in the map: with tokens hidden, the previous one is the previous
    one shown; by words, it is the previous word.

    Attributes:
        layer, head: None where several were put together.
        entropy: in bits, of a row: -Σ p log₂ p (Shannon 1948; for heads Clark et al. 2019, "What Does BERT Look At?",
            section 3.3); mean over rows. 0 looks at one key, log₂ of the number of keys at all alike.
        distance: in tokens, of a row: Σ p |query - key| (Vig & Belinkov 2019, "Analyzing the Structure of Attention
            in a Transformer Language Model"); mean over rows.
        previous, next: in [0, 1], share to the token before and after (Clark et al. 2019, section 3.1); mean over the
            rows that have one, all but the first or the last. A causal decoder cannot look at the next: 0.
        own: in [0, 1], share to the token itself; mean over rows.
        first: in [0, 1], share to the first key, whatever it is; mean over rows, the first one's own among them.
        special: in [0, 1], share to all special tokens (Clark et al. 2019, section 3.2); mean over rows. NaN where
            the map shows none.
        evenness: in [0, 1], the entropy as a share of the greatest that rows with as many keys could have, over rows
            (Pielou 1966, "The measurement of diversity in different types of biological collections"). Only keys with
            any weight count, so that a causal row is compared with what it may see. NaN where every row sees one key.

    Distance, previous, next and own are NaN in cross-attention, where position 3 of the source is not the place of
    position 3 of the target, and where the rows are not the tokens of the columns, as after `average_queries`.
    """

    layer: int | None
    head: int | None
    entropy: float
    distance: float
    previous: float
    next: float
    own: float
    first: float
    special: float
    evenness: float

    @property
    def character(self) -> str | None:
        """What the head mostly does, where that is clear; else None.

        "previous", "next", "own" or "first" where that gets more than `MAINLY` of the attention, and more than the
        other three; else "special" where special tokens get more than that; else "broad" where the attention is as
        even as `BROADLY`.

        >>> Measures(2, 5, 0.8, 1.1, 0.86, 0.0, 0.05, 0.1, math.nan, 0.3).character
        'previous'
        """
        places = {name: getattr(self, name) for name in ("previous", "next", "own", "first")}
        known = {name: share for name, share in places.items() if share > MAINLY}  # NaN is not
        if known:
            return max(known, key=known.__getitem__)
        if self.special > MAINLY:
            return "special"
        return "broad" if self.evenness >= BROADLY else None


def measure(map: AttentionMap) -> Measures:
    """What one map shows, in numbers; whatever it is: tokens or words, some hidden, heads put together.

    Example:
        >>> pieces = tuple(Token(7 + i, text, False, i, i, i + 1) for i, text in enumerate("abc"))
        >>> found = measure(AttentionMap.of([[1, 0, 0], [1, 0, 0], [0, 1, 0]], pieces, pieces, layer=2, head=5))
        >>> found.entropy, found.previous, found.own, found.character
        (0.0, 1.0, 0.3333333432674408, 'previous')
    """
    return _measured([map])[0]


def measure_all(recording: Recording, kind: str, prepare: Prepare | None = None) -> tuple[Measures, ...]:
    """What every head does: those of layer 0 first, `measures[layer * heads + head]`.

    Args:
        kind: "encoder", "decoder" or "cross".
        prepare: what is done to each map first, so that the numbers are those of what is shown. It has to leave the
            same tokens in all maps of a layer.

    Returns:
        Layers × heads of them. Memory is that of one layer's weights, for long inputs that of one head's.

    Raises:
        InputError: there is no such kind.

    Example:
        >>> len(measure_all(attnviz.load("bundled").record("Der Hund sah den Ball."), "encoder"))
        32
    """
    return tuple(found for maps in _maps(recording, kind, prepare) for found in _measured(maps))


def _maps(recording: Recording, kind: str, prepare: Prepare | None) -> Iterator[list[AttentionMap]]:
    """The maps of all heads, some with the same tokens at a time."""
    layers, heads, queries, keys = recording.size(kind)
    at_once = heads if queries * keys <= STACKED else 1
    for layer in range(layers):
        maps = each_head(recording, kind, layer)
        while some := list(itertools.islice(maps, at_once)):
            yield some if prepare is None else [prepare(map) for map in some]


def _measured(maps: Sequence[AttentionMap]) -> list[Measures]:
    """The measures of maps with the same tokens."""
    one = maps[0]
    related = one.kind != "cross" and one.query_tokens == one.key_tokens
    special = np.array([token.special for token in one.key_tokens], dtype=bool)
    shown = [_outcomes(map)[0] if map.is_maximum else map.weights for map in maps]
    weights = np.stack(shown) if len(shown) > 1 else shown[0][None]  # (head, query, key)
    numbers = _numbers(weights, related, special)
    names = list(numbers)
    rows = np.array([numbers[name] for name in names], dtype=np.float64).T.tolist()  # [head][measure]
    return [
        Measures(map.layer, map.head, **dict(zip(names, row, strict=True))) for map, row in zip(maps, rows, strict=True)
    ]


def _numbers(weights: np.ndarray, related: bool, special: np.ndarray) -> dict[str, np.ndarray]:
    """Each measure, (head,), of weights (head, query, key) with special (key,).

    With S the sum of a row of weights w, and p = w / S: -Σ p ln p = ln S - Σ w ln w / S, which needs no divided copy.
    """
    heads, queries, keys = weights.shape
    unknown = np.full(heads, np.nan)
    found = dict.fromkeys(("entropy", "distance", "previous", "next", "own", "first", "special", "evenness"), unknown)
    if not weights.size:
        return found
    sums = weights.sum(axis=2)  # (head, query)
    some = sums > NOTHING
    divisor = np.where(some, sums, 1.0)
    logarithms = np.maximum(weights, np.finfo(np.float32).tiny)
    np.log(logarithms, out=logarithms)
    products = np.einsum("hqk,hqk->hq", weights, logarithms)
    entropy = np.maximum(np.log(divisor) - products / divisor, 0.0) / np.log(2.0)
    found["entropy"] = _mean(entropy, some)
    greatest = np.log2(np.maximum(np.count_nonzero(weights, axis=2), 1))
    found["evenness"] = _ratio((entropy * some).sum(axis=1), (greatest * some).sum(axis=1))
    per_key = weights.mean(axis=1)  # (head, key)
    found["first"] = per_key[:, 0]
    if special.any():
        found["special"] = per_key[:, special].sum(axis=1)
    if related:
        place = np.arange(queries, dtype=np.float32)
        apart = np.abs(place[:, None] - place)
        found["distance"] = _mean(np.einsum("hqk,qk->hq", weights, apart) / divisor, some)
        found["own"] = np.diagonal(weights, 0, 1, 2).mean(axis=1)
        if queries > 1:
            found["previous"] = np.diagonal(weights, -1, 1, 2).mean(axis=1)
            found["next"] = np.diagonal(weights, 1, 1, 2).mean(axis=1)
    return found


def _mean(values: np.ndarray, some: np.ndarray) -> np.ndarray:
    """(head,): the mean over those rows of (head, query) that count; NaN where none does."""
    return _ratio((values * some).sum(axis=1), some.sum(axis=1))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)


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
    p, q = (_whole_rows(map).astype(np.float64) for map in (a, b))
    if not len(p):
        return 0.0
    rows = _negentropy((p + q) / 2) - (_negentropy(p) + _negentropy(q)) / 2
    return float(np.clip(-rows, 0.0, 1.0).mean())


def _negentropy(rows: np.ndarray) -> np.ndarray:
    """Σ p log₂ p of each row."""
    return (rows * np.log2(np.where(rows > 0, rows, 1.0))).sum(axis=-1)


def _outcomes(map: AttentionMap) -> tuple[np.ndarray, np.ndarray]:
    """(query, key) and (query,): what is shown, and what else there is, of rows divided so that both sum to 1.

    Of a renormalised map there is nothing else, unless nothing is shown.
    """
    shown, rest = map.amounts()
    if map.renormalised:
        shown, rest = map.weights, np.zeros_like(rest)
    total = shown.sum(axis=1) + rest
    some = total > NOTHING
    divisor = np.where(some, total, 1.0)
    return shown / divisor[:, None], np.where(some, rest / divisor, 1.0)


def _whole_rows(map: AttentionMap) -> np.ndarray:
    """(query, key + 1): distributions whose last outcome is what the map does not show."""
    shown, rest = _outcomes(map)
    return np.concatenate([shown, rest[:, None]], axis=1)


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
        float64 (head, head) in [0, 1], of all layers: head h of layer l is at l * heads + h. Symmetric, 0 on the
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
    count = layers * heads
    index = 0
    for maps in _maps(recording, kind, prepare):
        for map in maps:
            if rows is None:
                height, width = resolution(layers, heads, *map.weights.shape)
                rows = np.empty((count, height * (width + 1)), dtype=np.float32)
            rows[index] = _sampled(map, height, width).ravel()
            index += 1
    assert rows is not None
    return _pairwise(rows, height)


def _sampled(map: AttentionMap, height: int, width: int) -> np.ndarray:
    """(height, width + 1): whole rows, evenly spaced, with neighbouring keys summed into groups."""
    queries, keys = map.weights.shape
    if height < queries:
        # In the middle of as many stretches; the tokens of the rows play no part any more.
        chosen = (2 * np.arange(height) + 1) * queries // (2 * height)
        map = dataclasses.replace(map, weights=map.weights[chosen], hidden_mass=map.hidden_mass[chosen])
    shown, rest = _outcomes(map)
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


def placed(distances: np.ndarray) -> np.ndarray:
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
        >>> placed(np.array([[0, 0.25], [0.25, 0]])).tolist()
        [[0.25, 0.0], [-0.25, 0.0]]
    """
    squares = np.asarray(distances, dtype=np.float64)
    count = len(squares)
    if squares.shape != (count, count) or not np.isfinite(squares).all() or not np.allclose(squares, squares.T):
        raise InputError(
            f"Distances between heads have to be a symmetric square of numbers, not of the shape {squares.shape}."
        )
    points = np.zeros((count, 2))
    if not count:
        return points
    centred = squares - squares.mean(axis=0) - squares.mean(axis=1)[:, None] + squares.mean()
    values, vectors = np.linalg.eigh(-centred / 2)
    for axis, place in enumerate(range(count - 1, max(-1, count - 3), -1)):
        if values[place] > 1e-9:  # below, it is rounding
            vector = vectors[:, place]
            # Equals differ by rounding, so the first of the nearly largest decides.
            decisive = np.argmax(np.abs(vector) >= np.abs(vector).max() * (1 - 1e-6))
            points[:, axis] = vector * np.sign(vector[decisive]) * np.sqrt(values[place])
    return points
