"""Several heads as one map: the mean and the maximum over heads or layers, and attention rollout.

    maps of some heads ─ mean, maximum ──────┐
    a recording ─ over_heads, over_layers ───┼─ AttentionMap, whose name says what it was made of
    a recording ─ rollout ───────────────────┘

What it does not do: the mean over chosen query words is `AttentionMap.average_queries`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention.attention_map import AttentionMap
from attnviz.errors import InputError

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording

HOWS = ("mean", "max")

WHOLE_LAYER = 1 << 24
"""Weights up to which a layer is computed at once, 64 MiB; beyond, head by head."""


def each_head(recording: Recording, kind: str, layer: int) -> Iterator[AttentionMap]:
    """The maps of a layer's heads in their order, in memory that does not grow with the number of heads for long texts.

    Raises:
        InputError: there is no such kind or layer.
    """
    _layers, heads, queries, keys = recording.size(kind)
    if heads * queries * keys <= WHOLE_LAYER:
        yield from recording.maps(kind, layer=layer)
    else:
        for head in range(recording.heads(kind, layer)):
            yield recording.map(kind, layer=layer, head=head)


def mean(maps: Iterable[AttentionMap]) -> AttentionMap:
    """The mean weight of several maps, cell by cell.

    Args:
        maps: at least one, all with the same tokens, and all renormalised or none. They are taken one after another,
            so that an iterator of large maps needs memory for three.

    Returns:
        A map whose rows sum to 1 if theirs do; `hidden_mass` is the mean too. Of renormalised maps it is the mean of
        the undivided rows, divided again, so that a row counts for as much as is shown of it. `layer` and `head` are
        those that all maps share, or None; `aggregate` says "mean", with the layers where those are several.

    Raises:
        InputError: there is no map, or they do not fit together.

    Example:
        >>> pieces = (Token(7, "a", False, 0, 0, 1), Token(8, "b", False, 1, 2, 3))
        >>> heads = [AttentionMap.of(rows, pieces, pieces, layer=2, head=head)
        ...          for head, rows in enumerate([[[1, 0], [0.5, 0.5]], [[0.5, 0.5], [0, 1]]])]
        >>> mean(heads).name, mean(heads).weights.tolist()
        ('L2 mean', [[0.75, 0.25], [0.25, 0.75]])
    """
    return _combine(maps, "mean")


def maximum(maps: Iterable[AttentionMap]) -> AttentionMap:
    """The largest weight of several maps, cell by cell: where any of the heads looks.

    Args, raises: as in `mean`.

    Returns:
        A map with weights in [0, 1] whose rows may add up to more than 1. What is hidden is taken as one more column:
        `hidden_mass` is its share of the row with it. In a renormalised map the rows are divided by their sums.

    Example:
        >>> maximum(heads).name, maximum(heads).weights.tolist()
        ('L2 max', [[1.0, 0.5], [0.5, 1.0]])
    """
    return _combine(maps, "max")


def over_heads(recording: Recording, kind: str, layer: int, how: str = "mean") -> AttentionMap:
    """All heads of a layer as one map.

    Args:
        kind: "encoder", "decoder" or "cross".
        layer: from 0.
        how: "mean" or "max".

    Raises:
        InputError: there is no such kind or layer, or no such way.

    Example:
        >>> over_heads(attnviz.load("bundled").record("Der Hund sah den Ball."), "encoder", 2, "max").name
        'L2 max'
    """
    _check(how)
    return _combine(each_head(recording, kind, layer), how)


def over_layers(recording: Recording, kind: str, head: int, how: str = "mean") -> AttentionMap:
    """One head of each layer that has so many, as one map; heads of one number have nothing in common but that.

    Args, raises: as in `over_heads`.

    Example:
        >>> over_layers(attnviz.load("bundled").record("Der Hund sah den Ball."), "encoder", 5).name
        'L0–3 mean H5'
    """
    _check(how)
    layers = range(recording.size(kind)[0])
    having = [layer for layer in layers if head < recording.heads(kind, layer)] or layers
    return _combine((recording.map(kind, layer=layer, head=head) for layer in having), how)


def rollout(recording: Recording, kind: str, layer: int) -> AttentionMap:
    """How much of each input token has reached each token by a layer, if weights are taken for shares of information.

    Attention rollout of Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3 and equation 1.
    With W the mean over a layer's heads, the residual connection gives A = 0.5 W + 0.5 I, its rows divided by their
    sums, and R_l = A_l R_(l-1), with R_0 = A_0. In an encoder–decoder's decoder this follows the self-attention
    alone, as if nothing came in from the encoder.

    Args:
        kind: "encoder" or "decoder".
        layer: the last layer that takes part, from 0.

    Returns:
        A map whose rows sum to 1: queries are tokens after that layer, keys are tokens of the input. What a sink took
        is divided away with the rest, for it brings no information; so is what went to a model's own prompt.
        Nothing is hidden.

    Raises:
        InputError: `kind` is "cross", or there is no such kind or layer.

    Example:
        >>> rollout(attnviz.load("bundled").record("Der Hund sah den Ball."), "encoder", 3).name
        'rollout L3'
    """
    if kind == "cross":
        raise InputError(
            "Attention rollout follows each token through the layers of one sequence, and cross-attention goes from "
            'one sequence to another. Choose "encoder" or "decoder" for rollout, or the mean or the maximum of the '
            "cross-attention."
        )
    # Asks for the last layer first: where there is none, nothing else need be computed.
    last = _residual(_combine(each_head(recording, kind, layer), "mean"))
    rolled: np.ndarray | None = None
    for below in range(layer):
        step = _residual(_combine(each_head(recording, kind, below), "mean"))
        rolled = step if rolled is None else step @ rolled
    rolled = last if rolled is None else last @ rolled
    return AttentionMap.of(
        rolled,
        recording.query_tokens(kind),
        recording.key_tokens(kind),
        kind=kind,
        layer=layer,
        head=None,
        model=recording.model,
        number=recording.layer_number(kind, layer),
        aggregate="rollout",
    )


def _check(how: str) -> None:
    if how not in HOWS:
        raise InputError('Heads can be put together by "mean" or "max", not {0!r}.', how)


def _residual(map: AttentionMap) -> np.ndarray:
    """(token, token) float64: half the mean attention, half the token itself, rows divided by their sums."""
    mixed = 0.5 * map.weights.astype(np.float64) + 0.5 * np.eye(len(map.weights))
    return mixed / mixed.sum(axis=1, keepdims=True)


def _combine(maps: Iterable[AttentionMap], how: str) -> AttentionMap:
    first: AttentionMap | None = None
    layers: list[int | None] = []
    heads: list[int | None] = []
    aggregates: list[str] = []
    for map in maps:
        shown, hidden = map.amounts()
        if first is None:
            first, weights, mass = map, np.array(shown), np.array(hidden)
        else:
            _fit(first, map)
            step = np.add if how == "mean" else np.maximum
            step(weights, shown, out=weights)
            step(mass, hidden, out=mass)
        layers.append(map.layer_number)
        heads.append(map.head)
        aggregates.append(map.aggregate)
    if first is None:
        raise InputError("There is no map to put together; give at least one.")
    if how == "mean":
        weights /= len(layers)
        mass /= len(layers)
    origin = dataclasses.replace(
        first,
        layer=None if _common_number(layers) is None else first.layer,
        number=None if _common_number(layers) is None else first.number,
        head=_common_number(heads),
        aggregate=_aggregate_name(how, layers, aggregates),
    )
    return origin.with_amounts(weights, mass)


def _fit(first: AttentionMap, other: AttentionMap) -> None:
    """Raises InputError where two maps cannot be put together."""
    if (first.query_tokens, first.key_tokens) != (other.query_tokens, other.key_tokens):
        raise InputError(
            "{0} has other tokens than {1}. Only maps of the same text, kind and model can be put together, with the "
            "same tokens hidden.",
            other.name,
            first.name,
        )
    if (first.kind, first.model) != (other.kind, other.model):
        raise InputError(
            "{0} is {1} attention of {2}, {3} is {4} attention of {5}. Only maps of one kind and model can be put "
            "together.",
            first.name,
            first.kind,
            first.model or "a model",
            other.name,
            other.kind,
            other.model or "a model",
        )
    if first.renormalised != other.renormalised:
        raise InputError(
            "The rows of {0} were divided by what is left of them, those of {1} were not. Renormalise all of them or "
            "none.",
            (first if first.renormalised else other).name,
            (other if first.renormalised else first).name,
        )


def _common_number(numbers: list[int | None]) -> int | None:
    return numbers[0] if len(set(numbers)) == 1 else None


def _aggregate_name(how: str, layers: list[int | None], aggregates: list[str]) -> str:
    """What was done, for `AttentionMap.aggregate`: "mean", "L0–3 mean", "mean of max"."""
    before = aggregates[0] if len(set(aggregates)) == 1 else "several"
    if before.endswith(f" {how}") and _common_number(layers) is None and None in layers:
        return before  # the layers are named already
    way = how if before in ("", how) else f"{how} of {before}"
    numbers = sorted({layer for layer in layers if layer is not None})
    if len(numbers) < 2:
        return way
    together = len(numbers) == numbers[-1] - numbers[0] + 1
    span = f"{numbers[0]}–{numbers[-1]}" if together else ",".join(str(number) for number in numbers)
    return f"L{span} {way}"
