"""Words and labels of tokens, by hand and by real tokenizers."""

import pytest
from support.texts import FAMILY, texts_of, word_texts
from support.tiny_tokenizers import FAST, SLOW, byt5, canine, gpt2, llama, unigram, unigram_bytes, wordpiece
from transformers import PreTrainedTokenizerFast

from attnviz.tokenization.token import Token, labels, word_groups, words
from attnviz.tokenization.tokenizer import encode

# ---------------------------------------------------------------------------------------------------------------------
# Words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Der Hund sah den Ball.", ["Der", "Hund", "sah", "den", "Ball", "."]),
        ("don't l'accord twenty-five", ["don't", "l'accord", "twenty-five"]),
        ("foto’s ’s zo’n -n-", ["foto’s", "’", "s", "zo’n", "-", "n", "-"]),
        ("3.14 1,000 1.000,50 3. a.b x,y", ["3.14", "1,000", "1.000,50", "3", ".", "a", ".", "b", "x", ",", "y"]),
        ("snake_case col·legi Fuß\u00adball", ["snake_case", "col·legi", "Fuß\u00adball"]),
        ("wait... (no!)", ["wait", ".", ".", ".", "(", "no", "!", ")"]),
        ("学生在写作业。", list("学生在写作业。")),
        ("カメラとがっこう", list("カメラとがっこう")),
        ("A4纸3D打印", ["A4", "纸", "3D", "打", "印"]),
        ("한국어를 배우다", ["한국어를", "배우다"]),
        ("สวัสดี ครับ", ["ส", "วั", "ส", "ดี", "ค", "รั", "บ"]),
        ("שלום צה״ל", ["שלום", "צה״ל"]),
        ("می\u200cخواهم हिन्दी", ["می\u200cخواهم", "हिन्दी"]),
        ("cafe\u0301s", ["cafe\u0301s"]),
        (f"a{FAMILY}b", ["a", FAMILY, "b"]),
        ("🇩🇪🇳🇱👍🏽❤️", ["🇩🇪", "🇳🇱", "👍🏽", "❤️"]),
        ("😀😀", ["😀", "😀"]),
        ("a.5 5.a a\u200bb a-\u0301b", ["a", ".", "5", "5", ".", "a", "a", "b", "a-\u0301b"]),
        ("  a \n", ["a"]),
        (" \n ", [" \n "]),
        ("", []),
    ],
)
def test_words_by_the_text_alone(text, expected):
    assert word_texts(canine(), text) == expected
    assert word_texts(byt5(), text) == expected  # several tokens to a character change nothing


def test_tokens_join_the_words_that_they_cover():
    assert word_texts(unigram(), "学生在") == ["学生", "在"]
    assert word_texts(wordpiece(), "学生在") == ["学", "生", "在"]
    assert word_texts(unigram(), "a ☃☂☃☂.") == ["a", "☃☂☃☂", "."]
    assert word_texts(gpt2(), "a ☃☂☃☂.") == ["a", "☃", "☂", "☃", "☂", "."]
    across = PreTrainedTokenizerFast(
        tokenizer_object=unigram().backend_tokenizer.from_str(unigram().backend_tokenizer.to_str())
    )
    across.add_tokens(["zit op", "op.", "the"])
    assert word_texts(across, "De kat zit op de") == ["De", "kat", "zit op", "de"]
    across.add_tokens(["t o"])
    assert [token.word for token in encode(across, "kat op").tokens if token.text.strip()] == [0, 0, 0, None]
    assert word_texts(across, "kat op") == ["kat op"]


def test_white_space_goes_with_the_word_after_it_and_at_the_end_with_the_one_before():
    tokens = encode(canine(), " a \nb  ").tokens
    assert [token.word for token in tokens] == [None, 0, 0, 1, 1, 1, 1, 1, None]


def test_the_space_that_a_tokenizer_puts_first_goes_with_the_first_word():
    tokens = encode(llama(), "😀 a").tokens
    assert [token.word for token in tokens] == [None, 0, 0, 0, 0, 0, 1, 1]


def test_words_keep_offsets_and_special_tokens():
    joined = words(encode(wordpiece(), "Der Hund.").tokens)
    assert [(word.text, word.start, word.end, word.id, word.word) for word in joined] == [
        ("[CLS]", None, None, 2, None), ("Der", 0, 3, -1, 0), ("Hund", 4, 8, -1, 1), (".", 8, 9, -1, 2),
        ("[SEP]", None, None, 3, None),
    ]  # fmt: skip
    assert word_groups(encode(wordpiece(), "Der Hund.").tokens) == ((0,), (1,), (2, 3), (4,), (5,))


def test_words_of_some_of_the_tokens():
    """Tokens may have been hidden: what is left of a word is still one entry, and numbers may have gaps."""
    tokens = encode(canine(), "abc de").tokens
    assert texts_of(tokens) == ["[CLS]", "a", "b", "c", " ", "d", "e", "[SEP]"]
    kept = [tokens[1], tokens[5], tokens[3]]
    assert word_groups(kept) == ((0, 2), (1,))
    assert [(word.text, word.start, word.end, word.word) for word in words(kept)] == [("ac", 0, 3, 0), ("d", 4, 5, 1)]


