"""A sentence's way through all layers: the words that each token's vector is near, and where it moves.

Nearness is the cosine with the rows of the model's own embedding table, as on the page Embeddings. The plane is that of
the principal components of all vectors' directions: their lengths, which in many models are hundreds of times larger
for the first token than for any other, would hide everything else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.embeddings.embedding_table import Vocabulary
from attnviz.embeddings.hidden_states import hidden_states
from attnviz.embeddings.similarity import similarity
from attnviz.embeddings.vectors import components
from attnviz.errors import AttnvizError, InputError, LimitError
from attnviz.tokenization.token import is_word, same_word, word_groups, words
from attnviz.ui.screens.story.payload.packing import pack

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from attnviz.embeddings.hidden_states import States
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording
    from attnviz.tokenization.token import Token

NEAREST = 3
OTHER_SENTENCES = (
    "Please book a table for two.",
    "Der Ball begann mit einem Walzer.",
    "De verf op de muur is mat.",
    "书上的字很小。",
    "我不想花太多。",
    "She sat on the bank of the river.",
    "Er bringt das Geld zur Bank.",
    "I saw a bird.",
    "De oude man is arm.",
)
"""Sentences with a word that the app's own sentences have too, mostly in another sense."""


def journey(
    model: Model, recording: Recording, kind: str, word: int, record: Callable[[str], Recording]
) -> dict[str, Any] | None:
    """The vectors of all layers, as words, as points, and beside those of another sentence.

    Args:
        model: the one that made the recording.
        recording: of the text.
        kind: of the attention whose queries the tokens are.
        word: the token that the story is about; another sentence is looked for that has its word.
        record: what records a text.

    Returns:
        None where the model does not give its vectors. Else `layers`, their numbers, -1 for what enters the first;
        `nearest` per token and layer the `NEAREST` entries of the vocabulary beside its own with their cosines, None
        for what is no word or where the table has vectors of another size; `plane`, packed (layers, tokens, 2);
        `shares` of the variance along its axes; `other`, the same word elsewhere, or None.
    """
    try:
        states = hidden_states(model, recording, kind)
    except LimitError:
        raise  # the next visit may have it
    except AttnvizError:
        return None
    vectors = states.layers.float().cpu().numpy()  # (layers, tokens, width)
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    directions = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    plane = components(directions.reshape(-1, vectors.shape[-1]), axes=2)
    return {
        "layers": [-1, *(recording.layer_number(kind, layer) for layer in range(len(vectors) - 1))],
        "nearest": _nearest(model, states, vectors, of_decoder="cross" in recording.kinds and kind != "encoder"),
        "plane": pack(plane.points.reshape(*vectors.shape[:2], 2)),
        "shares": [float(share) for share in plane.shares],
        "other": _other_sentence(model, states, kind, word, record),
    }


def _nearest(model: Model, states: States, vectors: np.ndarray, of_decoder: bool) -> list[list[list[list[Any]]] | None]:
    """Per token, per layer: [word, cosine] of the nearest entries of the vocabulary."""
    nothing: list[list[list[list[Any]]] | None] = [None] * len(states.tokens)
    try:
        vocabulary = Vocabulary(model, of_decoder=of_decoder)
    except InputError:
        return nothing
    if vocabulary.width != vectors.shape[-1]:
        return nothing
    nearest = nothing
    for index, token in enumerate(states.tokens):
        # Only for letters is there an entry that can be a word of the same script.
        like = next((part for part in token.text.split() if part.isalpha()), "")
        if is_word(token) and like:
            nearest[index] = [
                [
                    [one.label, one.cosine]
                    for one in vocabulary.neighbours(
                        vocabulary.similarities(vector), NEAREST, without=[token.id], like=like
                    )
                ]
                for vector in vectors[:, index]
            ]
    return nearest


def _other_sentence(
    model: Model, states: States, kind: str, word: int, record: Callable[[str], Recording]
) -> dict[str, Any] | None:
    """A word of the text in another sentence, and how alike the two are in each layer; None where there is none.

    Among the sentences of `OTHER_SENTENCES` and the words of the text, the word that the story is about goes first.
    """
    groups = _words_by_name(states.tokens)
    first = next((name for name, group in groups.items() if word in group), None)
    for name in sorted(groups, key=lambda name: name != first):
        for sentence in OTHER_SENTENCES:
            # Looked for in the letters first: recording every sentence would take longer than all the rest.
            if name not in same_word(sentence) or len(name) < 2 and name.isascii():
                continue
            recording = record(sentence)
            others = _words_by_name(recording.query_tokens(kind))
            if name in others and sentence.strip() != "".join(token.text for token in states.tokens).strip():
                other = hidden_states(model, recording, kind)
                alike = similarity(states, groups[name], other, others[name])
                return {"sentence": sentence, "token": groups[name][-1], "similarity": list(alike.layers)}
    return None


def _words_by_name(tokens: Sequence[Token]) -> dict[str, tuple[int, ...]]:
    """The words of a text that are long enough to mean something, with the positions of their tokens."""
    names: dict[str, tuple[int, ...]] = {}
    for word, group in zip(words(tokens), word_groups(tokens), strict=True):
        if is_word(word) and (len(word.text) > 3 or not word.text.isascii()):
            names.setdefault(same_word(word.text), group)
    return names
