"""What the model says before and after, with the changed words marked; and what a change spares."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from attnviz.attention.cost import LENGTHS
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


@dataclass(frozen=True)
class Piece:
    """A run of words of a text.

    Attributes:
        text: the words, or the space between two runs.
        mark: "gone" where they are missing in the later text, "new" where the earlier one has them not, else "".
    """

    text: str
    mark: Literal["", "gone", "new"] = ""


def compare_words(before: str, after: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...], int, int]:
    """Both texts in pieces with the words that differ marked; how many of the later one's words are new, and how many
    words it has.

    >>> compare_words("The dog.", "The cat.")[1]
    (Piece(text='The', mark=''), Piece(text=' ', mark=''), Piece(text='cat.', mark='new'))
    """
    first, second = split_words(before), split_words(after)
    earlier: list[Piece] = []
    later: list[Piece] = []
    changed = 0
    blocks = difflib.SequenceMatcher(None, first, second, autojunk=False).get_opcodes()
    for kind, from_before, to_before, from_after, to_after in blocks:
        same = kind == "equal"
        for pieces, words, run, text in (
            (earlier, first, slice(from_before, to_before), before),
            (later, second, slice(from_after, to_after), after),
        ):
            if words[run]:
                gap = " " if " " in text else ""
                mark: Literal["", "gone", "new"] = "" if same else "gone" if pieces is earlier else "new"
                if pieces and gap:
                    pieces.append(Piece(gap))
                pieces.append(Piece(gap.join(words[run]), mark))
        changed += 0 if same else to_after - from_after
    return tuple(earlier), tuple(later), changed, len(second)


def window_share(length: int, size: int, stride: int | None = None, *, causal: bool) -> float:
    """What share of the pairs a window of `size` neighbours on either side leaves, in (0, 1].

    Args:
        length: of the text, in tokens.
        size: neighbours on either side.
        stride: where every such key beyond them is seen too; None where none is.
        causal: whether only what stands before a query may be seen at all.

    >>> window_share(4, 1, causal=False), window_share(4, 1, causal=True)
    (0.625, 0.7)
    """
    distance = np.arange(1, length, dtype=np.int64)
    seen = distance <= size if stride is None else (distance <= size) | (distance % stride == 0)
    before = int((length - distance[seen]).sum())  # pairs with a key before the query
    if causal:
        return (before + length) / (length * (length + 1) // 2)
    return (2 * before + length) / length**2


def spared_sentence(size: int, stride: int | None = None, *, causal: bool) -> str:
    """What share of the pairs such a pattern computes of an article and of a book, and how many times fewer."""
    parts = []
    for length in LONG:
        share = window_share(length, size, stride, causal=causal)
        fewer = local_number(f"{1 / share:.1f}") if share > 0.1 else local_count(1 / share)
        parts.append(_("at {0} tokens {1} ({2} times fewer)").format(local_count(length), percent(share), fewer))
    return _("of all pairs this pattern computes {0}").format(_(", ").join(parts))


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
