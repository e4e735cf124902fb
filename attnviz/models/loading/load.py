"""`load`: the bundled model, a local folder, or a Hub id. Safetensors only, and never code from a repository."""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

import attnviz
from attnviz.errors import (
    InputError,
    LoadError,
    MemoryShortError,
    NetworkError,
    NotFoundError,
    UnsafeError,
    out_of_memory,
)
from attnviz.models.model import Model

BUNDLED = "bundled"
Progress = Callable[[float | None, str], None]
"""Told how far a step is (0 to 1, None where nobody knows) and what is happening."""

# Configurations, and what tokenizers of all kinds keep their vocabularies in.
_FILES = (".json", ".model", ".txt", ".jinja", ".tiktoken", ".spm", ".vocab", ".codes", ".tokenizer")
_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
_DTYPES = ("float32", "float16", "bfloat16")


def load(
    name: str | os.PathLike[str] = BUNDLED,
    *,
    device: str = "auto",
    dtype: str | torch.dtype = "auto",
    revision: str | None = None,
    progress: Progress | None = None,
) -> Model:
    """Loads a model and its tokenizer.

    Args:
        name: "bundled", a local folder in Hugging Face format, or a Hub id such as "bert-base-uncased".
        device: "auto" (CUDA, then MPS, then CPU), or a PyTorch device such as "cpu" or "cuda:1".
        dtype: "auto" (float32 on the CPU, else what the checkpoint is in), "float32", "float16" or "bfloat16".
        revision: branch, tag or commit of a Hub model; the newest where it is None.
        progress: called with (fraction or None, what is happening), from the thread that called `load`.

    Returns:
        The model, ready to record.

    Raises:
        NotFoundError: no such folder, Hub id or revision, or no weights in it.
        NetworkError: the Hub could not be reached and the model is not in the local cache.
        UnsafeError: only pickled weights, or the model needs code of its own.
        LoadError: anything else that is wrong with it.
        MemoryShortError: it does not fit.

    >>> attnviz.load("bundled").kinds
    ('encoder', 'decoder', 'cross')
    """
    tell = progress or (lambda fraction, text: None)
    place, precision = _device(device), _dtype(dtype)
    name = str(name).strip()
    if not name:
        raise InputError('Name a model: "bundled", a folder, or a Hub id such as "bert-base-uncased".')
    if revision and (name == BUNDLED or _looks_like_path(name)):
        raise InputError(f"{_shown(name)} has no revisions; only models on the Hub have. Leave `revision` out.")
    if name == BUNDLED:
        folder, commit = Path(attnviz.__file__).parent / BUNDLED, None
    elif _exists(name, Path.is_dir):
        folder, commit = Path(name).expanduser(), None
    elif _looks_like_path(name):
        what = "is a file, not a folder" if _exists(name, Path.exists) else "does not exist"
        raise NotFoundError(
            f"The folder {_shown(name)} {what}. Give a folder that holds config.json, *.safetensors and a tokenizer, "
            "or a Hub id such as bert-base-uncased."
        )
    else:
        folder, commit = _download(name, revision or None, tell)
    tell(None, f"Loading {name}")
    return _from_folder(folder, name, commit, place, precision)


def _shown(name: str) -> str:
    """A name in a message; somebody may have pasted a book into the box."""
    return name if len(name) <= 200 else f"{name[:200]}…"


def _exists(name: str, test: Callable[[Path], bool]) -> bool:
    try:
        return test(Path(name).expanduser())
    except (OSError, ValueError, RuntimeError):  # too long for a name, a null character, a home that nobody has
        return False


def _looks_like_path(name: str) -> bool:
    return name.startswith(("/", "./", "../", "~")) or name.count("/") > 1 or "\\" in name or _exists(name, Path.exists)


def _device(device: str) -> torch.device:
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        place = torch.device(device)
        torch.empty(1, device=place)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise _no_device(device) from error
    if place.type == "meta":  # which holds shapes and no numbers
        raise _no_device(device)
    return place


