"""`Token`: a piece of a text with what it says and where it stands; tokens as labels, and tokens put together to words.

What this module does not do: it asks no tokenizer; that is `tokenizer.py`.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace

from attnviz.tokenization.segmentation import Span, cluster_kind, visible


def is_word(token: Token) -> bool:
    """Whether it is something that a reader would call a word: no special token, and not only punctuation."""
    return not token.special and has_letters(token.text)


def has_letters(text: str) -> bool:
    """Whether there is a letter, a digit or another sign of a script in it, and not only punctuation and space."""
    return any(character.isalnum() for character in text)


def same_word(text: str) -> str:
    """What two spellings of a word have in common: "The" and "the" are one word.

    >>> same_word("Straße") == same_word("STRASSE")
    True
    """
    return unicodedata.normalize("NFC", text.strip().casefold())


@dataclass(frozen=True, slots=True)
class Token:
    """One position of an axis.

    Example:
        >>> Token(id=3290, text=" dog", special=False, word=1, start=3, end=7).text
        ' dog'
    """

    id: int  # vocabulary id; -1 where it stands for something that is no vocabulary entry (a word, a group of tokens)
    text: str  # exactly what it stands for: text[start:end]; for a special token its own name ("</s>", "[CLS]")
    special: bool
    word: int | None  # index of its word on this axis, counted in order of appearance; None for special tokens
    start: int | None  # character offsets into the text; None for special tokens
    end: int | None
    count: int = 1  # how many neighbouring positions of a long text it stands for; more than 1 in a pooled map only
    generated: bool = False  # whether the model wrote it, and nobody typed it


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text, or a pair of texts, as the model reads it; ``ids`` and ``tokens`` have the same length."""

    ids: tuple[int, ...]
    tokens: tuple[Token, ...]
    token_type_ids: tuple[int, ...] | None  # which sentence each position belongs to, for models that ask for it
    text: str
    pair: str | None


def append_generated(typed: Sequence[Token], read_back: Sequence[Token]) -> tuple[Token, ...]:
    """A text's tokens as they were typed, and behind them those that a model generated.

    Args:
        typed: the text's tokens; what they say is what somebody typed.
        read_back: all tokens as they are decoded from their ids, by which an unknown word is lost; those behind the
            text count words and characters from there on.

    Returns:
        The first ones as they are, the others marked as generated, with words and offsets that go on where the text
        ends.

    >>> typed = [Token(0, "zebra", False, 0, 0, 5)]
    >>> back = [Token(0, "[UNK]", True, None, None, None), Token(7, " runs", False, 0, 0, 5)]
    >>> append_generated(typed, back)[1]
    Token(id=7, text=' runs', special=False, word=1, start=5, end=10, count=1, generated=True)
    """
    before = read_back[: len(typed)]
    words = _last(typed, "word", -1) - _last(before, "word", -1)
    characters = _last(typed, "end", 0) - _last(before, "end", 0)
    return (
        *typed,
        *(
            replace(
                token,
                word=None if token.word is None else token.word + words,
                start=None if token.start is None else token.start + characters,
                end=None if token.end is None else token.end + characters,
                generated=True,
            )
            for token in read_back[len(typed) :]
        ),
    )


def _last(tokens: Sequence[Token], name: str, nothing: int) -> int:
    """The highest word or offset of some tokens."""
    return max((value for token in tokens if (value := getattr(token, name)) is not None), default=nothing)


