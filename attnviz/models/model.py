"""`Model`: a network and its tokenizer, from text to a `Recording`. Loading is in `loading.py`."""

from __future__ import annotations

import contextlib
import dataclasses
import reprlib
import threading
import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from attnviz.errors import (
    AttnvizError,
    EmptyError,
    InputError,
    MemoryShortError,
    NoTokenizerError,
    TooLongError,
    out_of_memory,
)
from attnviz.models import capture, capture_plan
from attnviz.models.generation_settings import followed_by_generate
from attnviz.models.network import (
    eager_attention,
    forward,
    is_encoder_decoder,
    max_positions,
    named_max_positions,
    run_decoder,
    run_encoder,
    vocabulary_size,
)
from attnviz.models.recording import Part, Recording, Stored
from attnviz.tokenization.token import Encoding, Token
from attnviz.tokenization.tokenizer import encode, from_ids

MAX_NEW_TOKENS = 128
"""A generation that finds no end is stopped after so many tokens."""

_ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")

# Networks are shared by all sessions of an app, and a capture changes a setting of theirs while it runs.
_locks: weakref.WeakKeyDictionary[nn.Module, threading.RLock] = weakref.WeakKeyDictionary()
_locks_guard = threading.Lock()


def _lock(network: nn.Module) -> threading.RLock:
    with _locks_guard:
        return _locks.setdefault(network, threading.RLock())


