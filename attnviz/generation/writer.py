"""What a model writes next, how a method chooses from it, and where a choice leads.

    source ─ Writer ─ Distribution ─ shape ─ Shaped ─ chosen token ─┐
               └──────────────── one token longer ──────────────────┘

A `Writer` continues one text, an encoder–decoder's translation or a decoder's own words. Beam search is in
`beam_search.py`; the gaps of a masked model's text are filled in `fill_mask.py`. Written tokens are counted without the
source and without the decoder's start token, so that a prefix means the same for every model.

What this module does not do: it records no attention while it writes. `Writer.record` records what was written, in one
pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor

from attnviz.errors import EmptyError, InputError, Message, TooLongError
from attnviz.generation.result import EndReason
from attnviz.generation.sampling import Distribution
from attnviz.models.model import Model
from attnviz.models.network import network
from attnviz.models.network.generation_settings import Ending, generation_settings, logits_processors
from attnviz.models.recording.recorder import MAX_NEW_TOKENS
from attnviz.models.recording.recording import Recording
from attnviz.tokenization import tokenizer

Task = Literal["translate", "continue", "fill"]


def task(model: Model) -> Task:
    """What a model predicts: a translation, the next token, or the word in a gap.

    Raises:
        InputError: it has no language head, or nothing to mark a gap with; and what to choose instead.
    """
    if network.is_encoder_decoder(model.network):
        if not model.recorder.can_write:
            raise InputError(
                "{0} has an encoder and a decoder but no language head, so it predicts no words. Choose a checkpoint "
                "for translation or summaries, such as the bundled model.",
                model.name,
            )
        return "translate"
    if not _has_head(model):
        raise InputError(
            "{0} has no language head: it turns text into vectors and predicts no words. Choose a model that was "
            "saved with one: for translation, as a GPT, or as a BERT for masked words.",
            model.name,
        )
    if model.kinds == ("decoder",):
        return "continue"
    if getattr(model.tokenizer, "mask_token_id", None) is None:
        raise InputError(
            "{0} reads in both directions, and its tokenizer has no mask token to mark a gap with. Choose a model "
            "with one, such as a BERT, or one that writes.",
            model.name,
        )
    return "fill"


def _has_head(model: Model) -> bool:
    with model.recorder.exclusive():
        ids = model.inputs.tensor([0, 1])
        logits = getattr(network.forward(model.network, ids, attention_mask=torch.ones_like(ids)), "logits", None)
    # A head for classes or labels gives logits too, but not one for each entry of the vocabulary.
    return (
        isinstance(logits, Tensor) and logits.ndim == 3 and logits.shape[-1] >= network.vocabulary_size(model.network)
    )


class Writer:
    """Continues one text, token by token.

    An encoder–decoder's source is encoded once, so that each further token costs one pass through the decoder.

    Attributes:
        model: what writes.
        source: the ids of the text, with special tokens.
        start: what the decoder of an encoder–decoder reads first; nothing for a decoder, which reads the source.
        ends: the ids of the tokens that end a text.
        most: how many tokens can be written: 128, or fewer where the model has not so many positions left.
    """

    def __init__(self, model: Model, source_ids: Sequence[int]) -> None:
        """Raises InputError where the model does not write or its generation settings cannot be followed, TooLongError
        where no position is left."""
        self.model = model
        self.source = tuple(int(index) for index in source_ids)
        self.pair = task(model) == "translate"
        if task(model) == "fill":
            raise InputError(
                "{0} writes nothing after a text: it fills gaps in it. Use `attnviz.generation.fill_mask.fill`.",
                model.name,
            )
        if not self.source:
            raise EmptyError("There is no token to begin from. Pass at least one vocabulary id.")
        model.inputs.check_length(len(self.source), Message("The text"))
        self.start = (model.inputs.start_token(),) if self.pair else ()
        config = generation_settings(model.network, model.name, model.tokenizer, next(iter(self.start), None))
        self._ending = Ending(model.network, config, model.tokenizer)
        self.ends = self._ending.tokens
        room = network.max_positions(model.inputs.stack(of_decoder=True))
        # The last token written is read by nobody, so it needs no position.
        positions_left = math.inf if room is None else room + 1 - len(self.start if self.pair else self.source)
        self.most = int(min(MAX_NEW_TOKENS, positions_left))
        self._processors = logits_processors(model.network, model.name, config, self.source, len(self._read(())))
        self._states: Any = None
        if self.pair:
            with model.recorder.exclusive():
                self._states = network.run_encoder(model.network, model.inputs.tensor(list(self.source)))

    def _read(self, prefix: Sequence[int]) -> list[int]:
        """What the decoder reads to write what comes after a prefix."""
        return [*(self.start if self.pair else self.source), *prefix]

    def logits(self, prefixes: Sequence[Sequence[int]]) -> Tensor:
        """What comes after each of some prefixes of one length: float32 (prefixes, vocabulary), on the CPU."""
        model, count = self.model, len(prefixes)
        read = torch.tensor([self._read(prefix) for prefix in prefixes], device=model.device)
        with model.recorder.exclusive():
            if not self.pair:
                output = network.forward(model.network, read, attention_mask=torch.ones_like(read))
            else:
                states = type(self._states)(
                    last_hidden_state=self._states.last_hidden_state.expand(count, -1, -1)  # (prefixes, source, width)
                )
                ids = model.inputs.tensor(list(self.source)).expand(count, -1)
                output = network.run_decoder(model.network, ids, read, states)
        return output.logits[:, -1].float().cpu()

    def next(self, prefix: Sequence[int]) -> Distribution:
        """What the model says comes after a prefix."""
        return Distribution(self.logits([prefix])[0])

    def apply_processors(self, prefixes: Sequence[Sequence[int]], scores: Tensor) -> Tensor:
        """Logits or log-probabilities (prefixes, vocabulary) with the checkpoint's own rules: tokens that must not
        come, such as padding, or that have to, such as the target language's."""
        return self._processors(torch.tensor([self._read(prefix) for prefix in prefixes]), scores.clone())

    def constrain(self, prefix: Sequence[int], distribution: Distribution) -> Distribution:
        """A distribution after the checkpoint's rules."""
        return Distribution(self.apply_processors([prefix], distribution.logits[None])[0])

    def check_prefix(self, prefix: Sequence[int]) -> tuple[int, ...]:
        """The prefix, if it can be one.

        Raises:
            InputError: an id is not in the vocabulary, or something follows an end token.
            TooLongError: the model has not so many positions.
        """
        ids = tuple(int(index) for index in prefix)
        if ids:
            self.model.inputs.check_ids(list(ids), "prefix", of_decoder=self.pair)
        if any(self.is_finished(ids[:count]) for count in range(1, len(ids))):
            raise InputError("The prefix goes on after its end token. Leave out what follows it.")
        if len(ids) > self.most:
            raise TooLongError(
                "The prefix has {0:,} tokens; {1} can write {2:,} here.",
                len(ids),
                self.model.name,
                self.most,
            )
        return ids

    def end_reason(self, ids: Sequence[int]) -> EndReason:
        """Whether a text has reached its end."""
        return "end" if self.is_finished(ids) else "limit"

    def is_finished(self, ids: Sequence[int]) -> bool:
        """Whether the last token of a text ends it: an end token, or one that completes a stop string."""
        return bool(ids) and self._ending.is_reached(self._read(ids))

    def record(self, ids: Sequence[int]) -> Recording:
        """The recording of a written text: its last token is only predicted, and not read.

        Row `place - 1 + first_row` of "decoder" and "cross" reads what stands before a place and predicts what stands
        there; row `place` of `logits`, counted likewise, is what the model said about it.
        """
        read = self._read(ids[:-1])
        model = self.model
        source = self.source if self.pair else tuple(read)
        typed = len(self.source)
        shown = tuple(
            replace(token, generated=index >= typed)
            for index, token in enumerate(tokenizer.from_ids(model.tokenizer, source))
        )
        return model.recorder.record(shown, list(source), {}, read if self.pair else None, None)

    @property
    def first_row(self) -> int:
        """The row of a recording that predicts the first written token."""
        return 0 if self.pair else len(self.source) - 1
