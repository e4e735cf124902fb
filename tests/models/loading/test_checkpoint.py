"""Folders with something wrong: refused with a sentence, and no code of theirs is run."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from support.checkpoints import TEXT, config_of, network, weights_of, with_code
from support.tiny_tokenizers import wordpiece

import attnviz
from attnviz.errors import (
    InputError,
    LoadError,
    MemoryShortError,
    NoAttentionError,
    NotFoundError,
    NoTokenizerError,
    UnsafeError,
)


@pytest.mark.parametrize("name", ["", " ", "\n"])
def test_no_name(name: str) -> None:
    with pytest.raises(InputError, match=r'Name a model: "bundled", a folder, or a Hub id such as'):
        attnviz.load(name)


@pytest.mark.parametrize("name", ["/no/such/folder", "./none", "../none", "~nobody/none", "a/b/c", "C:\\models\\bert"])
def test_a_folder_that_does_not_exist(name: str) -> None:
    with pytest.raises(NotFoundError, match=r"^The folder .* does not exist\. Give a folder that holds config\.json, "):
        attnviz.load(name)


def test_a_file_in_place_of_a_folder(saved: Path) -> None:
    with pytest.raises(NotFoundError, match=r"config\.json is a file, not a folder\. Give a folder that holds"):
        attnviz.load(str(saved / "bert" / "config.json"))


def test_a_folder_without_a_configuration(copied: Path) -> None:
    (copied / "config.json").unlink()
    with pytest.raises(NotFoundError, match=r"holds no config\.json, so it is no model in Hugging Face format"):
        attnviz.load(str(copied))


@pytest.mark.parametrize(
    ("settings", "called"),
    [
        ('{"base_model_name_or_path": "owner/base", "peft_type": "LORA"}', "of owner/base"),
        ('{"base_model_name_or_path": null}', "of another model"),
        ("[", "of another model"),
    ],
)
def test_a_folder_of_an_adapter_is_told_from_a_model(copied: Path, settings: str, called: str) -> None:
    (copied / "config.json").unlink()
    (copied / "adapter_config.json").write_text(settings)
    with pytest.raises(LoadError, match=rf"is an adapter {called} \(from LoRA or the like\).* Merge the two with peft"):
        attnviz.load(str(copied))


@pytest.mark.parametrize(
    "name", ["x" * 10_000, "nul\0byte", "/nul\0byte", "mein modell", "..", "a" * 300, "<img src=x>", "ü/b"]
)
def test_names_that_cannot_be(name: str) -> None:
    """None of them is asked of a network: they are no Hub ids."""
    with pytest.raises(
        LoadError, match="no model .* on the Hub, and no folder|does not exist|no config.json"
    ) as caught:
        attnviz.load(name)
    assert len(str(caught.value)) < 600, "a message for a person to read"


class Trap:
    """A pickle of it makes a file when it is opened."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> Any:
        return Path.touch, (self.marker,)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "tf_model.h5", "flax_model.msgpack", "weights.ckpt"])
def test_pickled_weights_are_refused_unopened(name: str, copied: Path, tmp_path: Path) -> None:
    (copied / "model.safetensors").unlink()
    (copied / name).write_bytes(pickle.dumps(Trap(tmp_path / "opened")))
    with pytest.raises(
        UnsafeError, match=rf"only as {name}, a format that can run code when it is opened, so attnviz does"
    ):
        attnviz.load(str(copied))
    assert not (tmp_path / "opened").exists()


def test_pickled_weights_beside_safe_ones_are_left_alone(copied: Path, tmp_path: Path) -> None:
    (copied / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(tmp_path / "opened")))
    assert attnviz.load(str(copied)).kinds == ("encoder",)
    assert not (tmp_path / "opened").exists()


def test_pickled_weights_are_not_opened_where_the_only_safe_ones_are_of_something_else(
    copied: Path, tmp_path: Path
) -> None:
    (copied / "model.safetensors").rename(copied / "adapter_model.safetensors")
    (copied / "pytorch_model.bin").write_bytes(pickle.dumps(Trap(tmp_path / "opened")))
    with pytest.raises(LoadError, match="could not be loaded: .*model.safetensors"):
        attnviz.load(str(copied))
    assert not (tmp_path / "opened").exists()


def test_a_folder_without_weights(copied: Path) -> None:
    (copied / "model.safetensors").unlink()
    with pytest.raises(NotFoundError, match=r"has no \*\.safetensors file, so there are no weights to load"):
        attnviz.load(str(copied))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"model_type": "own"}, "needs code of its own to run, and attnviz runs no code from a model's repository"),
        ({"architectures": ["OwnModel"]}, r"needs code of its own \(OwnModel\), and attnviz runs no code"),
    ],
)
def test_code_in_a_repository_is_refused_and_not_run(
    changes: dict[str, Any], text: str, copied: Path, tmp_path: Path
) -> None:
    with_code(copied, tmp_path / "run", **changes)
    with pytest.raises(UnsafeError, match=text):
        attnviz.load(str(copied))
    assert not (tmp_path / "run").exists()


def test_a_model_that_needs_no_code_is_loaded_without_the_code_beside_it(copied: Path, tmp_path: Path) -> None:
    with_code(copied, tmp_path / "run")
    path = copied / "tokenizer_config.json"
    own = {"auto_map": {"AutoTokenizer": ["own.OwnTokenizer", None]}}
    path.write_text(json.dumps(json.loads(path.read_text()) | own))
    assert attnviz.load(str(copied)).record(TEXT).kinds == ("encoder",)
    assert not (tmp_path / "run").exists()


