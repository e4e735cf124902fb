"""How a network's attention can be had: found out once by a short trial, and believed only where it is proved.

Architectures differ in where they call transformers' attention interface, for which layers, in what order, and in what
they do to the scores on the way. Instead of a list of special cases, a trial compares on a few tokens what a capture
gives with the weights and the output of the model's own eager attention. Where every layer's weights and the output
agree, later recordings capture; where they do not, they ask for `output_attentions=True` and keep the weights; where
there are no weights of the right shape for every layer, the model is refused.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from attnviz.attention import dot_product
from attnviz.errors import AttnvizError, NoAttentionError, out_of_memory
from attnviz.models import capture
from attnviz.models.capture import Capture, Layer

Network = Any
"""A transformers model; their classes share no type that says what they take and give."""

SOURCE_LENGTH, TARGET_LENGTH = 11, 7
"""Tokens of the trial: primes that differ, so that swapped axes are seen."""


@dataclass(frozen=True, slots=True)
class Rounding:
    """How far apart two ways to compute the same may come out; what is wrong is further off by far.

    Layers with sharp heads amplify each other's rounding, so a deep network needs more room than a shallow one.

    Attributes:
        output: most difference of two outputs, as a share of their highest number.
        weights: most difference of two maps, as the share of its attention that a head turns elsewhere; first a narrow
            one, which tells layers apart that are nearly alike, then one for deep networks.
    """

    output: float
    weights: tuple[float, float]


FULL, HALF = Rounding(1e-3, (1e-5, 1e-3)), Rounding(0.15, (1e-2, 0.1))


@dataclass(frozen=True, slots=True)
class Plan:
    """How to record a network.

    Attributes:
        kinds: the kinds of attention that it has.
        calls: for each captured call in order (the encoder's, then the decoder's) its (kind, layer), or None where
            it belongs to no layer that the model itself reports; empty where the weights come from eager attention.
        modules: which module makes each call.
        encoder_calls: how many of them the encoder makes when it runs alone; 0 for a single stack.
    """

    kinds: tuple[str, ...]
    calls: tuple[tuple[str, int] | None, ...] = ()
    modules: tuple[int, ...] = ()
    encoder_calls: int = 0

    @property
    def captures(self) -> bool:
        """Whether queries, keys and values can be captured."""
        return bool(self.calls)

    def sort(self, found: Capture, part: slice) -> dict[str, list[Layer]]:
        """The captured layers of one part of the calls, by kind and layer.

        Raises:
            NoAttentionError: the pass made other calls than the trial did.
        """
        if found.not_understood or tuple(found.modules) != self.modules[part]:
            raise NoAttentionError(
                "This model took another way through its layers than in the trial, so its layers cannot be told apart."
            )
        sorted_layers: dict[str, dict[int, Layer]] = {}
        for place, layer in zip(self.calls[part], found.layers, strict=True):
            if place is not None:
                sorted_layers.setdefault(place[0], {})[place[1]] = layer
        return {kind: [layers[index] for index in sorted(layers)] for kind, layers in sorted_layers.items()}


def text_config(network: Network) -> Any:
    """The part of the configuration that describes the language model."""
    config = network.config
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def vocabulary(network: Network, *, of_decoder: bool = False) -> int:
    """How many vocabulary ids the network takes; the decoder of an encoder–decoder may have others than the encoder.

    Raises:
        NoAttentionError: it reads something else than vocabulary ids.
    """
    with contextlib.suppress(AttributeError, NotImplementedError):
        stack = network.get_decoder() if of_decoder else network
        return int(stack.get_input_embeddings().weight.shape[0])
    size = getattr(text_config(network), "vocab_size", None)
    if not isinstance(size, int):
        raise NoAttentionError(f"{type(network).__name__} has no vocabulary, so it cannot be given text.")
    return size


def is_encoder_decoder(network: Network) -> bool:
    """Whether the network has an encoder and a decoder that looks at it."""
    return bool(getattr(network.config, "is_encoder_decoder", False))


def forward(network: Network, ids: Tensor | None, **arguments: Any) -> Any:
    """One forward pass without gradients and without a cache; `ids` is (1, sequence)."""
    accepted = inspect.signature(network.forward).parameters
    if "use_cache" in accepted or getattr(network.config, "use_cache", None) is not None:
        arguments.setdefault("use_cache", False)
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values()):
        arguments = {name: value for name, value in arguments.items() if name in accepted}
    if ids is not None:
        arguments["input_ids"] = ids
    with torch.no_grad():
        return network(return_dict=True, **arguments)


def encode(network: Network, ids: Tensor) -> Any:
    """Runs the encoder of an encoder–decoder alone; its output goes into `forward(encoder_outputs=…)`."""
    encoder = network.get_encoder()
    with torch.no_grad():
        return encoder(input_ids=ids, attention_mask=torch.ones_like(ids), return_dict=True)


def decode(network: Network, ids: Tensor, target_ids: Tensor, encoder_outputs: Any) -> Any:
    """Runs the decoder on an encoder's output."""
    return forward(
        network,
        None,
        encoder_outputs=encoder_outputs,
        attention_mask=torch.ones_like(ids),
        decoder_input_ids=target_ids,
    )


