"""Heads whose roles are known are found, and the numbers do not depend on how a corpus is cut and who reads it."""

from __future__ import annotations

import importlib.util
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from support import hand_set
from support import tiny_models as tiny
from support.server import free_port
from support.tiny_tokenizers import wordpiece

from attnviz.errors import EmptyError, InputError
from attnviz.models.model import Model
from attnviz.roles import RolesTable, Text, examples, find, measure, random_examples, search
from attnviz.roles.measurement import measuring
from attnviz.roles.tables.catalogue import is_general

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is an extra")


def made_texts(count: int, seed: int = 0) -> list[str]:
    draw = random.Random(seed)
    return [" ".join(f"w{draw.randrange(hand_set.WORDS)}" for _ in range(draw.randint(16, 30))) for _ in range(count)]


def labels(table: RolesTable) -> dict[tuple[int, int], set[tuple[str | None, int | None]]]:
    """What each head is called by, but for how broadly it looks."""
    found: dict[tuple[int, int], set[tuple[str | None, int | None]]] = {}
    for row in table.rows:
        if row.labelled and not is_general(row.role or ""):
            found.setdefault((row.layer, row.head), set()).add((row.role, row.offset))
    return found


def same(first: RolesTable, second: RolesTable) -> bool:
    assert len(first.rows) == len(second.rows)
    for one, other in zip(first.rows, second.rows, strict=True):
        assert (one.kind, one.layer, one.head, one.role, one.n) == (
            other.kind,
            other.layer,
            other.head,
            other.role,
            other.n,
        )
        numbers = [(row.value, row.low, row.high, row.baseline) for row in (one, other)]
        np.testing.assert_allclose(*numbers, atol=1e-6)
    return True


# Roles --------------------------------------------------------------------------------------------------------------


def test_heads_set_by_hand_are_found_and_no_others() -> None:
    roles = {0: "self", 1: "previous", 2: "offset -3", 3: "first", 4: "duplicate", 5: "nothing"}
    table = measure(hand_set.model((roles,), heads=6), made_texts(60), examples=0)
    assert labels(table) == {
        (0, 0): {("self", None)},
        (0, 1): {("previous token", None)},
        (0, 2): {("offset", -3)},
        (0, 3): {("first token", None)},
        (0, 4): {("duplicate token", None)},
    }
    assert [row.role for row in table.heads][5] == "broad"
    for row in table.rows:
        assert 0 <= row.low <= row.value + 1e-9 <= row.high + 2e-9 <= 1 + 2e-9
        assert 0 <= row.baseline <= 1


def test_induction_over_two_layers_is_found() -> None:
    table = measure(hand_set.model(({1: "write previous"}, {2: "after same"})), made_texts(60), examples=0)
    assert labels(table) == {
        (0, 1): {("previous token", None)},
        (1, 2): {("induction", None), ("natural induction", None)},
    }
    best = table.find("induction")[0]
    assert best.value > 0.9 and best.baseline < 0.1


def test_a_head_that_copies_from_a_hidden_sentence_is_found_and_no_other() -> None:
    """Layer 1 has a head that looks behind an earlier token like its own, for the words of the corpus only: of words at
    random most mean nothing to it, and no text repeats one, so retrieval is all that it can be called by."""
    sentences, length = 8, 12
    roles = ({1: "write previous"}, {0: "first", 1: "previous", 2: f"retrieve {sentences * length}"})
    model = hand_set.model(roles, words=320, places=96)
    corpus = [" ".join(f"w{length * text + place}" for place in range(length)) for text in range(sentences)]
    table = measure(model, corpus, examples=0)
    assert labels(table) == {
        (0, 1): {("previous token", None)},
        (1, 0): {("first token", None)},
        (1, 1): {("previous token", None)},
        (1, 2): {("retrieval", None)},
    }
    best, *others = table.find("retrieval", labelled=False)
    assert (best.layer, best.head, best.value) == (1, 2, 1.0) and best.baseline < 0.02
    assert max(row.value for row in others) < 0.01


def test_the_bundled_models_table_says_what_its_card_says() -> None:
    assert [(row.kind, row.layer, row.head) for row in find("previous token")] == [("encoder", 2, 5)]
    assert [(row.kind, row.layer, row.head) for row in find("next token")] == [("encoder", 1, 6)]
    best = find("alignment")[0]
    assert (best.kind, best.layer, best.head, best.rows) == ("cross", 1, 2, "own")
    assert {(row.layer, row.language) for row in find("obj")} >= {(3, "en")}
    with pytest.raises(InputError, match="There is no role 'object'"):
        find("object")


