"""How the bundled model is measured: by hand-written trees and pairs, for the corpus is on nobody's machine."""

from __future__ import annotations

import json
import re
import shlex
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer

import attnviz
from attnviz.attention.attention_map import AttentionMap
from attnviz.measures import findings
from attnviz.measures.findings import Finding
from attnviz.models.model import Model
from attnviz.models.recorder import MAX_NEW_TOKENS
from attnviz.tokenization.token import Token
from attnviz.ui.screens.heads.findings import finding_text
from training import __main__ as command
from training.corpus.pairs import Packed, is_example
from training.corpus.tokenizer import train_tokenizer
from training.evaluation import dependency_relations, evaluate, probes, progress, word_alignment
from training.evaluation.dependency_relations import Instances, Word, by_unit, read_conllu, units
from training.evaluation.findings import heads_file, layer_shows
from training.network import model
from training.network.recipe import Recipe
from training.network.train import train
from training.publish.export import export, write_model
from training.publish.model_card import _recipe as model_card_recipes

BUNDLED = Path(attnviz.__file__).parent / "bundled"

TREES = """\
# sent_id = a
# text = Er ging zum Haus.
1\tEr\ter\tPRON\t_\t_\t2\tnsubj\t_\t_
2\tging\tgehen\tVERB\t_\t_\t0\troot\t_\t_
3-4\tzum\t_\t_\t_\t_\t_\t_\t_\t_
3\tzu\tzu\tADP\t_\t_\t5\tcase\t_\t_
4\tdem\tder\tDET\t_\t_\t5\tdet\t_\t_
5\tHaus\tHaus\tNOUN\t_\t_\t2\tobl:arg\t_\tSpaceAfter=No
5.1\tgehen\tgehen\tVERB\t_\t_\t_\t_\t2:conj\t_
6\t.\t.\tPUNCT\t_\t_\t2\tpunct\t_\t_

# sent_id = b
# text = Der Hund bellt.
1\tDer\tder\tDET\t_\t_\t2\tdet\t_\t_
2\tHund\tHund\tNOUN\t_\t_\t3\tnsubj\t_\t_
3\tbellt\tbellen\tVERB\t_\t_\t0\troot\t_\tSpaceAfter=No
4\t.\t.\tPUNCT\t_\t_\t3\tpunct\t_\t_
"""


@pytest.fixture(scope="module")
def bundled() -> Model:
    return attnviz.load("bundled", device="cpu")


def token(text: str, start: int, *, special: bool = False) -> Token:
    return Token(7, text, special, None, None, None) if special else Token(7, text, False, 0, start, start + len(text))


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
    lengths = [1, 2, *range(3, 40), dependency_relations.MOST_WORDS, dependency_relations.MOST_WORDS + 1]
    sentences = [dependency_relations.Sentence(str(length), (word,) * length) for length in lengths]
    kept = dependency_relations.sample(sentences, most=4)
    assert [len(sentence.words) for sentence in kept] == [2, 15, 27, 40]


def test_without_treebanks_it_is_said_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"de_gsd-ud-dev\.conllu.*training/README\.md"):
        dependency_relations.treebanks(tmp_path)


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
    found = dependency_relations.collect(bundled, sentences)
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
            assert found.found[10, layer, head] == (hund.argmax() == 2)  # its verb


def made(found: list[list[bool]], offsets: list[int], half: list[bool]) -> Instances:
    """Instances of one relation and one layer; `found` has a row for each instance and a column for each head."""
    count = len(found)
    return Instances(
        relation=np.array(["obj"] * count),
        direction=np.array(["to_dependent"] * count),
        offset=np.array(offsets),
        found=np.array(found)[:, None, :],
        second_half=np.array(half),
        length=np.full(count, 5),
        sentences=2,
        words=10,
        left_out=0.0,
        positions=np.zeros((1, len(found[0]), 21)),
        possible=np.ones(21),
    )


