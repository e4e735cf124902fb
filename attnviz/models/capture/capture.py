"""The attention function registered with transformers: the model's own result, and references to what went in.

While a capture runs, every attention layer that goes through transformers' `AttentionInterface` calls `attend`. It
computes the layer's output on the fast path and keeps queries, keys, values and the rule of the scores; n × n weights
are never made. How the calls of a forward pass map to layers and kinds is not decided here but in
`recording/capture_plan.py`.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from attnviz.attention import blockwise
from attnviz.attention.blockwise import Diagonals, Rule, Spans
from attnviz.models.capture.fused_attention import fused_attention
from attnviz.models.capture.proof import is_proved

NAME = "attnviz"

# Keyword arguments that models pass to attention functions and that leave the scores alone, or that `attend` knows. Any
# other name (an index of chosen keys, say) may change the scores in a way unknown here, even where it is None for a
# short text: the call is then marked as not understood, and the model's own eager attention is asked instead.
_UNDERSTOOD = frozenset(
    {"softcap", "s_aux", "sliding_window", "position_ids", "position_embeddings", "input_ids", "cache_position"}
    | {
        "encoder_hidden_states",
        "encoder_attention_mask",
        "token_type_ids",
        "past_key_values",
        "use_cache",
        "deterministic",
    }
    | {"output_attentions", "output_hidden_states", "output_router_logits", "return_dict", "training"}
)
_SMALLEST = -1e4  # float masks use the dtype's lowest number or -inf; no position bias comes near


@dataclass(frozen=True, slots=True)
class Layer:
    """What one attention layer was given.

    Attributes:
        query: (heads, queries, head_dim), position encoding applied.
        key: (key_heads, keys, head_dim); heads is a multiple of key_heads (grouped queries).
        value: (key_heads, keys, value_dim).
        rule: what else decides the weights.
    """

    query: Tensor
    key: Tensor
    value: Tensor
    rule: Rule

    @property
    def groups(self) -> int:
        """How many query heads share one key head."""
        return self.query.shape[0] // self.key.shape[0]

    def for_heads(self, tensor: Tensor, head: int | None) -> Tensor:
        """Keys or values for one query head, or for all where head is None: (heads, keys, dim)."""
        if head is None:
            return tensor.repeat_interleave(self.groups, dim=0) if self.groups > 1 else tensor
        group = head // self.groups
        return tensor[group : group + 1]


@dataclass(slots=True)
class Capture:
    """The layers of one forward pass, in the order of their calls."""

    layers: list[Layer] = field(default_factory=list)
    modules: list[int] = field(default_factory=list)
    """Which module made each call (its id), to see that a later pass calls the same ones."""
    not_understood: str | None = None
    """The name of an argument that changes the scores in a way unknown here; the capture is then not to be used."""
    proofs: list[tuple[int, Tensor]] = field(default_factory=list)
    """Calls that were compared with the layer's own output, each with a boolean: whether its rule gives the same."""
    watch: LayerWatch | None = None
    """Is given each layer once it is computed, and decides what of it is kept."""
    _seen: dict[tuple, tuple[Tensor, Any]] = field(default_factory=dict)
    _compared: set[tuple] = field(default_factory=set)

    def add(self, module: nn.Module, layer: Layer) -> None:
        """Takes down one call."""
        self.layers.append(layer)
        self.modules.append(id(module))

    def compare(self, output: Tensor, *masks: Any) -> None:
        """Compares the last call with what the layer put out, once for all layers that may see the same keys.

        Args:
            output: (queries, heads, value_dim).
            masks: the masks and biases that decide which keys are seen; None, tensors or plain values.
        """
        layer = self.layers[-1]
        names = tuple((item.data_ptr(), item.shape) if isinstance(item, Tensor) else item for item in masks)
        key = (layer.query.shape, layer.key.shape, *names)
        if key not in self._compared:
            self._compared.add(key)
            proved = is_proved(layer.query, layer.key, layer.value, layer.rule, output.detach())
            self.proofs.append((len(self.layers) - 1, proved))

    def once(self, tensor: Tensor, make: Callable[[], Any]) -> Any:
        """`make()`, or what it gave for the same tensor before: layers share their masks and biases."""
        key = (tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype)
        if key not in self._seen:
            self._seen[key] = (tensor, make())  # the tensor too, so that its memory is not reused under this key
        return self._seen[key][1]

    def finish(self) -> None:
        """Drops what was kept only to recognise shared masks."""
        self._seen.clear()


