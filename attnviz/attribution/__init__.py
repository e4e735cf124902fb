"""Why that output, and why that weight: what words contributed to a prediction, and what a score is made of.

    text ─ attribute ─ Attribution: how much each word contributed, by one of METHODS
                       ├ faithfulness ─ what the prediction does without the words that it names
                       └ agreement ─ how far several methods say the same
    why_attends ─ the score of one query and one key, split into what made it

Attention weights alone explain little (Jain & Wallace 2019, "Attention is not Explanation"; Wiegreffe & Pinter 2019,
"Attention is not not Explanation"), so there are several methods, and ways to measure them. The names below are
resolved when they are first asked for, because what computes them imports torch, for which the controls of a page do
not wait.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnviz.attribution.methods import METHODS, AttributionMatrix, Method, attribute, attribution_matrix
    from attnviz.attribution.result import Attribution
    from attnviz.attribution.scores.score_split import ScorePart, ScoreSplit, split_score, why_attends
    from attnviz.attribution.trust.changed_weights import ChangedWeights, change_weights
    from attnviz.attribution.trust.rank_agreement import Agreement, agreement
    from attnviz.attribution.trust.removal_curves import Faithfulness, faithfulness

__all__ = [
    "METHODS",
    "Agreement",
    "Attribution",
    "AttributionMatrix",
    "ChangedWeights",
    "Faithfulness",
    "Method",
    "ScorePart",
    "ScoreSplit",
    "agreement",
    "attribute",
    "attribution_matrix",
    "change_weights",
    "faithfulness",
    "split_score",
    "why_attends",
]

_HOMES = {
    "trust.changed_weights": ("ChangedWeights", "change_weights"),
    "trust.rank_agreement": ("Agreement", "agreement"),
    "trust.removal_curves": ("Faithfulness", "faithfulness"),
    "methods": ("METHODS", "AttributionMatrix", "Method", "attribute", "attribution_matrix"),
    "result": ("Attribution",),
    "scores.score_split": ("ScorePart", "ScoreSplit", "split_score", "why_attends"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"attnviz.attribution.{home}"), name)
    raise AttributeError(f"module 'attnviz.attribution' has no attribute {name!r}")
