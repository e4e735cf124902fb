"""Sentences of which it is known what a head should show, and inputs made to break a translation off its rails."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Iterable

import numpy as np

from attnviz.attention.attention_map import AttentionMap
from attnviz.models.model import Model
from attnviz.models.recording.recorder import MAX_NEW_TOKENS
from attnviz.roles.corpora.units import by_unit, units

VERB = ("Der Hund sah den Ball.", "sah", ("Hund", "Ball"))
"""A sentence, a word of it, and the two others that some encoder head should tie it to."""

SUBJECTS = (
    *("Der Hund", "Der Mann", "Der Lehrer", "Der Junge", "Der Bauer", "Der Vogel", "Der Arzt", "Der Vater"),
    *("Die Katze", "Die Frau", "Die Mutter", "Die Lehrerin", "Das Kind"),
)
VERBS = ("sah", "fand", "nahm", "las", "aß", "liebt", "kauft")
OBJECTS = (
    *("den Ball", "den Brief", "den Wagen", "den Kuchen", "den Apfel", "das Buch", "das Haus", "das Auto"),
    *("die Zeitung", "die Blume"),
)
"""What sentences like `VERB`'s are put together from, sensible or not: is a tie more than one sentence?"""

LEAST_SHARE = 0.05
"""Of the row, for each of the two: where nearly all goes to a special token, the order of the rest says little."""

NOUNS = ("De kat zit op de mat.", "The cat sits on the mat.", {"cat": "kat", "mat": "mat"})
"""A sentence, its translation, and for words of that those that they come from."""

HOSTILE = {
    "one word 200 times": "Hund " * 200,
    "one sentence 40 times": "Der Hund sah den Ball. " * 40,
    "one letter 400 times": "a" * 400,
    "bytes of no word": "".join(chr(0xE000 + index) for index in range(60)),
    "emoji": "🦊🚀👩‍👩‍👧‍👦🏳️‍🌈" * 8,
    "punctuation": "?!…" * 60,
    "digits": "3141592653589793" * 12,
    "a script it has never seen": "Το σκυλί είδε την μπάλα και έτρεξε γρήγορα. " * 6,
    "Chinese without an end": "学生在写" * 60,
    "nothing but spaces and a full stop": " " * 100 + ".",
}
"""Texts that a small model is tempted to answer without end."""


def verb_heads(model: Model) -> list[str]:
    """The encoder heads in which `VERB`'s word attends most to its two words, special tokens aside (`ties`)."""
    return [_name(layer_and_head) for layer_and_head in np.argwhere(ties(model, [VERB[0]]) > 0)]


def alike() -> list[str]:
    """All sentences of `SUBJECTS`, `VERBS` and `OBJECTS` but `VERB`'s own.

    >>> len(alike()), alike()[0]
    (909, 'Der Hund sah den Brief.')
    """
    made = (" ".join(parts) + "." for parts in itertools.product(SUBJECTS, VERBS, OBJECTS))
    return [sentence for sentence in made if sentence != VERB[0]]


_PLACE_OF_VERB, _PLACES_OF_NOUNS = 2, [1, 4]


def ties(model: Model, sentences: Iterable[str]) -> np.ndarray:
    """(layers, heads): the share of the sentences in which the two words that the verb attends to most are the nouns.

    Special tokens are left out, and each of the two has at least `LEAST_SHARE` of the whole row.

    Args:
        sentences: of the shape of `VERB`'s: two nouns behind their articles, the verb between them.
    """
    hits = []
    for sentence in sentences:
        recording = model.record(sentence)
        tokens = recording.query_tokens("encoder")
        layers, heads, _, _ = recording.size("encoder")
        weights = np.concatenate([recording.weights("encoder", layer=layer).numpy() for layer in range(layers)])
        _, of_token = units([match.span() for match in re.finditer(r"\w+|[^\w\s]", sentence)], tokens)
        rows = by_unit(weights, of_token, of_token)[:, _PLACE_OF_VERB]  # (layers × heads, units)
        nouns = rows[:, _PLACES_OF_NOUNS]
        others = np.delete(rows, _PLACES_OF_NOUNS, axis=1)
        least = nouns.min(axis=1)
        hits.append(((least > others.max(axis=1)) & (least >= LEAST_SHARE)).reshape(layers, heads))
    return np.mean(hits, axis=0)


