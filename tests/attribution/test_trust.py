"""Whether the tokens that an attribution names matter, and how far methods agree."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from support import tiny_models as tiny
from support.bundled import bundled_model
from support.recordings import model, recording

from attnviz import Model
from attnviz.attribution import METHODS, agreement, attribute, faithfulness
from attnviz.attribution.trust.rank_correlation import kendall, ranks, spearman
from attnviz.attribution.trust.removal_curves import POINTS
from attnviz.errors import EmptyError, InputError
from attnviz.interventions import Heads, Mask

SENTENCE = "Der Hund sah den Ball."


def test_rank_correlations_against_counting() -> None:
    generator = np.random.default_rng(0)
    for _ in range(5):
        first, second = generator.integers(0, 6, (2, 11)).astype(float)
        pairs = list(itertools.combinations(range(11), 2))
        signs = [(np.sign(first[a] - first[b]), np.sign(second[a] - second[b])) for a, b in pairs]
        concordant = sum(one * other for one, other in signs)
        ordered = [sum(bool(pair[side]) for pair in signs) for side in (0, 1)]
        assert kendall(first, second) == pytest.approx(concordant / np.sqrt(ordered[0] * ordered[1]))
        by_hand = [1 + sum(other < one for other in first) + (sum(first == one) - 1) / 2 for one in first]
        assert ranks(first).tolist() == by_hand
        assert spearman(first, second) == pytest.approx(np.corrcoef(ranks(first), ranks(second))[0, 1])
    assert np.isnan(spearman(first, np.ones(11))) and np.isnan(kendall(np.ones(11), first))


@pytest.mark.parametrize("name", ["bert", "gpt2", "t5", "marian", "gptj"])
def test_curves_are_the_probabilities_without_tokens(name: str) -> None:
    result = attribute(model(name), recording(name), "rollout", 4)
    found = faithfulness(model(name), recording(name), result, orders=3)
    size = len(found.order)
    assert found.missing == ("replace" if name == "gptj" else "hide")
    assert found.counts[0] == 0 and found.counts[-1] == size and len(found.counts) == min(size, POINTS) + 1
    assert found.removed[0] == found.kept[-1] == pytest.approx(result.target.probability, abs=1e-5)
    assert found.removed[-1] == found.kept[0]
    assert found.random.shape == (3, len(found.counts)) and found.best is not None
    assert found.best[1] == pytest.approx(found.removed[0] - found.alone.max())
    assert list(result.values[list(found.order)]) == sorted(result.values[list(found.order)], reverse=True)
    assert found.comprehensiveness == pytest.approx(np.mean(found.removed[0] - found.removed[1:]))
    again = faithfulness(model(name), recording(name), result, orders=3)
    other = faithfulness(model(name), recording(name), result, orders=3, seed=1)
    assert np.array_equal(found.random, again.random) and not np.array_equal(found.random, other.random)


def test_a_removed_token_is_one_that_nobody_sees() -> None:
    result = attribute(model("gpt2"), recording("gpt2"), "rollout", 4)
    found = faithfulness(model("gpt2"), recording("gpt2"), result)
    hidden = Mask.without(Heads("decoder"), keys=list(found.order[:2]))
    changed = model("gpt2").record_ids(tiny.ids(), interventions=[hidden])
    assert changed.logits is not None and result.target.token is not None
    expected = changed.logits[4].softmax(dim=-1)[result.target.token]
    assert found.removed[list(found.counts).index(2)] == pytest.approx(float(expected), abs=1e-6)


def test_what_occlusion_finds_is_what_blanking_out_finds() -> None:
    result = attribute(bundled_model(), SENTENCE, "occlusion", position=2)
    found = faithfulness(bundled_model(), SENTENCE, result, orders=3)
    assert found.blank_out == pytest.approx(1.0)
    assert found.comprehensiveness > found.random_comprehensiveness
    assert not any(result.tokens[at].special for at in found.order)


def test_methods_are_compared_and_those_that_do_not_apply_say_why() -> None:
    shares: list[float] = []
    found = agreement(model("gptj"), recording("gptj"), position=4, steps=4, progress=shares.append)
    assert set(found.methods) | set(found.refused) == set(METHODS) and "norms" in found.refused
    assert "inside its own code" in str(found.refused["norms"]) and shares[-1] == 1.0
    assert found.spearman.shape == found.kendall.shape == (len(found.methods),) * 2
    assert np.allclose(np.diag(found.spearman), 1.0) and np.array_equal(found.kendall, found.kendall.T)
    first, second = found.results[:2]
    assert found.spearman[0, 1] == pytest.approx(spearman(first.values, second.values))


def test_what_cannot_be_measured_is_refused() -> None:
    result = attribute(model("gpt2"), recording("gpt2"), "rollout", 4)
    bare = Model(model("bert").network.bert)
    unpredicted = attribute(bare, bare.record_ids(tiny.ids()), "rollout")
    for arguments, words in [
        ((model("gpt2"), recording("gpt2"), result, "delete"), "deleting moves"),
        ((model("gpt2"), model("gpt2").record_ids(tiny.ids(seed=3)), result), "of another text"),
        ((model("gpt2"), recording("gpt2"), result, "hide", 0), "`orders` is a number"),
        ((bare, unpredicted.recording, unpredicted), "explains no prediction"),
        ((model("gpt2"), recording("gpt2"), attribute(model("gpt2"), recording("gpt2"), position=0)), "no token that"),
    ]:
        with pytest.raises(InputError, match=words):
            faithfulness(*arguments)
    with pytest.raises(EmptyError, match="Pass at least one of: attention"):
        agreement(model("gpt2"), recording("gpt2"), [])
    with pytest.raises(InputError, match="no method 'magic'"):
        agreement(model("gpt2"), recording("gpt2"), ["magic"])


def test_a_long_text_has_a_curve_of_few_points() -> None:
    long = Model(tiny.network("gpt2", n_positions=400, n_layer=1))
    result = attribute(long, long.record_ids(tiny.ids(100)), "attention")
    found = faithfulness(long, result.recording, result, orders=1)
    assert len(found.counts) == POINTS + 1 and found.best is None and len(found.alone) == 99


def test_the_orders_of_another_method_are_taken_over_and_progress_is_told() -> None:
    told: list[float] = []
    first, second = (attribute(bundled_model(), SENTENCE, method, position=2) for method in ("occlusion", "attention"))
    beside = faithfulness(bundled_model(), SENTENCE, first, progress=told.append)
    assert told == sorted(told) and told[-1] == pytest.approx(1.0)
    taken = faithfulness(bundled_model(), SENTENCE, second, beside=beside)
    own = faithfulness(bundled_model(), SENTENCE, second)
    assert taken.random is beside.random and taken.best is beside.best
    assert np.allclose(taken.best, own.best, atol=1e-6) and np.allclose(taken.removed, own.removed, atol=1e-6)
    other = attribute(bundled_model(), SENTENCE, "attention", position=4)
    with pytest.raises(InputError, match="`beside` is of another"):
        faithfulness(bundled_model(), SENTENCE, other, beside=beside)