class LayerWatch(Protocol):
    """Who sees the layers of a pass as they are computed; see `recording/record_options.py`."""

    def teller(self, index: int) -> Callable[[float], None] | None:
        """Who is told what share of a layer, the index-th call of the pass, is done; None where nobody is."""

    def reduce(self, index: int, layer: Layer) -> Layer:
        """What is kept of a layer, the index-th call of the pass."""


class LayerChange(Protocol):
    """What is changed in one layer."""

    def apply(self, output: Tensor, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> tuple[Tensor, Rule]:
        """The changed output (texts, queries, heads, value_dim), and the rule that gives the changed weights."""


class PassChanges(Protocol):
    """What is changed in the layers of a pass, in the order of their calls; see `recording/changes.py`."""

    @property
    def needs_whole_maps(self) -> bool:
        """Whether a row can only be changed right with the other rows of its map."""

    def next(self, module: nn.Module) -> LayerChange | None:
        """What is changed in the layer that is called now; None where nothing is."""


_active: ContextVar[Capture | None] = ContextVar("attnviz_capture", default=None)
_changes: ContextVar[PassChanges | None] = ContextVar("attnviz_changes", default=None)
_registration = threading.Lock()
_registered = False


def register() -> None:
    """Makes the function known to transformers under `NAME`; the second time nothing happens."""
    global _registered
    with _registration:
        if not _registered:
            from transformers import AttentionInterface
            from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

            AttentionInterface.register(NAME, attend)
            # Without a mask function under the same name transformers drops the mask, and padding is silently ignored.
            AttentionMaskInterface.register(NAME, sdpa_mask)
            _registered = True


def configurations(network: nn.Module) -> list[Any]:
    """Every configuration object that a module of the network reads: stacks often hold a deep copy of their own."""
    by_id: dict[int, Any] = {}
    waiting: list[Any] = [module.config for module in network.modules() if hasattr(module, "config")]
    while waiting:
        config = waiting.pop()
        if id(config) not in by_id and hasattr(config, "_attn_implementation_internal"):
            by_id[id(config)] = config
            waiting += [getattr(config, name, None) for name in getattr(config, "sub_configs", ())]
    return list(by_id.values())


@contextlib.contextmanager
def implementation(network: nn.Module, name: str) -> Iterator[None]:
    """The network computes its attention with the function `name` inside, and with its own one again after."""
    configs = configurations(network)
    before = [config._attn_implementation_internal for config in configs]
    try:
        for config in configs:
            config._attn_implementation_internal = name
        yield
    finally:
        for config, own in zip(configs, before, strict=True):
            config._attn_implementation_internal = own


@contextlib.contextmanager
def capture_attention(
    network: nn.Module, changes: PassChanges | None = None, watch: LayerWatch | None = None
) -> Iterator[Capture]:
    """Fills a `Capture` with every attention call of `network` while the context is open.

    Afterwards, also after an error, the network has its own attention again.

    Args:
        network: whose.
        changes: what is changed in its layers meanwhile.
        watch: what sees its layers meanwhile; what it raises ends the pass.
    """
    register()
    capture = Capture(watch=watch)
    with implementation(network, NAME), change_attention(network, changes):
        token = _active.set(capture)
        try:
            yield capture
        finally:
            _active.reset(token)
            capture.finish()


@contextlib.contextmanager
def change_attention(network: nn.Module, changes: PassChanges | None) -> Iterator[None]:
    """Changes the attention of `network` while the context is open, and nothing where `changes` is None.

    Afterwards, also after an error, the network has its own attention again, unchanged.
    """
    if changes is None:
        yield
        return
    register()
    with implementation(network, NAME):
        token = _changes.set(changes)
        try:
            yield
        finally:
            _changes.reset(token)


def needs_whole_maps() -> bool:
    """Whether attention is being changed here and now in a way for which a cache of earlier keys and values would not
    do, because it gives the last row of each map alone."""
    changes = _changes.get()
    return changes is not None and changes.needs_whole_maps


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    is_causal: bool | None = None,
    position_bias: Tensor | None = None,
    **others: Any,
) -> tuple[Tensor, None]:
    """One attention layer, called by transformers.

    Args:
        query: (1, heads, queries, head_dim).
        key, value: (1, key_heads, keys, head_dim).
        attention_mask: None, boolean (1, 1 or heads, queries, keys), or additive in floating point.
        others: what else the model passes on; `softcap` and `s_aux` (sinks) change the scores.

    Returns:
        ((1, queries, heads, value_dim), None), as every attention function of transformers does.
    """
    softcap, sink = others.get("softcap"), others.get("s_aux")
    scale = query.shape[-1] ** -0.5 if scaling is None else float(scaling)
    if is_causal is None:
        is_causal = getattr(module, "is_causal", True)
    capture, changes = _active.get(), _changes.get()
    change = None if changes is None else changes.next(module)
    plain = softcap is None and sink is None
    rule = None
    if capture is not None or change is not None or not plain:
        rule = layer_rule(capture, query, key, attention_mask, scale, bool(is_causal), position_bias, softcap, sink)
    if capture is not None and rule is not None:
        capture.add(module, Layer(query[0].detach(), key[0].detach(), value[0].detach(), rule))
        strange = set(others) - _UNDERSTOOD
        if strange or query.shape[0] != 1:
            capture.not_understood = ", ".join(sorted(strange)) or "batch"
    if plain:
        tell = None if capture is None or capture.watch is None else capture.watch.teller(len(capture.layers) - 1)
        output = fused_attention(
            module, query, key, value, attention_mask, position_bias, scaling, bool(is_causal), tell
        )
        if capture is not None:
            capture.compare(output[0], attention_mask, position_bias, bool(is_causal))
    else:
        # Computed from the rule itself, block by block: there is nothing else to compare it with.
        assert rule is not None
        output = output_by_rule(query, key, value, rule)
    if change is not None:
        assert rule is not None
        output, changed = change.apply(output, query, key, value, rule)
        if capture is not None:
            capture.layers[-1] = replace(capture.layers[-1], rule=changed)
    if capture is not None and capture.watch is not None:
        capture.layers[-1] = capture.watch.reduce(len(capture.layers) - 1, capture.layers[-1])
    return output, None


