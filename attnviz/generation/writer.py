"""What a model writes next, how a method chooses from it, and where a choice leads.

    source ─ Writer ─ Distribution ─ shape ─ Shaped ─ chosen token ─┐
               └──────────────── one token longer ──────────────────┘

A `Writer` continues one text, an encoder–decoder's translation or a decoder's own words. Beam search is in `beams.py`,
the gaps of a masked model's text are filled in `gaps.py`. Written tokens are counted without the source and without
the decoder's start token, so that a prefix means the same for every model.

What this module does not do: it records no attention while it writes. `Writer.record` records what was written, in one
pass.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from attnviz import positions
from attnviz.errors import EmptyError, InputError, TooLongError
from attnviz.models import capture_plan
from attnviz.models.generation_settings import Ending, generation_settings, logits_processors
from attnviz.models.model import MAX_NEW_TOKENS, Model
from attnviz.models.recording import Recording
from attnviz.tokenization import tokenizer

Task = Literal["translate", "continue", "fill"]
Name = Literal["greedy", "beam", "sample"]
Ended = Literal["end", "limit", "gaps"]

MOST_BEAMS = 10


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """What a model says about the next token.

    Attributes:
        logits: float32 (vocabulary,), as the model's language head gave them.
    """

    logits: Tensor

    @property
    def probabilities(self) -> Tensor:
        """float32 (vocabulary,) in [0, 1]; they sum to 1."""
        return self.logits.softmax(dim=-1)

    def rank(self, index: int) -> int:
        """How many tokens are more likely than this one; 0 for the model's first choice."""
        return int((self.logits > self.logits[index]).sum())


@dataclass(frozen=True, slots=True, eq=False)
class Shaped:
    """What a method made of a distribution.

    Attributes:
        logits: float32 (vocabulary,), -inf where a token was cut off.
        cut: in [0, 1], what share of the model's own probability was cut off.
    """

    logits: Tensor
    cut: float

    @property
    def probabilities(self) -> Tensor:
        """float32 (vocabulary,) in [0, 1]; 0 where a token was cut off, and they sum to 1."""
        return self.logits.softmax(dim=-1)

    @property
    def kept(self) -> Tensor:
        """bool (vocabulary,): whether a token can still be drawn."""
        return self.logits > -math.inf


def _check_shape(temperature: float, top_k: int, top_p: float) -> None:
    if not (temperature > 0 and math.isfinite(temperature)):
        raise InputError(f"A temperature is a number over 0, not {temperature}. For the likeliest token take greedy.")
    if top_k < 0:
        raise InputError(f"top_k is a number of tokens, or 0 for all, not {top_k}.")
    if not 0 < top_p <= 1:
        raise InputError(f"top_p is a probability over 0 and up to 1, not {top_p}.")


def shape(distribution: Distribution, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0) -> Shaped:
    """Divides the logits by the temperature, then cuts off the unlikely tokens: first by number, then by probability.

    p_i = exp(z_i / T) / Σ_j exp(z_j / T) (Ackley, Hinton & Sejnowski 1985, section 2); the k likeliest of these (Fan,
    Lewis & Dauphin 2018, section 5.4; those as likely as the k-th stay); then the smallest set of the likeliest whose
    probabilities reach p (Holtzman et al. 2020, section 3.1), at least one token.

    Args:
        distribution: what the model says.
        temperature: over 0.
        top_k: 1 or more, or 0 for all.
        top_p: in (0, 1].

    Raises:
        InputError: a value is out of its range.

    >>> found = shape(Distribution(torch.tensor([2.0, 1.0, 0.0])), top_k=2)
    >>> found.kept.tolist(), round(found.cut, 3)
    ([True, True, False], 0.09)
    """
    _check_shape(temperature, top_k, top_p)
    logits = distribution.logits / temperature
    if 0 < top_k < len(logits):
        logits = logits.masked_fill(logits < logits.topk(top_k).values[-1], -math.inf)
    if top_p < 1:
        ascending, order = logits.sort()
        # A token goes where it and all less likely ones together have no more than what may be missing.
        goes = ascending.softmax(dim=-1).cumsum(dim=-1) <= 1 - top_p
        goes[-1] = False
        logits = logits.masked_fill(torch.zeros_like(goes).scatter(0, order, goes), -math.inf)
    cut = float(distribution.probabilities[logits == -math.inf].sum())
    return Shaped(logits, min(cut, 1.0))