class Model:
    """A network and its tokenizer.

    Attributes:
        network: the transformers model, in evaluation mode.
        tokenizer: its tokenizer, or None.
        name: what it is called on the screen.
        revision: the commit of a Hub model, or None.
    """

    def __init__(
        self, network: Any, tokenizer: Any = None, *, name: str | None = None, revision: str | None = None
    ) -> None:
        """Takes a transformers model that is already in memory.

        Args:
            network: any text model of transformers; it is put into evaluation mode.
            tokenizer: its tokenizer; without one, `record_ids` still works.
            name: what it is called; the class of the network where it is None.
            revision: the commit that it was loaded from.
        """
        self.network = network.eval()
        self.tokenizer = tokenizer
        self.name = name or type(network).__name__
        self.revision = revision
        self._plan: capture_plan.Plan | None = None

    def __repr__(self) -> str:
        return f"Model({self.name!r}, {type(self.network).__name__}, device={str(self.device)!r})"

    @property
    def device(self) -> torch.device:
        """Where the network lies."""
        return next(self.network.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """In what precision it computes."""
        return next(self.network.parameters()).dtype

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of attention that a recording will have; raises NoAttentionError where there are none to show."""
        return self._planned().kinds

    @property
    def max_tokens(self) -> int | None:
        """How many tokens fit, where the model has a table of positions; None where its positions have no end.

        For an encoder–decoder, of the source; its decoder may have another table.
        """
        return max_positions(self._stack(of_decoder=False))

    def _stack(self, of_decoder: bool) -> Any:
        """The network, or of an encoder–decoder the part that reads the source or the target."""
        if not is_encoder_decoder(self.network):
            return self.network
        return self.network.get_decoder() if of_decoder else self.network.get_encoder()

    def _planned(self) -> capture_plan.Plan:
        if self._plan is None:
            with self._working():
                self._plan = capture_plan.make(self.network)
        return self._plan

    @contextlib.contextmanager
    def _working(self) -> Iterator[None]:
        """One user of the network at a time; running out of memory becomes an error that says what to do."""
        with _lock(self.network):
            try:
                yield
            except Exception as error:
                if out_of_memory(error):
                    raise _memory_short(self) from error
                raise

    def record(
        self, text: str, target: str | None = None, *, pair: str | None = None, generate: int | None = None
    ) -> Recording:
        """Runs the model on a text and keeps what its attention needs to be shown.

        Args:
            text: the sentence; for an encoder–decoder the source.
            target: for an encoder–decoder the target sentence; None means the model's own greedy output.
            pair: a second sentence, for models that take two.
            generate: for a decoder, so many tokens are generated first and recorded with the text; for an
                encoder–decoder without `target`, the most that its output may have.

        Returns:
            The recording; the decoder of an encoder–decoder runs when it is first looked at.

        Raises:
            NoTokenizerError, EmptyError, TooLongError: the text cannot be used, and why.
            NoAttentionError: the model has no attention that could be shown.

        >>> attnviz.load("bundled").record("Der Hund sah den Ball.").kinds
        ('encoder', 'decoder', 'cross')
        """
        encoding = self._encode(text, pair)
        chosen = self._target(target)
        return self._record(encoding.tokens, list(encoding.ids), encoding.token_type_ids, chosen, generate)

    def record_ids(
        self,
        ids: Sequence[int] | Tensor,
        target_ids: Sequence[int] | Tensor | None = None,
        *,
        generate: int | None = None,
    ) -> Recording:
        """As `record`, from vocabulary ids.

        Args:
            ids: integers, shape (sequence,); padding at either end is left off.
            target_ids: for an encoder–decoder the decoder's input, beginning with its start token; padding behind it
                is left off.
        """
        numbers = self._checked(self._without_padding(_integers(ids, "ids"), "ids"), "ids")
        given = None
        if target_ids is not None:
            if not is_encoder_decoder(self.network):
                raise InputError(f"{self.name} has no decoder beside an encoder, so it takes no target.")
            given = self._without_padding(_integers(target_ids, "target_ids"), "target_ids", of_decoder=True)
            given = self._checked(given, "target_ids", of_decoder=True)
        return self._record(from_ids(self.tokenizer, numbers), numbers, None, given, generate)

    def translate(self, text: str, *, max_new_tokens: int = MAX_NEW_TOKENS) -> str:
        """The greedy output of an encoder–decoder for a text.

        >>> attnviz.load("bundled").translate("Der Hund sah den Ball.")
        'The dog saw the ball.'
        """
        if not is_encoder_decoder(self.network):
            raise InputError(f"{self.name} has no encoder and decoder, so it does not translate.")
        numbers = list(self._encode(text).ids)
        self._fits(len(numbers), "The text")
        ids = self._tensor(numbers)
        with self._working():
            output = self._greedy(ids, run_encoder(self.network, ids), max_new_tokens)
        return self.tokenizer.decode(output, skip_special_tokens=True).strip()

    def _encode(self, text: str, pair: str | None = None) -> Encoding:
        if self.tokenizer is None:
            raise NoTokenizerError(
                f"{self.name} has no tokenizer, so it cannot read text. Load one into the same folder, or use "
                "record_ids with vocabulary ids."
            )
        if not text.strip() or (pair is not None and not pair.strip()):
            raise EmptyError("There is no sentence yet. Type one: a few words are enough.")
        encoding = encode(self.tokenizer, text, pair)
        if not encoding.ids:
            raise EmptyError("The tokenizer makes no tokens of this text. Type a sentence with letters in it.")
        self._checked(list(encoding.ids), "text")
        return encoding

    def _target(self, target: str | None) -> Encoding | None:
        """A target sentence as the decoder reads it, but for its start token."""
        if target is None or not target.strip():
            return None
        if not is_encoder_decoder(self.network):
            raise InputError(f"{self.name} has no decoder beside an encoder, so it takes no target sentence.")
        try:
            encoding = encode(self.tokenizer, target, target=True)
        except LookupError as error:
            raise InputError(
                f"{self.name} writes many languages, and its tokenizer has to be told which one a target is in. Set "
                "`model.tokenizer.tgt_lang`, or leave the target out to see the model's own output."
            ) from error
        if encoding.ids and encoding.ids[-1] == self.tokenizer.eos_token_id:
            # The end is predicted by the last word and predicts nothing itself.
            encoding = dataclasses.replace(encoding, ids=encoding.ids[:-1], tokens=encoding.tokens[:-1])
        self._checked(list(encoding.ids), "target", of_decoder=True)
        return encoding

    def _before_target(self, ids: Tensor, states: Any, target: Encoding) -> list[int]:
        """The decoder's input before a target sentence: its start token, and the language token that the model itself
        puts first, where it has such tokens and the sentence names none."""
        start, languages = self._start(), self._languages()
        if not languages or target.ids[0] in languages or not self._writes():
            return [start]
        # Two tokens, because many models are made to end at the last that they may write.
        first = self._greedy(ids, states, 2)[1]
        return [start, first] if first in languages else [start]

    def _languages(self) -> set[int]:
        """The special tokens that have no common role, among which are those that name a language."""
        added = getattr(self.tokenizer, "added_tokens_decoder", None)
        added = added if isinstance(added, dict) else {}
        special = {index: str(token) for index, token in added.items() if token.special}
        names = zip(self.tokenizer.all_special_ids, self.tokenizer.all_special_tokens, strict=True)
        special |= {index: str(name) for index, name in names}
        common = {getattr(self.tokenizer, f"{role}_token_id", None) for role in _ROLES}
        # T5's sentinels mark gaps to be filled; where nobody left a gap, a given target has none of them.
        return {index for index, name in special.items() if index not in common and not name.startswith("<extra_id_")}

    def _start(self) -> int:
        config, generation = self.network.config, getattr(self.network, "generation_config", None)
        for holder in (generation, config):
            for name in ("decoder_start_token_id", "bos_token_id", "pad_token_id"):
                found = getattr(holder, name, None)
                if isinstance(found, int):
                    return found
        raise InputError(f"{self.name} does not say which token its decoder starts with. Pass target_ids.")

    def _record(
        self,
        source: tuple[Token, ...],
        ids: list[int],
        token_type_ids: Sequence[int] | None,
        target: Encoding | list[int] | None,
        generate: int | None,
    ) -> Recording:
        planned = self._planned()
        if generate is not None and (not isinstance(generate, int) or generate < 0):
            raise InputError(f"`generate` is a number of tokens, 0 or more, not {generate!r}.")
        if generate and not is_encoder_decoder(self.network):
            source, ids = self._continued(ids, generate)
            token_type_ids = None
        self._fits(len(ids), "The text")
        if target is not None:
            self._fits(len(target if isinstance(target, list) else target.ids), "The target", of_decoder=True)
        tensor = self._tensor(ids)
        if not is_encoder_decoder(self.network):
            types = {} if token_type_ids is None else {"token_type_ids": self._tensor(list(token_type_ids))}
            return Recording(planned.kinds, self._single(planned, tensor, source, types), model=self.name)
        if not planned.captures:
            first, eager = self._eager_pair(planned, tensor, source, target, generate)
            return Recording(planned.kinds, first, lambda: eager, model=self.name)
        part = slice(0, planned.encoder_calls)
        with self._reading(len(ids)), self._working(), capture.capturing(self.network) as found:
            states = run_encoder(self.network, tensor)
        first = Part(planned.sort(found, part), source)

        def second() -> Part:
            with self._working():
                chosen, shown = self._chosen(tensor, states, target, generate)
                with self._reading(len(chosen), of_decoder=True), capture.capturing(self.network) as later:
                    output = run_decoder(self.network, tensor, self._tensor(chosen), states)
            layers = planned.sort(later, slice(planned.encoder_calls, None))
            return Part(layers, shown, _logits(output))

        return Recording(planned.kinds, first, second, model=self.name)

    def _single(
        self, planned: capture_plan.Plan, ids: Tensor, source: tuple[Token, ...], types: dict[str, Tensor]
    ) -> Part:
        with self._reading(ids.shape[1]), self._working():
            if planned.captures:
                with capture.capturing(self.network) as found:
                    output = forward(self.network, ids, attention_mask=torch.ones_like(ids), **types)
                return Part(planned.sort(found, slice(None)), source, _logits(output))
            output, maps = eager_attention(self.network, ids, None, **types)
            return Part({planned.kinds[0]: maps[""]}, source, _logits(output))

    def _eager_pair(
        self,
        planned: capture_plan.Plan,
        ids: Tensor,
        source: tuple[Token, ...],
        target: Encoding | list[int] | None,
        generate: int | None,
    ) -> tuple[Part, Part]:
        with self._reading(ids.shape[1]), self._working():
            chosen, shown = self._chosen(ids, None, target, generate)
            output, maps = eager_attention(self.network, ids, self._tensor(chosen))
        later: dict[str, Sequence[Stored]] = {
            kind: maps[kind] for kind in ("decoder", "cross") if kind in planned.kinds
        }
        first = Part({"encoder": maps["encoder"]}, source)
        return first, Part(later, shown, _logits(output))

    def _chosen(
        self, ids: Tensor, states: Any, target: Encoding | list[int] | None, limit: int | None
    ) -> tuple[list[int], tuple[Token, ...]]:
        """The decoder's input and its tokens: what was given, or the model's own greedy output but for its last token,
        which is only predicted and never read."""
        if isinstance(target, Encoding):
            before = self._before_target(ids, states, target)
            chosen = [*before, *target.ids]
            shown = (*from_ids(self.tokenizer, before), *target.tokens)
        else:
            chosen = self._greedy(ids, states, limit or MAX_NEW_TOKENS)[:-1] if target is None else target
            shown = from_ids(self.tokenizer, chosen)
        self._fits(len(chosen), "The target", of_decoder=True)
        return chosen, shown

    def _writes(self) -> bool:
        return hasattr(self.network, "generate") and getattr(self.network, "can_generate", lambda: False)()

    def _greedy(self, ids: Tensor, states: Any, limit: int) -> list[int]:
        if not self._writes():
            raise InputError(f"{self.name} has no language head, so it has no output of its own. Pass a target.")
        room = max_positions(self._stack(of_decoder=True))
        options = {"tokenizer": self.tokenizer, "start": self._start()}
        encoded = {} if states is None else {"encoder_outputs": states}
        with torch.no_grad(), followed_by_generate(self.network, self.name, ids[0].tolist(), 1, **options):
            output = self.network.generate(
                ids,  # beside the encoder's output too, because some settings compare what is written with the source
                attention_mask=torch.ones_like(ids),
                max_new_tokens=limit if room is None else max(1, min(limit, room)),
                tokenizer=self.tokenizer,
                **encoded,
            )
        return output[0].tolist()

    def _continued(self, ids: list[int], generate: int) -> tuple[tuple[Token, ...], list[int]]:
        if not self._writes() or self.kinds != ("decoder",):
            raise InputError(
                f"{self.name} does not generate text. Leave out `generate`, or choose a decoder such as GPT-2."
            )
        self._fits(len(ids) + generate, "The text with what is generated")
        tensor, options = self._tensor(ids), {"tokenizer": self.tokenizer}
        with (
            self._working(),
            torch.no_grad(),
            followed_by_generate(self.network, self.name, ids, len(ids), **options),
        ):
            output = self.network.generate(
                tensor, attention_mask=torch.ones_like(tensor), max_new_tokens=generate, tokenizer=self.tokenizer
            )
        longer = output[0].tolist()
        return from_ids(self.tokenizer, longer), longer

    def _fits(self, count: int, what: str, *, of_decoder: bool = False) -> None:
        room = max_positions(self._stack(of_decoder))
        if room is not None and count > room:
            raise _too_long(self, what, count, room)

    @contextlib.contextmanager
    def _reading(self, count: int, *, of_decoder: bool = False) -> Iterator[None]:
        """Of a network whose limit is in no table that can be found, its own failure beyond the limit says the same."""
        try:
            yield
        except (IndexError, RuntimeError, ValueError) as error:
            named = named_max_positions(self._stack(of_decoder))
            if isinstance(error, AttnvizError) or not named or count <= min(named):
                raise
            raise _too_long(self, "The target" if of_decoder else "The text", count, min(named)) from error

    def _tensor(self, ids: list[int]) -> Tensor:
        return torch.tensor([ids], dtype=torch.long, device=self.device)

    def _checked(self, ids: list[int], name: str, *, of_decoder: bool = False) -> list[int]:
        if not ids:
            raise EmptyError(f"`{name}` holds no token. Pass at least one vocabulary id.")
        size = vocabulary_size(self.network, of_decoder=of_decoder)
        wrong = next((index for index in ids if not 0 <= index < size), None)
        if wrong is not None:
            raise InputError(f"`{name}` holds {wrong}; the vocabulary of {self.name} has ids from 0 to {size - 1}.")
        return ids

    def _without_padding(self, ids: list[int], name: str, *, of_decoder: bool = False) -> list[int]:
        """Without padding at either end, where the model has an id that stands for nothing else; a decoder's first
        token stays, for many start with the padding."""
        config = self.network.config
        pad = getattr(config, "pad_token_id", None)
        names = ("bos_token_id", "eos_token_id", "sep_token_id", "cls_token_id", "unk_token_id")
        others = [getattr(config, item, None) for item in names]
        if pad is None or any(pad == other or (isinstance(other, list) and pad in other) for other in others):
            return ids
        real = [place for place, index in enumerate(ids) if index != pad]
        if of_decoder:
            return ids[: real[-1] + 1] if real else ids[:1]
        if ids and not real:
            raise EmptyError(f"`{name}` holds nothing but padding ({pad}). Pass at least one other vocabulary id.")
        return ids[real[0] : real[-1] + 1] if real else ids


def _integers(ids: Sequence[int] | Tensor, name: str) -> list[int]:
    try:
        tensor = torch.as_tensor(ids)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"`{name}` has to be integers of shape (sequence,), not {reprlib.repr(ids)}.") from error
    if tensor.ndim == 1 and tensor.numel() == 0:
        return []
    if tensor.ndim != 1 or tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise InputError(
            f"`{name}` has to be integers of shape (sequence,), not {tensor.dtype} of shape {tuple(tensor.shape)}."
        )
    return tensor.tolist()


def _logits(output: Any) -> Tensor | None:
    logits = getattr(output, "logits", None)
    if not isinstance(logits, Tensor) or logits.ndim != 3:
        return None
    return logits[0].float().cpu()


def _too_long(model: Model, what: str, count: int, room: int) -> TooLongError:
    excess = "1 token" if count - room == 1 else f"{count - room:,} tokens"
    return TooLongError(
        f"{what} has {count:,} tokens, and {model.name} has positions for {room:,}. Shorten it by {excess}, or choose "
        "a model for longer texts."
    )


def _memory_short(model: Model) -> MemoryShortError:
    return MemoryShortError(
        f"{model.name} does not fit into the memory of {model.device} with this input. Shorten the text, choose a "
        'smaller model, or load it with dtype="float16" or device="cpu".'
    )
