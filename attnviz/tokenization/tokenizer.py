"""From a tokenizer and a text, or bare ids, to readable tokens and words.

    text ─ encode ─┐
                   ├─ tuple of Token ─ labels, words, word_groups
    ids ─ from_ids ┘

A token is shown as the text it stands for: a slice of what the user wrote, never the vocabulary's own spelling (``Ġ``,
``##``, ``▁``). Fast tokenizers say where each token comes from; for the others the decoded tokens are aligned with the
text. What this module does not do: it loads no tokenizer and runs no model; it imports neither transformers nor torch.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from attnviz.tokenization.offsets import align_spans, decode_with_spans, mend_offsets
from attnviz.tokenization.segmentation import Span, number_words
from attnviz.tokenization.token import Encoding, Token

# A tokenizer that ships with padding or truncation is changed for the time of a call, and Streamlit calls from threads.
_LOCK = threading.RLock()
_SURROGATES = re.compile("[\ud800-\udfff]")


def encode(
    tokenizer: Any, text: str, pair: str | None = None, *, target: bool = False, add_special_tokens: bool = True
) -> Encoding:
    """Tokenize a text with the special tokens that the model expects, never padded and never cut off.

    Args:
        tokenizer: a tokenizer of transformers, fast or not. Its own padding and truncation are left as they are.
        text: what to read. Halves of surrogate pairs, which no tokenizer takes, become U+FFFD.
        pair: a second sentence, for models that take pairs. Its offsets count from its own beginning, its words go on
            counting where the first sentence's stop.
        target: tokenize as the target side of a translation model does.
        add_special_tokens: whether the tokenizer puts its own around the text; not where the text has them already,
            as a chat template's has.

    Returns:
        The ids and one `Token` for each.

    Example:
        >>> [token.text for token in encode(gpt2_tokenizer, "The dogs bark").tokens]
        ['The', ' dogs', ' bark']
    """
    texts = tuple(_without_surrogates(part) for part in (text, pair) if part is not None)
    with _LOCK, _keep_limits(tokenizer):
        batch = _call(tokenizer, *texts, target=target, add_special_tokens=add_special_tokens)
        ids = [int(index) for index in batch["input_ids"]]
        if getattr(tokenizer, "is_fast", False):
            sentences, spans = batch.sequence_ids(0), [tuple(span) for span in batch["offset_mapping"]]
        else:
            sentences, spans = _align_sentences(tokenizer, ids, texts, target)
        tokens = _tokens(_Vocabulary(tokenizer), ids, sentences, spans, texts)
    types = batch.get("token_type_ids")
    return Encoding(
        ids=tuple(ids),
        tokens=tokens,
        token_type_ids=None if types is None else tuple(int(kind) for kind in types),
        text=texts[0],
        pair=texts[1] if pair is not None else None,
    )


def encode_many(tokenizer: Any, texts: Sequence[str], *, target: bool = False) -> list[Encoding]:
    """Tokenize many texts at once: what `encode` gives of each, several times as fast.

    Args:
        tokenizer, target: as for `encode`.
        texts: what to read.

    Example:
        >>> [len(encoding.tokens) for encoding in encode_many(gpt2_tokenizer, ["The dogs bark", "The dogs"])]
        [3, 2]
    """
    if not texts or not getattr(tokenizer, "is_fast", False):
        return [encode(tokenizer, text, target=target) for text in texts]
    whole = [_without_surrogates(text) for text in texts]
    result = []
    with _LOCK, _keep_limits(tokenizer):
        batch = _call(tokenizer, whole, target=target)
        vocabulary = _Vocabulary(tokenizer)
        types = batch.get("token_type_ids")
        for number, text in enumerate(whole):
            ids = [int(index) for index in batch["input_ids"][number]]
            spans = [tuple(span) for span in batch["offset_mapping"][number]]
            tokens = _tokens(vocabulary, ids, batch.sequence_ids(number), spans, (text,))
            kinds = None if types is None else tuple(int(kind) for kind in types[number])
            result.append(Encoding(tuple(ids), tokens, kinds, text, None))
    return result


def ids_of(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """The ids of many texts at once, special tokens included: what `encode` gives, without the tokens.

    Example:
        >>> ids_of(bert_tokenizer, ["hello world"])
        [[101, 7592, 2088, 102]]
    """
    if not texts:
        return []
    with _LOCK, _keep_limits(tokenizer):
        whole = [_without_surrogates(text) for text in texts]
        return [list(ids) for ids in tokenizer(whole, padding=False, truncation=False, verbose=False)["input_ids"]]


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
        names_by_id = {index: name for index in dict.fromkeys(ids) if (name := _name(tokenizer, index)) is not None}
        positions = [i for i, index in enumerate(ids) if index in names_by_id and index not in special]
        plain = [ids[i] for i in positions]
        text, plain_spans = decode_with_spans(
            partial(_decode, tokenizer), plain, [names_by_id[index] for index in plain]
        )
    spans: list[Span | None] = [None] * len(ids)
    for i, span in zip(positions, plain_spans, strict=True):
        spans[i] = span
    names = [names_by_id.get(index, f"<{index}>") for index in ids]
    return _assemble(ids, names, [0] * len(ids), spans, (text,))


# ---------------------------------------------------------------------------------------------------------------------
# Asking the tokenizer


def _call(tokenizer: Any, *texts: str | list[str], target: bool = False, add_special_tokens: bool = True) -> Any:
    """Call the tokenizer so that it neither pads, nor cuts off, nor warns."""
    options: dict[str, Any] = {"padding": False, "truncation": False, "verbose": False}
    if getattr(tokenizer, "is_fast", False):
        options["return_offsets_mapping"] = True
    names = ("text_target", "text_pair_target") if target else ("text", "text_pair")
    sentences = dict(zip(names, texts, strict=False))
    return tokenizer(**sentences, add_special_tokens=add_special_tokens, **options)


def _makes_tokens(tokenizer: Any, piece: str) -> bool:
    """Whether a piece of text alone makes tokens; not asked where spans come from what was decoded, which are whole."""
    return getattr(tokenizer, "is_fast", False) and bool(_call(tokenizer, piece, add_special_tokens=False)["input_ids"])


@contextmanager
def _keep_limits(tokenizer: Any) -> Iterator[None]:
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
    return _SURROGATES.sub("\ufffd", text)


class _Vocabulary:
    """What a tokenizer says of its entries, asked once for each; held for one call only, for tokenizers can change.

    Attributes:
        tokenizer: which is asked.
        special: the ids that it declares special.
        unknown: the id of its unknown token, or None.
    """

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer = tokenizer
        self.special = _special_ids(tokenizer)
        self.unknown = getattr(tokenizer, "unk_token_id", None)
        self._names: dict[int, str] = {}

    def name(self, index: int) -> str:
        """An entry as the tokenizer spells it; ``<50300>`` where there is none."""
        if index not in self._names:
            self._names[index] = _name(self.tokenizer, index) or f"<{index}>"
        return self._names[index]


# ---------------------------------------------------------------------------------------------------------------------
# From spans to tokens


def _tokens(
    vocabulary: _Vocabulary,
    ids: list[int],
    sentences: Sequence[int | None],
    spans: Sequence[Span],
    texts: tuple[str, ...],
) -> tuple[Token, ...]:
    """Decide what is special and mend the spans, sentence by sentence."""
    tokenizer, special, unknown = vocabulary.tokenizer, vocabulary.special, vocabulary.unknown
    names = [vocabulary.name(index) for index in ids]
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
        repaired = mend_offsets(partial(_decode, tokenizer), text, *run, covered, partial(_makes_tokens, tokenizer))
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
        inner, run_spans = decode_with_spans(
            partial(_decode, tokenizer), run, [_name(tokenizer, index) or "" for index in run]
        )
        hidden = {span for index, span in zip(run, run_spans, strict=True) if index == unknown}
        for i, span in zip(inside, align_spans(text, inner, run_spans, hidden=hidden), strict=True):
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
