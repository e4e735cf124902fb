"""What a head does, how far two are apart, and which of their tokens correspond: closed forms, and real models."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import pytest
import torch
from support import tiny_models as tiny
from support.tiny_tokenizers import gpt2, marian, roberta, unigram, wordpiece

from attnviz import AttentionMap, Model, Recording, Token, aggregate
from attnviz.aggregate import maximum
from attnviz.errors import InputError
from attnviz.measures import distances, rows
from attnviz.measures.correspondence import aligned
from attnviz.measures.distances import Difference, difference, divergence, divergences, resolution
from attnviz.measures.head_measures import Measures, measure, measure_all
from attnviz.measures.scaling import multidimensional_scaling
from attnviz.models.recording import Part
from attnviz.tokenization.tokenizer import encode

PLAIN = tuple(Token(10 + i, f"w{i}", False, i, 3 * i, 3 * i + 2) for i in range(7))
WITH_SPECIALS = (Token(1, "<s>", True, None, None, None), *PLAIN[1:6], Token(2, "</s>", True, None, None, None))
KEYS = tuple(Token(30 + i, f"k{i}", i == 10, None if i == 10 else i, 3 * i, 3 * i + 2) for i in range(11))
NAMES = [field.name for field in dataclasses.fields(Measures)]


@functools.cache
def recording(name: str, length: int = tiny.LENGTH) -> Recording:
    return Model(tiny.network(name), name=name).record_ids(**tiny.inputs(name, length))


def fixed(weights: np.ndarray, tokens: tuple[Token, ...] = PLAIN) -> Recording:
    """A recording of given weights (layer, head, token, token)."""
    layers = [torch.tensor(layer, dtype=torch.float32) for layer in weights]
    return Recording(("encoder",), Part({"encoder": layers}, tokens), model="fixed")


def some(queries: int = 7, keys: int = 7, seed: int = 0) -> np.ndarray:
    raw = np.random.default_rng(seed).exponential(size=(queries, keys)) ** 2
    return raw / raw.sum(axis=1, keepdims=True)


def shown(weights: object, tokens: tuple[Token, ...] = PLAIN, keys: tuple[Token, ...] | None = None, **origin):
    return AttentionMap.of(weights, tokens, keys or tokens, **({"kind": "encoder", "layer": 2, "head": 5} | origin))


def is_special(token: Token) -> bool:
    return token.special


def close(first: Measures, second: Measures, atol: float = 1e-5) -> None:
    assert (first.layer, first.head) == (second.layer, second.head)
    np.testing.assert_allclose(dataclasses.astuple(first)[2:], dataclasses.astuple(second)[2:], atol=atol)


# ---------------------------------------------------------------------------------------------------------------------
# What one head does


def test_a_head_that_looks_everywhere_alike() -> None:
    found = measure(shown(np.full((7, 7), 1 / 7), WITH_SPECIALS))
    # The mean of |q - k| over a square of n is (n² - 1) / 3n.
    expected = (2, 5, math.log2(7), 48 / 21, 1 / 7, 1 / 7, 1 / 7, 1 / 7, 2 / 7, 1.0)
    np.testing.assert_allclose(dataclasses.astuple(found), expected, atol=1e-6)
    assert found.character == "broad"


def test_a_head_that_looks_at_one_place() -> None:
    found = measure(shown(np.eye(7)))
    assert (found.entropy, found.distance, found.own, found.previous, found.next) == (0, 0, 1, 0, 0)
    assert found.first == pytest.approx(1 / 7) and math.isnan(found.special) and math.isnan(found.evenness)
    assert found.character == "own"
    found = measure(shown(np.eye(7)[[0, 0, 1, 2, 3, 4, 5]]))  # the first row has no previous token
    assert (found.previous, found.next, found.character) == (1, 0, "previous")
    found = measure(shown(np.eye(7)[[1, 2, 3, 4, 5, 6, 6]]))
    assert (found.next, found.previous, found.character) == (1, 0, "next")
    assert found.distance == pytest.approx(6 / 7)
    found = measure(shown(np.eye(7)[[0] * 7]))
    assert (found.first, found.distance, found.character) == (1, pytest.approx(3), "first")
    found = measure(shown(np.eye(7)[[6] * 7], WITH_SPECIALS))
    assert (found.special, found.first, found.character) == (1, 0, "special")


def test_numbers_of_a_causal_row_are_compared_with_what_it_may_see() -> None:
    lower = np.tril(np.ones((7, 7))) / np.arange(1, 8)[:, None]
    found = measure(shown(lower, kind="decoder"))
    assert found.evenness == pytest.approx(1.0) and found.character == "broad"
    assert found.entropy == pytest.approx(np.log2(np.arange(1, 8)).mean(), abs=1e-6)
    assert found.distance == pytest.approx(np.arange(7).mean() / 2)
    assert found.next == 0


def test_numbers_against_the_formulas_row_by_row() -> None:
    weights = some()
    found = measure(shown(weights, WITH_SPECIALS))
    entropies = [-sum(p * math.log2(p) for p in row) for row in weights]
    distances = [sum(p * abs(q - k) for k, p in enumerate(row)) for q, row in enumerate(weights)]
    assert found.entropy == pytest.approx(np.mean(entropies), abs=1e-5)
    assert found.evenness == pytest.approx(np.mean(entropies) / math.log2(7), abs=1e-5)
    assert found.distance == pytest.approx(np.mean(distances), abs=1e-5)
    assert found.previous == pytest.approx(np.mean([weights[i, i - 1] for i in range(1, 7)]), abs=1e-6)
    assert found.next == pytest.approx(np.mean([weights[i, i + 1] for i in range(6)]), abs=1e-6)
    assert found.own == pytest.approx(np.trace(weights) / 7, abs=1e-6)
    assert found.first == pytest.approx(weights[:, 0].mean(), abs=1e-6)
    assert found.special == pytest.approx((weights[:, 0] + weights[:, 6]).mean(), abs=1e-6)


def test_positions_mean_nothing_between_two_texts() -> None:
    weights = some(7, 11)
    found = measure(shown(weights, PLAIN, KEYS, kind="cross"))
    assert all(math.isnan(getattr(found, name)) for name in ("distance", "previous", "next", "own"))
    assert found.first == pytest.approx(weights[:, 0].mean(), abs=1e-6)
    assert found.special == pytest.approx(weights[:, 10].mean(), abs=1e-6)
    assert found.entropy > 0
    # A copy has the same tokens on both sides; they are two texts all the same.
    assert math.isnan(measure(shown(some(), kind="cross")).own)
    assert math.isnan(measure(shown(some()).average_queries([1, 2])).own)


def test_shares_are_those_that_are_shown_and_entropy_is_of_what_is_shown() -> None:
    weights = some()
    whole = shown(weights, WITH_SPECIALS)
    plain, divided = measure(whole.hide(is_special)), measure(whole.hide(is_special, renormalise=True))
    left = weights[1:6, 1:6]
    assert plain.own == pytest.approx(np.trace(left) / 5, abs=1e-6)
    rows = left / left.sum(axis=1, keepdims=True)
    assert divided.own == pytest.approx(np.trace(rows) / 5, abs=1e-6)
    for found in (plain, divided):
        assert found.entropy == pytest.approx(-(rows * np.log2(rows)).sum(axis=1).mean(), abs=1e-5)
        assert math.isnan(found.special)
    place = np.arange(5)
    assert plain.distance == pytest.approx((rows * abs(place[:, None] - place)).sum(axis=1).mean(), abs=1e-5)


def test_rows_of_which_nothing_is_shown_have_no_entropy() -> None:
    weights = np.zeros((7, 7))
    weights[:, 0] = 1.0  # the special token
    weights[3] = [0, 0.25, 0.25, 0.25, 0.25, 0, 0]
    found = measure(shown(weights, WITH_SPECIALS).hide(is_special))
    assert found.entropy == pytest.approx(2.0) and found.own == pytest.approx(0.25 / 5)
    nothing = measure(shown(weights, WITH_SPECIALS).hide(lambda token: token.id != 1))
    assert nothing.first == 1 and math.isnan(nothing.previous)
    for empty in (shown(weights).hide(lambda token: True), shown(np.zeros((7, 7))).hide(lambda token: True)):
        assert all(math.isnan(value) for value in dataclasses.astuple(measure(empty))[2:])
        assert measure(empty).character is None


def test_words_are_measured_as_words() -> None:
    read = encode(wordpiece(), "Die Fledermaus flog").tokens
    found = shown(some(len(read), len(read)), read).by_word()
    assert measure(found).previous == pytest.approx(np.diagonal(found.weights, -1).mean(), abs=1e-6)


def test_shares_of_a_maximum_are_shares() -> None:
    most = maximum([shown(np.eye(7)[[0] * 7], WITH_SPECIALS), shown(np.eye(7)[[6] * 7], WITH_SPECIALS, head=6)])
    found = measure(most)
    assert (found.layer, found.head) == (2, None)
    assert (found.first, found.special, found.entropy) == (0.5, 1.0, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("numbers", "character"),
    [
        ({"previous": 0.6, "own": 0.2}, "previous"),
        ({"previous": 0.5}, None),
        ({"own": 0.7, "first": 0.8, "special": 0.9}, "first"),
        ({"first": 0.3, "special": 0.6, "evenness": 0.95}, "special"),
        ({"evenness": 0.9}, "broad"),
        ({"evenness": 0.89}, None),
        ({}, None),
    ],
)
def test_a_head_is_called_by_what_it_mostly_does(numbers: dict[str, float], character: str | None) -> None:
    known = dict.fromkeys(NAMES, math.nan) | {"layer": 0, "head": 0} | numbers
    assert Measures(**known).character == character


@pytest.mark.parametrize("name", ["bert", "llama", "bart", "gpt_oss", "bloom"])
@pytest.mark.parametrize("length", [tiny.LENGTH, 1])
def test_all_heads_at_once_are_measured_as_one_by_one(name: str, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    found = recording(name, length)
    for kind in found.kinds:
        layers, heads, _, _ = found.size(kind)
        every = measure_all(found, kind)
        assert [(one.layer, one.head) for one in every] == [(i, j) for i in range(layers) for j in range(heads)]
        one_by_one = [measure(found.map(kind, layer=one.layer, head=one.head)) for one in every]
        monkeypatch.setattr(rows, "STACKED", 0)
        monkeypatch.setattr(aggregate, "WHOLE_LAYER", 0)
        separately = measure_all(found, kind)
        monkeypatch.undo()
        for first, second, third in zip(every, one_by_one, separately, strict=True):
            close(first, second)
            close(first, third)


def test_what_is_shown_can_be_measured_instead() -> None:
    weights = [[some(seed=3 * layer + head) for head in range(3)] for layer in range(2)]
    found = fixed(np.array(weights), WITH_SPECIALS)

    def prepare(map: AttentionMap) -> AttentionMap:
        return map.hide(is_special, renormalise=True)

    for one in measure_all(found, "encoder", prepare):
        close(one, measure(prepare(found.map("encoder", layer=one.layer, head=one.head))))


# ---------------------------------------------------------------------------------------------------------------------
# How far apart


def test_divergence_of_the_same_and_of_nothing_in_common() -> None:
    assert divergence(shown(some()), shown(some())) == 0
    assert divergence(shown(np.eye(7)), shown(np.eye(7)[::-1])) == pytest.approx(6 / 7)  # the middle row is the same
    # One key against two, of which it is one: 1 - (3 / 4) log₂ 3 + 1 / 2 … = 0.3113 bits.
    half = (np.eye(7) + np.eye(7)[[1, 2, 3, 4, 5, 6, 0]]) / 2
    assert divergence(shown(np.eye(7)), shown(half)) == pytest.approx(1.5 - 0.75 * math.log2(3), abs=1e-6)


def test_divergence_is_symmetric_and_bounded() -> None:
    one, other = shown(some(seed=1)), shown(some(seed=2))
    assert divergence(one, other) == pytest.approx(divergence(other, one), abs=1e-12)
    assert 0 < divergence(one, other) < 1


def test_what_is_hidden_counts_as_one_more_key_unless_rows_are_renormalised() -> None:
    weights = np.zeros((7, 7))
    weights[:, 0], weights[:, 3] = 0.5, 0.5
    one, other = shown(np.eye(7)[[3] * 7], WITH_SPECIALS), shown(weights, WITH_SPECIALS)
    plain = divergence(one.hide(is_special), other.hide(is_special))
    assert plain == pytest.approx(1.5 - 0.75 * math.log2(3), abs=1e-6)
    assert plain == pytest.approx(divergence(one, other), abs=1e-6)
    divided = [map.hide(is_special, renormalise=True) for map in (one, other)]
    assert divergence(*divided) == pytest.approx(0, abs=1e-6)
    with pytest.raises(InputError, match="Renormalise both or neither"):
        divergence(divided[0], other.hide(is_special))


def test_maxima_are_compared_as_shares_of_their_rows() -> None:
    both = np.eye(7)[[0] * 7] + np.eye(7)[[6] * 7]
    most = shown(both, aggregate="max", head=None)
    assert divergence(most, shown(both / 2)) == pytest.approx(0, abs=1e-6)


def test_maps_of_nothing_are_no_distance_apart() -> None:
    nothing = shown(some()).hide(lambda token: True)
    assert divergence(nothing, nothing) == 0
    keyless = shown(some(7, 11), PLAIN, KEYS).hide(lambda token: token in KEYS)
    assert divergence(keyless, keyless) == 0


def pairwise(found: Recording, kind: str, prepare=lambda map: map) -> np.ndarray:
    layers, heads, _, _ = found.size(kind)
    maps = [prepare(found.map(kind, layer=i, head=j)) for i in range(layers) for j in range(heads)]
    return np.array([[divergence(one, other) for other in maps] for one in maps])


@pytest.mark.parametrize("name", ["bert", "bart", "gpt_oss", "bloom"])
def test_divergences_of_all_heads(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = recording(name)
    for kind in found.kinds:
        expected = pairwise(found, kind)
        np.testing.assert_allclose(divergences(found, kind), expected, atol=3e-6)
        monkeypatch.setattr(rows, "STACKED", 512)  # several blocks
        blocks = divergences(found, kind)
        monkeypatch.undo()
        np.testing.assert_allclose(blocks, expected, atol=3e-6)
        assert (blocks == blocks.T).all() and not blocks.diagonal().any()


def test_divergences_of_what_is_shown() -> None:
    found = fixed(np.stack([some(seed=head) for head in range(3)])[None], WITH_SPECIALS)

    def prepare(map: AttentionMap) -> AttentionMap:
        return map.hide(is_special)

    np.testing.assert_allclose(divergences(found, "encoder", prepare), pairwise(found, "encoder", prepare), atol=3e-6)
    hidden = divergences(found, "encoder", lambda map: map.hide(lambda token: True))
    np.testing.assert_array_equal(hidden, np.zeros((3, 3)))


def test_heads_that_are_the_same_are_no_distance_apart_at_all() -> None:
    alike = fixed(np.tile(some(), (2, 3, 1, 1)))
    assert not divergences(alike, "encoder").any()
    assert divergences(fixed(some()[None, None]), "encoder").tolist() == [[0.0]]


def test_what_is_compared_is_bounded() -> None:
    for layers, heads in ((1, 1), (4, 8), (6, 12), (12, 12), (48, 25)):
        pairs = max(1, layers * heads * (layers * heads - 1) // 2)
        for length in (1, 7, 138, 512, 4096):
            rows, groups = resolution(layers, heads, length, length)
            assert 1 <= rows <= length and 1 <= groups <= length
            floor = distances.LEAST_ROWS * (distances.LEAST_KEYS + 1)
            assert pairs * rows * (groups + 1) <= max(distances.MOST_WORK, pairs * floor)
    assert resolution(6, 12, 138, 138) == (138, 138)
    assert resolution(6, 12, 0, 0) == (0, 0)


def test_a_long_text_is_compared_by_some_rows_and_groups_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    found = recording("bert", 43)
    exact = divergences(found, "encoder")
    monkeypatch.setattr(distances, "MOST_WORK", 105 * 13 * 44)  # 105 pairs
    assert resolution(*found.size("encoder")) == (13, 43)
    sampled = divergences(found, "encoder")
    weights = found.weights("encoder", layer=1)[2:4].numpy()
    chosen = [(2 * i + 1) * 43 // 26 for i in range(13)]
    one, other = (
        AttentionMap.of(rows[chosen], tuple(Token(i, str(i), False, i, None, None) for i in range(13)),
                        found.key_tokens("encoder")) for rows in weights
    )  # fmt: skip
    assert sampled[7, 8] == pytest.approx(divergence(one, other), abs=3e-6)
    assert np.corrcoef(sampled.ravel(), exact.ravel())[0, 1] > 0.9
    monkeypatch.setattr(distances, "MOST_WORK", 1)
    assert resolution(*found.size("encoder")) == (8, 32)
    grouped = divergences(found, "encoder")
    monkeypatch.setattr(distances, "LEAST_KEYS", 43)
    assert (grouped <= divergences(found, "encoder") + 1e-6).all()


# ---------------------------------------------------------------------------------------------------------------------
# Places


def test_places_keep_the_distances_that_a_plane_can_show() -> None:
    points = np.random.default_rng(0).normal(size=(11, 2)) * [3, 1]
    squares = ((points[:, None] - points) ** 2).sum(axis=-1)
    found = multidimensional_scaling(squares)
    np.testing.assert_allclose(((found[:, None] - found) ** 2).sum(axis=-1), squares, atol=1e-9)
    np.testing.assert_allclose(found.mean(axis=0), 0, atol=1e-9)
    assert found[:, 0].var() > found[:, 1].var()
    assert (found.max(axis=0) >= -found.min(axis=0)).all()
    np.testing.assert_allclose(multidimensional_scaling(squares), found)


def test_places_of_few_heads_and_of_the_same_heads() -> None:
    assert multidimensional_scaling(np.zeros((0, 0))).shape == (0, 2)
    assert multidimensional_scaling(np.zeros((1, 1))).tolist() == [[0, 0]]
    np.testing.assert_allclose(
        multidimensional_scaling(np.array([[0, 0.64], [0.64, 0]])), [[0.4, 0], [-0.4, 0]], atol=1e-12
    )
    assert multidimensional_scaling(np.zeros((5, 5))).tolist() == [[0, 0]] * 5
    two = np.array([[0, 0, 0.25], [0, 0, 0.25], [0.25, 0.25, 0]])
    np.testing.assert_allclose(multidimensional_scaling(two)[0], multidimensional_scaling(two)[1], atol=1e-9)


@pytest.mark.parametrize("distances", [np.zeros((3, 2)), np.array([[0, 1.0], [2, 0]]), np.full((2, 2), np.nan)])
def test_what_is_no_distances_is_refused(distances: np.ndarray) -> None:
    with pytest.raises(InputError, match="have to be a symmetric square of numbers"):
        multidimensional_scaling(distances)


# ---------------------------------------------------------------------------------------------------------------------
# Which tokens correspond


def read(tokenizer: object, text: str, seed: int = 0, **origin) -> AttentionMap:
    tokens = encode(tokenizer, text).tokens
    return shown(some(len(tokens), len(tokens), seed), tokens, **origin)


def test_the_same_tokens_stay_as_they_are() -> None:
    one, other = read(wordpiece(), "Die Fledermaus flog"), read(wordpiece(), "Die Fledermaus flog", 1, model="n")
    assert aligned(one, other) == (one, other)


def test_two_tokenizers_are_compared_by_words() -> None:
    text = "Die Fledermaus flog nachts."
    maps = [read(tokenizer(), text, seed) for seed, tokenizer in enumerate((wordpiece, gpt2, roberta, unigram, marian))]
    assert len({len(map.key_tokens) for map in maps}) > 1
    for one in maps:
        for other in maps:
            for map, was in zip(aligned(one, other), (one, other), strict=True):
                np.testing.assert_allclose(map.weights.sum(axis=1) + map.hidden_mass, 1.0, atol=1e-5)
                if [token.text for token in one.key_tokens] != [token.text for token in other.key_tokens]:
                    words = [token.text for token in map.key_tokens if not token.special]
                    assert words == ["Die", "Fledermaus", "flog", "nachts", "."]
                    plain = was.by_word().hide(is_special)
                    np.testing.assert_allclose(map.hide(is_special).weights, plain.weights, atol=1e-6)
            assert 0 <= divergence(one, other) <= 1


def test_special_tokens_that_only_one_has_are_hidden_and_their_share_is_known() -> None:
    tokens = [Token(1, "Ball", False, 0, 0, 4), Token(2, "</s>", True, None, None, None)]
    start = Token(3, "<s>", True, None, None, None)
    one = shown(some(2, 2), tuple(tokens))
    other = shown(some(3, 3), (start, *tokens))
    left, right = aligned(one, other)
    assert left.key_labels == right.key_labels == ("Ball", "</s>")
    np.testing.assert_allclose(left.weights, some(2, 2), atol=1e-6)
    assert not left.hidden_mass.any()
    np.testing.assert_allclose(right.hidden_mass, some(3, 3)[1:, 0], atol=1e-6)
    # In another place they do not correspond, and neither has them any more.
    moved = shown(some(2, 2), tuple(reversed(tokens)))
    assert [map.key_labels for map in aligned(one, moved)] == [("Ball",), ("Ball",)]


def test_case_and_accents_do_not_keep_words_apart() -> None:
    one, other = read(gpt2(), "Schön, daß du finden kannst"), read(gpt2(), "schon, dass du FINDEN kannst")
    assert [len(map.query_tokens) for map in aligned(one, other)] == [6, 6]


def cross(query: tuple[Token, ...], key: tuple[Token, ...], **origin) -> AttentionMap:
    return shown(some(len(query), len(key)), query, key, kind="cross", **origin)


HUND, BALL, KATZE = (encode(gpt2(), text).tokens for text in ("Der Hund sah", "den Ball", "Die Katze sah"))


@pytest.mark.parametrize(
    ("one", "other", "text"),
    [
        (read(gpt2(), "Der Hund sah"), read(wordpiece(), "Die Fledermaus"),
         "different sentences: “Der Hund sah” has 3 words, “Die Fledermaus” has 2 words. Give both the same sentence"),
        (read(gpt2(), "Der Hund sah."), read(gpt2(), "Der Ball sah."),
         "“Der Hund sah.” and “Der Ball sah.”, where “Hund” stands against “Ball”"),
        (read(gpt2(), "Hund " * 40), read(gpt2(), "Ball"), "“Hund Hund Hund Hund Hund Hund Hund Hund…” has 40 words"),
        (cross(HUND, HUND), read(gpt2(), "Der Ball"),
         "L2 H5 shows cross-attention, .* L2 H5 shows encoder attention, within one text. Choose the same kind"),
        (cross(HUND, BALL), cross(KATZE, BALL), "different targets: .* “Der” stands against “Die”. Give both the same"),
        (read(gpt2(), "Der Hund sah"), read(gpt2(), "Der Hund sah").average_queries([0, 2]),
         "different rows: “Der Hund sah” has 3 words, “Der . sah” has 1 word. Choose the same query words"),
        (read(wordpiece(), "学生在写作业。"), read(unigram(), "学生在写作业。"),
         "do not find the same words in “学生在写作业。”: 7 words and . words"),
    ],
)  # fmt: skip
def test_what_does_not_correspond_is_refused_with_the_reason(one: AttentionMap, other: AttentionMap, text: str) -> None:
    for compare in (aligned, difference, divergence):
        with pytest.raises(InputError, match=text):
            compare(one, other)


# ---------------------------------------------------------------------------------------------------------------------
# Differences


def test_a_difference_is_one_minus_the_other() -> None:
    one, other = shown(some(7, 11), PLAIN, KEYS), shown(some(7, 11, 1), PLAIN, KEYS, layer=1, head=3)
    found = difference(one, other)
    assert isinstance(found, Difference) and found.weights.dtype == np.float32
    np.testing.assert_allclose(found.weights, some(7, 11) - some(7, 11, 1), atol=1e-6)
    assert (found.query_tokens, found.key_tokens) == (PLAIN, KEYS)
    assert (found.query_labels, found.key_labels) == (one.query_labels, one.key_labels)
    assert found.name == "L2 H5 − L1 H3" and (found.a, found.b) == (one, other)
    assert found.divergence == pytest.approx(divergence(one, other))
    np.testing.assert_allclose(difference(other, one).weights, -found.weights)


def test_a_difference_names_model_and_kind_where_these_differ() -> None:
    one = shown(some(), model="gpt2", kind="decoder")
    assert difference(one, shown(some(), model="bert", head=3)).name == "gpt2 decoder L2 H5 − bert encoder L2 H3"
    mean = shown(some(), model="gpt2", kind="decoder", layer=None, aggregate="L0–3 mean")
    assert difference(one, mean).name == "L2 H5 − L0–3 mean H5"


def test_a_difference_of_two_tokenizers_is_one_of_words() -> None:
    text = "Die Fledermaus flog"
    one, other = read(gpt2(), text), read(wordpiece(), text, 1)
    found = difference(one, other)
    assert found.query_labels == found.key_labels == ("Die", "Fledermaus", "flog")
    np.testing.assert_allclose(
        found.weights, one.by_word().weights - other.by_word().hide(is_special).weights, atol=1e-6
    )
