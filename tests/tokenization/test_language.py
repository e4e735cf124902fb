"""Which language a sentence is guessed to be in, and what cannot be in it."""

from __future__ import annotations

import pytest

from attnviz.tokenization.language import guess_language, has_spaces, may_have_relation


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Der Hund sah den Ball.", "de"),
        ("Die Fledermaus flog nachts.", "de"),
        ("Das ist gut.", "de"),
        ("The teacher taught the student with the book.", "en"),
        ("Your journey starts with one step.", "en"),
        ("De kat zit op de mat.", "nl"),
        ("De man woont in Berlin.", "nl"),
        ("学生在写作业。", "zh"),
        ("猫はマットの上に座っています。", "ja"),
        ("Le chat est sur la table.", "fr"),
        ("El perro vio la pelota.", "es"),
        ("Кошка спит.", "ru"),
        ("", None),
        ("12 + 3 = 15", None),
        ("Quux", None),
    ],
)
def test_a_language_is_guessed_where_something_speaks_for_it(text: str, language: str | None) -> None:
    assert guess_language(text) == language


def test_a_relation_of_listed_words_needs_one_of_them() -> None:
    assert not may_have_relation("Der Hund sah den Ball.", "aux", "de")
    assert may_have_relation("Der Hund hat den Ball gesehen.", "aux", "de")
    assert may_have_relation("She’s big.", "cop", "en") and may_have_relation("她是学生。", "cop", "zh")
    assert may_have_relation("Der Hund sah den Ball.", "obj", "de")  # no list says whether there is an object


def test_scripts_without_spaces_are_known() -> None:
    assert has_spaces("De kat zit.") and has_spaces("") and not has_spaces("学生在写作业。")
