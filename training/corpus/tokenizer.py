"""The bundled tokenizer: one vocabulary for four languages, with bytes for every character it does not hold."""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SPECIAL = ("<pad>", "<s>", "</s>", "<unk>", ">>en<<", ">>de<<")
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))

# Punctuation stands alone, except between letters or digits where it belongs to the word: don't, D'Artagnan, 3.14,
# twenty-five. Full-width punctuation always stands alone, since Chinese has ideographs on both sides of it.
_PUNCTUATION = r"▁?(?:(?<![\p{L}\p{N}])\p{P}|\p{P}(?![\p{L}\p{N}])|[\p{P}&&[^'’\-.,]])"


def train_tokenizer(sentences: Iterable[str], size: int, rare: int = 4) -> Tokenizer:
    """Trains the tokenizer.

    Byte-pair encoding, because it keeps frequent words whole: the Unigram trainer of `tokenizers` at the same size
    spelt "es", "mat" and "taught" in two or three pieces and needed 8 % more tokens for the training text.

    Args:
        sentences: the text, a sentence at a time.
        size: entries of the vocabulary, the special tokens and 256 bytes included.
        rare: characters seen less often than this get no entry of their own and are spelt in bytes.

    Returns:
        A tokenizer that adds `</s>` after a sentence; `tokenizer.decode(ids)` gives the text back.
    """
    texts = [unicodedata.normalize("NFC", text) for text in sentences]
    counts = Counter(character for text in texts for character in text)
    keep = {character for character, count in counts.items() if count >= rare}
    texts = ["".join(c if c in keep else " " for c in text) for text in texts]

    draft = _assemble(models.BPE())
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[*SPECIAL, *BYTES], max_token_length=16, show_progress=False
    )
    draft.train_from_iterator(texts, trainer)
    learned = json.loads(draft.to_str())["model"]
    merges = [tuple(merge) for merge in learned["merges"]]
    tokenizer = _assemble(models.BPE(learned["vocab"], merges, unk_token="<unk>", byte_fallback=True))
    tokenizer.add_special_tokens([AddedToken(piece, special=True, normalized=False) for piece in SPECIAL])
    return tokenizer


def _assemble(model: models.Model) -> Tokenizer:
    tokenizer = Tokenizer(model)
    # A word at the very start gets the mark of a word too, so that it is the same token there as elsewhere. Chinese is
    # written without spaces: a mark before it would be a token that stands for nothing.
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\A(?=[\p{L}\p{N}])(?!\p{Han})"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Metaspace(prepend_scheme="never"),
            pre_tokenizers.Split(Regex(_PUNCTUATION), "isolated"),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(prepend_scheme="always"), decoders.Fuse()]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", SPECIAL.index("</s>"))]
    )
    return tokenizer


def punctuation(tokenizer: Tokenizer) -> list[int]:
    """The entries that are punctuation and nothing else, in ascending order."""
    return sorted(
        number
        for piece, number in tokenizer.get_vocab().items()
        if piece not in SPECIAL + BYTES and all(unicodedata.category(c)[0] == "P" for c in piece.strip("▁") or "x")
    )


def tokens_a_sentence(tokenizer: Tokenizer, sentences: Iterable[str]) -> float:
    """How many tokens a sentence has on average, special tokens aside."""
    counts = [len(encoded.ids) for encoded in tokenizer.encode_batch(list(sentences), add_special_tokens=False)]
    return sum(counts) / len(counts)


def pieces_of_words(tokenizer: Tokenizer, sentences: Iterable[str]) -> tuple[float, float]:
    """The share of the words (letters and digits in a row) that are one token, and how many tokens a word has."""
    words = [word for sentence in sentences for word in re.findall(r"\w+", sentence)]
    counts = [len(encoded.ids) for encoded in tokenizer.encode_batch(words, add_special_tokens=False)]
    return sum(count == 1 for count in counts) / len(counts), sum(counts) / len(counts)
