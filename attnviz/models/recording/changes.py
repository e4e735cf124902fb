"""What is changed in a network's attention while it runs: in which heads, at which stage, and what is shown afterwards.

    scores ─ softmax ─ weights ─ × values ─ head's output ─ joining matrix
       └ "scores"         └ "weights"          └ "output"            the stages at which an `Intervention` acts

The attention function in `capture/capture.py` computes every layer's output itself, so it is changed right there. What
an intervention does is in `attnviz/interventions/`; this module finds its heads and applies it, so that a recording can
compute the changed weights again from queries and keys, a block of rows at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from attnviz.attention import blockwise, dot_product
from attnviz.attention.blockwise import Rule
from attnviz.errors import InputError, NoAttentionError
from attnviz.models.recording.errors import no_head, no_kind, no_layer

Stage = Literal["scores", "weights", "output"]
Indices = int | Sequence[int] | None


@dataclass(frozen=True, slots=True)
class Heads:
    """Which heads an intervention is for.

    Attributes:
        kind: "encoder", "decoder" or "cross".
        layer, head: one, several as a list, or None for all; counted from 0.

    >>> Heads("encoder", layer=2, head=[5, 3]).head
    (5, 3)
    """

    kind: str
    layer: Indices = None
    head: Indices = None

    def __post_init__(self) -> None:
        for name in ("layer", "head"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, int):
                object.__setattr__(self, name, tuple(int(item) for item in value))

    def layers(self, count: int) -> tuple[int, ...]:
        """Their layers, of so many."""
        return _indices(self.layer, count)

    def heads(self, count: int) -> tuple[int, ...]:
        """Their heads in a layer that has so many."""
        return _indices(self.head, count)


def _indices(chosen: Indices, count: int) -> tuple[int, ...]:
    if chosen is None:
        return tuple(range(count))
    return (chosen,) if isinstance(chosen, int) else tuple(chosen)


@dataclass(frozen=True, slots=True)
class LayerRows:
    """Some rows of some heads of a layer, which an intervention changes.

    Attributes:
        kind, layer: of the attention.
        heads: which heads.
        rows: (rows,) int: which queries.
        query: (heads, rows, head_dim).
        key: (heads, keys, head_dim).
        allowed: boolean (heads, rows, keys): what may be seen so far.
        writing: whether the network is writing a text, token by token; patterns then need not fit its length.
    """

    kind: str
    layer: int
    heads: tuple[int, ...]
    rows: Tensor
    query: Tensor
    key: Tensor
    allowed: Tensor
    writing: bool = False

    @property
    def keys(self) -> Tensor:
        """(keys,) int: the positions of the columns."""
        return torch.arange(self.key.shape[-2], device=self.key.device)


class Intervention:
    """One change of the attention of some heads; the kinds of change are in `attnviz.interventions`.

    Attributes:
        where: the heads that it changes.
        stage: what it changes: the scores before softmax, the weights, or the heads' output before the joining matrix.
    """

    where: Heads
    stage: ClassVar[Stage]

    def check(self, kind: str, queries: int, keys: int) -> None:
        """Raises InputError where it does not fit a text of this length."""

    @property
    def needs_whole_maps(self) -> bool:
        """Whether a row can only be changed right with the map's other rows, so that a network that writes has to read
        the whole text for each token."""
        return True

    def is_neutral(self, queries: int, keys: int) -> bool:
        """Whether it changes nothing in a text of this length; the layer then keeps its fast path."""
        return False

    def change(self, values: Tensor, at: LayerRows) -> Tensor:
        """Scores or weights (heads, rows, keys) as they are after it; scores of -inf may not be seen."""
        return values

    def change_sink(self, sink: Tensor) -> Tensor:
        """The (heads,) scores of the sinks, where a model has them."""
        return sink

    def change_output(self, output: Tensor) -> Tensor:
        """What the heads put out: (heads, queries, value_dim)."""
        return output


@dataclass(frozen=True, slots=True)
class ChangedRule(Rule):
    """A layer's rule with the interventions that act on it, in the order given.

    An intervention on scores that follows one on weights takes the logarithm of these for scores, and each row keeps
    the sum that it had.

    Attributes:
        steps: each intervention and its heads in this layer.
        kind, layer: of the attention.
        heads: how many the layer has.
        writing: see `LayerRows`.
    """

    steps: tuple[tuple[Intervention, frozenset[int]], ...] = ()
    kind: str = ""
    layer: int = 0
    heads: int = 0
    writing: bool = False

    @classmethod
    def of(cls, rule: Rule, steps: LayerSteps, heads: int) -> ChangedRule:
        """A rule that is changed by some steps, in a layer of so many heads."""
        own = {field.name: getattr(rule, field.name) for field in fields(Rule)}
        chosen = tuple((item, frozenset(item.where.heads(heads))) for item in steps.interventions)
        return cls(**own, steps=chosen, kind=steps.kind, layer=steps.layer, heads=heads, writing=steps.writing)

    @property
    def removed(self) -> frozenset[int]:
        """The heads whose output is replaced as a whole, so that none of their weights is needed."""
        return frozenset(head for item, chosen in self.steps if item.stage == "output" for head in chosen)

    def scores(self, query: Tensor, key: Tensor, rows: slice, heads: slice = slice(None)) -> Tensor:
        """As `Rule.scores`, after the interventions on scores that come before any on weights."""
        return self._compute(query, key, rows, heads)[0]

    def weights(self, query: Tensor, key: Tensor, rows: slice, heads: slice = slice(None)) -> Tensor:
        """As `Rule.weights`, after all interventions: the weights that the values were multiplied with."""
        return self._compute(query, key, rows, heads)[1]

    def _compute(self, query: Tensor, key: Tensor, rows: slice, heads: slice) -> tuple[Tensor, Tensor]:
        scores = Rule.scores(self, query, key, rows, heads)
        sink = None if self.sink is None else self.sink[heads].float()
        indices = range(*heads.indices(self.heads))
        positions = torch.arange(rows.start, rows.start + query.shape[-2], device=query.device)
        changed: dict[int, Tensor] = {}  # weights that an intervention on weights gave, by the head's place in `heads`
        for item, chosen in self.steps:
            own = [at for at, head in enumerate(indices) if head in chosen]
            if not own or item.stage == "output":
                continue
            weighted = all(at in changed for at in own)
            if not weighted and (item.stage == "weights" or any(at in changed for at in own)):
                every = dot_product.weights(scores, sink=sink)
                changed |= {at: every[at] for at in own if at not in changed}
                weighted = True
            before = torch.stack([changed[at] for at in own]) if weighted else scores[own]
            allowed = before > 0 if weighted and item.stage == "scores" else scores[own] > -torch.inf
            seen = LayerRows(
                self.kind, self.layer, tuple(indices[at] for at in own), positions, query[own], key[own], allowed,
                self.writing,
            )  # fmt: skip
            if item.stage == "scores" and weighted:
                total = before.sum(dim=-1, keepdim=True)
                after = dot_product.weights(item.change(before.log(), seen)) * total
            else:
                after = item.change(before, seen)
            if weighted:
                changed |= dict(zip(own, after, strict=True))
                continue
            scores[own] = after
            if sink is not None:
                sink = sink.clone()
                sink[own] = item.change_sink(sink[own])
        weights = dot_product.weights(scores, sink=sink)
        for at, own_weights in changed.items():
            weights[at] = own_weights
        return scores, weights


@dataclass(frozen=True, slots=True)
class LayerSteps:
    """What is changed in one layer of a pass."""

    kind: str
    layer: int
    interventions: tuple[Intervention, ...]
    writing: bool = False

    def apply(self, output: Tensor, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> tuple[Tensor, Rule]:
        """The layer's output (1, queries, heads, value_dim) with the changed heads in it, and the changed rule.

        Args:
            output: of the unchanged layer; heads that nothing changes keep it as it is.
            query, key, value: as `capture.attend` takes them.
            rule: the unchanged one.
        """
        heads, queries, keys = query.shape[1], query.shape[2], key.shape[2]
        if not self.writing:
            for item in self.interventions:
                item.check(self.kind, queries, keys)
        changed = ChangedRule.of(rule, self, heads)
        acting = [(item, chosen) for item, chosen in changed.steps if not item.is_neutral(queries, keys)]
        output = output.clone()
        weighted = sorted({head for item, chosen in acting if item.stage != "output" for head in chosen})
        if weighted:
            groups = heads // key.shape[1]
            several = slice(weighted[0], weighted[-1] + 1)
            keys_of, values_of = (part[0].repeat_interleave(groups, dim=0)[several] for part in (key, value))
            result = blockwise.output(query[0, several], keys_of, values_of, changed, several)
            own = [head - weighted[0] for head in weighted]
            output[0, :, weighted] = result[own].transpose(0, 1).to(output.dtype)
        for item, chosen in acting:
            if item.stage == "output":
                several_heads = sorted(chosen)
                output[0, :, several_heads] = item.change_output(output[0, :, several_heads].transpose(0, 1)).transpose(
                    0, 1
                )
        return output, changed


class CallOrder:
    """Says of each attention call which layer makes it. A writing network runs the same layers once for each token, so
    after the last call the first follows."""

    def __init__(self, calls: Sequence[tuple[str, int] | None], modules: Sequence[int]) -> None:
        """Takes the (kind, layer) of each call of a pass, None where no layer reports it, and the module's id."""
        self._calls, self._modules = tuple(calls), tuple(modules)
        self._turn = 0

    def next(self, module: nn.Module) -> tuple[str, int] | None:
        """The (kind, layer) of the call that comes next.

        Raises:
            NoAttentionError: the network calls its layers in another order than in the trial.
        """
        turn = self._turn % len(self._calls)
        if self._modules[turn] != id(module):
            raise NoAttentionError(
                "This model took another way through its layers than in the trial, so the layer that is to be changed "
                "cannot be told apart from others."
            )
        self._turn += 1
        return self._calls[turn]


