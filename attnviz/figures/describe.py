"""What a map shows, in words: the text alternative of every picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap


def describe(map: AttentionMap, most: int = 3, decimal: str = ".", name: str = "") -> str:
    """Names the strongest weights of a head, the strongest first.

    Args:
        map: weights (query, key) in [0, 1]; of one head, or of several that were put together.
        most: how many to name.
        decimal: the decimal sign; a comma in many languages.
        name: what the map is called; its own name where it is "".

    Returns:
        One line, such as "L2 H5: sah → Hund 0.42, sah → Ball 0.31, Der → Hund 0.28".

    Example:
        >>> from attnviz.attention.attention_map import AttentionMap
        >>> from attnviz.tokenization.tokenizer import Token
        >>> pieces = (Token(5, "Der", False, 0, 0, 3), Token(6, "Hund", False, 1, 4, 8))
        >>> describe(AttentionMap.of([[0.25, 0.75], [0.9, 0.1]], pieces, pieces, layer=2, head=5), most=2)
        'L2 H5: Hund → Der 0.90, Der → Hund 0.75'
    """
    return describe_with(map, map.query_labels, map.key_labels, most, decimal, name)


def describe_with(
    map: AttentionMap,
    query_labels: tuple[str, ...],
    key_labels: tuple[str, ...],
    most: int = 3,
    decimal: str = ".",
    name: str = "",
) -> str:
    """As `describe`, with labels that are known already: all heads of a layer have the same ones."""
    name = name or map.name
    weights = map.weights
    if not weights.size:
        return name
    flat = weights.ravel()
    count = min(most, flat.size)
    candidates = np.argpartition(-flat, count - 1)[:count].tolist()
    parts = []
    # Equal weights in reading order.
    for index in sorted(candidates, key=lambda index: (-flat[index], index)):
        query, key = divmod(index, weights.shape[1])
        weight = f"{flat[index]:.2f}".replace(".", decimal)
        parts.append(f"{query_labels[query]} → {key_labels[key]} {weight}")
    return f"{name}: {', '.join(parts)}"
