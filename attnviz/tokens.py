"""From a tokenizer and a text, or bare ids, to readable tokens and words.

    text ─ encode ─┐
                   ├─ tuple of Token ─ labels, words, word_groups
    ids ─ from_ids ┘

A token is shown as the text it stands for: a slice of what the user wrote, never the vocabulary's own spelling (``Ġ``,
``##``, ``▁``). Fast tokenizers say where each token comes from; for the others the decoded tokens are aligned with the
text. What this module does not do: it loads no tokenizer and runs no model; it imports neither transformers nor torch.
"""

from __future__ import annotations

import functools
import threading
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from os.path import commonprefix
from typing import Any

Span = tuple[int, int]  # from the first character to the one after the last

# A tokenizer that ships with padding or truncation is changed for the time of a call, and Streamlit calls from threads.
_LOCK = threading.RLock()


@dataclass(frozen=True, slots=True)
class Token:
    """One position of an axis.

    Example:
        >>> Token(id=3290, text=" dog", special=False, word=1, start=3, end=7).text
        ' dog'
    """

    id: int  # vocabulary id; -1 where it stands for something that is no vocabulary entry (a whole word)
    text: str  # exactly what it stands for: text[start:end]; for a special token its own name ("</s>", "[CLS]")
    special: bool
    word: int | None  # index of its word on this axis, counted in order of appearance; None for special tokens
    start: int | None  # character offsets into the text; None for special tokens
    end: int | None


@dataclass(frozen=True, slots=True)
class Encoding:
    """A text, or a pair of texts, as the model reads it; ``ids`` and ``tokens`` have the same length."""

    ids: tuple[int, ...]
    tokens: tuple[Token, ...]
    token_type_ids: tuple[int, ...] | None  # which sentence each position belongs to, for models that ask for it
    text: str
    pair: str | None


def encode(tokenizer: Any, text: str, pair: str | None = None, *, target: bool = False) -> Encoding:
    """Tokenize a text with the special tokens that the model expects, never padded and never cut off.

    Args:
        tokenizer: a tokenizer of transformers, fast or not. Its own padding and truncation are left as they are.
        text: what to read. Halves of surrogate pairs, which no tokenizer takes, become U+FFFD.
        pair: a second sentence, for models that take pairs. Its offsets count from its own beginning, its words go on
            counting where the first sentence's stop.
        target: tokenize as the target side of a translation model does.

    Returns:
        The ids and one `Token` for each.

    Example:
        >>> [token.text for token in encode(gpt2_tokenizer, "The dogs bark").tokens]
        ['The', ' dogs', ' bark']
    """
    texts = tuple(_without_surrogates(part) for part in (text, pair) if part is not None)
    with _LOCK, _unlimited(tokenizer):
        batch = _call(tokenizer, *texts, target=target)
        ids = [int(index) for index in batch["input_ids"]]
        if getattr(tokenizer, "is_fast", False):
            sentences, spans = batch.sequence_ids(0), [tuple(span) for span in batch["offset_mapping"]]
        else:
            sentences, spans = _align_sentences(tokenizer, ids, texts, target)
        tokens = _tokens(tokenizer, ids, sentences, spans, texts)
    types = batch.get("token_type_ids")
    return Encoding(
        ids=tuple(ids),
        tokens=tokens,
        token_type_ids=None if types is None else tuple(int(kind) for kind in types),
        text=texts[0],
        pair=texts[1] if pair is not None else None,
    )


