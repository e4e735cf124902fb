"""Texts to measure heads on, from files or from anything that gives texts, one after another and never all in memory.

| file | a text is |
|---|---|
| `.txt` | a line |
| `.jsonl` | a line `{"text": …}`, with `"target"` and `"language"` where there are such |
| `.tsv` | a line: a source and its translation with a tab between them |
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from attnviz.errors import InputError

SUFFIXES = (".txt", ".jsonl", ".tsv")


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a corpus.

    Attributes:
        text: what the model reads; of an encoder–decoder the source.
        target: what its decoder reads; None for what the model writes itself.
        language: code of its language, where that is known.
    """

    text: str
    target: str | None = None
    language: str | None = None


Corpus = str | Path | Iterable[str | Text | Path]
"""A file, several, or texts."""


def read(corpus: Corpus) -> Iterator[Text]:
    """The texts of a corpus in order; empty lines are left out.

    Args:
        corpus: the path of a file; or several paths, texts (`str`) or `Text`. A path among them is a `Path`, for a
            string is a text.

    Raises:
        InputError: there is no such file, or it is of no kind that is read, or a line of it cannot be read.

    >>> [text.text for text in read(["Der Hund bellt.", " "])]
    ['Der Hund bellt.']
    """
    if isinstance(corpus, str):
        corpus = Path(corpus)
    for item in [corpus] if isinstance(corpus, Path) else corpus:
        if isinstance(item, Path):
            yield from _read_file(item)
        else:
            text = Text(item) if isinstance(item, str) else item
            if text.text.strip():
                yield text


def corpus_name(corpus: Corpus) -> str:
    """What a corpus is called: the names of its files.

    >>> corpus_name([Path("data/a.txt"), Path("data/b.txt")])
    'a.txt, b.txt'
    """
    if isinstance(corpus, str | Path):
        return Path(corpus).name
    if isinstance(corpus, list | tuple) and corpus and all(isinstance(item, Path) for item in corpus):
        return ", ".join(Path(str(item)).name for item in corpus)
    return ""


def _read_file(path: Path) -> Iterator[Text]:
    if path.suffix not in SUFFIXES:
        raise InputError("{0} is none of the files that are read: {1}", path.name, ", ".join(SUFFIXES))
    try:
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield _text(path, number, line.rstrip("\n"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError("There is no file {0}. Check the path.", str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError("{0} is not in UTF-8. Save it in UTF-8 and try again.", path.name) from error


def _text(path: Path, number: int, line: str) -> Text:
    if path.suffix == ".tsv":
        source, _, target = line.partition("\t")
        return Text(source, target.strip() or None)
    if path.suffix == ".jsonl":
        try:
            entry = json.loads(line)
            return Text(str(entry["text"]), entry.get("target"), entry.get("language"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                "{0}, line {1}, is no JSON object with a text in it. Write one such as {2} in each line.",
                path.name,
                number,
                '{"text": "Der Hund bellt."}',
            ) from error
    return Text(line)
