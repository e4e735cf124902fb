"""Why the opened head looks where it does, as the home page's script draws it."""

from __future__ import annotations

import html
import re
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest
from support import tiny_tokenizers as tokenizers_for_tests
from support.bundled import bundled_model
from support.head_grid import SENTENCE, opened
from support.pages import open_page, save_checkpoint

from attnviz.attribution import split_score


def rows(app: AppTest) -> list[str]:
    """What stands in the bars' table, a line each."""
    assert not app.exception
    tables = [item.proto.body for item in app.get("html") if '<table class="attnviz-parts"' in item.proto.body]
    return [
        " ".join(html.unescape(re.sub(r"<[^>]+>", " ", row)).split())
        for table in tables
        for row in re.findall(r"<tr>.*?</tr>", table)
    ]


def test_nothing_is_computed_until_somebody_asks() -> None:
    app = opened(layer="2", head="5")
    assert not rows(app) and "looking" not in app.session_state
    assert not rows(opened(layer="2", why="true"))  # no head is open


def test_the_opening_pair_is_the_strongest_of_two_words() -> None:
    app = opened(layer="2", head="5", why="true")
    weights = bundled_model().record(SENTENCE).weights("encoder", layer=2, head=5).numpy()[:-1, :-1]
    query, key = np.unravel_index(weights.argmax(), weights.shape)
    labels = app.selectbox(key="looking").options
    assert (app.selectbox(key="looking").value, app.selectbox(key="looked_at").value) == (labels[query], labels[key])
    split = split_score(
        bundled_model(), bundled_model().record(SENTENCE), "encoder", layer=2, head=5, query=int(query), key=int(key)
    )
    shown = rows(app)
    assert len(shown) == 12 and shown[-1] == f"together, the score {split.score:.3f}"
    first = split.largest(1)[0]
    assert shown[0] == f"{first.name} {first.side}'s side {first.value:+.3f}"


def test_a_word_that_is_not_there_is_named_and_markup_stays_text() -> None:
    app = opened(sentence="Der <b>Hund</b> sah.", layer="1", head="2", why="true", looking="Ball")
    assert "There is no token Ball in this sentence" in app.warning[0].value
    app.selectbox(key="looking").select("<").run()
    assert any(row.startswith("the word “<” itself query's side") for row in rows(app))


def test_whole_words_have_the_numbers_of_their_last_token(bert_folder: str) -> None:
    app = open_page("heads", sentence="unseen dogs", model=bert_folder, head="1", layer="1", by_word="true", why="true")
    words = app.selectbox(key="looking").options
    assert "unseen" in words
    app.selectbox(key="looking").select("unseen").run()
    assert "read in" in "\n".join(item.value for item in app.caption)
    assert rows(app)


def test_what_a_word_may_not_look_at_is_said() -> None:
    app = opened(kind="decoder", layer="1", head="2", why="true", looking="The", looked_at="dog")
    assert not rows(app)
    assert "may not look at" in app.info[0].value
    app.selectbox(key="looking").select("dog").run()
    assert rows(app)


@pytest.mark.parametrize(("name", "is_offered"), [("bloom", False), ("gpt2", True)])
def test_it_is_offered_where_scores_are_known(name: str, is_offered: bool, tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, name, tokenizers_for_tests.gpt2())
    app = open_page("heads", sentence="the dogs", model=folder, head="1", layer="1", why="true")
    assert not app.exception
    assert ("Why does it look there?" in [item.label for item in app.expander]) == is_offered
    assert bool(rows(app)) == is_offered
