"""Panels as text: what an address says of them, and what is left of a damaged one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.hostile import HOSTILE

from attnviz.models.recording.recording import Recording
from attnviz.ui.screens.compare import panels
from attnviz.ui.screens.compare.panels import Panel, Panels

FILL = (Panel("encoder", 0, 0), Panel("encoder", 0, 1))


# Panels as text -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "all_of_them",
    [
        Panels((Panel("encoder", 2, 5), Panel("encoder", 0, 3))),
        Panels((Panel("cross", 1, "mean"), Panel("encoder", "max", 0), Panel("decoder", 3, "rollout")), (2, 0), 1),
        Panels(
            (Panel("encoder", 2, 5, sentence=HOSTILE), Panel("encoder", "mean", "max", target=HOSTILE, model="a b"))
        ),
        Panels((Panel("encoder"),) * 6, (4, 5), 5),
    ],
)
def test_panels_come_back_from_their_text(all_of_them: Panels) -> None:
    assert panels.parse_text(all_of_them.text, FILL) == (all_of_them, [])
    message = {
        "panels": [
            {name: getattr(panel, name) for name in ("kind", "layer", "head", "sentence", "target", "model")}
            for panel in all_of_them.panels
        ],
        "compared": list(all_of_them.compared),
        "chosen": all_of_them.chosen,
    }
    assert panels.parse_message(json.loads(json.dumps(message))) == all_of_them


@pytest.mark.parametrize(
    ("text", "left", "said"),
    [
        ("encoder.L2.H5 nonsense encoder.L0.H1", ["encoder.L2.H5", "encoder.L0.H1"], "nonsense"),
        ("<script>alert(1)</script>", ["encoder.L0.H0", "encoder.L0.H1"], "at least two panels"),
        ("encoder.L2.H5", ["encoder.L2.H5", "encoder.L0.H1"], "encoder.L0.H1 is shown as well"),
        ("encoder.L2.H5 " * 9, ["encoder.L2.H5"] * 6, "9 panels; the first 6"),
        ('encoder.L2.H5 sentence="open', ["encoder.L2.H5", "encoder.L0.H1"], "cannot be read"),
        ('sentence="of nobody" encoder.L2.H5 cross.L0.max', ["encoder.L2.H5", "cross.L0.max"], "of nobody"),
        (r'encoder.L2.H5 sentence="\q" cross.L0.max', ["encoder.L2.H5", "cross.L0.max"], "cannot be read"),
        ("encoder.L2.H5 cross.L0.max difference=A-F", ["encoder.L2.H5", "cross.L0.max"], "no difference A − F"),
        ("encoder.L2.H5 cross.L0.max like=E", ["encoder.L2.H5", "cross.L0.max", ], "no panel E"),
        ("encoder.L2.rollout.H5 encoder.rollout.H1", ["encoder.L0.H0", "encoder.L0.H1"], "cannot be read"),
    ],
)  # fmt: skip
def test_a_damaged_text_is_read_as_far_as_it_goes(text: str, left: list[str], said: str) -> None:
    found, remarks = panels.parse_text(text, FILL)
    assert [panel.text for panel in found.panels] == left
    assert found.compared == (0, 1) and found.chosen == 0
    assert said in " ".join(remarks)


def test_halves_of_surrogate_pairs_do_not_get_far() -> None:
    found, _remarks = panels.parse_text(r'encoder.L0.H0 sentence="a\ud83db" encoder.L0.H1', FILL)
    found.panels[0].sentence.encode()


def test_an_endless_text_is_read_quickly() -> None:
    for text in ('a="' * 300_000, 'encoder.L0.H0 sentence="' + "\\" * 600_000, "x" * 1_000_000):
        found, remarks = panels.parse_text(text, FILL)
        assert len(found.panels) == 2 and remarks
        assert len(" ".join(remarks)) < 500


@pytest.mark.parametrize(
    "message",
    [
        None,
        "encoder.L0.H0",
        {"panels": []},
        {"panels": [{"kind": "encoder", "layer": 0, "head": 0}] * 2, "compared": [0, 1], "chosen": 0},
    ],
)
def test_what_is_no_message_changes_nothing(message: object) -> None:
    assert panels.parse_message(message) is None


@pytest.mark.parametrize("change", [{"head": -1}, {"head": True}, {"layer": "all"}, {"layer": 1.5}, {"sentence": 3}])
def test_what_is_no_panel_changes_nothing(change: dict[str, Any]) -> None:
    good = {"kind": "encoder", "layer": 0, "head": 0, "sentence": "", "target": "", "model": ""}
    assert panels.parse_message({"panels": [good, good], "compared": [0, 1], "chosen": 0}) is not None
    assert panels.parse_message({"panels": [good, good | change], "compared": [0, 1], "chosen": 0}) is None


def test_a_head_is_put_beside_the_chosen_panel() -> None:
    two = Panels((Panel("encoder", 2, 5, sentence="Hm."), Panel("encoder", 0, 1)))
    three = two.with_head(3, 7)
    assert three.panels[1] == Panel("encoder", 3, 7, sentence="Hm.")
    assert (len(three.panels), three.compared, three.chosen) == (3, (0, 1), 0)
    assert three.with_head(3, 7) == three  # it is there already
    full = Panels((Panel("encoder"),) * 5 + (Panel("cross"),), chosen=5).with_head(1, 1)
    assert full.panels[4] == Panel("cross", 1, 1) and full.panels[5] == Panel("cross")
    assert full.compared == (5, 4) and len(full.panels) == 6


def test_what_is_out_of_range_is_replaced_and_said() -> None:
    panel, said = panels.fit_range(Panel("encoder", 99, 77), 4, 8)
    assert panel == Panel("encoder", 3, 7) and len(said) == 2 and "no layer 99" in said[0] and "no head 77" in said[1]
    panel, said = panels.fit_range(Panel("encoder", "mean", "rollout"), 4, 8)
    assert panel == Panel("encoder", 3, "rollout") and said
    assert panels.fit_range(Panel("encoder", "max", "mean"), 4, 8)[1] == []


@pytest.mark.parametrize(
    ("panel", "name"),
    [
        (Panel("encoder", 2, 5), "L2 H5"),
        (Panel("cross", 1, "mean"), "L1 mean"),
        (Panel("encoder", "max", 3), "L0–3 max H3"),
        (Panel("encoder", "mean", "mean"), "L0–3 mean"),
        (Panel("decoder", 2, "rollout"), "rollout L2"),
    ],
)
def test_each_panel_has_its_map(recording: Recording, panel: Panel, name: str) -> None:
    assert panels.panel_map(recording, panel).name == name
