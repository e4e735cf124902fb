"""Sentences and their translations with the words that correspond, one pair a line.

Four columns with tabs between them: source language, source, target, links. "|" is a boundary between words where there
is no space, and no part of the text. A link is source=target; of several equal words ":2" means the second. Lines that
begin with "#" are remarks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from attnviz.errors import InputError

Span = tuple[int, int]
ALIGNED_COLUMNS = 4


@dataclass(frozen=True, slots=True)
class AlignedPair:
    """A sentence and its translation with the words that correspond.

    Attributes:
        source_words, target_words: (start, end) of each word in its text.
        links: for each word of the target the words of the source that it comes from; none where it has no counterpart.
    """

    language: str
    source: str
    target: str
    source_words: tuple[Span, ...]
    target_words: tuple[Span, ...]
    links: tuple[frozenset[int], ...]


def read_alignments(lines: Iterable[str]) -> Iterator[AlignedPair]:
    """The pairs of a file of aligned pairs.

    Raises:
        InputError: a line has not four columns, or a link names a word that is not there; says which.

    >>> next(read_alignments(["de\\tJa|!\\tYes|!\\tJa=Yes !=!"])).links
    (frozenset({0}), frozenset({1}))
    """
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\n")
        if not line or line.startswith("#"):
            continue
        columns = line.split("\t")
        if len(columns) != ALIGNED_COLUMNS:
            raise InputError(
                "line {0} has {1} columns; it needs language, source, target and links",
                number,
                len(columns),
            )
        language, marked_source, marked_target, links = columns
        source, source_words = _cut(marked_source)
        target, target_words = _cut(marked_target)
        linked: list[set[int]] = [set() for _ in target_words]
        for link in links.split():
            # The last sign can itself be "=": "==" would be a link between two of them.
            source_word, _, target_word = link.partition("=")
            source_index = _word_index(source_word, source, source_words, number)
            linked[_word_index(target_word, target, target_words, number)].add(source_index)
        yield AlignedPair(
            language,
            source,
            target,
            source_words,
            target_words,
            tuple(map(frozenset, linked)),
        )


def _cut(marked: str) -> tuple[str, tuple[Span, ...]]:
    """The text without its marks, and where its words are."""
    text, spans = "", []
    for part in marked.split(" "):
        text += " " if text else ""
        for word in filter(None, part.split("|")):
            spans.append((len(text), len(text) + len(word)))
            text += word
    return text, tuple(spans)


def _word_index(name: str, text: str, words: Sequence[Span], line: int) -> int:  # "Ja", or "Ja:2" for its second one
    word, _, number = name.partition(":")
    indices = [index for index, (start, end) in enumerate(words) if text[start:end] == word]
    wanted = int(number or 1)
    if len(indices) < wanted or (len(indices) > 1 and not number):
        raise InputError(
            "line {0} links {1!r}, and {2!r} has {3} words {4!r}",
            line,
            name,
            text,
            len(indices),
            word,
        )
    return indices[wanted - 1]
