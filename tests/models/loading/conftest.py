"""Folders of tiny models, as transformers saves them; and nobody is asked anything at the terminal."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.checkpoints import TOKENIZERS, network


@pytest.fixture(scope="session")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds, by name, the folder of each tiny model as transformers saves it."""
    root = tmp_path_factory.mktemp("models")
    for name, tokenizer in TOKENIZERS.items():
        network(name).save_pretrained(root / name)
        tokenizer().save_pretrained(root / name)
    return root


@pytest.fixture
def copied(saved: Path, tmp_path: Path) -> Path:
    """A copy of BERT's folder, to be spoilt."""
    return Path(shutil.copytree(saved / "bert", tmp_path / "model"))


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that asks at the terminal whether to run a repository's code would wait for an answer on a server."""

    def ask(prompt: str = "") -> str:
        raise AssertionError(f"somebody asked: {prompt}")

    monkeypatch.setattr("builtins.input", ask)
