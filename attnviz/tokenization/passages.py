"""A long text in passages that a reader can point at: its sentences, under headings and paragraphs, with their tokens.

    text ─ lines ─ headings, paragraphs ─ sentences ─ pieces of at most `LONGEST` characters
    tokens ─ which passage each belongs to ─ Passages

Works on any script: a sentence ends with its mark and a space, in Chinese and Japanese with its mark alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from attnviz.tokenization.token import Token

LONGEST = 320
"""Characters of a passage; what has no end of a sentence is divided at a space."""
LABEL = 28
"""Characters of a label."""

_END = re.compile(r"""[.!?…]+["'”’»)\]]*(?=\s)|[。！？]+[」』”’）]*""")
_HEADING = re.compile(r"(#{1,6})\s+\S")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(])(?:\w|Mr|Mrs|Ms|Dr|Prof|St|bzw|ca|Nr|vgl|usw|etc|vs|cf|e\.g|i\.e|z\. ?B|d\. ?h)\.$"
)


@dataclass(frozen=True, slots=True)
class Passage:
    """A sentence, a heading, or a special token.

    Attributes:
        text: all of it, with the spaces behind it; all passages one after another are the text.
        start, stop: its tokens start … stop - 1; none where the tokenizer dropped it.
        level: 0 for a sentence; 1 to 6 for a heading.
        opens: whether it begins a paragraph or is a heading: a section of the text.
        special: whether it is a token of the model's own, and no part of the text.
    """

    text: str
    start: int
    stop: int
    level: int = 0
    opens: bool = False
    special: bool = False

    @property
    def label(self) -> str:
        """Its first words, with "…" where there are more; a heading without its marks.

        >>> Passage("It was a bright cold day in April, and the clocks were striking thirteen. ", 0, 16).label
        'It was a bright cold day in…'
        """
        return first_words(self.text.strip().lstrip("#") if self.level else self.text, LABEL)


def first_words(text: str, most: int) -> str:
    """Whole words of a text's beginning, at most so many characters, with "…" where it goes on.

    >>> first_words("It was a bright cold day.", 12), first_words("Donaudampfschifffahrt", 8), first_words("A dog.", 12)
    ('It was a…', 'Donaudam…', 'A dog.')
    """
    plain = " ".join(text.split())
    if len(plain) <= most:
        return plain
    cut = plain.rfind(" ", 0, most + 1)
    return plain[: cut if cut > most // 3 else most].rstrip(" ,;:–—-") + "…"


def passages(text: str, tokens: Sequence[Token]) -> tuple[Passage, ...]:
    """The passages of a text with their tokens; special tokens are passages of their own.

    Args:
        text: that the tokens' offsets count in.
        tokens: of a whole axis.

    Returns:
        In the order of the tokens; their ranges cover all of them.

    >>> from attnviz.tokenization.token import Token
    >>> tokens = [Token(1, "No", False, 0, 0, 2), Token(2, ".", False, None, 2, 3), Token(3, " B", False, 1, 3, 5)]
    >>> [(passage.text, passage.start, passage.stop) for passage in passages("No. B", tokens)]
    [('No. ', 0, 2), ('B', 2, 3)]
    """
    pieces = list(_pieces(text))
    if len(pieces) > 1 and not text[pieces[-1][0] :].strip():  # blank lines at the end
        pieces[-2:] = [(pieces[-2][0], len(text), *pieces[-2][2:])]
    ends = np.array([stop for _, stop, _, _ in pieces])
    # A token that begins with the space behind a sentence belongs to where it ends.
    last = np.array([-1 if token.special or token.end is None else max(token.end - 1, 0) for token in tokens])
    owner = np.where(last < 0, -1, np.minimum(np.searchsorted(ends, last, side="right"), max(len(pieces) - 1, 0)))
    result: list[Passage] = []
    following = 0  # the next piece of the text
    position = 0
    while position < len(tokens):
        stop = position + 1
        if owner[position] < 0 or not pieces:
            result.append(Passage(tokens[position].text, position, stop, special=True))
        else:
            here = int(owner[position])
            while stop < len(tokens) and owner[stop] == here:
                stop += 1
            for index in range(following, here):  # nothing was made of these, such as of a line of spaces
                result.append(_passage(text, pieces[index], position, position))
            start, end, level, opens = pieces[here]
            if here >= following:
                result.append(Passage(text[start:end], position, stop, level, opens))
            else:  # a special token stood within a sentence
                result.append(Passage("", position, stop))
            following = max(following, here + 1)
        position = stop
    result += [_passage(text, piece, len(tokens), len(tokens)) for piece in pieces[following:]]
    return tuple(result)


def text_of(tokens: Sequence[Token]) -> str:
    """The text that tokens stand for, as far as they say: what none of them covers is a space.

    >>> from attnviz.tokenization.token import Token
    >>> text_of([Token(1, "A", False, 0, 0, 1), Token(2, "dog", False, 1, 2, 5)])
    'A dog'
    """
    text: list[str] = []
    length = 0
    for token in tokens:
        if token.special or token.start is None or token.end is None or token.end <= length:
            continue
        text.append(" " * (token.start - length) + token.text[max(0, length - token.start) :])
        length = max(length, token.end)
    return "".join(text)


def _passage(text: str, piece: tuple[int, int, int, bool], start: int, stop: int) -> Passage:
    first, last, level, opens = piece
    return Passage(text[first:last], start, stop, level, opens)


def _pieces(text: str) -> Iterator[tuple[int, int, int, bool]]:
    """(start, stop, level, opens) of sentences and headings; together they are the text."""
    begin = 0  # what blank lines precede belongs to what follows them
    for start, stop, level in _blocks(text):
        opens = True
        for _first, last in [(start, stop)] if level else _sentences(text, start, stop):
            yield begin, last, level, opens
            begin, opens = last, False
    if begin < len(text):
        yield begin, len(text), 0, True


def _blocks(text: str) -> Iterator[tuple[int, int, int]]:
    """(start, stop, level) of headings, and of paragraphs, whose lines may be broken anywhere."""
    start = stop = 0
    for line in re.finditer(r"[^\n]*\n|[^\n]+$", text):
        heading = _HEADING.match(line.group())
        if heading or not line.group().strip():
            if stop > start:
                yield start, stop, 0
            if heading:
                yield line.start(), line.end(), len(heading.group(1))
            start = line.end()
        stop = line.end()
    if stop > start:
        yield start, stop, 0


def _sentences(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    for match in _END.finditer(text, start, stop):
        end = match.end()
        if match.start() < start or _ABBREVIATION.search(text[max(start, end - 12) : end]):
            continue
        while end < stop and text[end].isspace():
            end += 1
        yield from _divided(text, start, end)
        start = end
    if start < stop:
        yield from _divided(text, start, stop)


def _divided(text: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """A sentence, in parts where it is very long."""
    while stop - start > LONGEST:
        cut = text.rfind(" ", start + LONGEST // 2, start + LONGEST)
        cut = start + LONGEST if cut < 0 else cut + 1
        yield start, cut
        start = cut
    yield start, stop
