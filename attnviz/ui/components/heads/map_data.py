"""What `map_cards.js` draws: maps and differences with their axes, each axis once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from attnviz.attention import pooled_maps
from attnviz.figures.compare import top_of_difference
from attnviz.figures.heads import Scale
from attnviz.tokenization import token
from attnviz.ui.components.component import encode
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.measures.distances import Difference
    from attnviz.tokenization.token import Token


def weight_name(scale: Scale) -> str:
    """What the legend of the colours is called."""
    return _("attention weight (√ scale)") if scale == "root" else _("attention weight")


class Axes:
    """The axes of all maps, each once: `entries` has their labels and what word each position belongs to."""

    def __init__(self) -> None:
        self.entries: list[dict[str, list[Any]]] = []

    def index(self, tokens: Sequence[Token]) -> int:
        """The number of the axis of these tokens."""
        axis: dict[str, list[Any]] = {"labels": list(token.labels(tokens)), "words": _words(tokens)}
        if any(one.generated for one in tokens):
            axis["written"] = [one.generated for one in tokens]
        if axis not in self.entries:
            self.entries.append(axis)
        return self.entries.index(axis)


def _words(tokens: Sequence[Token]) -> list[str]:
    """The word of each position, numbered where it occurs again; "" in groups of a long text's tokens."""
    words = [""] * len(tokens)
    occurrences: dict[str, int] = {}
    if pooled_maps.is_pooled(tokens):
        return words
    for positions, word in zip(token.word_groups(tokens), token.words(tokens), strict=True):
        text = word.text.strip().casefold()
        occurrences[text] = occurrences.get(text, 0) + 1
        for position in positions:
            words[position] = f"{text} {occurrences[text]}" if text else ""
    return words


def map_data(map: AttentionMap, axes: Axes) -> dict[str, Any]:
    """The numbers of a map; its axes are added to `axes`."""
    return {
        "queries": axes.index(map.query_tokens),
        "keys": axes.index(map.key_tokens),
        "weights": encode(map.weights),
        "hidden": encode(map.hidden_mass) if (map.hidden_mass > 0).any() else None,
        "max": round(float(map.weights.max(initial=0.0)), 4),
    }


def difference_data(difference: Difference, scale: Scale, axes: Axes) -> dict[str, Any]:
    """The numbers of a difference; its axes are added to `axes`.

    Args:
        difference: weights in [-1, 1], which travel as 0 … 1.
        scale: as `top_of_difference` takes it.
        axes: of all maps of the component.
    """
    return {
        "signed": True,
        "queries": axes.index(difference.query_tokens),
        "keys": axes.index(difference.key_tokens),
        "weights": encode(difference.weights / 2 + 0.5),
        "top": round(top_of_difference(difference, scale), 4),
    }
