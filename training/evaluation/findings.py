"""From the scores of all heads to `heads.json`: what may be said of which head, and which layer has most to show.

`attnviz/measures/findings.py` reads the file and says what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

import numpy as np

from attnviz.measures.findings import SCHEMA, Finding
from attnviz.roles.measurement import alignment, relations

MOST = 3
"""Findings for each head."""


def heads_file(
    weights: str,
    layers: int,
    heads: int,
    of_relations: dict[int, list[list[relations.Score]]],
    of_positions: Sequence[tuple[int, int, int, float]],
    of_alignments: Sequence[alignment.AlignmentScore],
) -> dict:
    """The content of heads.json.

    Args:
        weights: the fingerprint of the weights file.
        layers, heads: of the encoder.
        of_relations: for each limit on the sentences' words what `relations.scores` gave for all languages.
        of_positions: what `relations.positional` gave.
        of_alignments: what `alignment.scores` gave.
    """
    findings = [*_relations(of_relations), *_positions(of_positions), *_alignments(of_alignments)]
    shows = layer_shows(of_relations[min(of_relations)], layers, heads)
    return {
        "schema": SCHEMA,
        "weights": weights,
        "opening_layer": int(np.argmax(shows)),
        "layers": [round(float(value), 4) for value in shows],
        "heads": [{name: value for name, value in asdict(item).items() if value is not None} for item in findings],
    }


def layer_shows(of_relations: Iterable[list[relations.Score]], layers: int, heads: int) -> np.ndarray:
    """How much each encoder layer has to show: by how much its heads beat a fixed offset, on average.

    For each head the relation, direction and language is taken in which it gains most on the half of the sentences that
    is for choosing; its gain on the other half counts, or 0 where that is negative.

    Returns:
        (layers,) in [0, 1].
    """
    best: dict[tuple[int, int], relations.Score] = {}
    for score in (score for group in of_relations for score in group):
        layer_and_head = (score.layer, score.head)
        if layer_and_head not in best or score.chosen_gain > best[layer_and_head].chosen_gain:
            best[layer_and_head] = score
    gains = np.zeros((layers, heads))
    for layer_and_head, score in best.items():
        gains[layer_and_head] = max(score.gain, 0.0)
    return gains.mean(axis=1)


def _relations(of_relations: dict[int, list[list[relations.Score]]]) -> list[Finding]:
    """The findings that hold on both halves; longer sentences before shorter ones, of which they are the harder.

    Of each head those come first in which no other head is better, so that heads beside each other are told apart: many
    gain most where it is easy to gain. A relation that it follows in several languages is named once.
    """
    by_head: dict[tuple[int, int], dict[tuple[str, str, str], tuple[bool, int, relations.Score]]] = {}
    for most_words in sorted(of_relations, reverse=True):
        for group in of_relations[most_words]:
            for score in group:
                if score.holds:
                    relation = (score.language, score.relation, score.direction)
                    entry = (score is not group[0], most_words, score)
                    by_head.setdefault((score.layer, score.head), {}).setdefault(relation, entry)
    result = []
    for layer_and_head in sorted(by_head):
        ordered = sorted(by_head[layer_and_head].values(), key=lambda entry: (entry[0], -entry[2].chosen_gain))
        by_relation: dict[tuple[str, str], tuple[int, relations.Score]] = {}
        for _beaten, most_words, score in ordered:
            by_relation.setdefault((score.relation, score.direction), (most_words, score))
        result += [
            Finding(
                "encoder",
                *layer_and_head,
                finding="relation",
                accuracy=round(score.accuracy, 3),
                baseline=round(score.offset_accuracy, 3),
                instances=score.instances,
                relation=score.relation,
                direction=score.direction,
                language=score.language,
                # The whole sample needs no mention.
                most_words=None if most_words == max(of_relations) else most_words,
                offset=score.offset,
            )
            for most_words, score in list(by_relation.values())[:MOST]
        ]
    return result


def _positions(heads: Sequence[tuple[int, int, int, float]]) -> list[Finding]:
    return [
        Finding("encoder", layer, head, "position", round(share, 3), offset=offset)
        for layer, head, offset, share in heads
    ]


def _alignments(scores: Sequence[alignment.AlignmentScore]) -> list[Finding]:
    return [
        Finding(
            "cross",
            score.layer,
            score.head,
            "alignment",
            round(score.accuracy, 3),
            baseline=round(score.diagonal, 3),
            instances=score.words,
            rows=score.rows,
        )
        for score in scores
        if score.head is not None and score.holds
    ]
