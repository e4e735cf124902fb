"""`load`: the bundled model, a local folder, or a Hub id. Safetensors only, and never code from a repository."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch

from attnviz.errors import InputError, LoadError, MemoryShortError, NetworkError, NotFoundError, UnsafeError
from attnviz.models import Model

BUNDLED = "bundled"
Progress = Callable[[float | None, str], None]
"""Told how far a step is (0 to 1, None where nobody knows) and what is happening."""

_FILES = (".json", ".safetensors", ".model", ".txt", ".jinja", ".tiktoken")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")
_DTYPES = ("float32", "float16", "bfloat16")


def load(
    name: str = BUNDLED,
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
        progress: called with (fraction or None, what is happening).

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
    place = _device(device)
    name = name.strip()
    if not name:
        raise InputError('Name a model: "bundled", a folder, or a Hub id such as "bert-base-uncased".')
    if name == BUNDLED:
        folder, commit = Path(__file__).parent / BUNDLED, None
    elif _exists(name, Path.is_dir):
        folder, commit = Path(name).expanduser(), None
    elif _looks_like_path(name):
        what = "is a file, not a folder" if _exists(name, Path.exists) else "does not exist"
        raise NotFoundError(
            f"The folder {name} {what}. Give a folder that holds config.json, *.safetensors and a tokenizer, "
            "or a Hub id such as bert-base-uncased."
        )
    else:
        folder, commit = _download(name, revision, tell)
    tell(None, f"Loading {name}")
    return _from_folder(folder, name, commit, place, dtype)


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
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise InputError(
            f'There is no device {device!r} on this machine. Use "auto", "cpu"'
            + (f' or "cuda:0" to "cuda:{torch.cuda.device_count() - 1}".' if torch.cuda.is_available() else ".")
        ) from error
    return place


def _dtype(dtype: str | torch.dtype, place: torch.device, config: Any) -> torch.dtype:
    if isinstance(dtype, torch.dtype):
        return dtype
    if dtype == "auto":
        # Half precision is slow on most CPUs, and float32 is what the maps are compared in.
        stored = getattr(config, "dtype", None)
        return torch.float32 if place.type == "cpu" or not isinstance(stored, torch.dtype) else stored
    if dtype not in _DTYPES:
        raise InputError(f"There is no dtype {dtype!r} here. Use one of auto, {', '.join(_DTYPES)}.")
    return getattr(torch, dtype)


def _download(name: str, revision: str | None, tell: Progress) -> tuple[Path, str | None]:
    """The local copy of a Hub model and its commit."""
    from huggingface_hub import HfApi, errors, snapshot_download

    tell(None, f"Looking for {name} on the Hub")
    which = f"{name} at revision {revision}" if revision else name
    try:
        info = HfApi().model_info(name, revision=revision, timeout=15)
    except errors.GatedRepoError as error:
        raise NotFoundError(
            f"{which} is gated: its owner gives access on request. Ask for it on its Hub page and log in, "
            "or choose another."
        ) from error
    except errors.RevisionNotFoundError as error:
        raise NotFoundError(f"{name} has no revision {revision!r}. Leave it empty for the newest.") from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise NotFoundError(
            f"There is no model {name!r} on the Hub, and no folder of that name here. Check the spelling: "
            "a Hub id looks like bert-base-uncased or owner/name."
        ) from error
    except Exception as error:  # no network shows itself in many ways, from name look-up to proxies
        return _cached(name, revision, error)
    present = [item.rfilename for item in info.siblings or [] if "/" not in item.rfilename]
    _check_weights(present, which)
    try:
        folder = snapshot_download(
            name,
            revision=info.sha,
            allow_patterns=[item for item in present if item.endswith(_FILES)],
            tqdm_class=_bar(tell, name),
        )
    except Exception as error:
        raise NetworkError(
            f"The download of {which} stopped ({_first_line(error)}). What is there is kept; try again."
        ) from error
    return Path(folder), info.sha


def _cached(name: str, revision: str | None, reason: Exception) -> tuple[Path, str | None]:
    """The copy of an earlier download, for a machine without network."""
    from huggingface_hub import snapshot_download

    patterns = [f"*{ending}" for ending in _FILES]
    with contextlib.suppress(Exception):
        folder = Path(snapshot_download(name, revision=revision, local_files_only=True, allow_patterns=patterns))
        return folder, folder.name
    raise NetworkError(
        f"{name} is not on this machine, and the Hub could not be reached ({_first_line(reason)}). Check the network, "
        'give a local folder, or use the bundled model, which needs no network ("bundled").'
    ) from reason


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _bar(tell: Progress, name: str) -> type:
    """A progress bar class for huggingface_hub that reports to `tell` and draws nothing."""
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class Bar(tqdm):
        def display(self, *_: Any, **__: Any) -> None:
            pass

        def update(self, n: float | None = 1) -> bool | None:
            drawn = super().update(n)
            if self.unit == "B" and self.total:
                done, total = self.n / 1e6, self.total / 1e6
                tell(min(1.0, self.n / self.total), f"Downloading {name}: {done:,.0f} of {total:,.0f} MB")
            return drawn

    return Bar


def _check_weights(present: list[str], which: str) -> None:
    if any(item.endswith(".safetensors") for item in present):
        return
    if pickles := sorted(item for item in present if item.endswith(_PICKLES)):
        raise UnsafeError(
            f"{which} has its weights only as {pickles[0]}, a format that can run code when it is opened, so attnviz "
            "does not open it. Choose a model with *.safetensors, or convert this one with save_pretrained."
        )
    raise NotFoundError(f"{which} has no *.safetensors file, so there are no weights to load.")


def _from_folder(folder: Path, name: str, commit: str | None, place: torch.device, dtype: str | torch.dtype) -> Model:
    if not (folder / "config.json").is_file():
        raise NotFoundError(f"{folder} holds no config.json, so it is no model in Hugging Face format.")
    _check_weights([item.name for item in folder.iterdir()], name)
    with _quiet():
        config, network_class = _network_class(folder, name)
        try:
            network, report = network_class.from_pretrained(
                folder,
                config=config,
                dtype=_dtype(dtype, place, config),
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
            network.to(place)
        except (MemoryError, torch.OutOfMemoryError) as error:
            raise MemoryShortError(
                f"{name} does not fit into the memory of {place}. "
                'Choose a smaller model, dtype="float16" or device="cpu".'
            ) from error
        except InputError:
            raise
        except Exception as error:
            raise LoadError(f"{name} could not be loaded: {_first_line(error)}") from error
        missing = sorted(key for key in report["missing_keys"] if "att" in key.lower())
        if missing:
            raise LoadError(
                f"{name} lacks weights of its attention ({missing[0]} and {len(missing) - 1} more), so what it would "
                "show was never learned. Choose a complete checkpoint."
            )
        tokenizer = _tokenizer(folder)
    return Model(network, tokenizer, name=name, revision=commit)


def _network_class(folder: Path, name: str) -> tuple[Any, Any]:
    """The configuration and the class that the checkpoint was saved from, or the one with the best matching head."""
    import transformers

    raw = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    try:
        config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True)
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
    for architecture in getattr(config, "architectures", None) or ():
        found = getattr(transformers, architecture, None)
        if found is not None:
            return config, found
    if raw.get("auto_map") and raw.get("architectures"):
        raise UnsafeError(
            f"{name} needs code of its own ({raw['architectures'][0]}), and attnviz runs no code from a model's "
            "repository."
        )
    for auto in ("Seq2SeqLM", "CausalLM", "MaskedLM"):
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
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
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
