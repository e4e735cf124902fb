"""`load`: the bundled model, a local folder, or a Hub id. Safetensors only, and never code from a repository."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch

import attnviz
from attnviz.errors import (
    InputError,
    Message,
    NotFoundError,
)
from attnviz.models.loading.checkpoint import load_folder
from attnviz.models.loading.hub import Progress, display_name, download_model
from attnviz.models.model import Model

BUNDLED = "bundled"
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
    torch_device, precision = _device(device), _dtype(dtype)
    name = str(name).strip()
    if not name:
        raise InputError('Name a model: "bundled", a folder, or a Hub id such as "bert-base-uncased".')
    if revision and (name == BUNDLED or _looks_like_path(name)):
        raise InputError("{0} has no revisions; only models on the Hub have. Leave `revision` out.", display_name(name))
    if name == BUNDLED:
        folder, commit = Path(attnviz.__file__).parent / BUNDLED, None
    elif _exists(name, Path.is_dir):
        folder, commit = Path(name).expanduser(), None
    elif _looks_like_path(name):
        problem = Message("is a file, not a folder") if _exists(name, Path.exists) else Message("does not exist")
        raise NotFoundError(
            "The folder {0} {1}. Give a folder that holds config.json, *.safetensors and a tokenizer, or a Hub id "
            "such as bert-base-uncased.",
            display_name(name),
            problem,
        )
    else:
        folder, commit = download_model(name, revision or None, tell)
    tell(None, Message("Loading {0}", name))
    return load_folder(folder, name, commit, torch_device, precision)


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
        torch_device = torch.device(device)
        torch.empty(1, device=torch_device)
    except (RuntimeError, AssertionError, NotImplementedError, TypeError) as error:
        raise _no_device(device) from error
    if torch_device.type == "meta":  # which holds shapes and no numbers
        raise _no_device(device)
    return torch_device


def _no_device(device: str) -> InputError:
    cuda = f' or "cuda:0" to "cuda:{torch.cuda.device_count() - 1}"' if torch.cuda.is_available() else ""
    return InputError('There is no device {0!r} on this machine. Use "auto", "cpu"{1}.', device, cuda)


def _dtype(dtype: str | torch.dtype) -> torch.dtype | None:
    """The precision that was asked for; None for "auto"."""
    name = str(dtype).removeprefix("torch.")
    if name == "auto":
        return None
    if name not in _DTYPES:
        raise InputError("There is no dtype {0!r} here. Use one of auto, {1}.", dtype, ", ".join(_DTYPES))
    return getattr(torch, name)
