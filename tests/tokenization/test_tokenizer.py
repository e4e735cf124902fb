"""Reading texts and ids: real tokenizers trained in memory, texts that are hard to get right, nothing downloaded."""

import random
import subprocess
import sys
import unicodedata
from concurrent.futures import ThreadPoolExecutor

import pytest
import regex
from support.texts import TEXTS, Scripted, random_texts, texts_of
from support.tiny_tokenizers import (
    CORPUS,
    EVERY,
    FAST,
    WithoutOffsets,
    byt5,
    canine,
    gpt2,
    llama,
    marian,
    prefixed,
    roberta,
    unigram,
    unigram_bytes,
    whitespace_split,
    wordpiece,
)
from transformers import PreTrainedTokenizerFast

from attnviz.tokenization.token import Token, labels, word_groups, words
from attnviz.tokenization.tokenizer import encode, encode_many, from_ids


def shown(text):
    return [i for i, char in enumerate(text) if not char.isspace()]


# ---------------------------------------------------------------------------------------------------------------------
# Reading a text


@pytest.mark.parametrize(
    ("tokenizer", "text", "expected"),
    [
        # The space before a word stays with its token, except where the tokenizer leaves it out.
        (gpt2, "Der Hund sah", ["Der", " Hund", " sah"]),
        (roberta, "Der Hund sah", ["Der", "Hund", "sah"]),
        (prefixed, "Der Hund sah", ["Der", " Hund", " sah"]),
        (wordpiece, "Der Ball", ["[CLS]", "Der", "Ball", "[SEP]"]),
        (llama, "The dogs", ["<s>", "The", " dogs"]),
        (unigram, "Der", ["De", "r", "</s>"]),
        (byt5, "né", ["n", "é", "é", "</s>"]),
        (canine, "né", ["[CLS]", "n", "é", "[SEP]"]),
        (marian, "Der Hund", ["D", "er", " H", "u", "nd", "</s>"]),
        # A space put before the text stands for nothing, whatever offsets it borrows.
        (prefixed, "a  b", ["", "a", " ", " b"]),
        (roberta, "a  b", ["", "a", " ", "b"]),
        (prefixed, "a   b", ["", "a", " ", " ", " b"]),
        (roberta, "   ", [" ", " ", " "]),
        (llama, " a", ["<s>", "", " ", "a"]),
        (unigram, "学生", ["", "学生", "</s>"]),
        # A space put before every word stands for the white space that was there.
        (whitespace_split, "a  学生", ["", "a", "  ", "学生", "</s>"]),
        # Parts of one character each have all of it.
        (gpt2, "学😁", ["学", "学", "😁", "😁", "😁"]),
        (gpt2, "den 😀", ["den", " 😀"]),
        (llama, "a😀", ["<s>", "", "a", "😀", "😀", "😀", "😀"]),
        # Byte fallback of a run: every byte is told apart, although all of them have the run's offsets.
        (unigram_bytes, "h 😀!", ["", "h", " ", "😀", "😀", "😀", "😀", "!", "</s>"]),
        (unigram_bytes, "a\r\nb", ["", "a", "\r", "\n", "b", "</s>"]),
        # The text is what was written, not what the normalizer made of it.
        (unigram_bytes, "½", ["", "½", "½", "½", "½", "½", "</s>"]),
        (unigram, "ﬁnden", ["ﬁ", "ﬁn", "den", "</s>"]),
        (wordpiece, "cafe\u0301", ["[CLS]", "c", "a", "f", "e\u0301", "[SEP]"]),
        (unigram_bytes, "e\u0301a", ["", "e\u0301", "e\u0301", "a", "</s>"]),
        (unigram_bytes, "☃\u0958!", ["", *["☃"] * 3, *["\u0958"] * 6, "!", "</s>"]),  # two characters to Unicode
        (wordpiece, "İstanbul", ["[CLS]", "İstanbul", "[SEP]"]),
        # The unknown token stands for text.
        (unigram, "a☃", ["", "a", "☃", "</s>"]),
        (wordpiece, "den ☃ ☂", ["[CLS]", "den", "☃", "☂", "[SEP]"]),
        (marian, "den ☃ ☂", ["", "den", " ", "☃", " ", "☂", "</s>"]),
        # Nothing is left of an empty text but special tokens.
        (wordpiece, "", ["[CLS]", "[SEP]"]),
        (wordpiece, " \n ", ["[CLS]", "[SEP]"]),
        (gpt2, "", []),
        (byt5, "", ["</s>"]),
    ],
)
def test_a_token_is_the_text_it_stands_for(tokenizer, text, expected):
    assert texts_of(encode(tokenizer(), text).tokens) == expected


