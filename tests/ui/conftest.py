"""Folders with models of their own, which tests of several pages choose."""

from __future__ import annotations

import pytest
from support import tiny_tokenizers as tokenizers_for_tests
from support.pages import save_checkpoint


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder such as somebody would choose: an encoder with 3 layers of 5 heads."""
    return save_checkpoint(tmp_path_factory.mktemp("bert"), "bert", tokenizers_for_tests.wordpiece())
