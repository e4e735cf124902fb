"""Small real tokenizers of every common kind, trained in memory on a few sentences: nothing is downloaded."""

from __future__ import annotations

import functools
import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import ByT5Tokenizer, CanineTokenizer, MarianTokenizer, PreTrainedTokenizerFast

CORPUS = [
    "Der Hund sah den Ball. Die Fledermaus flog nachts. Das ist schön, daß du finden kannst.",
    "De kat zit op de mat. Het is vijfentwintig graden.",
    "The teacher taught the student with the book. The dogs don't bark.",
    "学生在写作业。我们都是学生。",
] * 4
# What training on CORPUS once gave: it breaks ties in another way in every process.
PIECES = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "'", ",", ".", "a", "b", "c", "d", "e", "f", "g", "h", "i",
    "j", "k", "l", "m", "n", "o", "p", "r", "s", "t", "u", "v", "w", "z", "ß", "。", "业", "们", "作", "写", "在",
    "学", "我", "是", "生", "都", "##s", "##r", "##a", "##d", "##e", "##n", "##i", "##h", "##t", "##ß", "##p", "##u",
    "##g", "##l", "##o", "##k", "##c", "##j", "##f", "##w", "##m", "##en", "##he", "the", "de", "##den", "ba",
    "da", "do", "fl", "is", "ka", "##au", "##ac", "##in", "##it", "##ht", "bo", "di", "du", "den", "fin", "gr",
    "he", "hu", "ma", "nac", "op", "sa", "st", "sc", "te", "tau", "vi", "wit", "zit", "##st", "##rk", "##rm",
    "##aden", "##de", "##ede", "##nd", "##nn", "##ig", "##ho", "##tw", "##tig", "##uden", "##gs", "##ght",
    "##ll", "##og", "##ok", "##jf", "##entw", "##her", "der", "bark", "ball", "das", "daß", "don", "dogs",
    "flede", "flog", "ist",
]  # fmt: skip
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def _without_special_bytes(tokenizer: Tokenizer) -> Tokenizer:
    """Bytes that byte fallback needs are plain vocabulary, not the special tokens that the trainer makes of them."""
    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] not in BYTES]
    return Tokenizer.from_str(json.dumps(state))


@functools.cache
def wordpiece() -> Any:
    """BERT, uncased: lower-cases, strips accents, sets Chinese characters apart."""
    vocabulary = {piece: number for number, piece in enumerate(PIECES)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(PIECES[:5])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip


def _byte_level(add_prefix_space: bool, trim_offsets: bool) -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=add_prefix_space)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=trim_offsets)
    trainer = trainers.BpeTrainer(
        vocab_size=420,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|endoftext|>"],
        show_progress=False,
    )
    # Half of the emoji's bytes are merged with the space before them, as in GPT-2.
    tokenizer.train_from_iterator([*CORPUS, *[" 😀 😁 😂 😃 😄"] * 9], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<|endoftext|>", bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    )


@functools.cache
def gpt2() -> Any:
    """Byte-level BPE whose tokens carry the space before a word."""
    return _byte_level(add_prefix_space=False, trim_offsets=False)


@functools.cache
def roberta() -> Any:
    """Byte-level BPE that puts a space first and leaves spaces out of the offsets."""
    return _byte_level(add_prefix_space=True, trim_offsets=True)


@functools.cache
def prefixed() -> Any:
    """Byte-level BPE that puts a space first, which borrows the offsets of the first character."""
    return _byte_level(add_prefix_space=True, trim_offsets=False)


@functools.cache
def unigram() -> Any:
    """SentencePiece Unigram with NFKC and an unknown token, like T5."""
    return _unigram(byte_fallback=False)


@functools.cache
def unigram_bytes() -> Any:
    """SentencePiece Unigram with NFKC and byte fallback."""
    return _unigram(byte_fallback=True)


def _unigram(byte_fallback: bool) -> Any:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Metaspace()])
    trainer = trainers.UnigramTrainer(
        vocab_size=140, unk_token="<unk>", special_tokens=["<pad>", "</s>", "<unk>"], show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    state = json.loads(tokenizer.to_str())
    # Training adds in an order that changes from run to run, and with it the last digits of the scores and the order of
    # pieces that are about as likely: here the alphabet numbers them.
    state["model"]["vocab"][3:] = sorted([piece, round(score, 2)] for piece, score in state["model"]["vocab"][3:])
    if byte_fallback:
        state["model"]["vocab"] += [[byte, -20.0] for byte in BYTES]
        state["model"]["byte_fallback"] = True
    tokenizer = Tokenizer.from_str(json.dumps(state))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", eos_token="</s>"
    )  # fmt: skip


