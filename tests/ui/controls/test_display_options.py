"""What the switches do to a map, what they say of it, and which files the page makes of a picture."""

from __future__ import annotations

import json

import numpy as np
import pytest

from attnviz import export
from attnviz.attention.attention_map import AttentionMap
from attnviz.export import Picture
from attnviz.tokenization.token import Token
from attnviz.ui.components import export_menu
from attnviz.ui.controls.display_options import Switches, join_labels
from attnviz.ui.controls.url_state import SWITCH_KEYS
from attnviz.ui.shell.model_names import model_and_revision

# [CLS] the Fleder|maus saw the [SEP]
TOKENS = (
    Token(1, "[CLS]", True, None, None, None),
    Token(7, "the", False, 0, 0, 3),
    Token(8, " Fleder", False, 1, 3, 10),
    Token(9, "maus", False, 1, 10, 14),
    Token(10, " saw", False, 2, 14, 18),
    Token(7, " the", False, 3, 18, 22),
    Token(2, "[SEP]", True, None, None, None),
    Token(2, "[SEP]", True, None, None, None),
)


@pytest.fixture
def map() -> AttentionMap:
    weights = np.random.default_rng(3).dirichlet(np.ones(len(TOKENS)), size=len(TOKENS))
    return AttentionMap.of(weights, TOKENS, TOKENS, kind="encoder", layer=2, head=5)


def test_without_switches_a_map_stays_as_it_is(map: AttentionMap) -> None:
    shown = Switches().apply(map)
    np.testing.assert_array_equal(shown.weights, map.weights)
    assert Switches().remarks(map.query_tokens, map.key_tokens, [shown]) == []
    assert Switches().scale == "shared" and Switches(per_head=True).scale == "head"


def test_words_come_first_and_then_hiding(map: AttentionMap) -> None:
    shown = Switches(by_word=True, hide_special=True, hide=("Fledermaus",)).apply(map)
    assert shown.query_tokens == shown.key_tokens and [token.text for token in shown.key_tokens] == [
        "the",
        "saw",
        "the",
    ]
    np.testing.assert_allclose(shown.weights, map.weights[np.ix_([1, 4, 5], [1, 4, 5])], atol=1e-6)
    np.testing.assert_allclose(shown.weights.sum(axis=1) + shown.hidden_mass, 1, atol=1e-6)


def test_a_token_of_two_that_look_alike_is_hidden_alone(map: AttentionMap) -> None:
    assert map.query_labels[5] == "the₂" and map.query_labels[7] == "[SEP]₂"
    shown = Switches(hide=("the₂", "[SEP]₂")).apply(map)
    kept = [0, 1, 2, 3, 4, 6]
    np.testing.assert_array_equal(shown.weights, map.weights[np.ix_(kept, kept)])


def test_what_a_sentence_does_not_have_is_without_effect(map: AttentionMap) -> None:
    switches = Switches(hide=("Fledermaus", "Katze"), rows=("Katze",))
    shown = switches.apply(map)
    np.testing.assert_array_equal(shown.weights, map.weights)
    assert switches.remarks(map.query_tokens, map.key_tokens, [shown]) == []


