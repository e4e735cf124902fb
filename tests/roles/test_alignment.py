"""Pairs aligned by hand, and how well the rows of a head follow them."""

from __future__ import annotations

import numpy as np
import pytest
from support.training import token

from attnviz.models.model import Model
from attnviz.roles.corpora import aligned_pairs
from attnviz.roles.measurement import alignment
from training.corpus.pairs import is_example
from training.evaluation import sources


def test_the_aligned_pairs_can_be_read_and_are_none_of_the_examples() -> None:
    pairs = list(aligned_pairs.read_alignments(sources.PAIRS.read_text(encoding="utf-8").splitlines()))
    assert {language: sum(pair.language == language for pair in pairs) for language in ("de", "nl", "zh")} == {
        "de": 12,
        "nl": 12,
        "zh": 12,
    }
    for pair in pairs:
        assert "|" not in pair.source + pair.target
        assert not is_example(pair.source, pair.target)
        linked = set().union(*pair.links)
        assert len(linked) >= len(pair.source_words) - 2, pair.source
    assert len({pair.source for pair in pairs} | {pair.target for pair in pairs}) == 2 * len(pairs)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("de\tJa|.\tYes|.", "line 1 has 3 columns"),
        ("de\tJa|.\tYes|.\tNein=Yes", "line 1 links 'Nein', and 'Ja.' has 0 words"),
        ("de\tda|, da\tthere\tda=there", "line 1 links 'da', and 'da, da' has 2 words"),
    ],
)
def test_a_wrong_link_is_named(line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(aligned_pairs.read_alignments([line]))


def test_a_words_row_is_its_own_or_the_one_before() -> None:
    queries = [token("<s>", 0, special=True), token("a", 0), token(" b", 1)]
    keys = [token("x", 0), token(" y", 1), token("</s>", 0, special=True)]
    weights = np.array([[[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5]]])
    views, of_target, of_source = alignment.between_words(weights, queries, keys, [(0, 1), (2, 3)], [(0, 1), (2, 3)])
    assert (of_target, of_source) == ([0, 1], [0, 1])
    np.testing.assert_allclose(views["own"][0], [[0.1, 0.6], [0.2, 0.3]])
    np.testing.assert_allclose(views["before"][0], [[0.7, 0.2], [0.1, 0.6]])


def test_the_alignment_of_a_head_is_what_its_map_shows(bundled: Model) -> None:
    pair = next(aligned_pairs.read_alignments(["de\tWir trinken Tee|.\tWe drink tea|.\tWir=We trinken=drink Tee=tea"]))
    found = alignment.collect(bundled, [pair, pair])
    recording = bundled.record(pair.source, pair.target)
    weights = recording.weights("cross", layer=3).numpy()
    rows = [token.text.strip() for token in recording.query_tokens("cross")]
    assert rows[2:5] == ["We", "drink", "tea"]
    expected = weights[:, 2:5, :4].argmax(axis=2) == np.arange(3)  # (head, word)
    assert (found.correct["own"][:3, 3, :-1] == expected.T).all()
    assert (found.correct["before"][:3, 3, :-1] == (weights[:, 1:4, :4].argmax(axis=2) == np.arange(3)).T).all()
    assert found.correct["own"].shape == (6, 4, 9)
    assert found.diagonal.all() and found.second_half.tolist() == [False] * 3 + [True] * 3
