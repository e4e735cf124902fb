"""What the calls in a trace are for, found by comparing numbers and not by the names of an architecture.

The matrix that joins the heads is the one that reads exactly them; a projection's part of a matrix is the one whose
output is, or is turned into, what the attention was given; a sum is what equals the sum of vectors that came before.
What is not found is left out (None, or nothing) rather than guessed.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from attnviz.attention.dot_product import output
from attnviz.computation.module_calls import (
    Event,
    bias_of,
    block_of,
    is_matrix,
    is_norm,
    matrix_of,
    rows_of,
    same,
    split,
)
from attnviz.models.capture.capture import Layer

Role = Literal["query", "key", "value"]
ROLES: tuple[Role, ...] = ("query", "key", "value")
Change = Literal["none", "rotated", "scaled", "changed"]
CHANGES: tuple[Change, ...] = ("none", "scaled", "rotated", "changed")
Matrices = tuple[str, Tensor, Tensor, Tensor | None]
"""A module's name, what it reads, the matrix of each head (heads, width, dim), and the bias likewise or None."""


@dataclass(frozen=True, slots=True, eq=False)
class Added:
    """One of the vectors whose sum is what a token begins with.

    Attributes:
        kind: "token", "position", "segment" (which sentence of two), or "other".
        name: of the module, as the model calls it.
        vectors: float32 (tokens, width), as they are added, `scale` applied.
        scale: the factor that the model puts before them: √width in the original transformer, mostly 1.
    """

    kind: str
    name: str
    vectors: Tensor
    scale: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Projection:
    """How a head's queries, keys or values come from the vectors that the layer reads.

    Attributes:
        name: of the module that holds the matrix.
        inputs: float32 (tokens, width): what is multiplied.
        matrix: float32 (width, head_dim): this head's part of the learned matrix.
        bias: float32 (head_dim,), or None.
        vectors: float32 (tokens, head_dim): inputs @ matrix + bias.
        used: float32 (tokens, head_dim): what goes into the attention.
        change: "none" where `used` is `vectors`; "rotated" by rotary positions (each head keeps its length);
            "scaled" by a constant; "changed" by something else, such as a normalisation of the heads.
    """

    name: str
    inputs: Tensor
    matrix: Tensor
    bias: Tensor | None
    vectors: Tensor
    used: Tensor
    change: Change


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """The vectors at one point of the block: what enters it, what one of its modules returns, or a sum.

    Attributes:
        kind: "input", "norm", "attention" (its joined heads, projected), "other attention", "sum", "feed-forward"
            (a matrix of it), "activation", or "output".
        name: of the module; "" for sums and the block's own input and output.
        vectors: float32 (tokens, size).
        of: for a sum, the indices in the list of stages of what is added.
    """

    kind: str
    name: str
    vectors: Tensor
    of: tuple[int, ...] = ()

    @property
    def norms(self) -> Tensor:
        """(tokens,) the Euclidean length of each token's vector."""
        return self.vectors.norm(dim=-1)


def joining_call(trace: Sequence[Event], call: int, stored: Layer) -> int | None:
    """The first matrix after an attention call that reads exactly its heads, side by side."""
    heads, queries, _ = stored.query.shape
    rows = slice(0, queries)
    groups = stored.groups
    weights = stored.rule.weights(stored.query, stored.key.repeat_interleave(groups, dim=0), rows)
    expected = output(weights, stored.value.float().repeat_interleave(groups, dim=0))  # (heads, queries, value_dim)
    joined = expected.transpose(0, 1).reshape(queries, -1)
    for index, event in enumerate(trace):
        if event.calls_before != call + 1 or not is_matrix(event.module) or event.input is None:
            continue
        inputs = event.input.reshape(-1, event.input.shape[-1]).float()
        if inputs.shape == joined.shape and same(inputs, joined, 1e-3 if event.input.dtype == torch.float32 else 5e-2):
            return index
    return None


