"""A recorded text, run again with something changed: other vectors for its tokens, other weights, hidden tokens.

    tokens ─ embedding table ─ vectors ─ layers ─ weights × values ─ … ─ logits of the explained row
                                └ `vectors`        └ `weights`, `hidden`         what is changed here

Several copies of the text are read at once, each with a change of its own. What is put in may carry gradients. Nothing
stays behind in the network: no hook, no gradient of a parameter, no mode.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from attnviz.attention import dot_product
from attnviz.attention.blockwise import Rule
from attnviz.errors import InputError, NoAttentionError
from attnviz.models.capture import capture
from attnviz.models.model import Model
from attnviz.models.network.network import (
    attention_mask,
    forward,
    run_decoder,
    run_encoder,
    text_config,
    vocabulary_size,
)
from attnviz.models.recording.changes import CallOrder
from attnviz.models.recording.recording import Recording
from attnviz.tokenization.token import Token

MOST_NUMBERS = 1 << 24
"""Weights and logits of the copies that are read at once: 64 MiB in float32, several times that with gradients."""
ROWS_AT_ONCE = 8192  # of the embedding table

# By embedding table: in which state its weights were, and the mean of what it gives.
_averages: weakref.WeakKeyDictionary[nn.Module, tuple[Any, Tensor]] = weakref.WeakKeyDictionary()

Side = Literal["source", "target"]
Call = tuple[str, int]
"""The kind of attention and the layer."""


@dataclass(frozen=True, slots=True)
class Change:
    """What is changed while the copies of a text are read; each tensor has the copies as its first axis.

    Attributes:
        vectors: by side, what the embedding table gives: (copies, tokens, width).
        weights: by kind and layer, in the place of the weights: (copies, heads, queries, keys).
        weights_in: by kind and layer, in which copies they are: boolean (copies,); the others compute their own. None:
            in all.
        hidden: by kind of attention, which keys nobody may look at: boolean (copies, keys).
        collect: the weights that were used are put in here, by kind and layer; gradients can be taken with respect to
            them.
    """

    vectors: Mapping[Side, Tensor] | None = None
    weights: Mapping[Call, Tensor] | None = None
    weights_in: Mapping[Call, Tensor] | None = None
    hidden: Mapping[str, Tensor] | None = None
    collect: dict[Call, Tensor] | None = None

    @property
    def of_attention(self) -> bool:
        """Whether attention itself is changed or collected."""
        return self.weights is not None or self.hidden is not None or self.collect is not None

    @property
    def of_encoder(self) -> bool:
        """Whether the encoder of an encoder–decoder computes something else than without the change, or is watched."""
        by_kind = {kind for kind, _layer in self.weights or ()} | set(self.hidden or ())
        return "source" in (self.vectors or ()) or "encoder" in by_kind or self.collect is not None


class Reading:
    """The tokens of a recording up to a row, and how to read them again.

    Attributes:
        model: which reads them.
        tokens: by side; a single stack has a source only. Where each token sees only those before it, the tokens behind
            `position` are left out.
        position: the row whose logits are explained.
        beside: what the network reads beside its ids, by its name there: each (1, tokens).
    """

    def __init__(self, model: Model, recording: Recording, position: int) -> None:
        self.model, self.position = model, position
        self.is_paired = "cross" in recording.kinds
        self.kinds = recording.kinds
        source = recording.key_tokens("cross") if self.is_paired else recording.query_tokens(recording.kinds[0])
        self.tokens: dict[Side, tuple[Token, ...]] = {"source": source}
        if self.is_paired:
            self.tokens["target"] = recording.query_tokens("cross")[: position + 1]
        elif recording.kinds == ("decoder",):
            self.tokens["source"] = source[: position + 1]
        read = len(self.tokens["source"])
        self.beside = model.inputs.tensors({name: row[:read] for name, row in recording.beside.items()})
        self._encoded: Any = None

    @property
    def every_token(self) -> tuple[Token, ...]:
        """The source, and behind it what was read of the target."""
        return tuple(token for side in self.tokens.values() for token in side)

    def ids(self, side: Side) -> Tensor:
        """int64 (1, tokens)."""
        return self.model.inputs.tensor([token.id for token in self.tokens[side]])

    def run(
        self,
        copies: int,
        change: Change = Change(),  # noqa: B008 (immutable)
        *,
        ids: Mapping[Side, Tensor] | None = None,
        beside: Mapping[str, Tensor] | None = None,
        position: int | None = None,
        gradients: bool = False,
    ) -> Tensor:
        """What the network says at the explained row, for each copy of the text.

        Args:
            copies: how many.
            change: what differs in them.
            ids, beside, position: in the place of this reading's own, as where tokens are deleted: (copies, tokens).
            gradients: whether gradients can be taken of the result.

        Returns:
            float32 (copies, vocabulary) or (copies, classes); of a network that finds answers (copies, 2 × tokens),
            first where one begins and then where it ends.

        Raises:
            NoAttentionError: attention is to be changed, and the network computes it in code of its own.
        """
        network, planned = self.model.network, self.model.recorder.plan
        if change.of_attention:
            check_captured(self.model)
        source = ids["source"] if ids else self.ids("source").expand(copies, -1)
        given = {name: row.expand(copies, -1) for name, row in (self.beside if beside is None else beside).items()}
        vectors = change.vectors or {}
        encoder = planned.encoder_calls
        row = self.position if position is None else position
        with self.model.recorder.exclusive(), torch.inference_mode(False):
            if not self.is_paired:
                with (
                    self._changed(slice(None), change),
                    self._replaced("source", vectors),
                    _one_row(network, row, source.shape[1]),
                ):
                    found = forward(network, source, gradients=gradients, **attention_mask(source, given), **given)
                start = getattr(found, "start_logits", None)
                output = found.logits if start is None else torch.cat([start, found.end_logits], dim=-1)
            else:
                target = ids["target"] if ids else self.ids("target").expand(copies, -1)
                if ids is None and not change.of_encoder:
                    states = self._unchanged_states(copies)
                else:
                    with self._changed(slice(encoder), change), self._replaced("source", vectors):
                        states = run_encoder(network, source, gradients=gradients)
                with (
                    self._changed(slice(encoder, None), change),
                    self._replaced("target", vectors),
                    _one_row(network, row, target.shape[1]),
                ):
                    output = run_decoder(network, source, target, states, gradients=gradients).logits
        if output.ndim == 3:
            output = output[:, 0 if output.shape[1] == 1 else row]
        return output.float()

    def _unchanged_states(self, copies: int) -> Any:
        """What the encoder gives for copies of the source, which it reads once for all passes that change the rest."""
        if self._encoded is None:
            self._encoded = run_encoder(self.model.network, self.ids("source"))
        states = type(self._encoded)()
        states["last_hidden_state"] = self._encoded.last_hidden_state.expand(copies, -1, -1)
        return states

    def copies_at_once(self, *, maps: bool) -> int:
        """How many copies of the text are read at once; with `maps` each keeps all its weights."""
        planned, network = self.model.recorder.plan, self.model.network
        if _needs_padding(network):
            return 1
        read, written = (len(self.tokens.get(side, ())) for side in ("source", "target"))
        sizes = {"encoder": read**2, "decoder": (written or read) ** 2, "cross": read * written}
        numbers = (written or read) * vocabulary_size(network, of_decoder=self.is_paired)
        if maps:
            numbers += sum(sum(heads) * sizes[kind] for kind, heads in planned.heads.items())
        return max(1, MOST_NUMBERS // max(1, numbers))

    def table(self, side: Side) -> nn.Module:
        """The embedding table of a side.

        Raises:
            NoAttentionError: the network has none that could be replaced.
        """
        network = self.model.network
        stack = network
        if self.is_paired:
            stack = network.get_encoder() if side == "source" else network.get_decoder()
        with contextlib.suppress(AttributeError, NotImplementedError):
            table = stack.get_input_embeddings()
            if isinstance(getattr(table, "weight", None), Tensor):
                return table
        raise NoAttentionError(
            "{0} has no embedding table whose vectors could be replaced. Choose a method that needs only its "
            'attention, such as "rollout".',
            self.model.name,
        )

    def vectors(self, side: Side) -> Tensor:
        """What the embedding table gives for the tokens: (1, tokens, width)."""
        with self.model.recorder.exclusive(), torch.no_grad():
            return self.table(side)(self.ids(side)).clone()

    def average_vector(self, side: Side) -> Tensor:
        """The mean of all vectors that the embedding table can give, (width,): a token that says nothing in particular.

        Unlike zeros it has a length, which networks divide by that normalise it at once (T5, Llama). Computed once for
        each table, and again when somebody has changed its weights in place.
        """
        table = self.table(side)
        weight: Any = table.weight
        state = (weight.data_ptr(), None if weight.is_inference() else weight._version, weight.device)
        known = _averages.get(table)
        if known is None or known[0] != state:
            known = _averages[table] = (state, self._average(table, int(weight.shape[0])))
        return known[1]

    def _average(self, table: nn.Module, rows: int) -> Tensor:
        total: Any = 0.0
        with self.model.recorder.exclusive(), torch.inference_mode(False), torch.no_grad():
            for start in range(0, rows, ROWS_AT_ONCE):
                indices = torch.arange(start, min(start + ROWS_AT_ONCE, rows), device=self.model.device)
                total = total + table(indices[None])[0].double().sum(dim=0)
        return (total / rows).float()

    @contextlib.contextmanager
    def _replaced(self, side: Side, vectors: Mapping[Side, Tensor]) -> Iterator[None]:
        """The embedding table gives other vectors while the context is open."""
        if side not in vectors:
            yield
            return
        handle = self.table(side).register_forward_hook(lambda _module, _args, _result: vectors[side])
        try:
            yield
        finally:
            handle.remove()

    @contextlib.contextmanager
    def _changed(self, part: slice, change: Change) -> Iterator[None]:
        if not change.of_attention:
            yield
            return
        planned = self.model.recorder.plan
        with capture.change_attention(self.model.network, _Layers(planned.calls[part], planned.modules[part], change)):
            yield


def check_captured(model: Model) -> None:
    """Raises NoAttentionError where the model computes its attention in code of its own."""
    if not model.recorder.plan.captures:
        raise NoAttentionError(
            "{0} computes its attention inside its own code: its weights can be read, but not changed, and no gradient "
            'reaches them. Choose "attention", "rollout" or "flow", or a model that uses transformers\' attention '
            "interface, such as BERT, GPT-2, Marian or T5.",
            model.name,
        )


def check_precision(model: Model) -> None:
    """Raises InputError where the model computes in half precision, in which small differences drown in rounding."""
    if torch.finfo(model.dtype).bits < 32:
        raise InputError(
            "{0} computes in {1}, whose rounding is as large as what is to be measured. Load it with "
            'dtype="float32", or choose "attention", "rollout", "flow" or "norms".',
            model.name,
            str(model.dtype).removeprefix("torch."),
        )


@contextlib.contextmanager
def _one_row(network: Any, row: int, length: int) -> Iterator[None]:
    """The network makes logits of one row only while the context is open, if it has a matrix of its own for them.

    The vocabulary's matrix is often as much work as all layers of the decoder together.
    """
    head = None
    with contextlib.suppress(AttributeError, NotImplementedError):
        head = network.get_output_embeddings()
    if not isinstance(head, nn.Module):
        yield
        return

    def keep_row(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        states = inputs[0] if inputs else None
        if not isinstance(states, Tensor) or states.ndim != 3 or states.shape[1] != length:
            return None
        return (states[:, row : row + 1], *inputs[1:])

    handle = head.register_forward_pre_hook(keep_row)
    try:
        yield
    finally:
        handle.remove()


def _needs_padding(network: Any) -> bool:
    """Whether the network reads several texts only with a padding token that it lacks, to find where each ends."""
    is_classifier = "ForSequenceClassification" in type(network).__name__
    return is_classifier and getattr(text_config(network), "pad_token_id", None) is None


class _Layers:
    """Hands each layer its change; see `capture.PassChanges`."""

    needs_whole_maps = True

    def __init__(self, calls: tuple[Call | None, ...], modules: tuple[int, ...], change: Change) -> None:
        self._order, self._change = CallOrder(calls, modules), change

    def next(self, module: nn.Module) -> _LayerChange | None:
        call = self._order.next(module)
        if call is None:
            return None
        change = self._change
        acts = change.hidden is not None or change.collect is not None or call in (change.weights or {})
        return _LayerChange(call, change) if acts else None


@dataclass(frozen=True, slots=True)
class _LayerChange:
    """Computes one layer's output from its weights, changed."""

    call: Call
    change: Change

    def apply(self, output: Tensor, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> tuple[Tensor, Rule]:
        groups = query.shape[1] // key.shape[1]
        key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
        given = (self.change.weights or {}).get(self.call)
        copies = (self.change.weights_in or {}).get(self.call)
        weights = self._weights(query, key, rule) if given is None or copies is not None else given
        if given is not None and copies is not None:
            weights = torch.where(copies[:, None, None, None], given, weights)
        if self.change.collect is not None:
            if not weights.requires_grad:
                weights = weights.detach().requires_grad_()
            self.change.collect[self.call] = weights
        result = dot_product.output(weights, value.float())  # (copies, heads, queries, value_dim)
        return result.transpose(1, 2).to(output.dtype), rule

    def _weights(self, query: Tensor, key: Tensor, rule: Rule) -> Tensor:
        """(copies, heads, queries, keys)."""
        scores = rule.scores(query, key, slice(0, query.shape[2]))
        if self.change.hidden is not None:
            scores = scores.masked_fill(self.change.hidden[self.call[0]][:, None, None], -torch.inf)
        return dot_product.weights(scores, sink=None if rule.sink is None else rule.sink.float())
