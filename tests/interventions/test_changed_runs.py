"""What interventions do to a run: neutral ones nothing, the others what their definition says, and nothing stays."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from support import tiny_models as tiny
from support.recordings import attention_settings, model, recording

from attnviz import Recording
from attnviz.attention import dot_product
from attnviz.errors import InputError, NoAttentionError
from attnviz.interventions import Ablate, Dropout, Hashing, Heads, Intervention, Mask, Replace, Temperature, TopK
from attnviz.models.capture import capture

NAMES = ["bert", "gpt2", "llama", "mistral", "gemma2", "gpt_oss", "t5", "marian"]
"""An encoder, decoders with grouped queries, windows, a soft cap and sinks, and pairs with a position bias or none."""
LENGTH = tiny.LENGTH
EQUAL = {"atol": 2e-6, "rtol": 1e-6}  # up to 1.5e-6, depending on how a processor adds up


def changed(name: str, *interventions: Intervention) -> Recording:
    return model(name).record_ids(**tiny.inputs(name), interventions=interventions)


def weights(found: Recording) -> dict[str, list[torch.Tensor]]:
    return {kind: [found.weights(kind, layer=layer) for layer in range(found.size(kind)[0])] for kind in found.kinds}


def probabilities(found: Recording) -> torch.Tensor:
    assert found.logits is not None
    return found.logits.softmax(dim=-1)


def assert_same_run(found: Recording, expected: Recording) -> None:
    torch.testing.assert_close(probabilities(found), probabilities(expected), **EQUAL)
    for kind, layers in weights(expected).items():
        for layer, item in enumerate(layers):
            torch.testing.assert_close(weights(found)[kind][layer], item, **EQUAL)


@pytest.mark.parametrize("name", NAMES)
def test_neutral_interventions_leave_the_run_as_it_is(name: str) -> None:
    before = recording(name)
    for kind in before.kinds:
        where = Heads(kind)
        own = [
            Replace(Heads(kind, layer, head), before.weights(kind, layer=layer, head=head))
            for layer in range(before.size(kind)[0])
            for head in range(before.heads(kind, layer))
            if name != "gpt_oss"  # with sinks rows sum to less than 1
        ]
        neutral: list[Sequence[Intervention]] = [
            [Mask.window(where, LENGTH), TopK(where, LENGTH), Temperature(where, 1.0), Dropout(where, 0.0)],
            [Hashing(where, buckets=1), Mask.strided(where, 0, 1)],
            own,
        ]
        for interventions in neutral:
            assert_same_run(changed(name, *interventions), before)


@pytest.mark.parametrize("name", NAMES)
def test_a_change_of_nothing_is_computed_by_the_same_rule(name: str) -> None:
    """A temperature next to 1 takes the way of all changes, and gives what the fast path gives but for rounding."""
    before = recording(name)
    after = changed(name, *(Temperature(Heads(kind), 1.0 + 1e-9) for kind in before.kinds))
    torch.testing.assert_close(probabilities(after), probabilities(before), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_heads_each_alone_add_up_to_the_layers_output(name: str) -> None:
    """The output of a layer whose other heads are taken away, without the bias, for each head."""
    from attnviz.computation.layer import follow

    given = tiny.inputs(name)
    kind = recording(name).kinds[-1]
    layer = recording(name).size(kind)[0] - 1
    count = recording(name).heads(kind, layer)
    module = follow(model(name), recording(name), kind, layer=layer).joining_name
    joined = joined_outputs(name, given, module, kind, layer, [])
    nothing = joined_outputs(name, given, module, kind, layer, list(range(count)))
    alone = [
        joined_outputs(name, given, module, kind, layer, [other for other in range(count) if other != head])
        for head in range(count)
    ]
    added = sum(item - nothing for item in alone) + nothing
    torch.testing.assert_close(added, joined, atol=1e-5, rtol=1e-5)


def joined_outputs(name: str, given: dict, module: str, kind: str, layer: int, missing: list[int]) -> torch.Tensor:
    """What the joining matrix of a layer gives when some heads are missing."""
    outputs: list[torch.Tensor] = []
    hook = lambda _module, _arguments, result: outputs.append(result.detach())  # noqa: E731
    handle = model(name).network.get_submodule(module).register_forward_hook(hook)
    try:
        changes = [Ablate(Heads(kind, layer, missing))] if missing else []
        _ = model(name).record_ids(**given, interventions=changes).logits
    finally:
        handle.remove()
    return outputs[-1].reshape(-1, outputs[-1].shape[-1])


@pytest.mark.parametrize("name", NAMES)
def test_the_recording_shows_the_weights_that_were_used(name: str) -> None:
    """The values times the weights that are shown are what the next layers got: an eager run with a mask agrees."""
    before = recording(name)
    for kind in before.kinds:
        after = changed(name, Mask.window(Heads(kind), 1))
        queries, keys = after.size(kind)[2:]
        near = (torch.arange(queries)[:, None] - torch.arange(keys)).abs() <= 1
        for layer in range(after.size(kind)[0]):
            shown, scores = after.weights(kind, layer=layer), after.scores(kind, layer=layer)
            assert not shown[:, ~near].any()
            assert bool((scores[:, ~near] == -torch.inf).all())
            sums = shown.sum(dim=-1)[:, near.any(dim=1)]
            seen = (scores > -torch.inf).any(dim=-1)[:, near.any(dim=1)]
            if name == "gpt_oss":
                assert bool((sums < 1).all())
            else:
                torch.testing.assert_close(sums, seen.float(), atol=1e-5, rtol=0)
        first = before.scores(kind, layer=0)[:, near] if kind != "cross" else None
        if first is not None:
            torch.testing.assert_close(after.scores(kind, layer=0)[:, near], first, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(after.logits, before.logits, atol=1e-3), "the output is another one"


def test_pooled_maps_maps_and_hidden_mass_are_those_of_the_changed_run() -> None:
    after = changed("gpt_oss", Mask.window(Heads("decoder"), 2))
    whole = after.map("decoder", layer=1, head=3)
    assert not whole.weights[6, :4].any() and whole.weights[6, 4:7].all()
    small = after.pooled_map("decoder", layer=1, head=3, size=5)
    torch.testing.assert_close(
        torch.tensor(small.weights.sum(axis=1) + small.hidden_mass), torch.ones(5), atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        torch.tensor(whole.weights.sum(axis=1) + whole.hidden_mass), torch.ones(LENGTH), atol=1e-5, rtol=0
    )
    assert after.interventions and not recording("gpt_oss").interventions


def test_other_heads_of_the_layer_and_earlier_layers_stay_exactly_the_same() -> None:
    after, before = changed("bert", Temperature(Heads("encoder", 1, [1, 3]), 9.0)), recording("bert")
    for layer in range(2):
        for head in range(tiny.HEADS):
            same = torch.equal(
                after.weights("encoder", layer=layer, head=head), before.weights("encoder", layer=layer, head=head)
            )
            assert same == ((layer, head) not in {(1, 1), (1, 3)})
    assert not torch.equal(after.weights("encoder", layer=2), before.weights("encoder", layer=2))


def test_interventions_combine_in_the_order_given() -> None:
    head = Heads("encoder", 0, 0)
    even = torch.full((LENGTH, LENGTH), 1 / LENGTH)
    pattern_then_mask = changed("bert", Replace(head, even), Mask.window(head, 1)).weights("encoder", layer=0, head=0)
    mask_then_pattern = changed("bert", Mask.window(head, 1), Replace(head, even)).weights("encoder", layer=0, head=0)
    near = Mask.window(head, 1).visible(torch.arange(LENGTH), torch.arange(LENGTH)).float()
    torch.testing.assert_close(pattern_then_mask, near / near.sum(dim=-1, keepdim=True))
    torch.testing.assert_close(mask_then_pattern, even)
    sharp = changed("bert", Temperature(head, 0.5), TopK(head, 3), Temperature(head, 2.0))
    best = recording("bert").scores("encoder", layer=0, head=0).topk(3, dim=-1)
    expected = torch.full((LENGTH, LENGTH), -torch.inf).scatter(-1, best.indices, best.values).softmax(dim=-1)
    torch.testing.assert_close(sharp.weights("encoder", layer=0, head=0), expected)


def test_ablations_put_out_what_they_say() -> None:
    before = recording("gpt2")
    weights_of, values = before.weights("decoder", layer=0, head=2), before.values("decoder", layer=0, head=2)
    seen = torch.ones(LENGTH, LENGTH).tril()
    even = changed("gpt2", Ablate(Heads("decoder", 0, 2), to="uniform"))
    torch.testing.assert_close(
        even.weights("decoder", layer=0, head=2), seen / torch.arange(1, LENGTH + 1)[:, None], atol=1e-6, rtol=0
    )
    output = dot_product.output(weights_of, values)
    mean, zero = (Ablate(Heads("decoder", 0, 2), to=to).change_output(output[None])[0] for to in ("mean", "zero"))
    torch.testing.assert_close(mean, output.mean(dim=0, keepdim=True).expand_as(output))
    assert not zero.any()
    removed = changed("gpt2", Ablate(Heads("decoder", 0, 2)))
    torch.testing.assert_close(removed.weights("decoder", layer=0, head=2), weights_of)


def test_the_decoder_reads_what_the_unchanged_model_wrote_unless_it_writes_anew() -> None:
    network = model("marian")
    ids = tiny.ids()
    own = network.record_ids(ids).query_tokens("decoder")
    changes = [Ablate(Heads("cross")), Mask.without(Heads("encoder"), [0, 1, 2])]
    assert [token.id for token in network.record_ids(ids, interventions=changes).query_tokens("decoder")] == [
        token.id for token in own
    ]
    anew = network.record_ids(ids, interventions=changes, write_anew=True)
    written = [token.id for token in anew.query_tokens("decoder")]
    assert written != [token.id for token in own]
    assert anew.logits is not None
    following = anew.logits.argmax(dim=-1).tolist()
    forced = len(written) - 1  # the last may be an end that is forced at the limit
    assert following[: forced - 1] == written[1:forced], "it is what the changed model itself writes"


def test_a_decoder_continues_with_the_change_only_when_it_writes_anew() -> None:
    network, ids = model("gpt2"), tiny.ids()
    changes = [Ablate(Heads("decoder", layer=[0, 1]))]
    usual = [token.id for token in network.record_ids(ids, generate=6).query_tokens("decoder")]
    same = network.record_ids(ids, generate=6, interventions=changes)
    assert [token.id for token in same.query_tokens("decoder")] == usual
    anew = network.record_ids(ids, generate=6, interventions=changes, write_anew=True)
    written = [token.id for token in anew.query_tokens("decoder")]
    assert anew.logits is not None
    assert written[LENGTH:] == anew.logits.argmax(dim=-1).tolist()[LENGTH - 1 : -1]
    assert written != usual


# Errors --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", tiny.EAGER_ONLY[:3])
def test_a_model_that_gives_only_weights_refuses(name: str) -> None:
    with pytest.raises(NoAttentionError, match="its weights can be read, but not changed. Choose a model that uses"):
        model(name).record_ids(**tiny.inputs(name), interventions=[Ablate(Heads(model(name).kinds[0]))])


def test_nothing_stays_behind_after_an_error_in_the_middle_of_a_pass() -> None:
    before = attention_settings(model("bert").network)
    pattern = Replace(Heads("encoder", layer=2), torch.eye(5))
    with pytest.raises(InputError, match="5 queries and 5 keys, and the encoder attention of this text has 13 and 13"):
        changed("bert", Ablate(Heads("encoder", 0)), pattern)
    assert attention_settings(model("bert").network) == before and not capture.needs_whole_maps()
    again = model("bert").record_ids(**tiny.inputs("bert"))
    assert torch.equal(again.logits, recording("bert").logits)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (Heads("decoder"), "has encoder attention, not 'decoder'"),
        (Heads("encoder", 3), "layers 0 to 2, not 3"),
        (Heads("encoder", [0, 1], [4, 5]), "heads 0 to 4, not 5"),
    ],
)
def test_heads_that_there_are_not_are_refused(where: Heads, message: str) -> None:
    with pytest.raises(InputError, match=message):
        changed("bert", Ablate(where))


def test_what_is_no_intervention_is_refused() -> None:
    with pytest.raises(InputError, match="`interventions` is a list of interventions such as"):
        model("bert").record_ids(tiny.ids(), interventions=["zero"])  # type: ignore[list-item]


def test_positions_that_the_text_has_not_are_refused() -> None:
    with pytest.raises(InputError, match="key positions 0 to 12, not 13"):
        changed("bert", Mask.without(Heads("encoder"), [13]))
    with pytest.raises(InputError, match="query positions 0 to 6, not 7"):
        _ = changed("marian", Mask.edge(Heads("cross"), query=7, key=0)).logits
