"""Sentence pairs from the corpus folder, cleaned of the app's examples, and packed as integers.

Reads Tatoeba pairs (`source TAB English`, one a line, `.tsv` or `.tsv.xz`). Knows nothing of models.
"""

from __future__ import annotations

import lzma
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from attnviz.examples import FIRST_EXAMPLES, HOME_EXAMPLES, OTHER_EXAMPLES

SOURCES = ("de", "nl", "zh")
DIRECTIONS = (("de", "en"), ("nl", "en"), ("zh", "en"), ("en", "de"))
LANGUAGES = ("de", "nl", "zh", "en")


@dataclass(frozen=True, slots=True)
class Pair:
    """One sentence and its translation, with their languages."""

    source_language: str
    target_language: str
    source: str
    target: str


def read_pairs(corpus: Path, split: str, language: str) -> list[tuple[str, str]]:
    """The (foreign, English) pairs of one split ("train", "dev", "test"); raises FileNotFoundError with the path."""
    name = f"{language}-en.{split}.tsv"
    for path in (corpus / "tatoeba" / name, corpus / "tatoeba" / f"{name}.xz"):
        if path.exists():
            opener = lzma.open if path.suffix == ".xz" else open
            with opener(path, "rt", encoding="utf-8") as lines:
                rows = (line.rstrip("\n").split("\t") for line in lines)
                return [(row[0].strip(), row[1].strip()) for row in rows if len(row) >= 2]
    raise FileNotFoundError(f"no {name}[.xz] in {corpus / 'tatoeba'}; training/README.md says where to get the data")


def skeleton(sentence: str) -> str:
    """A sentence without case, punctuation and spaces, so that "der hund sah den ball" equals the example.

    >>> skeleton("Der Hund sah den Ball.")
    'derhundsahdenball'
    """
    return "".join(c for c in unicodedata.normalize("NFKC", sentence).casefold() if c.isalnum())


def is_example(source: str, target: str) -> bool:
    """Whether either side is one of the sentences that the app shows."""
    return skeleton(source) in _EXAMPLES or skeleton(target) in _EXAMPLES


_EXAMPLES = frozenset(map(skeleton, (*FIRST_EXAMPLES.values(), *HOME_EXAMPLES, *OTHER_EXAMPLES)))


def training_pairs(corpus: Path) -> Iterator[Pair]:
    """Every training pair in every direction, the app's examples taken out."""
    for language in SOURCES:
        for foreign, english in read_pairs(corpus, "train", language):
            if is_example(foreign, english):
                continue
            for source, target in DIRECTIONS:
                if (source, target) == (language, "en"):
                    yield Pair(source, target, foreign, english)
                elif (source, target) == ("en", language):
                    yield Pair(source, target, english, foreign)


LONG, VERY_LONG = 8, 12
"""English words from which a pair is taken twice, and three times."""


def repeat_long_pairs(pairs: list[Pair]) -> list[Pair]:
    """The pairs, long ones twice and very long ones three times: most of the corpus is short, and text is not.

    >>> pair = Pair("de", "en", "Der alte Hund sah den roten Ball nicht.", "The old dog did not see the red ball.")
    >>> len(repeat_long_pairs([pair]))
    2
    """
    result = []
    for pair in pairs:
        words = len((pair.target if pair.target_language == "en" else pair.source).split())
        result += [pair] * (1 + (words >= LONG) + (words >= VERY_LONG))
    return result


def join_pairs(pairs: list[Pair], share: float, seed: int = 0) -> list[Pair]:
    """Longer pairs made of two or three of one direction, `share` times as many as there are pairs.

    The corpus has six words a sentence; what people type is longer. Joined pairs show the model later positions, and
    words that have nothing to do with each other in one text.

    >>> join_pairs([Pair("de", "en", "Ja.", "Yes.")], share=1.0)[0].source.startswith("Ja. Ja.")
    True
    """
    random = np.random.default_rng(seed)
    result = []
    for direction in DIRECTIONS:
        own = [pair for pair in pairs if (pair.source_language, pair.target_language) == direction]
        for _ in range(round(share * len(own))):
            parts = [own[i] for i in random.integers(len(own), size=random.integers(2, 4))]
            gap = "" if direction[0] == "zh" else " "
            result.append(
                Pair(*direction, gap.join(part.source for part in parts), " ".join(part.target for part in parts))
            )
    return result


