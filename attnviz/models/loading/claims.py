"""What a config.json claims, checked before anything of that size is built.

A configuration is a few lines that anybody can write. One that asks for 10¹² layers would fill the memory of the
computer long before transformers noticed that the weights are missing.

    check_counts ─ the numbers themselves ─ check_parameters ─ what they make, against the files with the weights

What a folder names has to be in it: check_names, and where the folder is a stranger's, check_links.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from attnviz.errors import LoadError, UnsafeError
from attnviz.models.loading.hub import first_line

_COUNTS = re.compile(r"layers?|blocks?|depths?|experts|heads?|stages?")
_SIZES = re.compile(r"position|vocab|size|dim|d_model|d_ff|n_embd|n_ctx|n_inner|labels")
# The largest models have some hundred layers, 512 experts, ten million positions and a million words.
MOST_COUNT, MOST_SIZE = 100_000, 2**28
_FEWEST_BYTES = 0.25  # for a parameter, as far as anybody has compressed them
_BESIDE = 50_000_000  # parameters that a checkpoint may leave out, such as a head that was not trained


def check_counts(raw: Any, name: str) -> None:
    """Raises LoadError where a number is larger than that of any model.

    Args:
        raw: what config.json holds.
        name: of the model.
    """
    for key, number in _numbers(raw):
        most = MOST_COUNT if _COUNTS.search(key) else MOST_SIZE if _SIZES.search(key) else None
        if most is not None and number > most:
            raise LoadError(
                "The config.json of {0} asks for {1} = {2:.3g}; no model has more than {3:,}. Choose another one.",
                name,
                key,
                float(min(number, 10**300)),
                most,
            )


def _numbers(raw: Any, key: str = "", depth: int = 0) -> Iterator[tuple[str, float]]:
    """All numbers with the names that they stand under."""
    if isinstance(raw, bool) or depth > 20:
        return
    if isinstance(raw, int | float):
        yield key, raw
    elif isinstance(raw, dict):
        for name, item in raw.items():
            yield from _numbers(item, str(name), depth + 1)
    elif isinstance(raw, list):
        for item in raw:
            yield from _numbers(item, key, depth + 1)


def check_parameters(network_class: Any, config: Any, folder: Path, name: str) -> None:
    """Raises LoadError where the network has many more parameters than the files can hold.

    Args:
        network_class, config: what would be built; here it is built without its numbers.
        folder: with the weights.
        name: of the model.
    """
    held = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    build = getattr(network_class, "_from_config", None) or network_class.from_config
    try:
        with torch.device("meta"):
            network = build(config)
    except Exception as error:
        raise LoadError("{0} could not be loaded: {1}", name, first_line(error)) from error
    claimed = sum(parameter.numel() for parameter in network.parameters())
    if claimed > held / _FEWEST_BYTES + _BESIDE:
        raise LoadError(
            "{0} would have {1:,.1f} million parameters by its config.json, and its files hold {2:,.1f} MB. Choose a "
            "complete checkpoint.",
            name,
            claimed / 1e6,
            held / 1e6,
        )


def check_names(folder: Path, name: str) -> None:
    """Raises UnsafeError where the index of the weights names a file outside the folder.

    Args:
        folder: of the model.
        name: of the model.
    """
    for path in folder.glob("*.safetensors.index.json"):
        try:
            files = set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values())
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise LoadError("{0} could not be loaded: {1}", name, f"{path.name}: {first_line(error)}") from error
        for file in files:
            if not isinstance(file, str) or Path(file).name != file or "\\" in file or file == "..":
                raise _leads_out(name, str(file))


def check_links(folder: Path, name: str) -> None:
    """Raises UnsafeError where a link in a folder leads out of it, but for those of the Hub's own cache.

    Args:
        folder: of the model.
        name: of the model.
    """
    root = folder.resolve()
    cache = next((parent for parent in root.parents if parent.name.startswith("models--")), root)
    for path in folder.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(cache):
            raise _leads_out(name, path.name)


def _leads_out(name: str, file: str) -> UnsafeError:
    return UnsafeError(
        "{0} names a file outside its folder ({1}), and attnviz does not follow it. Copy the file into the folder.",
        name,
        file,
    )