@functools.cache
def whitespace_split() -> Any:
    """SentencePiece Unigram after a split at white space, like XLM-R: each word gets a space of its own."""
    tokenizer = Tokenizer.from_str(unigram().backend_tokenizer.to_str())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", pad_token="<pad>", eos_token="</s>")


@functools.cache
def llama() -> Any:
    """SentencePiece BPE with byte fallback, which puts a space first even where there is one."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    special = ["<unk>", "<s>", "</s>", *BYTES]
    trainer = trainers.BpeTrainer(vocab_size=480, special_tokens=special, show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer = _without_special_bytes(tokenizer)
    tokenizer.pre_tokenizer = None
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B:1", special_tokens=[("<s>", 1)]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="<unk>", bos_token="<s>", eos_token="</s>")


def wordlevel(normalizer: Any, splitter: Any = None) -> Any:
    """Whole words, all of them unknown but numbers and names of users, after some normaliser."""
    vocabulary = {name: i for i, name in enumerate(["[UNK]", "0", "@USER", "URL", "!"])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter or pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")


@functools.cache
def byt5() -> Any:
    """One token per byte, in Python."""
    return ByT5Tokenizer()


@functools.cache
def canine() -> Any:
    """One token per character, in Python; its special tokens are characters for private use."""
    return CanineTokenizer()


@functools.cache
def marian() -> Any:
    """One SentencePiece model for the source and a coarser one for the target behind one vocabulary, in Python."""
    import sentencepiece

    folder = Path(tempfile.mkdtemp())
    (folder / "corpus").write_text("\n".join(CORPUS), encoding="utf-8")
    vocabulary = ["</s>", "<unk>"]
    for name, size in (("source", 130), ("target", 50)):
        sentencepiece.SentencePieceTrainer.Train(
            input=str(folder / "corpus"), model_prefix=str(folder / name), vocab_size=size, character_coverage=1.0,
            hard_vocab_limit=False, num_threads=1, minloglevel=2,
        )  # fmt: skip
        model = sentencepiece.SentencePieceProcessor(model_file=str(folder / f"{name}.model"))
        vocabulary += [model.id_to_piece(i) for i in range(model.get_piece_size())]
    ids = {piece: i for i, piece in enumerate(dict.fromkeys([*vocabulary, "<pad>"]))}
    (folder / "vocab.json").write_text(json.dumps(ids), encoding="utf-8")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it recommends sacremoses, which would only change quotation marks
        return MarianTokenizer(str(folder / "source.model"), str(folder / "target.model"), str(folder / "vocab.json"))


class WithoutOffsets:
    """A fast tokenizer that does not say where its tokens come from."""

    is_fast = False

    def __init__(self, tokenizer: Any):
        self._inner = tokenizer
        for name in ("all_special_ids", "special_tokens_map", "unk_token_id", "decode", "convert_ids_to_tokens"):
            setattr(self, name, getattr(tokenizer, name))

    def added_tokens_decoder(self) -> None:
        """Raise, as the tokenizers of mistral-common do."""
        raise NotImplementedError("added_tokens_decoder is not available")

    def __call__(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        if "return_offsets_mapping" in kwargs:
            raise NotImplementedError("return_offsets_mapping is not available")
        return dict(self._inner(*args, **kwargs))


FAST = {
    "wordpiece": wordpiece, "gpt2": gpt2, "roberta": roberta, "prefixed": prefixed, "unigram": unigram,
    "unigram_bytes": unigram_bytes, "whitespace_split": whitespace_split, "llama": llama,
}  # fmt: skip
SLOW = {"byt5": byt5, "canine": canine, "marian": marian}
EVERY = {**FAST, **SLOW}
