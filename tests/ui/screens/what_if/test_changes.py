"""Changes as they stand in the address, and what the presets and the opening do, without a browser."""

from __future__ import annotations

import pytest
from support import tiny_models as tiny
from support.bundled import bundled_model
from support.recordings import model

from attnviz.examples import FIRST_EXAMPLES
from attnviz.interventions import Ablate, Dropout, Hashing, Heads, Mask
from attnviz.interventions.effect import written_text
from attnviz.ui.screens.what_if.changes import CHANGES, Change, change_name, interventions, parse_change
from attnviz.ui.screens.what_if.opening import OPENINGS
from attnviz.ui.screens.what_if.presets import SETTINGS, offered_presets, positional_head

EVERY = [
    Change("window", "encoder", numbers=(2,)),
    Change("strided", "encoder", 1, numbers=(1, 4)),
    Change("causal", "encoder", 0, 3),
    Change("top_k", "cross", numbers=(3,)),
    Change("temperature", "decoder", numbers=(0.25,)),
    Change("dropout", "cross", 2, numbers=(50, 7)),
    Change("hashing", "encoder", numbers=(4, 2, 7)),
    Change("unseen", "cross", numbers=(0,)),
    Change("edge", "decoder", 3, 7, (2, 1)),
    Change("off", "cross", 3, stand_in="mean"),
    Change("pattern", "encoder", other="Die Katze, „sah“ = 100 % & mehr."),
]


def test_a_change_is_read_as_it_was_written() -> None:
    assert {change.name for change in EVERY} == {*CHANGES} - {"none"}
    for change in EVERY:
        assert " " not in change.text and parse_change(change.text) == change
        assert change_name(change.name)


@pytest.mark.parametrize(
    "text",
    [
        "", "encoder", "encoder.none", "encoder.window", "encoder.window=1,2", "encoder.window=-1",
        "encoder.window=1.5", "encoder.window=nan", "encoder.window=1e99", "encoder.top_k=0", "encoder.hashing=3,1,0",
        "encoder.hashing=1024,1,0", "encoder.hashing=4,99,0", "encoder.dropout=100,0", "encoder.temperature=0",
        "encoder.H1.window=1", "middle.window=1", "encoder.off=sideways", "encoder.pattern", "encoder.edge=1",
        "encoder.strided=1,0",
    ],
)  # fmt: skip
def test_what_is_no_change_is_not_read(text: str) -> None:
    assert parse_change(text) is None


def test_changes_become_interventions_in_their_order_and_heads_that_are_off_come_last() -> None:
    made = interventions([Change(), *EVERY[5:7], EVERY[8]], [("cross", 3, 4)], "uniform")
    assert made == (
        Dropout(Heads("cross", 2), 0.5, 7),
        Hashing(Heads("encoder"), 4, 2, 7),
        Mask.edge(Heads("decoder", 3, 7), 2, 1),
        Ablate(Heads("cross", 3, 4), "uniform"),
    )
    assert interventions([EVERY[-1]]) == (), "no recording to take a pattern from"


def test_another_sentences_pattern_comes_from_its_own_heads() -> None:
    network = bundled_model()
    before, other = (network.record(text) for text in ("Der Hund sah den Ball.", "Die Katze sah den Hund."))
    change = Change("pattern", "encoder", 2, other="Die Katze sah den Hund.")
    after = network.record_changed(before, interventions([change], patterns={change.other: other}))
    assert (after.weights("encoder", layer=2) == other.weights("encoder", layer=2)).all()


@pytest.mark.parametrize("name", ["gpt2", "bert", "bundled"])
def test_presets_are_those_that_a_model_has_something_for_and_run(name: str) -> None:
    network = bundled_model() if name == "bundled" else model(name)
    before = network.record("Der Hund sah den Ball.") if name == "bundled" else network.record_ids(tiny.ids())
    offered = offered_presets(before.kinds)
    assert (
        set(offered)
        == {
            "gpt2": {"sparse", "positional", "buckets"},
            "bert": {"sparse", "causal", "positional", "buckets"},
            "bundled": set(SETTINGS),
        }[name]
    )
    for preset in offered:
        settings = {"kind": before.kinds[0], **SETTINGS[preset]}
        numbers = {"window": (1,), "hashing": (4, 1, 0)}.get(settings["change"], ())
        off = [(settings["kind"], *positional_head(before, settings["kind"]))] if preset == "positional" else []
        made = interventions([Change(settings["change"], settings["kind"], numbers=numbers)], off)
        after = network.record_changed(before, made)
        assert not (before.logits == after.logits).all()


@pytest.mark.parametrize("language", FIRST_EXAMPLES)
def test_each_language_opens_with_another_text(language: str) -> None:
    sentence = FIRST_EXAMPLES[language]
    _kind, heads = OPENINGS[sentence]
    off = [
        Heads(kind, int(layer[1:]), int(head[1:])) for kind, layer, head in (one.split(".") for one in heads.split())
    ]
    network = bundled_model()
    before = network.record(sentence)
    after = network.record_changed(before, [Ablate(head) for head in off])
    assert written_text(network, after) != written_text(network, before)
