"""One layer of a model followed from its embeddings to its output, with the numbers that the model itself used.

    embeddings ─ what enters ─ query, key, value ─ scores ─ weights ─ heads ─ joined ─ residual, norm, feed-forward

`follow` runs the model on the tokens of a recording once more and writes down what its modules read and gave. What a
number means is not looked up by the name of an architecture but found by comparing: the matrix that joins the heads is
the one that reads them, a residual sum is what equals the sum of two vectors that came before. Where that finds
nothing, the step is left out (None) rather than guessed.

What this module does not do: it computes no scores or weights of its own; those are the recording's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from attnviz.attention.dot_product import output
from attnviz.computation.module_calls import Event, bias_of, matrix_of, plain, record_calls, rows_of, split
from attnviz.computation.module_roles import (
    Added,
    Matrices,
    Projection,
    Role,
    Stage,
    change_of,
    embedding_sum,
    joining_call,
    positions_of,
    projections,
    stages_of,
)
from attnviz.errors import InputError, NoAttentionError
from attnviz.models.capture import capture
from attnviz.models.network.network import attention_mask, forward

if TYPE_CHECKING:
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording
    from attnviz.tokenization.token import Token

MOST_TOKENS = 1024
"""Every module's output is held for a moment, so long texts are refused."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What each key gives to a head's output at one query.

    Attributes:
        weights: float32 (keys,): α, in [0, 1].
        vectors: float32 (keys, value_dim or width): α f(x).
        norms: float32 (keys,): ‖α f(x)‖.
        shares: float32 (keys,) in [0, 1]: the norms, divided by their sum.
    """

    weights: Tensor
    vectors: Tensor
    norms: Tensor
    shares: Tensor


@dataclass(frozen=True, slots=True, weakref_slot=True, eq=False)
class Computation:
    """One layer, followed.

    Attributes:
        kind, layer: which one.
        query_tokens, key_tokens: of its rows and columns.
        added: what was added up at each of the query tokens before layer 0.
        summed: float32 (queries, width): their sum, as the model itself has it.
        then: what happens to the sum before it enters layer 0, in order: "norm", "matrix"; mostly nothing.
        entering: float32 (queries, width): what enters layer 0.
        positions: where the model's positions act: "added" to the embeddings, "rotary" on queries and keys, "bias" on
            the scores, or "none" that could be found.
        own_heads: float32 (heads, queries, value_dim): the model's own head outputs, by its own attention, without
            anything of attnviz; None where the model does something to them before they can be seen, or nobody asked.
        joining: float32 (heads, value_dim, width): the part of the output matrix that belongs to each head, or None.
        joining_bias: float32 (width,), or None.
        joining_name: of the module.
        joined: float32 (queries, width): all heads joined and projected, or None.
        stages: the way through the block that this attention is in, in order.
        scale, softcap: of the scores; see `attention.scores`.
        has_bias, has_sink: whether a position bias is added to the scores, and a sink takes part in the softmax.
    """

    kind: str
    layer: int
    query_tokens: tuple[Token, ...]
    key_tokens: tuple[Token, ...]
    added: tuple[Added, ...]
    summed: Tensor
    then: tuple[str, ...]
    entering: Tensor
    positions: str
    own_heads: Tensor | None
    joining: Tensor | None
    joining_bias: Tensor | None
    joining_name: str
    joined: Tensor | None
    stages: tuple[Stage, ...]
    scale: float
    softcap: float | None
    has_bias: bool
    has_sink: bool
    _recording: Recording
    _projections: Mapping[Role, Matrices]

    def projection(self, role: Role, head: int) -> Projection | None:
        """How a head's queries, keys or values are made; None where the model does it in a way that was not found.

        >>> follow(model, recording, "encoder", layer=0).projection("query", head=3).matrix.shape
        torch.Size([256, 32])
        """
        if role not in self._projections:
            return None
        name, inputs, matrices, biases = self._projections[role]
        used = _vectors(self._recording, role, self.kind, self.layer)[head]
        group = head * len(matrices) // self._recording.size(self.kind)[1]
        bias = None if biases is None else biases[group]
        vectors = inputs @ matrices[group]
        if bias is not None:
            vectors = vectors + bias
        return Projection(name, inputs, matrices[group], bias, vectors, used, change_of(vectors, used))

    def bias(self, head: int) -> Tensor | None:
        """What is added to a head's scaled scores because of positions: float32 (query, key), or None."""
        if not self.has_bias:
            return None
        stored = self._recording.stored_layer(self.kind, self.layer, head)
        assert isinstance(stored, capture.Layer)
        # The scores of vectors that are all zero are the bias alone.
        query, key = stored.query[head : head + 1] * 0, stored.key[:1] * 0
        rule = dataclasses.replace(stored.rule, softcap=None, visible=None)
        return rule.scores(query, key, slice(0, query.shape[1]), slice(head, head + 1))[0].cpu()

    def raw(self, head: int) -> Tensor:
        """The dot products of queries and keys before anything is done to them: float32 (query, key)."""
        queries = self._recording.queries(self.kind, layer=self.layer, head=head)
        return queries @ self._recording.keys(self.kind, layer=self.layer, head=head).T

    def products(self, head: int, query: int, key: int) -> Tensor:
        """What each dimension contributes to one dot product: float32 (head_dim,), whose sum is `raw`."""
        queries = self._recording.queries(self.kind, layer=self.layer, head=head)
        return queries[query] * self._recording.keys(self.kind, layer=self.layer, head=head)[key]

    def heads(self, head: int | None = None) -> Tensor:
        """Our own computation of the head outputs: weights × values, float32 (query, value_dim) or with a first axis
        for all heads."""
        weights = self._recording.weights(self.kind, layer=self.layer, head=head)
        return output(weights, self._recording.values(self.kind, layer=self.layer, head=head))

    def difference(self, head: int | None = None) -> float | None:
        """The largest difference of `heads` and the model's own; None where the own ones could not be seen."""
        if self.own_heads is None:
            return None
        own = self.own_heads if head is None else self.own_heads[head]
        return float((self.heads(head) - own).abs().max())

    def parts(self, head: int, query: int) -> Parts:
        """What each key gives to a head at a query, by weight and by norm.

        f(x) is the value vector through this head's part of the output matrix, so that norms of different heads can
        be compared (Kobayashi et al. 2020, "Attention is Not Only a Weight", section 2.2); where that matrix was not
        found, the value vector itself.
        """
        weights = self._recording.weights(self.kind, layer=self.layer, head=head)[query]
        values = self._recording.values(self.kind, layer=self.layer, head=head)
        if self.joining is not None:
            values = values @ self.joining[head]
        vectors = weights[:, None] * values
        norms = vectors.norm(dim=-1)
        return Parts(weights, vectors, norms, norms / norms.sum().clamp_min(1e-30))