@dataclass(frozen=True, slots=True)
class Method:
    """How the next token is chosen.

    Attributes:
        name: "greedy" takes the likeliest token, "sample" draws one, "beam" follows several texts at a time.
        width: of the beam, 1 to 10 texts.
        temperature: over 0; logits are divided by it, so less than 1 sharpens and more flattens.
        top_k: only the k likeliest tokens are drawn from; 0 for all.
        top_p: only the likeliest tokens that together reach this probability are drawn from, in (0, 1]; 1 for all.
        seed: what the draws come from; the same seed draws the same.

    Raises:
        InputError: a value is out of its range.
    """

    name: Name = "greedy"
    width: int = 4
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.name not in get_args(Name):
            raise InputError(f"A method is {', '.join(map(repr, get_args(Name)))}, not {self.name!r}.")
        if not 1 <= self.width <= MOST_BEAMS:
            raise InputError(f"A beam is 1 to {MOST_BEAMS} texts wide, not {self.width}.")
        _check_shape(self.temperature, self.top_k, self.top_p)

    def shape(self, distribution: Distribution) -> Shaped:
        """What this method makes of a distribution; all of "greedy" goes to one token, "beam" leaves it as it is."""
        if self.name == "sample":
            return shape(distribution, self.temperature, self.top_k, self.top_p)
        if self.name == "beam":
            return Shaped(distribution.logits, 0.0)
        best = int(distribution.logits.argmax())
        logits = torch.full_like(distribution.logits, -math.inf)
        logits[best] = distribution.logits[best]
        return Shaped(logits, 1.0 - float(distribution.probabilities[best]))

    def choose(self, distribution: Distribution, place: int) -> int:
        """The token that greedy search takes or that is drawn at a place of the written text.

        The draw turns one number between 0 and 1 into a token: the likeliest come first, each as wide as its
        probability. The number depends on the seed and the place alone, so that another choice earlier in the text
        changes what there is to draw from and not the luck.
        """
        shaped = self.shape(distribution)
        if self.name != "sample":
            return int(shaped.logits.argmax())
        luck = random.Random(f"{self.seed} {place}").random()
        ordered, order = shaped.probabilities.double().sort(descending=True, stable=True)
        reached = ordered.cumsum(dim=0)
        drawn = int((reached < luck * float(reached[-1])).sum())
        return int(order[min(drawn, int(shaped.kept.sum()) - 1)])


GREEDY = Method()


def task(model: Model) -> Task:
    """What a model predicts: a translation, the next token, or the word in a gap.

    Raises:
        InputError: it has no language head, or nothing to mark a gap with; and what to choose instead.
    """
    if capture_plan.is_encoder_decoder(model.network):
        if not model._writes():
            raise InputError(
                f"{model.name} has an encoder and a decoder but no language head, so it predicts no words. Choose a "
                "checkpoint for translation or summaries, such as the bundled model."
            )
        return "translate"
    if not _has_head(model):
        raise InputError(
            f"{model.name} has no language head: it turns text into vectors and predicts no words. Choose a model that "
            "was saved with one: for translation, as a GPT, or as a BERT for masked words."
        )
    if model.kinds == ("decoder",):
        return "continue"
    if getattr(model.tokenizer, "mask_token_id", None) is None:
        raise InputError(
            f"{model.name} reads in both directions, and its tokenizer has no mask token to mark a gap with. Choose a "
            "model with one, such as a BERT, or one that writes."
        )
    return "fill"


