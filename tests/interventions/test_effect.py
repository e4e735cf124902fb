"""Both runs side by side, and which head matters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import transformers
from support import tiny_models as tiny
from support.bundled import bundled_model
from support.recordings import model

from attnviz import Model
from attnviz.errors import EmptyError, InputError
from attnviz.interventions import (
    Ablate,
    Dropout,
    Effect,
    Hashing,
    Heads,
    Mask,
    Temperature,
    TopK,
    effect,
    head_importance,
)
from attnviz.interventions.effect import written_text
from attnviz.interventions.importance import importance_of

SENTENCE = "Der Hund sah den Ball."


def test_the_effect_of_a_missing_layer_of_cross_attention_on_a_translation() -> None:
    found = effect(bundled_model(), SENTENCE, [Ablate(Heads("cross", layer=3))])
    assert found.texts is not None and found.kl is not None and found.note is None
    assert found.texts[0] == "The dog saw the ball." != found.texts[1]
    assert found.before.query_tokens("cross") == found.after.query_tokens("cross")
    before, after = (item.logits.log_softmax(dim=-1) for item in (found.before, found.after))
    expected = (before.exp() * (before - after)).sum(dim=-1) / np.log(2.0)
    torch.testing.assert_close(found.kl, expected, atol=1e-5, rtol=1e-4)
    assert set(found.distance) == {"encoder", "decoder"}
    assert not found.distance["encoder"].any(), "the encoder is the same"
    moved = found.distance["decoder"]
    assert moved.shape == (5, 8) and not moved[:4].any() and bool((moved[4] > 0).all())
    pairs = 4 * 8 * (49 + 36 + 56)
    assert found.density == pytest.approx(1 - 8 * 56 / pairs)


def test_nothing_changed_has_no_effect() -> None:
    found = effect(bundled_model(), SENTENCE, [Temperature(Heads("encoder"), 1.0)], target="The dog saw a ball.")
    assert found.texts == ("The dog saw the ball.",) * 2
    assert found.kl is not None and float(found.kl.max()) <= 1e-6
    assert found.density == 1.0


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [Ablate(Heads("cross", 3, [1, 2, 3]))],
        [Ablate(Heads("cross", 3, [1, 2, 3, 4]))],
        [Ablate(Heads("cross", 3, 4), to="mean")],
        [Hashing(Heads("cross"), 2), Dropout(Heads("encoder"), 0.1)],
        [TopK(Heads("decoder"), 2), Mask.window(Heads("decoder"), 3), Temperature(Heads("cross", 1), 2.0)],
        [Mask.causal(Heads("encoder"))],
    ],
)
def test_a_text_that_need_not_be_written_anew_is_the_one_that_would_be_written(changes) -> None:
    model = bundled_model()
    before = model.record(SENTENCE)
    changed = model.record_changed(before, changes) if changes else before
    source = [token.id for token in changed.key_tokens("cross")]
    written = model.recorder.write(source, 128, changes)
    assert written_text(model, changed) == model.tokenizer.decode(written, skip_special_tokens=True).strip()


def test_density_is_the_share_of_pairs_that_are_left() -> None:
    ids = tiny.ids()
    before = model("bert").record_ids(ids)

    def density(*interventions) -> float:
        return Effect(model("bert"), before, model("bert").record_ids(ids, interventions=interventions)).density

    assert density(TopK(Heads("encoder"), 2)) == pytest.approx(2 / 13)
    assert density(Mask.window(Heads("encoder"), 1)) == pytest.approx((13 + 2 * 12) / 169)
    assert density(Ablate(Heads("encoder", 0, 1))) == pytest.approx(14 / 15)
    assert density(Ablate(Heads("encoder"), to="uniform")) == 1.0


def test_a_decoder_and_a_masked_model_say_something_else_too() -> None:
    ids = tiny.ids()
    changes = [Ablate(Heads("decoder", [0, 1]))]
    gpt = Effect(model("gpt2"), model("gpt2").record_ids(ids), model("gpt2").record_ids(ids, interventions=changes))
    assert gpt.texts is not None and gpt.texts[0] != gpt.texts[1]
    assert gpt.kl is not None and gpt.kl.shape == (13,) and bool((gpt.kl[1:] > 0).all())
    masked = Effect(model("bert"), model("bert").record_ids(ids), model("bert").record_ids(ids))
    assert masked.texts is None and masked.note is None, "there is no gap to fill"


def test_without_an_output_distribution_only_the_distance_is_known() -> None:
    network = transformers.BertModel(tiny.network("bert").config)
    tiny.draw(network)
    bare = Model(network.eval(), name="bare")
    ids = tiny.ids()
    found = Effect(bare, bare.record_ids(ids), bare.record_ids(ids, interventions=[Ablate(Heads("encoder", 1))]))
    assert found.texts is None and found.kl is None
    assert found.note is not None and "bare has no language head" in found.note
    assert not found.distance["encoder"][:2].any() and bool((found.distance["encoder"][2:] > 0).all())
    with pytest.raises(InputError, match="bare has no language head"):
        importance_of(bare, bare.record_ids(ids), "encoder")


@pytest.mark.parametrize("to", ["zero", "mean", "uniform"])
@pytest.mark.parametrize("name", ["bert", "llama", "gpt_oss", "t5", "marian", "albert"])
def test_importance_of_many_heads_at_once_is_that_of_one_after_the_other(name: str, to) -> None:
    given, own = tiny.inputs(name), model(name)
    before = own.record_ids(**given)
    for kind in before.kinds:
        together = importance_of(own, before, kind, to=to)
        assert together.shape == before.size(kind)[:2]
        layer, head = before.size(kind)[0] - 1, 3
        after = own.record_ids(**given, interventions=[Ablate(Heads(kind, layer, head), to)])
        kl = Effect(own, before, after).kl
        assert kl is not None
        assert together[layer, head] == pytest.approx(float(kl.mean()), rel=1e-3, abs=1e-5)


def test_importance_over_a_corpus_is_a_mean_with_its_standard_error() -> None:
    texts = [SENTENCE, "Die Katze schläft.", "Ich lese ein Buch."]
    each = np.stack([head_importance(bundled_model(), text, "cross") for text in texts])
    shares: list[float] = []
    found = head_importance(bundled_model(), texts, "cross", progress=shares.append)
    assert found.texts == 3
    np.testing.assert_allclose(found.mean, each.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.standard_error, each.std(axis=0, ddof=1) / np.sqrt(3), rtol=1e-6)
    assert shares[-1] == 1.0 and shares == sorted(shares)


def test_importance_can_be_cancelled_and_leaves_nothing_behind() -> None:
    def cancel(done: float) -> None:
        raise KeyboardInterrupt

    before = bundled_model().record(SENTENCE).logits
    with pytest.raises(KeyboardInterrupt):
        head_importance(bundled_model(), SENTENCE, "encoder", progress=cancel)
    assert torch.equal(bundled_model().record(SENTENCE).logits, before)


def test_texts_and_targets_have_to_match() -> None:
    with pytest.raises(InputError, match="There are 2 texts and 1 targets"):
        head_importance(bundled_model(), ["a", "b"], "cross", target=["c"])
    with pytest.raises(EmptyError, match="no text to measure heads with"):
        head_importance(bundled_model(), [], "cross")


@pytest.mark.parametrize(("target", "kind"), [(None, "encoder"), ("The dog saw a ball.", "cross")])
def test_a_recording_is_changed_without_anything_written_anew(target: str | None, kind: str) -> None:
    own, changes = bundled_model(), [Ablate(Heads(kind, layer=1, head=2)), TopK(Heads("decoder"), 2)]
    before = own.record(SENTENCE, target)
    expected, got = own.record(SENTENCE, target, interventions=changes), own.record_changed(before, changes)
    assert got.interventions == expected.interventions
    assert torch.equal(got.logits, expected.logits)
    for one in before.kinds:
        assert got.query_tokens(one) == before.query_tokens(one) == expected.query_tokens(one)
        assert torch.equal(got.weights(one, layer=3), expected.weights(one, layer=3))


def test_segments_and_generated_tokens_are_taken_along_into_a_changed_run() -> None:
    paired = Model(tiny.network("bert"), None)
    types = {"token_type_ids": [0, 0, 0, 0, 1, 1, 1]}
    ids = tiny.ids()[:7]
    source = paired.record_ids(ids).query_tokens("encoder")
    before = paired.recorder.record(source, list(ids), types, None, None)
    assert torch.equal(paired.record_changed(before, []).logits, before.logits)
    assert not torch.equal(paired.record_ids(ids).logits, before.logits)
    writer = Model(tiny.network("llama"), None)
    written = writer.record_ids(ids, generate=3)
    again = writer.record_changed(written, [Ablate(Heads("decoder", layer=0))])
    assert again.query_tokens("decoder") == written.query_tokens("decoder")


@pytest.mark.parametrize("layer", range(4))
@pytest.mark.parametrize("kind", ["encoder", "decoder", "cross"])
def test_a_text_is_written_alike_with_and_without_a_cache(
    kind: str, layer: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = bundled_model()
    source = [token.id for token in own.record(SENTENCE).key_tokens("cross")]
    changes = [Ablate(Heads(kind, layer, [0, 3, 5])), Ablate(Heads(kind, (layer + 1) % 4, 6))]
    cached = own.recorder.write(source, 24, changes)
    monkeypatch.setattr(Ablate, "needs_whole_maps", True)
    assert own.recorder.write(source, 24, changes) == cached


def test_a_decoder_alone_writes_the_same_with_a_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    own, ids = Model(tiny.network("llama"), None), tiny.ids()[:7]
    changes = [Ablate(Heads("decoder", layer=0)), Ablate(Heads("decoder", layer=1, head=1))]
    cached = own.record_ids(ids, generate=20, interventions=changes, write_anew=True)
    monkeypatch.setattr(Ablate, "needs_whole_maps", True)
    anew = own.record_ids(ids, generate=20, interventions=changes, write_anew=True)
    assert anew.query_tokens("decoder") == cached.query_tokens("decoder")
    assert anew.query_tokens("decoder") != own.record_ids(ids, generate=20).query_tokens("decoder")
