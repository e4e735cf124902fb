"""Attention by hand, without a page: the numbers against those of the sentence that many know, against PyTorch's own
modules, and against the program that is handed out."""

from __future__ import annotations

import contextlib
import csv
import doctest
import importlib
import io
import math
from typing import Any

import numpy as np
import pytest
import torch

from attnviz.attention.by_hand import word_vectors, worked_example
from attnviz.attention.by_hand.pytorch_code import code, to_csv
from attnviz.attention.by_hand.word_vectors import EXAMPLE, Problem, WordVectors, from_text, read, to_text
from attnviz.attention.by_hand.worked_example import Settings, Working, two_softmaxes, work
from attnviz.errors import InputError

HALF = 0.5e-4  # four digits
JOURNEY = 1
SCORES = [0.9544, 1.4950, 1.4754, 0.8434, 0.7070, 1.0865]
WEIGHTS = [0.1385, 0.2379, 0.2333, 0.1240, 0.1082, 0.1581]
CONTEXT = [0.4419, 0.6515, 0.5683]

FIVE = WordVectors(
    ("a", "b\u2028x", "“quoted” # \\", "学生", "-"),
    ((1.0, -2.0, 0.125), (0.0, 0.5, 3.0), (1e-3, 2.0, -0.25), (0.1, 0.2, 0.3), (-1.5, 0.0, 0.75)),
)
EVERYTHING = Settings(
    matrices=True, seed=7, d_out=6, heads=3, projection=True, scaled=True, causal=True, dropout=0.3, dropout_seed=11,
    edits={("q", 2, 5): -0.5, ("o", 5, 0): 0.1},
)  # fmt: skip


# The simplest one ---------------------------------------------------------------------------------------------------


def test_every_number_of_the_sentence_is_there_to_four_digits() -> None:
    working = work(EXAMPLE)
    np.testing.assert_allclose(working.scores[0, JOURNEY], SCORES, atol=HALF)
    np.testing.assert_allclose(working.weights[0, JOURNEY], WEIGHTS, atol=HALF)
    np.testing.assert_allclose(working.context[0, JOURNEY], CONTEXT, atol=HALF)
    np.testing.assert_allclose(working.joined[JOURNEY], CONTEXT, atol=HALF)
    assert working.weights.shape == (1, 6, 6) and working.context.shape == (1, 6, 3)
    assert working.output is None and working.keep.all() and not working.drawn


def test_without_matrices_a_vector_is_query_key_and_value() -> None:
    working = work(FIVE)
    for part in (working.q, working.k, working.v):
        np.testing.assert_array_equal(part[0], working.x)
    np.testing.assert_allclose(working.products[0], working.x @ working.x.T, atol=1e-5)


def test_one_word_looks_at_itself() -> None:
    working = work(WordVectors(("alone",), ((1.0, 2.0, 3.0),)))
    assert working.weights.tolist() == [[[1.0]]] and working.joined.tolist() == [[1.0, 2.0, 3.0]]


def test_a_table_without_words_says_what_is_needed() -> None:
    with pytest.raises(InputError, match="no word to compute with: fill in a row"):
        work(WordVectors((), ()))


# What can be switched on --------------------------------------------------------------------------------------------


def test_the_matrices_are_those_of_the_seed() -> None:
    torch.manual_seed(123)
    expected = [torch.rand(3, 2).numpy() for _ in range(3)]
    before = torch.get_rng_state()
    working = work(EXAMPLE, Settings(matrices=True, scaled=True))
    assert torch.equal(torch.get_rng_state(), before)  # nobody else's numbers change
    for letter, matrix in zip("qkv", expected, strict=True):
        np.testing.assert_array_equal(working.projections[letter], matrix)
    np.testing.assert_allclose(working.q[0, JOURNEY], [0.4306, 1.4551], atol=HALF)
    np.testing.assert_allclose(working.weights[0, JOURNEY], [0.1500, 0.2264, 0.2199, 0.1311, 0.0906, 0.1820], atol=HALF)
    np.testing.assert_allclose(working.context[0, JOURNEY], [0.3061, 0.8210], atol=HALF)