def output_by_rule(query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> Tensor:
    """What a layer puts out by its rule, which is the same for all texts of a batch."""
    groups = query.shape[1] // key.shape[1]
    key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
    outputs = [blockwise.output(*parts, rule) for parts in zip(query, key, value, strict=True)]
    return torch.stack(outputs).to(query.dtype).transpose(1, 2).contiguous()


def layer_rule(
    capture: Capture | None,
    query: Tensor,
    key: Tensor,
    mask: Tensor | None,
    scale: float,
    is_causal: bool,
    position_bias: Tensor | None,
    softcap: float | None,
    sink: Tensor | None,
) -> Rule:
    """What beside queries and keys decides the weights of one call; of a batch, those of its first text."""
    queries, keys = query.shape[2], key.shape[2]
    once = capture.once if capture is not None else (lambda tensor, make: make())
    visible: Spans | Tensor | None = None
    bias: Diagonals | Tensor | None = None
    if mask is None:
        # As PyTorch's fused attention does it: no mask and a causal module means causal, but for a single query.
        if is_causal and queries > 1:
            visible = Spans.causal(queries, query.device)
    else:
        mask = mask[..., :keys]
        visible, bias = once(mask, lambda: _compact_mask(mask, queries, keys))
    if position_bias is not None:
        own = once(position_bias, lambda: _compact_bias(position_bias, queries, keys))
        if bias is not None:
            own = _dense(own, queries, keys) + _dense(bias, queries, keys)
        bias = own
    return Rule(scale, softcap, None if sink is None else sink.detach().reshape(-1), visible, bias)


def _dense(bias: Diagonals | Tensor, queries: int, keys: int) -> Tensor:
    return bias.block(slice(0, queries), keys) if isinstance(bias, Diagonals) else bias


def _compact_mask(mask: Tensor, queries: int, keys: int) -> tuple[Spans | Tensor | None, Diagonals | Tensor | None]:
    """A boolean or additive (1, 1 or heads, queries or 1, keys) mask as (visible, bias), in little memory."""
    if mask.dtype == torch.bool:
        allowed, bias = mask[0], None
    else:
        allowed = mask[0] > _SMALLEST
        rest = mask[0].masked_fill(~allowed, 0.0)
        bias = _compact_bias(rest[None], queries, keys) if bool(rest.any()) else None
    if bool(allowed.all()):
        return None, bias
    allowed = allowed.expand(-1, queries, -1)
    if allowed.shape[0] == 1:
        return Spans.of(allowed[0]) or allowed.clone(), bias
    return allowed.clone(), bias


def _compact_bias(bias: Tensor, queries: int, keys: int) -> Diagonals | Tensor:
    """A (1, heads or 1, queries or 1, keys) bias, by its diagonals where each of them is constant.

    T5 adds its causal mask to the bias, which then holds the dtype's lowest number above the diagonal; that is constant
    along diagonals too.
    """
    bias = bias[0].detach()[..., :keys]
    if bias.shape[-2] == queries and queries > 1:
        return Diagonals.of(bias) or bias.clone()
    return bias.clone()
