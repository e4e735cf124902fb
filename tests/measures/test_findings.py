"""What `heads.json` says of heads: read where it belongs to the weights, nothing otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from support.bundled import bundled_model
from support.training import BUNDLED

from attnviz.measures import findings
from attnviz.measures.findings import Finding
from attnviz.ui.components.heads.head_findings import finding_text


def test_the_bundled_heads_file_belongs_to_the_bundled_weights() -> None:
    content = json.loads((BUNDLED / "heads.json").read_text(encoding="utf-8"))
    assert content["weights"] == findings.fingerprint(BUNDLED / "model.safetensors")
    assert (BUNDLED / "heads.json").stat().st_size < 60_000


def test_what_is_said_of_bundled_heads_is_of_heads_that_are_there() -> None:
    found = findings.findings("bundled")
    recording = bundled_model().record("Der Hund sah den Ball.")
    assert found.heads
    for item in found.heads:
        layers, heads, _, _ = recording.size(item.kind)
        assert 0 <= item.layer < layers and 0 <= item.head < heads
        assert 0 <= item.accuracy <= 1
        assert item in findings.head_findings("bundled", item.kind, item.layer, item.head)
        assert "dependent" not in finding_text(item)  # it has an everyday name
    assert 0 <= findings.opening_layer("bundled") < recording.size("encoder")[0]


@pytest.mark.parametrize("name", ["google-t5/t5-small", "no/such/folder", "\0", "~nobody/x"])
def test_of_other_models_nothing_is_known(name: str) -> None:
    assert findings.head_findings(name, "encoder", 0, 0) == ()
    assert findings.opening_layer(name) == 0


@pytest.mark.parametrize("change", ["weights", "not json", "schema", "another file", "a field too few"])
def test_a_heads_file_that_does_not_fit_is_not_read(tmp_path: Path, change: str) -> None:
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(b"weights")
    entry = {"kind": "encoder", "layer": 1, "head": 2, "finding": "position", "accuracy": 0.95, "offset": -1}
    content = {"schema": 1, "weights": findings.fingerprint(weights), "opening_layer": 1, "heads": [entry]}
    (tmp_path / "heads.json").write_text(json.dumps(content))
    assert findings.head_findings(str(tmp_path), "encoder", 1, 2) == (Finding(**entry),)
    if change == "weights":
        weights.write_bytes(b"other weights")
    elif change == "not json":
        (tmp_path / "heads.json").write_text("{")
    elif change == "schema":
        (tmp_path / "heads.json").write_text(json.dumps({**content, "schema": 2}))
    elif change == "another file":
        (tmp_path / "heads.json").write_text("[1, 2]")
    else:
        del entry["finding"]
        (tmp_path / "heads.json").write_text(json.dumps(content))
    assert findings.findings(str(tmp_path)) == findings.Findings()