def test_scores_are_divided_by_the_root_of_the_numbers_of_a_head() -> None:
    plain = work(FIVE, Settings(matrices=True, d_out=6, heads=2))
    scaled = work(FIVE, Settings(matrices=True, d_out=6, heads=2, scaled=True))
    np.testing.assert_allclose(scaled.scores, plain.products / math.sqrt(3), rtol=1e-5)
    np.testing.assert_array_equal(plain.scores, plain.products)
    np.testing.assert_allclose(work(FIVE, Settings(scaled=True)).scores, work(FIVE).scores / math.sqrt(3), rtol=1e-5)


def test_a_causal_mask_hides_what_comes_later() -> None:
    working = work(EXAMPLE, Settings(causal=True))
    later = np.triu(np.ones((6, 6), dtype=bool), 1)
    assert (working.scores[0][later] == -np.inf).all() and np.isfinite(working.scores[0][~later]).all()
    assert not working.weights[0][later].any()
    np.testing.assert_allclose(working.weights.sum(axis=-1), 1, atol=1e-6)
    np.testing.assert_allclose(working.context[0, 0], EXAMPLE.vectors[0], atol=1e-6)


def test_dropout_leaves_some_weights_and_divides_them() -> None:
    settings = Settings(dropout=0.3, dropout_seed=4)
    working = work(EXAMPLE, settings)
    assert 0 < working.keep.sum() < 36
    np.testing.assert_allclose(working.weights, working.softmax * working.keep / 0.7, rtol=1e-6)
    np.testing.assert_allclose(working.context[0], working.weights[0] @ working.x, atol=1e-6)
    np.testing.assert_array_equal(work(EXAMPLE, settings).keep, working.keep)
    assert (work(EXAMPLE, Settings(dropout=0.3, dropout_seed=5)).keep != working.keep).any()
    share = worked_example.dropout_mask((400, 400), settings).float().mean()
    assert float(share) == pytest.approx(0.7, abs=0.01)


def test_several_heads_are_those_of_pytorch() -> None:
    settings = Settings(matrices=True, seed=3, d_out=6, heads=3, projection=True, scaled=True, causal=True)
    working = work(FIVE, settings)
    matrices = {letter: torch.tensor(matrix) for letter, matrix in working.projections.items()}
    x = torch.tensor(working.x)
    q, k, v = ((x @ matrices[letter]).view(5, 3, 2).transpose(0, 1) for letter in "qkv")
    expected = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(0, 1).reshape(5, 6)
    np.testing.assert_allclose(working.joined, expected, atol=1e-5)
    assert working.output is not None
    np.testing.assert_allclose(working.output, expected @ matrices["o"], atol=1e-5)


def test_an_edited_entry_takes_the_place_of_the_drawn_one() -> None:
    working = work(EXAMPLE, EVERYTHING)
    assert working.projections["q"][2, 5] == -0.5 and working.drawn["q"][2, 5] != -0.5
    assert working.projections["o"][5, 0] == pytest.approx(0.1)
    assert (working.projections["q"] != working.drawn["q"]).sum() == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"matrices": True, "d_out": 9}, "1 to 8 columns, not 9"),
        ({"matrices": True, "d_out": 6, "heads": 4}, "6 columns cannot be shared evenly by 4 heads"),
        ({"dropout": 1.0}, "from 0 to below 1, not 1.0"),
    ],
)
def test_settings_that_cannot_be_are_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Settings(**options)


@pytest.mark.parametrize("place", [("q", 3, 0), ("k", 0, 2), ("o", 0, 0)])
def test_an_entry_outside_of_its_matrix_is_refused(place: tuple[str, int, int]) -> None:
    with pytest.raises(InputError, match=f"W_{place[0]} has no entry in row {place[1]}, column {place[2]}"):
        work(EXAMPLE, Settings(matrices=True, edits={place: 1.0}))


# Softmax ------------------------------------------------------------------------------------------------------------