class Changes:
    """The interventions of one pass, or of several passes of one kind, handed to the layers as they are called."""

    def __init__(
        self,
        interventions: Sequence[Intervention],
        calls: Sequence[tuple[str, int] | None],
        modules: Sequence[int],
        *,
        writing: bool = False,
    ) -> None:
        """
        Args:
            interventions: in the order in which they act.
            calls: the (kind, layer) of each attention call of a pass; None for a call that no layer reports.
            modules: the id of the module that makes each call.
            writing: whether a text is written, token by token.
        """
        self._interventions, self._order = tuple(interventions), CallOrder(calls, modules)
        self._layers = {
            kind: 1 + max(call[1] for call in calls if call and call[0] == kind) for kind, _ in filter(None, calls)
        }
        self._writing = writing

    @property
    def needs_whole_maps(self) -> bool:
        """Whether one of the interventions that act in these passes does; see `Intervention`."""
        return any(item.needs_whole_maps for item in self._interventions if item.where.kind in self._layers)

    def next(self, module: nn.Module) -> LayerSteps | None:
        """What is changed in the layer that is called next; None where nothing is.

        Raises:
            NoAttentionError: the network calls its layers in another order than in the trial.
        """
        call = self._order.next(module)
        if call is None:
            return None
        kind, layer = call
        chosen = tuple(
            item
            for item in self._interventions
            if item.where.kind == kind and layer in item.where.layers(self._layers[kind])
        )
        return LayerSteps(kind, layer, chosen, self._writing) if chosen else None


