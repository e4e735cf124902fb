"""Maps at a size that a screen can show: a long text's neighbouring tokens are taken together.

Attention to a group is all that its tokens get, attention from a group what its tokens give on average, as with words,
so rows still sum to 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnviz.maps import AttentionMap
from attnviz.tokens import Token

if TYPE_CHECKING:
    from attnviz.recording import Recording

GROUP = -2  # the id of a token that stands for several, which no tokenizer has
MOST = 256  # positions on an axis; a card of the grid has about as many pixels


def is_long(recording: Recording, kind: str) -> bool:
    """Whether the maps of this kind are taken together."""
    return max(recording.size(kind)[2:]) > MOST


def layer_maps(recording: Recording, kind: str, layer: int) -> tuple[AttentionMap, ...]:
    """The maps of all heads of a layer."""
    if not is_long(recording, kind):
        return recording.maps(kind, layer=layer)
    return tuple(head_map(recording, kind, layer, head) for head in range(recording.size(kind)[1]))


def head_map(recording: Recording, kind: str, layer: int, head: int) -> AttentionMap:
    """The map of one head."""
    if not is_long(recording, kind):
        return recording.map(kind, layer=layer, head=head)
    mean = recording.pooled(kind, layer=layer, head=head, size=MOST).numpy()
    keys = recording.key_tokens(kind)
    per_key = np.bincount(_groups(len(keys)), minlength=mean.shape[1])
    return AttentionMap.of(
        mean * per_key, _joined(recording.query_tokens(kind)), _joined(keys), kind=kind, layer=layer, head=head
    )


def _groups(count: int) -> np.ndarray:
    """(count,): the group of each position, as `Recording.pooled` divides them."""
    return np.arange(count) * min(count, MOST) // count


def _joined(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """A token for each group, which stands for the text of all that are in it."""
    texts: list[str] = [""] * min(len(tokens), MOST)
    for token, group in zip(tokens, _groups(len(tokens)).tolist(), strict=True):
        texts[group] += token.text
    return tuple(Token(GROUP, text, False, group, None, None) for group, text in enumerate(texts))
