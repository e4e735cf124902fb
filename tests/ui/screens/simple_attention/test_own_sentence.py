"""A sentence in the table of the page "By hand": three numbers for each word, made from the model's embeddings."""

from __future__ import annotations

import numpy as np
import pytest
from support.pages import open_page

import attnviz
from attnviz.attention.by_hand.word_vectors import from_text
from attnviz.errors import EmptyError
from attnviz.models.model import Model
from attnviz.ui.screens.simple_attention.own_sentence import sentence_table


@pytest.fixture(scope="module")
def bundled() -> Model:
    return attnviz.load("bundled")


def test_three_principal_components_a_word(bundled: Model) -> None:
    table, kept, width = sentence_table(bundled, "Der Hund sah den Ball.")
    assert table.words == ("Der", "Hund", "sah", "den", "Ball") and width == 256
    numbers = np.array(table.vectors)
    assert np.abs(numbers).max() == 1 and np.abs(numbers.mean(axis=0)).max() < 0.01
    # Along principal axes nothing goes together, and the first tells the words apart most.
    products = numbers.T @ numbers
    assert np.abs(products - np.diag(np.diag(products))).max() < 0.05
    assert list(np.diag(products)) == sorted(np.diag(products), reverse=True)
    assert 0.5 < kept < 1


def test_two_words_differ_along_one_axis_and_one_word_along_none(bundled: Model) -> None:
    table, kept, _width = sentence_table(bundled, "Der Hund")
    assert sorted(table.vectors) == [(-1.0, 0.0, 0.0), (1.0, 0.0, 0.0)] and kept == pytest.approx(1)
    with pytest.raises(EmptyError, match="two words or more"):
        sentence_table(bundled, "Hund!")


def test_the_page_offers_the_readers_sentence_and_says_where_its_numbers_come_from() -> None:
    app = open_page("simple_attention", sentence="Der Hund sah den Ball.")
    app.button(key="own_sentence").click().run()
    assert not app.exception and not app.error
    assert from_text("".join(app.query_params["table"])).words == ("Der", "Hund", "sah", "den", "Ball")
    (said,) = [caption.value for caption in app.caption if "principal components" in caption.value]
    assert "“Der Hund sah den Ball\\.”" in said or "“Der Hund sah den Ball.”" in said
    assert "256 numbers long" in said