@pytest.mark.parametrize(("name", "kind"), [("bloom", "decoder"), ("gptj", "decoder"), ("deberta_v2", "encoder")])
def test_a_model_that_gives_its_weights_and_nothing_else_is_measured_too(name: str, kind: str) -> None:
    read = wordpiece()
    model = Model(tiny.network(name, vocab_size=len(read)), read)
    texts = ["Der Hund sah den Ball.", "The dogs bark", "Der Ball und der Hund"]
    table = measure(model, texts, examples=2)
    recordings = [model.record(text) for text in texts]
    previous = [row for row in table.rows if row.role == "previous token"]
    assert len(previous) == len({(row.layer, row.head) for row in previous}) > 3
    for row in previous:
        hits = ties = rows = 0
        for recording in recordings:
            weights = recording.weights(kind, layer=row.layer, head=row.head)
            for query, token in enumerate(recording.query_tokens(kind)):
                if query and not token.special:
                    rows += 1
                    first, second = weights[query].topk(2).values.tolist()
                    ties += first - second < 1e-5  # rounding alone decides which is the largest
                    hits += first - second >= 1e-5 and int(weights[query].argmax()) == query - 1
        assert row.n == rows and hits <= round(row.value * rows) <= hits + ties
    assert len(random_examples(table, kind, 1, 2)) == 2


# The same each way --------------------------------------------------------------------------------------------------


def test_one_text_at_a_time_gives_what_many_in_a_batch_give(bundled: Model) -> None:
    corpus = [
        Text("Der Hund sah den Ball.", "The dog saw the ball."),
        Text("Ich habe heute eine neue Lampe gekauft.", "I bought a new lamp today."),
        Text("Wir trinken Tee.", "We drink tea."),
        Text("Sie liest ein Buch, und er schläft."),
    ]
    assert same(measure(bundled, corpus, batch_tokens=1), measure(bundled, corpus, batch_tokens=4096))


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "PART", 8)
    model, corpus = hand_set.model(({0: "previous"},)), made_texts(30)
    whole = measure(model, corpus)

    def stop(done: int, total: int | None) -> None:
        assert total == 30
        if done >= 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(model, corpus, out=tmp_path, progress=stop)
    read: list[int] = []
    again = measure(model, corpus, out=tmp_path, progress=lambda done, _: read.append(done))
    assert read == [8, 16, 24, 30]
    assert same(whole, again) and whole.index is not None and again.index is not None
    assert again.index.rows.equals(whole.index.rows)
    with pytest.raises(InputError, match="parts of another measurement"):
        measure(hand_set.model(({0: "self"},)), corpus, out=tmp_path)


@needs_ray
def test_two_processes_give_what_one_gives_even_where_one_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "PART", 4)
    model, corpus = hand_set.model(({0: "previous"},)), made_texts(40)
    killed: list[int] = []

    def kill(done: int, total: int | None) -> None:
        if not killed:
            killed.append(reader_processes()[0])
            os.kill(killed[0], signal.SIGKILL)

    several = measure(model, corpus, workers=2, progress=kill)
    assert killed
    assert several.texts == 40
    assert same(measure(model, corpus), several)


