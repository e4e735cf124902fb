"""Contributions read off a recording: the weights themselves, how they mix over layers, and the vectors they weight.

None of these asks what is predicted; they say where a row's vector came from.
"""

from __future__ import annotations

from collections.abc import Callable

import networkx
import numpy as np

from attnviz.attribution.contributions.block_vectors import block_vectors
from attnviz.attribution.reading import Reading, Side, check_captured
from attnviz.computation.contributions import token_contributions
from attnviz.errors import InputError, NoAttentionError
from attnviz.models.model import Model
from attnviz.models.recording.recording import Recording

MOST_FLOW_WORK = 4_000_000
"""Edges of the graph times the tokens to which a flow is computed; about half a minute."""

RowOf = Callable[[str, int], np.ndarray]


def attention(reading: Reading, recording: Recording, layer: int | None, head: int | None) -> np.ndarray:
    """The weights of the row, the mean over what is not chosen: (tokens,), in [0, 1]; each side sums to 1."""
    return _over_layers(
        reading,
        recording,
        layer,
        lambda kind, one: _weights(recording, kind, one, head)[reading.position],
    )


def norms(model: Model, reading: Reading, recording: Recording, layer: int | None, head: int | None) -> np.ndarray:
    """The lengths of the weighted vectors, as shares: (tokens,), in [0, 1]; each side sums to 1.

    ‖Σ α f(x)‖ of Kobayashi et al. 2020, "Attention is Not Only a Weight", section 2.2; heads are added up as vectors,
    layers are averaged where none is chosen.
    """
    check_captured(model)

    def shares(kind: str, one: int) -> np.ndarray:
        result = token_contributions(model, recording, kind, reading.position, layer=one, head=head)
        if result is None:
            raise NoAttentionError(
                "The matrix that joins the heads of {0} was not found, so the vectors that it makes of them are not "
                'known. Choose "attention" or "rollout".',
                model.name,
            )
        return result.shares

    return _over_layers(reading, recording, layer, shares)


def norms_residual(model: Model, reading: Reading, recording: Recording, layer: int | None) -> np.ndarray:
    """The lengths of what each token added to a block's output, as shares: (tokens,), in [0, 1].

    Kobayashi et al. 2021; see `block_vectors`. The word's own vector, which goes past the attention, counts for the
    word itself. In an encoder–decoder this is the word that is read, so the source's shares are what is left beside it.
    """
    check_captured(model)

    def shares(kind: str, one: int) -> np.ndarray:
        vectors = block_vectors(model, recording, kind, one, reading.position)
        parts = vectors.keys.clone()
        if kind != "cross":
            parts[reading.position] += vectors.own
        lengths = parts.norm(dim=-1)
        beside = vectors.own.norm() if kind == "cross" else 0.0
        return (lengths / (lengths.sum() + beside)).numpy()

    return _over_layers(reading, recording, layer, shares)


def _over_layers(reading: Reading, recording: Recording, layer: int | None, row_of: RowOf) -> np.ndarray:
    """The mean over layers of a row (kind, layer) ↦ (keys,), cut to the tokens that were read, sides joined."""
    kinds: dict[Side, str] = (
        {"source": "cross", "target": "decoder"} if reading.is_paired else {"source": recording.kinds[0]}
    )
    parts = []
    for side, kind in kinds.items():
        layers = range(recording.size(kind)[0]) if layer is None else [layer]
        rows = [np.asarray(row_of(kind, one), dtype=np.float64) for one in layers]
        parts.append(np.mean(rows, axis=0)[: len(reading.tokens[side])])
    return np.concatenate(parts)


def _weights(recording: Recording, kind: str, layer: int, head: int | None) -> np.ndarray:
    """float64 (queries, keys) of a head, or the mean of all."""
    weights = recording.weights(kind, layer=layer, head=head)
    return (weights if head is not None else weights.mean(dim=0)).double().numpy()


# ---------------------------------------------------------------------------------------------------------------------
# Over all layers


def with_residual(weights: np.ndarray) -> np.ndarray:
    """Half the weights and half the token itself: (tokens, tokens), rows sum to 1.

    Abnar & Zuidema 2020, "Quantifying Attention Flow in Transformers", section 3, equation 1.
    """
    mixed = 0.5 * weights + 0.5 * np.eye(len(weights))
    return mixed / mixed.sum(axis=1, keepdims=True)


def rollout(reading: Reading, recording: Recording, layer: int | None) -> np.ndarray:
    """How much of each token has reached the row: (tokens,), in [0, 1], summing to 1.

    Attention rollout (Abnar & Zuidema 2020, equation 1) in a single stack. An encoder–decoder is one graph of both
    stacks: a decoder's layer mixes its rows by self-attention, and then half of each row with what its cross-attention
    brings from the encoder's rollout.
    """
    read, written = len(reading.tokens["source"]), len(reading.tokens.get("target", ()))
    if not reading.is_paired:
        kind = recording.kinds[0]
        return _product(_mixed(recording, kind, _last(recording, kind, layer)), len(recording.query_tokens(kind)))[
            reading.position, :read
        ]
    encoded = _product(_mixed(recording, "encoder", None), read)
    rows = np.concatenate([np.zeros((written, read)), np.eye(written)], axis=1)  # (target, source + target)
    last = _last(recording, "decoder", layer)
    crossing = _cross(recording, written, last)
    for own, cross in zip(_mixed(recording, "decoder", last), crossing, strict=True):
        rows = own[:written, :written] @ rows
        rows = 0.5 * rows
        rows[:, :read] += cross @ encoded
    return rows[reading.position]