@dataclass(frozen=True, slots=True)
class Packed:
    """All pairs as integers: one long array a side and where each sentence begins.

    Attributes:
        source, target: (all tokens,) uint16 vocabulary ids, without padding.
        source_starts, target_starts: (pairs + 1,) int64 offsets into them.
        languages: (pairs,) uint8, of the sources, as indices of `LANGUAGES`.
    """

    source: np.ndarray
    source_starts: np.ndarray
    target: np.ndarray
    target_starts: np.ndarray
    languages: np.ndarray

    def __len__(self) -> int:
        return len(self.source_starts) - 1

    def save(self, path: Path) -> None:
        np.savez(path, **{name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def open(cls, path: Path) -> Packed:
        with np.load(path) as arrays:
            return cls(**{name: arrays[name] for name in cls.__slots__})


def pack(pairs: list[Pair], tokenizer, max_tokens: int, subword_dropout: float = 0.0) -> Packed:
    """Encodes the pairs with `tokenizer`: the source ends with `</s>`, the target is `>>xx<< … </s>`.

    Pairs with a side of more than `max_tokens` tokens are left out: they are a handful, and each would make a batch of
    its own padded length. With `subword_dropout` the sources of every other pair are cut into other pieces: so large a
    share of the merges is left out at random (Provilkov et al. 2020, "BPE-Dropout").
    """
    sources = tokenizer.encode_batch([pair.source for pair in pairs], add_special_tokens=False)
    if subword_dropout:
        tokenizer.model.dropout = subword_dropout
        sources[::2] = tokenizer.encode_batch([pair.source for pair in pairs[::2]], add_special_tokens=False)
        tokenizer.model.dropout = None
    targets = tokenizer.encode_batch([pair.target for pair in pairs], add_special_tokens=False)
    end = tokenizer.token_to_id("</s>")
    rows_source, rows_target, languages = [], [], []
    for pair, source, target in zip(pairs, sources, targets, strict=True):
        if 0 < len(source.ids) < max_tokens and 0 < len(target.ids) < max_tokens - 1:
            rows_source.append([*source.ids, end])
            rows_target.append([tokenizer.token_to_id(f">>{pair.target_language}<<"), *target.ids, end])
            languages.append(LANGUAGES.index(pair.source_language))
    return Packed(*_concatenate(rows_source), *_concatenate(rows_target), np.array(languages, dtype=np.uint8))


def _concatenate(rows: list[list[int]]) -> tuple[np.ndarray, np.ndarray]:
    starts = np.zeros(len(rows) + 1, dtype=np.int64)
    np.cumsum([len(row) for row in rows], out=starts[1:])
    return np.fromiter((i for row in rows for i in row), dtype=np.uint16, count=int(starts[-1])), starts


def batches(packed: Packed, tokens: int, seed: int) -> list[np.ndarray]:
    """One epoch's batches: indices of pairs of one target length and about the same source length, shuffled.

    Each has about `tokens` tokens on its longer side, and hardly any padding.
    """
    random = np.random.default_rng(seed)
    source, target = np.diff(packed.source_starts), np.diff(packed.target_starts)
    order = random.permutation(len(packed))
    order = order[np.lexsort((source[order], target[order]))]
    result, start = [], 0
    while start < len(order):
        stop, longest_target, longest_source = start, target[order[start]], 0
        while stop < len(order) and target[order[stop]] == longest_target:
            longest_source = max(longest_source, source[order[stop]])
            if (stop - start + 1) * max(longest_target, longest_source) > tokens and stop > start:
                break
            stop += 1
        result.append(order[start:stop])
        start = stop
    random.shuffle(result)
    return result


def pad_rows(flat: np.ndarray, starts: np.ndarray, rows: np.ndarray, pad: int) -> np.ndarray:
    """The chosen rows as one (rows, greatest length) int64 array."""
    lengths = starts[rows + 1] - starts[rows]
    out = np.full((len(rows), int(lengths.max())), pad, dtype=np.int64)
    for i, row in enumerate(rows):
        out[i, : lengths[i]] = flat[starts[row] : starts[row + 1]]
    return out


def source_counts(packed: Packed, vocabulary: int) -> np.ndarray:
    """How often each entry of the vocabulary occurs in the sources of each language, (languages, vocabulary)."""
    languages = np.repeat(packed.languages, np.diff(packed.source_starts)).astype(np.int64)
    flat = np.bincount(languages * vocabulary + packed.source, minlength=len(LANGUAGES) * vocabulary)
    return flat.reshape(len(LANGUAGES), vocabulary)


def texts(packed: Packed, rows: np.ndarray, parts: int, end: int, pad: int) -> tuple[np.ndarray, np.ndarray]:
    """The chosen sources, every `parts` of one language joined to one text, and each text's language.

    Returns:
        (texts, greatest length) int64 ids, and (texts,) indices of `LANGUAGES`.
    """
    order = rows[np.argsort(packed.languages[rows], kind="stable")]
    groups: list[list[int]] = []
    for row in order:
        if groups and len(groups[-1]) < parts and packed.languages[groups[-1][0]] == packed.languages[row]:
            groups[-1].append(row)
        else:
            groups.append([row])
    flat = [
        np.concatenate([packed.source[packed.source_starts[i] : packed.source_starts[i + 1] - 1] for i in group])
        for group in groups
    ]
    out = np.full((len(flat), max(map(len, flat)) + 1), pad, dtype=np.int64)
    for i, ids in enumerate(flat):
        out[i, : len(ids)], out[i, len(ids)] = ids, end
    return out, packed.languages[[group[0] for group in groups]].astype(np.int64)