@pytest.mark.parametrize("name", EVERY)
def test_ids_are_the_tokenizers_own(name):
    tokenizer = EVERY[name]()
    for text in TEXTS[:5]:
        encoding = encode(tokenizer, text)
        assert list(encoding.ids) == tokenizer(text)["input_ids"]
        assert [token.id for token in encoding.tokens] == list(encoding.ids)
        assert encoding.text == text and encoding.pair is None


def check_tokens(tokens, text):
    """What holds for the tokens of any one text with any tokenizer."""
    for token in tokens:
        if token.special:
            assert (token.word, token.start, token.end) == (None, None, None) and token.text
        else:
            assert token.text == text[token.start : token.end]
    numbers = [token.word for token in tokens if not token.special]
    assert list(dict.fromkeys(numbers)) == list(range(len(set(numbers))))

    named = labels(tokens)
    assert len(set(named)) == len(named) == len(tokens)
    for label in named:
        assert label.strip() == label != "" and "\ufffd" not in label
        assert all(unicodedata.category(char) not in ("Cc", "Co", "Cs", "Zl", "Zp") for char in label)
        assert all(char == " " or not char.isspace() for char in label)

    groups = word_groups(tokens)
    assert sorted(i for group in groups for i in group) == list(range(len(tokens)))
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)
    joined = words(tokens)
    assert len(joined) == len(groups)
    assert len(set(labels(joined))) == len(joined)
    for word, group in zip(joined, groups, strict=True):
        if word.special:
            assert group == (tokens.index(word),) or tokens[group[0]] == word
        else:
            assert {tokens[i].word for i in group} == {word.word} and word.id == -1
            assert word.text == text[word.start : word.end]
            assert word.text == word.text.strip() or word.text.isspace()
    plain = [word for word in joined if not word.special]
    assert [word.word for word in plain] == list(range(len(plain)))
    assert all(before.end <= after.start for before, after in zip(plain, plain[1:], strict=False))
    for match in regex.finditer(r"\X", text):
        seen = [i for i in range(*match.span()) if not text[i].isspace()]
        plain = (token for token in tokens if not token.special)
        assert len({token.word for token in plain if any(token.start <= i < token.end for i in seen)}) <= 1, match


@pytest.mark.parametrize("name", [*EVERY, *(f"{name} without offsets" for name in FAST)])
def test_invariants(name):
    tokenizer = EVERY[name.split()[0]]()
    tokenizer = WithoutOffsets(tokenizer) if " " in name else tokenizer
    for text in TEXTS + random_texts(30, seed=11):
        check_tokens(encode(tokenizer, text).tokens, text)


@pytest.mark.parametrize("name", EVERY)
def test_many_texts_at_once_are_read_as_each_alone(name):
    texts = [*TEXTS, *random_texts(10, seed=13), "a\ud83db"]
    for target in (False, True):
        alone = [encode(EVERY[name](), text, target=target) for text in texts]
        assert encode_many(EVERY[name](), texts, target=target) == alone
    assert encode_many(EVERY[name](), []) == []


@pytest.mark.parametrize("name", ["gpt2", "prefixed", "llama", "unigram_bytes", "byt5", "canine"])
def test_nothing_of_the_text_is_left_out(name):
    """Tokenizers that know every character; invisible ones that they drop may go."""
    for text in TEXTS + random_texts(30, seed=12):
        covered = {i for t in encode(EVERY[name](), text).tokens if not t.special for i in range(t.start, t.end)}
        if not any(special in text for special in ("<unk>", "</s>")):
            assert [text[i] for i in shown(text) if i not in covered and text[i].isprintable()] == []