def check_interventions(
    interventions: Sequence[Intervention], kinds: tuple[str, ...], heads: Mapping[str, Sequence[int]], name: str
) -> tuple[Intervention, ...]:
    """The interventions, if a model can have them.

    Args:
        interventions: what `Model.record` was given.
        kinds: of attention that the model has.
        heads: by kind, how many heads each layer has; empty where the model gives its weights only.
        name: of the model, for errors.

    Raises:
        InputError: one of them is none, or its heads do not exist.
        NoAttentionError: the model computes its attention in code of its own, where nothing can be changed.
    """
    for item in interventions:
        if not isinstance(item, Intervention):
            raise InputError(
                '`interventions` is a list of interventions such as `Ablate(Heads("encoder", layer=2, head=5))`, not '
                "of {0!r}.",
                item,
            )
        where = item.where
        if where.kind not in kinds:
            raise no_kind(kinds, where.kind)
        if not heads:
            raise NoAttentionError(
                "{0} computes its attention inside its own code: its weights can be read, but not changed. Choose a "
                "model that uses transformers' attention interface, such as BERT, GPT-2, Marian or T5.",
                name,
            )
        counts = heads[where.kind]
        for layer in where.layers(len(counts)):
            if not 0 <= layer < len(counts):
                raise no_layer(where.kind, len(counts), layer, "")
            for head in where.heads(counts[layer]):
                if not 0 <= head < counts[layer]:
                    raise no_head(where.kind, counts[layer], head, None if len(set(counts)) == 1 else layer)
    return tuple(interventions)
