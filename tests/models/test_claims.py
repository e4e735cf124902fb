"""A config.json that asks for more than any computer has is refused at once."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from support.pages import save_checkpoint
from support.tiny_tokenizers import wordpiece

import attnviz
from attnviz.errors import LoadError, UnsafeError
from attnviz.models.loading.claims import check_links


def checkpoint(folder: Path, **claims: Any) -> str:
    path = Path(save_checkpoint(folder, "bert", wordpiece()))
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | claims))
    return str(path)


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        ({"num_hidden_layers": 10**12}, "num_hidden_layers = 1e\\+12"),
        ({"num_attention_heads": 10**400}, "num_attention_heads = 1e\\+300"),
        ({"vocab_size": 10**12}, "vocab_size = 1e\\+12"),
        ({"max_position_embeddings": 10**11}, "max_position_embeddings"),
        ({"text_config": {"num_layers": 10**9}}, "num_layers = 1e\\+09"),
        ({"vocab_size": 2**27}, "million parameters by its config.json"),
        ({"hidden_size": 5 * 2**18}, "million parameters by its config.json"),
    ],
)
def test_more_than_any_model_has_is_refused(tmp_path: Path, claims: dict[str, Any], says: str) -> None:
    folder = checkpoint(tmp_path, **claims)
    began = time.process_time()
    with pytest.raises(LoadError, match=says):
        attnviz.load(folder)
    assert time.process_time() - began < 60


def test_what_is_true_is_loaded(tmp_path: Path) -> None:
    assert attnviz.load(checkpoint(tmp_path)).kinds == ("encoder",)


@pytest.mark.parametrize("file", ["../other/model.safetensors", "/etc/passwd", "a/b.safetensors", "..\\\\b", ".."])
def test_weights_outside_the_folder_are_not_read(tmp_path: Path, file: str) -> None:
    folder = checkpoint(tmp_path)
    index = {"metadata": {}, "weight_map": {"embeddings.word_embeddings.weight": file}}
    (Path(folder) / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UnsafeError, match="names a file outside its folder"):
        attnviz.load(folder)


def test_links_lead_nowhere_else_but_in_the_cache_of_the_hub(tmp_path: Path) -> None:
    folder, blob = tmp_path / "hub" / "models--a--b" / "snapshots" / "1", tmp_path / "hub" / "models--a--b" / "blob"
    folder.mkdir(parents=True)
    blob.write_text("{}")
    (folder / "config.json").symlink_to(blob)
    check_links(folder, "a/b")
    (tmp_path / "secret").write_text("secret")
    (folder / "tokenizer.json").symlink_to("../../../../secret")
    with pytest.raises(UnsafeError, match="tokenizer.json"):
        check_links(folder, "a/b")
