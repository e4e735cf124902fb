"""How a network's attention can be had: found out once by a short trial, and believed only where it is proved.

Architectures differ in where they call transformers' attention interface, for which layers, in what order, and in what
they do to the scores on the way. Instead of a list of special cases, a trial compares on a few tokens what a capture
gives with the weights and the output of the model's own eager attention. Where every layer's weights and the output
agree, later recordings capture; where they do not, they ask for `output_attentions=True` and keep the weights; where
there are no weights of the right shape for every layer, the model is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

import torch
from torch import Tensor

from attnviz.errors import AttnvizError, NoAttentionError, out_of_memory
from attnviz.models.capture import capture, proof
from attnviz.models.capture.capture import Capture, Layer
from attnviz.models.network.network import (
    Network,
    eager_attention,
    forward,
    is_encoder_decoder,
    run_decoder,
    run_encoder,
    text_config,
    unchanged_modules,
    vocabulary_size,
)
from attnviz.models.network.wrappers import input_device
from attnviz.models.recording.record_options import Needs

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
        sources: where weights from eager attention can be compared with what the layers put out.
        numbers: by kind, what the model itself calls the layers, where it counts others between them.
        heads: by kind, how many heads each layer has.
        needs: the memory that a recording needs.
    """

    kinds: tuple[str, ...]
    calls: tuple[tuple[str, int] | None, ...] = ()
    modules: tuple[int, ...] = ()
    encoder_calls: int = 0
    sources: tuple[proof.Source, ...] = ()
    numbers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    heads: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    needs: Needs = field(default_factory=Needs)

    @property
    def captures(self) -> bool:
        """Whether queries, keys and values can be captured."""
        return bool(self.calls)

    def sort(
        self, captured: Capture, part: slice, name: str, sizes: Mapping[str, tuple[int, int]]
    ) -> dict[str, list[Layer]]:
        """The captured layers of one part of the calls, by kind and layer.

        Args:
            captured: the attention calls of one pass.
            part: which of the planned calls it made.
            name: of the model, for errors.
            sizes: by kind, how many queries and keys there are tokens for.

        Raises:
            NoAttentionError: the pass made other calls than the trial did, or its weights are not those of each pair
                of tokens, or not those that a layer computes with.
        """
        if captured.not_understood or tuple(captured.modules) != self.modules[part]:
            raise NoAttentionError(
                "This model took another way through its layers than in the trial, so its layers cannot be told apart."
            )
        proved = {call: bool(equal) for call, equal in captured.proofs}
        sorted_layers: dict[str, dict[int, Layer]] = {}
        for call, (kind_and_layer, layer) in enumerate(zip(self.calls[part], captured.layers, strict=True)):
            if kind_and_layer is None:
                continue
            shape = (layer.query.shape[1], layer.key.shape[1])
            if not proved.get(call, True) or shape != sizes[kind_and_layer[0]]:
                raise proof.unproved_error(name, sizes[kind_and_layer[0]][1], *kind_and_layer)
            sorted_layers.setdefault(kind_and_layer[0], {})[kind_and_layer[1]] = layer
        return {kind: [layers[index] for index in sorted(layers)] for kind, layers in sorted_layers.items()}


def make_plan(network: Network) -> Plan:
    """Finds out how the network can be recorded.

    Raises:
        NoAttentionError: it has no attention weights that could be shown whole and right.
    """
    with unchanged_modules(network):
        return _try_plan(network)


def _try_plan(network: Network) -> Plan:
    ids, target_ids = trial_ids(network)
    name = type(network).__name__
    try:
        # The model's own output, by its own attention; first, because some models only settle on their layers then.
        plain = _plain(network, ids, target_ids)
        output, reference, passing = eager_attention(network, ids, target_ids, watched=None)
    except Exception as error:
        if isinstance(error, AttnvizError) or out_of_memory(error):
            raise
        raise NoAttentionError(
            "{0} cannot be asked for its attention weights on plain text ({1}).",
            name,
            error,
        ) from error
    dtype = next(parameter.dtype for parameter in network.parameters() if parameter.is_floating_point())
    rounding = FULL if torch.finfo(dtype).bits >= 32 else HALF
    if not _agree(plain, _main_output(output), rounding):
        raise NoAttentionError(
            "{0} computes something else when it is asked for its attention weights than when it is not, so these "
            "are not the weights that it uses.",
            name,
        )
    if target_ids is None:
        kind = "decoder" if _is_causal(reference[""]) else "encoder"
        reference = {kind: reference.pop("")}
    kinds = tuple(kind for kind in ("encoder", "decoder", "cross") if kind in reference)
    try:
        planned = _capture_plan(network, ids, target_ids, plain, reference, kinds, rounding)
    except Exception as error:
        if isinstance(error, AttnvizError) or out_of_memory(error):
            raise
        # Whatever goes wrong on the fast way only means that the model is not for it; eager attention has just worked.
        planned = None
    planned = planned or Plan(kinds, sources=proof.find_sources(passing, reference))
    heads = {kind: tuple(len(weights) for weights in maps) for kind, maps in reference.items()}
    return replace(planned, numbers=_layer_numbers(network, planned, reference), heads=heads)