def test_both_softmaxes_agree_while_they_can() -> None:
    both = two_softmaxes(np.array(SCORES))
    np.testing.assert_allclose(both.naive, WEIGHTS, atol=1e-4)
    np.testing.assert_allclose(both.weights, both.naive, rtol=1e-5)
    assert both.highest == pytest.approx(1.4950) and both.shifted.max() == 0 and both.powers.max() == 1
    assert both.naive_sum == pytest.approx(np.exp(SCORES).sum(), rel=1e-5) and not both.overflows


def test_the_naive_softmax_overflows_and_the_stable_one_does_not() -> None:
    assert not two_softmaxes(np.array([88.0, 0.0])).overflows
    both = two_softmaxes(np.array([1000.0, 999.0, 3.0, -np.inf]))
    assert both.overflows and both.naive_powers[0] == np.inf and both.naive_sum == np.inf
    assert np.isnan(both.naive[:2]).all() and both.naive[2:].tolist() == [0, 0]
    np.testing.assert_allclose(both.weights, [1 / (1 + math.exp(-1)), 1 / (1 + math.e), 0, 0], atol=1e-6)


# As a program -------------------------------------------------------------------------------------------------------


def ran(program: str) -> tuple[dict[str, Any], str]:
    """What a program leaves and prints when it is pasted into a fresh Python."""
    names: dict[str, Any] = {}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(program, names)
    return names, printed.getvalue()


@pytest.mark.parametrize("table", [EXAMPLE, FIVE], ids=["six words", "five others"])
@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(scaled=True),
        Settings(causal=True),
        Settings(dropout=0.5, dropout_seed=3),
        Settings(matrices=True),
        Settings(matrices=True, scaled=True, d_out=5, seed=9999),
        Settings(matrices=True, scaled=True, d_out=8, heads=4, causal=True),
        Settings(matrices=True, scaled=True, d_out=4, heads=4, projection=True),
        Settings(matrices=True, d_out=1, projection=True, dropout=0.9, edits={("v", 0, 0): -2.0}),
        EVERYTHING,
    ],
    ids=lambda settings: "-".join(
        f"{name}{value}" for name, value in vars(settings).items() if value not in (False, {}) and name != "edits"
    ),
)
def test_the_program_gives_the_same_numbers(table: WordVectors, settings: Settings) -> None:
    working = work(table, settings)
    names, printed = ran(code(table, settings, JOURNEY, working))

    def same(actual: torch.Tensor, expected: np.ndarray) -> None:
        np.testing.assert_allclose(actual.reshape(expected.shape), expected, atol=1e-5, rtol=1e-5)

    same(names["scores"], working.scores)
    same(names["weights"], working.weights)
    same(names["context"], working.joined)
    if working.output is None:
        assert "output" not in names
    else:
        same(names["output"], working.output)
    assert printed.startswith("tensor([")


def test_the_program_is_as_short_as_the_settings_allow() -> None:
    program = code(EXAMPLE, Settings(), JOURNEY, work(EXAMPLE))
    assert program.endswith("print(context[1])  # journey: 0.4419, 0.6515, 0.5683\n")
    for absent in ("W_q", "masked_fill", "keep", "heads", "** 0.5", "seed"):
        assert absent not in program
    assert "tensor([0.4419, 0.6515, 0.5683])" in ran(program)[1]


def test_words_cannot_leave_their_comment() -> None:
    table = WordVectors(("a\u2028b\u202ec", "\x1c"), ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)))
    program = code(table, Settings(), 0, work(table))
    assert "\u2028" not in program and "\u202e" not in program and "\x1c" not in program
    assert ran(program)[0]["x"].shape == (2, 3)


# As a file ----------------------------------------------------------------------------------------------------------


def rows_of(table: WordVectors, settings: Settings, working: Working) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(table, settings, working))))


