"""Where a story or a computation begins: the head that ties verb and object, and the two words that it ties.

    findings ─┬─ telling_head ─ opening_pair
    weights ──┘

What was measured decides where there is such a measurement; else the strongest tie between two words of content does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from attnviz.measures.findings import findings
from attnviz.tokenization.token import is_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from attnviz.models.recording.recording import Recording
    from attnviz.tokenization.token import Token

MOST_TOKENS = 128  # of a text whose heads are all looked at; a longer one would make the page wait
LONG = 3  # letters from which a word of an alphabet is taken for one of content, where there are two such
# Chinese words of grammar that often stand alone, in both scripts: not what a first look should be about.
GRAMMAR = frozenset("把被的地得了着著过過在是和与與也就都不没沒很这這那吗嗎呢吧从從对對向")
APART = 2  # words; what ties neighbours may be nothing but their places


def telling_head(recording: Recording, kind: str, model: str) -> tuple[int, int]:
    """Layer and head: measured to find objects best, else the one with the strongest pair of content words."""
    layers, heads, *size = recording.size(kind)
    objects = [item for item in findings(model).heads if item.kind == kind and item.relation == "obj"]
    if objects:
        best = max(objects, key=lambda item: item.accuracy)
        return best.layer, best.head
    if max(size) > MOST_TOKENS:
        return 0, 0
    pairs = content_pairs(recording.query_tokens(kind), recording.key_tokens(kind), own=kind != "cross")
    if not pairs.any():
        return 0, 0
    strongest = [(recording.weights(kind, layer=layer).numpy() * pairs).max(axis=(1, 2)) for layer in range(layers)]
    layer, head = divmod(int(np.argmax(np.stack(strongest))), heads)
    return layer, head


def opening_pair(weights: np.ndarray, queries: Sequence[Token], keys: Sequence[Token], own: bool) -> tuple[int, int]:
    """The pair of content words with the largest weight: places of its query and of its key.

    Args:
        weights: (queries, keys) in [0, 1].
        queries, keys: the tokens.
        own: whether both are of one text; then a word is not paired with itself.
    """
    pairs = content_pairs(queries, keys, own)
    if not pairs.any():
        pairs = np.ones(weights.shape, dtype=bool)
    query, key = np.unravel_index(int(np.argmax(np.where(pairs, weights, -1.0))), weights.shape)
    return int(query), int(key)


def asking_token(weights: np.ndarray, tokens: Sequence[Token]) -> int:
    """The token of content that gives most to another word of content and looks at nothing more: its place.

    Words that are not neighbours go first, as in `content_pairs`; then neighbours, then those that look most at any
    other word. Where all look at themselves or at a sign, it is the query of `opening_pair`.

    Args:
        weights: (tokens, tokens) of one head over one text, in [0, 1].
        tokens: of the text.
    """
    content, words = _content(tokens), np.array([is_word(token) for token in tokens])
    other = np.array([[one.word != another.word for another in tokens] for one in tokens])
    places, strongest = np.arange(len(tokens)), weights.argmax(axis=1)
    for pairs in (content_pairs(tokens, tokens, own=True), np.outer(content, content), np.outer(content, words)):
        is_telling = (pairs & other)[places, strongest]
        if is_telling.any():
            return int(np.argmax(np.where(is_telling, weights.max(axis=1), -1.0)))
    return opening_pair(weights, tokens, tokens, own=True)[0]


def content_pairs(queries: Sequence[Token], keys: Sequence[Token], own: bool) -> np.ndarray:
    """Which pairs are of two content words: bool (queries, keys)."""
    pairs = np.outer(_content(queries), _content(keys))
    if own:
        distances = np.array([[abs((one.word or 0) - (other.word or 0)) for other in keys] for one in queries])
        apart = pairs & (distances >= APART)
        pairs = apart if apart.any() else pairs & (distances > 0)
    return pairs


def _content(tokens: Sequence[Token]) -> np.ndarray:
    """Which tokens belong to a word that is likely to be one of content: by its length, for want of a dictionary."""
    words = np.array([is_word(token) for token in tokens])
    lengths: dict[int | None, int] = {}
    for token in tokens:
        lengths[token.word] = lengths.get(token.word, 0) + len(token.text.strip())
    long = np.array(
        [lengths[token.word] >= LONG or not (token.text.isascii() or token.text.strip() in GRAMMAR) for token in tokens]
    )
    long &= words
    return long if len({token.word for token, is_long in zip(tokens, long, strict=True) if is_long}) > 1 else words