def eager(network: Network, ids: Tensor, target_ids: Tensor | None, **arguments: Any) -> tuple[Any, dict]:
    """The whole output of eager attention, and its weights by kind: tuples of (heads, queries, keys).

    Raises:
        NoAttentionError: the model gives no weights, or not those of every layer for every pair of tokens.
    """
    if target_ids is not None:
        arguments["decoder_input_ids"] = target_ids
    arguments["attention_mask"] = torch.ones_like(ids)
    output = None
    for settle in (False, True):
        with _left_as_it_was(network), capture.implementation(network, "eager"):
            if settle:
                forward(network, ids, **arguments)
            output = forward(network, ids, output_attentions=True, **arguments)
        if any(getattr(output, name, None) for name in ("attentions", "encoder_attentions")):
            break
        # BigBird replaces its layers in its first pass, and with them the hooks that collect weights: once more, with
        # the hooks set after a first pass.
    queries = ids.shape[1]
    if target_ids is not None:
        targets = target_ids.shape[1]
        wanted = {
            "encoder": ("encoder_attentions", queries, queries),
            "decoder": ("decoder_attentions", targets, targets),
            "cross": ("cross_attentions", targets, queries),
        }
    else:
        wanted = {"": ("attentions", queries, queries)}
    result = {
        kind: _whole(getattr(output, name, None), rows, columns, kind, network)
        for kind, (name, rows, columns) in wanted.items()
    }
    return output, result


def _whole(maps: Any, queries: int, keys: int, kind: str, network: Network) -> tuple[Tensor, ...]:
    name = type(network).__name__
    which = f"{kind} attention" if kind else "attention"
    if not maps:
        raise NoAttentionError(
            f"{name} gives no {which} weights, so there is nothing to show. "
            "Choose a transformer with softmax attention."
        )
    shapes = {tuple(item.shape) if isinstance(item, Tensor) else type(item).__name__ for item in maps}
    first = maps[0]
    if len(shapes) != 1 or not isinstance(first, Tensor) or first.ndim != 4 or first.shape[0] != 1:
        raise NoAttentionError(
            f"{name} gives its {which} in the form {_listing(shapes)}, which is no map of every layer."
        )
    if first.shape[2:] != (queries, keys):
        raise NoAttentionError(
            f"{name} gives its {which} in the form {_listing(shapes)}, not as weights between all tokens "
            f"({queries} queries, {keys} keys). A part of it would be shown as if it were the whole."
        )
    slack = dot_product.rounding(first.dtype)
    for item in maps:
        # The comparisons are false for what is not a number, too.
        if not (bool((item >= -slack).all()) and bool((item.sum(dim=-1) <= 1 + slack).all())):
            raise NoAttentionError(
                f"What {name} gives as its {which} are no weights: a row has negative or not finite numbers, or sums "
                "to more than 1. Shown as weights they would mislead."
            )
    return tuple(item[0] for item in maps)


def _listing(shapes: set) -> str:
    return ", ".join(sorted(str(shape) for shape in shapes))


def make(network: Network) -> Plan:
    """Finds out how the network can be recorded.

    Raises:
        NoAttentionError: it has no attention weights that could be shown whole and right.
    """
    with _left_as_it_was(network):
        return _make(network)


def _make(network: Network) -> Plan:
    ids, target_ids = _trial_ids(network)
    name = type(network).__name__
    try:
        # The model's own output, by its own attention; first, because some models only settle on their layers then.
        plain = _plain(network, ids, target_ids)
        output, reference = eager(network, ids, target_ids)
    except Exception as error:
        if isinstance(error, AttnvizError) or out_of_memory(error):
            raise
        raise NoAttentionError(f"{name} cannot be asked for its attention weights on plain text ({error}).") from error
    dtype = next(parameter.dtype for parameter in network.parameters() if parameter.is_floating_point())
    rounding = FULL if torch.finfo(dtype).bits >= 32 else HALF
    if not _agree(plain, _main_output(output), rounding):
        raise NoAttentionError(
            f"{name} computes something else when it is asked for its attention weights than when it is not, so these "
            "are not the weights that it uses."
        )
    if target_ids is None:
        kind = "decoder" if _is_causal(reference[""]) else "encoder"
        reference = {kind: reference.pop("")}
    kinds = tuple(kind for kind in ("encoder", "decoder", "cross") if kind in reference)
    try:
        return _captured(network, ids, target_ids, plain, reference, kinds, rounding) or Plan(kinds)
    except Exception as error:
        if isinstance(error, AttnvizError) or out_of_memory(error):
            raise
        # Whatever goes wrong on the fast way only means that the model is not for it; eager attention has just worked.
        return Plan(kinds)


