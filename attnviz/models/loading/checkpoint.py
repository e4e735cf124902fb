"""From a folder with weights and a configuration to a network and a tokenizer."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from attnviz.errors import (
    LoadError,
    MemoryShortError,
    Message,
    NotFoundError,
    UnsafeError,
    out_of_memory,
)
from attnviz.models.loading.claims import check_counts, check_names, check_parameters
from attnviz.models.loading.hub import check_weights, first_line
from attnviz.models.model import Model

# One network is built at a time. transformers sets switches of the whole process meanwhile, so that of two threads that
# build at once one gets a network without numbers. And a thread that imports transformers while another is at it gets a
# module with nothing in it.
_building = threading.Lock()


def _automatic_dtype(device: torch.device, config: Any) -> torch.dtype:
    # Half precision is slow on most CPUs, and float32 is what the maps are compared in.
    stored = getattr(config, "dtype", None)
    return torch.float32 if device.type == "cpu" or not isinstance(stored, torch.dtype) else stored


def load_folder(
    folder: Path, name: str, commit: str | None, device: torch.device, precision: torch.dtype | None
) -> Model:
    """The model in a folder, under the name and commit that it was asked for by."""
    raw = _configuration(folder, name)
    check_weights([item.name for item in folder.iterdir()], name)
    check_counts(raw, name)
    check_names(folder, name)
    with _building, _quiet():
        config, network_class = _network_class(folder, name, raw)
        # Whatever was used in training: it may not be installed here, and may be code from the Hub.
        config._attn_implementation = None
        check_parameters(network_class, config, folder, name)
        try:
            network, report = network_class.from_pretrained(
                folder,
                config=config,
                dtype=precision or _automatic_dtype(device, config),
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
            network.to(device)
        except Exception as error:
            if out_of_memory(error):
                raise MemoryShortError(
                    '{0} does not fit into the memory of {1}. Choose a smaller model, dtype="float16" or device="cpu".',
                    name,
                    device,
                    on_page=Message("{0} does not fit into the memory of {1}. Choose a smaller model.", name, device),
                ) from error
            raise LoadError("{0} could not be loaded: {1}", name, first_line(error)) from error
        network = _without_untrained_head(network, sorted(report["missing_keys"]), name)
        tokenizer = _tokenizer(folder)
    return Model(network, tokenizer, name=name, revision=commit)


def _configuration(folder: Path, name: str) -> dict[str, Any]:
    """The folder's config.json as it is written."""
    try:
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if (folder / "adapter_config.json").is_file():
            raise _adapter_error(name, (folder / "adapter_config.json").read_bytes()) from error
        raise NotFoundError("{0} holds no config.json, so it is no model in Hugging Face format.", folder) from error
    except (OSError, ValueError) as error:
        raise LoadError("The config.json of {0} cannot be read: {1}", name, first_line(error)) from error
    if not isinstance(raw, dict):
        raise LoadError(
            "The config.json of {0} holds {1}, not the settings of a model by name.",
            name,
            type(raw).__name__,
        )
    return raw


def _adapter_error(name: str, settings: bytes) -> LoadError:
    """The error for a folder that holds what a training changed and not the model that it changed.

    Args:
        name: of the folder or the Hub model.
        settings: its adapter_config.json.
    """
    try:
        base = json.loads(settings)["base_model_name_or_path"]
    except (KeyError, TypeError, ValueError):
        base = None
    called = f"of {base}" if isinstance(base, str) and base else "of another model"
    return LoadError(
        "{0} is an adapter {1} (from LoRA or the like), not a whole model. Merge the two with peft: "
        "`AutoPeftModelForCausalLM.from_pretrained(adapter).merge_and_unload()`, and give that to `attnviz.Model`, "
        "or save it with save_pretrained and give its folder.",
        name,
        called,
    )


def _without_untrained_head(network: Any, missing: list[str], name: str) -> Any:
    """The network, without a head whose weights are not in the checkpoint: its logits would mean nothing.

    Raises:
        LoadError: other weights are missing, so that attention would be random.
    """
    base = network.base_model
    prefix = "" if base is network else f"{network.base_model_prefix}."
    lost = [key for key in missing if key.startswith(prefix) and "pooler" not in key]
    if lost:
        more = f" and {len(lost) - 1} more" if len(lost) > 1 else ""
        raise LoadError(
            "{0} lacks weights ({1}{2}), so what it would show was never learned. Choose a complete checkpoint.",
            name,
            lost[0],
            more,
        )
    return network if all(key.startswith(prefix) for key in missing) else base


def _network_class(folder: Path, name: str, raw: dict[str, Any]) -> tuple[Any, Any]:
    """The configuration and the class that the checkpoint was saved from, or the one with the best matching head."""
    import transformers

    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        if raw.get("auto_map"):
            raise UnsafeError(
                "{0} needs code of its own to run, and attnviz runs no code from a model's repository. Choose a "
                "model of a type that transformers knows.",
                name,
            ) from error
        raise LoadError(
            "{0} is of type {1!r}, which the installed transformers {2} cannot build: {3}",
            name,
            raw.get("model_type"),
            transformers.__version__,
            first_line(error),
        ) from error
    class_names = raw.get("architectures")
    architectures = [item for item in class_names if isinstance(item, str)] if isinstance(class_names, list) else []
    for architecture in architectures:
        network_class = getattr(transformers, architecture, None)
        if isinstance(network_class, type) and issubclass(network_class, transformers.PreTrainedModel):
            return config, network_class
    if raw.get("auto_map") and architectures:
        raise UnsafeError(
            "{0} needs code of its own ({1}), and attnviz runs no code from a model's repository.",
            name,
            architectures[0],
        )
    # Types with both heads (BERT) look both ways unless their configuration says that they are decoders.
    heads = ("CausalLM", "MaskedLM") if getattr(config, "is_decoder", False) else ("MaskedLM", "CausalLM")
    for auto in ("Seq2SeqLM", *heads):
        choice = getattr(transformers, f"AutoModelFor{auto}")
        if type(config) in choice._model_mapping:
            return config, choice._model_mapping[type(config)]
    return config, transformers.AutoModel


def _tokenizer(folder: Path) -> Any:
    """The folder's tokenizer; None where there is none (`Model.record` then says so)."""
    from transformers import AutoTokenizer

    names = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model")
    if not any((folder / item).exists() for item in (*names, "sentencepiece.bpe.model", "source.spm")):
        # Some tokenizers need no file (bytes, characters): their type is known from the configuration alone.
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if raw.get("model_type") not in ("canine",):
            return None
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:
        raise LoadError(
            "The tokenizer in {0} could not be loaded: {1}. Save it again with save_pretrained, or choose another "
            "model.",
            folder,
            first_line(error),
        ) from error


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without transformers' own progress bars and load reports: the caller has its own words for both."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()
