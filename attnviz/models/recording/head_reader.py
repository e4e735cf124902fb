"""The heads of a recording, ready to be read block by block, at any length of text."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from attnviz.attention import dot_product
from attnviz.attention.attention_map import AttentionMap
from attnviz.attention.axes import Axis, shown_and_hidden
from attnviz.attention.blockwise import Rule, Spans
from attnviz.attention.cells import PooledRegion, check_reduce, region_cells
from attnviz.attention.links import Link, check_links, strongest
from attnviz.attention.pooled_maps import pool_tokens
from attnviz.attention.pooling import pool
from attnviz.attention.streaming import Head, HeadRows, HeadVectors, exact
from attnviz.models.capture.capture import Layer
from attnviz.models.recording.recorded_stack import Stored

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording


class HeadReader:
    """Reads one recording, and keeps the logarithms of the row sums that it has come to know."""

    def __init__(self) -> None:
        self._log_sums: dict[tuple[str, int], Tensor] = {}

    def heads(self, kind: str, layer: int, stored: Stored, which: Sequence[int]) -> list[Head]:
        """Some heads of a layer.

        Args:
            kind, layer: which layer it is.
            stored: what was captured of it.
            which: heads, from 0.
        """
        if isinstance(stored, Tensor):
            spans = Spans.causal(stored.shape[1], stored.device) if kind == "decoder" else None
            rounding = dot_product.rounding(stored.dtype)
            return [_known(stored, head, spans, rounding) for head in which]
        if type(stored.rule) is not Rule:
            return [_changed(stored, head) for head in which]
        sums = self._sums(kind, layer, stored)
        return [
            HeadVectors(stored.query[head], stored.for_heads(stored.key, head)[0], stored.rule, head, sums[head])
            for head in which
        ]

    def _sums(self, kind: str, layer: int, stored: Layer) -> Tensor:
        """(heads, queries), NaN where nothing is known yet; readers fill it in."""
        if (kind, layer) not in self._log_sums:
            query = stored.query
            sums = torch.full(query.shape[:2], torch.nan, dtype=exact(query.device), device=query.device)
            return self._log_sums.setdefault((kind, layer), sums)  # an app's sessions share a recording
        return self._log_sums[kind, layer]


def pooled_region(
    recording: Recording,
    kind: str,
    layer: int,
    head: int | None,
    size: int,
    reduce: str,
    rows: tuple[int, int] | None,
    columns: tuple[int, int] | None,
) -> PooledRegion:
    """What `Recording.pooled_region` gives."""
    check_reduce(reduce)
    heads = recording.read_heads(kind, layer, head)
    queries, keys = len(recording.query_tokens(kind)), len(recording.key_tokens(kind))
    row_cells, column_cells = (
        region_cells("rows", rows, queries, size),
        region_cells("columns", columns, keys, size),
    )
    every = [pool(one, row_cells, column_cells, reduce) for one in heads]
    values, hidden, outside = (torch.stack(parts) if head is None else parts[0] for parts in zip(*every, strict=True))
    return PooledRegion(values, row_cells.edges, column_cells.edges, hidden, outside, reduce)


def pooled_maps(
    recording: Recording, kind: str, layer: int, head: int | None, size: int, *, hide_first: bool = False
) -> tuple[AttentionMap, ...]:
    """The pooled map of one head, or those of all heads of a layer; see `Recording.pooled_map`.

    Args:
        hide_first: leaves out the first key and counts it as hidden; see `AttentionMap.without_first_key`.
    """
    key_tokens = recording.key_tokens(kind)[hide_first:]
    columns = (1, len(key_tokens) + 1) if hide_first else None
    region = recording.pooled_region(kind, layer, head, size, "share", columns=columns)
    queries, keys = pool_tokens(recording.query_tokens(kind), size), pool_tokens(key_tokens, size)
    shares, hidden = (
        values.clamp_max(1.0).numpy()[None if head is not None else slice(None)]
        for values in (region.values, region.hidden_mass + region.outside)
    )
    return tuple(
        AttentionMap.of(own, queries, keys, hidden_mass=mass, **recording.origin(kind, layer, number))
        for number, (own, mass) in enumerate(zip(shares, hidden, strict=True), start=head or 0)
    )


def axis_maps(
    recording: Recording, kind: str, layer: int, head: int | None, rows: Axis, columns: Axis, *, renormalise: bool
) -> tuple[AttentionMap, ...]:
    """The map of one head, or those of all heads of a layer, as two axes have it.

    Args:
        recording: of any length.
        kind, layer, head: which; all heads of the layer where head is None.
        rows, columns: what becomes of the queries and of the keys.
        renormalise: divide each row by what is left of it.
    """
    maps = []
    for number, one in enumerate(recording.read_heads(kind, layer, head), start=head or 0):
        shown, hidden = (part.numpy() for part in shown_and_hidden(one, rows, columns))
        map = AttentionMap.of(
            shown, rows.tokens, columns.tokens, hidden_mass=hidden, **recording.origin(kind, layer, number)
        )
        maps.append(map.with_amounts(np.minimum(shown, 1.0), hidden, renormalise=renormalise))
    return tuple(maps)


def links(
    recording: Recording, kind: str, layer: int, head: int | None, count: int, beside: Collection[str]
) -> tuple[Link, ...]:
    """What `Recording.links` gives."""
    check_links(count, beside)
    queries, keys = (
        torch.tensor([token.special for token in tokens], dtype=torch.bool)
        for tokens in (recording.query_tokens(kind), recording.key_tokens(kind))
    )
    every: list[Link] = []
    for number, one in enumerate(recording.read_heads(kind, layer, head), start=head or 0):
        every += strongest(one, count, beside, queries, keys, number=number, same_text=kind != "cross")
    return tuple(sorted(every, key=lambda link: (-link.weight, link.head, link.query, link.key))[:count])


def _known(stored: Tensor, head: int, visible: Spans | None, rounding: float) -> HeadRows:
    return HeadRows(lambda rows: stored[head, rows].float(), stored.shape[-1], visible, rounding)


def _changed(stored: Layer, head: int) -> HeadRows:
    """A head whose rule interventions changed: these see whole rows."""
    one = slice(head, head + 1)
    query, key = stored.query[one], stored.for_heads(stored.key, head)
    visible = stored.rule.visible
    if isinstance(visible, Tensor):
        visible = visible[head if visible.shape[0] > 1 else 0]
    return HeadRows(
        lambda rows: stored.rule.weights(query[:, rows], key, rows, one)[0],
        key.shape[1],
        visible,
        dot_product.COMPUTED,
    )
