"""AttentionMap: words for tokens, tokens hidden, and what share of each row is then not shown."""

from __future__ import annotations

import numpy as np
import pytest
from support.tiny_tokenizers import unigram, wordpiece

from attnviz import AttentionMap, AttnvizError, Token
from attnviz.tokenization.tokenizer import encode


def token(index: int, text: str, word: int | None, start: int = 0) -> Token:
    if word is None:
        return Token(index, text, True, None, None, None)
    return Token(index, text, False, word, start, start + len(text))


def tokens(*words: str | list[str]) -> tuple[Token, ...]:
    """A word of one token for each string, of several for each list; "</s>" is special."""
    made: list[Token] = []
    start = 0
    for number, word in enumerate(words):
        for piece in [word] if isinstance(word, str) else word:
            made.append(token(10 + len(made), piece, None if piece == "</s>" else number, start))
            start += len(piece)
    return tuple(made)


def rows(queries: int, keys: int, seed: int = 0) -> np.ndarray:
    """(queries, keys) weights that differ everywhere; each row sums to 1."""
    raw = np.random.default_rng(seed).exponential(size=(queries, keys)) ** 2
    return (raw / raw.sum(axis=1, keepdims=True)).astype(np.float32)


SOURCE = tokens(["Fleder", "maus", "es"], "flog", ["nach", "ts"], ".", "</s>")  # 8 tokens, 5 words
TARGET = tokens("</s>", ["The", "re"], "bat", ["fl", "ew", "!"])  # 7 tokens, 4 words


def cross(seed: int = 0, **options) -> AttentionMap:
    weights = rows(len(TARGET), len(SOURCE), seed)
    return AttentionMap.of(weights, TARGET, SOURCE, kind="cross", layer=2, head=5, **options)


def same(first: AttentionMap, second: AttentionMap, atol: float = 1e-6) -> None:
    assert (first.query_tokens, first.key_tokens) == (second.query_tokens, second.key_tokens)
    assert first.renormalised == second.renormalised
    np.testing.assert_allclose(first.weights, second.weights, atol=atol)
    np.testing.assert_allclose(first.hidden_mass, second.hidden_mass, atol=atol)


def whole(shown: AttentionMap) -> np.ndarray:
    return shown.weights.sum(axis=1) + shown.hidden_mass


def is_special(item: Token) -> bool:
    return item.special


def is_point(item: Token) -> bool:
    return item.text in (".", "flog", "bat")


# ---------------------------------------------------------------------------------------------------------------------
# Making one


def test_a_new_map_shows_everything() -> None:
    shown = cross()
    assert shown.weights.dtype == shown.hidden_mass.dtype == np.float32
    assert shown.weights.shape == (len(TARGET), len(SOURCE))
    assert not shown.hidden_mass.any() and not shown.renormalised
    assert (shown.kind, shown.name) == ("cross", "L2 H5")
    assert shown.query_labels == ("</s>", "The", "re", "bat", "fl", "ew", "!")
    assert len(set(shown.key_labels)) == len(SOURCE)


