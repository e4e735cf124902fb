"""What a head does, in numbers: `measure` for one map, `measure_all` for every head of a recording.

Works on numpy arrays; asks a recording for its maps and knows no torch. How far two heads are apart is in
`distances.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention.attention_map import AttentionMap
from attnviz.measures.rows import NOTHING, Prepare, iterate_maps, row_outcomes

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording


MAINLY = 0.5
"""A head is called by what gets more than this share of its attention; Clark et al. 2019, section 3.1, count so too."""

BROADLY = 0.9
"""A head is called broad from this evenness on: our own choice. 13 of 17 keys alike, and next to nothing for the other
four, come to it."""

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
        shares = {name: getattr(self, name) for name in ("previous", "next", "own", "first")}
        dominant = {name: share for name, share in shares.items() if share > MAINLY}  # NaN is not
        if dominant:
            return max(dominant, key=dominant.__getitem__)
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
    return _measure_heads([map])[0]


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
    return tuple(measures for maps in iterate_maps(recording, kind, prepare) for measures in _measure_heads(maps))


def _measure_heads(maps: Sequence[AttentionMap]) -> list[Measures]:
    """The measures of maps with the same tokens."""
    one = maps[0]
    related = one.kind != "cross" and one.query_tokens == one.key_tokens
    special = np.array([token.special for token in one.key_tokens], dtype=bool)
    shown = [row_outcomes(map)[0] if map.is_maximum else map.weights for map in maps]
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
    numbers = dict.fromkeys(("entropy", "distance", "previous", "next", "own", "first", "special", "evenness"), unknown)
    if not weights.size:
        return numbers
    sums = weights.sum(axis=2)  # (head, query)
    some = sums > NOTHING
    divisor = np.where(some, sums, 1.0)
    logarithms = np.maximum(weights, np.finfo(np.float32).tiny)
    np.log(logarithms, out=logarithms)
    products = np.einsum("hqk,hqk->hq", weights, logarithms)
    entropy = np.maximum(np.log(divisor) - products / divisor, 0.0) / np.log(2.0)
    numbers["entropy"] = _mean(entropy, some)
    greatest = np.log2(np.maximum(np.count_nonzero(weights, axis=2), 1))
    numbers["evenness"] = _ratio((entropy * some).sum(axis=1), (greatest * some).sum(axis=1))
    per_key = weights.mean(axis=1)  # (head, key)
    numbers["first"] = per_key[:, 0]
    if special.any():
        numbers["special"] = per_key[:, special].sum(axis=1)
    if related:
        positions = np.arange(queries, dtype=np.float32)
        apart = np.abs(positions[:, None] - positions)
        numbers["distance"] = _mean(np.einsum("hqk,qk->hq", weights, apart) / divisor, some)
        numbers["own"] = np.diagonal(weights, 0, 1, 2).mean(axis=1)
        if queries > 1:
            numbers["previous"] = np.diagonal(weights, -1, 1, 2).mean(axis=1)
            numbers["next"] = np.diagonal(weights, 1, 1, 2).mean(axis=1)
    return numbers


def _mean(values: np.ndarray, some: np.ndarray) -> np.ndarray:
    """(head,): the mean over those rows of (head, query) that count; NaN where none does."""
    return _ratio((values * some).sum(axis=1), some.sum(axis=1))


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0)
