"""What a recording keeps of a long text and where, who is told how far it is, and whether it fits into memory.

RecordOptions ─ watch(calls) ─ Watch, which the capture tells of each layer as it is computed
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from attnviz.attention.blockwise import Diagonals, Rule, Spans
from attnviz.errors import MemoryShortError, Message
from attnviz.models.capture.capture import Layer
from attnviz.models.recording.errors import no_layer

Progress = Callable[[float], None]
"""Is told what share is done; what it raises ends the run."""


@dataclass(frozen=True, slots=True)
class RecordOptions:
    """How a recording is to be made.

    Attributes:
        layers: which are kept, of each kind, from 0; None for all.
        device: where queries, keys and values are kept; None for where the network computes them.
        progress: is told what share of the layers is done, in (0, 1]; what it raises ends the run.
        logits: whether the output is kept too.
        budget: the most bytes that the run may need; None for what is free, as far as that is known.
    """

    layers: frozenset[int] | None = None
    device: torch.device | None = None
    progress: Progress | None = None
    logits: bool = True
    budget: int | None = None

    def check_layers(self, counts: dict[str, int]) -> None:
        """Raises InputError where no kind has one of the layers, of so many by kind."""
        kind, most = max(counts.items(), key=lambda item: item[1])
        for layer in sorted(self.layers or ()):
            if not 0 <= layer < most:
                raise no_layer(kind, most, layer, "")

    def includes(self, layer: int) -> bool:
        """Whether a layer is kept."""
        return self.layers is None or layer in self.layers

    def watch(self, calls: Sequence[tuple[str, int] | None]) -> Watch:
        """What a capture tells of its calls, which belong to these kinds and layers."""
        return Watch(self, calls)

    def without(self, maps: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The weights of all layers of a kind, hollow where they are not kept."""
        return tuple(item if self.includes(layer) else _hollow(item) for layer, item in enumerate(maps))


class Watch:
    """Is told of each attention call of a pass, and takes from it what is not kept."""

    def __init__(self, options: RecordOptions, calls: Sequence[tuple[str, int] | None]) -> None:
        self._options, self._calls = options, calls
        self._moved: dict[int, tuple[Any, Any]] = {}  # masks and biases that layers share stay shared
        self._last = next(
            (index for index in reversed(range(len(calls))) if calls[index] is not None), max(len(calls) - 1, 0)
        )

    def teller(self, index: int) -> Progress | None:
        """Who is told what share of a call is done; None where nobody is."""
        progress = self._options.progress
        if progress is None or index > self._last:
            return None
        return lambda share: progress((index + share) / (self._last + 1))

    def reduce(self, index: int, layer: Layer) -> Layer:
        """A layer as it is kept: moved, or hollow, which keeps its shapes alone; tells how far the pass is."""
        call = self._calls[index] if index < len(self._calls) else None
        if call is None or not self._options.includes(call[1]):
            layer = Layer(_hollow(layer.query), _hollow(layer.key), _hollow(layer.value), Rule(layer.rule.scale))
        elif self._options.device is not None:
            device = self._options.device
            layer = Layer(
                layer.query.to(device), layer.key.to(device), layer.value.to(device),
                self._move_rule(layer.rule, device),
            )  # fmt: skip
        if self._options.progress is not None and index <= self._last:
            self._options.progress((index + 1) / (self._last + 1))
        return layer

    def _move_rule(self, rule: Rule, device: torch.device) -> Rule:
        sink, visible, bias = (self._move(part, device) for part in (rule.sink, rule.visible, rule.bias))
        return replace(rule, sink=sink, visible=visible, bias=bias)

    def _move(self, part: Any, device: torch.device) -> Any:
        if id(part) not in self._moved:
            moved = part
            if isinstance(part, Tensor):
                moved = part.to(device)
            elif isinstance(part, Spans):
                moved = Spans(part.first.to(device), part.stop.to(device))
            elif isinstance(part, Diagonals):
                moved = Diagonals(part.values.to(device), part.queries)
            self._moved[id(part)] = (part, moved)
        return self._moved[id(part)][1]


def _hollow(tensor: Tensor) -> Tensor:
    """A tensor of the same shape that holds one number."""
    return tensor.new_zeros(()).expand(tensor.shape)


@dataclass(frozen=True, slots=True)
class Needs:
    """How many bytes a recording needs, as far as they grow with the text.

    Attributes:
        calls: for each attention call its layer, and the bytes that it keeps for each query and for each key.
        logits: for each token.
    """

    calls: tuple[tuple[int, int, int], ...] = ()
    logits: int = 0

    def bytes(self, tokens: int, options: RecordOptions) -> int:
        """For a text of so many tokens; an encoder–decoder's target is taken to be as long as its source."""
        kept = sum(query + key for layer, query, key in self.calls if options.includes(layer))
        # What is not kept is there while its layer is computed.
        passing = max((query + key for layer, query, key in self.calls), default=0)
        return tokens * (kept + passing + (self.logits if options.logits else 0))

    def check(self, tokens: int, options: RecordOptions, device: torch.device, name: str) -> None:
        """Raises MemoryShortError where it is more than the budget, and says what would fit."""
        budget = free_bytes(options.device or device) if options.budget is None else options.budget
        needed = self.bytes(tokens, options)
        if budget is None or needed <= budget:
            return
        error = MemoryShortError(
            "To record {0:,} tokens {1} needs about {2:,.2f} GB, and {3:,.2f} GB are free or allowed. {4}",
            tokens,
            name,
            needed / 1e9,
            budget / 1e9,
            self._remedy(tokens, budget, options),
        )
        error.fitting = self._fitting(tokens, budget, options)
        raise error

    def _fitting(self, tokens: int, budget: int, options: RecordOptions) -> int:
        return budget * tokens // max(1, self.bytes(tokens, options))

    def _remedy(self, tokens: int, budget: int, options: RecordOptions) -> Message:
        """What would fit."""
        fitting = self._fitting(tokens, budget, options)
        on_page = Message("{0:,} tokens would fit. Shorten the text, or choose a smaller model.", fitting)
        layers: Collection[int] = sorted({layer for layer, _, _ in self.calls if options.includes(layer)})
        for count in range(len(layers) - 1, 0, -1):
            fewer = replace(options, layers=frozenset(list(layers)[:count]))
            if self.bytes(tokens, fewer) <= budget:
                return Message(
                    "{0:,} tokens would fit, or {1} of the {2} layers (`layers`).",
                    fitting,
                    count,
                    len(layers),
                    on_page=on_page,
                )
        if options.logits and self.bytes(tokens, replace(options, logits=False)) <= budget:
            return Message(
                "{0:,} tokens would fit, or all of them without the output (`logits=False`).", fitting, on_page=on_page
            )
        return Message("{0:,} tokens would fit.", fitting, on_page=on_page)


def free_bytes(device: torch.device) -> int | None:
    """How much memory a device has left; None where it is not known."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    facts = Path("/proc/meminfo")
    if device.type != "cpu" or not facts.exists():
        return None
    for line in facts.read_text(encoding="ascii").splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return None