def test_an_unknown_token_with_no_text_left_is_special():
    scripted = Scripted("a", "b", "<unk>")
    scripted.unk_token_id, scripted.all_special_ids = 3, (0, 3)
    assert [token.special for token in encode(scripted, "ab").tokens] == [False, False, True, True]


def test_lone_surrogates_do_not_stop_it():
    encoding = encode(gpt2(), "a\ud83db")
    assert encoding.text == "a\ufffdb"
    assert labels(encoding.tokens) == ("a", "▯ 1/3", "▯ 2/3", "▯ 3/3", "b")


# ---------------------------------------------------------------------------------------------------------------------
# Pairs, targets, special tokens


@pytest.mark.parametrize("tokenizer", [wordpiece, canine, byt5, unigram])
def test_pair(tokenizer):
    encoding = encode(tokenizer(), "Der Hund.", "Der Ball")
    specials = [token.special for token in encoding.tokens]
    middle = specials.index(True, 1)
    first, second = encoding.tokens[:middle], encoding.tokens[middle:]
    assert list(encoding.ids) == tokenizer()("Der Hund.", "Der Ball")["input_ids"]
    assert encoding.pair == "Der Ball"
    assert all(t.text == "Der Hund."[t.start : t.end] for t in first if not t.special)
    assert all(t.text == "Der Ball"[t.start : t.end] for t in second if not t.special)
    assert [word.text for word in words(encoding.tokens) if not word.special] == ["Der", "Hund", ".", "Der", "Ball"]
    assert [word.word for word in words(encoding.tokens) if not word.special] == [0, 1, 2, 3, 4]
    assert len(set(labels(encoding.tokens))) == len(encoding.tokens)


def test_token_types_of_a_pair():
    encoding = encode(wordpiece(), "der", "den")
    assert texts_of(encoding.tokens) == ["[CLS]", "der", "[SEP]", "den", "[SEP]"]
    assert encoding.token_type_ids == (0, 0, 0, 1, 1)
    assert encode(byt5(), "der").token_type_ids is None


def test_sentences_of_a_pair_are_not_mixed_up_without_a_special_token_between_them():
    tokens = encode(gpt2(), "den", "den").tokens
    assert [(token.text, token.start, token.word) for token in tokens] == [("den", 0, 0), ("den", 0, 1)]
    assert labels(tokens) == ("den", "den₂")
    assert texts_of(words(tokens)) == ["den", "den"]


def test_target_is_read_with_the_target_side():
    text = "Die Fledermaus flog nachts."
    encoding = encode(marian(), text, target=True)
    assert list(encoding.ids) == marian()(text_target=text)["input_ids"] != marian()(text)["input_ids"]
    assert [word.text for word in words(encoding.tokens)] == ["Die", "Fledermaus", "flog", "nachts", ".", "</s>"]
    assert encode(unigram(), text, target=True) == encode(unigram(), text)


@pytest.mark.parametrize("tokenizer", [unigram, marian, wordpiece])
def test_the_unknown_token_is_special_only_where_it_stands_for_nothing(tokenizer):
    tokenizer = tokenizer()
    snowman = next(token for token in encode(tokenizer, "den ☃ ball").tokens if token.id == tokenizer.unk_token_id)
    assert (snowman.text.strip(), snowman.special) == ("☃", False)
    typed = next(
        t for t in encode(tokenizer, f"den {tokenizer.unk_token} ball").tokens if t.id == tokenizer.unk_token_id
    )
    assert (typed.text, typed.special, typed.start) == (tokenizer.unk_token, True, None)
    (bare,) = from_ids(tokenizer, [tokenizer.unk_token_id])
    assert (bare.text, bare.special) == (tokenizer.unk_token, True)


