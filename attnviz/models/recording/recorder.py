"""From what a network reads to a `Recording`: one pass, with its attention captured.

Networks are shared by all sessions of an app, so one pass at a time has a network to itself.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from attnviz.errors import InputError, MemoryShortError, Message, out_of_memory
from attnviz.models.capture import capture, proof
from attnviz.models.network.exclusive_use import exclusive_use
from attnviz.models.network.generation_settings import exchange_generation_config
from attnviz.models.network.inputs import Inputs
from attnviz.models.network.network import (
    accepts,
    attention_mask,
    eager_attention,
    forward,
    is_encoder_decoder,
    max_positions,
    run_decoder,
    run_encoder,
)
from attnviz.models.network.wrappers import input_device
from attnviz.models.recording import capture_plan
from attnviz.models.recording.changes import Changes, Intervention, check_interventions
from attnviz.models.recording.record_options import RecordOptions
from attnviz.models.recording.recorded_stack import RecordedStack, Stored
from attnviz.models.recording.recording import Recording
from attnviz.tokenization.token import Encoding, Token, append_generated
from attnviz.tokenization.tokenizer import from_ids

MAX_NEW_TOKENS = 128
"""A generation that finds no end is stopped after so many tokens."""

class Recorder:
    """Runs one network and keeps what its attention needs to be shown.

    Attributes:
        inputs: the network, with what it can read.
        budget: the most bytes that a recording may need where nobody says another number; None for what is free.
    """

    def __init__(self, inputs: Inputs) -> None:
        self.inputs = inputs
        self.budget: int | None = None
        self._plan: capture_plan.Plan | None = None

    @property
    def plan(self) -> capture_plan.Plan:
        """How the network is recorded; tried out when it is first asked for.

        Raises:
            NoAttentionError: it has no attention that could be shown.
        """
        if self._plan is None:
            with self.exclusive():
                self._plan = capture_plan.make_plan(self.inputs.network)
        return self._plan

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """One user of the network at a time, in evaluation mode and not compiled; running out of memory becomes an
        error that says what to do."""
        network = self.inputs.network
        with exclusive_use(network):
            try:
                yield
            except Exception as error:
                if out_of_memory(error):
                    raise self._memory_short() from error
                raise

    @property
    def can_write(self) -> bool:
        """Whether the network has a language head to write with."""
        return (
            hasattr(self.inputs.network, "generate") and getattr(self.inputs.network, "can_generate", lambda: False)()
        )

    def record(
        self,
        source: tuple[Token, ...],
        ids: list[int],
        beside: Mapping[str, Sequence[int] | None],
        target: Encoding | tuple[Token, ...] | list[int] | None,
        generate: int | None,
        interventions: Sequence[Intervention] = (),
        write_anew: bool = False,
        options: RecordOptions | None = None,
    ) -> Recording:
        """Runs the network on tokens and keeps what its attention needs.

        Args:
            source: the tokens that are shown, one for each id.
            ids: what the network reads.
            beside: what the network reads beside its ids, by its name there: `token_type_ids` of the segments, for
                models that take two sentences; `position_ids`.
            target: for an encoder–decoder the encoded target, or the decoder's input as ids or as the tokens that are
                shown; None for its own output.
            generate: for a decoder, so many tokens are generated first; for an encoder–decoder the most of its output.
            interventions: what is changed in the attention, in this order.
            write_anew: whether the network writes its own output, or what is generated, with these changes; else it
                reads what it wrote without them.
            options: what is kept of it and where; None for all.
        """
        planned, options = self.plan, options or RecordOptions()
        if self.budget is not None and (options.budget is None or options.budget > self.budget):
            options = replace(options, budget=self.budget)
        options.check_layers({kind: len(counts) for kind, counts in planned.heads.items()})
        changed = self.check(interventions)
        writing = changed if write_anew else ()
        if generate is not None and (not isinstance(generate, int) or generate < 0):
            raise InputError("`generate` is a number of tokens, 0 or more, not {0!r}.", generate)
        if generate and not is_encoder_decoder(self.inputs.network):
            source, ids = self._continue(source, ids, generate, writing)
            beside = {}
        self.inputs.check_length(len(ids), Message("The text"))
        if target is not None:
            self.inputs.check_length(
                len(target.ids if isinstance(target, Encoding) else target), Message("The target"), of_decoder=True
            )
        planned.needs.check(len(ids), options, input_device(self.inputs.network), self.inputs.name)
        tensor = self.inputs.tensor(ids)
        about: dict[str, Any] = {"model": self.inputs.name, "numbers": planned.numbers, "interventions": changed}
        about["kept"] = options.layers
        if not is_encoder_decoder(self.inputs.network):
            given = {name: tuple(row) for name, row in beside.items() if row is not None}
            first = self._single(planned, tensor, source, self.inputs.tensors(given), changed, options)
            return Recording(planned.kinds, first, beside=given, **about)
        if not planned.captures:
            first, eager = self._eager_pair(planned, tensor, source, target, generate, options)
            return Recording(planned.kinds, first, lambda: eager, **about)
        part = slice(0, planned.encoder_calls)
        with (
            self.inputs.explain_length(len(ids)),
            self.exclusive(),
            capture.capture_attention(
                self.inputs.network, self.changes(changed, part), options.watch(planned.calls[part])
            ) as captured,
        ):
            states = run_encoder(self.inputs.network, tensor)
        name, read = self.inputs.name, len(ids)
        later_options = replace(options, progress=None)  # who was told how far it is need not stay in memory
        first = RecordedStack(planned.sort(captured, part, name, {"encoder": (read, read)}), source)

        def second() -> RecordedStack:
            rest = slice(planned.encoder_calls, None)
            with self.exclusive():
                # The decoder reads what the unchanged network writes of the source, unless it is to write anew or
                # has its input already.
                has_input = isinstance(target, list | tuple)
                is_same = not changed or write_anew or has_input
                own_states = states if is_same else run_encoder(self.inputs.network, tensor)
                with capture.change_attention(self.inputs.network, self.changes(writing, rest, writing=True)):
                    chosen, shown = self._choose_target(tensor, own_states, target, generate)
                with (
                    self.inputs.explain_length(len(chosen), of_decoder=True),
                    capture.capture_attention(
                        self.inputs.network, self.changes(changed, rest), later_options.watch(planned.calls[rest])
                    ) as later,
                ):
                    output = run_decoder(self.inputs.network, tensor, self.inputs.tensor(chosen), states)
            written = len(chosen)
            sizes = {"decoder": (written, written), "cross": (written, read)}
            layers = planned.sort(later, rest, name, sizes)
            return RecordedStack(layers, shown, _logits(output) if later_options.logits else None)

        return Recording(planned.kinds, first, second, **about)

    def check(self, interventions: Sequence[Intervention]) -> tuple[Intervention, ...]:
        """The interventions, if the network can have them; raises as `check_interventions`."""
        if not interventions:
            return ()
        planned = self.plan
        heads = planned.heads if planned.captures else {}
        return check_interventions(interventions, planned.kinds, heads, self.inputs.name)

    def changes(
        self, interventions: tuple[Intervention, ...], part: slice = slice(None), *, writing: bool = False
    ) -> Changes | None:
        """The interventions of passes that make a part of the planned calls; None where there are none."""
        if not interventions:
            return None
        return Changes(interventions, self.plan.calls[part], self.plan.modules[part], writing=writing)

    def _single(
        self,
        planned: capture_plan.Plan,
        ids: Tensor,
        source: tuple[Token, ...],
        types: dict[str, Tensor],
        changed: tuple[Intervention, ...],
        options: RecordOptions,
    ) -> RecordedStack:
        network = self.inputs.network
        with self.inputs.explain_length(ids.shape[1]), self.exclusive():
            if planned.captures:
                last_only = {} if options.logits or not accepts(network, "logits_to_keep") else {"logits_to_keep": 1}
                with capture.capture_attention(
                    network, self.changes(changed), options.watch(planned.calls)
                ) as captured:
                    output = forward(network, ids, **attention_mask(ids, types), **types, **last_only)
                sizes = dict.fromkeys(planned.kinds, (ids.shape[1], ids.shape[1]))
                layers: Mapping[str, Sequence[Stored]] = planned.sort(captured, slice(None), self.inputs.name, sizes)
            else:
                output, maps = self._eager(planned, ids, None, **types)
                layers = {kind: options.without(items) for kind, items in maps.items()}
                if options.progress is not None:
                    options.progress(1.0)
            return RecordedStack(layers, source, _logits(output) if options.logits else None)

    def _eager(
        self, planned: capture_plan.Plan, ids: Tensor, target_ids: Tensor | None, **types: Tensor
    ) -> tuple[Any, dict[str, tuple[Tensor, ...]]]:
        """The output and the weights of eager attention by kind, compared with what the layers put out."""
        watched = proof.watched_columns(planned.sources)
        output, maps, passing = eager_attention(self.inputs.network, ids, target_ids, watched=watched, **types)
        if target_ids is None:
            maps = {planned.kinds[0]: maps[""]}
        proof.check(planned.sources, passing, maps, self.inputs.name, ids.shape[1])
        return output, maps

    def _eager_pair(
        self,
        planned: capture_plan.Plan,
        ids: Tensor,
        source: tuple[Token, ...],
        target: Encoding | tuple[Token, ...] | list[int] | None,
        generate: int | None,
        options: RecordOptions,
    ) -> tuple[RecordedStack, RecordedStack]:
        with self.inputs.explain_length(ids.shape[1]), self.exclusive():
            chosen, shown = self._choose_target(ids, None, target, generate)
            output, maps = self._eager(planned, ids, self.inputs.tensor(chosen))
        later: dict[str, Sequence[Stored]] = {
            kind: options.without(maps[kind]) for kind in ("decoder", "cross") if kind in planned.kinds
        }
        first = RecordedStack({"encoder": options.without(maps["encoder"])}, source)
        if options.progress is not None:
            options.progress(1.0)
        return first, RecordedStack(later, shown, _logits(output) if options.logits else None)

    def _choose_target(
        self, ids: Tensor, states: Any, target: Encoding | tuple[Token, ...] | list[int] | None, limit: int | None
    ) -> tuple[list[int], tuple[Token, ...]]:
        """The decoder's input and its tokens: what was given, or the model's own greedy output but for its last token,
        which is only predicted and never read."""
        if isinstance(target, Encoding):
            before = self._before_target(ids, states, target)
            chosen = [*before, *target.ids]
            shown = (*from_ids(self.inputs.tokenizer, before), *target.tokens)
        elif isinstance(target, tuple):
            chosen, shown = [token.id for token in target], target
        else:
            chosen = self.greedy(ids, states, limit or MAX_NEW_TOKENS)[:-1] if target is None else target
            shown = from_ids(self.inputs.tokenizer, chosen)
            if target is None:
                shown = (*shown[:1], *(replace(token, generated=True) for token in shown[1:]))
        self.inputs.check_length(len(chosen), Message("The target"), of_decoder=True)
        return chosen, shown

    def _before_target(self, ids: Tensor, states: Any, target: Encoding) -> list[int]:
        """The decoder's input before a target sentence: its start token, and the language token that the model itself
        puts first, where it has such tokens and the sentence names none."""
        start, languages = self.inputs.start_token(), self.inputs.language_tokens()
        if not languages or target.ids[0] in languages or not self.can_write:
            return [start]
        # Two tokens, because many models are made to end at the last that they may write.
        first = self.greedy(ids, states, 2)[1]
        return [start, first] if first in languages else [start]

    def greedy(self, ids: Tensor, states: Any, limit: int) -> list[int]:
        """What the model itself writes, its start token included.

        Args:
            ids: (1, sequence), what it reads.
            states: the encoder's output, where it has been computed already.
            limit: the most tokens that are written.
        """
        if not self.can_write:
            raise InputError(
                "{0} has no language head, so it has no output of its own. Pass a target.",
                self.inputs.name,
            )
        room = max_positions(self.inputs.stack(of_decoder=True))
        options = {"tokenizer": self.inputs.tokenizer, "start": self.inputs.start_token()}
        encoded: dict[str, Any] = {} if states is None else {"encoder_outputs": states}
        with (
            torch.no_grad(),
            exchange_generation_config(self.inputs.network, self.inputs.name, ids[0].tolist(), 1, **options),
        ):
            output = self.inputs.network.generate(
                ids,  # beside the encoder's output too, because some settings compare what is written with the source
                attention_mask=torch.ones_like(ids),
                max_new_tokens=limit if room is None else max(1, min(limit, room)),
                tokenizer=self.inputs.tokenizer,
                **encoded,
                **_cache_options(),
            )
        return output[0].tolist()

    def write(self, ids: list[int], limit: int, interventions: Sequence[Intervention] = ()) -> list[int]:
        """What the network writes with its attention changed, greedily: the decoder's output with its start token, or a
        text and what comes after it.

        Args:
            ids: what it reads.
            limit: the most tokens that are written.
            interventions: what is changed, in this order.
        """
        changed = self.check(interventions)
        if not is_encoder_decoder(self.inputs.network):
            return self._continue((), ids, limit, changed)[1]
        network, encoder = self.inputs.network, self.plan.encoder_calls
        with self.exclusive():
            with capture.change_attention(network, self.changes(changed, slice(encoder))):
                states = run_encoder(network, self.inputs.tensor(ids))
            with capture.change_attention(network, self.changes(changed, slice(encoder, None), writing=True)):
                return self.greedy(self.inputs.tensor(ids), states, limit)

    def _continue(
        self, source: tuple[Token, ...], ids: list[int], generate: int, changed: tuple[Intervention, ...] = ()
    ) -> tuple[tuple[Token, ...], list[int]]:
        """The tokens and ids of a text with what the model, changed or not, writes after it."""
        if not self.can_write or self.plan.kinds != ("decoder",):
            raise InputError(
                "{0} does not generate text. Leave out `generate`, or choose a decoder such as GPT-2.",
                self.inputs.name,
            )
        self.inputs.check_length(len(ids) + generate, Message("The text with what is generated"))
        tensor, options = self.inputs.tensor(ids), {"tokenizer": self.inputs.tokenizer}
        with (
            self.exclusive(),
            torch.no_grad(),
            exchange_generation_config(self.inputs.network, self.inputs.name, ids, len(ids), **options),
            capture.change_attention(self.inputs.network, self.changes(changed, writing=True)),
        ):
            output = self.inputs.network.generate(
                tensor,
                attention_mask=torch.ones_like(tensor),
                max_new_tokens=generate,
                tokenizer=self.inputs.tokenizer,
                **_cache_options(),
            )
        longer = output[0].tolist()
        return append_generated(source, from_ids(self.inputs.tokenizer, longer)), longer

    def _memory_short(self) -> MemoryShortError:
        facts = (self.inputs.name, input_device(self.inputs.network))
        return MemoryShortError(
            "{0} does not fit into the memory of {1} with this input. Shorten the text, choose a smaller model, or "
            'load it with dtype="float16" or device="cpu".',
            *facts,
            on_page=Message(
                "{0} does not fit into the memory of {1} with this input. Shorten the text, or choose a smaller model.",
                *facts,
            ),
        )


def _cache_options() -> dict[str, bool]:
    """What `generate` is told of its cache: with some changes of attention it reads the whole text for each token."""
    return {"use_cache": False} if capture.needs_whole_maps() else {}


def _logits(output: Any) -> Tensor | None:
    logits = getattr(output, "logits", None)
    if not isinstance(logits, Tensor) or logits.ndim != 3:
        return None
    return logits[0].float().cpu()