def _layer_numbers(
    network: Network, planned: Plan, reference: Mapping[str, Sequence[Tensor]]
) -> dict[str, tuple[int, ...]]:
    """What the model itself calls its layers, by the paths of the modules that attend: "model.layers.2.self_attn".

    In a hybrid other layers stand between those that attend. Kinds whose layers are numbered from 0 without a gap, or
    by no number that rises, are left out.
    """
    paths: dict[str, dict[int, str]] = {kind: {} for kind in reference}
    names = {id(module): path for path, module in network.named_modules()}
    for kind_and_layer, module in zip(planned.calls, planned.modules, strict=True):
        if kind_and_layer is not None:
            paths[kind_and_layer[0]][kind_and_layer[1]] = names.get(module, "")
    for source in planned.sources:
        paths[source.kind][source.layer] = source.output[0]
    numbers = {}
    for kind, maps in reference.items():
        matches = [re.search(r"\.(\d+)\.", paths[kind].get(layer, "")) for layer in range(len(maps))]
        own = tuple(int(match[1]) for match in matches if match is not None)
        rising = len(own) == len(maps) and own == tuple(sorted(set(own)))
        if rising and own != tuple(range(len(own))):
            numbers[kind] = own
    return numbers


def trial_ids(network: Network) -> tuple[Tensor, Tensor | None]:
    """Some ids of the vocabulary: not special, not all alike, the same each time."""
    config = text_config(network)
    special: set[int] = set()
    for name in ("pad", "bos", "eos", "sep", "cls", "mask"):
        token_id = getattr(config, f"{name}_token_id", None)
        special.update(token_id if isinstance(token_id, list) else [token_id] if isinstance(token_id, int) else [])
    device = input_device(network)
    generator = torch.Generator().manual_seed(0)

    def draw(length: int, size: int) -> Tensor:
        usable = [index for index in range(size // 3, size) if index not in special][:4096] or [size - 1]
        indices = torch.randint(len(usable), (1, length), generator=generator)
        return torch.tensor(usable)[indices].to(device)

    ids = draw(SOURCE_LENGTH, vocabulary_size(network))
    return ids, draw(TARGET_LENGTH, vocabulary_size(network, of_decoder=True)) if is_encoder_decoder(network) else None


def _is_causal(maps: Sequence[Tensor]) -> bool:
    return all(bool((item.triu(1) == 0).all()) for item in maps)


def _capture_plan(
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
        with capture.capture_attention(network) as captured:
            own = forward(network, ids, attention_mask=torch.ones_like(ids))
        captures, encoder_calls = [captured], 0
    else:
        with capture.capture_attention(network) as first:
            states = run_encoder(network, ids)
        with capture.capture_attention(network) as second:
            own = run_decoder(network, ids, target_ids, states)
        captures, encoder_calls = [first, second], len(first.layers)
    if any(item.not_understood for item in captures):
        return None
    if not _agree(plain, _main_output(own), rounding):
        return None
    layers = [layer for item in captures for layer in item.layers]
    modules = tuple(module for item in captures for module in item.modules)
    weights = [_weights(layer) for layer in layers]
    # Granite with sinks leaves their share out of the weights that it reports, though not out of its output, which the
    # capture has just given too: weights that agree but for that share are the right ones, and theirs are not.
    candidates = [weights]
    if any(layer.rule.sink is not None for layer in layers):
        candidates.append([one / one.sum(dim=-1, keepdim=True) for one in weights])
    for tolerance, shown in product(rounding.weights, candidates):
        calls = _match(shown, reference, tolerance)
        if calls is not None:
            numbers = 0 if getattr(own, "logits", None) is None else own.logits.shape[-1]
            return Plan(kinds, calls, modules, encoder_calls, needs=_needs(calls, layers, 4 * numbers))
    return None


def _needs(calls: Sequence[tuple[str, int] | None], layers: Sequence[Layer], logits: int) -> Needs:
    """The bytes that each token adds."""
    every = []
    for call, layer in zip(calls, layers, strict=True):
        query, key, value = (
            part.shape[0] * part.shape[-1] * part.element_size() for part in (layer.query, layer.key, layer.value)
        )
        every.append((-1 if call is None else call[1], query, key + value))
    return Needs(tuple(every), logits)


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
            call_index = next(
                (
                    call
                    for call in order
                    if calls[call] is None
                    and weights[call].shape == expected.shape
                    and _distance(weights[call], expected.float()) <= tolerance
                ),
                None,
            )
            if call_index is None:
                return None
            calls[call_index] = (kind, index)
            after = call_index + 1
    return tuple(calls)


def _distance(first: Tensor, second: Tensor) -> float:
    """The share of its attention that a head, the worst of them, turns elsewhere: half the sum of the differences of a
    row, on average over the rows."""
    return float((first - second).abs().sum(dim=-1).mean(dim=-1).max()) / 2


def _weights(layer: Layer) -> Tensor:
    """(heads, queries, keys)."""
    key = layer.key.repeat_interleave(layer.groups, dim=0)
    return layer.rule.weights(layer.query, key, slice(0, layer.query.shape[1]))
