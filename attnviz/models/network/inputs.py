"""What a model is given: from a text or from vocabulary ids to what its network reads, checked before it runs.

What this module does not do: it runs no network; that is `recording/recorder.py`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import reprlib
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from attnviz.errors import AttnvizError, EmptyError, InputError, Message, NoTokenizerError, TooLongError
from attnviz.models.network.network import (
    accepts,
    is_encoder_decoder,
    max_positions,
    named_max_positions,
    vocabulary_size,
)
from attnviz.models.network.wrappers import input_device
from attnviz.tokenization.token import Encoding
from attnviz.tokenization.tokenizer import encode, encode_many

_ROLES = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")


@dataclass
class Inputs:
    """What one network and its tokenizer can read.

    Attributes:
        network: the transformers model.
        tokenizer: its tokenizer, or None.
        name: what errors call the model.
        most_characters, most_tokens: of a text, where whoever serves the model sets a limit; 0 for none.
    """

    network: Any
    tokenizer: Any
    name: str
    most_characters: int = 0
    most_tokens: int = 0

    def stack(self, of_decoder: bool) -> Any:
        """The network, or of an encoder–decoder the part that reads the source or the target."""
        if not is_encoder_decoder(self.network):
            return self.network
        return self.network.get_decoder() if of_decoder else self.network.get_encoder()

    def encode(self, text: str, pair: str | None = None, *, add_special_tokens: bool = True) -> Encoding:
        """The tokens of a text, or of a text and a second one, as the model reads them.

        Args:
            text, pair: what to read.
            add_special_tokens: whether the tokenizer puts its own around it.

        Raises:
            NoTokenizerError, EmptyError, InputError: there is no tokenizer, no text, or an id outside the vocabulary.
        """
        self._check_tokenizer()
        if not text.strip() or (pair is not None and not pair.strip()):
            raise EmptyError("There is no sentence yet. Type one: a few words are enough.")
        self._check_characters(text, Message("The text"), self.most_tokens or max_positions(self.stack(False)))
        self._check_characters(pair or "", Message("The text"))
        encoding = self._checked(encode(self.tokenizer, text, pair, add_special_tokens=add_special_tokens))
        begin = getattr(self.tokenizer, "bos_token_id", None)
        if begin is not None and encoding.ids[:2] == (begin, begin) and text.startswith(encoding.tokens[0].text):
            called = encoding.tokens[0].text
            warnings.warn(
                f"The text begins with {called}, as chat templates make it, and the tokenizer puts another {called} "
                "before it; the model reads both. Pass add_special_tokens=False to have the text read as it is.",
                stacklevel=3,
            )
        return encoding

    def encode_many(self, texts: Sequence[str], *, target: bool = False) -> list[Encoding | None]:
        """Many texts at once, several times as fast as one after another.

        Args:
            texts: what to read.
            target: whether they are targets, read as `encode_target` reads them.

        Returns:
            Of each its tokens; None of those that `encode` or `encode_target` refuses, or that have nothing in them.

        Raises:
            NoTokenizerError: there is no tokenizer.
            InputError: the model takes no targets, or its tokenizer has to be told their language.
        """
        self._check_tokenizer()
        readable = [bool(text.strip()) and not 0 < self.most_characters < len(text) for text in texts]
        chosen = [text for text, fits in zip(texts, readable, strict=True) if fits]
        if target and chosen:
            self._check_decoder()
        with self._explain_language() if target else contextlib.nullcontext():
            encodings = iter(encode_many(self.tokenizer, chosen, target=target))
        result: list[Encoding | None] = []
        for fits in readable:
            try:
                check = self._checked_target if target else self._checked
                result.append(check(next(encodings)) if fits else None)
            except InputError:
                result.append(None)
        return result

    def reads_pairs(self) -> bool:
        """Whether the tokenizer parts two sentences by special tokens, so that they are read as a pair."""
        if self.tokenizer is None:
            return False
        one, two = (self.tokenizer.num_special_tokens_to_add(pair=pair) for pair in (False, True))
        return two > one

    def encode_target(self, target: str | None) -> Encoding | None:
        """A target sentence as the decoder reads it, but for its start token."""
        if target is None or not target.strip():
            return None
        self._check_decoder()
        self._check_characters(target, Message("The target"))
        with self._explain_language():
            encoding = encode(self.tokenizer, target, target=True)
        return self._checked_target(encoding)

    def start_token(self) -> int:
        """The id that the decoder of an encoder–decoder reads first; raises InputError where the model names none."""
        config, generation = self.network.config, getattr(self.network, "generation_config", None)
        for holder in (generation, config):
            for name in ("decoder_start_token_id", "bos_token_id", "pad_token_id"):
                token_id = getattr(holder, name, None)
                if isinstance(token_id, int):
                    return token_id
        raise InputError("{0} does not say which token its decoder starts with. Pass target_ids.", self.name)

    def language_tokens(self) -> set[int]:
        """The special tokens that have no common role, among which are those that name a language."""
        added = getattr(self.tokenizer, "added_tokens_decoder", None)
        added = added if isinstance(added, dict) else {}
        special = {index: str(token) for index, token in added.items() if token.special}
        names = zip(self.tokenizer.all_special_ids, self.tokenizer.all_special_tokens, strict=True)
        special |= {index: str(name) for index, name in names}
        common = {getattr(self.tokenizer, f"{role}_token_id", None) for role in _ROLES}
        # T5's sentinels mark gaps to be filled; where nobody left a gap, a given target has none of them.
        return {index for index, name in special.items() if index not in common and not name.startswith("<extra_id_")}

    def check_ids(self, ids: list[int], name: str, *, of_decoder: bool = False) -> list[int]:
        """The ids, if there are any and all of them are in the vocabulary.

        Raises:
            EmptyError, InputError: there are none, or one is outside; `name` says which argument it was.
        """
        if not ids:
            raise EmptyError("`{0}` holds no token. Pass at least one vocabulary id.", name)
        size = vocabulary_size(self.network, of_decoder=of_decoder)
        wrong = next((index for index in ids if not 0 <= index < size), None)
        if wrong is not None:
            raise InputError(
                "`{0}` holds {1}; the vocabulary of {2} has ids from 0 to {3}.",
                name,
                wrong,
                self.name,
                size - 1,
            )
        return ids

    def without_padding(self, ids: list[int], name: str, *, of_decoder: bool = False) -> list[int]:
        """Without padding at either end, where the model has an id that stands for nothing else; a decoder's first
        token stays, for many start with the padding."""
        pads = self._padding()
        if not pads:
            return ids
        real = [position for position, index in enumerate(ids) if index not in pads]
        if of_decoder:
            return ids[: real[-1] + 1] if real else ids[:1]
        if ids and not real:
            raise EmptyError(
                "`{0}` holds nothing but padding ({1}). Pass at least one other vocabulary id.",
                name,
                ids[0],
            )
        return ids[real[0] : real[-1] + 1] if real else ids

    def check_positions(self, positions: Sequence[int] | Tensor, given_ids: list[int], read: list[int]) -> list[int]:
        """The positions of the ids that are read.

        Args:
            positions: integers, shape (sequence,).
            given_ids: the ids that they belong to.
            read: those of them without padding.

        Raises:
            InputError: the network takes none, or they are no positions of these ids.
        """
        if is_encoder_decoder(self.network) or not accepts(self.network, "position_ids"):
            raise InputError("{0} takes no `position_ids`. Leave them out.", self.name)
        numbers = integers(positions, "position_ids")
        if len(numbers) != len(given_ids) or min(numbers) < 0:
            raise InputError(
                "`position_ids` holds a position, 0 or more, for each of the {0:,} ids; there are {1:,}, from {2} on.",
                len(given_ids),
                len(numbers),
                min(numbers, default=0),
            )
        pads = self._padding()
        begin = next((position for position, index in enumerate(given_ids) if index not in pads), 0)
        return numbers[begin : begin + len(read)]

    def _padding(self) -> set[int]:
        """The ids that stand for padding and nothing else, by the configuration or by the tokenizer; many models name
        it in one of the two only."""
        padding_ids = set()
        for holder in (self.network.config, self.tokenizer):
            pad = getattr(holder, "pad_token_id", None)
            others = [getattr(holder, f"{role}_token_id", None) for role in _ROLES if role not in ("pad", "mask")]
            if pad is not None and not any(pad == it or (isinstance(it, list) and pad in it) for it in others):
                padding_ids.add(pad)
        return padding_ids

    def check_length(self, count: int, subject: str, *, of_decoder: bool = False) -> None:
        """Raises TooLongError where the model has not so many positions, or may not have them read."""
        if 0 < self.most_tokens < count:
            error = TooLongError(
                "{0} has {1:,} tokens, and here a model reads {2:,} at most. Shorten it by {3}.",
                subject,
                count,
                self.most_tokens,
                _tokens(count - self.most_tokens),
            )
            error.fitting = None if of_decoder else self.most_tokens
            raise error
        room = max_positions(self.stack(of_decoder))
        if room is not None and count > room:
            error = self._too_long(subject, count, room)
            error.fitting = None if of_decoder else room
            raise error

    @contextlib.contextmanager
    def explain_length(self, count: int, *, of_decoder: bool = False) -> Iterator[None]:
        """Turns a network's own failure beyond its limit into TooLongError, where no table says what the limit is."""
        try:
            yield
        except (IndexError, RuntimeError, ValueError) as error:
            named_limits = named_max_positions(self.stack(of_decoder))
            if isinstance(error, AttnvizError) or not named_limits or count <= min(named_limits):
                raise
            subject = Message("The target") if of_decoder else Message("The text")
            too_long = self._too_long(subject, count, min(named_limits))
            too_long.fitting = None if of_decoder else min(named_limits)
            raise too_long from error

    def tensor(self, ids: list[int]) -> Tensor:
        """The ids as the network takes them, and where: (1, sequence)."""
        return torch.tensor([ids], dtype=torch.long, device=input_device(self.network))

    def tensors(self, beside: Mapping[str, Sequence[int]]) -> dict[str, Tensor]:
        """What the network reads beside its ids, by its name there: each (1, sequence)."""
        return {name: self.tensor(list(row)) for name, row in beside.items()}

    def token_types(self, ids: Tensor) -> dict[str, Tensor]:
        """What `encode` gives beside the ids of single texts, by its name in the network: which sentence a token is of.

        Args:
            ids: (texts, sequence).

        Returns:
            Nothing where the tokenizer gives none; else numbers of the shape of the ids, 0 but for special tokens that
            have another one, as the [CLS] of XLNet.
        """
        encoding = None if self.tokenizer is None else encode(self.tokenizer, "a")
        if encoding is None or encoding.token_type_ids is None:
            return {}
        types = torch.zeros_like(ids)
        for token, of_token in zip(encoding.ids, encoding.token_type_ids, strict=True):
            if of_token:
                types[ids == token] = of_token
        return {"token_type_ids": types}

    def _too_long(self, subject: str, count: int, limit: int) -> TooLongError:
        return TooLongError(
            "{0} has {1:,} tokens, and {2} has positions for {3:,}. Shorten it by {4}, or choose a model for longer "
            "texts.",
            subject,
            count,
            self.name,
            limit,
            _tokens(count - limit),
        )

    def _checked(self, encoding: Encoding) -> Encoding:
        """A text's tokens, if there are any and all are in the vocabulary."""
        if not encoding.ids:
            raise EmptyError("The tokenizer makes no tokens of this text. Type a sentence with letters in it.")
        self.check_ids(list(encoding.ids), "text")
        return encoding

    def _checked_target(self, encoding: Encoding) -> Encoding:
        """A target's tokens without the end, if there are any and all are in the vocabulary."""
        if encoding.ids and encoding.ids[-1] == self.tokenizer.eos_token_id:
            # The end is predicted by the last word and predicts nothing itself.
            encoding = dataclasses.replace(encoding, ids=encoding.ids[:-1], tokens=encoding.tokens[:-1])
        self.check_ids(list(encoding.ids), "target", of_decoder=True)
        return encoding

    @contextlib.contextmanager
    def _explain_language(self) -> Iterator[None]:
        """Says what is missing where a tokenizer looks in vain for the language of a target."""
        try:
            yield
        except LookupError as error:
            raise InputError(
                "{0} writes many languages, and its tokenizer has to be told which one a target is in. Set "
                "`model.tokenizer.tgt_lang`, or leave the target out to see the model's own output.",
                self.name,
            ) from error

    def _check_tokenizer(self) -> None:
        if self.tokenizer is None:
            raise NoTokenizerError(
                "{0} has no tokenizer, so it cannot read text. Load one into the same folder, or use record_ids with "
                "vocabulary ids.",
                self.name,
            )

    def _check_decoder(self) -> None:
        if not is_encoder_decoder(self.network):
            raise InputError("{0} has no decoder beside an encoder, so it takes no target sentence.", self.name)

    def _check_characters(self, text: str, subject: str, fitting: int | None = None) -> None:
        """Raises TooLongError before a text is tokenized that is longer than it may be; `fitting` is the error's."""
        if 0 < self.most_characters < len(text):
            error = TooLongError(
                "{0} has {1:,} characters, and here it may have {2:,}. Shorten it.",
                subject,
                len(text),
                self.most_characters,
            )
            error.fitting = fitting
            raise error


def _tokens(count: int) -> Message:
    return Message("1 token") if count == 1 else Message("{0:,} tokens", count)


def integers(ids: Sequence[int] | Tensor, name: str) -> list[int]:
    """The ids as plain integers.

    Args:
        ids: integers, shape (sequence,).
        name: of the argument, for the error.

    Raises:
        InputError: they are something else.
    """
    try:
        tensor = torch.as_tensor(ids)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError("`{0}` has to be integers of shape (sequence,), not {1}.", name, reprlib.repr(ids)) from error
    if tensor.ndim == 1 and tensor.numel() == 0:
        return []
    if tensor.ndim != 1 or tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool:
        raise InputError(
            "`{0}` has to be integers of shape (sequence,), not {1} of shape {2}.",
            name,
            tensor.dtype,
            tuple(tensor.shape),
        )
    return tensor.tolist()
