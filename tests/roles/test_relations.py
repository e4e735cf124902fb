"""Treebanks, their words as units of tokens, and which heads find which relation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from support.training import TREES, token

from attnviz.models.model import Model
from attnviz.roles.corpora import treebank
from attnviz.roles.corpora.treebank import Word, read_conllu
from attnviz.roles.corpora.units import by_unit, units
from attnviz.roles.measurement import relations
from attnviz.roles.measurement.relation_examples import ReadTreebank, relation_examples
from attnviz.roles.measurement.relations import Instances
from attnviz.roles.tables.table import HeadRole
from training.evaluation import sources

# Treebanks ----------------------------------------------------------------------------------------------------------


def test_both_words_of_a_contraction_lie_where_it_is_written() -> None:
    first, second = read_conllu(TREES.splitlines())
    assert first.text == "Er ging zum Haus."
    assert first.words == (
        Word(0, 2, 1, "nsubj"),
        Word(3, 7, -1, "root"),
        Word(8, 11, 4, "case"),
        Word(8, 11, 4, "det"),
        Word(12, 16, 1, "obl"),
        Word(16, 17, 1, "punct"),
    )
    assert [second.text[word.start : word.end] for word in second.words] == ["Der", "Hund", "bellt", "."]


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (TREES.replace("# text = Er ging zum Haus.\n", ""), r"bank: sentence 1 has no line `# text"),
        (TREES.replace("\tbellt\t", "\tmiaut\t"), r"bank: sentence 2 has the word 'miaut', which its text has not"),
        (TREES.replace("2\tging\tgehen\t", "2\tging\t"), r"bank: sentence 1 has a line of 9 columns; CoNLL-U has 10"),
    ],
)
def test_a_broken_treebank_says_where(broken: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list(read_conllu(broken.splitlines(), "bank"))


def test_long_sentences_are_left_out_and_the_rest_taken_evenly() -> None:
    word = Word(0, 1, -1, "root")
    lengths = [1, 2, *range(3, 40), treebank.MOST_WORDS, treebank.MOST_WORDS + 1]
    sentences = [treebank.Sentence(str(length), (word,) * length) for length in lengths]
    kept = treebank.sample(sentences, most=4)
    assert [len(sentence.words) for sentence in kept] == [2, 15, 27, 40]


def test_without_treebanks_it_is_said_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"de_gsd-ud-dev\.conllu.*training/README\.md"):
        sources.treebanks(tmp_path)


# Units --------------------------------------------------------------------------------------------------------------


def test_words_that_share_a_token_or_a_place_are_one_unit() -> None:
    # 我们|喜欢|你 read as 我 + 们喜 + 欢 + 你
    pieces = [token("我", 0), token("们喜", 1), token("欢", 3), token("你", 4), token("</s>", 0, special=True)]
    assert units([(0, 2), (2, 4), (4, 5)], pieces) == ([0, 0, 1], [0, 0, 0, 1, None])
    assert units([(0, 3), (0, 3), (4, 8)], [token("zum", 0), token(" Haus", 3)]) == ([0, 0, 1], [0, 1])


def test_a_token_of_nothing_but_space_belongs_to_no_unit() -> None:
    assert units([(0, 2), (3, 5)], [token("Er", 0), token(" ", 2), token("da", 3)])[1] == [0, None, 1]


def test_attention_between_units_is_that_between_words(bundled: Model) -> None:
    recording = bundled.record("Die Donaudampfschifffahrtsgesellschaft verkauft Rettungsboote.")
    tokens = recording.query_tokens("encoder")
    assert len(tokens) > 8  # words of several pieces
    map = recording.map("encoder", layer=1, head=3)
    words = map.by_word().hide(lambda item: item.special)
    _, of_token = units([(word.start, word.end) for word in words.query_tokens], tokens)
    np.testing.assert_allclose(by_unit(map.weights[None], of_token, of_token)[0], words.weights, atol=1e-6)


# Heads and relations ------------------------------------------------------------------------------------------------


def test_each_head_is_looked_at_in_both_directions(bundled: Model) -> None:
    sentences = list(read_conllu(TREES.splitlines()))
    found = relations.collect(bundled, sentences)
    expected = ["nsubj", "case", "det", "obl", "det", "nsubj"]
    assert found.relation.tolist() == [name for name in expected for _ in range(2)]
    assert found.direction.tolist() == ["to_head", "to_dependent"] * 6
    # "zum" is one unit, so from "zu" and from "dem" the noun is one on.
    assert found.offset.tolist() == [1, -1, 1, -1, 1, -1, -2, 2, 1, -1, 1, -1]
    assert found.second_half.tolist() == [False] * 8 + [True] * 4
    assert (found.sentences, found.words, found.left_out) == (2, 10, 0.0)
    assert found.of_at_most(4).relation.tolist() == ["det", "det", "nsubj", "nsubj"]

    recording = bundled.record("Der Hund bellt.")
    layers, heads, _, _ = recording.size("encoder")
    for layer in range(layers):
        for head in range(heads):
            weights = recording.map("encoder", layer=layer, head=head).by_word().hide(lambda t: t.special).weights
            hund = weights[1].copy()
            hund[1] = -1
            assert found.correct[10, layer, head] == (hund.argmax() == 2)  # its verb


def test_examples_of_a_relation_are_ranked_by_the_weight_on_the_right_word(bundled: Model) -> None:
    sentences = list(read_conllu(TREES.splitlines()))
    row = HeadRole(
        "encoder", 3, 5, "nsubj", 0.8, 0.7, 0.9, 0.1, 90, labelled=True, language="de", direction="to_head"
    )  # fmt: skip
    bank = ReadTreebank("encoder", "de", sentences)
    numbers = {sentence.text: 7 + place for place, sentence in enumerate(sentences)}
    items = relation_examples(bundled, bank, [row], numbers, count=2)
    assert {(item.role, item.query_word, item.number) for item in items} == {("nsubj", "Er", 7), ("nsubj", "Hund", 8)}
    assert items[0].strength >= items[1].strength
    for item in items:
        words = bundled.record(item.text).map("encoder", layer=3, head=5).by_word()
        names = [word.text for word in words.query_tokens]
        looking, right = (
            names.index(name) for name in {"Er": ("Er", "ging"), "Hund": ("Hund", "bellt")}[item.query_word]
        )
        assert item.strength == pytest.approx(float(words.weights[looking, right]), abs=1e-5)
    assert relation_examples(bundled, bank, [replace(row, language="nl")], numbers, count=2) == []


def made(found: list[list[bool]], offsets: list[int], half: list[bool]) -> Instances:
    """Instances of one relation and one layer; `found` has a row for each instance and a column for each head."""
    count = len(found)
    return Instances(
        relation=np.array(["obj"] * count),
        direction=np.array(["to_dependent"] * count),
        offset=np.array(offsets),
        correct=np.array(found)[:, None, :],
        second_half=np.array(half),
        length=np.full(count, 5),
        sentence=np.arange(count),
        sentences=2,
        words=10,
        left_out=0.0,
        positions=np.zeros((1, len(found[0]), 21)),
        possible=np.ones(21),
    )


def test_the_head_is_chosen_on_one_half_and_measured_on_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relations, "FEWEST", 4)
    first = [[True, False]] * 3 + [[False, True]]
    second = [[False, True]] * 4 + [[True, True]]
    scores = relations.scores("de", made(first + second, [2, 2, 3, 3] + [2, 3, 3, 3, 3], [False] * 4 + [True] * 5))
    assert len(scores) == 1
    best, other = scores[0]
    assert (best.head, best.accuracy, best.instances) == (0, 0.2, 5)
    assert (best.offset, best.offset_accuracy) == (3, 0.8)  # the best of the half that is measured
    assert best.chosen_gain == pytest.approx(0.75 - 0.5)
    assert (other.head, other.accuracy) == (1, 1.0)


def test_a_relation_with_few_instances_is_not_reported() -> None:
    count = relations.FEWEST
    half = [False] * count + [True] * (count - 1)
    assert relations.scores("de", made([[True]] * len(half), [1] * len(half), half)) == []