def follow(model: Model, recording: Recording, kind: str, *, layer: int, own_heads: bool = True) -> Computation:
    """Runs the model on a recording's tokens and writes down what happens in one layer.

    Args:
        model: the one that made the recording.
        recording: of one text.
        kind: "encoder", "decoder" or "cross".
        layer: from 0.
        own_heads: whether the model computes once more by its own attention, for `Computation.own_heads`.

    Raises:
        InputError: there is no such kind or layer, or the text has more than `MOST_TOKENS` tokens.
        NoAttentionError: the model computes its attention in code of its own, so queries, keys and values are unknown.

    >>> recording = model.record("Der Hund sah den Ball.")
    >>> follow(model, recording, "encoder", layer=2).difference() < 1e-5
    True
    """
    stored = recording.stored_layer(kind, layer, None)
    if not isinstance(stored, capture.Layer):
        raise NoAttentionError(
            "{0} computes its attention inside its own code, so its queries, keys and values are not known and its "
            "steps cannot be followed. Choose a model that uses transformers' attention interface, such as BERT, "
            "GPT-2, Llama or T5.",
            model.name,
        )
    if recording.interventions:
        raise InputError(
            "This recording is one of changed attention; the steps are those of the unchanged model. Record the text "
            "without `interventions` to follow them."
        )
    source = recording.key_tokens("cross") if "cross" in recording.kinds else recording.query_tokens(recording.kinds[0])
    target = recording.query_tokens("cross") if "cross" in recording.kinds else None
    longest = max(len(source), len(target or ()))
    if longest > MOST_TOKENS:
        raise InputError(
            "The text has {0:,} tokens; a computation can be followed for {1:,}. Shorten the text.",
            longest,
            MOST_TOKENS,
        )
    ids = torch.tensor([[token.id for token in source]], device=model.device)
    beside = model.inputs.tensors(recording.beside)
    arguments: dict[str, Tensor] = {**attention_mask(ids, beside), **beside}
    if target is not None:
        arguments["decoder_input_ids"] = torch.tensor([[token.id for token in target]], device=model.device)
    planned = model.recorder.plan
    call = planned.calls.index((kind, layer))
    first = min(
        index
        for index, kind_and_layer in enumerate(planned.calls)
        if kind_and_layer and (kind_and_layer[0] == "encoder") == (kind == "encoder")
    )

    # What comes before the first call, and what is around the one that is looked at: a block has up to two.
    keep = {first, *range(max(0, call - 1), call + 3)}
    with model.recorder.exclusive():
        with capture.capture_attention(model.network) as captured, record_calls(model.network, captured, keep) as trace:
            forward(model.network, ids, **arguments)
        joining = joining_call(trace, call, stored)
        own = None
        if joining is not None and own_heads:
            own = _own_heads(model.network, trace, joining, ids, arguments)

    heads = stored.query.shape[0]
    module = None if joining is None else trace[joining].module
    joined = None if joining is None else trace[joining].result
    queries = recording.query_tokens(kind)
    entering, summed, then, added = embedding_sum(trace, first, len(queries))
    matrices = projections(trace, call, stored)
    rule = stored.rule
    return Computation(
        kind=kind,
        layer=layer,
        query_tokens=queries,
        key_tokens=recording.key_tokens(kind),
        added=added,
        summed=summed,
        then=then,
        entering=entering,
        positions=positions_of(added, matrices, stored),
        own_heads=None if own is None else split(own, heads),
        joining=None if module is None else _by_head(matrix_of(module), heads),
        joining_bias=None if module is None else bias_of(module),
        joining_name="" if joining is None else trace[joining].name,
        joined=None if joined is None else rows_of(joined),
        stages=stages_of(trace, call, joining, len(queries)),
        scale=rule.scale,
        softcap=rule.softcap,
        has_bias=rule.bias is not None,
        has_sink=rule.sink is not None,
        _recording=recording,
        _projections=matrices,
    )


def _own_heads(
    network: nn.Module, trace: Sequence[Event], joining: int, ids: Tensor, arguments: dict[str, Tensor]
) -> Tensor:
    """What the joining matrix reads when the model computes alone: (queries, heads × value_dim)."""
    module = trace[joining].module
    # ALBERT's layers share their modules, so it is the call that counts.
    turn = sum(event.module is module for event in trace[:joining])
    inputs: list[Tensor] = []
    handle = module.register_forward_pre_hook(lambda _module, args: inputs.append(args[0].detach().clone()))
    try:
        forward(network, ids, **arguments)
    finally:
        handle.remove()
    return plain(inputs[turn][0])


def _by_head(matrix: Tensor, heads: int) -> Tensor:
    """(heads × value_dim, width) as (heads, value_dim, width)."""
    return matrix.reshape(heads, -1, matrix.shape[-1])


def _vectors(recording: Recording, role: Role, kind: str, layer: int) -> Tensor:
    get = {"query": recording.queries, "key": recording.keys, "value": recording.values}[role]
    return get(kind, layer=layer)
