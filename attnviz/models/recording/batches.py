"""Many texts in one forward pass, layer by layer: queries and keys of a batch, seen while it runs and then dropped.

A recording keeps the layers of one text, to be looked at as often as one likes. Measuring heads over a corpus looks at
each layer once; here a pass hands over each layer as it is computed, and nothing of it stays. Whether a network can be
captured at all is known from the trial of its plan (`capture_plan.py`), and each pass is held to the calls of that.

Texts of a batch are padded at their ends. What a network with padding reads of each text is what it reads of it alone.
Where the attention cannot be captured, a batch is of one text, and the weights are those of its recording.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, StoppingCriteriaList
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import AttentionMaskInterface, sdpa_mask
from transformers.modeling_outputs import BaseModelOutput

from attnviz.attention import dot_product
from attnviz.attention.blockwise import Rule, Spans
from attnviz.errors import InputError, NoAttentionError
from attnviz.models.capture.capture import Capture, implementation, layer_rule, output_by_rule
from attnviz.models.network.generation_settings import exchange_generation_config
from attnviz.models.network.network import accepts, forward, is_encoder_decoder, max_positions
from attnviz.models.recording.record_options import RecordOptions
from attnviz.models.recording.text_layer import TextLayer
from attnviz.tokenization.tokenizer import from_ids

if TYPE_CHECKING:
    from attnviz.models.model import Model

NAME = "attnviz_batch"


@dataclass(frozen=True, slots=True)
class BatchLayer:
    """One layer's queries and keys of every text of a batch.

    Attributes:
        kind, layer: which.
        query: (texts, heads, queries, head_dim), position encoding applied.
        key: (texts, key_heads, keys, head_dim).
        rule: what else decides the weights, of a text without padding.
        key_lengths: (texts,) how many keys of each text are no padding.
    """

    kind: str
    layer: int
    query: Tensor
    key: Tensor
    rule: Rule
    key_lengths: Tensor

    @property
    def size(self) -> tuple[int, int, int, int]:
        """(texts, heads, queries, keys)."""
        return (*self.query.shape[:3], self.key.shape[2])

    @property
    def device(self) -> torch.device:
        """Where it is."""
        return self.query.device

    def of_text(self, index: int) -> BatchLayer:
        """The same of one text alone."""
        one = slice(index, index + 1)
        return replace(self, query=self.query[one], key=self.key[one], key_lengths=self.key_lengths[one])

    @property
    def padded(self) -> bool:
        """Whether a text of the batch is shorter than its longest."""
        return int(self.key_lengths.min()) < self.key.shape[2]

    def allowed(self, rows: slice) -> Tensor:
        """Which keys some queries may see: (texts, rows, keys) boolean; padding may be seen by none.

        Where heads differ in that, as in no common model, it is what the first head may see.
        """
        texts, keys = self.key.shape[0], self.key.shape[2]
        count = len(range(*rows.indices(self.query.shape[2])))
        visible = self.rule.visible
        if isinstance(visible, Spans):
            allowed = visible.allowed(rows, keys)
        elif visible is None:
            allowed = torch.ones(count, keys, dtype=torch.bool, device=self.key.device)
        else:
            allowed = visible[0] if visible.shape[1] == 1 else visible[0, rows]
        real = torch.arange(keys, device=self.key.device) < self.key_lengths[:, None]
        return allowed.expand(texts, count, keys) & real[:, None]

    def weights(self, rows: slice) -> Tensor:
        """The attention of some queries of every text: float32 (texts, heads, rows, keys); rows sum to 1."""
        groups = self.query.shape[1] // self.key.shape[1]
        key = self.key.repeat_interleave(groups, dim=1) if groups > 1 else self.key
        scores = self.rule.scores(self.query[:, :, rows], key, rows)
        if self.padded:
            real = torch.arange(key.shape[2], device=key.device) < self.key_lengths[:, None]
            scores = scores.masked_fill(~real[:, None, None], -torch.inf)
        if self.rule.sink is None:
            return torch.nan_to_num(scores.softmax(dim=-1)) if self.padded else scores.softmax(dim=-1)
        return dot_product.weights(scores, sink=self.rule.sink.float().expand(scores.shape[:2]))


Watch = Callable[[BatchLayer | TextLayer], None]
"""Is given each layer of a pass as it is computed."""


@dataclass(slots=True)
class _Pass:
    """One pass of a batch through a network or a part of it."""

    calls: Sequence[tuple[str, int] | None]
    modules: Sequence[int]
    lengths: dict[str, Tensor]
    watch: Watch
    made: int = 0
    shared: Capture = field(default_factory=Capture)

    def add(self, module: nn.Module, query: Tensor, key: Tensor, rule: Rule) -> None:
        """Hands one call on, if it is the next of the plan and that of a layer."""
        if self.made >= len(self.calls) or self.modules[self.made] != id(module):
            raise _another_way()
        kind_and_layer = self.calls[self.made]
        self.made += 1
        if kind_and_layer is not None:
            kind, layer = kind_and_layer
            keys = self.lengths["encoder" if kind == "cross" else kind]
            self.watch(BatchLayer(kind, layer, query.detach(), key.detach(), rule, keys))


_pass: ContextVar[_Pass | None] = ContextVar("attnviz_batch", default=None)


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
    """One attention layer of a batch, called by transformers; arguments as for `capture.attend`, of several texts."""
    current = _pass.get()
    softcap, sink = others.get("softcap"), others.get("s_aux")
    scale = query.shape[-1] ** -0.5 if scaling is None else float(scaling)
    causal = getattr(module, "is_causal", True) if is_causal is None else is_causal
    shared = current.shared if current is not None else None
    rule = layer_rule(shared, query, key, attention_mask, scale, bool(causal), position_bias, softcap, sink)
    if current is not None:
        current.add(module, query, key, rule)
    if softcap is None and sink is None:
        return sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            dropout=0.0,
            scaling=scaling,
            is_causal=is_causal,
            position_bias=position_bias,
        )
    return output_by_rule(query, key, value, rule), None


def most_tokens(model: Model, tokens: int) -> int:
    """The most tokens of a batch, padding included: `tokens`, or one text at a time where no more can be captured."""
    return tokens if model.recorder.plan.captures else 1


class Batch:
    """Several texts that a model reads at once.

    Example:
        >>> sizes = []
        >>> batch = Batch(model, [[5, 6, 7], [5, 6]])
        >>> batch.read(lambda layer: sizes.append(tuple(layer.query.shape[:3])))
    """

    def __init__(self, model: Model, ids: Sequence[Sequence[int]]) -> None:
        """Takes the texts, and runs nothing yet.

        Args:
            model: whose attention; of one that cannot be captured (`model.recorder.plan.captures`) a single text.
            ids: of each text its vocabulary ids, special tokens included, without padding; the longest first.

        Raises:
            NoAttentionError: there are several texts, and the model's attention cannot be captured.
            InputError: there is no text, or the first is not the longest.
        """
        self.model, self.plan = model, model.recorder.plan
        if not self.plan.captures and len(ids) > 1:
            raise NoAttentionError(
                "The attention of {0} cannot be captured in batches: its architecture computes it in code of its own. "
                "Read one text at a time.",
                model.name,
            )
        if not ids or len(ids[0]) < max(map(len, ids)) or not min(map(len, ids)):
            raise InputError("A batch is of one text at least, each of one token at least, with the longest first.")
        self._ids, self._lengths = _padded(model, ids)
        self._mask = _mask(self._ids, self._lengths)
        self._states: Any = None
        self._types = {} if is_encoder_decoder(model.network) else model.inputs.token_types(self._ids)

    def read(self, watch: Watch) -> None:
        """Runs the network, or of an encoder–decoder the encoder, and hands over each layer as it is computed.

        Args:
            watch: is given each layer, and has to keep of it only what is small.

        Raises:
            NoAttentionError: the network took another way through its layers than in the trial.
        """
        network = self.model.network
        if not self.plan.captures:
            start = [self.model.inputs.start_token()] if is_encoder_decoder(network) else None
            self._record(start, self.plan.kinds if start is None else ("encoder",), watch)
            return
        with self.model.recorder.exclusive():
            if is_encoder_decoder(network):
                with self._watched(slice(0, self.plan.encoder_calls), watch, {"encoder": self._lengths}):
                    self._encode()
            else:
                with self._watched(slice(None), watch, dict.fromkeys(self.plan.kinds, self._lengths)):
                    forward(
                        _without_head(network, self.plan.modules), self._ids, attention_mask=self._mask, **self._types
                    )

    def read_targets(self, target_ids: Sequence[Sequence[int]], watch: Watch) -> None:
        """Runs the decoder of an encoder–decoder and hands over its layers.

        Args:
            target_ids: the decoder's input for each text, with its start token; of any lengths.
            watch: as for `read`.

        Raises:
            NoAttentionError: as for `read`.
        """
        if not self.plan.captures:
            self._record(list(target_ids[0]), ("decoder", "cross"), watch)
            return
        targets, lengths = _padded(self.model, target_ids)
        part = slice(self.plan.encoder_calls, None)
        with self.model.recorder.exclusive():
            states = self._encode() if self._states is None else self._states
            with self._watched(part, watch, {"encoder": self._lengths, "decoder": lengths}):
                # Padding stands at the end of a target, where no token before it sees it: it needs no mask.
                forward(
                    _without_head(self.model.network, self.plan.modules[part]),
                    None,
                    encoder_outputs=states,
                    attention_mask=self._mask,
                    decoder_input_ids=targets,
                )

    def _record(self, target: list[int] | None, kinds: Sequence[str], watch: Watch) -> None:
        """Hands over the layers of a recording of the one text."""
        ids = self._ids[0].tolist()
        options = RecordOptions(logits=False)
        beside = {name: tuple(rows[0].tolist()) for name, rows in self._types.items()}
        recording = self.model.recorder.record(from_ids(None, ids), ids, beside, target, None, options=options)
        for kind in kinds:
            for layer in range(recording.size(kind)[0]):
                watch(TextLayer(kind, layer, recording.weights(kind, layer=layer)))

    def target_beginnings(self) -> list[list[int]]:
        """What the decoder reads of each text before a given target: its start token, and the token that names a
        language, where the model writes one first."""
        start, languages = self.model.inputs.start_token(), self.model.inputs.language_tokens()
        if not languages or not self.model.recorder.can_write:
            return [[start] for _ in self._lengths]
        # Two may be written, because many models are made to end at the last; the first is all that is looked at.
        stop = StoppingCriteriaList([_after_one_token])
        return [row[:2] if row[1] in languages else [start] for row in self._generate(2, stopping_criteria=stop)]

    def write(self, limit: int) -> list[list[int]]:
        """What the model itself writes of each text, greedily: the decoder's input, from its start token to the last
        token that it reads; at most `limit` tokens behind the start."""
        end = self.model.network.generation_config.eos_token_id
        ends = set(end if isinstance(end, list) else [end])
        result = []
        for row in self._generate(limit):
            length = next((index for index, token in enumerate(row) if index and token in ends), len(row) - 1)
            result.append(row[: max(length, 1)])
        return result

    def _generate(self, limit: int, **others: Any) -> list[list[int]]:
        network, inputs = self.model.network, self.model.inputs
        options = {"tokenizer": inputs.tokenizer, "start": inputs.start_token()}
        room = max_positions(inputs.stack(of_decoder=True))
        with (
            self.model.recorder.exclusive(),
            torch.no_grad(),
            exchange_generation_config(network, inputs.name, self._ids[0].tolist(), 1, **options),
        ):
            states = self._encode() if self._states is None else self._states
            output = network.generate(
                self._ids,
                attention_mask=self._mask,
                encoder_outputs=BaseModelOutput(last_hidden_state=states[0]),
                max_new_tokens=limit if room is None else max(1, min(limit, room)),
                tokenizer=inputs.tokenizer,
                **others,
            )
        return output.tolist()

    def _encode(self) -> Any:
        with torch.no_grad():
            encoder = self.model.network.get_encoder()
            self._states = encoder(input_ids=self._ids, attention_mask=self._mask, return_dict=True)
        return self._states

    @contextmanager
    def _watched(self, part: slice, watch: Watch, lengths: dict[str, Tensor]) -> Iterator[None]:
        current = _Pass(self.plan.calls[part], self.plan.modules[part], lengths, watch)
        AttentionInterface.register(NAME, attend)
        # Without a mask function under the same name transformers drops the mask, and padding is silently ignored.
        AttentionMaskInterface.register(NAME, sdpa_mask)
        with implementation(self.model.network, NAME):
            token = _pass.set(current)
            try:
                yield
            finally:
                _pass.reset(token)
                current.shared.finish()
        if current.made != len(current.calls):
            raise _another_way()


def _after_one_token(ids: Tensor, scores: Tensor, **_others: Any) -> Tensor:
    """Ends every text of `generate` after the first token."""
    return torch.ones(len(ids), dtype=torch.bool, device=ids.device)


def _another_way() -> NoAttentionError:
    return NoAttentionError(
        "This model took another way through its layers than in the trial, so its layers cannot be told apart."
    )


def _mask(ids: Tensor, lengths: Tensor) -> Tensor:
    """(texts, longest): 1 where a token is no padding."""
    return (torch.arange(ids.shape[1], device=ids.device) < lengths[:, None]).long()


def _padded(model: Model, ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """(texts, longest) ids, padded with an id that no text shows, and the lengths (texts,)."""
    pad = getattr(model.network.config, "pad_token_id", None)
    pad = pad if isinstance(pad, int) and pad >= 0 else 0
    longest = max(map(len, ids))
    rows = [[*row, *[pad] * (longest - len(row))] for row in ids]
    tensor = torch.tensor(rows, dtype=torch.long, device=model.device)
    return tensor, torch.tensor([len(row) for row in ids], device=model.device)


def _without_head(network: Any, modules: Sequence[int]) -> Any:
    """The network without its language head, whose logits nobody looks at, where that makes every call of the plan."""
    base = getattr(network, "base_model", network)
    inside = {id(module) for module in base.modules()}
    return base if set(modules) <= inside and accepts(base, "input_ids") else network
