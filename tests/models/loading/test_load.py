"""Loading: the bundled model, folders, and a Hub that runs here; what is wrong with each is said, no code is run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pickle
import shutil
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from support import tiny_models as tiny
from support.tiny_tokenizers import gpt2, unigram, wordpiece

import attnviz
from attnviz.errors import (
    InputError,
    LoadError,
    MemoryShortError,
    NetworkError,
    NoAttentionError,
    NotFoundError,
    NoTokenizerError,
    UnsafeError,
)

ROOT = Path(__file__).resolve().parents[3]
TEXT = "Der Hund sah den Ball."
TOKENIZERS = {"bert": wordpiece, "gpt2": gpt2, "t5": unigram, "marian": unigram}
IDS = {"pad_token_id": 0, "eos_token_id": 1, "forced_eos_token_id": 1, "decoder_start_token_id": 0}


def network(name: str) -> Any:
    changes = IDS if name == "marian" else {"pad_token_id": 0, "eos_token_id": 1} if name == "t5" else {}
    return tiny.network(name, vocab_size=len(TOKENIZERS[name]()), **changes)


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


def config_of(folder: Path, **changes: Any) -> None:
    """Changes the configuration of a folder; None takes an entry out."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))


def weights_of(folder: Path, keep: Any) -> None:
    """Leaves only the weights whose name `keep` accepts."""
    path = folder / "model.safetensors"
    save_file({name: tensor for name, tensor in load_file(path).items() if keep(name)}, path, {"format": "pt"})


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that asks at the terminal whether to run a repository's code would wait for an answer on a server."""

    def ask(prompt: str = "") -> str:
        raise AssertionError(f"somebody asked: {prompt}")

    monkeypatch.setattr("builtins.input", ask)


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


# ---------------------------------------------------------------------------------------------------------------------
# Folders with something wrong


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


def with_code(folder: Path, marker: Path, **changes: Any) -> None:
    """Puts code into a folder, and into the configuration where to find it."""
    code = f"from pathlib import Path\nPath({str(marker)!r}).touch()\n"
    classes = "class OwnConfig: pass\nclass OwnModel: pass\nclass OwnTokenizer: pass\n"
    (folder / "own.py").write_text(code + classes)
    places = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel", "AutoModelForMaskedLM": "own.OwnModel"}
    config_of(folder, auto_map=places, **changes)


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


# ---------------------------------------------------------------------------------------------------------------------
# A Hub


class Hub:
    """As much of the Hub's interface as a download needs, on this machine.

    Attributes:
        files: by repository and commit, the content of each file.
        refs: by repository, the commit of each branch and tag.
        gated: repositories whose files are given on request only; everybody may see their list, as on the Hub.
        requests: method and path of each request so far.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, dict[str, bytes]]] = {}
        self.refs: dict[str, dict[str, str]] = {}
        self.gated: set[str] = set()
        self.requests: list[str] = []

    def add(self, name: str, files: dict[str, bytes], *, branch: str = "main") -> str:
        """Adds a commit to a repository."""
        commit = hashlib.sha1(f"{name} {branch}".encode() + b"".join(files.values())).hexdigest()
        self.files.setdefault(name, {})[commit] = files
        self.refs.setdefault(name, {})[branch] = commit
        return commit

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body for a path."""
        path = path.split("?")[0].strip("/").replace("%2F", "/")
        if path.startswith("api/models/"):
            name, _, rest = path.removeprefix("api/models/").partition("/revision/")
            name, _, tree = name.partition("/tree/")
            return self._listing(name, rest or tree or "main", tree=bool(tree))
        name, _, rest = path.partition("/resolve/")
        revision, _, file = rest.partition("/")
        commit = self.refs.get(name, {}).get(revision, revision)
        content = self.files.get(name, {}).get(commit, {}).get(file)
        if name in self.gated:
            return 401, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to this model is restricted."}, b""
        if content is None:
            return 404, {"X-Error-Code": "EntryNotFound"}, b""
        return 200, {"X-Repo-Commit": commit, "ETag": f'"{hashlib.sha1(content).hexdigest()}"'}, content

    def _listing(self, name: str, revision: str, *, tree: bool) -> tuple[int, dict[str, str], bytes]:
        if name not in self.files:
            return 401, {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}, b""
        commit = self.refs[name].get(revision, revision)
        if commit not in self.files[name]:
            return 404, {"X-Error-Code": "RevisionNotFound", "X-Error-Message": f"Invalid rev id: {revision}"}, b""
        files = self.files[name][commit]
        data: Any = {"id": name, "modelId": name, "sha": commit, "siblings": [{"rfilename": file} for file in files]}
        data |= {"private": False, "gated": "manual" if name in self.gated else False, "tags": [], "downloads": 1}
        if tree:
            data = [{"type": "file", "path": file, "size": len(content), "oid": f"{zlib.crc32(content):040x}"}
                    for file, content in files.items()]  # fmt: skip
        return 200, {"Content-Type": "application/json"}, json.dumps(data).encode()