def test_rows_are_renormalised_and_still_say_what_is_hidden(map: AttentionMap) -> None:
    plain = Switches(hide_special=True).apply(map)
    shown = Switches(hide_special=True, renormalise=True).apply(map)
    np.testing.assert_allclose(shown.weights.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(shown.hidden_mass, plain.hidden_mass)
    whole = Switches(renormalise=True).apply(map)
    np.testing.assert_array_equal(whole.weights, map.weights)


def test_rows_are_averaged_and_named(map: AttentionMap) -> None:
    switches = Switches(rows=("saw", "the₂"))
    shown = switches.apply(map)
    assert shown.query_labels == ("saw + the₂",)
    np.testing.assert_allclose(shown.weights[0], map.weights[4:6].mean(axis=0), atol=1e-6)
    assert switches.remarks(map.query_tokens, map.key_tokens, [shown]) == ["rows averaged: saw + the₂"]


def test_hidden_rows_are_not_averaged(map: AttentionMap) -> None:
    shown = Switches(hide=("saw",), rows=("saw", "maus")).apply(map)
    assert shown.query_labels == ("maus",)
    assert len(Switches(hide=("saw",), rows=("saw",)).apply(map).query_tokens) == 7


def test_the_summary_says_what_is_hidden_and_its_share(map: AttentionMap) -> None:
    switches = Switches(hide_special=True, hide=("saw",), renormalise=True)
    shown = switches.apply(map)
    (said,) = switches.remarks(map.query_tokens, map.key_tokens, [shown])
    share = round(100 * float(shown.hidden_mass.mean()))
    assert said == f"hidden: [CLS], saw, [SEP], [SEP]₂ – {share} % of the attention, rows renormalised"


def test_many_hidden_tokens_are_not_all_named() -> None:
    assert join_labels("abc") == "a, b, c"
    assert join_labels("abcdefgh") == "a, b, c, d, e, f and 2 more"


def test_groups_of_a_long_text_stay_as_they_are() -> None:
    groups = tuple(Token(-1, text, False, place, None, None, 2) for place, text in enumerate(("a b", "c d")))
    map = AttentionMap.of([[0.5, 0.5], [0.25, 0.75]], groups, groups)
    switches = Switches(by_word=True, hide=("a b",), rows=("c d",), renormalise=True)
    assert switches.apply(map) is map and switches.remarks(map.query_tokens, map.key_tokens, [map]) == []


def test_nothing_may_be_left(map: AttentionMap) -> None:
    switches = Switches(hide_special=True, hide=map.query_labels, rows=("saw",))
    shown = switches.apply(map)
    assert shown.weights.shape == (0, 0)
    assert "– 0 %" in switches.remarks(map.query_tokens, map.key_tokens, [shown])[0]


def test_the_first_position_is_left_out_as_a_key_and_counts_as_hidden(map: AttentionMap) -> None:
    shown = Switches(hide_first=True).apply(map)
    assert shown.query_tokens == map.query_tokens and shown.key_tokens == map.key_tokens[1:]
    np.testing.assert_allclose(shown.hidden_mass, map.weights[:, 0] + map.hidden_mass, atol=1e-6)
    by_word = Switches(by_word=True, hide_first=True).apply(map)
    assert by_word.key_tokens == map.by_word().key_tokens[1:]
    gone = Switches(hide=map.key_labels[:1], hide_first=True)
    assert gone.apply(map).key_tokens == map.key_tokens[1:], "it is hidden already"


def test_long_texts_have_their_own_colours_unless_somebody_chose_others(map: AttentionMap) -> None:
    pieces = tuple(Token(place, f" w{place}", False, place, 4 * place, 4 * place + 4) for place in range(61))
    long = AttentionMap.of(np.full((61, 61), 1 / 61), pieces, pieces)
    assert Switches().scale_of(map) == "shared" and Switches().scale_of(long) == "root"
    assert Switches(even_colours=True).scale_of(long) == "shared" and Switches(per_head=True).scale_of(long) == "head"


def test_exports_hear_of_every_switch() -> None:
    settings = Switches(True, True, ("Größe", 'a "b", c'), True, ("sah",), True).settings()
    assert tuple(settings) == SWITCH_KEYS
    assert json.loads(settings["hide"]) == ["Größe", 'a "b", c'] and settings["renormalise"] == "true"
    assert Switches(renormalise=True).settings()["renormalise"] == "false"  # nothing is hidden


# Files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["svg", "html", "csv", "npz"])
def test_a_file_holds_what_is_shown(map: AttentionMap, suffix: str) -> None:
    switches = Switches(hide_special=True, rows=("saw", "the₂"), renormalise=True)
    shown = switches.apply(map)
    back = export.read(export_menu.file_content(Picture((shown,), settings=switches.settings()), suffix))
    np.testing.assert_allclose(back.panels[0].weights, shown.weights, atol=1e-6)
    assert back.panels[0].query_labels == shown.query_labels
    assert back.settings == switches.settings()


def test_png_is_sent_as_what_the_browser_draws(map: AttentionMap) -> None:
    assert export_menu.MEDIA["png"] == "image/svg+xml" and export_menu.file_content(Picture((map,)), "png").startswith(
        b"<"
    )


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("attnviz-L2-H5-encoder", "attnviz-L2-H5-encoder"),
        ("L0–3 max/cross: <Füße>", "L0-3-max-cross-Füße"),
        ("../../etc/passwd", "etc-passwd"),
        ("???", "attnviz"),
        ("x" * 300, "x" * export_menu.LONGEST_NAME),
    ],
)
def test_file_names_suit_every_system(text: str, name: str) -> None:
    assert export_menu.file_name(text) == name


# Models in links -----------------------------------------------------------------------------------------------------


def test_a_revision_follows_the_id(tmp_path_factory: pytest.TempPathFactory) -> None:
    assert model_and_revision("google-t5/t5-small@refs/pr/3") == ("google-t5/t5-small", "refs/pr/3")
    assert model_and_revision("gpt2@main") == ("gpt2", "main")
    assert model_and_revision("bundled") == ("bundled", None)
    folder = tmp_path_factory.mktemp("model@home")
    assert model_and_revision(str(folder)) == (str(folder), None)
    assert model_and_revision("/there/is/no@such/folder") == ("/there/is/no@such/folder", None)
