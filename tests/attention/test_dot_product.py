"""The mechanism as pure functions, against numbers worked out by hand and closed forms."""

from __future__ import annotations

import doctest
import importlib
import math
from typing import Any

import pytest
import torch
from support.tiny_tokenizers import gpt2
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from attnviz.attention import dot_product

NEVER = -torch.inf


def close(actual: torch.Tensor, expected: Any, atol: float = 1e-6) -> None:
    torch.testing.assert_close(actual, torch.as_tensor(expected, dtype=actual.dtype), atol=atol, rtol=0.0)


# ---------------------------------------------------------------------------------------------------------------------
# Examples worked out by hand

QUERY = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
KEY = torch.tensor([[2.0, 0.0], [0.0, 1.0], [1.0, 1.0]])


def test_scores_are_products_divided_by_the_root_of_the_head_dim() -> None:
    root = math.sqrt(2)
    close(dot_product.scores(QUERY, KEY), [[2 / root, 2 / root, 3 / root], [6 / root, -1 / root, 2 / root]])


def test_a_given_scale_takes_the_place_of_the_root() -> None:
    close(dot_product.scores(QUERY, KEY, scale=0.5), [[1.0, 1.0, 1.5], [3.0, -0.5, 1.0]])
    close(dot_product.scores(QUERY, KEY, scale=0.0), torch.zeros(2, 3))


def test_weights_are_softmax_over_the_keys_of_each_query() -> None:
    # Scores ln 1, ln 2, ln 5 give shares 1/8, 2/8, 5/8.
    scores = torch.tensor([[1.0, 2.0, 5.0], [3.0, 3.0, 2.0]]).log()
    close(dot_product.weights(scores), [[0.125, 0.25, 0.625], [0.375, 0.375, 0.25]])


def test_output_is_the_weighted_sum_of_the_values() -> None:
    weights = torch.tensor([[0.125, 0.25, 0.625], [0.5, 0.5, 0.0]])
    value = torch.tensor([[8.0, 0.0, 1.0, 0.0], [0.0, 4.0, 1.0, 0.0], [0.0, 8.0, 1.0, 16.0]])
    close(dot_product.output(weights, value), [[1.0, 6.0, 1.0, 10.0], [4.0, 2.0, 1.0, 0.0]])


def test_your_journey_starts_with_one_step() -> None:
    """Attention of a word's vector to those of its sentence, without learned projections."""
    vectors = torch.tensor(
        [
            [0.43, 0.15, 0.89],  # Your
            [0.55, 0.87, 0.66],  # journey
            [0.57, 0.85, 0.64],  # starts
            [0.22, 0.58, 0.33],  # with
            [0.77, 0.25, 0.10],  # one
            [0.05, 0.80, 0.55],  # step
        ]
    )
    scores = dot_product.scores(vectors, vectors, scale=1.0)
    weights = dot_product.weights(scores)
    context = dot_product.output(weights, vectors)
    half = 0.5e-4  # four digits
    close(scores[1], [0.9544, 1.4950, 1.4754, 0.8434, 0.7070, 1.0865], atol=half)
    close(weights[1], [0.1385, 0.2379, 0.2333, 0.1240, 0.1082, 0.1581], atol=half)
    close(context[1], [0.4419, 0.6515, 0.5683], atol=half)


# ---------------------------------------------------------------------------------------------------------------------
# What changes the scores


def test_a_soft_cap_squeezes_scaled_scores_before_the_bias() -> None:
    bias = torch.tensor([[10.0, 0.0, -10.0]])
    plain = dot_product.scores(QUERY, KEY, scale=20.0)
    capped = dot_product.scores(QUERY, KEY, scale=20.0, softcap=5.0)
    close(capped, 5.0 * torch.tanh(plain / 5.0))
    assert float(capped.abs().max()) <= 5.0 < float(plain.abs().max())
    close(dot_product.scores(QUERY, KEY, scale=20.0, softcap=5.0, bias=bias), capped + bias)


