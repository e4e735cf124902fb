"""What the tests of loading share: tiny networks with their tokenizers, and ways to change a saved folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from support import tiny_models as tiny
from support.tiny_tokenizers import gpt2, unigram, wordpiece

ROOT = Path(__file__).resolve().parents[2]
TEXT = "Der Hund sah den Ball."
TOKENIZERS = {"bert": wordpiece, "gpt2": gpt2, "t5": unigram, "marian": unigram}
IDS = {"pad_token_id": 0, "eos_token_id": 1, "forced_eos_token_id": 1, "decoder_start_token_id": 0}


def network(name: str) -> Any:
    changes = IDS if name == "marian" else {"pad_token_id": 0, "eos_token_id": 1} if name == "t5" else {}
    return tiny.network(name, vocab_size=len(TOKENIZERS[name]()), **changes)


def config_of(folder: Path, **changes: Any) -> None:
    """Changes the configuration of a folder; None takes an entry out."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))


def weights_of(folder: Path, keep: Any) -> None:
    """Leaves only the weights whose name `keep` accepts."""
    path = folder / "model.safetensors"
    save_file({name: tensor for name, tensor in load_file(path).items() if keep(name)}, path, {"format": "pt"})


def with_code(folder: Path, marker: Path, **changes: Any) -> None:
    """Puts code into a folder, and into the configuration where to find it."""
    code = f"from pathlib import Path\nPath({str(marker)!r}).touch()\n"
    classes = "class OwnConfig: pass\nclass OwnModel: pass\nclass OwnTokenizer: pass\n"
    (folder / "own.py").write_text(code + classes)
    places = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel", "AutoModelForMaskedLM": "own.OwnModel"}
    config_of(folder, auto_map=places, **changes)