def from_ids(tokenizer: Any | None, ids: Iterable[int]) -> tuple[Token, ...]:
    """Give each of the ids, typed in or generated, the part of the decoded text that it stands for.

    The offsets count in the text that the tokenizer decodes from all ids that are not special. The texts in a row are
    that text; only tokens that stand for parts of one character all carry the whole character. The unknown token
    counts as special here, for the text behind it is lost, and so does an id that the tokenizer does not know
    (its name is ``<50300>``).

    Args:
        tokenizer: a tokenizer of transformers, or None: then each id is its own text and its own word.
        ids: vocabulary ids.

    Example:
        >>> [token.text for token in from_ids(bert_tokenizer, [101, 7592, 2088, 102])]
        ['[CLS]', 'hello', ' world', '[SEP]']
    """
    ids = [int(index) for index in ids]
    if tokenizer is None:
        return tuple(Token(index, str(index), False, i, None, None) for i, index in enumerate(ids))
    with _LOCK:
        special = _special_ids(tokenizer)
        known = {index: name for index in dict.fromkeys(ids) if (name := _name(tokenizer, index)) is not None}
        positions = [i for i, index in enumerate(ids) if index in known and index not in special]
        plain = [ids[i] for i in positions]
        text, decoded = _decoded(tokenizer, plain, [known[index] for index in plain])
    spans: list[Span | None] = [None] * len(ids)
    for i, span in zip(positions, decoded, strict=True):
        spans[i] = span
    names = [known.get(index, f"<{index}>") for index in ids]
    return _assemble(ids, names, [0] * len(ids), spans, (text,))


def labels(tokens: Sequence[Token]) -> tuple[str, ...]:
    """Name the positions of an axis: readable, and no two alike.

    The space before a word is not shown, as nearly every token has one; any other white space and what has no width
    of its own is: ``␣``, ``⏎``, ``⇥``, ``U+200B``. A token that stands for nothing in the text, such as the space
    that a tokenizer puts before the first word, is ``␣`` too. Parts of one character are numbered.

    Example:
        >>> labels([Token(5, "the", False, 0, 0, 3), Token(5, " the", False, 1, 3, 7), Token(8, "\\n", False, 1, 7, 8)])
        ('the', 'the₂', '⏎')
    """
    taken: set[str] = set()
    seen: dict[str, int] = {}
    named = []
    for token, part in zip(tokens, _parts(tokens), strict=True):
        base = _visible(token.text.replace("▁", " ") if token.special else token.text)
        suffix = "" if part is None else f" {part[0]}/{part[1]}"
        count = seen.get(base + suffix, 0) + 1
        label = base + suffix if count == 1 else f"{base}{str(count).translate(_SUBSCRIPT)}{suffix}"
        while label in taken:  # the text may itself contain "the₂"
            count += 1
            label = f"{base}{str(count).translate(_SUBSCRIPT)}{suffix}"
        seen[base + suffix] = count
        taken.add(label)
        named.append(label)
    return tuple(named)


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
        tokens[group[0]] if tokens[group[0]].word is None else _joined([tokens[i] for i in group])
        for group in word_groups(tokens)
    )


# ---------------------------------------------------------------------------------------------------------------------
# Asking the tokenizer


def _call(tokenizer: Any, *texts: str, target: bool = False, add_special_tokens: bool = True) -> Any:
    """Call the tokenizer so that it neither pads, nor cuts off, nor warns."""
    options: dict[str, Any] = {"padding": False, "truncation": False, "verbose": False}
    if getattr(tokenizer, "is_fast", False):
        options["return_offsets_mapping"] = True
    names = ("text_target", "text_pair_target") if target else ("text", "text_pair")
    sentences = dict(zip(names, texts, strict=False))
    return tokenizer(**sentences, add_special_tokens=add_special_tokens, **options)


