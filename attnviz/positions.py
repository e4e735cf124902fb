"""How many tokens fit into a network: the tables of absolute positions that its modules hold.

Only tables count. Rotary and relative positions go on beyond what a configuration names as their most.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

from attnviz.models.capture_plan import text_config


def named(stack: Any) -> set[int]:
    """What the configuration of a network, an encoder or a decoder calls the most positions, by any of its names."""
    if not hasattr(stack, "config"):
        return set()
    config = text_config(stack)
    names = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len")
    return {limit for limit in (getattr(config, name, None) for name in names) if isinstance(limit, int)}


def room(stack: Any) -> int | None:
    """How many tokens fit into the tables of a network, an encoder or a decoder; None where it has no table.

    >>> room(transformers.RobertaModel(transformers.RobertaConfig(max_position_embeddings=514)))
    512
    """
    known = named(stack)
    limits = [
        min(limit, rows - offset)
        for rows, offset in _tables(stack)
        for limit in known
        if limit <= rows <= limit + max(offset, 2)  # any other table is of something else, relative positions say
    ]
    return min(limits, default=None)


def _tables(stack: nn.Module) -> Iterator[tuple[int, int]]:
    """The rows of each table of positions, and how many of them come before the first token's."""
    for name, module in stack.named_modules():
        weight = getattr(module, "weight", None)
        if (
            _of_positions(name)
            and isinstance(weight, Tensor)
            and weight.ndim == 2
            and not isinstance(module, nn.Linear)
        ):
            # RoBERTa and its like start counting behind the padding's index, OPT and BART two further.
            padding, offset = getattr(module, "padding_idx", None), getattr(module, "offset", None)
            yield weight.shape[0], offset if offset is not None else 0 if padding is None else padding + 1
    for name, buffer in stack.named_buffers():
        if _of_positions(name) and buffer.ndim == 2:
            yield buffer.shape[0], 0


def _of_positions(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return "pos" in last or last == "wpe"
