"""Models that the tests of a generation share."""

from __future__ import annotations

import pytest
from support import tiny_models
from support import tiny_tokenizers as tokenizers_for_tests
from support.bundled import bundled_model

from attnviz.models.model import Model


@pytest.fixture(scope="module")
def bundled() -> Model:
    return bundled_model()


# Gaps -----------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def masked() -> Model:
    tokenizer = tokenizers_for_tests.wordpiece()
    return Model(tiny_models.network("bert", vocab_size=len(tokenizer)), tokenizer)