@contextmanager
def _unlimited(tokenizer: Any) -> Iterator[None]:
    """Put back the padding and truncation of a tokenizer.json, which any call without them takes away for good."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    padding, truncation = getattr(backend, "padding", None), getattr(backend, "truncation", None)
    try:
        yield
    finally:
        if backend is not None and padding is not None:
            backend.enable_padding(**padding)
        if backend is not None and truncation is not None:
            backend.enable_truncation(**truncation)


def _decode(tokenizer: Any, ids: Sequence[int]) -> str:
    return tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False) if ids else ""


def _special_ids(tokenizer: Any) -> set[int]:
    """Find every id that the tokenizer declares special, in either of the two places where it can."""
    special = {int(index) for index in tokenizer.all_special_ids}
    added = getattr(tokenizer, "added_tokens_decoder", None)
    if isinstance(added, dict):  # the tokenizers of mistral-common have a method of this name that only raises
        special.update(int(index) for index, token in added.items() if getattr(token, "special", False))
    return special


def _name(tokenizer: Any, index: int) -> str | None:
    """Return a vocabulary entry as the tokenizer spells it, or None where there is none."""
    try:
        name = tokenizer.convert_ids_to_tokens([index])[0]
        _decode(tokenizer, [index])
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None  # each tokenizer without a fast backend fails in its own way
    if name is None or name.isprintable():
        return name
    # CANINE's special tokens are characters for private use; what they are for is a better name.
    roles = [role for role, value in tokenizer.special_tokens_map.items() if str(value) == name]
    own = [role for role in roles if role not in ("bos_token", "eos_token")] or roles
    return f"[{own[0].removesuffix('_token').upper()}]" if own else name


def _is_space(name: str) -> bool:
    """Tell whether a vocabulary entry is nothing but white space, in any of the spellings for it."""
    return not name.strip("▁Ġ \t\r\n")


def _without_surrogates(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)


# ---------------------------------------------------------------------------------------------------------------------
# Where each token is in the text


def _tokens(
    tokenizer: Any, ids: list[int], sentences: Sequence[int | None], spans: Sequence[Span], texts: tuple[str, ...]
) -> tuple[Token, ...]:
    """Decide what is special and mend the spans, sentence by sentence."""
    special = _special_ids(tokenizer)
    unknown = getattr(tokenizer, "unk_token_id", None)
    spelled = {index: _name(tokenizer, index) or f"<{index}>" for index in dict.fromkeys(ids)}
    names = [spelled[index] for index in ids]
    located: list[Span | None] = [None] * len(ids)
    for sentence, text in enumerate(texts):
        positions = [i for i, owner in enumerate(sentences) if owner == sentence]
        plain = []
        for i in positions:
            written = text[slice(*spans[i])]
            # The unknown token stands for real text, unless somebody typed its name.
            if ids[i] not in special or (ids[i] == unknown and written and written.strip() != names[i]):
                plain.append(i)
        covered = [spans[i] for i in positions if ids[i] in special]
        mended = _mended(tokenizer, text, [ids[i] for i in plain], [names[i] for i in plain],
                         [spans[i] for i in plain], covered)  # fmt: skip
        for i, span in zip(plain, mended, strict=True):
            located[i] = span
    return _assemble(ids, names, [owner or 0 for owner in sentences], located, texts)


def _mended(
    tokenizer: Any, text: str, ids: list[int], names: list[str], spans: list[Span], covered: list[Span]
) -> list[Span]:
    """Repair what offsets are known to get wrong, so that each span is what its token stands for.

    Args:
        tokenizer: decodes runs of tokens that were given one span together.
        text: one sentence.
        ids: its tokens that are not special; ``names`` and ``spans`` go with them.
        names: as the vocabulary spells them.
        spans: as the tokenizer reports them.
        covered: the spans of special tokens that were typed in the text.
    """
    spans = [(min(start, len(text)), min(max(start, end), len(text))) for start, end in spans]
    count = len(spans)
    blank = [_is_space(name) and name != text[slice(*span)] for name, span in zip(names, spans, strict=True)]

    # A space that the tokenizer put before the text, or before a word, borrows the offsets of what comes after it.
    for i in range(count):
        if blank[i] and i + 1 < count and spans[i + 1][0] == spans[i][0]:
            spans[i] = (spans[i][0], spans[i][0])

    # Byte fallback gives every byte of a run the offsets of the whole run.
    i = 0
    while i < count:
        j = i + 1
        while j < count and spans[j] == spans[i]:
            j += 1
        start, end = spans[i]
        if j - i > 1 and end - start > 1:
            split = _aligned(text[start:end], *_decoded(tokenizer, ids[i:j], names[i:j]), hidden=set())
            for k, (a, b) in enumerate(split, i):  # none stands for nothing: a part of what was taken apart
                spans[k] = (start + a, start + b) if b > a else spans[max(k - 1, i)]
        i = j

    # Where offsets leave out spaces, a token that is nothing but a space has none left: it stands for the one before.
    used = bytearray(len(text))  # 1 where a character belongs to some token
    for start, end in [*spans, *covered]:
        used[start:end] = b"\1" * (end - start)
    for i in range(count):
        start = end = spans[i][0]
        if not blank[i] or spans[i][1] > end:
            continue
        while start > 0 and not used[start - 1] and text[start - 1].isspace():
            start -= 1
        if start == end:
            limit = len(text) if i + 1 == count else spans[i + 1][0] - (spans[i + 1][0] == spans[i + 1][1])
            while end < limit and not used[end] and text[end].isspace():
                end += 1
        spans[i] = (start, end)
        used[start:end] = b"\1" * (end - start)

    return _grown(text, spans, used)


def _grown(text: str, spans: list[Span], used: bytearray) -> list[Span]:
    """Give a character inside a word that the tokenizer dropped, such as an accent, to the token before it."""
    if all(used):
        return spans
    base = _base_words(text)
    grown = {}
    for end in {end for start, end in spans if end > start}:
        word, stop = base[end - 1], end
        while word is not None and stop < len(text) and not used[stop] and base[stop] == word:
            stop += 1
        if stop == len(text) or base[stop] != word:  # the rest of the word is lost, but for what sits on its letters
            rest, stop = stop, end
            while stop < rest and unicodedata.category(text[stop])[0] == "M":
                stop += 1
        grown[end] = stop
    return [(start, grown[end] if end > start else end) for start, end in spans]


# ---------------------------------------------------------------------------------------------------------------------
# Tokenizers without offsets: decode, then align with the text

_BLOCK = 64  # tokens decoded from one starting point: decoding every prefix from the beginning would be quadratic
_CONTEXT = 8  # tokens decoded around them, as some decoders look at their neighbours
_QUADRATIC = 2048  # up to here, prefixes are decoded from the beginning where blocks do not add up to the whole text


def _decoded(tokenizer: Any, ids: Sequence[int], names: Sequence[str]) -> tuple[str, list[Span]]:
    """Decode a sequence and find the span of each token in the result.

    Args:
        tokenizer: decodes any part of the sequence.
        ids: the sequence.
        names: its tokens as the vocabulary spells them.

    Returns:
        The decoded text, and a span for each token; together they cover the text. Tokens that make up a character
        together all have it in their span.
    """

    def decode(i: int, j: int) -> str:
        return _decode(tokenizer, ids[i:j])

    text, spans = _decoded_in_blocks(decode, names, _BLOCK)
    if _BLOCK < len(ids) <= _QUADRATIC and text != decode(0, len(ids)):
        text, spans = _decoded_in_blocks(decode, names, len(ids))
    return text, spans


def _decoded_in_blocks(decode: Callable[[int, int], str], names: Sequence[str], block: int) -> tuple[str, list[Span]]:
    count = len(names)
    edges = [0]  # how many characters the first i tokens make
    whole = [True]  # and whether they end with a complete one
    silent = [False]  # whether nothing can be seen of the last of them
    text = ""
    first = 0
    while first < count:
        last = min(first + block, count)
        # Start and stop between characters: half a character would spoil what is decoded beside it.
        begin = max(first - _CONTEXT, 0)
        while not whole[begin]:
            begin -= 1
        stop = min(last + _CONTEXT, count)
        around = decode(begin, stop)
        while around.endswith("\ufffd") and stop < min(last + _CONTEXT + 4, count):  # a character has up to 4 bytes
            stop += 1
            around = decode(begin, stop)
        offset = len(commonprefix([decode(begin, first), around])) - edges[first]
        for i in range(first + 1, last + 1):
            sofar = decode(begin, i)
            shared = len(sofar) if around.startswith(sofar) else len(commonprefix([sofar, around]))
            edge = max(shared - offset, edges[-1])
            # A part of a character is decoded as U+FFFD, or as nothing at all.
            half = shared < len(sofar) and not sofar[shared:].strip("\ufffd")
            silent.append(edge == edges[-1] and not _is_space(names[i - 1]) and shared == len(sofar))
            whole.append(not (half or silent[-1]))
            edges.append(edge)
        if last < count:  # go on from between two characters
            while last > first + 1 and not whole[last]:
                last -= 1
            del edges[last + 1 :], whole[last + 1 :], silent[last + 1 :]
        text += around[edges[first] + offset : edges[last] + offset]
        first = last
    spans = []
    for i in range(count):
        start = edges[i]
        end = edges[i + 1] if whole[i + 1] else min(edges[i + 1] + 1, len(text))
        if silent[i + 1]:
            k = next((k for k in range(i + 1, count) if edges[k + 1] > start), None)
            if text[:start].endswith("\ufffd"):  # one more byte of what was no character
                start, end = start - 1, start
            elif k is None or decode(i + 1, k + 1) == text[start : edges[k + 1]]:  # the next ones do not need it
                end = start
        spans.append((start, end))
    return text, spans


def _align_sentences(
    tokenizer: Any, ids: list[int], texts: tuple[str, ...], target: bool
) -> tuple[list[int | None], list[Span]]:
    """Find, for a tokenizer without offsets, the sentence and the span of every position."""
    sentences: list[int | None] = [None] * len(ids)
    spans: list[Span] = [(0, 0)] * len(ids)
    special, unknown = _special_ids(tokenizer), getattr(tokenizer, "unk_token_id", None)
    begin = 0
    for sentence, text in enumerate(texts):
        alone = [int(i) for i in _call(tokenizer, text, target=target, add_special_tokens=False)["input_ids"]]
        at = next((i for i in range(begin, len(ids) - len(alone) + 1) if ids[i : i + len(alone)] == alone), None)
        if at is None:  # it reads a bare sentence differently: then whatever is not special belongs to the first
            sentences = [None if index in special else 0 for index in ids]
            at, begin = 0, len(ids)
        else:
            begin = at + len(alone)
            sentences[at:begin] = [sentence] * len(alone)
        inside = [i for i in range(at, begin) if sentences[i] == sentence]
        run = [ids[i] for i in inside]
        decoded, found = _decoded(tokenizer, run, [_name(tokenizer, index) or "" for index in run])
        hidden = {span for index, span in zip(run, found, strict=True) if index == unknown}
        for i, span in zip(inside, _aligned(text, decoded, found, hidden=hidden), strict=True):
            spans[i] = span
    return sentences, spans


def _aligned(text: str, decoded: str, spans: Sequence[Span], *, hidden: set[Span]) -> list[Span]:
    """Carry spans in the decoded text over to the text itself.

    The two may differ in case, accents, compatibility characters and white space. Both are compared without these
    differences, piece by piece; what matches nothing shares what lies between its neighbours.

    Args:
        text: as it was written.
        decoded: as the tokenizer decodes it.
        spans: one per token, in ``decoded``.
        hidden: those of them that hold a placeholder, the unknown token's name.
    """
    cuts = sorted({cut for span in spans for cut in span})  # tokens may overlap, what lies between two cuts does not
    # Characters as they are left by normalisation, and where in the text each of them comes from.
    keys = [_key(char) for char in text]
    key, origin = "".join(keys), [k for k, kept in enumerate(keys) for _ in kept]
    places: list[Span | None] = []  # in the text, of what lies between a cut and the next
    bare: list[bool] = []  # whether that is only white space
    missed: list[int] = []  # those before this one without a place
    last = position = 0  # how far the text and the key are used up
    for i, atom in enumerate(zip(cuts, cuts[1:], strict=False)):
        piece = decoded[slice(*atom)]
        places.append(None)
        bare.append(piece.isspace())
        halfway = position < len(key) and origin[position] < last  # within one character, such as a ligature
        if not missed and not halfway and text.startswith(piece, last):
            places[i] = (last, last + len(piece))
            position = bisect_left(origin, last + len(piece))
        elif part := "" if atom in hidden else "".join(map(_key, piece)):
            # Not further than words are long, so that one mismatch does not swallow the rest of the text.
            found = key.find(part, position, position + len(part) + 100 * (len(missed) + 1))
            if found >= 0:
                start, position = origin[found], found + len(part)
                spaced = piece[0].isspace() and start > last and text[start - 1].isspace()
                places[i] = (start - spaced, origin[position - 1] + 1)
        if (place := places[i]) is None:
            missed.append(i)
            continue
        _fill(text, last, place[0], places, [(k, bare[k]) for k in missed])
        missed, last = [], place[1]
    _fill(text, last, len(text), places, [(k, bare[k]) for k in missed])

    where = {cut: i for i, cut in enumerate(cuts)}
    aligned = []
    for start, end in spans:
        i, j = where[start], where[end]
        inside = [place for place, space in zip(places[i:j], bare[i:j], strict=True) if place and not space]
        inside = inside or [place for place in places[i:j] if place]
        if inside:
            aligned.append((inside[0][0], inside[-1][1]))
        else:  # it stands for nothing: put it behind the one before
            before = places[i - 1] if i > 0 else None
            aligned.append((before[1], before[1]) if before else (0, 0))
    return aligned


def _fill(text: str, start: int, end: int, places: list[Span | None], missed: list[tuple[int, bool]]) -> None:
    """Share a stretch of the text among what has no place: a part each if it has as many parts, else all of it."""
    count = sum(not space for _, space in missed)
    stretch = text[start:end]
    parts = [(start, start + len(stretch))]
    # Between spaces; as BERT splits words; character by character.
    for source in (r"\S+", r"\w+|[^\w\s]", r"(?!\s)\X"):
        split = [(start + a, start + b) for a, b in (match.span() for match in _pattern(source).finditer(stretch))]
        if split:
            parts = [(split[0][0], split[-1][1])]
        if len(split) == count:
            parts = split
            break
    left = iter(parts if len(parts) == count else parts * count)
    for k, space in missed:
        places[k] = place = (start, start) if space else next(left)
        start = max(start, place[1])


@functools.lru_cache(maxsize=4096)
def _key(char: str) -> str:
    """Reduce a character to what no normalisation takes away: no case, no accents, no space."""
    kept = (c for c in unicodedata.normalize("NFKD", char) if unicodedata.category(c) not in ("Mn", "Me", "Cc", "Cf"))
    return "".join("".join(kept).casefold().split())


# ---------------------------------------------------------------------------------------------------------------------
# Words


def _assemble(
    ids: Sequence[int],
    names: Sequence[str],
    sentences: Sequence[int],
    spans: Sequence[Span | None],
    texts: tuple[str, ...],
) -> tuple[Token, ...]:
    """Make the tokens, counting words on across special tokens and sentences; a span of None means special."""
    tokens: list[Token] = []
    count = 0
    reached = (0, 0)  # the sentence, and how far into it
    i = 0
    while i < len(ids):
        j = i
        while j < len(ids) and spans[j] is not None and sentences[j] == sentences[i]:
            j += 1
        if j == i:
            tokens.append(Token(ids[i], names[i], True, None, None, None))
            i += 1
            continue
        text = texts[sentences[i]]
        run = [span for span in spans[i:j] if span is not None]
        if (sentences[i], run[0][0]) < reached:
            count -= 1  # a model generated a special token within a character: both sides are parts of it
        numbers = _numbered(text, run)
        for index, (start, end), number in zip(ids[i:j], run, numbers, strict=True):
            tokens.append(Token(index, text[start:end], False, count + number, start, end))
        count += max(numbers) + 1
        reached = (sentences[i], run[-1][1])
        i = j
    return tuple(tokens)


def _numbered(text: str, spans: Sequence[Span]) -> list[int]:
    """Number the words of a run of tokens from 0 on, in order of appearance.

    A token that covers parts of two words joins them. White space belongs to the word after it, at the end to the
    word before it.
    """
    low, high = min(start for start, _ in spans), max(end for _, end in spans)
    base = _base_words(text[low:high])
    total = max((word for word in base if word is not None), default=0)
    before, after = [-1], [total]  # the last word before each character; the first one at it or after it
    for word in base:
        before.append(before[-1] if word is None else word)
    for word in reversed(base):
        after.append(after[-1] if word is None else word)
    after.reverse()
    joined = [False] * (total + 1)  # whether a word and the next one are one
    for start, end in spans:
        first, last = after[start - low], before[end - low]
        if first < last:
            joined[first:last] = [True] * (last - first)
    merged = [0] * (total + 1)
    for number in range(1, total + 1):
        merged[number] = merged[number - 1] + (not joined[number - 1])
    order: dict[int, int] = {}
    return [order.setdefault(merged[after[start - low]], len(order)) for start, _ in spans]


# Joins two letters or digits on either side of it (d'accord, twenty-five, col·legi, צה״ל); soft hyphen and word joiner.
_JOINERS = frozenset("'’ʼ＇-‐‑_·׳״\u00ad\u2060")
_DIGIT_JOINERS = frozenset(".,٫٬")  # joins two digits: 3.14, 1,000


def _base_words(text: str) -> list[int | None]:
    """Number the word of each character by the text alone; None for white space and what is invisible.

    A word is a run of letters, marks and digits. In scripts that are written without spaces (Chinese, Japanese, Thai,
    Lao, Khmer, Burmese) every character is one, and so is every other sign. What a reader sees as one character
    (Unicode Standard Annex 29, extended grapheme cluster), such as a flag or a family, is never split.
    """
    clusters = [match.span() for match in _pattern(r"\X").finditer(text)]
    kinds = [_cluster_kind(text[start:end]) for start, end in clusters]
    words: list[int | None] = []
    current = -1
    goes_on = False  # whether a letter here would belong to the current word
    for i, (start, end) in enumerate(clusters):
        between = 0 < i < len(kinds) - 1 and kinds[i - 1] == kinds[i + 1] == "word"
        digits = between and text[start - 1].isdigit() and text[end].isdigit()
        if (between and text[start] in _JOINERS) or (digits and text[start] in _DIGIT_JOINERS):
            words.extend([current] * (end - start))
        elif kinds[i] == "blank":
            words.extend([None] * (end - start))
            goes_on = False
        else:
            current += not (goes_on and kinds[i] == "word")
            goes_on = kinds[i] == "word"
            words.extend([current] * (end - start))
    return words


# Scripts written without spaces; the marks that lengthen a vowel belong to Hiragana and Katakana alike.
_ALONE = (
    r"(?=[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}ーｰ])[\p{L}\p{M}\p{Nl}\p{So}]"
)


@functools.cache
def _pattern(source: str) -> Any:
    import regex  # type: ignore[import-untyped]  # transformers needs it anyway; imported late because it takes 20 ms

    return regex.compile(source)


@functools.lru_cache(maxsize=4096)
def _cluster_kind(cluster: str) -> str:
    """Sort a character, as a reader sees it, into "blank", "alone" (a word of its own), "word" or "sign"."""
    shown = next((char for char in cluster if not char.isspace() and unicodedata.category(char) not in _UNSEEN), None)
    if shown is None:
        return "blank"
    if _pattern(_ALONE).match(shown):
        return "alone"
    return "word" if unicodedata.category(shown)[0] in "LMN" else "sign"


def _joined(tokens: Sequence[Token]) -> Token:
    """Make one token of a word's tokens."""
    spans = [
        (token.start, token.end, token.text) for token in tokens if token.start is not None and token.end is not None
    ]
    if not spans:
        return Token(-1, "".join(token.text for token in tokens), False, tokens[0].word, None, None)
    spans.sort(key=lambda span: span[:2])
    seen = [i for i, (_, _, part) in enumerate(spans) if _cluster_kind(part) != "blank"]
    if seen:
        spans = spans[seen[0] : seen[-1] + 1]
    text, start, end = "", spans[0][0], spans[0][0]
    for first, last, part in spans:  # they overlap where they share a character; some may have been hidden
        if first > end and not seen:
            break  # nothing but space, and some of it belongs to no token
        text += part[max(end - first, 0) :]
        end = max(end, last)
    if text.strip():
        start, end = start + len(text) - len(text.lstrip()), end - len(text) + len(text.rstrip())
    return Token(-1, text.strip() or text, False, tokens[0].word, start, end)