def _no_device(device: str) -> InputError:
    cuda = f' or "cuda:0" to "cuda:{torch.cuda.device_count() - 1}"' if torch.cuda.is_available() else ""
    return InputError(f'There is no device {device!r} on this machine. Use "auto", "cpu"{cuda}.')


def _dtype(dtype: str | torch.dtype) -> torch.dtype | None:
    """The precision that was asked for; None for "auto"."""
    name = str(dtype).removeprefix("torch.")
    if name == "auto":
        return None
    if name not in _DTYPES:
        raise InputError(f"There is no dtype {dtype!r} here. Use one of auto, {', '.join(_DTYPES)}.")
    return getattr(torch, name)


def _automatic_dtype(place: torch.device, config: Any) -> torch.dtype:
    # Half precision is slow on most CPUs, and float32 is what the maps are compared in.
    stored = getattr(config, "dtype", None)
    return torch.float32 if place.type == "cpu" or not isinstance(stored, torch.dtype) else stored


def _download(name: str, revision: str | None, tell: Progress) -> tuple[Path, str | None]:
    """The local copy of a Hub model and its commit."""
    from huggingface_hub import HfApi, errors

    tell(None, f"Looking for {_shown(name)} on the Hub")
    which = f"{name} at revision {revision}" if revision else name
    try:
        info = HfApi().model_info(name, revision=revision, timeout=15, files_metadata=True)
    except errors.GatedRepoError as error:
        raise _gated(which) from error
    except errors.RevisionNotFoundError as error:
        raise NotFoundError(f"{name} has no revision {revision!r}. Leave it empty for the newest.") from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise NotFoundError(
            f"There is no model {_shown(name)!r} on the Hub, and no folder of that name here. Check the spelling: a "
            "Hub id looks like bert-base-uncased or owner/name."
        ) from error
    except Exception as error:  # no network shows itself in many ways, from name look-up to proxies
        return _cached(name, revision, error)
    sizes = {item.rfilename: item.size or 0 for item in info.siblings or [] if "/" not in item.rfilename}
    _check_weights(list(sizes), which)
    # Some repositories hold the same weights a second time, under another name.
    weights = [item for item in sizes if _WEIGHTS.fullmatch(item)] or [
        item for item in sizes if item.endswith(".safetensors")
    ]
    chosen = [*weights, *(item for item in sizes if item.endswith(_FILES))]
    try:
        folder = _fetch(name, revision, chosen, sum(sizes[item] for item in chosen), tell)
    except errors.GatedRepoError as error:  # the Hub shows everybody the list of files of a gated model
        raise _gated(which) from error
    except Exception as error:
        raise NetworkError(
            f"The download of {which} stopped ({_first_line(error)}). What is there is kept; try again."
        ) from error
    return folder, folder.name


def _gated(which: str) -> NotFoundError:
    return NotFoundError(
        f"{which} is gated: its owner gives access on request. Ask for it on its Hub page and log in, or choose "
        "another model."
    )


def _fetch(name: str, revision: str | None, files: list[str], size: int, tell: Progress) -> Path:
    """Downloads some files of a Hub model into the local cache, while this thread tells how far it is."""
    from huggingface_hub import snapshot_download

    # By its branch, not its commit: that the branch is this commit is then remembered for when there is no network.
    counter = _counter()
    pool = concurrent.futures.ThreadPoolExecutor(1, "attnviz-download")
    running = pool.submit(snapshot_download, name, revision=revision, allow_patterns=files, tqdm_class=counter)
    pool.shutdown(wait=False)
    told = -1
    while True:
        ended = concurrent.futures.wait([running], timeout=0.1).done
        if counter.most > told:
            told, total = counter.most, max(size, counter.most, 1)
            tell(told / total, f"Downloading {name}: {told / 1e6:,.0f} of {total / 1e6:,.0f} MB")
        if ended:
            return Path(running.result())


