"""What attention costs: how many weights a text of some length has, and the memory they would need."""

from __future__ import annotations

from dataclasses import dataclass

from attnviz.errors import InputError

BYTES = 4  # of a float32
LENGTHS = (512, 4_096, 128_000)
"""A long paragraph, a long article, a book: what models of 2018, 2023 and 2025 read at once."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Of all heads of all layers of one kind of attention, for a text of some length.

    Attributes:
        queries, keys: the length, in tokens; alike in self-attention.
        weights: how many attention weights there are: queries × keys × heads × layers.
        bytes: what they need in float32 if all are stored.
        query_key_bytes: what queries and keys need instead, from which any of them can be computed again.
    """

    queries: int
    keys: int
    weights: int
    bytes: int
    query_key_bytes: int


def cost(queries: int, keys: int, *, layers: int, heads: int, key_heads: int | None = None, head_dim: int) -> Cost:
    """What the attention of a model costs; n² × heads × layers (Vaswani et al. 2017, table 1, counts the same).

    Args:
        queries, keys: tokens, 1 or more.
        layers, heads: of the model.
        key_heads: where queries share keys; `heads` where it is None.
        head_dim: numbers in a query.

    Raises:
        InputError: a count is below 1.

    >>> cost(512, 512, layers=12, heads=12, head_dim=64).weights
    37748736
    """
    counts = {"queries": queries, "keys": keys, "layers": layers, "heads": heads, "head_dim": head_dim}
    for name, count in counts.items():
        if count < 1:
            raise InputError("`{0}` has to be 1 or more, not {1}.", name, count)
    weights = queries * keys * heads * layers
    query_key_bytes = (queries * heads + keys * (key_heads or heads)) * head_dim * layers * BYTES
    return Cost(queries, keys, weights, weights * BYTES, query_key_bytes)


def readable(number: float, unit: str = "") -> str:
    """A count or a size with three digits: "37.7 million", "151 MB".

    >>> readable(37_748_736), readable(150_994_944, "B"), readable(392)
    ('37.7 million', '151 MB', '392')
    """
    steps = ("", "k", "M", "G", "T", "P") if unit else ("", "", " million", " billion", " trillion")
    if not unit and number < 1_000_000:
        return f"{number:,.0f}"
    step = 0
    while number >= 999.5 and step < len(steps) - 1:
        number, step = number / 1000, step + 1
    digits = max(0, 2 - len(str(int(number))) + 1) if step else 0
    return f"{number:,.{digits}f}{' ' if unit else ''}{steps[step]}{unit}"
