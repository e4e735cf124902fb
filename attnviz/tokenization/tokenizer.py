"""From a tokenizer and a text, or bare ids, to readable tokens and words.

    text ─ encode ─┐
                   ├─ tuple of Token ─ labels, words, word_groups
    ids ─ from_ids ┘

A token is shown as the text it stands for: a slice of what the user wrote, never the vocabulary's own spelling (``Ġ``,
``##``, ``▁``). Fast tokenizers say where each token comes from; for the others the decoded tokens are aligned with the
text. What this module does not do: it loads no tokenizer and runs no model; it imports neither transformers nor torch.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from attnviz.tokenization.offsets import aligned, decoded, mended
from attnviz.tokenization.segmentation import Span, cluster_kind, number_words, visible

# A tokenizer that ships with padding or truncation is changed for the time of a call, and Streamlit calls from threads.
_LOCK = threading.RLock()


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
        text, found = decoded(partial(_decode, tokenizer), plain, [known[index] for index in plain])
    spans: list[Span | None] = [None] * len(ids)
    for i, span in zip(positions, found, strict=True):
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
        base = visible(token.text.replace("▁", " ") if token.special else token.text)
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


def _without_surrogates(text: str) -> str:
    return "".join("\ufffd" if "\ud800" <= char <= "\udfff" else char for char in text)


# ---------------------------------------------------------------------------------------------------------------------
# From spans to tokens


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
        run = [ids[i] for i in plain], [names[i] for i in plain], [spans[i] for i in plain]
        repaired = mended(partial(_decode, tokenizer), text, *run, covered)
        for i, span in zip(plain, repaired, strict=True):
            located[i] = span
    return _assemble(ids, names, [owner or 0 for owner in sentences], located, texts)


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
        inner, found = decoded(partial(_decode, tokenizer), run, [_name(tokenizer, index) or "" for index in run])
        hidden = {span for index, span in zip(run, found, strict=True) if index == unknown}
        for i, span in zip(inside, aligned(text, inner, found, hidden=hidden), strict=True):
            spans[i] = span
    return sentences, spans


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
        numbers = number_words(text, run)
        for index, (start, end), number in zip(ids[i:j], run, numbers, strict=True):
            tokens.append(Token(index, text[start:end], False, count + number, start, end))
        count += max(numbers) + 1
        reached = (sentences[i], run[-1][1])
        i = j
    return tuple(tokens)


def _joined(tokens: Sequence[Token]) -> Token:
    """Make one token of a word's tokens."""
    spans = [
        (token.start, token.end, token.text) for token in tokens if token.start is not None and token.end is not None
    ]
    if not spans:
        return Token(-1, "".join(token.text for token in tokens), False, tokens[0].word, None, None)
    spans.sort(key=lambda span: span[:2])
    seen = [i for i, (_, _, part) in enumerate(spans) if cluster_kind(part) != "blank"]
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
