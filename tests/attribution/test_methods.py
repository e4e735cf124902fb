"""Each method against what is known of it by other means."""

from __future__ import annotations

import itertools

import networkx
import numpy as np
import pytest
import torch
from support import tiny_models as tiny
from support.bundled import bundled_model
from support.recordings import model, recording

from attnviz import aggregate
from attnviz.attribution import METHODS, attribute
from attnviz.attribution.contributions import path_integral
from attnviz.attribution.contributions.block_vectors import block_vectors
from attnviz.attribution.contributions.from_gradients import attention_attributions, attention_gradients, average_text
from attnviz.attribution.contributions.from_weights import flow_graph, maximum_flows, with_residual
from attnviz.attribution.explained import find_explained
from attnviz.attribution.reading import Change, Reading
from attnviz.computation.layer import follow
from attnviz.interventions import Heads, Mask
from attnviz.models.model import Model

SENTENCE = "Der Hund sah den Ball."
NAMES = ["bert", "gpt2", "llama", "t5", "marian"]
POSITION = 4


def log_probability(name: str, logits: torch.Tensor, token: int) -> float:
    return float(logits[POSITION].log_softmax(dim=-1)[token])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_each_token_that_was_read_a_number_twice_the_same(name: str, method: str) -> None:
    results = [attribute(model(name), recording(name), method, POSITION, steps=8) for _ in range(2)]
    read, written = {"bert": (13, 0), "gpt2": (5, 0), "llama": (5, 0), "t5": (13, 5), "marian": (13, 5)}[name]
    first = results[0]
    assert first.source_length == read and len(first.tokens) == len(first.values) == read + written
    assert np.isfinite(first.values).all() and (METHODS[method].signed or (first.values >= 0).all())
    assert np.array_equal(first.values, results[1].values) and first.values.any()
    assert (first.delta is not None) == (method in ("attention_attribution", "integrated_gradients"))
    assert method in first.summary() and not first.values.flags.writeable


@pytest.mark.parametrize("method", ["attention_attribution", "integrated_gradients"])
@pytest.mark.parametrize("name", NAMES)
def test_integrated_values_add_up(name: str, method: str) -> None:
    result = attribute(model(name), recording(name), method, POSITION, steps=128)
    assert result.delta is not None and result.delta <= 0.02
    reading = Reading(model(name), recording(name), POSITION)
    if method == "attention_attribution":
        weights: dict = {}
        reading.run(1, Change(collect=weights))
        nothing = Change(weights={call: torch.zeros_like(item) for call, item in weights.items()})
    else:
        nothing = Change(vectors={side: average_text(reading, side, reading.vectors(side)) for side in reading.tokens})
    expected = result.target.value(reading.run(1)) - result.target.value(reading.run(1, nothing))
    assert result.values.sum() == pytest.approx(float(expected), rel=0.021)


@pytest.mark.parametrize(("method", "position"), [("attention_attribution", 2), ("integrated_gradients", 3)])
def test_the_bundled_model_misses_by_less_than_a_hundredth(method: str, position: int) -> None:
    result = attribute(bundled_model(), SENTENCE, method, position)
    assert result.delta is not None and result.delta <= 0.01
    named = result.tokens[int(result.source_values.argmax())].text
    assert named == {2: " Hund", 3: " sah"}[position]


