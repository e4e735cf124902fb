"""What changed in a text, and what a window spares."""

from __future__ import annotations

import pytest

from attnviz.ui.screens.what_if.wording import (
    Piece,
    bucket_sentence,
    compare_words,
    percent,
    split_words,
    window_share,
)


def test_words_that_are_gone_and_words_that_are_new_are_marked_in_both_texts() -> None:
    assert compare_words("The dog saw it.", "The dog saw it.")[2:] == (0, 4)
    before, after, changed, count = compare_words("a b c", "a *x* y c")
    assert before == (Piece("a"), Piece(" "), Piece("b", "gone"), Piece(" "), Piece("c"))
    assert after == (Piece("a"), Piece(" "), Piece("*x* y", "new"), Piece(" "), Piece("c"))
    assert (changed, count) == (2, 4)
    assert compare_words("a b", "") == ((Piece("a b", "gone"),), (), 0, 0)
    assert compare_words("狗看见球", "猫看见球")[1] == (Piece("猫", "new"), Piece("看见球"))
    assert split_words("One") == ["One"]


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("length", "size"), [(1, 0), (7, 2), (7, 6), (7, 30), (13, 0)])
def test_a_windows_share_is_counted_in_closed_form(length: int, size: int, causal: bool) -> None:
    pairs = [(query, key) for query in range(length) for key in range(length) if not causal or key <= query]
    near = [pair for pair in pairs if abs(pair[0] - pair[1]) <= size]
    assert window_share(length, size, causal=causal) == pytest.approx(len(near) / len(pairs))


def test_shares_have_as_many_digits_as_tell_them_from_nothing() -> None:
    shares = (1.0, 0.4503, 0.0312, 0.00312, 0.00073, 0.00002)
    assert [percent(share) for share in shares] == ["100 %", "45 %", "3.1 %", "0.31 %", "0.07 %", "0.002 %"]


def test_tokens_of_a_bucket_stand_together() -> None:
    assert bucket_sentence(["Der", "Hund", "den"], [2, 0, 2]) == "Der, den | Hund"