def projections(trace: Sequence[Event], call: int, stored: Layer) -> dict[Role, Matrices]:
    """Which matrices make the queries, keys and values of an attention call; roles that are not found are left out."""
    around = next((e for e in reversed(trace) if e.calls_before <= call < e.calls_after and not e.leaf), None)
    if around is None:
        return {}
    module = trace.index(around)
    candidates = [
        event for event in trace if event.calls_before == call and module in event.above and is_matrix(event.module)
    ]
    heads, key_heads = stored.query.shape[0], stored.key.shape[0]
    roles: dict[Role, Tensor] = {"query": stored.query, "key": stored.key, "value": stored.value}
    sizes = {role: used.shape[0] * used.shape[-1] for role, used in roles.items()}
    result: dict[Role, Matrices] = {}
    for role, used in roles.items():
        ranked: list[tuple[int, bool, int, Event, Tensor]] = []
        for event in candidates:
            if event.result is None or event.input is None:
                continue
            made = rows_of(event.result)
            for columns in _columns(role, made.shape[-1], heads, key_heads, sizes):
                vectors = split(made[:, columns], len(used))  # (heads, tokens, dim)
                if vectors.shape == used.shape:
                    change = CHANGES.index(change_of(vectors, used.float().cpu()))
                    # Of vectors that a norm has changed nothing but the module's name tells what they were.
                    name_matches = role in event.name or event.name.rsplit(".", 1)[-1].startswith(role[0])
                    if name_matches or CHANGES[change] != "changed":
                        ranked.append((change, not name_matches, len(ranked), event, columns))
        if ranked:
            *_, event, columns = min(ranked, key=lambda item: item[:3])
            assert event.input is not None
            matrix, bias = matrix_of(event.module)[:, columns], bias_of(event.module)
            by_head = matrix.reshape(len(matrix), len(used), -1).transpose(0, 1).contiguous()  # (heads, width, dim)
            biases = None if bias is None else bias[columns].reshape(len(used), -1)
            result[role] = (event.name, rows_of(event.input), by_head, biases)
    return result


def _columns(role: Role, width: int, heads: int, key_heads: int, sizes: Mapping[Role, int]) -> Iterator[Tensor]:
    """Where in a matrix's output a role may lie: alone, in one of three neighbouring parts, or interleaved by head."""
    size = sizes[role]
    if width == size:
        yield torch.arange(size)
    if width == sum(sizes.values()):
        start = sum(sizes[before] for before in ROLES[: ROLES.index(role)])
        yield torch.arange(start, start + size)
        if heads == key_heads and len(set(sizes.values())) == 1:
            yield torch.arange(width).reshape(heads, 3, -1)[:, ROLES.index(role)].reshape(-1)


def change_of(made: Tensor, used: Tensor) -> Change:
    """What lies between a projection's output and the vectors that are used."""
    if same(made, used):
        return "none"
    ratio = float((made * used).sum() / made.square().sum().clamp_min(1e-30))
    if ratio > 0 and same(made * ratio, used):
        return "scaled"
    before, after = made.norm(dim=-1), used.norm(dim=-1)
    ratio = float(after.mean() / before.mean().clamp_min(1e-30))
    if same(before * ratio, after):
        return "rotated"
    return "changed"


def embedding_sum(
    trace: Sequence[Event], first: int, count: int
) -> tuple[Tensor, Tensor, tuple[str, ...], tuple[Added, ...]]:
    """For the stack whose first attention call is `first`: what enters layer 0, the sum that it was made of, what was
    done to that sum on the way, and its summands."""
    block = block_of(trace, first)
    block_input = None if block is None else trace[block].input
    assert block is not None and block_input is not None
    entering = rows_of(block_input)
    stack = trace[block].above
    # The calls of this stack alone: in an encoder–decoder, those inside the module that holds the block. A bare BERT
    # has its tables beside that module.
    before: list[Event] = []
    for inside in (set(stack[1:] or stack), set(stack)):
        calls = [event for event in trace[:block] if event.calls_before == first and inside & set(event.above)]
        before = [event for event in calls if event.leaf and event.result is not None]
        if any(isinstance(event.module, nn.Embedding) for event in before):
            break
    total = entering
    then: list[str] = []
    for event in reversed(before):
        step = "norm" if is_norm(event.module) else "matrix" if is_matrix(event.module) else None
        if step and event.input is not None and _equal(event.result, total):
            total = rows_of(event.input)
            then.insert(0, step)
    tables: list[tuple[str, nn.Module, Tensor]] = []
    for event in before:
        if event.result is None:
            continue
        if isinstance(event.module, nn.Embedding) or "position" in type(event.module).__name__.lower():
            vectors = rows_of(event.result)
            if vectors.shape[-1] == total.shape[-1] and vectors.shape[0] in (1, count):
                tables.append((event.name, event.module, vectors.expand(count, -1)))
    if not tables:
        return entering, total, tuple(then), ()
    # The token's table is mostly the largest one, but a model may have room for more positions than it knows tokens.
    tokens = max(
        range(len(tables)),
        key=lambda index: (
            _table_kind(tables[index][0], False) == "other",
            getattr(tables[index][1], "num_embeddings", 0),
        ),
    )
    rest = total - sum((vectors for index, (_, _, vectors) in enumerate(tables) if index != tokens), torch.zeros(()))
    token = tables[tokens][2]
    scale = float((rest * token).sum() / token.square().sum().clamp_min(1e-30))
    if not same(token * scale, rest, 1e-3):
        # Something else happens on the way; the rows are shown, and that they are all of it is not claimed.
        scale = 1.0
    added = tuple(
        Added(
            _table_kind(name, index == tokens),
            name,
            vectors * scale if index == tokens else vectors,
            scale if index == tokens else 1.0,
        )
        for index, (name, _, vectors) in enumerate(tables)
    )
    return entering, total, tuple(then), tuple(sorted(added, key=lambda item: item.kind != "token"))


