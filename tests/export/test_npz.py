"""An export as arrays, read with NumPy alone."""

from __future__ import annotations

import io

import numpy as np
from support.pictures import PICTURES

from attnviz.export import to_npz


def test_numpy_reads_the_arrays_without_pickles() -> None:
    picture = PICTURES["difference"]
    with np.load(io.BytesIO(to_npz(picture)), allow_pickle=False) as file:
        assert set(file) == {
            "picture", *(f"{name}_{index}" for index in range(3) for name in ("weights", "queries", "keys")),
            "hidden_mass_0", "hidden_mass_1",
        }  # fmt: skip
        assert np.array_equal(file["weights_2"], picture.panels[2].weights)
        assert tuple(file["keys_0"].tolist()) == picture.panels[0].key_labels
