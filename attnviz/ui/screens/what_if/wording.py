"""What the model says before and after, with the changed words marked; and what a change spares."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from attnviz.attention.cost import LENGTHS
from attnviz.ui.shell.errors import as_markdown
from attnviz.ui.shell.messages import _, local_count, local_number, local_percent

LONG = LENGTHS[1:]
"""Tokens of an article and of a book, for which is said what a window spares."""


def split_words(text: str) -> list[str]:
    """Words as they are compared; in scripts without spaces, characters.

    >>> split_words("The dog."), split_words("狗看见球")
    (['The', 'dog.'], ['狗', '看', '见', '球'])
    """
    words = text.split()
    if len(words) <= 1 and any(ord(character) > 0x2E7F for character in text):
        return [*text]
    return words


def marked_words(before: str, after: str) -> tuple[str, int, int]:
    """The later text in Markdown, its words that are new marked; how many are, and how many words it has.

    >>> marked_words("The dog saw it.", "The cat saw it.")
    ('The :orange-background[**cat**] saw it.', 1, 4)
    """
    first, second = split_words(before), split_words(after)
    parts: list[str] = []
    changed = 0
    for kind, _start, _stop, start, stop in difflib.SequenceMatcher(None, first, second, autojunk=False).get_opcodes():
        gap = " " if " " in after or len(second) <= 1 else ""
        run = as_markdown(gap.join(second[start:stop]))
        if not run:
            continue
        parts.append(run if kind == "equal" else f":orange-background[**{run}**]")
        changed += 0 if kind == "equal" else stop - start
    joined = (" " if " " in after else "").join(parts)
    return joined, changed, len(second)


def window_share(length: int, size: int, *, causal: bool) -> float:
    """What share of the pairs a window of `size` neighbours on either side leaves, in (0, 1].

    >>> window_share(4, 1, causal=False), window_share(4, 1, causal=True)
    (0.625, 0.7)
    """
    size = min(size, length - 1)
    half = length * size - size * (size + 1) // 2  # pairs with a key before the query
    if causal:
        return (half + length) / (length * (length + 1) // 2)
    return (2 * half + length) / length**2


def spared_sentence(size: int, *, causal: bool) -> str:
    """What share of the pairs a window computes of an article and of a book."""
    parts = [
        _("at {0} tokens {1}").format(local_count(length), percent(window_share(length, size, causal=causal)))
        for length in LONG
    ]
    return _("a window of this width computes, of all pairs, {0}").format(_(", ").join(parts))


def percent(share: float) -> str:
    """A share with as many digits as tell it from nothing: "45 %", "0.07 %"."""
    number = 100 * share
    digits = 0 if number >= 10 or number == 0 else 1 if number >= 1 else 2 if number >= 0.01 else 3
    return local_percent(f"{number:.{digits}f}")


def bits(number: float) -> str:
    """A number of bits, such as "0.42 bits"."""
    return _("{0} bits").format(local_number(f"{number:.3f}" if number < 0.1 else f"{number:.2f}"))


def bucket_sentence(labels: Sequence[str], buckets: Sequence[int]) -> str:
    """Which tokens share a bucket: "Der, den | Hund | Ball", the buckets in the order of their first token."""
    groups: dict[int, list[str]] = {}
    for label, bucket in zip(labels, buckets, strict=True):
        groups.setdefault(bucket, []).append(label)
    return " | ".join(_(", ").join(group) for group in groups.values())
