"""Which tokens of two maps correspond: the same tokens, or the same words under two tokenizers, or why none do.

Works on maps and their tokens; knows neither models nor torch.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence

from attnviz.attention.attention_map import AttentionMap
from attnviz.errors import InputError, Message
from attnviz.tokenization.token import Token


def aligned(a: AttentionMap, b: AttentionMap) -> tuple[AttentionMap, AttentionMap]:
    """Two maps whose rows and columns correspond one to one.

    Maps with the same tokens are returned as they are. Else both are taken by words, for two tokenizers may divide one
    sentence differently; special tokens that only one of them has are left out, and their share of each row goes to
    `hidden_mass`, so that rows stay comparable. Words correspond where they are the same in the same order but for
    case and accents, which some models drop.

    Raises:
        InputError: the words do not correspond, or only one of the maps is renormalised; says why and what to do.

    Example:
        >>> whole = (Token(7, "Ball", False, 0, 0, 4), Token(2, "</s>", True, None, None, None))
        >>> parts = (Token(7, " Ba", False, 0, 0, 2), Token(8, "ll", False, 0, 2, 4))
        >>> one = AttentionMap.of([[0.75, 0.25], [1, 0]], whole, whole)
        >>> [map.weights.tolist() for map in aligned(one, AttentionMap.of([[1, 0], [0.5, 0.5]], parts, parts))]
        [[[0.75]], [[1.0]]]
    """
    if a.renormalised != b.renormalised:
        raise InputError(
            "The rows of one of the two maps were divided by what is left of them, those of the other were not. "
            "Renormalise both or neither to compare them."
        )
    if _exact_words(a) == _exact_words(b):
        return a, b
    words = a.by_word(), b.by_word()
    # Special tokens that both have, but in another order, are left out like the rest.
    for specials in (_shared_specials(*words), frozenset[str]()):
        one, other = (_without_specials(map, specials) for map in words)
        if _folded_words(one) == _folded_words(other):
            return one, other
    raise _error(one, other)


def _without_specials(map: AttentionMap, specials: frozenset[str]) -> AttentionMap:
    return map.hide(lambda token: token.special and token.text not in specials)


def _exact_words(map: AttentionMap) -> list[list[tuple[str, bool]]]:
    return [[(token.text, token.special) for token in axis] for axis in (map.query_tokens, map.key_tokens)]


def _folded_words(map: AttentionMap) -> list[list[tuple[str, bool]]]:
    return [[(_fold(token.text), token.special) for token in axis] for axis in (map.query_tokens, map.key_tokens)]


def _fold(text: str) -> str:
    """A word without case and accents, which uncased models drop."""
    letters = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(letter for letter in letters if unicodedata.category(letter) != "Mn") or text


def _shared_specials(a: AttentionMap, b: AttentionMap) -> frozenset[str]:
    """Names of the special tokens that both maps have, and equally often on either axis."""
    one, other = (
        [Counter(token.text for token in axis if token.special) for axis in (map.query_tokens, map.key_tokens)]
        for map in (a, b)
    )
    names = {name for counts in (*one, *other) for name in counts}
    return frozenset(name for name in names if all(x[name] == y[name] for x, y in zip(one, other, strict=True)))


def _error(a: AttentionMap, b: AttentionMap) -> InputError:
    """Why the words of two maps, special tokens left out, do not correspond; and what to do."""
    if (a.kind == "cross") != (b.kind == "cross"):
        cross, other = (a, b) if a.kind == "cross" else (b, a)
        return InputError(
            "{0} shows cross-attention, from the words of one text to those of another, {1} shows {2} attention, "
            "within one text. Choose the same kind for both to see their difference.",
            cross.name,
            other.name,
            other.kind,
        )
    first, second = a.query_tokens, b.query_tokens
    if _folded_words(a)[1] != _folded_words(b)[1]:
        first, second = a.key_tokens, b.key_tokens
        shown = Message("The two show different sentences")
        remedy = Message("Give both the same sentence to see their difference.")
    elif a.kind == "cross":
        shown = Message("The two show different targets")
        remedy = Message("Give both the same target to see their difference.")
    else:
        shown = Message("The two show different rows")
        remedy = Message("Choose the same query words for both to see their difference.")
    if _letters(first) == _letters(second):
        return InputError(
            "The two tokenizers do not find the same words in {0}: {1} and {2}, so nothing says which belong "
            "together. Compare two heads of one model instead.",
            _excerpt(first),
            _count_text(first),
            _count_text(second),
        )
    if len(first) != len(second):
        return InputError(
            "{0}: {1} has {2}, {3} has {4}. {5}",
            shown,
            _excerpt(first),
            _count_text(first),
            _excerpt(second),
            _count_text(second),
            remedy,
        )
    pairs = zip(first, second, strict=True)
    one, two = next((one, two) for one, two in pairs if _fold(one.text) != _fold(two.text))
    return InputError(
        "{0}: {1} and {2}, where “{3}” stands against “{4}”. {5}",
        shown,
        _excerpt(first),
        _excerpt(second),
        one.text.strip(),
        two.text.strip(),
        remedy,
    )


def _letters(words: Sequence[Token]) -> str:
    """All that the words say, without space."""
    return _fold("".join("".join(word.text.split()) for word in words))


def _count_text(words: Sequence[Token]) -> Message:
    return Message("1 word") if len(words) == 1 else Message("{0} words", len(words))


def _excerpt(words: Sequence[Token], most: int = 40) -> str:
    """The beginning of what words say, in quotation marks."""
    text, end = "", None
    for word in words:
        text += ("" if word.start is not None and word.start == end else " ") + word.text.strip()
        end = word.end
        if len(text) > most + 1:
            return f"“{text[: most + 1].strip()}…”"
    return f"“{text.strip()}”"