@contextlib.contextmanager
def serving(hub: Hub) -> Iterator[str]:
    """The address at which the Hub answers inside."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            hub.requests.append(f"{self.command} {self.path}")
            status, headers, body = hub.answer(self.path)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: Any) -> None:
            """Nothing at the terminal."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


PROGRAM = """
import json, socket, sys
real = socket.socket.connect
def connect(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "localhost", "::1"):
        raise OSError(f"outside of this machine: {address}")
    return real(self, address)
socket.socket.connect = connect
import attnviz
results = []
for task in json.load(sys.stdin):
    told = []
    try:
        model = attnviz.load(**task, progress=lambda fraction, text: told.append((fraction, text)))
        recording = model.record("Der Hund sah den Ball.")
        tokens = len(recording.query_tokens(recording.kinds[0]))
        results.append({"kinds": model.kinds, "revision": model.revision, "name": model.name, "tokens": tokens,
                        "weight": float(next(model.network.parameters()).flatten()[0])})
    except BaseException as error:
        results.append({"error": type(error).__name__, "text": str(error)})
    results[-1]["told"] = told
print(json.dumps(results))
"""


def run(endpoint: str, home: Path, tasks: list[dict[str, Any]], **environment: str) -> list[dict[str, Any]]:
    """What loading gives in a process of its own: huggingface_hub reads its settings when it is imported."""
    clean = {
        name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy") and name[:3] != "HF_"
    }
    clean |= {"HF_ENDPOINT": endpoint, "HF_HOME": str(home), "HF_HUB_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, env=clean | environment, input=json.dumps(tasks),
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture(scope="module")
def hub_results(saved: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What happened to a number of loads: while the Hub answered, after it went, and what it was asked."""
    hub, home = Hub(), tmp_path_factory.mktemp("huggingface")
    bert, marian = files(saved / "bert"), files(saved / "marian")
    other = dict(bert)
    changed = load_file(saved / "bert" / "model.safetensors")
    changed["bert.embeddings.word_embeddings.weight"] += 1
    path = tmp_path_factory.mktemp("changed") / "model.safetensors"
    save_file(changed, path, {"format": "pt"})
    other["model.safetensors"] = path.read_bytes()
    extra = {
        "pytorch_model.bin": b"P" * 999, "consolidated.safetensors": b"C" * 999, "model.fp16.safetensors": b"F" * 999,
        "onnx/model.onnx": b"O" * 999, "onnx/config.json": b"{}", "own.py": b"raise SystemExit", "README.md": b"#",
    }  # fmt: skip
    commits = {
        "main": hub.add("somebody/tiny-bert", bert | extra),
        "old": hub.add("somebody/tiny-bert", other, branch="old"),
        "marian": hub.add("tiny-marian", marian),
    }
    hub.add("somebody/pickled", {"config.json": bert["config.json"], "pytorch_model.bin": b"P" * 999})
    hub.add("somebody/empty", {"README.md": b"#"})
    hub.add("somebody/gated", bert)
    hub.gated.add("somebody/gated")
    own = json.loads(bert["config.json"]) | {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}
    hub.add("somebody/own-code", bert | {"config.json": json.dumps(own).encode(), "own.py": b"raise SystemExit"})
    online = {
        "bert": {"name": "somebody/tiny-bert"},
        "old": {"name": "somebody/tiny-bert", "revision": "old"},
        "commit": {"name": "somebody/tiny-bert", "revision": commits["old"]},
        "marian": {"name": "tiny-marian"},
        "pickled": {"name": "somebody/pickled"},
        "empty": {"name": "somebody/empty"},
        "gated": {"name": "somebody/gated"},
        "own code": {"name": "somebody/own-code"},
        "unknown": {"name": "somebody/nothing"},
        "unknown revision": {"name": "somebody/tiny-bert", "revision": "v9"},
    }
    with serving(hub) as endpoint:
        results = dict(zip(online, run(endpoint, home, list(online.values())), strict=True))
        quiet = run(endpoint, tmp_path_factory.mktemp("quiet"), [online["bert"]], TQDM_DISABLE="1",
                    HF_HUB_DISABLE_PROGRESS_BARS="1")  # fmt: skip
    offline = {name: online[name] for name in ("bert", "old", "commit", "marian", "unknown")}
    gone = dict(zip(offline, run(endpoint, home, list(offline.values())), strict=True))
    said_so = run(endpoint, home, [online["bert"], online["unknown"]], HF_HUB_OFFLINE="1")
    yield {"online": results, "gone": gone, "quiet": quiet[0], "offline": said_so, "hub": hub, "commits": commits}


def test_a_hub_model_is_downloaded_and_its_commit_kept(hub_results: dict[str, Any]) -> None:
    found = hub_results["online"]["bert"]
    assert found["kinds"] == ["encoder"] and found["name"] == "somebody/tiny-bert" and found["tokens"] > 6
    assert found["revision"] == hub_results["commits"]["main"]
    marian = hub_results["online"]["marian"]
    assert marian["kinds"] == ["encoder", "decoder", "cross"] and marian["revision"] == hub_results["commits"]["marian"]


def test_a_revision_by_branch_or_commit(hub_results: dict[str, Any]) -> None:
    main, old, commit = (hub_results["online"][name] for name in ("bert", "old", "commit"))
    assert old["revision"] == commit["revision"] == hub_results["commits"]["old"]
    assert old["weight"] == commit["weight"] == pytest.approx(main["weight"] + 1)


def test_only_what_is_needed_is_downloaded(hub_results: dict[str, Any]) -> None:
    asked = [
        request.rsplit("/resolve/", 1)[1].partition("/")[2]
        for request in hub_results["hub"].requests
        if "/resolve/" in request
    ]
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(asked)
    assert not [file for file in asked if file.endswith((".bin", ".py", ".md", ".onnx")) or "/" in file]
    assert not {"consolidated.safetensors", "model.fp16.safetensors"} & set(asked)


def test_a_download_tells_how_far_it_is(hub_results: dict[str, Any]) -> None:
    for name in ("bert", "marian"):
        told = hub_results["online"][name]["told"]
        full = "somebody/tiny-bert" if name == "bert" else "tiny-marian"
        assert told[0] == [None, f"Looking for {full} on the Hub"] and told[-1] == [None, f"Loading {full}"]
        fractions = [fraction for fraction, text in told if text.startswith(f"Downloading {full}: ")]
        assert fractions and all(0.0 <= fraction <= 1.0 for fraction in fractions)
        assert max(fractions) == 1.0


def test_a_download_goes_well_where_progress_bars_are_off(hub_results: dict[str, Any]) -> None:
    assert hub_results["quiet"].get("kinds") == ["encoder"], hub_results["quiet"]


@pytest.mark.parametrize(
    ("name", "error", "text"),
    [
        (
            "pickled",
            UnsafeError,
            "somebody/pickled has its weights only as pytorch_model.bin, a format that can run code",
        ),
        ("empty", NotFoundError, "somebody/empty has no *.safetensors file, so there are no weights to load."),
        (
            "gated",
            NotFoundError,
            "somebody/gated is gated: its owner gives access on request. Ask for it on its Hub page",
        ),
        ("own code", UnsafeError, "somebody/own-code needs code of its own to run, and attnviz runs no code"),
        ("unknown", NotFoundError, "There is no model 'somebody/nothing' on the Hub, and no folder of that name here."),
        ("unknown revision", NotFoundError, "somebody/tiny-bert has no revision 'v9'. Leave it empty for the newest."),
    ],
)
def test_what_is_wrong_with_a_hub_model_is_said(name: str, error: type, text: str, hub_results: dict[str, Any]) -> None:
    found = hub_results["online"][name]
    assert found.get("error") == error.__name__, found
    assert found["text"].startswith(text)


def test_nothing_is_downloaded_of_a_model_that_is_refused(hub_results: dict[str, Any]) -> None:
    asked = [request for request in hub_results["hub"].requests if "/resolve/" in request]
    assert asked
    assert not [request for request in asked if "/pickled/" in request or "/empty/" in request]


def test_what_was_downloaded_is_there_without_the_hub(hub_results: dict[str, Any]) -> None:
    for name in ("bert", "old", "commit", "marian"):
        found, before = hub_results["gone"][name], hub_results["online"][name]
        assert "error" not in found, (name, found)
        assert (found["revision"], found["weight"]) == (before["revision"], before["weight"])
    assert hub_results["offline"][0].get("kinds") == ["encoder"], "nor is it asked where that is forbidden"


def test_no_network_is_said(hub_results: dict[str, Any]) -> None:
    for found in (hub_results["gone"]["unknown"], hub_results["offline"][1]):
        assert found.get("error") == NetworkError.__name__, found
        assert found["text"].startswith("somebody/nothing is not on this machine, and the Hub could not be reached (")
        assert 'or use the bundled model, which needs no network ("bundled").' in found["text"]
