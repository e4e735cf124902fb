"""The bundled model and folders: the network and the tokenizer that were saved, in the precision asked for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors import safe_open
from support.checkpoints import ROOT, TEXT, TOKENIZERS, config_of, network, weights_of
from support.tiny_tokenizers import unigram, wordpiece

import attnviz
from attnviz.errors import InputError, LoadError

# ---------------------------------------------------------------------------------------------------------------------
# The bundled model


def test_the_bundled_model() -> None:
    model = attnviz.load("bundled")
    assert (model.name, model.revision, model.device, model.dtype) == (
        "bundled",
        None,
        torch.device("cpu"),
        torch.float32,
    )
    config = model.network.config
    assert model.kinds == ("encoder", "decoder", "cross")
    recording = model.record(TEXT, generate=7)
    assert recording.by_capture
    layers, heads, queries, keys = recording.size("encoder")
    assert (layers, heads) == (config.encoder_layers, config.encoder_attention_heads) and heads == 8
    assert queries == keys == len(recording.query_tokens("encoder")) == 7, "six words and signs, and the end"
    assert recording.size("cross")[0] == config.decoder_layers and recording.size("cross")[3] == 7
    assert recording.logits is not None and recording.logits.shape[1] == len(model.tokenizer) == config.vocab_size
    assert model.max_tokens and model.max_tokens >= 256


def test_the_bundled_files_are_small_and_hold_half_precision_only() -> None:
    folder = ROOT / "attnviz" / "bundled"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 25_000_000
    assert not [path for path in folder.iterdir() if path.suffix in (".bin", ".pt", ".pth", ".pkl", ".py")]
    with safe_open(folder / "model.safetensors", "pt") as weights:
        assert {weights.get_slice(name).get_dtype() for name in weights.keys()} == {"F16"}  # noqa: SIM118
    # Images are built from this folder and run as another user: none of it may be for its owner's eyes only.
    modes = {path.name: oct(path.stat().st_mode & 0o044) for path in folder.iterdir()}
    assert len(set(modes.values())) == 1, modes


def test_the_bundled_tokenizer_knows_the_languages_and_common_words() -> None:
    tokenizer = attnviz.load("bundled").tokenizer
    for word in ("Der", "Hund", "sah", "den", "Ball", "Lehrer", "teacher", "student", "book"):
        assert len(tokenizer(f"a {word}", add_special_tokens=False)["input_ids"]) == 2, word
    special = {str(token) for token in tokenizer.added_tokens_decoder.values() if token.special}
    assert {">>en<<", ">>de<<"} <= special
    for text in ("De kat zit op de mat.", "学生在写作业。", "The teacher taught 😀 – “so”."):
        ids = tokenizer(text)["input_ids"]
        assert tokenizer.unk_token_id not in ids and ids[-1] == tokenizer.eos_token_id
        assert tokenizer.decode(ids, skip_special_tokens=True).strip() == text


def test_importing_the_package_is_light() -> None:
    program = "import sys, attnviz, attnviz.errors; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "attnviz" in loaded.split()
    assert not {"torch", "transformers", "streamlit", "numpy", "plotly", "huggingface_hub"} & set(loaded.split())


# ---------------------------------------------------------------------------------------------------------------------
# Folders


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_folder_gives_the_network_and_the_tokenizer_that_were_saved(name: str, saved: Path) -> None:
    model = attnviz.load(str(saved / name))
    assert type(model.network) is type(network(name)) and not model.network.training
    assert model.name == str(saved / name) and model.revision is None
    expected = attnviz.Model(network(name), TOKENIZERS[name]()).record(TEXT)
    found = model.record(TEXT)
    assert found.kinds == expected.kinds
    for kind in found.kinds:
        assert found.query_tokens(kind) == expected.query_tokens(kind)
        torch.testing.assert_close(found.weights(kind, layer=1), expected.weights(kind, layer=1), atol=1e-6, rtol=0.0)
    torch.testing.assert_close(found.logits, expected.logits, atol=1e-5, rtol=0.0)


def test_a_folder_can_be_named_in_several_ways(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(saved)
    monkeypatch.setenv("HOME", str(saved))
    for name in (saved / "bert", "bert", "./bert", "~/bert", f" {saved / 'bert'}/ "):
        assert attnviz.load(name).kinds == ("encoder",)


@pytest.mark.parametrize(
    ("name", "class_name"),
    [
        ("bert", "BertForMaskedLM"),
        ("gpt2", "GPT2LMHeadModel"),
        ("t5", "T5ForConditionalGeneration"),
        ("marian", "MarianMTModel"),
    ],
)
@pytest.mark.parametrize(
    "architectures", [None, [], ["NoSuchClass"], ["Trainer"], ["AutoModel"], ["pipeline"], [5], "Model"]
)
def test_where_no_architecture_is_named_the_one_with_a_language_head_is_taken(
    name: str, class_name: str, architectures: Any, saved: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(saved / name, tmp_path / name))
    config_of(folder, architectures=architectures)
    model = attnviz.load(str(folder))
    assert type(model.network).__name__ == class_name
    with torch.no_grad():
        given = model.network(**model.network.dummy_inputs).logits
        assert torch.equal(given, network(name).to(torch.float32)(**model.network.dummy_inputs).logits)


def test_a_network_without_a_language_head_gives_no_logits(copied: Path) -> None:
    """Else it would get a head that nobody trained, and logits that mean nothing."""
    for architectures in (None, ["BertModel"], ["BertForMaskedLM"]):
        weights_of(copied, lambda name: not name.startswith("cls."))
        config_of(copied, architectures=architectures)
        recording = attnviz.load(str(copied)).record(TEXT)
        assert recording.logits is None
        expected = attnviz.Model(network("bert"), wordpiece()).record(TEXT)
        torch.testing.assert_close(recording.weights("encoder", layer=2), expected.weights("encoder", layer=2))


@pytest.mark.parametrize("architecture", ["BertModel", "BertForSequenceClassification", "BertForQuestionAnswering"])
def test_other_heads(architecture: str, saved: Path, tmp_path: Path) -> None:
    made = getattr(transformers, architecture)(network("bert").config)
    made.save_pretrained(tmp_path / "model")
    wordpiece().save_pretrained(tmp_path / "model")
    model = attnviz.load(str(tmp_path / "model"))
    assert type(model.network).__name__ == architecture
    recording = model.record(TEXT)
    assert recording.kinds == ("encoder",) and recording.by_capture and recording.logits is None


def test_weights_in_several_files(saved: Path, tmp_path: Path) -> None:
    network("t5").save_pretrained(tmp_path / "model", max_shard_size="40KB")
    unigram().save_pretrained(tmp_path / "model")
    assert len(list((tmp_path / "model").glob("*.safetensors"))) > 2
    found, expected = (attnviz.load(str(folder)).record(TEXT) for folder in (tmp_path / "model", saved / "t5"))
    torch.testing.assert_close(found.weights("cross", layer=1), expected.weights("cross", layer=1))


def test_precision(saved: Path, tmp_path: Path) -> None:
    network("bert").half().save_pretrained(tmp_path / "half")
    wordpiece().save_pretrained(tmp_path / "half")
    half = str(tmp_path / "half")
    assert attnviz.load(half).dtype == torch.float32, "half precision is slow on a CPU"
    assert attnviz.load(half, dtype="float16").dtype == torch.float16
    assert attnviz.load(str(saved / "bert"), dtype="bfloat16").dtype == torch.bfloat16
    assert attnviz.load(str(saved / "bert"), dtype=torch.float16).dtype == torch.float16
    assert attnviz.load(str(saved / "bert"), device="cpu", dtype="float32").record(TEXT).kinds == ("encoder",)


@pytest.mark.parametrize("dtype", ["float8", "int8", "", None, torch.int8, torch.float64])
def test_a_precision_that_there_is_not(dtype: Any) -> None:
    with pytest.raises(InputError, match="There is no dtype .* here. Use one of auto, float32, float16, bfloat16"):
        attnviz.load("/no/such/folder", dtype=dtype)  # said before anything is looked for


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "", "meta", None])
def test_a_device_that_there_is_not(device: Any) -> None:
    with pytest.raises(InputError, match='There is no device .* on this machine. Use "auto", "cpu"'):
        attnviz.load("/no/such/folder", device=device)


def test_what_is_happening_is_told(saved: Path) -> None:
    told: list[tuple[float | None, str]] = []
    attnviz.load(str(saved / "bert"), progress=lambda fraction, text: told.append((fraction, text)))
    assert told == [(None, f"Loading {saved / 'bert'}")]


def test_the_verbosity_of_transformers_is_as_before(saved: Path) -> None:
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    attnviz.load(str(saved / "bert"))
    with pytest.raises(LoadError):
        attnviz.load(str(saved))
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before


def test_loading_says_nothing_at_the_terminal(saved: Path, capfd: pytest.CaptureFixture[str]) -> None:
    attnviz.load(str(saved / "gpt2")).record(TEXT, generate=3)
    attnviz.load(str(saved / "marian")).record(TEXT).size("cross")
    assert capfd.readouterr() == ("", "")
