"""Each intervention alone, against its definition in closed form."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from support import tiny_models as tiny
from support.recordings import model

from attnviz.errors import InputError
from attnviz.interventions import Ablate, Dropout, Hashing, Heads, Mask, Replace, Temperature, TopK

WHERE = Heads("encoder")


def visible(mask: Mask, queries: int = 5, keys: int = 7) -> list[list[int]]:
    """The keys that each query sees."""
    rows = mask.visible(torch.arange(queries), torch.arange(keys))
    return [row.nonzero().flatten().tolist() for row in rows]


def test_masks_hide_what_their_pattern_says() -> None:
    assert visible(Mask.window(WHERE, 1)) == [[0, 1], [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5]]
    assert visible(Mask.window(WHERE, 0), 2, 3) == [[0], [1]]
    assert visible(Mask.causal(WHERE), 3, 3) == [[0], [0, 1], [0, 1, 2]]
    assert visible(Mask.without(WHERE, [2, 0]), 2, 4) == [[1, 3], [1, 3]]
    assert visible(Mask.edge(WHERE, query=1, key=0), 2, 2) == [[0, 1], [1]]
    assert visible(Mask.strided(WHERE, 1, 3)) == [
        [0, 1, 3, 6], [0, 1, 2, 4], [1, 2, 3, 5], [0, 2, 3, 4, 6], [1, 3, 4, 5],
    ]  # fmt: skip


def test_hashing_lets_only_vectors_of_like_direction_meet() -> None:
    hashing = Hashing(WHERE, buckets=8, rounds=3, seed=4)
    vectors = torch.randn(5, 11, generator=torch.Generator().manual_seed(0))
    buckets = hashing.bucket(vectors)
    assert buckets.shape == (3, 5) and bool(((buckets >= 0) & (buckets < 8)).all())
    assert torch.equal(hashing.bucket(3.0 * vectors), buckets), "a bucket is one of directions"
    assert not (hashing.bucket(-vectors) == buckets).any(), "opposite directions never share one"
    assert torch.equal(Hashing(WHERE, 8, 3, 4).bucket(vectors), buckets)
    assert not torch.equal(Hashing(WHERE, 8, 3, 5).bucket(vectors), buckets)


def test_hashed_weights_are_those_within_a_bucket() -> None:
    hashing = Hashing(Heads("encoder", 0, 2), buckets=4, rounds=1, seed=1)
    found = model("bert").record_ids(tiny.ids(), interventions=[hashing])
    queries, keys = found.queries("encoder", layer=0, head=2), found.keys("encoder", layer=0, head=2)
    shared = hashing.bucket(queries)[0][:, None] == hashing.bucket(keys)[0][None, :]
    alone = ~shared.any(dim=1)
    expected = shared | (alone[:, None] & torch.eye(len(queries), dtype=torch.bool))
    assert torch.equal(found.weights("encoder", layer=0, head=2) > 0, expected)


def test_dropout_draws_for_each_weight_whatever_else_is_computed() -> None:
    dropout = Dropout(Heads("encoder"), p=0.3, seed=5)
    found = model("bert").record_ids(tiny.ids(), interventions=[dropout])
    plain = model("bert").record_ids(tiny.ids())
    every = found.weights("encoder", layer=0)
    for head in range(tiny.HEADS):
        assert torch.equal(found.weights("encoder", layer=0, head=head), every[head])
    kept = every > 0
    torch.testing.assert_close(every[kept], plain.weights("encoder", layer=0)[kept] / 0.7)
    assert 0.6 < float(kept.float().mean()) < 0.8
    assert not torch.equal(kept[0], kept[1]), "heads draw apart"
    longer = Dropout(WHERE, p=0.3, seed=5)
    at = found.stored_layer("encoder", 0, None)
    assert at is not None and longer == dropout
    big = model("bert").record_ids(tiny.ids(41), interventions=[Dropout(WHERE, 0.3, 6)]).weights("encoder", layer=1)
    assert abs(float((big == 0).float().mean()) - 0.3) < 0.02


def test_top_k_keeps_as_many_and_temperature_goes_from_the_best_to_all_alike() -> None:
    found = model("gpt2").record_ids(tiny.ids(), interventions=[TopK(Heads("decoder"), 3)])
    counts = (found.weights("decoder", layer=1) > 0).sum(dim=-1)
    assert torch.equal(counts, torch.arange(1, 14).clamp_max(3).expand_as(counts))
    cold = model("gpt2").record_ids(tiny.ids(), interventions=[Temperature(Heads("decoder"), 1e-4)])
    assert float(cold.weights("decoder", layer=0).amax(dim=-1).min()) > 0.999
    hot = model("gpt2").record_ids(tiny.ids(), interventions=[Temperature(Heads("decoder"), 1e6)])
    even = torch.ones(13, 13).tril() / torch.arange(1, 14)[:, None]
    torch.testing.assert_close(hot.weights("decoder", layer=0), even.expand(5, 13, 13), atol=1e-4, rtol=0)


def test_a_pattern_of_another_sentence_takes_the_place_of_the_weights() -> None:
    other = model("bert").record_ids(tiny.ids(seed=9)).weights("encoder", layer=2, head=1)
    found = model("bert").record_ids(tiny.ids(), interventions=[Replace(Heads("encoder", 0, 3), other)])
    torch.testing.assert_close(found.weights("encoder", layer=0, head=3), other)


def test_interventions_can_be_keys_of_a_cache() -> None:
    even = torch.full((2, 2), 0.5)
    first = (Ablate(Heads("cross", [1, 2])), Replace(WHERE, even), Mask.without(WHERE, [1]))
    second = (Ablate(Heads("cross", (1, 2))), Replace(WHERE, even.clone()), Mask.without(WHERE, [1]))
    assert first == second and hash(first) == hash(second)
    assert len({Replace(WHERE, even), Replace(WHERE, torch.eye(2)), Replace(Heads("cross"), even)}) == 3


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ablate(WHERE, to="none"), '"zero", "mean" or "uniform", not \'none\''),  # type: ignore[arg-type]
        (lambda: Mask.window(WHERE, -1), "0 or more, not -1"),
        (lambda: Mask.without(WHERE, []), "one or more positions"),
        (lambda: Mask.edge(WHERE, -1, 0), "counted from 0, not -1 and 0"),
        (lambda: Mask.strided(WHERE, 2, 0), "`stride` has to be a whole number, 1 or more"),
        (lambda: TopK(WHERE, 0), "`k` has to be a whole number, 1 or more, not 0"),
        (lambda: Temperature(WHERE, 0), "above 0, not 0"),
        (lambda: Dropout(WHERE, 1.0), "from 0 to below 1, not 1.0"),
        (lambda: Hashing(WHERE, 3), "1 or an even number, not 3"),
        (lambda: Replace(WHERE, torch.ones(3)), r"shape \(query, key\), not \(3,\)"),
        (lambda: Replace(WHERE, [[0.5, 0.5], [0.5, 0.4]]), "row 1 sums to 0.9000"),
        (lambda: Replace(WHERE, [[1.5, -0.5]]), "negative or not finite"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(make: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make()
