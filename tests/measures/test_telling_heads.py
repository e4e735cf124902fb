"""What a first look at a sentence is about: pairs of words of content."""

from __future__ import annotations

from attnviz.measures.telling_heads import content_pairs
from attnviz.tokenization.token import Token


def tokens(*words: str) -> list[Token]:
    return [Token(index, word, False, index, None, None) for index, word in enumerate(words)]


def test_a_chinese_word_of_grammar_is_none_of_content() -> None:
    words = tokens("老师", "把", "书", "给了", "学生", "。")
    pairs = content_pairs(words, words, own=True)
    content = [0, 2, 3, 4]
    assert [at for at in range(len(words)) if pairs[at].any()] == content
    assert not pairs[:, [1, 5]].any()


def test_short_words_of_an_alphabet_are_left_out_where_longer_ones_are_there() -> None:
    words = tokens("De", "kat", "zit", "op", "de", "mat", ".")
    pairs = content_pairs(words, words, own=True)
    assert [at for at in range(len(words)) if pairs[at].any()] == [1, 2, 5]
