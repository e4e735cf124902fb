"""What a model predicts, by the head that its checkpoint was trained with: a class, labels, an answer, words, a text.

    checkpoint with a head ─ task ─ predict ─ Prediction

Only the head that the network has is asked: none is put on with weights drawn by chance.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from attnviz.errors import InputError
from attnviz.models.network.network import forward, is_encoder_decoder, vocabulary_size
from attnviz.tokenization.token import Token
from attnviz.tokenization.tokenizer import from_ids

if TYPE_CHECKING:
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording

Task = Literal["write", "next word", "gaps", "class", "labels", "answer"]

MOST_ANSWER = 30
"""Tokens that an answer may have, as in the reference program of Devlin et al. 2019, "BERT", section 4.2."""
COUNT = 5
"""Words, answers and the like that are named, the likeliest first."""


@dataclass(frozen=True, slots=True)
class Label:
    """A class or a word with its probability, in [0, 1]; of a grade the number itself, which has no bounds."""

    text: str
    probability: float


@dataclass(frozen=True, slots=True)
class Answer:
    """A piece of the passage that may be the answer.

    Attributes:
        text: the characters.
        start, end: where they stand in the passage.
        first, last: its tokens, as positions in the recording.
        probability: in [0, 1], among all pieces that an answer may be.
    """

    text: str
    start: int
    end: int
    first: int
    last: int
    probability: float


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """What a model predicts of a text.

    Attributes:
        task: which kind of prediction it is.
        recording: of the text, with its attention.
        text: what an encoder–decoder wrote; "" for the other tasks.
        labels: of "class" all classes, of "next word" the likeliest words; the likeliest first.
        by_token: of "labels" the classes of each token, of "gaps" the words of each gap, under its position in the
            recording; the likeliest first.
        answers: of "answer", the likeliest first.
        exclusive: whether the classes share one probability; False where several may hold at once, and for a grade.
    """

    task: Task
    recording: Recording
    text: str = ""
    labels: tuple[Label, ...] = ()
    by_token: dict[int, tuple[Label, ...]] | None = None
    answers: tuple[Answer, ...] = ()
    exclusive: bool = True


def task_of(model: Model) -> Task:
    """What the head of a network predicts.

    Raises:
        InputError: it has none, or one for something that is not shown here.

    >>> task_of(attnviz.load("bundled"))
    'write'
    """
    network = model.network
    name = type(network).__name__
    if is_encoder_decoder(network):
        if model.recorder.can_write:
            return "write"
    elif name.endswith("ForQuestionAnswering"):
        return "answer"
    elif name.endswith("ForSequenceClassification"):
        return "class"
    elif name.endswith("ForTokenClassification"):
        return "labels"
    elif network.get_output_embeddings() is not None:
        return "next word" if model.kinds == ("decoder",) else "gaps"
    raise InputError(
        "{0} ({1}) has no head that predicts something: it turns text into vectors. Choose a checkpoint that was saved "
        "with its head for language, classes, labels or answers.",
        model.name,
        name,
    )


def predict(model: Model, text: str, question: str | None = None, *, pair: str | None = None) -> Prediction:
    """What a model predicts of a text.

    Args:
        model: with a head.
        text: to be translated, continued, filled in, classified or searched for an answer.
        question: for a model that finds answers; without meaning for the others.
        pair: a second sentence for a model that sorts pairs into classes, such as "follows from the first one".

    Raises:
        InputError: the network has no head, there is no question or one too many, it sorts no pairs, or nothing is
            masked.
        NoTokenizerError, EmptyError, TooLongError, NoAttentionError: as for `Model.record`.

    >>> predict(attnviz.load("bundled"), "Der Hund sah den Ball.").text
    'The dog saw the ball.'
    """
    task = task_of(model)
    if pair is not None and task != "class":
        raise InputError("{0} sorts no pairs of sentences into classes. Leave `pair` out.", model.name)
    if task == "answer":
        if question is None or not question.strip():
            raise InputError("{0} finds answers in a text. Pass `question` too.", model.name)
        return _answers(model, text, question)
    if question is not None:
        raise InputError("{0} answers no questions. Leave `question` out.", model.name)
    recording = model.record(text, pair=pair)
    if task == "write":
        written = recording.query_tokens("cross")
        words = "".join(token.text for token in written if not token.special).strip()
        return Prediction(task, recording, text=words)
    if task == "class":
        return _classes(model, recording)
    if task == "labels":
        rows = _run(model, recording).logits[0].float().softmax(-1)
        tokens = recording.query_tokens(recording.kinds[0])
        return Prediction(
            task, recording, by_token={at: _named(model, rows[at]) for at, one in enumerate(tokens) if not one.special}
        )
    logits = recording.logits
    if logits is None:
        raise InputError("The recording of {0} has no output, so its predictions are not known.", model.name)
    if task == "next word":
        return Prediction(task, recording, labels=_words(model, logits[-1]))
    mask = getattr(model.tokenizer, "mask_token_id", None)
    gaps = [at for at, token in enumerate(recording.query_tokens("encoder")) if mask is not None and token.id == mask]
    if not gaps:
        name = getattr(model.tokenizer, "mask_token", None) or "the mask token"
        raise InputError("{0} fills gaps, and this text has none. Put {1} in the place of a word.", model.name, name)
    return Prediction(task, recording, by_token={at: _words(model, logits[at]) for at in gaps})


def _run(model: Model, recording: Recording) -> Any:
    """The network's output for a recorded text."""
    tokens = recording.query_tokens(recording.kinds[0])
    with model.recorder.exclusive():
        ids = model.inputs.tensor([token.id for token in tokens])
        beside = model.inputs.tensors(recording.beside)
        return forward(model.network, ids, attention_mask=torch.ones_like(ids), **beside)


