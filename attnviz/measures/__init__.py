"""What a head does, in numbers; how far two heads are apart, and where they differ.

    a map, or all of a recording ─ measure, measure_all ─ Measures
    two maps ─ aligned ─ divergence, difference ─ Difference
    all heads of a recording ─ divergences ─ multidimensional_scaling ─ a point for each head

Works on numpy arrays; asks a recording for its maps and knows no torch.
"""

from attnviz.measures.correspondence import aligned
from attnviz.measures.distances import Difference, difference, divergence, divergences, resolution
from attnviz.measures.head_measures import Measures, measure, measure_all
from attnviz.measures.scaling import multidimensional_scaling

__all__ = [
    "Difference", "Measures", "aligned", "difference", "divergence", "divergences", "measure", "measure_all",
    "multidimensional_scaling", "resolution",
]  # fmt: skip