def test_a_tokenizer_that_needs_code_is_refused(copied: Path, tmp_path: Path) -> None:
    with_code(copied, tmp_path / "run")
    (copied / "tokenizer.json").unlink()
    own = {"auto_map": {"AutoTokenizer": ["own.OwnTokenizer", None]}, "tokenizer_class": "OwnTokenizer"}
    (copied / "tokenizer_config.json").write_text(json.dumps(own))
    with pytest.raises(LoadError, match="The tokenizer in .* could not be loaded"):
        attnviz.load(str(copied))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("setting", ["owner/kernel", "owner/kernel:run", "flash_attention_2", "no_such_thing"])
def test_the_attention_that_a_configuration_asks_for_is_not_fetched(setting: str, copied: Path) -> None:
    """Whatever was used in training, and kernels are code."""
    config_of(copied, attn_implementation=setting, _attn_implementation=setting)
    model = attnviz.load(str(copied))
    assert model.network.config._attn_implementation in ("sdpa", "eager")
    assert model.record(TEXT).by_capture


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"{", "config.json"),
        (b"", "config.json"),
        (b"[1, 2]", "config.json"),
        (b'"bert"', "config.json"),
        (b"\xff\xfe\x00", "config.json"),
        (b"{}", "which the installed transformers .* cannot build"),
        (
            b'{"model_type": "no-such-type"}',
            "is of type 'no-such-type', which the installed transformers .* cannot build",
        ),
        (b'{"model_type": 5}', "which the installed transformers .* cannot build"),
    ],
)
def test_a_broken_configuration(content: bytes, text: str, copied: Path) -> None:
    (copied / "config.json").write_bytes(content)
    with pytest.raises(LoadError, match=text):
        attnviz.load(str(copied))


def test_a_configuration_of_another_shape_than_the_weights(copied: Path) -> None:
    config_of(copied, hidden_size=35)
    with pytest.raises(LoadError, match="could not be loaded: .*"):
        attnviz.load(str(copied))


def test_a_quantised_checkpoint_without_its_package(copied: Path) -> None:
    config_of(copied, quantization_config={"quant_method": "gptq", "bits": 4})
    with pytest.raises(LoadError, match="could not be loaded: .*"):
        attnviz.load(str(copied))


@pytest.mark.parametrize("keep", [0, 7, 1000, -1])
def test_broken_weights(keep: int, copied: Path) -> None:
    path = copied / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(LoadError, match="could not be loaded: .*"):
        attnviz.load(str(copied))


def test_a_missing_part_of_the_weights(tmp_path: Path) -> None:
    network("bert").save_pretrained(tmp_path, max_shard_size="40KB")
    wordpiece().save_pretrained(tmp_path)
    sorted(tmp_path.glob("*.safetensors"))[1].unlink()
    with pytest.raises(LoadError, match="could not be loaded: .*"):
        attnviz.load(str(tmp_path))


@pytest.mark.parametrize(
    ("lost", "text"),
    [
        ("attention.self.query", r"lacks weights \(bert\.encoder\.layer\.0\.attention\.self\.query\.bias and 5 more\)"),
        ("layer.1.output.dense.weight", r"lacks weights \(bert\.encoder\.layer\.1\.output\.dense\.weight\)"),
        ("word_embeddings", r"lacks weights \(bert\.embeddings\.word_embeddings\.weight"),
        ("", r"lacks weights \(bert\.embeddings\..* and \d+ more\)"),
    ],
)
def test_weights_that_are_not_there_are_not_made_up(lost: str, text: str, copied: Path) -> None:
    weights_of(copied, lambda name: lost not in name and (lost != "word_embeddings" or "decoder" not in name))
    with pytest.raises(LoadError, match=text):
        attnviz.load(str(copied))


@pytest.mark.parametrize("content", [b"{", b"", b"{}", b"[]"])
def test_a_broken_tokenizer(content: bytes, copied: Path) -> None:
    (copied / "tokenizer.json").write_bytes(content)
    with pytest.raises(
        LoadError, match="The tokenizer in .* could not be loaded: .* Save it again with save_pretrained"
    ):
        attnviz.load(str(copied))


def test_a_folder_without_a_tokenizer_still_records_ids(copied: Path) -> None:
    for path in copied.glob("tokenizer*"):
        path.unlink()
    model = attnviz.load(str(copied))
    assert model.tokenizer is None
    assert model.record_ids([5, 7, 11]).size("encoder") == (3, 5, 3, 3)
    with pytest.raises(NoTokenizerError, match="has no tokenizer, so it cannot read text"):
        model.record(TEXT)


def test_a_model_of_pictures_is_loaded_but_has_nothing_to_show(tmp_path: Path) -> None:
    config = transformers.ViTConfig(
        hidden_size=30, num_hidden_layers=2, num_attention_heads=5, intermediate_size=41, image_size=14, patch_size=7
    )
    transformers.ViTModel(config).save_pretrained(tmp_path)
    with pytest.raises(NoAttentionError, match="ViTModel .*"):
        _ = attnviz.load(str(tmp_path)).kinds


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("full"), MemoryError(), RuntimeError("can't allocate memory")]
)
def test_a_model_that_does_not_fit(error: Exception, saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(transformers.BertForMaskedLM, "from_pretrained", fail)
    with pytest.raises(
        MemoryShortError, match=r'does not fit into the memory of cpu\. Choose a smaller model, dtype="float16"'
    ):
        attnviz.load(str(saved / "bert"))


def test_a_revision_of_a_folder_is_not_ignored(saved: Path) -> None:
    for name in (str(saved / "bert"), "bundled"):
        with pytest.raises(InputError, match="has no revisions; .* Leave `revision` out"):
            attnviz.load(name, revision="v1")
