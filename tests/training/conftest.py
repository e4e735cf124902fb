"""The bundled model, which several tests of the training look at."""

from __future__ import annotations

import pytest

import attnviz
from attnviz.models.model import Model


@pytest.fixture(scope="session")
def bundled() -> Model:
    return attnviz.load("bundled", device="cpu")