def test_a_bias_is_added_after_scaling() -> None:
    bias = torch.tensor([[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])
    close(dot_product.scores(QUERY, KEY, scale=0.5, bias=bias), [[1.0, 2.0, 3.5], [6.0, 3.5, 6.0]])


def test_a_bias_of_its_own_for_each_head_is_broadcast() -> None:
    heads, queries, keys, head_dim = 5, 3, 7, 2
    query, key = torch.randn(heads, queries, head_dim), torch.randn(heads, keys, head_dim)
    bias = torch.randn(heads, 1, keys)
    result = dot_product.scores(query, key, bias=bias)
    assert result.shape == (heads, queries, keys)
    for head in range(heads):
        close(result[head], dot_product.scores(query[head], key[head], bias=bias[head]))


def test_what_may_not_be_seen_scores_minus_infinity_and_weighs_nothing() -> None:
    allowed = torch.tensor([[True, False, True], [False, True, False]])
    scores = dot_product.scores(QUERY, KEY, scale=0.5, allowed=allowed)
    close(scores, [[1.0, NEVER, 1.5], [NEVER, -0.5, NEVER]])
    weights = dot_product.weights(scores)
    share = 1 / (1 + math.exp(0.5))
    close(weights, [[share, 0.0, 1 - share], [0.0, 1.0, 0.0]])
    assert not weights[~allowed].any()


def test_a_row_that_may_see_nothing_is_zero_and_no_number_is_missing() -> None:
    scores = torch.tensor([[NEVER, NEVER, NEVER], [0.0, NEVER, 0.0]])
    close(dot_product.weights(scores), [[0.0, 0.0, 0.0], [0.5, 0.0, 0.5]])
    close(dot_product.weights(scores, sink=torch.tensor(0.0)), [[0.0, 0.0, 0.0], [1 / 3, 0.0, 1 / 3]])


def test_a_sink_takes_its_share_of_every_row() -> None:
    # Two heads: a sink of ln 2 beside ln 1 + ln 5 takes 2/8; one of minus infinity takes nothing.
    scores = torch.tensor([1.0, 5.0]).log().expand(2, 3, 2)
    weights = dot_product.weights(scores, sink=torch.tensor([math.log(2.0), NEVER]))
    close(weights[0], [[0.125, 0.625]] * 3)
    close(weights[1], [[1 / 6, 5 / 6]] * 3)


def test_a_sink_is_a_key_whose_value_nobody_adds() -> None:
    heads, queries, keys = 3, 5, 7
    scores, sink = torch.randn(heads, queries, keys), torch.randn(heads)
    with_key = torch.cat([scores, sink[:, None, None].expand(heads, queries, 1)], dim=-1).softmax(dim=-1)
    close(dot_product.weights(scores, sink=sink), with_key[..., :-1])


@pytest.mark.parametrize("offset", [1e4, -1e4])
def test_high_and_low_scores_lose_no_digit(offset: float) -> None:
    scores = torch.tensor([[1.0, 2.0, 5.0]], dtype=torch.float64).log() + offset
    close(dot_product.weights(scores), [[0.125, 0.25, 0.625]], atol=1e-10)
    sink = torch.tensor(offset, dtype=torch.float64)
    close(dot_product.weights(scores, sink=sink), [[1 / 9, 2 / 9, 5 / 9]], atol=1e-10)
    steep = dot_product.weights(torch.tensor([[1e4, -1e4, 1e4]]))
    close(steep, [[0.5, 0.0, 0.5]], atol=0.0)
    far = dot_product.weights(torch.tensor([[-1e4, -2e4]]), sink=torch.tensor(1e4))
    close(far, [[0.0, 0.0]], atol=0.0)


def test_all_leading_axes_are_kept() -> None:
    batch, heads, queries, keys, head_dim, value_dim = 2, 3, 5, 7, 11, 13
    query, key = torch.randn(batch, heads, queries, head_dim), torch.randn(batch, heads, keys, head_dim)
    value = torch.randn(batch, heads, keys, value_dim)
    weights = dot_product.weights(dot_product.scores(query, key))
    assert weights.shape == (batch, heads, queries, keys)
    close(weights.sum(dim=-1), torch.ones(batch, heads, queries), atol=1e-5)
    expected = torch.nn.functional.scaled_dot_product_attention(query, key, value)
    close(dot_product.output(weights, value), expected, atol=1e-5)


# ---------------------------------------------------------------------------------------------------------------------
# The examples in the engine's documentation


def bert_tokenizer() -> PreTrainedTokenizerFast:
    """With the ids of bert-base-uncased for the few pieces that the examples name."""
    vocabulary = {"[UNK]": 100, "[CLS]": 101, "[SEP]": 102, "world": 2088, "hello": 7592}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    around = [("[CLS]", 101), ("[SEP]", 102)]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=around)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]")


@pytest.mark.parametrize(
    "name",
    [
        "attention.dot_product",
        "attention.blockwise",
        "attention.attention_map",
        "attention.pooled_maps",
        "tokenization.tokenizer",
    ],
)
def test_the_examples_in_the_documentation_are_true(name: str) -> None:
    module = importlib.import_module(f"attnviz.{name}")
    names = dict(vars(module))
    if name == "tokenization.tokenizer":
        names |= {"gpt2_tokenizer": gpt2(), "bert_tokenizer": bert_tokenizer()}
    said: list[str] = []
    runner, count = doctest.DocTestRunner(verbose=False), 0
    for example in doctest.DocTestFinder(exclude_empty=True).find(module, module.__name__, globs=names):
        count += len(example.examples)
        runner.run(example, out=said.append)
    assert count >= 1
    assert not said, "".join(said)


@pytest.mark.parametrize(
    ("dtype", "rounding"), [(torch.float64, 1e-3), (torch.float32, 1e-3), (torch.bfloat16, 3e-2), (torch.float16, 3e-2)]
)
def test_what_a_row_lacks_is_hidden_where_it_is_more_than_rounding(dtype: torch.dtype, rounding: float) -> None:
    assert dot_product.rounding(dtype) == rounding
    rows = torch.tensor([[0.5, 0.5], [0.5, 0.5 - 0.9 * rounding], [0.5, 0.5 - 1.1 * rounding], [0.5, 0.6], [0.0, 0.0]])
    close(dot_product.hidden_share(rows, rounding), [0.0, 0.0, 1.1 * rounding, 0.0, 1.0])
    # What was computed here is exact enough for a sink's smallest shares.
    close(dot_product.hidden_share(torch.tensor([[0.5, 0.4999]]))[0], torch.tensor(1e-4), atol=1e-6)
    many = torch.randn(4, 100_000, generator=torch.Generator().manual_seed(0))
    assert not dot_product.hidden_share(dot_product.weights(3 * many)).any()
