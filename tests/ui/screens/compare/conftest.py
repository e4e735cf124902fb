"""What the tests of the compare page share."""

from __future__ import annotations

import pytest

import attnviz
from attnviz.examples import HOME_EXAMPLES
from attnviz.models.recording import Recording


@pytest.fixture(scope="module")
def recording() -> Recording:
    return attnviz.load("bundled").record(HOME_EXAMPLES[0])
