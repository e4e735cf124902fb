"""From the scores of the heads to what is said of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from attnviz.measures import findings
from attnviz.measures.findings import Finding
from attnviz.roles.measurement import alignment, relations
from training.evaluation.findings import heads_file, layer_shows


def score(gain: float, chosen_gain: float, head: int = 0, layer: int = 0, relation: str = "obj") -> relations.Score:
    low = 0.4 + gain / 2
    return relations.Score("de", relation, "to_dependent", layer, head, 0.4 + gain, 2, 0.4, 60, chosen_gain, low, 1.0)


def test_a_head_is_said_to_do_only_what_holds_on_both_halves() -> None:
    groups = {
        40: [[score(0.2, 0.3, 0), score(0.2, 0.05, 1)]],
        12: [[score(0.3, 0.4, 0), score(0.05, 0.3, 1)], [score(0.11, 0.11, 1, relation="amod")]],
    }
    aligned = [
        alignment.AlignmentScore(0, 1, "before", 0.8, 0.5, 90, 0.2, 0.6, 1.0),
        alignment.AlignmentScore(0, 0, "own", 0.55, 0.5, 90, 0.2, 0.51, 1.0),
        alignment.AlignmentScore(0, None, "before", 0.9, 0.5, 90, 0.3, 0.6, 1.0),
    ]
    content = heads_file("abc", 1, 2, groups, [(0, 1, -1, 0.93)], aligned)
    assert [findings._item(entry) for entry in content["heads"]] == [
        Finding("encoder", 0, 0, "relation", 0.6, 0.4, 60, "obj", "to_dependent", "de", offset=2),
        Finding("encoder", 0, 1, "relation", 0.51, 0.4, 60, "amod", "to_dependent", "de", 12, offset=2),
        Finding("encoder", 0, 1, "position", 0.93, offset=-1),
        Finding("cross", 0, 1, "alignment", 0.8, 0.5, 90, rows="before"),
    ]


def test_a_head_is_told_apart_by_what_no_other_head_does_better() -> None:
    def of(language: str, relation: str, gains: dict[int, float]) -> list[relations.Score]:
        return [replace(score(gain, gain, head, 0, relation), language=language) for head, gain in gains.items()]

    groups = [
        of("de", "cop", {0: 0.5, 1: 0.4}),
        of("nl", "cop", {0: 0.45, 1: 0.42}),
        of("de", "obj", {1: 0.15, 0: 0.12}),
        of("en", "obj", {1: 0.2}),
        of("de", "aux", {0: 0.3, 1: 0.3}),
        of("de", "amod", {0: 0.25}),
    ]
    content = heads_file("abc", 1, 2, {40: groups}, [], [])
    assert [(entry["head"], entry["relation"], entry["language"]) for entry in content["heads"]] == [
        (0, "cop", "de"),
        (0, "aux", "de"),
        (0, "amod", "de"),
        (1, "obj", "en"),
        (1, "cop", "nl"),
        (1, "aux", "de"),
    ]


def test_the_opening_layer_is_the_one_whose_heads_gain_most() -> None:
    groups = [
        [score(0.3, 0.1, 0, 0), score(-0.2, 0.4, 1, 0)],
        [score(0.1, 0.2, 0, 0), score(0.2, 0.2, 0, 1), score(0.4, 0.3, 1, 1)],
    ]
    # Of each head what was best on the half for choosing: 0.1 and nothing; 0.2 and 0.4.
    np.testing.assert_allclose(layer_shows(groups, 2, 2), [0.05, 0.3])
