"""The table of static embeddings that a model begins with: its rows as words, how alike they are, and what lies near.

    text ─ tokens ─ rows of the table ─ words ─┬─ cosines, plane
                                               ├─ components (three axes of most variance)
                                               └─ neighbours in the vocabulary

Static means before the first layer: a word has the same vector in every sentence. A word of several tokens is taken as
the mean of their rows. The rows are the model's own; what a model multiplies them with before it adds positions (√width
in the original transformer) changes no angle. What this module does not do: it runs no model.
"""

from __future__ import annotations

import unicodedata
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from attnviz.errors import EmptyError, InputError
from attnviz.tokenization import tokenizer
from attnviz.tokenization.token import Token, labels, word_groups, words

if TYPE_CHECKING:
    from attnviz.models.model import Model


BLOCK = 16_384  # rows of a table in half precision that become float32 at a time
NEAREST = 10
BEGINNINGS = ("\u0120", "\u2581")  # how byte-level BPE and SentencePiece spell the space before a word
_SEARCHED = 64  # rows looked at first; special tokens and half characters among them are passed over


@dataclass(frozen=True, slots=True, eq=False)
class Word:
    """A word and its static vector.

    Attributes:
        label: readable, and no two words have the same.
        pieces: its tokens; for each a row of the table.
        vector: float32 (width,): the mean of the rows.
        added: whether it was given beside the text.
    """

    label: str
    pieces: tuple[Token, ...]
    vector: np.ndarray
    added: bool = False

    @property
    def ids(self) -> tuple[int, ...]:
        """The rows of the table."""
        return tuple(piece.id for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An entry of the vocabulary that is like a word.

    Attributes:
        id: its row.
        label: the text that it stands for, readable; no two in a list are the same.
        cosine: in [-1, 1].
    """

    id: int
    label: str
    cosine: float


# By the module that holds a table, so that they go when the model goes.
_measured: weakref.WeakKeyDictionary[nn.Module, tuple[int, Tensor]] = weakref.WeakKeyDictionary()


class Vocabulary:
    """The embedding table of a model; of an encoder–decoder, that of the part that is asked for.

    >>> vocabulary = Vocabulary(attnviz.load("bundled"))
    >>> vocabulary.size, vocabulary.width
    (12000, 256)
    """

    def __init__(self, model: Model, *, of_decoder: bool = False) -> None:
        """Finds the table.

        Raises:
            InputError: the model has no table of embeddings.
        """
        self._model, self._of_decoder = model, of_decoder
        try:
            self._module: nn.Module = model.inputs.stack(of_decoder).get_input_embeddings()
            self._table: Tensor = self._module.weight.detach()
        except (AttributeError, NotImplementedError) as error:
            raise InputError(
                "{0} has no table of embeddings with a row for each token. Choose a model that reads tokens.",
                model.name,
            ) from error

    @property
    def size(self) -> int:
        """How many rows the table has."""
        return self._table.shape[0]

    @property
    def width(self) -> int:
        """How many numbers a row has."""
        return self._table.shape[1]

    def words(self, text: str, more: Sequence[str] = ()) -> tuple[Word, ...]:
        """The different words of a text and what is given beside it, each once, in order.

        Args:
            text: as the model would read it.
            more: further words; each is cut into tokens as if it followed the text.

        Raises:
            NoTokenizerError, EmptyError, InputError: the text cannot be used, and why.

        >>> [word.label for word in Vocabulary(attnviz.load("bundled")).words("Der Hund sah den Hund.", ["dog"])]
        ['Der', 'Hund', 'sah', 'den', '.', 'dog']
        """
        text = text.strip()
        joined, spans = text, []
        for word in more:
            spans.append((len(joined) + 1, len(joined) + 1 + len(word)))
            joined = f"{joined} {word}"
        encoding = self._model.inputs.encode_target(joined) if self._of_decoder else self._model.inputs.encode(joined)
        if encoding is None:
            raise EmptyError("There is no target sentence yet. Type one: a few words are enough.")
        placed = [token for token in encoding.tokens if token.start is not None and token.end is not None]
        own = [token for token in placed if token.end <= len(text)]  # type: ignore[operator]
        entries = []
        for group in word_groups(own):
            inside = [own[index] for index in group]
            entries.append((words(inside)[0].text, inside, False))
        for word, (start, end) in zip(more, spans, strict=True):
            inside = [token for token in placed if token.start < end and token.end > start]  # type: ignore[operator]
            entries.append((word, inside, True))
        unique: dict[tuple[int, ...], tuple[str, list[Token], bool]] = {}
        for name, pieces, added in entries:
            if pieces and name.strip():
                unique.setdefault(tuple(piece.id for piece in pieces), (name, pieces, added))
        labels = _labels([name for name, _, _ in unique.values()])
        vectors = self._rows([index for ids in unique for index in ids])
        result, begin = [], 0
        for label, (ids, (_, pieces, added)) in zip(labels, unique.items(), strict=True):
            result.append(Word(label, tuple(pieces), vectors[begin : begin + len(ids)].mean(axis=0), added))
            begin += len(ids)
        return tuple(result)

    def similarities(self, vector: np.ndarray) -> np.ndarray:
        """The cosine of a vector with every row: float32 (vocabulary,), in [-1, 1].

        One product with the table; a table in half precision is gone through block by block.
        """
        tensor = torch.from_numpy(np.asarray(vector, dtype=np.float32)).to(self._table.device)
        products = torch.cat([block @ tensor for block in self._blocks()])
        return (products / (self._lengths() * tensor.norm()).clamp_min(1e-30)).clamp(-1, 1).cpu().numpy()

    def neighbours(
        self, similarities: np.ndarray, count: int = NEAREST, *, without: Sequence[int] = (), like: str = ""
    ) -> tuple[Neighbour, ...]:
        """The entries of the vocabulary that are most alike, the nearest first.

        Args:
            similarities: what `similarities` returns.
            count: how many at most.
            without: ids that are left out, such as the word's own.
            like: a word; with it, only entries that can be whole words of its script are taken. "" for any entry.

        Returns:
            Tokens that can be read: special ones, single bytes and rows that stand for no token are passed over.
        """
        left_out = set(without)
        marks = bool(like) and self._marks_beginnings
        chosen: list[tuple[Token, float]] = []
        looked = 0
        searched = min(len(similarities), count + len(left_out) + _SEARCHED)
        while len(chosen) < count and looked < len(similarities):
            # The first `searched`, sorted; what was looked at before comes first again and is skipped.
            nearest = np.argpartition(-similarities, searched - 1)[:searched]
            nearest = nearest[np.argsort(-similarities[nearest], kind="stable")]
            for index in nearest[looked:].tolist():
                (token,) = tokenizer.from_ids(self._model.tokenizer, [index])
                spelt = self._spelt(index)
                if index in left_out or not _readable(token, spelt):
                    continue
                if not like or _is_whole_word(token.text, spelt, like, marks):
                    chosen.append((token, float(similarities[index])))
                    if len(chosen) == count:
                        break
            looked, searched = searched, min(len(similarities), searched * 4)
        labels = _labels([token.text for token, _ in chosen])
        return tuple(Neighbour(token.id, label, cosine) for label, (token, cosine) in zip(labels, chosen, strict=True))

    @cached_property
    def _marks_beginnings(self) -> bool:
        """Whether the vocabulary marks the entries that begin a word, as byte-level BPE and SentencePiece do."""
        first = range(min(self.size, len(self._model.tokenizer), 2000))
        return any(str(spelt).startswith(BEGINNINGS) for spelt in self._model.tokenizer.convert_ids_to_tokens(first))

    def _spelt(self, index: int) -> str:
        """An entry as the vocabulary spells it."""
        return str(self._model.tokenizer.convert_ids_to_tokens([index])[0])

    def _rows(self, ids: Sequence[int]) -> np.ndarray:
        return self._table[torch.tensor(list(ids), dtype=torch.long, device=self._table.device)].float().cpu().numpy()

    def _lengths(self) -> Tensor:
        """The length of each row, (vocabulary,); measured once, and again where the table was trained further."""
        version = self._table._version
        measured = _measured.get(self._module)
        if measured is None or measured[0] != version:
            measured = version, torch.cat([block.norm(dim=1) for block in self._blocks()])
            _measured[self._module] = measured
        return measured[1]

    def _blocks(self) -> Iterator[Tensor]:
        """The table in float32: as it is, or part by part."""
        return (block.float() for block in self._table.split(BLOCK))


def _labels(texts: Sequence[str]) -> tuple[str, ...]:
    """Texts that do not follow each other, readable, and no two alike."""
    return labels([Token(-1, text, False, word, None, None) for word, text in enumerate(texts)])


def _is_whole_word(text: str, spelt: str, like: str, marks: bool) -> bool:
    """Whether an entry can be a whole word in the script of `like`: no ending, no single letter, no sign.

    Where a vocabulary marks the entries that begin a word, one without the mark only goes on with one; WordPiece marks
    those that go on. What begins a word can still be the first piece of longer ones alone: in Latin letters, entries
    of less than three letters and those without a vowel are such pieces nearly always.
    """
    text = text.strip()
    if not text.isalpha() or spelt.startswith("##") or _script(text) != _script(like):
        return False
    if _script(text) != "LATIN":
        return True  # Chinese has no spaces that a mark could stand for, and words of one character
    has_vowel = any(letter in "aeiouy" for letter in unicodedata.normalize("NFD", text.casefold()))
    return len(text) > 2 and has_vowel and (spelt.startswith(BEGINNINGS) or not marks)


def _script(text: str) -> str:
    """The script of the first letter, as the names of characters begin: "LATIN", "CJK"; "" where there is none."""
    return next((unicodedata.name(char, "").split(" ")[0] for char in text if char.isalpha()), "")


def _readable(token: Token, spelt: str) -> bool:
    """Whether a token stands for text by itself, and not for a role, white space or a part of a character."""
    single_byte = spelt.startswith("<0x") and spelt.endswith(">")
    return not (token.special or single_byte or "\ufffd" in token.text or not token.text.strip())
