"""A text in passages: sentences and headings with their tokens, in any script, and never a character lost."""

from __future__ import annotations

import pytest
from support.bundled import bundled_model

from attnviz.tokenization.passages import LABEL, LONGEST, passages, text_of
from attnviz.tokenization.token import Token

TEXTS = {
    "headings": "# One two\n\nThe dog saw\nthe ball. It ran after Dr. Smith! “Stop?” he said.\n\n\n## Two\nMore.\n\n",
    "chinese": "这是一本书。我喜欢它！\n\n老师把书给了学生。",
    "no end": "word " * 90,
    "one word": "x" * 700,
    "blank lines first": "\n\n  \nThe end.",
}


@pytest.mark.parametrize("name", TEXTS)
def test_passages_are_the_text_and_hold_each_token_once(name: str) -> None:
    text = TEXTS[name]
    tokens = bundled_model().inputs.encode(text).tokens
    found = passages(text, tokens)
    assert "".join(one.text for one in found if not one.special) == text
    assert [position for one in found for position in range(one.start, one.stop)] == list(range(len(tokens)))
    assert all(len(one.text) <= LONGEST + 10 and len(one.label) <= LABEL + 1 for one in found)
    assert [one.text for one in found if one.special] == ["</s>"]


def test_sentences_and_headings_begin_where_a_reader_sees_them() -> None:
    text = TEXTS["headings"]
    found = [one for one in passages(text, bundled_model().inputs.encode(text).tokens) if not one.special]
    assert [one.label for one in found] == [
        "One two", "The dog saw the ball.", "It ran after Dr. Smith!", "“Stop?”", "he said.", "Two", "More.",
    ]  # fmt: skip
    assert [one.level for one in found] == [1, 0, 0, 0, 0, 2, 0]
    assert [one.opens for one in found] == [True, True, False, False, False, True, True]
    chinese = passages(TEXTS["chinese"], bundled_model().inputs.encode(TEXTS["chinese"]).tokens)
    assert [one.label for one in chinese][:3] == ["这是一本书。", "我喜欢它！", "老师把书给了学生。"]


def test_a_special_token_within_a_sentence_is_a_passage_of_its_own() -> None:
    tokens = [
        Token(1, "The", False, 0, 0, 3), Token(2, "[SEP]", True, None, None, None), Token(3, " dog", False, 1, 3, 7),
    ]  # fmt: skip
    found = passages("The dog", tokens)
    assert [(one.text, one.start, one.stop, one.special) for one in found] == [
        ("The dog", 0, 1, False), ("[SEP]", 1, 2, True), ("", 2, 3, False),
    ]  # fmt: skip


def test_a_text_is_put_together_from_its_tokens() -> None:
    text = "Der Hund sah den Ball."
    assert text_of(bundled_model().inputs.encode(text).tokens) == text
