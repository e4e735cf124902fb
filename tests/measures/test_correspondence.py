"""Which tokens of two maps correspond: the same ones, words of two tokenizers, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from support.maps import is_special, map_of, map_of_text, random_rows
from support.tiny_tokenizers import gpt2, marian, roberta, unigram, wordpiece

from attnviz import AttentionMap, Token
from attnviz.errors import InputError
from attnviz.measures.correspondence import aligned
from attnviz.measures.distances import difference, divergence
from attnviz.tokenization.tokenizer import encode

# ---------------------------------------------------------------------------------------------------------------------
# Which tokens correspond


def test_the_same_tokens_stay_as_they_are() -> None:
    one, other = (
        map_of_text(wordpiece(), "Die Fledermaus flog"),
        map_of_text(wordpiece(), "Die Fledermaus flog", 1, model="n"),
    )
    assert aligned(one, other) == (one, other)


def test_two_tokenizers_are_compared_by_words() -> None:
    text = "Die Fledermaus flog nachts."
    maps = [
        map_of_text(tokenizer(), text, seed)
        for seed, tokenizer in enumerate((wordpiece, gpt2, roberta, unigram, marian))
    ]
    assert len({len(map.key_tokens) for map in maps}) > 1
    for one in maps:
        for other in maps:
            for map, was in zip(aligned(one, other), (one, other), strict=True):
                np.testing.assert_allclose(map.weights.sum(axis=1) + map.hidden_mass, 1.0, atol=1e-5)
                if [token.text for token in one.key_tokens] != [token.text for token in other.key_tokens]:
                    words = [token.text for token in map.key_tokens if not token.special]
                    assert words == ["Die", "Fledermaus", "flog", "nachts", "."]
                    plain = was.by_word().hide(is_special)
                    np.testing.assert_allclose(map.hide(is_special).weights, plain.weights, atol=1e-6)
            assert 0 <= divergence(one, other) <= 1


def test_special_tokens_that_only_one_has_are_hidden_and_their_share_is_known() -> None:
    tokens = [Token(1, "Ball", False, 0, 0, 4), Token(2, "</s>", True, None, None, None)]
    start = Token(3, "<s>", True, None, None, None)
    one = map_of(random_rows(2, 2), tuple(tokens))
    other = map_of(random_rows(3, 3), (start, *tokens))
    left, right = aligned(one, other)
    assert left.key_labels == right.key_labels == ("Ball", "</s>")
    np.testing.assert_allclose(left.weights, random_rows(2, 2), atol=1e-6)
    assert not left.hidden_mass.any()
    np.testing.assert_allclose(right.hidden_mass, random_rows(3, 3)[1:, 0], atol=1e-6)
    # In another place they do not correspond, and neither has them any more.
    moved = map_of(random_rows(2, 2), tuple(reversed(tokens)))
    assert [map.key_labels for map in aligned(one, moved)] == [("Ball",), ("Ball",)]


def test_case_and_accents_do_not_keep_words_apart() -> None:
    one, other = map_of_text(gpt2(), "Schön, daß du finden kannst"), map_of_text(gpt2(), "schon, dass du FINDEN kannst")
    assert [len(map.query_tokens) for map in aligned(one, other)] == [6, 6]


def cross(query: tuple[Token, ...], key: tuple[Token, ...], **origin) -> AttentionMap:
    return map_of(random_rows(len(query), len(key)), query, key, kind="cross", **origin)


HUND, BALL, KATZE = (encode(gpt2(), text).tokens for text in ("Der Hund sah", "den Ball", "Die Katze sah"))


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        (map_of_text(gpt2(), "Der Hund sah"), map_of_text(wordpiece(), "Die Fledermaus"),
         "different sentences: “Der Hund sah” has 3 words, “Die Fledermaus” has 2 words. Give both the same sentence"),
        (map_of_text(gpt2(), "Der Hund sah."), map_of_text(gpt2(), "Der Ball sah."),
         "“Der Hund sah.” and “Der Ball sah.”, where “Hund” stands against “Ball”"),
        (map_of_text(gpt2(), "Hund " * 40), map_of_text(gpt2(), "Ball"),
         "“Hund Hund Hund Hund Hund Hund Hund Hund…” has 40 words"),
        (cross(HUND, HUND), map_of_text(gpt2(), "Der Ball"),
         "L2 H5 shows cross-attention, .* L2 H5 shows encoder attention, within one text. Choose the same kind"),
        (cross(HUND, BALL), cross(KATZE, BALL), "different targets: .* “Der” stands against “Die”. Give both the same"),
        (map_of_text(gpt2(), "Der Hund sah"), map_of_text(gpt2(), "Der Hund sah").average_queries([0, 2]),
         "different rows: “Der Hund sah” has 3 words, “Der . sah” has 1 word. Choose the same query words"),
        (map_of_text(wordpiece(), "学生在写作业。"), map_of_text(unigram(), "学生在写作业。"),
         "do not find the same words in “学生在写作业。”: 7 words and . words"),
    ],
)  # fmt: skip
def test_what_does_not_correspond_is_refused_with_the_reason(one: AttentionMap, other: AttentionMap, text: str) -> None:
    for compare in (aligned, difference, divergence):
        with pytest.raises(InputError, match=text):
            compare(one, other)
