"""Characters as a reader sees them: which make up words, and how to show those that cannot be seen.

    text ─ base_words ─ number_words    (a number per character, per token)
    text ─ visible                      (a label)

What this module does not do: it knows nothing of tokenizers.
"""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

Span = tuple[int, int]  # from the first character to the one after the last

# Joins two letters or digits on either side of it (d'accord, twenty-five, col·legi, צה״ל); soft hyphen and word joiner.
_JOINERS = frozenset("'’ʼ＇-‐‑_·׳״\u00ad\u2060")
_DIGIT_JOINERS = frozenset(".,٫٬")  # joins two digits: 3.14, 1,000

# Scripts written without spaces; the marks that lengthen a vowel belong to Hiragana and Katakana alike.
_ALONE = (
    r"(?=[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ーｰ])[\p{L}\p{M}\p{Nl}\p{So}]"
)

_UNSEEN = frozenset(("Cc", "Cf", "Zs", "Zl", "Zp"))
_LINE_BREAKS = frozenset("\n\u2028\u2029\x85")
# Fills a place or changes its neighbour, and shows nothing by itself: grapheme joiner, Hangul and Braille blanks,
# Khmer inherent vowels, variation selectors.
_NO_SHAPE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0").union(
    *(map(chr, range(first, last + 1)) for first, last in ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF)))
)
_FIRST_MARK = "\u0300"  # before it no character is put together of several, but for a line break of two
_JOIN_CONTROLS = frozenset("\u200c\u200d")


def number_words(text: str, spans: Sequence[Span]) -> list[int]:
    """Number the words of a run of tokens from 0 on, in order of appearance.

    A token that covers parts of two words joins them. White space belongs to the word after it, at the end to the
    word before it.
    """
    low, high = min(start for start, _ in spans), max(end for _, end in spans)
    base = base_words(text[low:high])
    total = max((word for word in base if word is not None), default=0)
    # The last word before each character, and the first one at it or after it: words are numbered in their order.
    before = list(accumulate((-1 if word is None else word for word in base), max, initial=-1))
    after = list(accumulate((total if word is None else word for word in reversed(base)), min, initial=total))
    after.reverse()
    joined = [False] * (total + 1)  # whether a word and the next one are one
    for start, end in spans:
        first, last = after[start - low], before[end - low]
        if first < last:
            joined[first:last] = [True] * (last - first)
    merged = [0] * (total + 1)
    for number in range(1, total + 1):
        merged[number] = merged[number - 1] + (not joined[number - 1])
    order: dict[int, int] = {}
    return [order.setdefault(merged[after[start - low]], len(order)) for start, _ in spans]


def base_words(text: str) -> list[int | None]:
    """Number the word of each character by the text alone; None for white space and what is invisible.

    A word is a run of letters, marks and digits. In scripts that are written without spaces (Chinese, Japanese, Thai,
    Lao, Khmer, Burmese) every character is one, and so is every other sign. What a reader sees as one character
    (Unicode Standard Annex 29, extended grapheme cluster), such as a flag or a family, is never split.
    """
    if text and max(text) < _FIRST_MARK and "\r" not in text:  # several times as fast as the search for clusters
        clusters = [(place, place + 1) for place in range(len(text))]
    else:
        clusters = [match.span() for match in pattern(r"\X").finditer(text)]
    kinds = [cluster_kind(text[start:end]) for start, end in clusters]
    numbers: list[int | None] = []
    current = -1
    goes_on = False  # whether a letter here would belong to the current word
    for i, (start, end) in enumerate(clusters):
        joins = text[start] in _JOINERS or (
            text[start] in _DIGIT_JOINERS and text[start - 1 : start].isdigit() and text[end : end + 1].isdigit()
        )
        if joins and 0 < i < len(kinds) - 1 and kinds[i - 1] == kinds[i + 1] == "word":
            numbers.extend([current] * (end - start))
        elif kinds[i] == "blank":
            numbers.extend([None] * (end - start))
            goes_on = False
        else:
            current += not (goes_on and kinds[i] == "word")
            goes_on = kinds[i] == "word"
            numbers.extend([current] * (end - start))
    return numbers


@functools.cache
def pattern(source: str) -> Any:
    """Compile a regular expression with Unicode scripts and grapheme clusters."""
    import regex  # type: ignore[import-untyped]  # transformers needs it anyway; imported late because it takes 20 ms

    return regex.compile(source)


@functools.lru_cache(maxsize=4096)
def cluster_kind(cluster: str) -> str:
    """Sort a character, as a reader sees it, into "blank", "alone" (a word of its own), "word" or "sign"."""
    shown = next((char for char in cluster if not char.isspace() and unicodedata.category(char) not in _UNSEEN), None)
    if shown is None:
        return "blank"
    if pattern(_ALONE).match(shown):
        return "alone"
    return "word" if unicodedata.category(shown)[0] in "LMN" else "sign"


def visible(text: str) -> str:
    """Write a text so that nothing in it is invisible, and so that it stays in its place."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n")  # what looks alike gets a counter
    if len(text) > 1 and text[0] == " " and not text[1].isspace():
        text = text[1:]  # the space before a word
    shown: list[str] = []
    solid = False  # whether the character before can be seen, so that a mark has something to sit on
    for i, char in enumerate(text):
        following = i + 1 < len(text) and not text[i + 1].isspace()
        symbol = _symbol(char, solid, following)
        shown.append(symbol)
        solid = not char.isspace() and symbol.endswith(char)
    return "".join(shown) or "␣"


def _symbol(char: str, solid: bool, following: bool) -> str:
    """Write one character, given whether something visible is before it and whether something is after it."""
    category, code = unicodedata.category(char), ord(char)
    if char in _LINE_BREAKS:
        return "⏎"
    if char == "\t":
        return "⇥"
    if char == "\ufffd":
        return "▯"  # bytes that are no text
    if char.isspace() and category != "Cc":
        return " " if char == " " and solid and following else "␣"
    if code < 0x20:
        return chr(0x2400 + code)  # Unicode's pictures of control characters
    if char == "\u00ad":
        return "‧"  # a place to hyphenate
    if char in _NO_SHAPE:
        return char if solid else f"U+{code:04X}"
    if category == "Cf":
        # Inside a word or an emoji these shape their neighbours; flags of regions end with tags; the Arabic number
        # signs can be seen. Elsewhere, as with marks that turn the direction of writing, the code is shown.
        keeps = (char in _JOIN_CONTROLS and solid and following) or (0xE0020 <= code <= 0xE007F and solid)
        return char if keeps or 0x600 <= code <= 0x605 or code in (0x6DD, 0x70F, 0x8E2) else f"U+{code:04X}"
    if category in ("Cc", "Co", "Cs"):
        return f"U+{code:04X}"
    return "◌" + char if category[0] == "M" and not solid else char