@pytest.mark.parametrize("method", ["attention_attribution", "integrated_gradients"])
def test_64_gradients_miss_by_less_than_a_hundredth_at_every_word(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(path_integral, "REFINED", 1)  # no more than the 64
    own = bundled_model().record("Eine alte Frau wohnte allein in dem kleinen Haus.")
    results = [attribute(bundled_model(), own, method, row) for row in range(len(own.query_tokens("cross")) - 1)]
    missed = [result.delta for result in results if result.delta is not None]
    assert len(missed) == len(results) > 5 and max(missed) <= 0.01


def test_an_integral_is_exact_where_slopes_jump_once_and_is_a_mean_of_slopes_elsewhere() -> None:
    # One token's slope falls from 4 to 1 at 0.3, the other's rises from 0 to 2: together from 4 to 3.
    slopes = np.array([[4.0, 0.0], [1.0, 2.0]])
    exact = np.array([0.3 * 4 + 0.7 * 1, 0.7 * 2])
    way = path_integral._Way(np.array([0.0, 1.0]), np.array([0.0, exact.sum()]), slopes)
    assert way.integral() == pytest.approx(exact, abs=1e-4) and way.missed() < 1e-4
    # What lies outside of the slopes is not made up for: the share stops at all or nothing, and the miss is told.
    beyond = path_integral._Way(np.array([0.0, 1.0]), np.array([0.0, 8.0]), slopes)
    assert beyond.integral() == pytest.approx(slopes[0]) and beyond.missed() == pytest.approx(0.5)
    # Where both slopes are alike rounding decides nothing.
    alike = path_integral._Way(np.array([0.0, 1.0]), np.array([0.0, 3.0 + 1e-7]), np.array([[3.0, 0.0], [0.0, 3.0]]))
    assert alike.integral() == pytest.approx([1.5, 1.5], abs=1e-3)


def test_more_places_go_where_slopes_differ_most_or_say_nothing_of_the_gain() -> None:
    slopes = np.array([[0.0], [0.0], [8.0], [8.1]])
    way = path_integral._Way(np.array([0.0, 0.2, 0.4, 1.0]), np.array([0.0, 0.0, 0.8, 5.63]), slopes)
    assert way.more_places(1) == pytest.approx([0.3]) and way.more_places(3) == pytest.approx([0.25, 0.3, 0.35])
    stepping = path_integral._Way(way.places, np.array([0.0, 1.0, 1.8, 6.63]), slopes)  # 1 is gained where slopes are 0
    assert stepping.more_places(1) == pytest.approx([0.1])


@pytest.mark.parametrize("head", [None, 3])
def test_layers_computed_together_say_what_each_says_alone(head: int | None) -> None:
    own, prediction = recording("marian"), find_explained(model("marian"), recording("marian"), POSITION)
    reading = Reading(model("marian"), own, POSITION)
    layers = [0, 1] if head is not None else [0, 1, None]
    together = attention_attributions(reading, prediction, layers, head, 16, None)
    for layer, (values, missed) in zip(layers, together, strict=True):
        alone = attribute(model("marian"), own, "attention_attribution", POSITION, layer=layer, head=head, steps=16)
        assert values == pytest.approx(alone.values, abs=1e-4) and missed == pytest.approx(alone.delta, abs=1e-3)
    if head is None:
        for layer, values in zip(layers, attention_gradients(reading, prediction, layers), strict=True):
            alone = attribute(model("marian"), own, "attention_gradient", POSITION, layer=layer)
            assert values == pytest.approx(alone.values, abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_the_row_that_is_read_alone_is_the_one_of_the_whole_text(name: str) -> None:
    reading = Reading(model(name), recording(name), POSITION)
    logits = recording(name).logits
    assert logits is not None
    for copies in (1, 3):
        every = reading.run(copies)
        assert every.shape[0] == copies and every[-1].numpy() == pytest.approx(logits[POSITION].numpy(), abs=1e-4)


def test_an_average_vector_follows_its_table() -> None:
    own = Model(tiny.network("gpt2"))
    reading = Reading(own, own.record_ids(tiny.ids()), POSITION)
    before = reading.average_vector("source")
    assert reading.average_vector("source") is before
    with torch.no_grad():
        reading.table("source").weight.mul_(2.0)  # type: ignore[operator, union-attr]
    assert reading.average_vector("source").numpy() == pytest.approx(2 * before.numpy(), abs=1e-6)


@pytest.mark.parametrize(("layer", "head"), [(1, None), (1, 3)])
def test_one_layer_or_head_grows_alone(layer: int, head: int | None) -> None:
    result = attribute(model("marian"), recording("marian"), "attention_attribution", POSITION, layer=layer, head=head)
    reading = Reading(model("marian"), recording("marian"), POSITION)
    weights: dict = {}
    before = reading.run(1, Change(collect=weights))
    changed = {call: weights[call].detach().clone() for call in (("decoder", layer), ("cross", layer))}
    for item in changed.values():
        item[:, slice(None) if head is None else head] = 0.0
    expected = result.target.value(before) - result.target.value(reading.run(1, Change(weights=changed)))
    assert result.values.sum() == pytest.approx(float(expected), rel=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_what_a_small_change_gives(name: str) -> None:
    """In a layer's weights, and in a word's vector."""
    result = attribute(model(name), recording(name), "input_gradient", POSITION)
    reading = Reading(model(name), recording(name), POSITION)
    weights: dict = {}
    reading.run(1, Change(collect=weights))
    at, small = 2, 1e-2
    vectors = {side: reading.vectors(side) for side in reading.tokens}
    values = []
    for sign in (1, -1):
        moved = {side: item.clone() for side, item in vectors.items()}
        moved["source"][0, at] *= 1 + sign * small
        values.append(float(result.target.value(reading.run(1, Change(vectors=moved)))))
    assert result.values[at] == pytest.approx((values[0] - values[1]) / (2 * small), abs=0.02, rel=0.02)

    kind = "cross" if reading.is_paired else reading.kinds[0]
    layer = recording(name).size(kind)[0] - 1
    result = attribute(model(name), recording(name), "attention_gradient", POSITION, layer=layer, head=1)
    for key in range(3):
        values = []
        for sign in (1, -1):
            changed = weights[kind, layer].detach().clone()
            changed[0, 1, POSITION, key] *= 1 + sign * small
            values.append(float(result.target.value(reading.run(1, Change(weights={(kind, layer): changed})))))
        expected = max(0.0, (values[0] - values[1]) / (2 * small))  # of the last layer one row alone is read
        assert result.values[key] == pytest.approx(expected, abs=2e-3, rel=0.02)


@pytest.mark.parametrize("name", ["bert", "gpt2", "gptj"])
@pytest.mark.parametrize("layer", [None, 1])
def test_rollout_of_one_stack_is_the_product_of_its_layers(name: str, layer: int | None) -> None:
    result = attribute(model(name), recording(name), "rollout", POSITION, layer=layer)
    expected = aggregate.rollout(recording(name), recording(name).kinds[0], 2 if layer is None else layer)
    assert result.values == pytest.approx(expected.weights[POSITION, : len(result.tokens)], abs=1e-6)
    assert result.values.sum() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("name", ["t5", "marian", "bigbird_pegasus"])
def test_rollout_of_two_stacks_is_the_product_over_one_graph(name: str) -> None:
    """Source and target as one sequence whose weights are blocks of one matrix."""
    own = recording(name)
    read, written = len(own.key_tokens("cross")), len(own.query_tokens("cross"))

    def mean(kind: str, layer: int) -> np.ndarray:
        return own.weights(kind, layer=layer).double().mean(dim=0).numpy()

    product = np.eye(read + written)
    for layer in range(own.size("encoder")[0]):
        block = np.eye(read + written)
        block[:read, :read] = with_residual(mean("encoder", layer))
        product = block @ product
    for layer in range(own.size("decoder")[0]):
        block = np.eye(read + written)
        block[read:, read:] = with_residual(mean("decoder", layer))
        product = block @ product
        block = np.eye(read + written)
        block[read:, read:] *= 0.5
        block[read:, :read] = 0.5 * mean("cross", layer)
        product = block @ product
    result = attribute(model(name), own, "rollout", POSITION)
    expected = product[read + POSITION]
    assert result.values == pytest.approx(expected[: read + POSITION + 1], abs=1e-6)
    assert result.values.sum() == pytest.approx(1.0, abs=1e-6)


def test_maximum_flows_of_a_graph_by_hand() -> None:
    """Two ways to "b" with the narrowest pipes 2 and 3, one way to "c"; nothing leads to "d"."""
    graph = networkx.DiGraph()
    for above, below, capacity in [("s", "u", 3), ("s", "v", 4), ("u", "b", 2), ("v", "b", 3), ("v", "c", 2)]:
        graph.add_edge((above,), (below,), capacity=float(capacity))
    assert maximum_flows(graph, ("s",), [("b",), ("c",), ("d",)]).tolist() == [5.0, 2.0, 0.0]


@pytest.mark.parametrize("name", ["bert", "marian"])
def test_flow_is_the_least_cut_of_all(name: str) -> None:
    """Max-flow min-cut (Ford & Fulkerson 1956): every way to part the graph is tried."""
    ids = tiny.ids(3)
    target = {"target_ids": tiny.target_ids(2)} if name == "marian" else {}
    tiny_model = model(name) if name == "bert" else model("marian")
    own = tiny_model.record_ids(ids, **target)
    position = 1
    reading = Reading(tiny_model, own, position)
    layer = 1 if name == "bert" else 0
    result = attribute(tiny_model, own, "flow", position, layer=layer)
    graph, start, ends = flow_graph(reading, own, layer)
    for value, end in zip(result.values[:2], ends[:2], strict=True):
        others = [node for node in graph if node not in (start, end)]
        cuts = []
        for sides in itertools.product((False, True), repeat=len(others)):
            above = {start, *(node for node, side in zip(others, sides, strict=True) if side)}
            cuts.append(sum(data["capacity"] for a, b, data in graph.edges(data=True) if a in above and b not in above))
        assert value == pytest.approx(min(cuts), abs=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_shares_of_weights_and_of_norms_sum_to_one_on_each_side(name: str) -> None:
    for method, layer, head in [("norms", None, None), ("norms", 1, None), ("norms", 1, 2), ("attention", 1, None)]:
        result = attribute(model(name), recording(name), method, POSITION, layer=layer, head=head)
        assert result.source_values.sum() == pytest.approx(1.0, abs=1e-5)
        if name in tiny.ENCODER_DECODERS:
            assert result.values[result.source_length :].sum() == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_vectors_with_residual_and_normalisation_add_up_to_the_blocks_output(name: str) -> None:
    """The output is what the network itself reads next: the input of a normalisation, or what one gave."""
    own = recording(name)
    for kind in own.kinds:
        parts = block_vectors(model(name), own, kind, 1, POSITION)
        total = parts.keys.sum(dim=0) + parts.own + parts.constant
        assert float((total - parts.output).abs().max()) <= 1e-5 * max(1.0, float(parts.output.abs().max()))
        stages = follow(model(name), own, kind, layer=1).stages
        at = next(at for at, stage in enumerate(stages) if torch.equal(stage.vectors[POSITION], parts.output))
        assert stages[at].kind == ("norm" if name in ("bert", "marian") else "sum")
        if name in ("bert", "marian"):
            assert stages[at].name.lower().endswith("norm")
    result = attribute(model(name), own, "norms_residual", POSITION, layer=1)
    if name in tiny.ENCODER_DECODERS:
        assert 0 < result.source_values.sum() < 1
        assert result.values[result.source_length :].sum() == pytest.approx(1.0, abs=1e-5)
    else:
        assert result.values.sum() == pytest.approx(1.0, abs=1e-5)
        assert result.values[POSITION] > attribute(model(name), own, "norms", POSITION, layer=1).values[POSITION]


@pytest.mark.parametrize("name", ["bert", "gpt2", "marian"])
def test_what_is_hidden_deleted_and_replaced(name: str) -> None:
    own, given, at = recording(name), tiny.inputs(name), 2
    results = {
        way: attribute(model(name), own, "occlusion", POSITION, missing=way) for way in ("hide", "delete", "replace")
    }
    token = results["hide"].target.token
    assert token is not None and own.logits is not None
    whole = log_probability(name, own.logits, token)
    kinds = ("encoder", "cross") if name == "marian" else own.kinds
    hidden = model(name).record_ids(**given, interventions=[Mask.without(Heads(kind), keys=[at]) for kind in kinds])
    assert hidden.logits is not None
    assert results["hide"].values[at] == pytest.approx(whole - log_probability(name, hidden.logits, token), abs=1e-4)
    shorter = model(name).record_ids(**given | {"ids": given["ids"][:at] + given["ids"][at + 1 :]})
    assert shorter.logits is not None
    row = POSITION if name == "marian" else POSITION - 1
    missing = float(shorter.logits[row].log_softmax(dim=-1)[token])
    assert results["delete"].values[at] == pytest.approx(whole - missing, abs=1e-4)
    reading = Reading(model(name), own, POSITION)
    vectors = reading.vectors("source")
    vectors[0, at] = reading.average_vector("source")
    replaced = results["replace"].target.value(reading.run(1, Change(vectors={"source": vectors})))
    assert results["replace"].values[at] == pytest.approx(whole - float(replaced), abs=1e-4)


def test_a_contrast_is_the_difference_of_two_predictions() -> None:
    first, second = (attribute(model("gpt2"), recording("gpt2"), "occlusion", POSITION, token=one) for one in (7, 9))
    contrast = attribute(model("gpt2"), recording("gpt2"), "occlusion", POSITION, token=7, against=9)
    assert contrast.values == pytest.approx(first.values - second.values, abs=1e-4)
    assert (contrast.target.token, contrast.target.against) == (7, 9)
