"""What the tests of the compare page share."""

from __future__ import annotations

import pytest
from support.bundled import bundled_model

from attnviz.examples import HOME_EXAMPLES
from attnviz.models.recording import Recording


@pytest.fixture(scope="module")
def recording() -> Recording:
    return bundled_model().record(HOME_EXAMPLES[0])