def _last(recording: Recording, kind: str, layer: int | None) -> int | None:
    """The layer that was chosen; raises InputError where there is none such."""
    if layer is not None:
        recording.stored_layer(kind, layer, None)
    return layer


def _mixed(recording: Recording, kind: str, last: int | None) -> list[np.ndarray]:
    """Each layer's `with_residual` up to the last."""
    count = recording.size(kind)[0] if last is None else last + 1
    return [with_residual(_weights(recording, kind, layer, None)) for layer in range(count)]


def _cross(recording: Recording, written: int, last: int | None) -> list[np.ndarray]:
    """Half of each layer's cross-attention, the other half being the residual: (target, source)."""
    count = recording.size("cross")[0] if last is None else last + 1
    result = []
    for layer in range(count):
        weights = _weights(recording, "cross", layer, None)[:written]
        result.append(0.5 * weights / weights.sum(axis=1, keepdims=True).clip(1e-30))
    return result


def _product(layers: list[np.ndarray], size: int) -> np.ndarray:
    result = np.eye(size)
    for layer in layers:
        result = layer @ result
    return result


def flow(reading: Reading, recording: Recording, layer: int | None) -> np.ndarray:
    """How much could flow from each token to the row if weights were the widths of pipes: (tokens,), in [0, 1].

    Attention flow (Abnar & Zuidema 2020, section 3): the maximum flow from the row's node behind the last layer to
    each token's before the first, with the weights and residuals of `rollout` as capacities. Each token has a flow of
    its own, so they do not add up to anything.

    Raises:
        InputError: the text is too long for it.
    """
    graph, start, ends = flow_graph(reading, recording, layer)
    work = graph.number_of_edges() * len(ends)
    if work > MOST_FLOW_WORK:
        raise InputError(
            "Attention flow solves a graph with {0:,} connections for each of {1:,} tokens, which is too much here. "
            'Choose "rollout", which follows the same weights, or shorten the text.',
            graph.number_of_edges(),
            len(ends),
        )
    return maximum_flows(graph, start, ends)


def maximum_flows(graph: networkx.DiGraph, start: tuple, ends: list[tuple]) -> np.ndarray:
    """The maximum flow from a node to each of some others, along `capacity`: (ends,)."""
    residual = networkx.algorithms.flow.build_residual_network(graph, "capacity")
    solve = networkx.algorithms.flow.preflow_push
    return np.array(
        [
            solve(graph, start, end, residual=residual, value_only=True).graph["flow_value"] if end in graph else 0.0
            for end in ends
        ]
    )


def flow_graph(
    reading: Reading, recording: Recording, layer: int | None
) -> tuple[networkx.DiGraph, tuple, list[tuple]]:
    """The graph of a flow, the node of the row, and those of the tokens.

    A node is (stack, depth, token); depth 0 is what enters the first layer.
    """
    graph = networkx.DiGraph()
    read, written = len(reading.tokens["source"]), len(reading.tokens.get("target", ()))
    main = "encoder" if reading.is_paired else recording.kinds[0]
    own = _mixed(recording, main, None if reading.is_paired else _last(recording, main, layer))
    for depth, mixed in enumerate(own):
        _connect(graph, mixed[:read, :read], (main, depth + 1), (main, depth))
    start = (main, len(own), reading.position)
    ends = [(main, 0, at) for at in range(read)]
    if reading.is_paired:
        last = _last(recording, "decoder", layer)
        layers = list(zip(_mixed(recording, "decoder", last), _cross(recording, written, last), strict=True))
        for depth, (mixed, cross) in enumerate(layers):
            _connect(graph, mixed[:written, :written], ("middle", depth), ("decoder", depth))
            _connect(graph, 0.5 * np.eye(written), ("decoder", depth + 1), ("middle", depth))
            _connect(graph, cross, ("decoder", depth + 1), (main, len(own)))
        start = ("decoder", len(layers), reading.position)
        ends += [("decoder", 0, at) for at in range(written)]
    reachable = networkx.descendants(graph, start) | {start}
    return graph.subgraph(reachable).copy(), start, ends


def _connect(graph: networkx.DiGraph, weights: np.ndarray, above: tuple[str, int], below: tuple[str, int]) -> None:
    """Edges from each node above to those below that it takes something from."""
    for row, column in zip(*np.nonzero(weights), strict=True):
        graph.add_edge((*above, int(row)), (*below, int(column)), capacity=float(weights[row, column]))
