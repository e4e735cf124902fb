"""Where in the text each token lies, where a tokenizer does not say so itself."""

import pytest
from support.texts import TEXTS, Scripted, texts_of
from support.tiny_tokenizers import CORPUS, EVERY, FAST, WithoutOffsets, gpt2, roberta, unigram, wordpiece

from attnviz.tokenization.tokenizer import encode, from_ids


@pytest.mark.parametrize("name", FAST)
def test_alignment_finds_what_offsets_say(name):
    """Without offsets the same tokens come out, but for white space at their edges."""
    for text in [*TEXTS[:17], *CORPUS[:4], " ".join(CORPUS)]:
        told, found = (encode(tokenizer, text).tokens for tokenizer in (EVERY[name](), WithoutOffsets(EVERY[name]())))
        assert [token.text.strip() for token in found] == [token.text.strip() for token in told], text
        assert [token.special for token in found] == [token.special for token in told]
        assert [t.word for t, s in zip(found, told, strict=True) if t.text.strip()] == [
            s.word for s in told if s.text.strip()
        ]


@pytest.mark.parametrize(
    ("tokenizer", "text", "expected"),
    [
        (wordpiece, "Der Hund", ["[CLS]", "Der", " Hu", "nd", "[SEP]"]),
        (roberta, "a  b", ["", "a", " ", " b"]),
        (gpt2, "学😁 a", ["学", "学", "😁", "😁", "😁", " ", "a"]),
        (wordpiece, "den ☃, ☂ Ball", ["[CLS]", "den", "☃", ",", "☂", " Ball", "[SEP]"]),
        (wordpiece, "den twenty-five Ball", ["[CLS]", "den", "twenty", "-", "five", " Ball", "[SEP]"]),
        (unigram, "a<unk>☃b", ["", "a", "<unk>", "", "☃", "b", "</s>"]),
    ],
)
def test_alignment_of_what_was_written(tokenizer, text, expected):
    assert texts_of(encode(WithoutOffsets(tokenizer()), text).tokens) == expected


def test_alignment_within_a_character_that_was_taken_apart():
    tokens = encode(Scripted("f", "i", "i", "s"), "ﬁis").tokens
    assert texts_of(tokens) == ["ﬁ", "ﬁ", "i", "s", "</s>"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [("axb c", ["ax", "b", " c"]), ("abx c", ["a", "b", " c"]), ("ab\u0301 c", ["a", "b\u0301", " c"])],
)
def test_what_a_tokenizer_drops_within_a_word_goes_to_the_token_before_it(text, expected):
    assert texts_of(encode(Scripted("a", "b", " c"), text).tokens)[:-1] == expected


def test_alignment_is_not_led_astray_by_one_piece():
    text = "a b " + "c " * 200 + "x"
    tokens = encode(Scripted("a", "x", " c", " c"), text).tokens
    assert [(token.text, token.start) for token in tokens[:4]] == [("a", 0), ("b", 2), (" c", 3), (" c", 5)]


def test_alignment_of_a_tokenizer_that_reads_a_bare_sentence_differently():
    tokens = encode(Scripted("der", " hund", alone=[7, 7]), "Der Hund").tokens
    assert [(token.text, token.special) for token in tokens] == [("Der", False), (" Hund", False), ("</s>", True)]


def test_a_decoder_that_depends_on_everything_before():
    """Quotation marks that open and close in turn: no part of the sequence can be decoded by itself."""

    def join(pieces):
        marks = iter("“”" * len(pieces))
        return "".join(next(marks) if piece == '"' else piece for piece in pieces)

    scripted = Scripted('"', *"ab" * 60, '"', "c", join=join)
    tokens = from_ids(scripted, range(1, len(scripted.pieces) + 1))
    assert "".join(texts_of(tokens)) == "“" + "ab" * 60 + "”c"
