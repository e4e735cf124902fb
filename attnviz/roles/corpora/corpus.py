"""Texts to measure heads on, from files or from anything that gives texts, one after another and never all in memory.

| file | a text is |
|---|---|
| `.txt` | a line |
| `.jsonl` | a line `{"text": …}`, with `"target"` and `"language"` where there are such |
| `.tsv` | a line: a source and its translation with a tab between them, or an aligned pair (`alignment.py`) |
| `.conllu` | a sentence of a treebank (`treebank.py`); its name begins with the language: `de_gsd.conllu` |
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from attnviz.errors import InputError
from attnviz.roles.corpora.aligned_pairs import ALIGNED_COLUMNS, read_alignments
from attnviz.roles.corpora.treebank import read_conllu

SUFFIXES = (".txt", ".jsonl", ".tsv", ".conllu")


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a corpus.

    Attributes:
        text: what the model reads; of an encoder–decoder the source.
        target: what its decoder reads; None for what the model writes itself.
        language: code of its language, where that is known.
        source_only: whether the encoder of an encoder–decoder reads it alone.
    """

    text: str
    target: str | None = None
    language: str | None = None
    source_only: bool = False


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


def files(corpus: Corpus) -> list[Path]:
    """The files of a corpus; none where it is of texts."""
    if isinstance(corpus, str | Path):
        return [Path(corpus)]
    return [item for item in corpus if isinstance(item, Path)] if isinstance(corpus, list | tuple) else []


def language_of(treebank: Path) -> str | None:
    """The language that the name of a treebank begins with.

    >>> language_of(Path("de_gsd-ud-dev.conllu"))
    'de'
    """
    code = treebank.name.split("_")[0]
    return code if len(code) in (2, 3) and "_" in treebank.name else None


def is_aligned(path: Path) -> bool:
    """Whether a file is of aligned pairs: its first line with a text has four columns."""
    if path.suffix != ".tsv":
        return False
    with path.open(encoding="utf-8") as lines:
        first = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    return len(first.split("\t")) == ALIGNED_COLUMNS


def corpus_name(corpus: Corpus) -> str:
    """What a corpus is called: the names of its files.

    >>> corpus_name([Path("data/a.txt"), Path("data/b.txt")])
    'a.txt, b.txt'
    """
    return ", ".join(path.name for path in files(corpus))


def _read_file(path: Path) -> Iterator[Text]:
    if path.suffix not in SUFFIXES:
        raise InputError(
            "{0} is none of the files that are read: {1}",
            path.name,
            ", ".join(SUFFIXES),
        )
    try:
        with path.open(encoding="utf-8") as lines:
            if path.suffix == ".conllu":
                for sentence in read_conllu(lines, path.name):
                    yield Text(sentence.text, language=language_of(path), source_only=True)
                return
            for number, line in enumerate(lines, 1):
                if line.strip() and not (path.suffix == ".tsv" and line.startswith("#")):
                    yield _text(path, number, line.rstrip("\n"))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InputError("There is no file {0}. Check the path.", str(path)) from error
    except UnicodeDecodeError as error:
        raise InputError("{0} is not in UTF-8. Save it in UTF-8 and try again.", path.name) from error


def _text(path: Path, number: int, line: str) -> Text:
    if path.suffix == ".tsv":
        columns = line.split("\t")
        if len(columns) == ALIGNED_COLUMNS:
            pair = next(read_alignments([line]))
            return Text(pair.source, pair.target, pair.language)
        return Text(columns[0], "".join(columns[1:2]).strip() or None)
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