def _cached(name: str, revision: str | None, reason: Exception) -> tuple[Path, str | None]:
    """The copy of an earlier download, for a machine without network."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, "config.json", revision=revision)
    if isinstance(found, str) and any(Path(found).parent.glob("*.safetensors")):
        folder = Path(found).parent
        return folder, folder.name
    raise NetworkError(
        f"{name} is not on this machine, and the Hub could not be reached ({_first_line(reason)}). Check the network, "
        'give a local folder, or use the bundled model, which needs no network ("bundled").'
    ) from reason


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _counter() -> Any:
    """A class in place of huggingface_hub's progress bars: it draws nothing and counts the bytes.

    Its bars are updated from the threads of the download, where an app's screen cannot be written to.
    """
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class Counter(tqdm):
        most = 0  # bytes, of the bar that is further

        def __init__(self, *args: Any, **options: Any) -> None:
            # On even where somebody turned progress bars off, for a bar that is off does not count.
            super().__init__(*args, **options | {"disable": False, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> bool | None:
            drawn = super().update(n)
            if self.unit == "B":
                Counter.most = max(Counter.most, int(self.n))
            return drawn

    return Counter


def _check_weights(present: list[str], which: str) -> None:
    if any(item.endswith(".safetensors") for item in present):
        return
    if pickles := sorted(item for item in present if item.endswith(_PICKLES)):
        raise UnsafeError(
            f"{which} has its weights only as {pickles[0]}, a format that can run code when it is opened, so attnviz "
            "does not open it. Choose a model with *.safetensors, or convert this one with save_pretrained."
        )
    raise NotFoundError(f"{which} has no *.safetensors file, so there are no weights to load.")


def _from_folder(
    folder: Path, name: str, commit: str | None, place: torch.device, precision: torch.dtype | None
) -> Model:
    raw = _configuration(folder, name)
    _check_weights([item.name for item in folder.iterdir()], name)
    with _quiet():
        config, network_class = _network_class(folder, name, raw)
        # Whatever was used in training: it may not be installed here, and may be code from the Hub.
        config._attn_implementation = None
        try:
            network, report = network_class.from_pretrained(
                folder,
                config=config,
                dtype=precision or _automatic_dtype(place, config),
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
            network.to(place)
        except Exception as error:
            if out_of_memory(error):
                raise MemoryShortError(
                    f"{name} does not fit into the memory of {place}. Choose a smaller model, "
                    'dtype="float16" or device="cpu".'
                ) from error
            raise LoadError(f"{name} could not be loaded: {_first_line(error)}") from error
        network = _without_untrained_head(network, sorted(report["missing_keys"]), name)
        tokenizer = _tokenizer(folder)
    return Model(network, tokenizer, name=name, revision=commit)


def _configuration(folder: Path, name: str) -> dict[str, Any]:
    """The folder's config.json as it is written."""
    try:
        raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotFoundError(f"{folder} holds no config.json, so it is no model in Hugging Face format.") from error
    except (OSError, ValueError) as error:
        raise LoadError(f"The config.json of {name} cannot be read: {_first_line(error)}") from error
    if not isinstance(raw, dict):
        raise LoadError(f"The config.json of {name} holds {type(raw).__name__}, not the settings of a model by name.")
    return raw


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
            f"{name} lacks weights ({lost[0]}{more}), so what it would show was never learned. Choose a complete "
            "checkpoint."
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
                f"{name} needs code of its own to run, and attnviz runs no code from a model's repository. Choose a "
                "model of a type that transformers knows."
            ) from error
        raise LoadError(
            f"{name} is of type {raw.get('model_type')!r}, which the installed transformers {transformers.__version__} "
            f"cannot build: {_first_line(error)}"
        ) from error
    named = raw.get("architectures")
    architectures = [item for item in named if isinstance(item, str)] if isinstance(named, list) else []
    for architecture in architectures:
        found = getattr(transformers, architecture, None)
        if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel):
            return config, found
    if raw.get("auto_map") and architectures:
        raise UnsafeError(
            f"{name} needs code of its own ({architectures[0]}), and attnviz runs no code from a model's repository."
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
            f"The tokenizer in {folder} could not be loaded: {_first_line(error)}. Save it again with save_pretrained, "
            "or choose another model."
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
