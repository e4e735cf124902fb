"""What a config.json claims, checked before anything of that size is built.

A configuration is a few lines that anybody can write. One that asks for 10¹² layers would fill the memory of the
computer long before transformers noticed that the weights are missing.

    check_counts ─ the numbers themselves ─ check_parameters ─ what they make, against the files with the weights
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from attnviz.errors import LoadError
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