def _has_head(model: Model) -> bool:
    with model._working():
        ids = model._tensor([0, 1])
        logits = getattr(capture_plan.forward(model.network, ids, attention_mask=torch.ones_like(ids)), "logits", None)
    # A head for classes or labels gives logits too, but not one for each entry of the vocabulary.
    return (
        isinstance(logits, Tensor) and logits.ndim == 3 and logits.shape[-1] >= capture_plan.vocabulary(model.network)
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
            raise InputError(f"{model.name} writes nothing after a text: it fills gaps in it. Use `gaps.fill`.")
        if not self.source:
            raise EmptyError("There is no token to begin from. Pass at least one vocabulary id.")
        model._fits(len(self.source), "The text")
        self.start = (model._start(),) if self.pair else ()
        config = generation_settings(model.network, model.name, model.tokenizer, next(iter(self.start), None))
        self._ending = Ending(model.network, config, model.tokenizer)
        self.ends = self._ending.tokens
        room = positions.room(model._stack(of_decoder=True))
        # The last token written is read by nobody, so it needs no position.
        left = math.inf if room is None else room + 1 - len(self.start if self.pair else self.source)
        self.most = int(min(MAX_NEW_TOKENS, left))
        self._processors = logits_processors(model.network, model.name, config, self.source, len(self._read(())))
        self._states: Any = None
        if self.pair:
            with model._working():
                self._states = capture_plan.encode(model.network, model._tensor(list(self.source)))

    def _read(self, prefix: Sequence[int]) -> list[int]:
        """What the decoder reads to write what comes after a prefix."""
        return [*(self.start if self.pair else self.source), *prefix]

    def logits(self, prefixes: Sequence[Sequence[int]]) -> Tensor:
        """What comes after each of some prefixes of one length: float32 (prefixes, vocabulary), on the CPU."""
        model, count = self.model, len(prefixes)
        read = torch.tensor([self._read(prefix) for prefix in prefixes], device=model.device)
        with model._working():
            if not self.pair:
                output = capture_plan.forward(model.network, read, attention_mask=torch.ones_like(read))
            else:
                states = type(self._states)(
                    last_hidden_state=self._states.last_hidden_state.expand(count, -1, -1)  # (prefixes, source, width)
                )
                ids = model._tensor(list(self.source)).expand(count, -1)
                output = capture_plan.decode(model.network, ids, read, states)
        return output.logits[:, -1].float().cpu()

    def next(self, prefix: Sequence[int]) -> Distribution:
        """What the model says comes after a prefix."""
        return Distribution(self.logits([prefix])[0])

    def ruled(self, prefixes: Sequence[Sequence[int]], scores: Tensor) -> Tensor:
        """Logits or log-probabilities (prefixes, vocabulary) with the checkpoint's own rules: tokens that must not
        come, such as padding, or that have to, such as the target language's."""
        return self._processors(torch.tensor([self._read(prefix) for prefix in prefixes]), scores.clone())

    def allowed(self, prefix: Sequence[int], distribution: Distribution) -> Distribution:
        """A distribution after the checkpoint's rules."""
        return Distribution(self.ruled([prefix], distribution.logits[None])[0])

    def checked(self, prefix: Sequence[int]) -> tuple[int, ...]:
        """The prefix, if it can be one.

        Raises:
            InputError: an id is not in the vocabulary, or something follows an end token.
            TooLongError: the model has not so many positions.
        """
        ids = tuple(int(index) for index in prefix)
        if ids:
            self.model._checked(list(ids), "prefix", of_decoder=self.pair)
        if any(self.finished(ids[:count]) for count in range(1, len(ids))):
            raise InputError("The prefix goes on after its end token. Leave out what follows it.")
        if len(ids) > self.most:
            raise TooLongError(f"The prefix has {len(ids):,} tokens; {self.model.name} can write {self.most:,} here.")
        return ids

    def write(self, prefix: Sequence[int] = (), method: Method = GREEDY, limit: int | None = None) -> Written:
        """Goes on from a prefix until the end token or a limit.

        Args:
            prefix: what is written already, without the start token.
            method: how each next token is chosen.
            limit: the most tokens that are written, the prefix included; `most` where None.

        Returns:
            The whole text, beginning with the prefix. It is what transformers' `generate` writes, except that no end
            token is forced upon a text that reaches the limit.

        >>> writer = Writer(model, [token.id for token in model.record("De kat zit op de mat.").key_tokens("cross")])
        >>> model.tokenizer.decode(writer.write().ids, skip_special_tokens=True)
        'The cat is on the mat.'
        """
        ids = self.checked(prefix)
        limit = self.most if limit is None else max(min(limit, self.most), len(ids))
        if limit < 1:
            raise TooLongError(f"The text fills all positions of {self.model.name}. Shorten it by a token or more.")
        if method.name == "beam":
            from attnviz.generation.beam_search import search  # it builds on this module

            return search(self, ids, method, limit)
        written = list(ids)
        while len(written) < limit and not self.finished(written):
            written.append(method.choose(self.allowed(written, self.next(written)), len(written)))
        return Written(tuple(written), len(ids), self.ended(written))

    def ended(self, ids: Sequence[int]) -> Ended:
        """Whether a text has reached its end."""
        return "end" if self.finished(ids) else "limit"

    def finished(self, ids: Sequence[int]) -> bool:
        """Whether the last token of a text ends it: an end token, or one that completes a stop string."""
        return bool(ids) and self._ending.reached(self._read(ids))

    def record(self, ids: Sequence[int]) -> Recording:
        """The recording of a written text: its last token is only predicted, and not read.

        Row `place - 1 + first_row` of "decoder" and "cross" reads what stands before a place and predicts what stands
        there; row `place` of `logits`, counted likewise, is what the model said about it.
        """
        read = self._read(ids[:-1])
        model = self.model
        source = self.source if self.pair else tuple(read)
        shown = tokenizer.from_ids(model.tokenizer, source)
        return model._record(shown, list(source), None, read if self.pair else None, None)

    @property
    def first_row(self) -> int:
        """The row of a recording that predicts the first written token."""
        return 0 if self.pair else len(self.source) - 1


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """One of the texts that a beam search looked at in a step.

    Attributes:
        ids: what it had written, the prefix left out.
        score: the sum of its tokens' log-probabilities.
        parent: which of the texts that the step before kept it goes on from; None in the first step.
        state: "kept" for the next step, "finished" by an end token, or "dropped".
    """

    ids: tuple[int, ...]
    score: float
    parent: int | None
    state: Literal["kept", "finished", "dropped"]


@dataclass(frozen=True, slots=True)
class Written:
    """A written text.

    Attributes:
        ids: all its tokens, its end token included where it has one.
        given: how many of them were the prefix.
        ended: "end" by the end token, "limit" by the most that may be written, "gaps" where each gap is filled.
        beams: per step of a beam search what it looked at, the likeliest first; the kept ones are the next parents.
        score: of a beam search, the sum of log-probabilities divided by a power of the length; else None.
    """

    ids: tuple[int, ...]
    given: int
    ended: Ended
    beams: tuple[tuple[Hypothesis, ...], ...] = field(default=())
    score: float | None = None


def next_token(model: Model, source_ids: Sequence[int], prefix_ids: Sequence[int] = ()) -> Distribution:
    """What a model says comes next.

    Args:
        model: an encoder–decoder or a decoder.
        source_ids: the source, or the text to be continued, with special tokens.
        prefix_ids: what has been written, without the decoder's start token.

    Raises:
        InputError: the model writes nothing, or an id is not in its vocabulary.
    """
    writer = Writer(model, source_ids)
    return writer.next(writer.checked(prefix_ids))