def test_a_word_of_nothing_but_space_has_the_text_of_its_first_part():
    apart = [Token(1, "\u200b", False, 0, 0, 1), Token(1, "\u200b", False, 0, 2, 3)]
    assert [(word.text, word.start, word.end) for word in words(apart)] == [("\u200b", 0, 1)]


# ---------------------------------------------------------------------------------------------------------------------
# Labels


def loose(*texts):
    """Tokens side by side in one text, each its own word."""
    start, tokens = 0, []
    for i, text in enumerate(texts):
        tokens.append(Token(i, text, False, i, start, start + len(text)))
        start += len(text)
    return tokens


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["the", " the", " the"], ["the", "the₂", "the₃"]),
        (["the₂", "the", " the", " the₂"], ["the₂", "the", "the₃", "the₂₂"]),
        (["a"] * 12, ["a", *(f"a{n}" for n in ["₂", "₃", "₄", "₅", "₆", "₇", "₈", "₉", "₁₀", "₁₁", "₁₂"])]),
        ([" ", "  ", "\n", "\r\n", "\t", "\r"], ["␣", "␣␣", "⏎", "⏎₂", "⇥", "␍"]),
        (["  dog", "dog ", " of the", "a  b", "\nx", " \n"], ["␣␣dog", "dog␣", "of the", "a␣␣b", "⏎x", "␣⏎"]),
        (["", " "], ["␣", "␣₂"]),
        (["\u200b", "\u200d", "\ufeff", "a\u200d", "\ufe0f"], ["U+200B", "U+200D", "U+FEFF", "aU+200D", "U+FE0F"]),
        (["\u200dx", "x\u200d y"], ["U+200Dx", "xU+200D␣y"]),
        (["\u202eabc", "\x00", "\ue000"], ["U+202Eabc", "␀", "U+E000"]),
        ([FAMILY, "❤️", "می\u200cخ", "👍🏽"], [FAMILY, "❤️", "می\u200cخ", "👍🏽"]),
        (["\u0301", "e\u0301", "é", "\u0e31"], ["◌\u0301", "é", "é₂", "◌\u0e31"]),
        (["\u00a0", "\u3000", "\u2028"], ["␣", "␣₂", "⏎"]),
        (["\ufffd", "Fuß\u00adball"], ["▯", "Fuß‧ball"]),
        (["##", "Ġ", "▁"], ["##", "Ġ", "▁"]),  # somebody wrote them
    ],
)
def test_labels(texts, expected):
    assert list(labels(loose(*texts))) == expected


def test_labels_of_special_tokens_are_their_names():
    names = ["[CLS]", "</s>", "</s>", "<｜begin▁of▁text｜>"]
    tokens = [Token(i, name, True, None, None, None) for i, name in enumerate(names)]
    assert labels(tokens) == ("[CLS]", "</s>", "</s>₂", "<｜begin of text｜>")


@pytest.mark.parametrize(
    ("tokenizer", "text", "expected"),
    [
        (gpt2, "a😁😁", ["a", "😁 1/3", "😁 2/3", "😁 3/3", "😁₂ 1/3", "😁₂ 2/3", "😁₂ 3/3"]),
        (unigram_bytes, "ﬁnden", ["ﬁ 1/2", "ﬁn 2/2", "den", "</s>"]),
        (byt5, "né", ["n", "é 1/2", "é 2/2", "</s>"]),
        (byt5, "\u3000", ["␣ 1/3", "␣ 2/3", "␣ 3/3", "</s>"]),
        (wordpiece, "Fledermaus flog", ["[CLS]", "Fledermaus", "flog", "[SEP]"]),
    ],
)
def test_labels_of_real_tokens(tokenizer, text, expected):
    found = labels(encode(tokenizer(), text).tokens)
    if tokenizer is wordpiece:
        assert "".join(found[1:-1]).startswith("Fleder") and not any("#" in label for label in found)
    else:
        assert list(found) == expected


def test_a_token_may_end_with_the_first_part_of_a_character():
    """As GPT-2's " 😀": a space and the first two bytes, then one byte after the other."""
    shared = [Token(1, " 😀", False, 0, 1, 3), Token(2, "😀", False, 0, 2, 3), Token(3, "你好", False, 1, 3, 5),
              Token(4, "好", False, 1, 4, 5)]  # fmt: skip
    assert labels(shared) == ("😀 1/2", "😀 2/2", "你好 1/2", "好 2/2")
    assert texts_of(words(shared)) == ["😀", "你好"]


def test_slow_and_fast_tokenizers_are_both_tried():
    assert all(tokenizer().is_fast for tokenizer in FAST.values())
    assert not any(tokenizer().is_fast for tokenizer in SLOW.values())