def labels(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Name the positions of an axis: readable, and no two alike.

    The space before a word is not shown, as nearly every token has one; any other white space and what has no width
    of its own is: ``␣``, ``⏎``, ``⇥``, ``U+200B``. A token that stands for nothing in the text, such as the space
    that a tokenizer puts before the first word, is ``␣`` too. Parts of one character are numbered.

    Example:
        >>> labels([Token(5, "the", False, 0, 0, 3), Token(5, " the", False, 1, 3, 7), Token(8, "\\n", False, 1, 7, 8)])
        ('the', 'the₂', '⏎')
    """
    used_labels: set[str] = set()
    counts: dict[str, int] = {}
    unique_labels = []
    for token, part in zip(tokens, _parts(tokens), strict=True):
        base = visible(token.text.replace("▁", " ") if token.special else token.text)
        suffix = "" if part is None else f" {part[0]}/{part[1]}"
        count = counts.get(base + suffix, 0) + 1
        label = base + suffix if count == 1 else f"{base}{str(count).translate(_SUBSCRIPT)}{suffix}"
        while label in used_labels:  # the text may itself contain "the₂"
            count += 1
            label = f"{base}{str(count).translate(_SUBSCRIPT)}{suffix}"
        counts[base + suffix] = count
        used_labels.add(label)
        unique_labels.append(label)
    return tuple(unique_labels)


def spaced_labels(labels: Sequence[str], every: int) -> tuple[tuple[int, str], ...]:
    """The labels that are written where not all have room, with their positions.

    Words are taken rather than full stops, and without the number of their occurrence: the others of that name are not
    there.

    Args:
        labels: of all positions, as `labels` makes them.
        every: how many positions there are from one written label to the next, at least; 1: all are written.

    >>> spaced_labels(("the", "dog", ".", ".₂", "the₂", "cat", ".₃"), 3)
    ((0, 'the'), (4, 'the'))
    """
    if every <= 1:
        return tuple(enumerate(labels))
    names = [label.rstrip("₀₁₂₃₄₅₆₇₈₉") or label for label in labels]
    spaced = []
    position = 0
    while position < len(labels):
        near = range(position, min(position + math.ceil(every / 2), len(labels)))
        position = next((at for at in near if any(sign.isalnum() for sign in names[at])), position)
        spaced.append((position, names[position]))
        position += every
    return tuple(spaced)


def word_groups(tokens: Sequence[Token]) -> tuple[tuple[int, ...], ...]:
    """List the positions that make up each entry of `words`; a special token is a group of one.

    Example:
        >>> word_groups([Token(0, "[CLS]", True, None, None, None), Token(7, "un", False, 0, 0, 2),
        ...              Token(9, "seen", False, 0, 2, 6)])
        ((0,), (1, 2))
    """
    groups: dict[tuple[str, int], list[int]] = {}
    for i, token in enumerate(tokens):
        groups.setdefault(("special", i) if token.word is None else ("word", token.word), []).append(i)
    return tuple(tuple(group) for group in groups.values())


def words(tokens: Sequence[Token]) -> tuple[Token, ...]:
    """Put the tokens of each word together; special tokens stay as they are.

    Returns:
        One token per word: id -1, its text without the white space around it, and the offsets of that text.

    Example:
        >>> [word.text for word in words([Token(7, " un", False, 0, 3, 6), Token(9, "seen", False, 0, 6, 10)])]
        ['unseen']
    """
    return tuple(
        tokens[group[0]] if tokens[group[0]].word is None else _join([tokens[i] for i in group])
        for group in word_groups(tokens)
    )


def _join(tokens: Sequence[Token]) -> Token:
    """Make one token of a word's tokens."""
    spans = [
        (token.start, token.end, token.text) for token in tokens if token.start is not None and token.end is not None
    ]
    generated = all(token.generated for token in tokens)
    if not spans:
        text = "".join(token.text for token in tokens)
        return Token(-1, text, False, tokens[0].word, None, None, generated=generated)
    spans.sort(key=lambda span: span[:2])
    visible_indices = [i for i, (_, _, part) in enumerate(spans) if cluster_kind(part) != "blank"]
    if visible_indices:
        spans = spans[visible_indices[0] : visible_indices[-1] + 1]
    text, start, end = "", spans[0][0], spans[0][0]
    for first, last, part in spans:  # they overlap where they share a character; some may have been hidden
        if first > end and not visible_indices:
            break  # nothing but space, and some of it belongs to no token
        text += part[max(end - first, 0) :]
        end = max(end, last)
    if text.strip():
        start, end = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
    return Token(-1, text.strip() or text, False, tokens[0].word, start, end, generated=generated)


# ---------------------------------------------------------------------------------------------------------------------
# Labels

_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def _parts(tokens: Sequence[Token]) -> list[Span | None]:
    """Tell which part of a shared character each token stands for: (2, 3) for the second of three."""
    parts: list[Span | None] = []
    for i, token in enumerate(tokens):
        part = None
        if token.start is not None and token.end is not None and token.end > token.start:
            text = token.text if not token.text.isspace() else "x" * len(token.text)
            # A token's last character may go on in the next token, its first may have begun in the one before.
            last = token.start + len(text.rstrip()) - 1
            first = token.end - len(text.lstrip())
            for char in (last, first):
                begin, end = i, i + 1
                while begin > 0 and _holds(tokens[begin - 1], token.word, char):
                    begin -= 1
                while end < len(tokens) and _holds(tokens[end], token.word, char):
                    end += 1
                if end - begin > 1:
                    part = (i - begin + 1, end - begin)
                    break
        parts.append(part)
    return parts


def _holds(token: Token, word: int | None, char: int) -> bool:
    """Tell whether a token of the same word (offsets of two sentences must not be mixed) covers a character."""
    return token.word == word and token.start is not None and token.end is not None and token.start <= char < token.end