# ---------------------------------------------------------------------------------------------------------------------
# Labels

_SUBSCRIPT = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")
_UNSEEN = frozenset(("Cc", "Cf", "Zs", "Zl", "Zp"))
_LINE_BREAKS = frozenset("\n\u2028\u2029\x85")
# Fills a place or changes its neighbour, and shows nothing by itself: grapheme joiner, Hangul and Braille blanks,
# Khmer inherent vowels, variation selectors.
_NO_SHAPE = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0").union(
    *(map(chr, range(first, last + 1)) for first, last in ((0x180B, 0x180F), (0xFE00, 0xFE0F), (0xE0100, 0xE01EF)))
)
_JOIN_CONTROLS = frozenset("\u200c\u200d")


def _visible(text: str) -> str:
    """Write a text so that nothing in it is invisible, and so that it stays in its place."""
    text = unicodedata.normalize("NFC", text).replace("\r\n", "\n")  # what looks alike gets a counter
    if len(text) > 1 and text[0] == " " and not text[1].isspace():
        text = text[1:]  # the space before a word
    shown: list[str] = []
    solid = False  # whether the character before can be seen, so that a mark has something to sit on
    for i, char in enumerate(text):
        following = i + 1 < len(text) and not text[i + 1].isspace()
        symbol = _symbol(char, solid, following)
        shown.append(symbol)
        solid = not char.isspace() and symbol.endswith(char)
    return "".join(shown) or "␣"


