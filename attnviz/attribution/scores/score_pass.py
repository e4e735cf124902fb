"""One forward pass in which a score depends on its parts alone, and in a linear way.

While the pass runs, what an embedding, an attention layer or a feed-forward network adds to a word's vector is cut off
from what it was computed from and becomes a leaf of PyTorch's graph of gradients; normalisations keep the lengths that
they had. So the graph from the leaves to a query or a key is exactly the sum of what earlier layers wrote, through the
norms and the projections that are between, whatever the architecture: residuals before or after the norm, rotated
positions, factors. `split` takes the graph apart again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from attnviz.attention.blockwise import Rule
from attnviz.attribution.contributions.linear_path import linear_norm, nonlinear_step
from attnviz.computation.module_calls import bias_of, is_matrix, is_norm, matrix_of, plain
from attnviz.errors import Message, NoAttentionError
from attnviz.models.capture import capture
from attnviz.models.recording.capture_plan import Plan

Key = tuple[str, str | None, int | None, int | None]
"""What a part is: ("head", kind, layer, head), ("feed_forward", kind, layer, None), ("embedding", None, None, None)."""

Side = Literal["query", "key"]

BIAS: Key = ("bias", None, None, None)

AT_ONCE = 1 << 24
"""Numbers on the way back through a layer: 64 MiB in float32."""


@dataclass(slots=True, eq=False)
class _Leaf:
    """What one module wrote, at the two positions that are looked at."""

    what: str
    call: int | None  # of which attention call it is part
    tensor: Tensor  # (…, rows, size), or (size,) for a bias
    rows: tuple[int, ...]  # which positions those are
    module: nn.Module | None = None
    heads: Tensor | None = None  # (rows, heads × value_dim): what a joining matrix read


@dataclass(slots=True, eq=False)
class ScorePass:
    """A pass that is watched; an object of the kind that `capture.change_attention` calls.

    Attributes:
        plan: how the network is recorded.
        call: the number of the attention call that is looked at.
        positions: of the query and of the key.
        joining: which module joins the heads of each attention call, as far as known.
        ids: of the texts, to know the words' embeddings from others.
        query, key: (heads, queries, head_dim) and (key_heads, keys, head_dim) once the call was reached.
        rule: what else makes the score.
    """

    plan: Plan
    call: int
    positions: tuple[int, int]
    joining: Mapping[int, nn.Module]
    ids: Sequence[Tensor]
    leaves: list[_Leaf] = field(default_factory=list)
    calls: int = 0
    query: Tensor | None = None
    key: Tensor | None = None
    rule: Rule | None = None
    _inside: dict[int, set[int]] = field(default_factory=dict)
    _names: dict[int, str] = field(default_factory=dict)
    _joined: int = -1  # the call whose heads were joined last

    # -----------------------------------------------------------------------------------------------------------------
    # What `capture.change_attention` asks of an object that is given to it.

    needs_whole_maps = False

    def next(self, module: nn.Module) -> ScorePass | None:
        """Counts the attention calls; the one that is looked at is to be seen with its gradients."""
        self.calls += 1
        return self if self.calls == self.call + 1 else None

    def apply(self, output: Tensor, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> tuple[Tensor, Rule]:
        """Notes query, key and rule, and changes nothing. What comes later needs no gradients."""
        self.query, self.key, self.rule = query[0], key[0], rule
        torch.set_grad_enabled(False)  # until the pass ends: `network.forward` sets what was before
        return output, rule

    # -----------------------------------------------------------------------------------------------------------------
    # Watching the modules.

    @contextmanager
    def watch(self, network: nn.Module) -> Iterator[None]:
        """Cuts the graph at the modules of the network while the context is open."""
        attentions = {id(module): module for module in network.modules() if id(module) in self.plan.modules}
        self._inside = {name: {id(part) for part in module.modules()} for name, module in attentions.items()}
        handles = []
        try:
            for name, module in network.named_modules():
                self._names[id(module)] = name
                change = self._change_for(module)
                if change is not None:
                    handles.append(module.register_forward_hook(self._hook(change), with_kwargs=True))
            with capture.change_attention(network, self):
                yield
        finally:
            for handle in handles:
                handle.remove()

    def _hook(self, change: Callable[..., Tensor | None]) -> Callable[..., Any]:
        def hook(module: nn.Module, args: tuple, kwargs: dict[str, Any], result: Any) -> Any:
            read = [item for item in (*args, *kwargs.values()) if isinstance(item, Tensor)]
            # Mixtures of experts give what they chose beside what they wrote.
            wrote, *more = result if type(result) is tuple and result else (result,)
            if self.query is not None or not isinstance(wrote, Tensor) or not wrote.is_floating_point():
                return None
            if change == self._network and len(read) != 1:
                return None  # such as one that is also given what it is to be added to
            changed = change(module, read[0] if read else None, wrote)
            return changed if changed is None or wrote is result else (changed, *more)

        return hook

    def _change_for(self, module: nn.Module) -> Callable[..., Tensor | None] | None:
        """How what a module gives is changed; None for those that only hold others, or nothing that was learned."""
        parts = {id(part) for part in module.modules()}
        is_leaf = len(parts) == 1
        if any(attention in parts for attention in self._inside):
            return None  # an attention layer, or what holds one
        if is_norm(module) and is_leaf:
            return self._norm
        if isinstance(module, nn.Embedding) or "position" in type(module).__name__.lower():
            return self._table
        if next(module.parameters(recurse=False), None) is not None:
            return self._written
        is_in_attention = any(id(module) in inside for inside in self._inside.values())
        if is_leaf or is_in_attention or not _block(self._names[id(module)]) or any(map(is_norm, module.modules())):
            return None
        return self._network

    def _network(self, module: nn.Module, _read: Tensor | None, result: Tensor) -> Tensor:
        """What several modules together wrote in a block that are no attention and hold no norm: a feed-forward
        network with its gates, or a mixture of experts. It is one part, whatever it does inside."""
        return self._cut("feed_forward", self._call_of(module), module, result)

    def _is_making_vectors(self, module: nn.Module) -> bool:
        """Whether a module is in the attention that is called next, where queries, keys and values are made."""
        return self.calls < len(self.plan.modules) and id(module) in self._inside.get(
            self.plan.modules[self.calls], set()
        )

    def _norm(self, module: nn.Module, read: Tensor | None, result: Tensor) -> Tensor | None:
        linear = None if read is None else linear_norm(module, read, result)
        if linear is None:
            return None  # if it is on the way to the score, the graph shows that it is not linear
        changed, bias = linear
        if bias is not None:
            self.leaves.append(_Leaf("bias", None, bias, self.positions))
        return changed

    def _table(self, module: nn.Module, read: Tensor | None, result: Tensor) -> Tensor | None:
        if self._is_making_vectors(module):
            return None  # T5's table of distances, which is no part of a word's vector
        name = self._names[id(module)].rsplit(".", 1)[-1].lower()
        if "pos" in name or name == "wpe" or "position" in type(module).__name__.lower():
            what = "position"
        elif "type" in name or "segment" in name:
            what = "segment"
        else:
            is_text = any(read is not None and torch.equal(read.reshape(-1), ids.reshape(-1)) for ids in self.ids)
            what = "embedding" if is_text else "other"
        return self._cut(what, None, module, result)

    def _written(self, module: nn.Module, read: Tensor | None, result: Tensor) -> Tensor | None:
        last = self.calls - 1
        if last >= 0 and self._joined != last and self.joining.get(last) is module:
            self._joined = last
            return self._cut("head", last, module, result, read)
        if self._is_making_vectors(module):
            return self._multiplied(module, result) if self.calls == self.call else result.detach()
        if is_matrix(module) and _block(self._names[id(module)]) is None:
            # What stands between the embeddings and the first layer, as ALBERT's matrix to a wider vector does.
            return self._multiplied(module, result)
        return self._cut("feed_forward", self._call_of(module), module, result)

    def _multiplied(self, module: nn.Module, result: Tensor) -> Tensor | None:
        """What a matrix on the way gave, not cut: its bias becomes a leaf of its own."""
        bias = bias_of(module)
        if bias is None or bias.shape != result.shape[-1:]:
            return None
        leaf = bias.to(result).requires_grad_()
        self.leaves.append(_Leaf("bias", None, leaf, self.positions))
        return result - leaf.detach() + leaf

    def _call_of(self, module: nn.Module) -> int | None:
        """The attention call whose block a module is in: the last one or the next; None if it is in neither."""
        block = _block(self._names[id(module)])
        for call in (self.calls - 1, self.calls):
            if 0 <= call < len(self.plan.modules):
                attention = _block(self._names.get(self.plan.modules[call], ""))
                if block is not None and block == attention:
                    return call
        return None

    def _cut(
        self, what: str, call: int | None, module: nn.Module, result: Tensor, read: Tensor | None = None
    ) -> Tensor:
        """The result, as before in number, but a leaf at the two positions and without gradients elsewhere."""
        if result.ndim < 2:
            return result.detach()
        plain_result, count = result.detach(), result.shape[-2]
        rows = tuple(sorted({position for position in self.positions if position < count}))
        index = torch.tensor(rows, device=result.device, dtype=torch.long)
        leaf = plain_result.index_select(-2, index).requires_grad_()
        heads = None if read is None else read.detach().reshape(-1, read.shape[-1])[list(rows)]
        self.leaves.append(_Leaf(what, call, leaf, rows, module, heads))
        return plain_result.index_copy(-2, index, leaf)

    # -----------------------------------------------------------------------------------------------------------------
    # Taking the graph apart.

    def split(self, side: Side, head: int) -> dict[Key, Tensor]:
        """What each part gives to a head's query or key: float64 (head_dim,) by what the part is.

        Raises:
            NoAttentionError: something on the way is not linear, so the parts would not be what they seem.
        """
        assert self.query is not None and self.key is not None
        position = self.positions[0] if side == "query" else self.positions[1]
        group = head * len(self.key) // len(self.query)
        with torch.enable_grad():
            vector = self.query[head, position] if side == "query" else self.key[group, position]  # (head_dim,)
        if not vector.requires_grad:
            raise not_split(Message("its queries and keys do not come from the vectors of the words"))
        tensors = [leaf.tensor for leaf in self.leaves]
        step = nonlinear_step(vector, tensors)
        if step is not None:
            raise not_split(Message("a step between layers is not linear ({0})", step))
        gradients = _jacobians(vector, tensors, self.query.shape[1])
        parts: dict[Key, Tensor] = {}
        reached: set[int] = set()
        for leaf, gradient in zip(self.leaves, gradients, strict=True):
            if gradient is None:
                continue
            if leaf.what == "head" and leaf.call is not None:
                reached.add(leaf.call)
            for key, part in self._parts_of(leaf, gradient, position):
                parts[key] = parts[key] + part if key in parts else part
        if ("embedding", None, None, None) not in parts:
            raise not_split(Message("the words' own vectors do not pass its layers unmixed"))
        if reached != set(self._calls_before(side)) or any(self.plan.calls[call] is None for call in reached):
            raise not_split(Message("the heads of a layer cannot be told from what else it adds"))
        return parts

    def _calls_before(self, side: Side) -> range:
        """The attention calls that write to the vectors of which queries or keys are made."""
        encoder = self.plan.encoder_calls
        if self.call < encoder or not encoder:
            return range(self.call)
        kind_and_layer = self.plan.calls[self.call]
        is_source = side == "key" and kind_and_layer is not None and kind_and_layer[0] == "cross"
        return range(encoder) if is_source else range(encoder, self.call)

    def _parts_of(self, leaf: _Leaf, gradient: Tensor, position: int) -> Iterator[tuple[Key, Tensor]]:
        """Of what is one leaf, the parts and what each gives: a row of heads is several, with a bias."""
        if leaf.what == "bias":
            yield BIAS, gradient.cpu().double() @ plain(leaf.tensor).double()
            return
        if position not in leaf.rows:
            return
        row = leaf.rows.index(position)
        jacobian = gradient[..., row, :].reshape(gradient.shape[0], -1).cpu().double()  # (head_dim, size)
        kind_and_layer = None if leaf.call is None else self.plan.calls[leaf.call]
        if leaf.what != "head" or kind_and_layer is None:
            vector = plain(leaf.tensor)[..., row, :].reshape(-1).double()
            yield self._key(leaf, kind_and_layer), jacobian @ vector
            return
        assert leaf.module is not None and leaf.heads is not None
        kind, layer = kind_and_layer
        count = self.plan.heads[kind][layer]
        matrix = matrix_of(leaf.module).double().reshape(count, -1, jacobian.shape[-1])  # (heads, value_dim, width)
        values = plain(leaf.heads[row]).double().reshape(count, -1)
        written = torch.einsum("hd,hdw->hw", values, matrix)
        for head, part in enumerate(written @ jacobian.T):
            yield ("head", kind, layer, head), part
        bias = bias_of(leaf.module)
        if bias is not None:
            yield BIAS, jacobian @ bias.double()

    def _key(self, leaf: _Leaf, kind_and_layer: tuple[str, int] | None) -> Key:
        if leaf.what != "feed_forward":
            return (leaf.what, None, None, None)
        if kind_and_layer is None:
            # A layer without attention, or one that the model does not report.
            return ("other", None, None, None)
        kind, layer = kind_and_layer
        return ("feed_forward", "decoder" if kind == "cross" else kind, layer, None)


def _jacobians(vector: Tensor, leaves: Sequence[Tensor], tokens: int) -> list[Tensor | None]:
    """How each number of a vector changes with each leaf: (size of the vector, *leaf), or None where it does not.

    The dimensions of the vector go back through the layers together, as many as the memory is wanted for: on the way
    each holds a vector for every token.
    """
    if not leaves:
        return []
    at_once = max(1, AT_ONCE // (tokens * max(leaf.shape[-1] for leaf in leaves)))
    directions = torch.eye(len(vector), dtype=vector.dtype, device=vector.device)
    rounds = [
        torch.autograd.grad(vector, leaves, some, retain_graph=True, allow_unused=True, is_grads_batched=True)
        for some in directions.split(at_once)
    ]
    return [None if parts[0] is None else torch.cat(parts) for parts in zip(*rounds, strict=True)]


def _block(name: str) -> str | None:
    """The part of a module's name up to its first number, which is the block that it is in."""
    match = re.match(r"(.*?(?:^|\.)\d+)(?:\.|$)", name)
    return match[1] if match else None


def not_split(reason: Message) -> NoAttentionError:
    """The error that says why the scores of a model are not split."""
    return NoAttentionError("The scores of this model cannot be split into what made them: {0}.", reason)