def test_the_head_is_chosen_on_one_half_and_measured_on_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependency_relations, "FEWEST", 4)
    first = [[True, False]] * 3 + [[False, True]]
    second = [[False, True]] * 4 + [[True, True]]
    scores = dependency_relations.scores(
        "de", made(first + second, [2, 2, 3, 3] + [2, 3, 3, 3, 3], [False] * 4 + [True] * 5)
    )
    assert len(scores) == 1
    best, other = scores[0]
    assert (best.head, best.accuracy, best.instances) == (0, 0.2, 5)
    assert (best.offset, best.offset_accuracy) == (3, 0.8)  # the best of the half that is measured
    assert best.chosen_gain == pytest.approx(0.75 - 0.5)
    assert (other.head, other.accuracy) == (1, 1.0)


def test_a_relation_with_few_instances_is_not_reported() -> None:
    count = dependency_relations.FEWEST
    half = [False] * count + [True] * (count - 1)
    assert dependency_relations.scores("de", made([[True]] * len(half), [1] * len(half), half)) == []


def test_positional_heads_are_those_whose_maximum_stays_at_one_offset() -> None:
    length, previous = 6, np.zeros((1, 6, 6))
    previous[0, np.arange(1, length), np.arange(length - 1)] = 1.0
    previous[0, 0, 5] = 1.0
    second = np.zeros((1, 6, 6))
    second[0, :, 1] = 1.0  # one place, whose offset changes from row to row
    counts, possible = dependency_relations._offsets_of_greatest(
        np.concatenate([previous, second]), [False] * 5 + [True]
    )
    assert possible[9:12].tolist() == [4, 5, 5]  # before, itself, after: the special token is a key, not a query
    assert counts[0][9] == 4
    instances = replace(made([[True, True]], [1], [False]), positions=counts[None], possible=possible)
    assert dependency_relations.positional([instances]) == [(0, 0, -1, 1.0)]


# Alignments ---------------------------------------------------------------------------------------------------------


def test_the_aligned_pairs_can_be_read_and_are_none_of_the_examples() -> None:
    pairs = list(word_alignment.read_alignments(word_alignment.PAIRS.read_text(encoding="utf-8").splitlines()))
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
        list(word_alignment.read_alignments([line]))


def test_a_words_row_is_its_own_or_the_one_before() -> None:
    queries = [token("<s>", 0, special=True), token("a", 0), token(" b", 1)]
    keys = [token("x", 0), token(" y", 1), token("</s>", 0, special=True)]
    weights = np.array([[[0.7, 0.2, 0.1], [0.1, 0.6, 0.3], [0.2, 0.3, 0.5]]])
    views, of_target, of_source = word_alignment.between_words(
        weights, queries, keys, [(0, 1), (2, 3)], [(0, 1), (2, 3)]
    )
    assert (of_target, of_source) == ([0, 1], [0, 1])
    np.testing.assert_allclose(views["own"][0], [[0.1, 0.6], [0.2, 0.3]])
    np.testing.assert_allclose(views["before"][0], [[0.7, 0.2], [0.1, 0.6]])


def test_the_alignment_of_a_head_is_what_its_map_shows(bundled: Model) -> None:
    pair = next(word_alignment.read_alignments(["de\tWir trinken Tee|.\tWe drink tea|.\tWir=We trinken=drink Tee=tea"]))
    found = word_alignment.collect(bundled, [pair, pair])
    recording = bundled.record(pair.source, pair.target)
    weights = recording.weights("cross", layer=3).numpy()
    rows = [token.text.strip() for token in recording.query_tokens("cross")]
    assert rows[2:5] == ["We", "drink", "tea"]
    expected = weights[:, 2:5, :4].argmax(axis=2) == np.arange(3)  # (head, word)
    assert (found.found["own"][:3, 3, :-1] == expected.T).all()
    assert (found.found["before"][:3, 3, :-1] == (weights[:, 1:4, :4].argmax(axis=2) == np.arange(3)).T).all()
    assert found.found["own"].shape == (6, 4, 9)
    assert found.diagonal.all() and found.second_half.tolist() == [False] * 3 + [True] * 3


# The sentences known in advance -------------------------------------------------------------------------------------


def test_what_the_checks_name_is_in_the_maps(bundled: Model) -> None:
    recording = bundled.record(probes.NOUNS[0], probes.NOUNS[1])
    named = probes.noun_heads(bundled)
    for layer in range(recording.size("cross")[0]):
        for map in recording.maps("cross", layer=layer):
            rows = [token.text.strip() for token in map.query_tokens]
            keys = [token.text.strip() for token in map.key_tokens]
            cat, mat = map.weights[rows.index("cat") - 1], map.weights[rows.index("mat") - 1]
            right = keys[cat.argmax()] == "kat" and keys[mat.argmax()] == "mat"
            assert (map.name in named["before"]) == right
    assert probes.noun_heads(bundled, "The dog sleeps.") == {"own": [], "before": []}