def _equal(tensor: Tensor | None, vectors: Tensor) -> bool:
    return tensor is not None and rows_of(tensor).shape == vectors.shape and same(rows_of(tensor), vectors)


def _table_kind(name: str, is_token: bool) -> str:
    last = name.rsplit(".", 1)[-1].lower()
    if is_token:
        return "token"
    if "pos" in last or last == "wpe":
        return "position"
    return "segment" if "type" in last or "segment" in last else "other"


def positions_of(added: Sequence[Added], matrices: Mapping[Role, Matrices], stored: Layer) -> str:
    """Where the positions act; see `Computation.positions`."""
    if any(item.kind == "position" for item in added):
        return "added"
    if stored.rule.bias is not None:
        return "bias"
    if "query" in matrices:
        _, inputs, by_head, biases = matrices["query"]
        made = torch.einsum("nw,hwd->hnd", inputs, by_head)
        made = made if biases is None else made + biases[:, None]
        return "rotary" if change_of(made, stored.query.float().cpu()) in ("rotated", "changed") else "none"
    return "none"


def stages_of(trace: Sequence[Event], call: int, joining: int | None, count: int) -> tuple[Stage, ...]:
    """The vectors on the way through the block around an attention call, stage by stage."""
    block = block_of(trace, call)
    entering = None if block is None else trace[block].input
    if block is None or entering is None:
        return ()
    stages = [Stage("input", "", rows_of(entering))]
    width = stages[0].vectors.shape[-1]
    prefix = trace[block].name + "."

    def is_recorded(vectors: Tensor) -> bool:
        return any(s.vectors.shape == vectors.shape and same(s.vectors, vectors, 1e-6) for s in stages)

    def add_if_sum(vectors: Tensor) -> None:
        """Adds a stage for these vectors where they are the sum of earlier ones."""
        if vectors.shape[-1] != width or is_recorded(vectors):
            return
        wide = [index for index, stage in enumerate(stages) if stage.vectors.shape == vectors.shape]
        # Two summands, or three where attention and feed-forward layer run side by side (GPT-NeoX, GPT-J).
        for summands in (*itertools.combinations(wide, 2), *itertools.combinations(wide, 3)):
            if same(sum((stages[index].vectors for index in summands), torch.zeros(())), vectors):
                stages.append(Stage("sum", "", vectors, summands))
                return

    for index, event in enumerate(trace):
        if block not in event.above or not event.leaf or event.input is None or event.result is None:
            continue
        inputs, result = rows_of(event.input), rows_of(event.result)
        if result.shape[0] != count:
            continue  # what is read of the encoder in cross-attention
        add_if_sum(inputs)
        if isinstance(event.module, nn.Dropout) or (inputs.shape == result.shape and torch.equal(inputs, result)):
            continue
        if is_norm(event.module):
            kind = "norm"
        elif index == joining:
            kind = "attention"
        elif is_matrix(event.module):
            kind = _matrix_of(trace, event, prefix)
        else:
            kind = "activation" if next(event.module.parameters(), None) is None else "feed-forward"
        if kind and result.shape[0] == count and (kind != "norm" or result.shape[-1] == width):
            stages.append(Stage(kind, event.name.removeprefix(prefix), result))
    leaving = trace[block].result
    if leaving is not None:
        add_if_sum(rows_of(leaving))
        stages.append(Stage("output", "", rows_of(leaving)))
    return tuple(stages)


def _matrix_of(trace: Sequence[Event], event: Event, prefix: str) -> str:
    """What a matrix in the block belongs to; "" for those that make queries, keys and values."""
    above = [trace[index] for index in event.above if trace[index].name.startswith(prefix)]
    if any(other.calls_before < other.calls_after for other in above):
        # Inside an attention module: before its call it makes queries, keys or values, after it joins heads.
        holder = next(other for other in above if other.calls_before < other.calls_after)
        if event.calls_before == holder.calls_before:
            return ""
        # Some models keep their feed-forward layer in one module with the attention; its matrices are not square.
        inputs, result = event.input, event.result
        square = inputs is not None and result is not None and inputs.shape[-1] == result.shape[-1]
        return "other attention" if square else "feed-forward"
    return "feed-forward"
