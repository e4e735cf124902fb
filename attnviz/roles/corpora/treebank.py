"""Treebanks in CoNLL-U: sentences whose words say which other word each belongs to, and how.

The format is that of Universal Dependencies (https://universaldependencies.org/format.html).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from attnviz.errors import InputError

MOST_WORDS = 40
"""Longer sentences are left out: relations span more words there, and a small model's positions mean little."""

MOST_SENTENCES = 1000
"""Of a treebank, taken at even steps through the file, so that every document of it takes part."""


@dataclass(frozen=True, slots=True)
class Word:
    """A syntactic word.

    Attributes:
        start, end: characters of the sentence's text. The words of one written token share them: "zum" is both "zu"
            and "dem".
        head: index of its head in the sentence, -1 for the root.
        relation: to its head, without the subtype: "nsubj" stands for "nsubj:pass" too.
    """

    start: int
    end: int
    head: int
    relation: str


@dataclass(frozen=True, slots=True)
class Sentence:
    """A text and its syntactic words."""

    text: str
    words: tuple[Word, ...]


def read_conllu(lines: Iterable[str], name: str = "CoNLL-U") -> Iterator[Sentence]:
    """The sentences of a treebank in CoNLL-U (https://universaldependencies.org/format.html).

    Empty nodes are left out. A multiword token's words all have its place in the text.

    Raises:
        InputError: a sentence has no `# text`, or a word that is not in it; names the sentence.

    >>> sentence = next(read_conllu(["# text = Ja!", "1\\tJa\\t_\\t_\\t_\\t_\\t0\\troot\\t_\\t_", ""]))
    >>> sentence.words
    (Word(start=0, end=2, head=-1, relation='root'),)
    """
    text, rows, number = None, [], 1
    for line in (*lines, ""):
        line = line.rstrip("\n")
        if line.startswith("# text = "):
            text = line.removeprefix("# text = ")
        elif line and not line.startswith("#"):
            rows.append(line.split("\t"))
        elif not line and rows:
            if text is None:
                raise InputError(
                    "{0}: sentence {1} has no line `# text = …`; take the treebank's own file",
                    name,
                    number,
                )
            yield Sentence(text, _words(text, rows, name, number))
            text, rows, number = None, [], number + 1


def _words(text: str, rows: list[list[str]], name: str, sentence: int) -> tuple[Word, ...]:
    words: list[Word] = []
    reached, last_of_token = 0, 0
    span = (0, 0)
    for row in rows:
        if len(row) != 10:
            raise InputError(
                "{0}: sentence {1} has a line of {2} columns; CoNLL-U has 10, with tabs between them",
                name,
                sentence,
                len(row),
            )
        number = row[0]
        if "." in number:
            continue
        if "-" in number or int(number) > last_of_token:
            start = text.find(row[1], reached)
            if start < 0 or text[reached:start].strip():
                raise InputError(
                    "{0}: sentence {1} has the word {2!r}, which its text has not at character {3}",
                    name,
                    sentence,
                    row[1],
                    reached,
                )
            span = (start, start + len(row[1]))
            reached, last_of_token = span[1], int(number.split("-")[-1])
        if "-" not in number:
            words.append(Word(*span, head=int(row[6]) - 1, relation=row[7].split(":")[0]))
    return tuple(words)


def sample(sentences: Iterable[Sentence], most: int = MOST_SENTENCES) -> list[Sentence]:
    """Those of 2 to `MOST_WORDS` words, at most `most` of them at even steps."""
    fitting = [sentence for sentence in sentences if 2 <= len(sentence.words) <= MOST_WORDS]
    if len(fitting) <= most:
        return fitting
    return [fitting[index] for index in np.linspace(0, len(fitting) - 1, most).round().astype(int)]
