"""`Recording`: what one forward pass left to look at, and the words for its axes.

The axes, named so in all of attnviz:

    layer     0 … layers - 1, counted from the input
    head      0 … heads - 1 within a layer
    query     the token that looks: rows
    key       the token that is looked at: columns
    head_dim  the coordinates of a head's query and key vectors
    token     an entry of the vocabulary at a position of the sequence
    word      what a reader calls a word: one token or several

The three kinds of attention, as in Vaswani et al. 2017, section 3.2.3: "encoder" (every token sees every other),
"decoder" (a token sees those before it), "cross" (the decoder's tokens look at the encoder's).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from attnviz import display
from attnviz.attention import blockwise, dot_product
from attnviz.attention.attention_map import AttentionMap
from attnviz.attention.cells import PooledRegion
from attnviz.attention.links import BESIDE, Link
from attnviz.attention.pooled_maps import MOST
from attnviz.attention.streaming import Head
from attnviz.errors import out_of_memory
from attnviz.models.capture.capture import Layer
from attnviz.models.recording import head_reader
from attnviz.models.recording.changes import Intervention
from attnviz.models.recording.errors import memory_error, no_head, no_kind, no_layer, not_captured_error, not_kept
from attnviz.models.recording.recorded_stack import RecordedStack, Stored
from attnviz.tokenization.token import Token


class Recording:
    """The attention of one text in one model; made by `Model.record`.

    Weights, scores and pictures are computed for the head that is asked for; queries, keys and values are kept, so
    memory grows with the number of tokens. The decoder of an encoder–decoder runs when it is first asked for.
    """

    def __init__(
        self,
        kinds: tuple[str, ...],
        first: RecordedStack,
        second: Callable[[], RecordedStack] | None = None,
        *,
        model: str = "",
        numbers: Mapping[str, tuple[int, ...]] | None = None,
        beside: Mapping[str, tuple[int, ...]] | None = None,
        interventions: tuple[Intervention, ...] = (),
        kept: frozenset[int] | None = None,
    ) -> None:
        """For `Model.record`.

        Args:
            kinds: those present.
            first: the encoder, or the only stack.
            second: gives the decoder of an encoder–decoder, when it is needed.
            model: the model's name.
            numbers: by kind, what the model itself calls the layers; from 0 where a kind is not in it.
            beside: what the network read beside its ids, by its name there, one number for each token.
            interventions: what was changed in the attention; layers, weights and logits are those of the changed run.
            kept: which layers there is more of than their sizes; None for all.
        """
        self.kinds = kinds
        self.model = model
        self.beside, self.interventions = dict(beside or {}), interventions
        self._numbers, self._kept = dict(numbers or {}), kept
        self._reader = head_reader.HeadReader()
        self._first = first
        self._make_second = second
        self._second: RecordedStack | None = None
        # An app's sessions share a recording; the decoder runs for the first of them that looks.
        self._running = None if second is None else threading.Lock()

    def __repr__(self) -> str:
        return f"Recording({self.model!r}, kinds={self.kinds}, tokens={len(self._first.tokens)})"

    def _repr_html_(self) -> str | None:
        return display.notebook_html(self)

    def _repr_png_(self) -> bytes | None:
        return display.notebook_png(self)

    def _part(self, kind: str) -> RecordedStack:
        if kind not in self.kinds:
            raise no_kind(self.kinds, kind)
        if kind in self._first.layers:
            return self._first
        return self._decoder()

    def _decoder(self) -> RecordedStack:
        assert self._running is not None
        with self._running:
            if self._second is None:
                assert self._make_second is not None
                self._second = self._make_second()
                self._make_second = None  # drops the model and the encoder's states, which it held
            return self._second

    def size(self, kind: str) -> tuple[int, int, int, int]:
        """(layers, heads, queries, keys) of one kind; where layers differ in their heads, the most of any layer.

        >>> attnviz.load("bundled").record("Der Hund sah den Ball.").size("encoder")
        (4, 8, 7, 7)
        """
        layers = len(self._part(kind).layers[kind])
        heads = max(self.heads(kind, layer) for layer in range(layers))
        return layers, heads, len(self.query_tokens(kind)), len(self.key_tokens(kind))

    def heads(self, kind: str, layer: int) -> int:
        """How many heads a layer has; in some models layers differ, as where heads were pruned.

        Raises:
            InputError: there is no such kind or layer.
        """
        stored = self._layer(kind, layer)
        return stored.shape[0] if isinstance(stored, Tensor) else stored.query.shape[0]

    def layer_number(self, kind: str, layer: int) -> int:
        """What the model itself calls a layer, which names of maps and exports say.

        Layers with attention are counted from 0 here; a hybrid has others between them, and its own count has both.

        >>> attnviz.Model(jamba).record_ids([11, 12, 13]).layer_number("decoder", 0)
        2
        """
        return self._numbers.get(kind, range(layer + 1))[layer]

    def vector_size(self, kind: str) -> tuple[int, int] | None:
        """(key heads, head_dim); key heads are fewer where queries share keys. None where only weights are known.

        >>> attnviz.load("bundled").record("Der Hund sah den Ball.").vector_size("encoder")
        (8, 32)
        """
        first = self._part(kind).layers[kind][0]
        return None if isinstance(first, Tensor) else (first.key.shape[0], first.query.shape[-1])

    def query_tokens(self, kind: str) -> tuple[Token, ...]:
        """The tokens of the rows."""
        return self._part(kind).tokens

    def key_tokens(self, kind: str) -> tuple[Token, ...]:
        """The tokens of the columns."""
        part = self._part(kind)
        return self._first.tokens if kind == "cross" else part.tokens

    @property
    def logits(self) -> Tensor | None:
        """(target or sequence, vocabulary) float32, where the model has a language head; else None."""
        return (self._decoder() if "cross" in self.kinds else self._first).logits

    @property
    def is_complete(self) -> bool:
        """Whether all of it is computed, and memory will not grow; the decoder runs when it is first asked for.

        >>> attnviz.load("bundled").record("Der Hund sah den Ball.").is_complete
        False
        """
        return self._running is None or self._second is not None

    @property
    def by_capture(self) -> bool:
        """Whether queries, keys and values were kept; else the model could only be asked for its weights."""
        return isinstance(next(iter(self._first.layers.values()))[0], Layer)

    def stored_layer(self, kind: str, layer: int, head: int | None) -> Stored:
        """One layer as it was captured; raises InputError where there is no such kind, layer or head, or it was not
        kept."""
        stored = self._layer(kind, layer)
        if self._kept is not None and layer not in self._kept:
            raise not_kept(layer, self._kept)
        heads = self.heads(kind, layer)
        if head is not None and not 0 <= head < heads:
            raise no_head(kind, heads, head, None if heads == self.size(kind)[1] else layer)
        return stored

    def _layer(self, kind: str, layer: int) -> Stored:
        layers = self._part(kind).layers[kind]
        if not 0 <= layer < len(layers):
            own = ", ".join(map(str, self._numbers.get(kind, ())))
            raise no_layer(kind, len(layers), layer, own)
        return layers[layer]

    def weights(self, kind: str, *, layer: int, head: int | None = None) -> Tensor:
        """What share of its attention each query gives to each key.

        Args:
            kind: "encoder", "decoder" or "cross".
            layer, head: from 0; all heads of the layer where head is None.

        Returns:
            float32 in [0, 1], on the CPU: (query, key), or (head, query, key). Rows sum to 1 (to less where the
            model has sinks: the rest went to none of the tokens).

        Raises:
            InputError: there is no such kind, layer or head.
        """
        return self._compute(kind, layer, head, "weights")

    def scores(self, kind: str, *, layer: int, head: int | None = None) -> Tensor:
        """As `weights`, before softmax: scaled, with bias and soft cap, and -inf where a key may not be seen."""
        return self._compute(kind, layer, head, "scores")

    def _compute(self, kind: str, layer: int, head: int | None, quantity: str) -> Tensor:
        stored = self.stored_layer(kind, layer, head)
        if isinstance(stored, Tensor):
            if quantity == "scores":
                raise not_captured_error(self.model, "scores")
            return _copy(stored if head is None else stored[head])
        heads = slice(None) if head is None else slice(head, head + 1)
        query, key = stored.query[heads], stored.for_heads(stored.key, head)
        function = getattr(stored.rule, quantity)
        count, queries, keys = query.shape[0], query.shape[1], key.shape[1]
        try:
            result = torch.empty(count, queries, keys)
            for rows in blockwise.blocks(queries, keys, count):
                result[:, rows] = function(query[:, rows], key, rows, heads).cpu()
        except Exception as error:
            if not out_of_memory(error):
                raise
            raise memory_error(quantity, count, queries, keys) from error
        return result if head is None else result[0]

    def queries(self, kind: str, *, layer: int, head: int | None = None) -> Tensor:
        """The query vectors, position encoding applied: float32 (query, head_dim), or (head, query, head_dim)."""
        return self._vectors(kind, layer, head, "query")

    def keys(self, kind: str, *, layer: int, head: int | None = None) -> Tensor:
        """The key vectors: float32 (key, head_dim), or (head, key, head_dim); grouped ones repeated to the heads."""
        return self._vectors(kind, layer, head, "key")

    def values(self, kind: str, *, layer: int, head: int | None = None) -> Tensor:
        """The value vectors: float32 (key, value_dim), or (head, key, value_dim), repeated likewise."""
        return self._vectors(kind, layer, head, "value")

    def _vectors(self, kind: str, layer: int, head: int | None, name: str) -> Tensor:
        stored = self.stored_layer(kind, layer, head)
        if isinstance(stored, Tensor):
            raise not_captured_error(self.model, name)
        tensor = getattr(stored, name)
        if name == "query":
            return _copy(tensor if head is None else tensor[head])
        tensor = _copy(stored.for_heads(tensor, head))
        return tensor if head is None else tensor[0]

    def pooled(
        self,
        kind: str,
        layer: int,
        head: int | None = None,
        size: int = 512,
        reduce: str = "mean",
        rows: tuple[int, int] | None = None,
        columns: tuple[int, int] | None = None,
    ) -> Tensor:
        """A picture of a head's map, or of a region of it, at any length: `pooled_region` without its axes.

        >>> attnviz.load("bundled").record("Der Hund sah den Ball.").pooled("encoder", 2, 5, size=3).shape
        torch.Size([3, 3])
        """
        return self.pooled_region(kind, layer, head, size, reduce, rows, columns).values

    def pooled_region(
        self,
        kind: str,
        layer: int,
        head: int | None = None,
        size: int = 512,
        reduce: str = "mean",
        rows: tuple[int, int] | None = None,
        columns: tuple[int, int] | None = None,
    ) -> PooledRegion:
        """The exact weights of a region of a map in cells, in memory that does not grow with the map.

        The softmax of Milakov & Gimelshein 2018, section 3, and Dao 2022, section 3.1, in float32 whatever the model's
        precision. The first picture of a head costs one pass over its scores; after it the sum of each row is known,
        and a region costs its own keys alone.

        Args:
            kind: "encoder", "decoder" or "cross".
            layer, head: from 0; all heads of the layer where head is None.
            size: most rows and columns, 1 or more; a smaller region comes back as it is.
            reduce: "share" (what part of a query's attention falls into a cell, the mean over the cell's queries),
                "mean" (the average weight in a cell), "max" (the largest), "lift" ("share" over what it were if each
                query spread its attention evenly over the keys that it may see: 1 is even).
            rows, columns: (start, stop) of the queries and keys; all where it is None.

        Raises:
            InputError: there is no such kind, layer, head, size, way or region.

        >>> region = attnviz.load("bundled").record("Der Hund sah den Ball.").pooled_region(
        ...     "encoder", 2, 5, size=2, reduce="share", rows=(0, 5))
        >>> region.row_edges.tolist(), region.column_edges.tolist(), region.values.sum(dim=1).round(decimals=4).tolist()
        ([0, 3, 5], [0, 4, 7], [1.0, 1.0])
        """
        return head_reader.pooled_region(self, kind, layer, head, size, reduce, rows, columns)

    def links(
        self, kind: str, layer: int, head: int | None = None, count: int = 20, beside: Collection[str] = BESIDE
    ) -> tuple[Link, ...]:
        """The strongest links of a head: its largest weights away from where nearly every head looks.

        Args:
            kind: "encoder", "decoder" or "cross".
            layer, head: from 0; the strongest of all heads of the layer where head is None.
            count: at most so many, 1 or more.
            beside: what is left out: "self" (a token's weight on itself), "previous" (on the token before it), "first"
                (on the first token), "special" (of and on special tokens). Without effect in "cross" are "self" and
                "previous".

        Returns:
            The largest weight first, each with the positions of its query and key.

        Raises:
            InputError: there is no such kind, layer, head, count or name.

        >>> link = attnviz.load("bundled").record("Der Hund sah den Ball.").links("encoder", 2, 5, count=1)[0]
        >>> link.query != link.key and 0.0 < link.weight <= 1.0
        True
        """
        return head_reader.links(self, kind, layer, head, count, beside)

    def read_heads(self, kind: str, layer: int, head: int | None) -> list[Head]:
        """A head, or all of a layer, to be read block by block; raises as `stored_layer`."""
        stored = self.stored_layer(kind, layer, head)
        return self._reader.heads(kind, layer, stored, range(self.heads(kind, layer)) if head is None else [head])

    def pooled_map(self, kind: str, *, layer: int, head: int, size: int = MOST) -> AttentionMap:
        """One head's map at any length: neighbouring tokens of a long text are taken together.

        Args:
            kind: "encoder", "decoder" or "cross".
            layer, head: from 0.
            size: at most so many rows and columns, 1 or more; a smaller map comes back as `map` gives it.

        Returns:
            The sum over a group's keys, the mean over its queries: a row and its `hidden_mass` sum to 1. Tokens know
            in `count` how many positions they stand for.

        Raises:
            InputError: there is no such kind, layer or head, or no such size.

        >>> recording = attnviz.load("bundled").record("Der Hund sah den Ball.")
        >>> small = recording.pooled_map("encoder", layer=2, head=5, size=3)
        >>> [(token.text, token.count) for token in small.key_tokens]
        [('Der…', 3), ('den…', 2), ('.…', 2)]
        """
        if max(self.size(kind)[2:]) <= size:
            return self.map(kind, layer=layer, head=head)
        return head_reader.pooled_maps(self, kind, layer, head, size)[0]

    def pooled_maps(self, kind: str, *, layer: int, size: int = MOST) -> tuple[AttentionMap, ...]:
        """`pooled_map` for all heads of a layer."""
        if max(self.size(kind)[2:]) <= size:
            return self.maps(kind, layer=layer)
        return head_reader.pooled_maps(self, kind, layer, None, size)

    def origin(self, kind: str, layer: int, head: int) -> dict[str, Any]:
        """Where a map comes from, for `AttentionMap`."""
        number = self.layer_number(kind, layer) if kind in self._numbers else None
        return {"kind": kind, "layer": layer, "head": head, "model": self.model, "number": number}

    def _rounding(self, kind: str, layer: int) -> float:
        """What a row of this layer's weights may lack of 1 by rounding; see `attention.hidden_share`."""
        stored = self.stored_layer(kind, layer, None)
        return dot_product.COMPUTED if isinstance(stored, Layer) else dot_product.rounding(stored.dtype)

    def map(self, kind: str, *, layer: int, head: int) -> AttentionMap:
        """One head's weights with their tokens, ready to be drawn."""
        return self._map(kind, layer, head, self.weights(kind, layer=layer, head=head))

    def maps(self, kind: str, *, layer: int) -> tuple[AttentionMap, ...]:
        """The maps of all heads of a layer, computed at once."""
        every = self.weights(kind, layer=layer)
        return tuple(self._map(kind, layer, head, weights) for head, weights in enumerate(every))

    def _map(self, kind: str, layer: int, head: int, weights: Tensor) -> AttentionMap:
        hidden = dot_product.hidden_share(weights, self._rounding(kind, layer))
        return AttentionMap.of(
            weights.numpy(),
            self.query_tokens(kind),
            self.key_tokens(kind),
            hidden_mass=hidden.numpy(),
            **self.origin(kind, layer, head),
        )


def _copy(tensor: Tensor) -> Tensor:
    """A float32 copy on the CPU: changing it leaves the recording alone, and keeping it keeps nothing else alive."""
    return tensor.to("cpu", torch.float32, copy=True)