def _classes(model: Model, recording: Recording) -> Prediction:
    row = _run(model, recording).logits[0].float()
    config = model.network.config
    if row.shape[-1] == 1 or getattr(config, "problem_type", None) == "regression":
        grades = zip(_names(model, row.shape[-1]), row.tolist(), strict=True)
        return Prediction("class", recording, labels=tuple(Label(*grade) for grade in grades), exclusive=False)
    several = getattr(config, "problem_type", None) == "multi_label_classification"
    shares = row.sigmoid() if several else row.softmax(-1)
    return Prediction("class", recording, labels=_named(model, shares), exclusive=not several)


def _names(model: Model, count: int) -> list[str]:
    names = getattr(model.network.config, "id2label", None) or {}
    return [str(names.get(index, index)) for index in range(count)]


def _named(model: Model, shares: Tensor) -> tuple[Label, ...]:
    """All classes, the likeliest first."""
    pairs = zip(_names(model, len(shares)), shares.tolist(), strict=True)
    return tuple(Label(*pair) for pair in sorted(pairs, key=lambda pair: -pair[1]))


def _words(model: Model, logits: Tensor) -> tuple[Label, ...]:
    """The likeliest entries of the vocabulary."""
    shares = logits[: vocabulary_size(model.network)].float().softmax(-1)
    found = shares.topk(min(COUNT, len(shares)))
    texts = [from_ids(model.tokenizer, [index])[0].text for index in found.indices.tolist()]
    return tuple(Label(*pair) for pair in zip(texts, found.values.tolist(), strict=True))


def _answers(model: Model, passage: str, question: str) -> Prediction:
    """The likeliest pieces of the passage."""
    recording = model.record(question, pair=passage)
    tokens = recording.query_tokens("encoder")
    inside = passage_positions(tokens)
    output = _run(model, recording)
    answers = []
    spans = likeliest_spans(output.start_logits[0], output.end_logits[0], inside)
    for first, last, share in spans:
        begin, stop = tokens[first].start or 0, tokens[last].end or 0
        answers.append(Answer(passage[begin:stop].strip(), begin, stop, first, last, share))
    return Prediction("answer", recording, answers=tuple(answers))


def likeliest_spans(starts: Tensor, ends: Tensor, inside: Sequence[int]) -> list[tuple[int, int, float]]:
    """The pieces of a passage that most likely are the answer.

    A piece from i to j has the score S·Tᵢ + E·Tⱼ (Devlin et al. 2019, section 4.2); its probability is the share of
    exp(score) among all pieces of the passage that begin before they end and are not too long.

    Args:
        starts, ends: (tokens,), the scores of beginning and of ending with each token.
        inside: the positions of the passage, at least one.

    Returns:
        First token, last token and probability of up to `COUNT` pieces, the likeliest first.

    >>> [span[:2] for span in likeliest_spans(torch.tensor([0.0, 3.0]), torch.tensor([3.0, 0.0]), [0, 1])]
    [(0, 0), (1, 1), (0, 1)]
    """
    start, end = (row.float()[list(inside)] for row in (starts, ends))
    places = torch.arange(len(inside), device=start.device)
    length = places[None, :] - places[:, None]
    allowed = (length >= 0) & (length < MOST_ANSWER)
    scores = (start[:, None] + end[None, :]).masked_fill(~allowed, -torch.inf)
    shares = scores.flatten().softmax(0)
    best = shares.topk(min(COUNT, int(allowed.sum())))
    return [
        (inside[place // len(inside)], inside[place % len(inside)], share)
        for share, place in zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ]


def passage_positions(tokens: Sequence[Token]) -> list[int]:
    """Where the second text stands: behind the special tokens that follow the first one; empty where there is none."""
    words = [at for at, token in enumerate(tokens) if not token.special]
    gap = next((at for at, after in itertools.pairwise(words) if after > at + 1), None)
    return [] if gap is None else [at for at in words if at > gap]
