"""Where in the text each token is: mending what tokenizers report, and finding out where they report nothing.

    offsets ───────────────────────────────┐
    ids ─ decode_with_spans ─ align_spans ─┴─ mend_offsets

Fast tokenizers give offsets that are wrong in a few known ways. The others give none: their ids are decoded step by
step, and what comes out is aligned with what was written. What this module does not do: it asks no tokenizer for
anything but decoded text.
"""

from __future__ import annotations

import functools
import unicodedata
from bisect import bisect_left
from collections.abc import Callable, Sequence
from os.path import commonprefix

from attnviz.tokenization.segmentation import Span, base_words, pattern

Decode = Callable[[Sequence[int]], str]  # ids to text, special tokens included

_BLOCK = 64  # tokens decoded from one starting point: decoding every prefix from the beginning would be quadratic
_CONTEXT = 8  # tokens decoded around them, as some decoders look at their neighbours
_QUADRATIC = 2048  # up to here, prefixes are decoded from the beginning where blocks do not add up to the whole text


def mend_offsets(
    decode: Decode,
    text: str,
    ids: list[int],
    names: list[str],
    spans: list[Span],
    covered: list[Span],
    makes_tokens: Callable[[str], bool],
) -> list[Span]:
    """Repair what offsets are known to get wrong, so that each span is what its token stands for.

    Args:
        decode: for runs of tokens that were given one span together.
        text: one sentence.
        ids: its tokens that are not special; ``names`` and ``spans`` go with them.
        names: as the vocabulary spells them.
        spans: as the tokenizer reports them.
        covered: the spans of special tokens that were typed in the text.
        makes_tokens: whether a piece of text, read alone, makes any tokens.
    """
    spans = [(min(start, len(text)), min(max(start, end), len(text))) for start, end in spans]
    count = len(spans)
    blank = [is_space(name) and name != text[slice(*span)] for name, span in zip(names, spans, strict=True)]

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
            split = align_spans(text[start:end], *decode_with_spans(decode, ids[i:j], names[i:j]), hidden=set())
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

    if any(not is_used and not character.isspace() for is_used, character in zip(used, text, strict=True)):
        spans = _with_whole_characters(text, spans, used)
        spans = _with_replaced_text(text, spans, used, makes_tokens)
        spans = _with_rest_of_words(text, spans, used)
    return spans


def _with_whole_characters(text: str, spans: list[Span], used: bytearray) -> list[Span]:
    """Give what belongs to no token to the token that has a part of the same character, as a reader sees it.

    Composing normalisations (NFC, NFKC) report the first code point of those that they put together: of a Korean
    syllable in three parts the consonant, of a letter with a mark the letter.
    """
    cluster = [match.span() for match in pattern(r"\X").finditer(text) for _ in match.group()]
    result = []
    for start, end in spans:
        if end > start:
            while start > cluster[start][0] and not used[start - 1]:
                start -= 1
            while end < cluster[end - 1][1] and not used[end]:
                end += 1
        result.append((start, end))
    _take(used, result)
    return result


def _with_replaced_text(
    text: str, spans: list[Span], used: bytearray, makes_tokens: Callable[[str], bool]
) -> list[Span]:
    """Give a token what a normaliser replaced together with its first character.

    Of a match of several characters, such as the digits of a number, `tokenizers` reports the last one. The others
    belong to no token, though each piece of them would make one alone; what would not was dropped, and stays away.
    """
    starts: dict[int, int] = {}
    for start in {start for start, end in spans if end > start}:
        first = start
        while first > 0 and not used[first - 1]:
            space = first
            while space > 0 and not used[space - 1] and text[space - 1].isspace():
                space -= 1
            piece = space
            while piece > 0 and not used[piece - 1] and not text[piece - 1].isspace():
                piece -= 1
            if piece == space or not makes_tokens(text[piece:space]):
                break
            first = piece
        starts[start] = first
    result = [(starts[start], end) if end > start else (start, end) for start, end in spans]
    _take(used, result)
    return result


def _take(used: bytearray, spans: list[Span]) -> None:
    for start, end in spans:
        used[start:end] = b"\1" * (end - start)


def _with_rest_of_words(text: str, spans: list[Span], used: bytearray) -> list[Span]:
    """Give a character inside a word that the tokenizer dropped, such as an accent, to the token before it."""
    base = base_words(text)
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


def decode_with_spans(decode: Decode, ids: Sequence[int], names: Sequence[str]) -> tuple[str, list[Span]]:
    """Decode a sequence and find the span of each token in the result.

    Args:
        decode: for any part of the sequence.
        ids: the sequence.
        names: its tokens as the vocabulary spells them.

    Returns:
        The decoded text, and a span for each token; together they cover the text. Tokens that make up a character
        together all have it in their span.
    """
    text, spans = _decode_in_blocks(decode, ids, names, _BLOCK)
    if _BLOCK < len(ids) <= _QUADRATIC and text != decode(ids):
        text, spans = _decode_in_blocks(decode, ids, names, len(ids))
    return text, spans


