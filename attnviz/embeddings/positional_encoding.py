"""How a model tells positions apart, as numbers, and what that does to the similarity of positions.

    model ─ a run on 128 tokens ─┬─ "added": the vectors that are added to the embeddings
                                 ├─ "rotary": the angles that queries and keys are turned by
                                 ├─ "bias": what is added to the scores, by distance
                                 └─ "none": nothing that could be found

Everything is read from what the model computes in that run, by its own modules: the scaling of rotary frequencies, the
offset of a table, the buckets of relative positions are in it without being known here. What this module does not do:
it looks at layer 0 alone, and it says nothing about models that compute attention in code of their own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor, nn

from attnviz.computation.layer import follow
from attnviz.computation.module_calls import plain
from attnviz.embeddings.vectors import cosines
from attnviz.errors import NoAttentionError
from attnviz.models.network import network
from attnviz.models.recording import capture_plan

if TYPE_CHECKING:
    from attnviz.computation.layer import Computation
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording

POSITIONS = 128
"""Positions that are looked at: as far as T5's buckets tell distances apart, and what a picture can show."""

CLOSE = 2e-3
"""Of the largest number in a column, by which sines in float32 may miss the equation that sines fulfil."""


@dataclass(frozen=True, slots=True, eq=False)
class Rotation:
    """The angles by which queries and keys are turned.

    Attributes:
        name: for which layers, where a model turns by several: "full_attention", "sliding_attention"; else "".
        cosines: float32 (positions, pairs): cos(position · θ) of each pair of dimensions.
        frequencies: float32 (pairs,): θ, in radians for each position.
        scale: what the turned vectors are multiplied with besides (YaRN); mostly 1.
    """

    name: str
    cosines: np.ndarray
    frequencies: np.ndarray
    scale: float

    @property
    def pairs(self) -> int:
        """Pairs of dimensions that are turned."""
        return self.cosines.shape[1]

    @property
    def by_distance(self) -> np.ndarray:
        """What is left of the dot product of two vectors that are alike in every pair, by how far they are apart:
        the mean of cos(distance · θ) over the pairs, float32 (positions,); 1 at distance 0 (Su et al. 2021, 3.4.3)."""
        return self.cosines.mean(axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class PositionalEncoding:
    """The positional encoding of a model, for its first positions.

    Attributes:
        where: "added", "rotary", "bias" or "none"; see `Computation.positions`.
        module: the name of the module that it is in; "" where that was not found.
        computed: of what is added, whether it is sines and cosines rather than learned.
        rows: of what is added, float32 (positions, width), else None.
        rotations: of "rotary": mostly one; some models turn further in some layers than in others. Empty where the
            model turns in code that has no module of its own.
        head_dim: numbers of a query; a rotation may leave some of them as they are.
        bias: of "bias", float32 (heads, distances), else None.
        distances: (distances,) key position - query position, of `bias`.
        room: for how many positions there is a table; None where the model has none.
        named_limit: the most positions that its configuration names; None where it names none.
    """

    where: str
    module: str = ""
    computed: bool = False
    rows: np.ndarray | None = None
    rotations: tuple[Rotation, ...] = ()
    head_dim: int = 0
    bias: np.ndarray | None = None
    distances: np.ndarray | None = None
    room: int | None = None
    named_limit: int | None = None

    @property
    def similarity(self) -> np.ndarray | None:
        """Of what is added, the cosine of each position with each: float32 (positions, positions), else None."""
        return None if self.rows is None else cosines(self.rows)


def read(model: Model, kind: str, *, count: int = POSITIONS) -> PositionalEncoding:
    """Runs a model on `count` tokens and reads how it tells their positions apart.

    Args:
        model: any that can be recorded.
        kind: "encoder" or "decoder".
        count: positions to look at; fewer where the model has fewer.

    Raises:
        NoAttentionError: the model computes attention in code of its own.

    >>> read(attnviz.load("bundled"), "encoder").rows.shape
    (128, 256)
    """
    of_decoder = kind == "decoder"
    stack = model.inputs.stack(of_decoder)
    room, named_limit = network.max_positions(stack), min(network.named_max_positions(stack), default=None)
    limits = [limit for limit in (room, named_limit, model.max_tokens) if limit]
    count = min([count, *limits])
    ids, target = capture_plan.trial_ids(model.network)
    _ = model.kinds  # finds out how the network computes, by a trial whose rotations are not to be counted
    with _collect_rotations(stack) as turned:
        recording = model.record_ids(_repeat(ids, count), None if target is None else _repeat(target, count))
        recording.size(kind)
    try:
        computation = follow(model, recording, kind, layer=0)
    except NoAttentionError as error:
        raise NoAttentionError(
            "{0} computes its attention inside its own code, so what it does with positions cannot be read there. "
            "Choose a model that uses transformers' attention interface, such as BERT, GPT-2, Llama or T5.",
            model.name,
        ) from error
    common: dict[str, Any] = {"room": room, "named_limit": named_limit}
    if computation.positions == "added":
        # The one that is in every model comes last: a few add another first, of their own.
        item = [item for item in computation.added if item.kind == "position"][-1]
        rows = item.vectors.numpy()
        return PositionalEncoding("added", item.name, of_sines(rows), rows, **common)
    if computation.positions == "bias":
        bias, distances = _by_distance(computation, recording, kind)
        return PositionalEncoding("bias", bias=bias, distances=distances, **common)
    if computation.positions == "rotary":
        module = turned[0][0] if turned else ""
        size = recording.queries(kind, layer=0, head=0).shape[-1]
        rotations = tuple(_rotation(name, *pair) for _, name, *pair in turned)
        return PositionalEncoding("rotary", module, rotations=rotations, head_dim=size, **common)
    return PositionalEncoding("none", **common)


def of_sines(rows: np.ndarray) -> bool:
    """Whether each column is a sine of the position: then x(p-1) + x(p+1) = 2 cos(θ) x(p) for one θ.

    Args:
        rows: (positions, width), of consecutive positions.

    >>> of_sines(np.sin(np.arange(9)[:, None] * [1.0, 0.1])), of_sines(np.random.rand(9, 2))
    (True, False)
    """
    rows = np.asarray(rows, dtype=np.float64)
    if len(rows) < 4:
        return False
    around, middle = rows[:-2] + rows[2:], rows[1:-1]
    most = np.abs(rows).max(axis=0)
    squares = np.maximum((middle**2).sum(axis=0), 1e-30)
    misses = np.abs(around - (around * middle).sum(axis=0) / squares * middle).max(axis=0)
    return bool((most > 0).any() and (misses <= CLOSE * np.maximum(most, 1e-6)).all())


def _repeat(ids: Tensor, count: int) -> list[int]:
    """`count` ids of those that are not special; which ones makes no difference to positions."""
    return (ids[0].tolist() * count)[:count]


@contextmanager
def _collect_rotations(stack: nn.Module) -> Iterator[list[tuple[str, str, Tensor, Tensor]]]:
    """Collects what the modules for rotary positions compute: module, for which layers, cosines and sines."""
    rotations: list[tuple[str, str, Tensor, Tensor]] = []

    def hook(name: str) -> Any:
        def write(_module: nn.Module, args: tuple, kwargs: dict[str, Any], result: Any) -> None:
            layers = next((item for item in (*args, *kwargs.values()) if isinstance(item, str)), "")
            pair = result if isinstance(result, Sequence) else ()
            if len(pair) == 2 and all(isinstance(item, Tensor) and item.dim() == 3 for item in pair):
                cos, sin = (plain(item)[0] for item in pair)  # (positions, dimensions)
                if not any(layers == other[1] for other in rotations):
                    rotations.append((name, layers, cos, sin))

        return write

    handles = [
        module.register_forward_hook(hook(name), with_kwargs=True)
        for name, module in stack.named_modules()
        if "rotary" in type(module).__name__.lower()
    ]
    try:
        yield rotations
    finally:
        for handle in handles:
            handle.remove()


def _rotation(name: str, cos: Tensor, sin: Tensor) -> Rotation:
    """One column for each pair: models write the angle of a pair once, side by side, or in two halves."""
    both = np.stack([cos.numpy(), sin.numpy()])  # (2, positions, dimensions)
    half = both.shape[2] // 2
    if half and np.array_equal(both[..., :half], both[..., half:]):
        both = both[..., :half]
    elif half and np.array_equal(both[..., ::2], both[..., 1::2]):
        both = both[..., ::2]
    lengths = np.sqrt((both**2).sum(axis=0))
    scale = float(lengths.mean())
    cosine, sine = both / np.maximum(lengths, 1e-30)
    angles = np.arctan2(sine, cosine)
    frequencies = (angles[1] - angles[0]) % (2 * np.pi) if len(angles) > 1 else np.zeros(angles.shape[1])
    return Rotation(name, cosine.astype(np.float32), frequencies.astype(np.float32), scale)


def _by_distance(computation: Computation, recording: Recording, kind: str) -> tuple[np.ndarray | None, np.ndarray]:
    """The bias of each head by distance; None where it depends on more than the distance."""
    heads = recording.size(kind)[1]
    made = [computation.bias(head) for head in range(heads)]
    biases = np.stack([bias.numpy() for bias in made if bias is not None])  # (heads, queries, keys)
    count = biases.shape[1]
    causal = kind == "decoder"
    distances = np.arange(-(count - 1), 1 if causal else count)
    diagonals = [np.diagonal(biases, int(distance), 1, 2) for distance in distances]
    spread = max(float(np.ptp(diagonal, axis=1).max()) for diagonal in diagonals)
    if spread > 1e-3 * max(float(np.abs(biases).max()), 1e-6):
        return None, distances
    return np.stack([diagonal[:, 0] for diagonal in diagonals], axis=1).astype(np.float32), distances