def test_a_special_token_that_was_typed_is_special_although_it_is_the_unknown_token_too():
    tokens = encode(gpt2(), "den<|endoftext|>Ball").tokens
    assert [(token.text, token.special, token.word) for token in tokens] == [
        ("den", False, 0), ("<|endoftext|>", True, None), *((t.text, False, 1) for t in tokens[2:]),
    ]  # fmt: skip


def test_an_added_token_may_be_special_without_a_role():
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=gpt2().backend_tokenizer.from_str(gpt2().backend_tokenizer.to_str())
    )
    tokenizer.backend_tokenizer.add_special_tokens(["<|think|>"])
    tokenizer.add_tokens(["<tool>"])
    assert "<|think|>" not in tokenizer.all_special_tokens
    assert [token.special for token in encode(tokenizer, "den<|think|><tool>").tokens] == [False, True, False]


# ---------------------------------------------------------------------------------------------------------------------
# The tokenizer stays as it was


def limited():
    backend = wordpiece().backend_tokenizer.from_str(wordpiece().backend_tokenizer.to_str())
    backend.enable_truncation(4)
    backend.enable_padding(length=16, pad_token="[PAD]")
    return PreTrainedTokenizerFast(tokenizer_object=backend, unk_token="[UNK]", pad_token="[PAD]", model_max_length=5)


def test_padding_and_truncation_are_off_and_stay_in_the_tokenizer():
    tokenizer = limited()
    before = tokenizer.backend_tokenizer.truncation, tokenizer.backend_tokenizer.padding
    encoding = encode(tokenizer, CORPUS[0])
    assert encoding.ids == encode(wordpiece(), CORPUS[0]).ids and len(encoding.ids) > 16
    assert encode(tokenizer, "der").ids == encode(wordpiece(), "der").ids
    assert None not in before
    assert (tokenizer.backend_tokenizer.truncation, tokenizer.backend_tokenizer.padding) == before
    assert len(tokenizer.backend_tokenizer.encode(CORPUS[0])) == 16


def test_threads_do_not_get_in_each_others_way():
    tokenizer = limited()
    expected = encode(tokenizer, CORPUS[0])
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: (encode(tokenizer, CORPUS[0]), from_ids(tokenizer, expected.ids)), range(64)))
    assert all(encoding == expected for encoding, _ in found)


@pytest.mark.parametrize("tokenizer", [wordpiece, byt5])
def test_a_long_text_warns_nobody(tokenizer, monkeypatch, capfd, caplog):
    monkeypatch.setattr(tokenizer(), "model_max_length", 5)
    encode(tokenizer(), CORPUS[0])
    assert caplog.text == ""
    assert capfd.readouterr() == ("", "")


def test_nothing_heavy_is_imported():
    heavy = {"torch", "transformers", "tokenizers", "streamlit", "regex", "numpy"}
    code = f"import sys, attnviz.tokenization.tokenizer; print(*{heavy} & {{*sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


# ---------------------------------------------------------------------------------------------------------------------
# Reading ids


def decoded(tokenizer, ids):
    return tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


def in_a_row(tokens):
    """Concatenate texts; what tokens share with the one before, a character that both are part of, counts once."""
    text = ""
    for token in tokens:
        if not token.special:
            assert token.start <= len(text) <= token.end or token.end < len(text) == token.start
            text += token.text[len(text) - token.start :]
    return text


@pytest.mark.parametrize("name", EVERY)
def test_texts_of_ids_in_a_row_are_the_decoded_text(name):
    tokenizer = EVERY[name]()
    for text in TEXTS + random_texts(30, seed=13):
        ids = tokenizer(text)["input_ids"]
        tokens = from_ids(tokenizer, ids)
        expected = decoded(tokenizer, [i for i in ids if i != tokenizer.unk_token_id])
        assert in_a_row(tokens) == expected, text
        assert "".join(
            t.text for t, label in zip(tokens, labels(tokens), strict=True) if not t.special
        ) == expected or any("/" in label for label in labels(tokens))
        check_tokens(tokens, expected)