def _decode_in_blocks(decode: Decode, ids: Sequence[int], names: Sequence[str], block: int) -> tuple[str, list[Span]]:
    count = len(names)
    edges = [0]  # how many characters the first i tokens make
    complete = [True]  # and whether the last of them is complete
    silent = [False]  # whether nothing can be seen of the last of them
    text = ""
    first = 0
    while first < count:
        last = min(first + block, count)
        # Start and stop between characters: half a character would spoil what is decoded beside it.
        begin = max(first - _CONTEXT, 0)
        while not complete[begin]:
            begin -= 1
        stop = min(last + _CONTEXT, count)
        around = decode(ids[begin:stop])
        while around.endswith("\ufffd") and stop < min(last + _CONTEXT + 4, count):  # a character has up to 4 bytes
            stop += 1
            around = decode(ids[begin:stop])
        offset = len(commonprefix([decode(ids[begin:first]), around])) - edges[first]
        for i in range(first + 1, last + 1):
            sofar = decode(ids[begin:i])
            shared = len(sofar) if around.startswith(sofar) else len(commonprefix([sofar, around]))
            edge = max(shared - offset, edges[-1])
            # A part of a character is decoded as U+FFFD, or as nothing at all.
            half = shared < len(sofar) and not sofar[shared:].strip("\ufffd")
            silent.append(edge == edges[-1] and not is_space(names[i - 1]) and shared == len(sofar))
            complete.append(not (half or silent[-1]))
            edges.append(edge)
        if last < count:  # go on from between two characters
            while last > first + 1 and not complete[last]:
                last -= 1
            del edges[last + 1 :], complete[last + 1 :], silent[last + 1 :]
        text += around[edges[first] + offset : edges[last] + offset]
        first = last
    spans = []
    for i in range(count):
        start = edges[i]
        end = edges[i + 1] if complete[i + 1] else min(edges[i + 1] + 1, len(text))
        if silent[i + 1]:
            k = next((k for k in range(i + 1, count) if edges[k + 1] > start), None)
            if text[:start].endswith("\ufffd"):  # one more byte of what was no character
                start, end = start - 1, start
            elif k is None or decode(ids[i + 1 : k + 1]) == text[start : edges[k + 1]]:  # the next ones do not need it
                end = start
        spans.append((start, end))
    return text, spans


def align_spans(text: str, decoded: str, spans: Sequence[Span], *, hidden: set[Span]) -> list[Span]:
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
    key, origin = "".join(keys), [k for k, normalised in enumerate(keys) for _ in normalised]
    piece_spans: list[Span | None] = []  # in the text, of what lies between a cut and the next
    bare: list[bool] = []  # whether that is only white space
    missed: list[int] = []  # those before this one without a span
    last = position = 0  # how far the text and the key are used up
    for i, atom in enumerate(zip(cuts, cuts[1:], strict=False)):
        piece = decoded[slice(*atom)]
        piece_spans.append(None)
        bare.append(piece.isspace())
        halfway = position < len(key) and origin[position] < last  # within one character, such as a ligature
        if not missed and not halfway and text.startswith(piece, last):
            piece_spans[i] = (last, last + len(piece))
            position = bisect_left(origin, last + len(piece))
        elif part := "" if atom in hidden else "".join(map(_key, piece)):
            # Not further than words are long, so that one mismatch does not swallow the rest of the text.
            match_start = key.find(part, position, position + len(part) + 100 * (len(missed) + 1))
            if match_start >= 0:
                start, position = origin[match_start], match_start + len(part)
                spaced = piece[0].isspace() and start > last and text[start - 1].isspace()
                piece_spans[i] = (start - spaced, origin[position - 1] + 1)
        if (piece_span := piece_spans[i]) is None:
            missed.append(i)
            continue
        _fill(text, last, piece_span[0], piece_spans, [(k, bare[k]) for k in missed])
        missed, last = [], piece_span[1]
    _fill(text, last, len(text), piece_spans, [(k, bare[k]) for k in missed])

    where = {cut: i for i, cut in enumerate(cuts)}
    aligned = []
    for start, end in spans:
        i, j = where[start], where[end]
        inside = [span for span, space in zip(piece_spans[i:j], bare[i:j], strict=True) if span and not space]
        inside = inside or [span for span in piece_spans[i:j] if span]
        if inside:
            aligned.append((inside[0][0], inside[-1][1]))
        else:  # it stands for nothing: put it behind the one before
            before = piece_spans[i - 1] if i > 0 else None
            aligned.append((before[1], before[1]) if before else (0, 0))
    return aligned


def _fill(text: str, start: int, end: int, piece_spans: list[Span | None], missed: list[tuple[int, bool]]) -> None:
    """Share a stretch of the text among the pieces that have no span: a part each if it has as many, else all of it."""
    count = sum(not space for _, space in missed)
    stretch = text[start:end]
    parts = [(start, start + len(stretch))]
    # Between spaces; as BERT splits words; character by character.
    for source in (r"\S+", r"\w+|[^\w\s]", r"(?!\s)\X"):
        split = [(start + a, start + b) for a, b in (match.span() for match in pattern(source).finditer(stretch))]
        if split:
            parts = [(split[0][0], split[-1][1])]
        if len(split) == count:
            parts = split
            break
    remaining = iter(parts if len(parts) == count else parts * count)
    for k, space in missed:
        piece_spans[k] = piece_span = (start, start) if space else next(remaining)
        start = max(start, piece_span[1])


@functools.lru_cache(maxsize=4096)
def _key(char: str) -> str:
    """Reduce a character to what no normalisation takes away: no case, no accents, no space."""
    characters = (
        c for c in unicodedata.normalize("NFKD", char) if unicodedata.category(c) not in ("Mn", "Me", "Cc", "Cf")
    )
    return "".join("".join(characters).casefold().split())


def is_space(name: str) -> bool:
    """Tell whether a vocabulary entry is nothing but white space, in any of the spellings for it."""
    return not name.strip("▁Ġ \t\r\n")
