"""Where in the text each token lies, where a tokenizer does not say so itself."""

import random
import unicodedata

import pytest
from support.texts import TEXTS, Scripted, texts_of
from support.tiny_tokenizers import CORPUS, EVERY, FAST, WithoutOffsets, gpt2, roberta, unigram, wordlevel, wordpiece
from tokenizers import Regex, normalizers, pre_tokenizers

from attnviz.tokenization.segmentation import base_words
from attnviz.tokenization.tokenizer import encode, from_ids


def test_words_of_plain_letters_are_those_that_the_search_for_characters_gives():
    """A mark behind the text makes it take the slow way, and changes none of its words."""
    draw = random.Random(5)
    for _ in range(500):
        text = "".join(draw.choice("aé1 '’-.,·\n\u00ad©ß") for _ in range(draw.randrange(1, 12)))
        assert base_words(text) == base_words(text + "  \u0301")[: len(text)], repr(text)


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


def replace(pattern, content):
    return normalizers.Replace(Regex(pattern), content)


NUMBERS = replace(r"\d+", "0")


@pytest.mark.parametrize(
    ("normalizer", "text", "expected"),
    [
        ([NUMBERS], "room 4567 runs", ["room", "4567", "runs"]),
        ([NUMBERS], "4560 room 7", ["4560", "room", "7"]),
        ([replace(r"@\w+", "@USER")], "ask @erika room", ["ask", "@erika", "room"]),
        ([replace(r"https?://\S+", "URL"), NUMBERS], "see https://a.b/c?d=1 3", ["see", "https://a.b/c?d=1", "3"]),
        ([replace(r"\d[\d ]*\d", "0")], "call 030 123 45 now", ["call", "030 123 45", "now"]),
        ([replace("!+", "!"), replace("!", " !")], "stop!!!", ["stop", "!!!"]),
        ([replace(r"\d+", " 0 ")], "room12b", ["room", "12", "b"]),
        # What is dropped altogether is part of no neighbour.
        ([replace("[☃~]+", ""), NUMBERS], "see ☃☃ 45", ["see", "45"]),
    ],
)
def test_what_a_normaliser_replaces_is_shown_as_it_was_typed(normalizer, text, expected):
    read = encode(wordlevel(normalizers.Sequence(normalizer)), text)
    assert [token.text.strip() for token in read.tokens] == expected


def test_all_pieces_of_what_a_normaliser_replaces_carry_what_was_typed():
    tokenizer = wordlevel(replace(r"@\w+", "@USER"), pre_tokenizers.BertPreTokenizer())
    assert texts_of(encode(tokenizer, "ask @erika now").tokens) == ["ask", "@erika", "@erika", "now"]


@pytest.mark.parametrize("form", ["NFC", "NFKC"])
@pytest.mark.parametrize(
    "text",
    ["한국어 물", "các món ăn", "Fuß schön", "ｶﾞｷﾞ ﾊﾟ", "हिन्दी की", "தமிழ் கோ", "ไทย ที่", "שָׁלוֹם עוֹלָם", "ཀྵ རྒྱ", "ﬁn ½"],
)
def test_composing_normalisers_take_no_part_of_a_character_away(form, text):
    """In every script: what a reader sees as one character stays whole, however a computer stores it."""
    for stored in ("NFD", "NFC"):
        typed = unicodedata.normalize(stored, text)
        tokens = encode(wordlevel(getattr(normalizers, form)()), typed).tokens
        assert [token.text.strip() for token in tokens] == typed.split(), stored
