"""What is lost when a token is missing: hidden from all others, left out, or replaced by a vector that says nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from attnviz.attribution.explained import Explained
from attnviz.attribution.reading import Change, Reading, Side, check_captured
from attnviz.errors import InputError

Missing = Literal["hide", "delete", "replace"]
"""How a token is missing: no other token may look at it; it is left out; an average vector stands in its place."""
Progress = Callable[[float], None]


def occlusion(reading: Reading, explained: Explained, missing: Missing, progress: Progress | None) -> np.ndarray:
    """What the prediction loses when each token alone is missing: (tokens,), of either sign.

    Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks", section 4.2; for words Li et al. 2016,
    "Understanding Neural Networks through Representation Erasure". A deleted token moves those behind it by one
    position; what cannot be deleted (a start token, the masked word itself) has the value 0. A hidden one still knows
    of itself, which counts at the explained row.
    """
    check_missing(missing)
    whole = float(explained.value(reading.run(1)))
    count = len(reading.every_token)
    if missing == "delete" and explained.edge:
        raise InputError(
            'Deleting a token moves the answer behind it. Choose missing="hide" or "replace" to explain an answer.'
        )
    if missing == "delete":
        return _deleted(reading, explained, whole, progress)
    values = np.empty(count)
    for rows, logits in without_tokens(reading, np.eye(count, dtype=bool), missing):
        values[rows] = whole - explained.value(logits).double().cpu().numpy()
        if progress is not None:
            progress(rows.stop / count)
    return values


def check_missing(missing: str) -> None:
    """Raises InputError where it is no way for a token to be missing."""
    if missing not in get_args(Missing):
        raise InputError('`missing` has to be "hide", "delete" or "replace", not {0!r}.', missing)


def without_tokens(reading: Reading, removed: np.ndarray, missing: Missing) -> Iterator[tuple[slice, Tensor]]:
    """What the network says without some of its tokens, many choices of them at a time.

    Args:
        removed: boolean (choices, tokens): which are missing.
        missing: "hide" or "replace".

    Yields:
        A slice of the choices, and their logits (choices, vocabulary or classes).
    """
    if missing == "hide":
        check_captured(reading.model)
    step = reading.copies_at_once(maps=missing == "hide")
    device = reading.model.device
    vectors = {
        side: (reading.vectors(side), reading.average_vector(side)) for side in reading.tokens if missing != "hide"
    }
    for start in range(0, len(removed), step):
        rows = slice(start, min(start + step, len(removed)))
        chosen = torch.from_numpy(np.ascontiguousarray(removed[rows])).to(device)
        sides: dict[Side, Tensor] = dict(
            zip(reading.tokens, chosen.split([len(item) for item in reading.tokens.values()], dim=1), strict=True)
        )
        if missing == "hide":
            change = Change(
                hidden={
                    kind: sides["target" if kind == "decoder" and reading.is_paired else "source"]
                    for kind in reading.kinds
                }
            )
        else:
            change = Change(
                vectors={
                    side: torch.where(sides[side][..., None], average.to(own), own)
                    for side, (own, average) in vectors.items()
                }
            )
        yield rows, reading.run(len(chosen), change)


def _deleted(reading: Reading, explained: Explained, whole: float, progress: Progress | None) -> np.ndarray:
    values = []
    for side, tokens in reading.tokens.items():
        own = np.zeros(len(tokens))
        is_written = side == "target"
        indices = [at for at in range(len(tokens)) if _can_be_deleted(reading, explained, is_written, at)]
        step = reading.copies_at_once(maps=False)
        for start in range(0, len(indices), step):
            chosen = indices[start : start + step]
            own[chosen] = whole - _values_without(reading, explained, side, chosen)
        values.append(own)
        if progress is not None:
            progress(len(np.concatenate(values)) / len(reading.every_token))
    return np.concatenate(values)


def _can_be_deleted(reading: Reading, explained: Explained, is_written: bool, at: int) -> bool:
    if is_written:
        return at > 0
    if len(reading.tokens["source"]) == 1:
        return False
    is_gap = reading.kinds == ("encoder",) and not explained.is_class and at == reading.position
    return not is_gap


def _values_without(reading: Reading, explained: Explained, side: Side, deleted: Sequence[int]) -> np.ndarray:
    """The value of the prediction without each of some tokens."""
    copies = len(deleted)
    left = torch.tensor(
        [[at for at in range(len(reading.tokens[side])) if at != one] for one in deleted], device=reading.model.device
    )
    ids = {name: reading.ids(name).expand(copies, -1) for name in reading.tokens}
    ids[side] = reading.ids(side)[0][left]
    beside = {name: row[0][left] for name, row in reading.beside.items()}
    is_main = side == "target" or not reading.is_paired
    if reading.kinds == ("encoder",) and is_main and not explained.is_class:
        rows = [reading.position - (one < reading.position) for one in deleted]
    else:
        rows = [reading.position - is_main] * copies
    results = []
    for row in sorted(set(rows)):
        of_row = [at for at, own in enumerate(rows) if own == row]
        logits = reading.run(
            len(of_row),
            ids={name: item[of_row] for name, item in ids.items()},
            beside={name: item[of_row] for name, item in beside.items()},
            position=row,
        )
        results.append((of_row, explained.value(logits).double().cpu().numpy()))
    values = np.empty(copies)
    for of_row, value in results:
        values[of_row] = value
    return values
