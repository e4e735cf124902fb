"""The gaps of a masked model's text: what the model puts into them.

Gaps are filled from left to right, each in a pass of its own that sees what was put into those before it; so a choice
in one changes what the model says about the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from attnviz.errors import EmptyError, InputError
from attnviz.generation.result import Written
from attnviz.generation.sampling import GREEDY, Distribution, Method
from attnviz.generation.writer import task
from attnviz.models.model import Model
from attnviz.models.recording.recording import Recording
from attnviz.tokenization import tokenizer
from attnviz.tokenization.token import Token

MOST_GAPS = 16
"""Gaps that `fill` takes; each costs a pass of its own."""

MASKS = ("[MASK]", "<mask>")
"""How masked models' tokenizers write a gap, for a text that was written for another one."""


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """A masked text's gaps, filled from left to right.

    Attributes:
        written: the tokens in the gaps.
        positions: where the gaps are.
        recordings: per gap, the pass that predicted it: the gaps before it filled, it and those behind it masked.
    """

    written: Written
    positions: tuple[int, ...]
    recordings: tuple[Recording, ...]

    def distribution(self, gap: int) -> Distribution:
        """What the model said about a gap."""
        logits = self.recordings[gap].logits
        assert logits is not None  # `fill` took only a model with a language head
        return Distribution(logits[self.positions[gap]])


def fill(model: Model, ids: Sequence[int], given: Sequence[int] = (), method: Method = GREEDY) -> Filled:
    """Fills the gaps of a masked text.

    Args:
        model: a masked language model, such as a BERT.
        ids: the text with special tokens and mask tokens.
        given: what stands in the first gaps.
        method: how each further token is chosen; a beam has no meaning here.

    Raises:
        InputError: the model fills no gaps, there is none or too many, or a given id is not in the vocabulary.
    """
    if task(model) != "fill":
        raise InputError("{0} fills no gaps: it writes. Use `Writer`.", model.name)
    if method.name == "beam":
        raise InputError("Gaps are filled one after the other; choose greedy or sampling.")
    filled = [int(index) for index in ids]
    gaps = tuple(position for position, index in enumerate(filled) if index == model.tokenizer.mask_token_id)
    if not gaps:
        raise InputError("There is no gap. Put {0} where a word is to be predicted.", model.tokenizer.mask_token)
    if len(gaps) > MOST_GAPS:
        raise InputError("There are {0} gaps, and up to {1} are filled. Mask fewer words.", len(gaps), MOST_GAPS)
    if given:
        model.inputs.check_ids(list(given), "given")
    if len(given) > len(gaps):
        raise InputError(
            "{0} tokens are given for {1} gaps. Leave out those behind the last gap.",
            len(given),
            len(gaps),
        )
    recordings, chosen = [], list(given)
    for gap, position in enumerate(gaps):
        recording = model.recorder.record(tokenizer.from_ids(model.tokenizer, filled), list(filled), {}, None, None)
        assert recording.logits is not None
        recordings.append(recording)
        if gap == len(chosen):
            chosen.append(method.choose(Distribution(recording.logits[position]), gap))
        filled[position] = chosen[gap]
    return Filled(Written(tuple(chosen), len(given), "gaps"), gaps, tuple(recordings))


def mask_word(shown: Sequence[Token], mask: int, word: int | None = None) -> tuple[tuple[int, ...], int | None]:
    """The ids of a text with a gap: those that it has, or else those of a word that is masked.

    Args:
        shown: the tokens of the text, with special ones.
        mask: the id of the mask token.
        word: which word is masked, as `Token.word` counts; None for the last one with a letter in it.

    Returns:
        The ids, and which word was masked: None where the text has gaps of its own.

    Raises:
        EmptyError: there is no word.

    >>> mask_word((Token(7, "dogs", False, 0, 0, 4), Token(9, " bark", False, 1, 4, 9)), mask=3)
    ((7, 3), 1)
    """
    ids = tuple(token.id for token in shown)
    if mask in ids:
        return ids, None
    words = [token.word for token in shown if token.word is not None]
    lettered = [token.word for token in shown if token.word is not None and any(map(str.isalpha, token.text))]
    if not words:
        raise EmptyError("There is no word to mask. Type a sentence with one.")
    chosen = word if word in words else (lettered or words)[-1]
    return tuple(mask if token.word == chosen else token.id for token in shown), chosen
