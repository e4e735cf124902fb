"""What the tests of the compare page share."""

from __future__ import annotations

import pytest
from support.bundled import bundled_model

from attnviz.models.recording.recording import Recording


@pytest.fixture(scope="module")
def recording() -> Recording:
    return bundled_model().record("Der Hund sah den Ball.")
