"""What if: change the attention of some heads, run the model so, and see what becomes of it.

    Heads ─ which heads ─┐
    Ablate, Mask, TopK, Temperature, Dropout, Hashing, Replace ─ Model.record(interventions=[…]) ─ a Recording
                                                                └ effect ─ both runs, texts, distances
                                                                  head_importance ─ one number a head

Looking at weights does not prove what a head is for; leaving it out does (Michel et al. 2019, "Are Sixteen Heads
Really Better than One?"; Voita et al. 2019, "Analyzing Multi-Head Self-Attention").
"""

from attnviz.interventions.ablation import Ablate
from attnviz.interventions.effect import Effect, effect
from attnviz.interventions.importance import CorpusImportance, head_importance
from attnviz.interventions.masks import Hashing, Mask, TopK
from attnviz.interventions.weights import Dropout, Replace, Temperature
from attnviz.models.recording.changes import Heads, Intervention

__all__ = [
    "Ablate",
    "CorpusImportance",
    "Dropout",
    "Effect",
    "Hashing",
    "Heads",
    "Intervention",
    "Mask",
    "Replace",
    "Temperature",
    "TopK",
    "effect",
    "head_importance",
]