def _symbol(char: str, solid: bool, following: bool) -> str:
    """Write one character, given whether something visible is before it and whether something is after it."""
    category, code = unicodedata.category(char), ord(char)
    if char in _LINE_BREAKS:
        return "⏎"
    if char == "\t":
        return "⇥"
    if char == "\ufffd":
        return "▯"  # bytes that are no text
    if char.isspace() and category != "Cc":
        return " " if char == " " and solid and following else "␣"
    if code < 0x20:
        return chr(0x2400 + code)  # Unicode's pictures of control characters
    if char == "\u00ad":
        return "‧"  # a place to hyphenate
    if char in _NO_SHAPE:
        return char if solid else f"U+{code:04X}"
    if category == "Cf":
        # Inside a word or an emoji these shape their neighbours; flags of regions end with tags; the Arabic number
        # signs can be seen. Elsewhere, as with marks that turn the direction of writing, the code is shown.
        keeps = (char in _JOIN_CONTROLS and solid and following) or (0xE0020 <= code <= 0xE007F and solid)
        return char if keeps or 0x600 <= code <= 0x605 or code in (0x6DD, 0x70F, 0x8E2) else f"U+{code:04X}"
    if category in ("Cc", "Co", "Cs"):
        return f"U+{code:04X}"
    return "◌" + char if category[0] == "M" and not solid else char


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
