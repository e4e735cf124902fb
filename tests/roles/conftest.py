"""The bundled model, which several tests of this folder look at."""

from __future__ import annotations

import pytest
from support.bundled import bundled_model

from attnviz.models.model import Model


@pytest.fixture(scope="session")
def bundled() -> Model:
    return bundled_model()
