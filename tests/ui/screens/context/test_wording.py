"""What the page "In context" says in words."""

from __future__ import annotations

import pytest

from attnviz.ui.screens.context.wording import LONGEST_SENTENCE, shorten_sentence


@pytest.mark.parametrize(
    ("sentence", "shown"),
    [
        ("Wir sitzen auf einer Bank im Park.", "Wir sitzen auf einer Bank im…"),
        ("Swing the bat!", "Swing the bat!"),
        ("学" * 50, "学" * LONGEST_SENTENCE + "…"),
        ("x" * 50 + " y", "x" * LONGEST_SENTENCE + "…"),
    ],
)
def test_a_long_sentence_ends_with_a_whole_word_where_it_has_spaces(sentence: str, shown: str) -> None:
    assert shorten_sentence(sentence) == shown