@needs_ray
def test_a_cluster_that_runs_reads_and_goes_on_running(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(measuring, "PART", 4)
    monkeypatch.setenv("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # all of it listens on 127.0.0.1 alone
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    address, log = f"127.0.0.1:{free_port()}", tmp_path / "ray.log"
    command = [sys.executable, "-m", "ray.scripts.scripts", "start", "--head", "--block", "--include-dashboard=false"]
    command += ["--node-ip-address=127.0.0.1", f"--port={address.split(':')[1]}", "--num-cpus=1"]
    with log.open("wb") as output:
        cluster = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 120
        while "runtime started" not in log.read_text(errors="replace"):
            assert cluster.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.2)
        model, corpus = hand_set.model(({0: "previous"},)), made_texts(12)
        several = measure(model, corpus, workers=1, address=address)
        assert several.texts == 12
        assert same(measure(model, corpus), several)
        assert cluster.poll() is None
    finally:
        cluster.terminate()
        cluster.wait(timeout=60)


def reader_processes() -> list[int]:
    """The processes of Ray that hold a model, of those that this one started."""
    parents, names = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            status = (folder / "stat").read_text()
            names[int(folder.name)] = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        parents[int(folder.name)] = int(status.rpartition(")")[2].split()[1])
    return [
        number
        for number, name in names.items()
        if name.startswith(b"ray::_Reader") and parents.get(parents.get(number, 0)) == os.getpid()
    ]


# Files and examples -------------------------------------------------------------------------------------------------


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    table = measure(hand_set.model(({0: "previous"},)), made_texts(12), name="twelve")
    table.save(tmp_path / "roles.json")
    again = RolesTable.load(tmp_path / "roles.json")
    assert (again.corpus, again.model, again.sizes, again.texts) == ("twelve", table.model, table.sizes, 12)
    assert same(table, again)
    assert examples(again, "decoder", 0, 0, 3) == examples(table, "decoder", 0, 0, 3)
    (tmp_path / "roles.json").write_text("{}")
    with pytest.raises(InputError, match="holds no table"):
        RolesTable.load(tmp_path / "roles.json")


def test_examples_show_where_a_head_looks_and_random_ones_are_the_same_texts_for_all() -> None:
    table = measure(hand_set.model(({0: "previous", 1: "first"},)), made_texts(30), examples=5)
    for item in examples(table, "decoder", 0, 0, 5):
        assert item.keys[0] == item.query - 1 and item.strength > 0.99
        assert item.query_word == item.query_tokens[item.query].strip() and item.key_words[0] in item.text
    strongest = examples(table, "decoder", 0, 1, 5)
    assert len({item.number for item in strongest}) == 5 and {item.keys[0] for item in strongest} == {0}
    drawn = [{item.number for item in random_examples(table, "decoder", 0, head, 5)} for head in range(3)]
    assert len(drawn[0]) == 5 and drawn[0] == drawn[1] == drawn[2]
    word = strongest[0].query_word
    matches = search(table, word.upper(), role="first token")
    assert matches and {item.head for item in matches} == {1}
    assert all(word in (item.query_word, item.key_words[0]) for item in matches)
    with pytest.raises(InputError, match="no examples"):
        examples(measure(hand_set.model(({},)), made_texts(3), examples=0), "decoder", 0, 0)


def test_examples_are_ranked_by_the_role_of_their_head_and_say_so() -> None:
    """Heads without a role are ranked by their greatest weight."""
    heads = {0: "offset -3", 1: "first", 2: "duplicate"}
    table = measure(hand_set.model((heads,), heads=4), made_texts(40), examples=6)
    roles = ["offset", "first token", "duplicate token", ""]
    for head, role in enumerate(roles):
        items = examples(table, "decoder", 0, head, 6)
        assert len(items) == 6 and {item.role for item in items} == {role}
        assert [item.strength for item in items] == sorted((item.strength for item in items), reverse=True)
        assert {item.role for item in random_examples(table, "decoder", 0, head, 6)} == {role}
    for item in examples(table, role="offset", count=100):
        assert (item.head, item.keys[0]) == (0, item.query - 3)
        assert item.strength == pytest.approx(item.weights[0], abs=1e-5)
    for item in examples(table, "decoder", 0, 2):
        same = [key for key in item.keys if item.key_tokens[key].strip() == item.query_tokens[item.query].strip()]
        assert item.strength == pytest.approx(
            sum(weight for key, weight in zip(item.keys, item.weights, strict=True) if key in same), abs=1e-5
        )
    assert examples(table, "decoder", 0, 0, role="first token") == ()
    with pytest.raises(InputError, match="There is no role 'obj'"):
        examples(table, role="obj")


def test_a_long_text_is_cut_into_pieces_and_shown_near_its_row() -> None:
    text = " ".join(made_texts(8))
    table = measure(hand_set.model(({0: "previous"},)), [text])
    assert table.texts == 1 and table.tokens == len(text.split())


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.pdf", "", "is none of the files"),
        ("a.jsonl", '{"txt": 1}\n', "line 1, is no JSON object"),
        ("a.txt", "\n\n", "no text in this corpus"),
    ],
)
def test_a_corpus_that_cannot_be_read_says_why(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        measure(hand_set.model(({},)), tmp_path / name)
    with pytest.raises((InputError, EmptyError), match="There is no file"):
        measure(hand_set.model(({},)), tmp_path / "missing.txt")