@pytest.mark.parametrize(
    ("shape", "mass", "text"),
    [
        ((8, 7), None, r"Weights of shape \(8, 7\) do not fit 7 query tokens and 8 key tokens"),
        ((7,), None, r"Weights of shape \(7,\)"),
        ((1, 7, 8), None, r"Weights of shape \(1, 7, 8\)"),
        ((7, 8), (8,), r"hidden mass of shape \(8,\) does not fit 7 query tokens"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(shape: tuple[int, ...], mass: tuple[int, ...] | None, text: str) -> None:
    with pytest.raises(AttnvizError, match=text):
        AttentionMap.of(np.zeros(shape), TARGET, SOURCE, hidden_mass=None if mass is None else np.zeros(mass))


# ---------------------------------------------------------------------------------------------------------------------
# Words


def test_a_word_gets_the_sum_over_its_keys_and_gives_the_mean_over_its_queries() -> None:
    shown = cross().by_word()
    assert [item.text for item in shown.key_tokens] == ["Fledermauses", "flog", "nachts", ".", "</s>"]
    assert [item.text for item in shown.query_tokens] == ["</s>", "There", "bat", "flew!"]
    weights = cross().weights
    np.testing.assert_allclose(shown.weights[1, 0], weights[1:3, 0:3].sum() / 2, atol=1e-6)
    np.testing.assert_allclose(shown.weights[3, 2], weights[4:7, 4:6].sum() / 3, atol=1e-6)
    np.testing.assert_allclose(shown.weights[0, 4], weights[0, 7], atol=1e-6)
    np.testing.assert_allclose(shown.weights.sum(axis=1), 1.0, atol=1e-6)
    assert (shown.kind, shown.layer, shown.head) == ("cross", 2, 5)


def test_words_of_words_are_the_same_words() -> None:
    same(cross().by_word().by_word(), cross().by_word())


def test_words_are_found_where_their_pieces_are_not_neighbours() -> None:
    apart = (token(1, "an", 0, 0), token(2, "rief", 1, 2), token(3, "ge", 0, 6))
    weights = rows(3, 3)
    shown = AttentionMap.of(weights, apart, apart).by_word()
    assert len(shown.key_tokens) == 2
    np.testing.assert_allclose(shown.weights[1, 0], weights[1, 0] + weights[1, 2], atol=1e-6)
    np.testing.assert_allclose(shown.weights[0, 1], (weights[0, 1] + weights[2, 1]) / 2, atol=1e-6)


def test_chinese_has_a_word_for_each_character_unless_the_tokenizer_joins_them() -> None:
    apart, joined = encode(wordpiece(), "学生在写作业。").tokens, encode(unigram(), "学生在写作业。").tokens
    assert [item.text for item in AttentionMap.of(rows(9, 9), apart, apart).by_word().key_tokens] == [
        "[CLS]", *"学生在写作业。", "[SEP]",
    ]  # fmt: skip
    shown = AttentionMap.of(rows(len(joined), len(joined)), joined, joined).by_word()
    read = [item.text for item in shown.key_tokens if not item.special]
    assert "".join(read) == "学生在写作业。"
    assert any(len(word) > 1 for word in read), "this tokenizer knows 学生 as one"
    np.testing.assert_allclose(whole(shown), 1.0, atol=1e-6)


def test_pieces_of_a_real_tokenizer_come_together() -> None:
    read = encode(wordpiece(), "Die Fledermaus flog").tokens
    shown = AttentionMap.of(rows(len(read), len(read)), read, read).by_word()
    assert [item.text for item in shown.key_tokens] == ["[CLS]", "Die", "Fledermaus", "flog", "[SEP]"]
    np.testing.assert_allclose(shown.weights.sum(axis=1), 1.0, atol=1e-6)


# ---------------------------------------------------------------------------------------------------------------------
# Hiding


def test_hiding_leaves_out_rows_and_columns_and_says_what_went_with_them() -> None:
    shown = cross().hide(is_special)
    assert shown.query_tokens == TARGET[1:] and shown.key_tokens == SOURCE[:-1]
    np.testing.assert_allclose(shown.weights, cross().weights[1:, :-1])
    np.testing.assert_allclose(shown.hidden_mass, cross().weights[1:, -1], atol=1e-6)
    np.testing.assert_allclose(whole(shown), 1.0, atol=1e-6)
    assert not shown.renormalised


def test_hiding_takes_a_predicate_tokens_or_ids() -> None:
    by_predicate = cross().hide(is_point)
    chosen = [item for item in (*SOURCE, *TARGET) if is_point(item)]
    assert len(chosen) == 3
    same(by_predicate, cross().hide(chosen))
    # "bat" is TARGET[3] with the id 13, which in SOURCE is "flog": ids hide on both axes.
    assert SOURCE[3].id == TARGET[3].id == 13
    same(cross().hide([13]), cross().hide([SOURCE[3], TARGET[3]]))


def test_hiding_nothing_and_hiding_everything() -> None:
    same(cross().hide([]), cross())
    nothing = cross().hide(lambda item: True)
    assert nothing.weights.shape == (0, 0) and nothing.hidden_mass.shape == (0,)
    assert nothing.by_word().weights.shape == (0, 0)
    keys_gone = cross().hide(lambda item: item in SOURCE, renormalise=True)
    assert keys_gone.weights.shape == (7, 0)
    np.testing.assert_allclose(keys_gone.hidden_mass, 1.0, atol=1e-6)


def test_hiding_twice_is_hiding_both_at_once() -> None:
    def both(item: Token) -> bool:
        return is_special(item) or is_point(item)

    same(cross().hide(is_special).hide(is_point), cross().hide(both))
    at_once = cross().hide(both, renormalise=True)
    same(cross().hide(is_special, renormalise=True).hide(is_point, renormalise=True), at_once)
    same(cross().hide(is_special).hide(is_point, renormalise=True), at_once)
    same(cross().hide(is_special, renormalise=True).hide(is_point), at_once)


def test_renormalised_rows_sum_to_one_and_still_say_what_is_hidden() -> None:
    plain, divided = cross().hide(is_special), cross().hide(is_special, renormalise=True)
    np.testing.assert_allclose(divided.weights.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_array_equal(divided.hidden_mass, plain.hidden_mass)
    np.testing.assert_allclose(divided.weights * (1 - divided.hidden_mass)[:, None], plain.weights, atol=1e-6)
    assert divided.renormalised


def test_words_and_hiding_commute() -> None:
    same(cross().by_word().hide(is_special), cross().hide(is_special).by_word())
    same(
        cross().by_word().hide(is_special, renormalise=True),
        cross().hide(is_special, renormalise=True).by_word(),
    )
    # The share hidden of a row that was divided before is a share of the whole row, also after words were put together.
    points_last = cross().hide(is_special, renormalise=True).by_word().hide(is_point, renormalise=True)
    same(points_last, cross().hide(lambda item: is_special(item) or is_point(item), renormalise=True).by_word())


def test_words_after_hiding_some_of_their_pieces() -> None:
    shown = cross().hide(lambda item: item.text in ("maus", "re")).by_word()
    assert [item.text for item in shown.key_tokens][:2] == ["Flederes", "flog"]
    np.testing.assert_allclose(shown.weights[1, 0], cross().weights[1, [0, 2]].sum(), atol=1e-6)
    np.testing.assert_allclose(whole(shown), 1.0, atol=1e-6)


def test_a_row_that_looks_only_at_what_is_hidden_stays_zero() -> None:
    weights = np.array([[1.0, 0.0, 0.0], [0.5, 0.25, 0.25]])
    some = AttentionMap.of(weights, tokens("a", "b"), tokens("</s>", "x", "y")).hide(is_special, renormalise=True)
    np.testing.assert_array_equal(some.weights, [[0.0, 0.0], [0.5, 0.5]])
    np.testing.assert_array_equal(some.hidden_mass, [1.0, 0.5])
    np.testing.assert_array_equal(some.by_word().weights, some.weights)


def test_a_row_of_which_next_to_nothing_is_left_is_not_lost_by_a_second_step() -> None:
    weights = np.array([[1 - 4e-9, 1e-9, 3e-9, 0.0]])
    once = AttentionMap.of(weights, tokens("a"), tokens("</s>", "x", "y", "z")).hide(is_special, renormalise=True)
    np.testing.assert_allclose(once.weights, [[0.25, 0.75, 0.0]], atol=1e-6)
    np.testing.assert_allclose(once.by_word().weights, once.weights, atol=1e-6)
    twice = once.hide(lambda item: item.text == "z", renormalise=True)
    np.testing.assert_allclose(twice.weights, [[0.25, 0.75]], atol=1e-6)


def test_what_a_sink_took_is_hidden_from_the_start() -> None:
    taken = np.linspace(0.0, 0.6, len(TARGET))
    weights = rows(len(TARGET), len(SOURCE)) * (1 - taken)[:, None]
    with_sink = AttentionMap.of(weights, TARGET, SOURCE, hidden_mass=taken)
    for shown in (with_sink, with_sink.by_word(), with_sink.hide(is_special), with_sink.by_word().hide(is_special)):
        np.testing.assert_allclose(whole(shown), 1.0, atol=1e-6)
    means = [taken[0], taken[1:3].mean(), taken[3], taken[4:].mean()]
    np.testing.assert_allclose(with_sink.by_word().hidden_mass, means, atol=1e-6)
    divided = with_sink.hide([], renormalise=True)
    np.testing.assert_allclose(divided.weights.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(divided.hidden_mass, taken, atol=1e-6)


def test_a_map_is_not_changed_by_what_is_made_of_it() -> None:
    shown = cross()
    before = shown.weights.copy()
    shown.by_word()
    shown.hide(is_special, renormalise=True)
    np.testing.assert_array_equal(shown.weights, before)
    assert not shown.hidden_mass.any() and shown.query_tokens == TARGET


# ---------------------------------------------------------------------------------------------------------------------
# Names, and several rows as one


@pytest.mark.parametrize(
    ("layer", "head", "aggregate", "name"),
    [
        (2, 5, "", "L2 H5"),
        (2, None, "mean", "L2 mean"),
        (2, None, "max", "L2 max"),
        (None, 5, "L0–3 mean", "L0–3 mean H5"),
        (None, None, "L0–3 max", "L0–3 max"),
        (3, None, "rollout", "rollout L3"),
    ],
)
def test_a_name_says_what_is_one_and_what_was_put_together(
    layer: int | None, head: int | None, aggregate: str, name: str
) -> None:
    shown = AttentionMap.of(rows(7, 8), TARGET, SOURCE, layer=layer, head=head, aggregate=aggregate)
    assert shown.name == name
    for made in (shown.by_word(), shown.hide(is_special, renormalise=True), shown.average_queries([1, 4])):
        assert (made.name, made.layer, made.head, made.aggregate) == (name, layer, head, aggregate)


def test_several_rows_are_averaged_and_named() -> None:
    taken = np.linspace(0.0, 0.6, len(TARGET)).astype(np.float32)
    weights = rows(len(TARGET), len(SOURCE)) * (1 - taken)[:, None]
    shown = AttentionMap.of(weights, TARGET, SOURCE, hidden_mass=taken, kind="cross", layer=2, head=5, model="m")
    mean = shown.average_queries([5, 1, 4, 1])
    assert mean.query_labels == ("The + fl + ew",) and mean.key_tokens == SOURCE
    assert mean.weights.dtype == mean.hidden_mass.dtype == np.float32
    np.testing.assert_allclose(mean.weights, weights[[1, 4, 5]].mean(axis=0, keepdims=True), atol=1e-6)
    np.testing.assert_allclose(mean.hidden_mass, [taken[[1, 4, 5]].mean()], atol=1e-6)
    np.testing.assert_allclose(whole(mean), 1.0, atol=1e-6)
    assert (mean.kind, mean.name, mean.model) == ("cross", "L2 H5", "m")


def test_the_mean_of_all_pieces_of_a_word_is_the_word() -> None:
    mean = cross().by_word().average_queries([3])
    np.testing.assert_allclose(mean.weights, cross().average_queries([4, 5, 6]).by_word().weights, atol=1e-6)
    assert mean.query_labels == ("flew!",)


def test_a_chosen_row_keeps_the_number_that_tells_it_from_its_like() -> None:
    twice = tokens("the", "cat", "the")
    assert AttentionMap.of(rows(3, 3), twice, twice).average_queries([0, 2]).query_labels == ("the + the₂",)
    assert AttentionMap.of(rows(3, 3), twice, twice).average_queries([2]).query_labels == ("the₂",)


def test_an_averaged_row_of_a_renormalised_map_is_whole_again() -> None:
    divided = cross().hide(is_special, renormalise=True).average_queries([1, 3])
    plain = cross().hide(is_special).average_queries([1, 3])
    np.testing.assert_allclose(divided.weights.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(divided.weights, plain.weights / plain.weights.sum(), atol=1e-6)
    np.testing.assert_allclose(divided.hidden_mass, plain.hidden_mass, atol=1e-6)
    same(divided, cross().average_queries([2, 4]).hide(is_special, renormalise=True))


def test_only_an_average_of_special_tokens_is_hidden_with_them() -> None:
    assert cross().average_queries([0]).hide(is_special).weights.shape == (0, 7)
    assert cross().average_queries([0, 1]).hide(is_special).weights.shape == (1, 7)


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        ([], "This map has the rows 0 to 6, and none was chosen. Choose one or more"),
        ([2, 7, -1], "This map has the rows 0 to 6, not -1, 7."),
    ],
)
def test_rows_that_are_not_there_are_refused(chosen: list[int], text: str) -> None:
    with pytest.raises(AttnvizError, match=text):
        cross().average_queries(chosen)


def test_a_map_without_rows_has_none_to_average() -> None:
    with pytest.raises(AttnvizError, match="This map has no rows, not 0"):
        cross().hide(lambda item: True).average_queries([0])


# ---------------------------------------------------------------------------------------------------------------------
# Maxima, whose rows may add up to more than 1


def largest() -> AttentionMap:
    weights = np.maximum(rows(len(TARGET), len(SOURCE), 0), rows(len(TARGET), len(SOURCE), 1))
    return AttentionMap.of(weights, TARGET, SOURCE, layer=2, head=None, aggregate="max")


def test_a_word_in_a_maximum_gets_the_largest_weight_between_any_of_its_pieces() -> None:
    shown = largest().by_word()
    weights = largest().weights
    assert shown.weights.max() <= 1.0
    assert shown.weights[1, 0] == weights[1:3, 0:3].max()
    assert shown.weights[3, 2] == weights[4:7, 4:6].max()
    np.testing.assert_array_equal(shown.hide(is_special).weights, largest().hide(is_special).by_word().weights)


def test_the_share_hidden_of_a_maximum_is_one_of_its_whole_row() -> None:
    weights = largest().weights
    some = largest().hide(is_special)
    np.testing.assert_allclose(some.hidden_mass, weights[1:, -1] / weights[1:].sum(axis=1), atol=1e-6)
    np.testing.assert_array_equal(some.weights, weights[1:, :-1])
    both = some.hide(is_point)
    np.testing.assert_allclose(
        both.hidden_mass, largest().hide(lambda item: is_special(item) or is_point(item)).hidden_mass, atol=1e-6
    )
    np.testing.assert_allclose(some.hide([], renormalise=True).weights.sum(axis=1), 1.0, atol=1e-6)