def _trial_ids(network: Network) -> tuple[Tensor, Tensor | None]:
    """Some ids of the vocabulary: not special, not all alike, the same each time."""
    config = text_config(network)
    special: set[int] = set()
    for name in ("pad", "bos", "eos", "sep", "cls", "mask"):
        found = getattr(config, f"{name}_token_id", None)
        special.update(found if isinstance(found, list) else [found] if isinstance(found, int) else [])
    device = next(network.parameters()).device
    generator = torch.Generator().manual_seed(0)

    def draw(length: int, size: int) -> Tensor:
        usable = [index for index in range(size // 3, size) if index not in special][:4096] or [size - 1]
        places = torch.randint(len(usable), (1, length), generator=generator)
        return torch.tensor(usable)[places].to(device)

    ids = draw(SOURCE_LENGTH, vocabulary(network))
    return ids, draw(TARGET_LENGTH, vocabulary(network, of_decoder=True)) if is_encoder_decoder(network) else None


def _is_causal(maps: Sequence[Tensor]) -> bool:
    return all(bool((item.triu(1) == 0).all()) for item in maps)


def _captured(
    network: Network,
    ids: Tensor,
    target_ids: Tensor | None,
    plain: Tensor,
    reference: Mapping[str, Sequence[Tensor]],
    kinds: tuple[str, ...],
    rounding: Rounding,
) -> Plan | None:
    """The plan of a capture, or None where what it gives is not in every layer what eager attention gives."""
    if target_ids is None:
        with capture.capturing(network) as found:
            own = forward(network, ids, attention_mask=torch.ones_like(ids))
        captures, encoder_calls = [found], 0
    else:
        with capture.capturing(network) as first:
            states = encode(network, ids)
        with capture.capturing(network) as second:
            own = decode(network, ids, target_ids, states)
        captures, encoder_calls = [first, second], len(first.layers)
    if any(item.not_understood for item in captures):
        return None
    if not _agree(plain, _main_output(own), rounding):
        return None
    layers = [layer for item in captures for layer in item.layers]
    modules = tuple(module for item in captures for module in item.modules)
    weights = [_weights(layer) for layer in layers]
    narrow, wide = rounding.weights
    calls = _match(weights, reference, narrow) or _match(weights, reference, wide)
    return None if calls is None else Plan(kinds, calls, modules, encoder_calls)


def _plain(network: Network, ids: Tensor, target_ids: Tensor | None) -> Tensor:
    arguments = {} if target_ids is None else {"decoder_input_ids": target_ids}
    return _main_output(forward(network, ids, attention_mask=torch.ones_like(ids), **arguments))


def _main_output(output: Any) -> Tensor:
    logits = getattr(output, "logits", None)
    return logits if isinstance(logits, Tensor) else output[0]


def _agree(expected: Tensor, got: Tensor, rounding: Rounding) -> bool:
    """Whether two outputs of the same network are the same but for rounding."""
    if expected.shape != got.shape:
        return False
    difference = float((expected.float() - got.float()).abs().max())
    return difference <= rounding.output * max(1.0, float(expected.float().abs().max()))


@contextlib.contextmanager
def _left_as_it_was(network: Network) -> Iterator[None]:
    """Undoes what forward passes change in the modules themselves.

    BigBird, for one, replaces its sparse layers by full ones, for good, when it meets a short text; the trial's must
    not decide how a long one is computed later. The hooks by which transformers collects weights go too, since they
    would stay with the replaced layers.
    """
    plain_values = (str, int, float, bool, type(None))

    def plain(module: Any) -> dict[str, Any]:
        return {name: value for name, value in vars(module).items() if isinstance(value, plain_values)}

    before = [
        (module, dict(module._modules), dict(module._forward_hooks), plain(module)) for module in network.modules()
    ]
    try:
        yield
    finally:
        for module, children, hooks, values in before:
            module._modules.update(children)
            module._forward_hooks.clear()
            module._forward_hooks.update(hooks)
            for name in plain(module).keys() - values.keys():
                del vars(module)[name]
            vars(module).update(values)


def _match(
    weights: Sequence[Tensor], reference: Mapping[str, Sequence[Tensor]], tolerance: float
) -> tuple[tuple[str, int] | None, ...] | None:
    """Which call made which of the model's own maps; None where one of them was made by no call."""
    calls: list[tuple[str, int] | None] = [None] * len(weights)
    for kind, maps in reference.items():
        # A kind's layers are called in order: the search goes on behind the last one found, then from the start.
        after = 0
        for index, expected in enumerate(maps):
            order = [*range(after, len(weights)), *range(after)]
            place = next(
                (
                    call
                    for call in order
                    if calls[call] is None
                    and weights[call].shape == expected.shape
                    and _distance(weights[call], expected.float()) <= tolerance
                ),
                None,
            )
            if place is None:
                return None
            calls[place] = (kind, index)
            after = place + 1
    return tuple(calls)


def _distance(first: Tensor, second: Tensor) -> float:
    """The share of its attention that a head, the worst of them, turns elsewhere: half the sum of the differences of a
    row, on average over the rows."""
    return float((first - second).abs().sum(dim=-1).mean(dim=-1).max()) / 2


def _weights(layer: Layer) -> Tensor:
    """(heads, queries, keys)."""
    key = layer.key.repeat_interleave(layer.groups, dim=0)
    return layer.rule.weights(layer.query, key, slice(0, layer.query.shape[1]))