def best_ties(model: Model, most: int = 1) -> list[tuple[str, float]]:
    """The encoder heads that tie verb and nouns in the greatest shares of `alike`, and those shares."""
    shares = ties(model, alike())
    named_shares = [(_name(layer_and_head), float(share)) for layer_and_head, share in np.ndenumerate(shares)]
    return sorted(named_shares, key=lambda entry: -entry[1])[:most]


def _name(layer_and_head: Iterable[int]) -> str:
    return "L{} H{}".format(*layer_and_head)


def noun_heads(model: Model, target: str | None = None) -> dict[str, list[str]]:
    """The cross-attention heads and layer means in which each of `NOUNS`' words is the maximum of the right row.

    Args:
        target: what the decoder is given; `NOUNS`' translation where it is None.

    Returns:
        Names such as "L3 H5" and "L3 mean" for each convention of
        `attnviz.roles.measurement.alignment.ROWS`, special tokens counted; empty where the target has not all words.
    """
    sentence, translation, wanted = NOUNS
    recording = model.record(sentence, target or translation)
    heads: dict[str, list[str]] = {"own": [], "before": []}
    for layer in range(recording.size("cross")[0]):
        maps = recording.maps("cross", layer=layer)
        mean = AttentionMap.of(np.mean([map.weights for map in maps], axis=0), maps[0].query_tokens, maps[0].key_tokens)
        for name, map in [*((map.name, map) for map in maps), (f"L{layer} mean", mean)]:
            for rows, weights in (("own", map.weights), ("before", np.roll(map.weights, 1, axis=0))):
                words = AttentionMap.of(weights, map.query_tokens, map.key_tokens).by_word()
                if all(_greatest(words, word) == right for word, right in wanted.items()):
                    heads[rows].append(name)
    return heads


def _greatest(map: AttentionMap, word: str) -> str | None:
    """The key with the greatest weight in a word's row; None where there is no such word."""
    texts = [token.text for token in map.query_tokens]
    return map.key_tokens[int(map.weights[texts.index(word)].argmax())].text if word in texts else None


def hostile(model: Model) -> list[dict]:
    """How the model's own greedy output ends on each of `HOSTILE`.

    Returns:
        For each: its name; tokens read and written; whether it ended before the limit on new tokens; seconds.
    """
    result = []
    for name, text in HOSTILE.items():
        started = time.perf_counter()
        recording = model.record(text)
        written = recording.query_tokens("decoder")
        seconds = time.perf_counter() - started
        result.append(
            {
                "input": name,
                "read": recording.size("encoder")[2],
                "written": len(written),
                "ended": len(written) < MAX_NEW_TOKENS,
                "seconds": round(seconds, 2),
            }
        )
    return result


def measure(model: Model) -> dict:
    """All of them, for figures.json."""
    sentence, word, wanted = VERB
    source, translation, pairs = NOUNS
    own = model.translate(source)
    [(best, share)] = best_ties(model)
    return {
        "verb": {"sentence": sentence, "word": word, "ties": list(wanted), "heads": verb_heads(model)},
        "alike": {
            "sentences": len(alike()),
            "made_of": [len(SUBJECTS), len(VERBS), len(OBJECTS)],
            "best": best,
            "share": round(share, 3),
        },
        "nouns": {
            "sentence": source,
            "translation": own,
            "links": [f"{target_word} → {source_word}" for source_word, target_word in pairs.items()],
            "given": {"target": translation, **noun_heads(model)},
            "own": {"target": own, **noun_heads(model, own)} if set(pairs) <= set(re.findall(r"\w+", own)) else None,
        },
        "hostile": hostile(model),
    }
