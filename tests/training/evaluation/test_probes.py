"""The sentences known in advance, and inputs made to have the model write without end."""

from __future__ import annotations

import numpy as np
import pytest
from support.training import token

from attnviz.attention.attention_map import AttentionMap
from attnviz.models.model import Model
from attnviz.models.recording.recorder import MAX_NEW_TOKENS
from training.evaluation import evaluate, probes


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


def test_maps_of_layer_means_keep_their_rows() -> None:
    pieces = (token("a", 0), token(" b", 1))
    map = AttentionMap.of([[0.25, 0.75], [1.0, 0.0]], pieces, pieces)
    assert probes._greatest(map, "missing") is None