def test_the_file_has_every_number() -> None:
    working = work(EXAMPLE, EVERYTHING)
    rows = rows_of(EXAMPLE, EVERYTHING, working)
    names = ("x", "W_q", "W_k", "W_v", "W_o", "q", "k", "v", "q·k", "score", "softmax", "weight", "context", "output")
    assert list(dict.fromkeys(row["quantity"] for row in rows)) == list(names)
    weights = {
        (row["head"], row["row"], row["column"]): float(row["value"]) for row in rows if row["quantity"] == "weight"
    }
    assert len(weights) == 3 * 36
    for (head, query, key), value in weights.items():
        place = int(head), EXAMPLE.words.index(query), EXAMPLE.words.index(key)
        assert np.float32(value) == working.weights[place]


def test_the_file_of_the_simplest_one_has_what_there_is() -> None:
    rows = rows_of(EXAMPLE, Settings(), work(EXAMPLE))
    assert list(dict.fromkeys(row["quantity"] for row in rows)) == ["x", "q·k", "softmax", "context"]
    scores = [float(row["value"]) for row in rows if row["quantity"] == "q·k" and row["row"] == "journey"]
    np.testing.assert_allclose(scores, SCORES, atol=HALF)


def test_a_word_in_the_file_is_never_a_formula() -> None:
    table = WordVectors(("=1+1", "-"), ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)))
    assert {row["row"] for row in rows_of(table, Settings(), work(table))} == {"'=1+1", "'-"}


# The table ----------------------------------------------------------------------------------------------------------


def test_what_is_typed_is_read_with_a_point_a_comma_and_a_true_minus() -> None:
    table, problems = read([(" new  word ", "0,5", "−1.25", 2), (None, None, None, None), ("", "", float("nan"), " ")])
    assert not problems
    assert table == WordVectors(("new word",), ((0.5, -1.25, 2.0),))


def test_what_cannot_be_read_is_said_and_the_rest_is_used() -> None:
    rows = [
        ("a", "1", "2", "3"),
        ("", "1", "2", "3"),
        ("b", "x", "", "1e9"),
        ("c", "inf", "1_0", "nan"),
        ("d", 1, 2, 3),
    ]
    table, problems = read(rows)
    assert table.words == ("a", "d")
    assert problems == [
        Problem(2, "word"),
        Problem(3, "number", "x", 1),
        Problem(3, "number", "", 2),
        Problem(3, "large", "1e9", 3),
        Problem(4, "number", "inf", 1),
        Problem(4, "number", "1_0", 2),
        Problem(4, "number", "nan", 3),
    ]


def test_more_rows_than_there_is_room_for_are_said() -> None:
    table, problems = read([(f"w{row}", 1, 2, 3) for row in range(20)])
    assert len(table) == word_vectors.MOST_WORDS == 16
    assert problems == [Problem(17, "rows", "20")]


@pytest.mark.parametrize("table", [EXAMPLE, FIVE, WordVectors(("50 %; x; %3B", "two words"), ((1e-7, 2, 3),) * 2)])
def test_a_table_comes_back_from_its_text(table: WordVectors) -> None:
    words = tuple(" ".join(word.split()) for word in table.words)
    assert from_text(to_text(table)) == WordVectors(words, table.vectors)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no row"),
        (" ; ;", "no row"),
        ("Your 0.43 0.15", "A row is a word and 3 numbers; “Your 0.43 0.15” is not"),
        ("Your 0.43 0.15 abc", "Row 1 cannot be used: “Your 0.43 0.15 abc”"),
        ("a 1 2 3; b 1 2 1e9", "Row 2 cannot be used"),
        ("; ".join(["a 1 2 3"] * 17), "17 rows are more than the 16"),
        ("x" * 10_000, "“x+…”"),
    ],
)
def test_a_damaged_text_says_what_is_wrong(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        from_text(text)


def test_words_that_are_alike_have_names_that_are_not() -> None:
    assert WordVectors(("the", "the", "cat"), ((0.0, 0.0, 0.0),) * 3).labels == ("the", "the₂", "cat")


@pytest.mark.parametrize(
    "name",
    ["attention.by_hand.worked_example", "attention.by_hand.word_vectors", "ui.components.numbers.number_tables"],
)
def test_the_examples_in_the_documentation_are_true(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(f"attnviz.{name}"))
    assert tried and not failed
