"""Downloads from the Hugging Face Hub: which files, how far it is, and what went wrong in plain words."""

from __future__ import annotations

import concurrent.futures
import errno
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from attnviz.errors import (
    LoadError,
    Message,
    NetworkError,
    NotFoundError,
    UnsafeError,
)

Progress = Callable[[float | None, str], None]
"""Told how far a step is (0 to 1, None where nobody knows) and what is happening."""

# Configurations, and what tokenizers of all kinds keep their vocabularies in.
_FILES = (".json", ".model", ".txt", ".jinja", ".tiktoken", ".spm", ".vocab", ".codes", ".tokenizer")
_WEIGHTS = re.compile(r"model(-\d+-of-\d+)?\.safetensors")
_PICKLES = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".h5", ".msgpack")


def display_name(name: str) -> str:
    """A name in a message; somebody may have pasted a book into the box."""
    return name if len(name) <= 200 else f"{name[:200]}…"


def download_model(name: str, revision: str | None, tell: Progress) -> tuple[Path, str | None]:
    """The local copy of a Hub model and its commit."""
    from huggingface_hub import HfApi, errors

    tell(None, Message("Looking for {0} on the Hub", display_name(name)))
    label = Message("{0} at revision {1}", name, revision) if revision else name
    try:
        info = HfApi().model_info(name, revision=revision, timeout=15, files_metadata=True)
    except errors.GatedRepoError as error:
        raise _gated_error(label) from error
    except errors.RevisionNotFoundError as error:
        raise NotFoundError("{0} has no revision {1!r}. Leave it empty for the newest.", name, revision) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise NotFoundError(
            "There is no model {0!r} on the Hub, and no folder of that name here. Check the spelling: a Hub id looks "
            "like bert-base-uncased or owner/name.",
            display_name(name),
        ) from error
    except Exception as error:  # a missing network raises many kinds of errors, from name look-up to proxies
        return _cached_snapshot(name, revision, error)
    sizes = {item.rfilename: item.size or 0 for item in info.siblings or [] if "/" not in item.rfilename}
    check_weights(list(sizes), label)
    # Some repositories hold the same weights a second time, under another name.
    weights = [item for item in sizes if _WEIGHTS.fullmatch(item)] or [
        item for item in sizes if item.endswith(".safetensors")
    ]
    chosen = [*weights, *(item for item in sizes if item.endswith(_FILES))]
    try:
        folder = _fetch(name, revision, chosen, sum(sizes[item] for item in chosen), tell)
    except errors.GatedRepoError as error:  # the Hub shows everybody the list of files of a gated model
        raise _gated_error(label) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise LoadError(
                "There is no room on the disk for {0} ({1:,.0f} MB). Make room, or have HF_HOME name a folder on "
                "another disk; what is there is kept.",
                label,
                sum(sizes[item] for item in chosen) / 1e6,
            ) from error
        raise NetworkError(
            "The download of {0} stopped ({1}). What is there is kept; try again.",
            label,
            first_line(error),
        ) from error
    return folder, folder.name


def _gated_error(label: str) -> NotFoundError:
    return NotFoundError(
        "{0} is gated: its owner gives access on request. Ask for it on its Hub page and log in, or choose another "
        "model.",
        label,
    )


def _fetch(name: str, revision: str | None, files: list[str], size: int, tell: Progress) -> Path:
    """Downloads some files of a Hub model into the local cache, while this thread tells how far it is."""
    from huggingface_hub import snapshot_download

    # By its branch, not its commit: that the branch is this commit is then remembered for when there is no network.
    counter = _counter()
    pool = concurrent.futures.ThreadPoolExecutor(1, "attnviz-download")
    running = pool.submit(snapshot_download, name, revision=revision, allow_patterns=files, tqdm_class=counter)
    pool.shutdown(wait=False)
    reported = None
    while True:
        ended = concurrent.futures.wait([running], timeout=0.1).done
        if reported != (counter.files, counter.most):
            reported = done_files, done_bytes = counter.files, counter.most
            total = max(size, done_bytes, 1)
            tell(
                done_bytes / total,
                Message(
                    "Downloading {0}: {1} of {2} files, {3:,.0f} of {4:,.0f} MB",
                    name,
                    done_files,
                    len(files),
                    done_bytes / 1000000.0,
                    total / 1000000.0,
                ),
            )
        if ended:
            return Path(running.result())


def _cached_snapshot(name: str, revision: str | None, reason: Exception) -> tuple[Path, str | None]:
    """The copy of an earlier download, for a machine without network."""
    from huggingface_hub import try_to_load_from_cache

    config_path = try_to_load_from_cache(name, "config.json", revision=revision)
    if isinstance(config_path, str) and any(Path(config_path).parent.glob("*.safetensors")):
        folder = Path(config_path).parent
        return folder, folder.name
    raise NetworkError(
        "{0} is not on this machine, and the Hub could not be reached ({1}). Check the network, give a local folder, "
        'or use the bundled model, which needs no network ("bundled").',
        name,
        first_line(reason),
    ) from reason


def first_line(error: Exception) -> str:
    """The first line of an error's message, or the name of its class."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _counter() -> Any:
    """A class in place of huggingface_hub's progress bars: it draws nothing and counts the files and the bytes.

    Its bars are updated from the threads of the download, where an app's screen cannot be written to.
    """
    from tqdm.auto import tqdm  # type: ignore[import-untyped]

    class Counter(tqdm):
        most = 0  # bytes, of the bar that is further
        files = 0  # that are complete

        def __init__(self, *args: Any, **options: Any) -> None:
            # On even where somebody turned progress bars off, for a bar that is off does not count.
            super().__init__(*args, **options | {"disable": False, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> bool | None:
            drawn = super().update(n)
            if self.unit == "B":
                Counter.most = max(Counter.most, int(self.n))
            else:
                Counter.files = max(Counter.files, int(self.n))
            return drawn

    return Counter


def check_weights(present: list[str], label: str) -> None:
    """Raises UnsafeError or NotFoundError where none of the files holds safetensors."""
    if any(item.endswith(".safetensors") for item in present):
        return
    if pickles := sorted(item for item in present if item.endswith(_PICKLES)):
        raise UnsafeError(
            "{0} has its weights only as {1}, a format that can run code when it is opened, so attnviz does not open "
            "it. Choose a model with *.safetensors, or convert this one with save_pretrained.",
            label,
            pickles[0],
        )
    raise NotFoundError("{0} has no *.safetensors file, so there are no weights to load.", label)