@pytest.mark.parametrize("name", EVERY)
def test_any_ids_at_all(name):
    """Cut-off characters, special tokens in between, ids beyond the vocabulary."""
    tokenizer = EVERY[name]()
    chance = random.Random(17)
    size = len(tokenizer) if name != "canine" else 300
    for length in (1, 2, 7, 200):
        ids = [chance.randrange(size + 2 if name in FAST else size) for _ in range(length)]
        tokens = from_ids(tokenizer, ids)
        assert [token.id for token in tokens] == ids
        expected = decoded(tokenizer, [i for i in ids if i != tokenizer.unk_token_id])
        assert in_a_row(tokens) == expected
        check_tokens(tokens, expected)


@pytest.mark.parametrize(
    ("tokenizer", "text", "expected"),
    [
        (wordpiece, "Der Ball.", ["[CLS]", "der", " ball", ".", "[SEP]"]),
        (gpt2, "Der Hund😁", ["Der", " Hund", "😁", "😁", "😁"]),
        (llama, "The dogs", ["<s>", "The", " dogs"]),
        (unigram_bytes, "a 😀", ["", "a", " ", "😀", "😀", "😀", "😀", "</s>"]),
        (byt5, "é!", ["é", "é", "!", "</s>"]),
        (canine, "é!", ["[CLS]", "é", "!", "[SEP]"]),
    ],
)
def test_from_ids(tokenizer, text, expected):
    ids = tokenizer()(text)["input_ids"]
    assert texts_of(from_ids(tokenizer(), ids)) == expected


def test_a_character_that_is_cut_off():
    ids = gpt2()("den😁")["input_ids"]
    assert labels(from_ids(gpt2(), ids[:-1]))[-1].startswith("▯")
    assert labels(from_ids(gpt2(), [*ids[:-1], *gpt2()("den")["input_ids"]]))[-1] == "den₂"


def test_long_runs_of_bytes_come_in_blocks():
    text = "学😁" * 70
    for tokenizer in (llama(), byt5(), gpt2(), unigram_bytes()):
        tokens = from_ids(tokenizer, tokenizer(text)["input_ids"])
        assert in_a_row(tokens).strip() == text
        assert {token.text.strip() for token in tokens if not token.special} <= {"学", "😁", ""}
        assert [word.text for word in words(tokens) if not word.special] == list(text)


@pytest.mark.parametrize("tokenizer", [llama, gpt2, unigram_bytes, wordpiece])
def test_long_sequences_of_ids_keep_up(tokenizer):
    """So long that only decoding in blocks is tried: nothing may go wrong where they meet."""
    chance = random.Random(19)
    words_ = [*" ".join(CORPUS[:3]).split(), "😁", "😁😀学😁😀☃😁", "schön", "☃"]
    text = " ".join(chance.choice(words_) for _ in range(2500))
    ids = tokenizer()(text)["input_ids"]
    tokens = from_ids(tokenizer(), ids)
    assert len(ids) > 2048
    assert in_a_row(tokens) == decoded(tokenizer(), [i for i in ids if i != tokenizer().unk_token_id])


def test_bytes_that_are_no_text():
    stray, first, second = (byte + 3 for byte in (0x8B, *"é".encode()))
    tokens = from_ids(byt5(), [stray, ord("a") + 3, first, second, first])
    assert texts_of(tokens) == ["", "a", "é", "é", ""]


def test_an_id_beyond_the_vocabulary_is_named():
    tokens = from_ids(gpt2(), [*gpt2()("den")["input_ids"], 50_300])
    assert tokens[-1] == Token(50_300, "<50300>", True, None, None, None)


def test_special_tokens_part_words():
    ids = gpt2()("den")["input_ids"]
    tokens = from_ids(gpt2(), [*ids, 0, *ids])
    assert [word.text for word in words(tokens)] == ["den", "<|endoftext|>", "den"]


def test_ids_without_a_tokenizer():
    tokens = from_ids(None, [7, 7, 11])
    assert tokens[1] == Token(7, "7", False, 1, None, None)
    assert labels(tokens) == ("7", "7₂", "11")
    assert texts_of(words(tokens)) == ["7", "7", "11"]