def test_a_verb_is_tied_to_two_words_that_have_a_share_of_its_row(
    bundled: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    recording = bundled.record(probes.VERB[0])
    shares = {}
    for layer in range(recording.size("encoder")[0]):
        for map in recording.maps("encoder", layer=layer):
            words = map.by_word()
            row = words.weights[[token.text for token in words.query_tokens].index("sah")]
            by_word = {t.text: float(w) for t, w in zip(words.key_tokens, row, strict=True) if not t.special}
            best = sorted(by_word, key=by_word.__getitem__)[-2:]
            if set(best) == {"Hund", "Ball"}:
                shares[map.name] = min(by_word[word] for word in best)
    assert probes.verb_heads(bundled) == [name for name, share in shares.items() if share >= probes.LEAST_SHARE]
    monkeypatch.setattr(probes, "LEAST_SHARE", max(shares.values(), default=0.0) + 1e-6)
    assert probes.verb_heads(bundled) == []
    monkeypatch.setattr(probes, "LEAST_SHARE", 0.0)
    assert probes.verb_heads(bundled) == list(shares)


def test_no_input_makes_the_bundled_model_run_on(bundled: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        probes, "HOSTILE", {name: probes.HOSTILE[name] for name in ("one word 200 times", "bytes of no word")}
    )
    for entry in probes.hostile(bundled):
        assert entry["ended"], entry
        assert entry["written"] < MAX_NEW_TOKENS


def test_translations_come_back_in_the_order_of_the_sentences(bundled: Model) -> None:
    sentences = ["Ich trinke jeden Morgen eine Tasse Kaffee.", "Danke.", "Wir haben keine Zeit."]
    together = evaluate.translate(bundled, sentences, "en")
    assert together[1].startswith("Thank")
    assert "coffee" in together[0] and "time" in together[2]
    lengths = [5, 3, 9, 3]
    assert evaluate._batches(lengths, 10) == [[1, 3], [0], [2]]


# heads.json and the card --------------------------------------------------------------------------------------------


def score(
    gain: float, chosen_gain: float, head: int = 0, layer: int = 0, relation: str = "obj"
) -> dependency_relations.Score:
    return dependency_relations.Score("de", relation, "to_dependent", layer, head, 0.4 + gain, 2, 0.4, 60, chosen_gain)


def test_a_head_is_said_to_do_only_what_holds_on_both_halves() -> None:
    groups = {
        40: [[score(0.2, 0.3, 0), score(0.2, 0.05, 1)]],
        12: [[score(0.3, 0.4, 0), score(0.05, 0.3, 1)], [score(0.11, 0.11, 1, relation="amod")]],
    }
    aligned = [
        word_alignment.AlignmentScore(0, 1, "before", 0.8, 0.5, 90, 0.2),
        word_alignment.AlignmentScore(0, 0, "own", 0.55, 0.5, 90, 0.2),
        word_alignment.AlignmentScore(0, None, "before", 0.9, 0.5, 90, 0.3),
    ]
    content = heads_file("abc", 1, 2, groups, [(0, 1, -1, 0.93)], aligned)
    assert [findings._item(entry) for entry in content["heads"]] == [
        Finding("encoder", 0, 0, "relation", 0.6, 0.4, 60, "obj", "to_dependent", "de", offset=2),
        Finding("encoder", 0, 1, "relation", 0.51, 0.4, 60, "amod", "to_dependent", "de", 12, offset=2),
        Finding("encoder", 0, 1, "position", 0.93, offset=-1),
        Finding("cross", 0, 1, "alignment", 0.8, 0.5, 90, rows="before"),
    ]


def test_a_head_is_told_apart_by_what_no_other_head_does_better() -> None:
    def of(language: str, relation: str, gains: dict[int, float]) -> list[dependency_relations.Score]:
        return [replace(score(gain, gain, head, 0, relation), language=language) for head, gain in gains.items()]

    groups = [
        of("de", "cop", {0: 0.5, 1: 0.4}),
        of("nl", "cop", {0: 0.45, 1: 0.42}),
        of("de", "obj", {1: 0.15, 0: 0.12}),
        of("en", "obj", {1: 0.2}),
        of("de", "aux", {0: 0.3, 1: 0.3}),
        of("de", "amod", {0: 0.25}),
    ]
    content = heads_file("abc", 1, 2, {40: groups}, [], [])
    assert [(entry["head"], entry["relation"], entry["language"]) for entry in content["heads"]] == [
        (0, "cop", "de"),
        (0, "aux", "de"),
        (0, "amod", "de"),
        (1, "obj", "en"),
        (1, "cop", "nl"),
        (1, "aux", "de"),
    ]


def test_the_opening_layer_is_the_one_whose_heads_gain_most() -> None:
    groups = [
        [score(0.3, 0.1, 0, 0), score(-0.2, 0.4, 1, 0)],
        [score(0.1, 0.2, 0, 0), score(0.2, 0.2, 0, 1), score(0.4, 0.3, 1, 1)],
    ]
    # Of each head what was best on the half for choosing: 0.1 and nothing; 0.2 and 0.4.
    np.testing.assert_allclose(layer_shows(groups, 2, 2), [0.05, 0.3])


@pytest.fixture
def small_work(tmp_path: Path) -> tuple[Path, Path]:
    """A corpus of a few lines, and a training folder with an untrained network."""
    corpus, work = tmp_path / "corpus", tmp_path / "work"
    (corpus / "tatoeba").mkdir(parents=True)
    (corpus / "ud").mkdir()
    for language, pair in {"de": "Hallo.\tHello.", "nl": "Dag.\tHello.", "zh": "你好。\tHello."}.items():
        (corpus / "tatoeba" / f"{language}-en.test.tsv").write_text(f"{pair}\n{pair}\n", encoding="utf-8")
    (corpus / "ud" / "de_small-ud-dev.conllu").write_text((TREES + "\n") * 30, encoding="utf-8")
    (work / "run").mkdir(parents=True)
    words = ["Er ging zum Haus.", "Der Hund sah den Ball und bellt.", "De kat zit op de mat.", "The cat sits."]
    tokenizer = train_tokenizer(words * 5, 420)
    tokenizer.save(str(work / "tokenizer.json"))
    recipe = Recipe(steps=1, layers=2, width=16, heads=2)
    (work / "run" / "recipe.json").write_text(json.dumps([asdict(recipe)]))
    network = model.build(tokenizer.get_vocab_size(), 2, 16, 2)
    torch.save(network.state_dict(), work / "run" / "averaged.pt")
    return corpus, work


def test_from_weights_to_card_by_command(
    small_work: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, work = small_work
    monkeypatch.setattr(dependency_relations, "FEWEST", 10)
    monkeypatch.setattr(probes, "HOSTILE", {"one word 9 times": "Hund " * 9})
    bundle = tmp_path / "bundle"
    with pytest.raises(ValueError, match=r"figures\.json is missing; run `python -m training evaluate`"):
        export(work, bundle)
    assert not bundle.exists()

    figures = evaluate.evaluate(corpus, work, beams=(1,))
    assert {entry["language"] for entry in figures["heads"]["relations"]["40"]} == {"de"}
    assert figures["heads"]["treebanks"]["de"]["treebank"] == "de_small"
    assert json.loads((work / "figures.json").read_text(encoding="utf-8"))["directions"].keys() == {
        "de-en",
        "nl-en",
        "zh-en",
        "en-de",
    }

    export(work, bundle)
    card = (bundle / "MODEL_CARD.md").read_text(encoding="utf-8")
    assert "| de → en | 2 |" in card
    assert "sentences of at most 40 words" in card
    assert findings.findings(str(bundle)).opening_layer in (0, 1)
    assert json.loads((bundle / "heads.json").read_text())["weights"] == findings.fingerprint(
        bundle / "model.safetensors"
    )
    attnviz.load(bundle, device="cpu").record("Hallo.")

    state = torch.load(work / "run" / "averaged.pt", weights_only=True)
    torch.save({name: value * 1.5 for name, value in state.items()}, work / "run" / "averaged.pt")
    with pytest.raises(ValueError, match=r"figures\.json was measured on other weights"):
        export(work, bundle)
    assert findings.fingerprint(bundle / "model.safetensors") == figures["weights"]


def test_a_tie_of_many_sentences_is_the_share_of_those_that_have_it(
    bundled: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = [probes.VERB[0], "Die Lehrerin kauft den Kuchen."]
    of_each = [probes.ties(bundled, [sentence]) for sentence in sentences]
    assert all(set(shares.flat) <= {0.0, 1.0} for shares in of_each)
    shares = probes.ties(bundled, sentences)
    np.testing.assert_allclose(shares, np.mean(of_each, axis=0))
    assert shares.max() > 0

    monkeypatch.setattr(probes, "alike", lambda: sentences)
    named = dict(probes.best_ties(bundled, most=shares.size))
    assert list(named.values()) == sorted(shares.flat, reverse=True)
    assert named == {f"L{layer} H{head}": share for (layer, head), share in np.ndenumerate(shares)}


def test_the_first_stages_make_a_vocabulary_and_integers(
    small_work: tuple[Path, Path], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, work = small_work
    for path in (corpus / "tatoeba").glob("*.test.tsv"):
        for split in ("dev", "train"):
            path.with_name(path.name.replace("test", split)).write_text(path.read_text(encoding="utf-8"))

    def run(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["training", *arguments, "--corpus", str(corpus), "--work", str(work)])
        command.main()
        return capsys.readouterr().out

    said = run("tokenizer", "--vocabulary", "280")
    tokenizer = Tokenizer.from_file(str(work / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == 280
    of_hello = len(tokenizer.encode("Hello.", add_special_tokens=False).ids)
    assert said.startswith("280 entries; tokens a sentence of the dev splits: de ")
    assert f", en {of_hello:.1f}\n" in said
    words = [
        word
        for sentence in dependency_relations.read_conllu((TREES + "\n").splitlines(), "x")
        for word in re.findall(r"\w+", sentence.text)
    ]
    pieces = [len(tokenizer.encode(word, add_special_tokens=False).ids) for word in words]
    assert f"words of de_small-ud-dev: {np.mean(np.equal(pieces, 1)):.0%} are one token, " in said
    assert f"{np.mean(pieces):.2f} tokens a word" in said

    # Two pairs in each of four directions, of which one word is never long; and a tenth of them, joined, is none.
    assert run("pack").startswith("8 pairs, ")
    packed = Packed.open(work / "packed.npz")
    assert (
        tokenizer.decode(packed.target[packed.target_starts[0] : packed.target_starts[1]].tolist()).strip() == "Hello."
    )


def test_progress_shows_what_a_checkpoint_is_worth(
    small_work: tuple[Path, Path], bundled: Model, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus, work = small_work
    for path in (corpus / "tatoeba").glob("*.test.tsv"):
        path.with_name(path.name.replace("test", "dev")).write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(dependency_relations, "FEWEST", 10)
    with pytest.raises(FileNotFoundError):
        progress.progress(corpus, work)
    network = torch.load(work / "run" / "averaged.pt", weights_only=True)
    torch.save({"network": network, "step": 7}, work / "run" / "checkpoint.pt")
    progress.progress(corpus, work)
    said = capsys.readouterr().out
    assert (
        said.startswith("step 7 of 1: cross-entropy, nats a token: de-en ")
        and "nats a sentence, which vocabularies can be compared by: de-en " in said
        and "encoder layer 1, words' attention" in said
    )
    assert (work / "progress" / "model.safetensors").exists()
    torch.save({"network": network, "step": 1}, work / "run" / "checkpoint.pt")
    progress.progress(corpus, work)
    assert capsys.readouterr().out.startswith("step 1 of 1, the average: ")

    # Both sentences of a split are one: its cross-entropy is that of transformers.
    inputs = bundled.tokenizer("Hallo.", return_tensors="pt")["input_ids"]
    ids = [bundled.tokenizer.convert_tokens_to_ids(">>en<<"), *bundled.tokenizer("Hello.")["input_ids"]]
    with torch.no_grad():
        logits = bundled.network(input_ids=inputs, decoder_input_ids=torch.tensor([[model.START, *ids[:-1]]])).logits
    expected = torch.nn.functional.cross_entropy(logits[0].float(), torch.tensor(ids)).item()
    assert progress.entropy(bundled, corpus, "de", "en") == pytest.approx((expected, expected * len(ids)), rel=1e-4)

    # What a head gives the end token, over the words of each sentence.
    sums = np.zeros(bundled.network.config.encoder_attention_heads)
    for sentence in progress.LOOKED_AT:
        for head in range(len(sums)):
            map = bundled.record(sentence).map("encoder", layer=2, head=head)
            assert map.key_tokens[-1].text == "</s>"
            sums[head] += map.weights[:-1, -1].mean() / len(progress.LOOKED_AT)
    name, least, greatest = progress.shares(bundled)[2][0]
    assert (name, least, greatest) == ("</s>", pytest.approx(sums.min()), pytest.approx(sums.max()))


def test_a_run_can_begin_with_the_weights_of_another(small_work: tuple[Path, Path], tmp_path: Path) -> None:
    """What `export` left is enough: nothing else is kept of a run between machines."""
    work, bundle = small_work[1], tmp_path / "bundle"
    write_model(work, bundle)
    first = {"steps": 1, "said": "by the first run"}
    (bundle / "recipe.json").write_text(json.dumps([first]))
    recipe = Recipe(steps=2, warmup=1, decay=1, batch_tokens=60, layers=2, width=16, heads=2, average=1, kept=0.2)
    still = replace(recipe, learning_rate=0.0)
    vocabulary = attnviz.load(bundle, device="cpu").network.config.vocab_size
    tokens = np.array([20, 21, 22, model.END] * 2, dtype=np.uint16)
    packed = Packed(tokens, np.array([0, 4, 8]), tokens, np.array([0, 4, 8]), np.array([0, 0], dtype=np.uint8))

    train(packed, vocabulary, still, tmp_path / "run", start=bundle)
    begun = torch.load(tmp_path / "run" / "averaged.pt", weights_only=True)
    ended = torch.load(work / "run" / "averaged.pt", weights_only=True)
    for name, value in ended.items():
        torch.testing.assert_close(begun[name], value, rtol=1e-3, atol=1e-4)  # the file has half precision
    recipes = json.loads((tmp_path / "run" / "recipe.json").read_text())
    assert recipes == [first, asdict(still)]

    two = model_card_recipes([asdict(recipe), asdict(still)])
    assert "2 runs" in two and "\n1. 2 steps" in two and "\n2. 2 steps" in two and "peak rate 0:" in two
    assert "15% of its words hidden or replaced by similar words" in two and "in 50% of the sentences" in two

    # Gone on with by the same command or without naming the start, it still says where it comes from.
    train(packed, vocabulary, replace(still, steps=3), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "recipe.json").read_text())[0] == first

    # Of what it began with the result keeps a share.
    train(packed, vocabulary, replace(recipe, steps=3), tmp_path / "kept", start=bundle)
    last, kept = (
        torch.load(tmp_path / "kept" / f"{name}.pt", weights_only=True) for name in ("weights-0000003", "averaged")
    )
    moved = 0.0
    for name, value in kept.items():
        torch.testing.assert_close(value, 0.8 * last[name] + 0.2 * begun[name])
        moved += float((value - begun[name]).norm())
    assert moved > 0.1
    assert "with 20% of the weights that it began with" in two

    with pytest.raises(ValueError, match="does not hold the weights of a network with 1 layers, width 16"):
        train(packed, vocabulary, replace(recipe, layers=1), tmp_path / "other", start=bundle)


# What ships ---------------------------------------------------------------------------------------------------------


def test_the_settings_as_they_are_made_the_bundled_weights() -> None:
    recipes = json.loads((BUNDLED / "recipe.json").read_text())
    assert Recipe(**recipes[-1]) == Recipe()


def test_the_guide_gives_the_commands_of_the_runs_that_made_the_bundled_weights() -> None:
    guide = Path(command.__file__).with_name("README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    runs = [shlex.split(line)[3:] for line in guide.splitlines() if line.startswith("python -m training train ")]
    runs = [run for run in runs if "WORK" not in run]
    recipes = json.loads((BUNDLED / "recipe.json").read_text())
    assert len(runs) == len(recipes)
    # What a run's recipe does not name was not there yet, so the command has to leave it out.
    not_yet = {"encoder_layers": 0, "misread": 0.0, "end_hidden": 0.0, "punctuation_hidden": 0.0}
    for run, recipe in zip(runs, recipes, strict=True):
        options, read = command.read(run)
        expected = not_yet | ({"kept": 0.0} if options.start else {}) | recipe
        assert {name: getattr(read, name) for name in expected} == expected


def test_the_bundled_heads_file_belongs_to_the_bundled_weights() -> None:
    content = json.loads((BUNDLED / "heads.json").read_text(encoding="utf-8"))
    assert content["weights"] == findings.fingerprint(BUNDLED / "model.safetensors")
    assert (BUNDLED / "heads.json").stat().st_size < 60_000


def test_what_is_said_of_bundled_heads_is_of_heads_that_are_there(bundled: Model) -> None:
    found = findings.findings("bundled")
    recording = bundled.record("Der Hund sah den Ball.")
    assert found.heads
    for item in found.heads:
        layers, heads, _, _ = recording.size(item.kind)
        assert 0 <= item.layer < layers and 0 <= item.head < heads
        assert 0 <= item.accuracy <= 1
        assert item in findings.head_findings("bundled", item.kind, item.layer, item.head)
        assert "dependent" not in finding_text(item)  # it has an everyday name
    assert 0 <= findings.opening_layer("bundled") < recording.size("encoder")[0]


@pytest.mark.parametrize("name", ["google-t5/t5-small", "no/such/folder", "\0", "~nobody/x"])
def test_of_other_models_nothing_is_known(name: str) -> None:
    assert findings.head_findings(name, "encoder", 0, 0) == ()
    assert findings.opening_layer(name) == 0


@pytest.mark.parametrize("change", ["weights", "not json", "schema", "another file", "a field too few"])
def test_a_heads_file_that_does_not_fit_is_not_read(tmp_path: Path, change: str) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    entry = {"kind": "encoder", "layer": 1, "head": 2, "finding": "position", "accuracy": 0.95, "offset": -1}
    content = {"schema": 1, "weights": findings.fingerprint(weights), "opening_layer": 1, "heads": [entry]}
    (tmp_path / "heads.json").write_text(json.dumps(content))
    assert findings.head_findings(str(tmp_path), "encoder", 1, 2) == (Finding(**entry),)
    if change == "weights":
        weights.write_bytes(b"other weights")
    elif change == "not json":
        (tmp_path / "heads.json").write_text("{")
    elif change == "schema":
        (tmp_path / "heads.json").write_text(json.dumps({**content, "schema": 2}))
    elif change == "another file":
        (tmp_path / "heads.json").write_text("[1, 2]")
    else:
        del entry["finding"]
        (tmp_path / "heads.json").write_text(json.dumps(content))
    assert findings.findings(str(tmp_path)) == findings.Findings()


def test_findings_are_said_in_a_line() -> None:
    item = Finding("encoder", 2, 7, "relation", 0.71, 0.46, 300, "obj", "to_dependent", "de", offset=-1)
    assert finding_text(item) == "verb → its object: 71\u00a0%, fixed offset 46\u00a0% (German)"
    assert finding_text(replace(item, direction="to_head", most_words=12)) == (
        "object → its verb: 71\u00a0%, fixed offset 46\u00a0% (German, up to 12 words)"
    )
    assert (
        finding_text(replace(item, relation="clf", language="th"))
        == "clf: head → dependent: 71\u00a0%, fixed offset 46\u00a0% (th)"
    )
    assert finding_text(Finding("encoder", 0, 1, "position", 0.934, offset=-1)) == "the token before: 93\u00a0%"
    assert finding_text(Finding("encoder", 0, 1, "position", 0.91, offset=3)) == "3 tokens after: 91\u00a0%"
    assert finding_text(Finding("cross", 3, 5, "alignment", 0.74, 0.61, rows="before")) == (
        "the word to translate next: 74\u00a0%, same place in the sentence 61\u00a0%"
    )


def test_maps_of_layer_means_keep_their_rows() -> None:
    pieces = (token("a", 0), token(" b", 1))
    map = AttentionMap.of([[0.25, 0.75], [1.0, 0.0]], pieces, pieces)
    assert probes._greatest(map, "missing") is None
