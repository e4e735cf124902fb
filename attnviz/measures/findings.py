"""What the heads of a model were measured to do: reads the `heads.json` that lies beside the model's weights.

Written by `python -m training evaluate` and `export`; this module only reads it. The file:

    {"schema": 1,
     "weights": "<SHA-256 of model.safetensors, in hexadecimal>",
     "opening_layer": 2,
     "layers": [0.02, 0.05, 0.11, 0.08],
     "heads": [{"kind": "encoder", "layer": 2, "head": 7, "finding": "relation", …}, …]}

`layers` says how much each encoder layer has to show (`training/evaluation/findings.py` says how that is counted),
`opening_layer` is the one that has most, and each entry of `heads` holds the fields of one `Finding`, those without a
value left out.
A file that was made for other weights than those beside it says nothing about them and is not read.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import attnviz

NAME = "heads.json"
WEIGHTS = "model.safetensors"
SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that one head was measured to do.

    Attributes:
        kind, layer, head: which head.
        finding: "relation" (finds one end of a grammatical relation from the other), "position" (looks at a fixed
            offset) or "alignment" (finds the source word of a translated word).
        accuracy: how often it does, in [0, 1].
        baseline: how often what needs no head does: the best fixed offset in words for a relation, the same place in
            the sentence for an alignment; None for a position.
        instances: how many cases were counted, where they were.
        relation: of Universal Dependencies, such as "obj".
        direction: "to_head" or "to_dependent": where the head looks.
        language: code of the treebank's language.
        most_words: only sentences of at most so many words were counted; None where all were that were read.
        offset: in words for a relation's baseline, in tokens for a position; negative is before.
        rows: for an alignment, "own" (a word's row is the one in which the decoder reads it) or "before" (the one in
            which it predicts it).

    Example:
        >>> Finding("encoder", 2, 7, "relation", 0.71, baseline=0.46, relation="obj", direction="to_dependent").relation
        'obj'
    """

    kind: str
    layer: int
    head: int
    finding: str
    accuracy: float
    baseline: float | None = None
    instances: int | None = None
    relation: str | None = None
    direction: str | None = None
    language: str | None = None
    most_words: int | None = None
    offset: int | None = None
    rows: str | None = None


@dataclass(frozen=True, slots=True)
class Findings:
    """All that a `heads.json` says.

    Attributes:
        heads: the most telling first for each head.
        opening_layer: the encoder layer that has most to show.
    """

    heads: tuple[Finding, ...] = ()
    opening_layer: int = 0


def head_findings(name: str, kind: str, layer: int, head: int) -> tuple[Finding, ...]:
    """What a head was measured to do, the most telling first; empty where nothing is known.

    Args:
        name: a model as `attnviz.load` takes it: "bundled" or a folder; of a model on the Hub nothing is known.
        kind, layer, head: which head, as in `Recording.map`.
    """
    return tuple(item for item in findings(name).heads if (item.kind, item.layer, item.head) == (kind, layer, head))


def opening_layer(name: str) -> int:
    """The encoder layer of a model that has most to show; 0 where nothing is known."""
    return findings(name).opening_layer


def findings(name: str) -> Findings:
    """Everything that was measured of a model's heads; empty where there is no file for just these weights."""
    folder = Path(attnviz.__file__).parent / name if name == "bundled" else Path(os.path.expanduser(name))
    try:
        stamps = tuple((folder / file).stat().st_mtime_ns for file in (NAME, WEIGHTS))
    except (OSError, ValueError):
        return Findings()
    return _read(folder, stamps)


@functools.lru_cache(maxsize=8)
def _read(folder: Path, _stamps: tuple[int, ...]) -> Findings:
    """Reads the file; `_stamps`, when the two files were written, makes a newer one be read anew."""
    try:
        content = json.loads((folder / NAME).read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA or content["weights"] != fingerprint(folder / WEIGHTS):
            return Findings()
        return Findings(tuple(_item(entry) for entry in content["heads"]), int(content["opening_layer"]))
    except (OSError, ValueError, KeyError, TypeError):
        # A file of this name in somebody's folder need not be one of ours.
        return Findings()


def _item(entry: dict[str, Any]) -> Finding:
    field_names = {field.name for field in fields(Finding)}
    return Finding(**{name: value for name, value in entry.items() if name in field_names})


def fingerprint(weights: Path) -> str:
    """The SHA-256 of a weights file, in hexadecimal."""
    with weights.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
