"""Texts that are hard to read right, and a tokenizer whose pieces are written down."""

import random
import re

from attnviz.tokenization.token import words
from attnviz.tokenization.tokenizer import encode
from support.tiny_tokenizers import CORPUS

FAMILY = "👨\u200d👩\u200d👧"

TEXTS = [
    "Der Hund sah den Ball.", "De kat zit op de mat.", "学生在写作业。", "The dogs don't bark 3.14 😀!", "", "   ",
    "  two  spaces ", "a\r\nb\n\n\tc", "cafe\u0301 é", "ﬁnden", "½ ´", "İstanbul", f"{FAMILY} 🇩🇪🇳🇱 1️⃣ ❤️",
    "สวัสดีครับ", "שלום עולם", "می\u200cخواهم", "☃ ☂☂ ☄", "\ufeffa\u200bb\u00a0c\u202ed", "\x00\x07", "Fuß\u00adball",
    "the the₂ the", "## ▁ Ġ", "<unk> </s> [SEP]", "学" * 3 + " x " * 90 + "😁",
]  # fmt: skip


def texts_of(tokens):
    return [token.text for token in tokens]


def word_texts(tokenizer, text):
    return [word.text for word in words(encode(tokenizer, text).tokens) if not word.special]


def random_texts(count, seed):
    chance = random.Random(seed)
    parts = [
        *" ".join(CORPUS[:4]).split(),
        *"学生作业ab1.,'-–☃½ﬁİß\u0301\u200d\u200b",
        "😀",
        "😁",
        FAMILY,
        "🇩🇪",
        "🇳",
        "ไทย",
        "שלום",
    ]
    glue = ["", "", " ", " ", "  ", "\n", "\r\n", "\t", "\u3000"]
    return [
        "".join(chance.choice(parts) + chance.choice(glue) for _ in range(chance.randint(1, 14))) for _ in range(count)
    ]


class Scripted:
    """A tokenizer without offsets that says what it is told to; id 0 ends a sentence."""

    is_fast = False
    all_special_ids = (0,)
    unk_token_id = None

    def __init__(self, *pieces, alone=None, join="".join):
        self.pieces, self.join = pieces, join
        self.alone = list(range(1, len(pieces) + 1)) if alone is None else alone

    def __call__(self, text, add_special_tokens=True, **_):
        return {"input_ids": [*range(1, len(self.pieces) + 1), 0] if add_special_tokens else self.alone}

    def convert_ids_to_tokens(self, ids):
        return [self.pieces[index - 1] if index else "</s>" for index in ids]

    def decode(self, ids, **_):
        return self.join(self.convert_ids_to_tokens(ids))


def long_text(tokens: int) -> str:
    """A text that the bundled model reads as so many tokens, one of them its end."""
    words = "We want a picture of the old dog that saw the ball in the garden, and a very long sentence about it."
    pieces = re.findall(r"\w+|[.,]", words)
    text = " ".join(pieces[place % len(pieces)] for place in range(tokens - 1))
    return re.sub(r" ([.,])", r"\1", text)
