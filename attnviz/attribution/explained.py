"""What is explained: the next word at a row, a masked word, a class, or an end of an answer; also why not another.

a recording, `position`, `token`, `against` ─ find_explained ─ Explained ─ value(logits)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from attnviz.attribution.reading import Reading
from attnviz.errors import InputError
from attnviz.models.model import Model
from attnviz.models.network.network import vocabulary_size
from attnviz.models.predictions import passage_positions
from attnviz.models.recording.recording import Recording
from attnviz.tokenization.token import Token
from attnviz.tokenization.tokenizer import encode, from_ids

Edge = Literal["start", "end"]
"""Where an answer begins, and where it ends."""
EDGES = get_args(Edge)


@dataclass(frozen=True, slots=True)
class Explained:
    """A prediction.

    Attributes:
        position: the row of the network's output that makes it: a decoder's prediction of what comes after this token,
            a masked model's of the token itself. For a class, the row that stands for the text: the last of a decoder,
            else the first. For an answer, the token with which it begins or ends.
        token: its vocabulary id, the number of the class, or the position in an answer; None where the network predicts
            nothing.
        text: what it says; empty where there is no token.
        against, against_text: what it is compared with; None and "" where it stands alone.
        probability: of the token, in [0, 1]; None where there is no token.
        is_class: whether it is a class, and no word.
        edge: which end of an answer it is; "" for all else.
    """

    position: int
    token: int | None
    text: str = ""
    against: int | None = None
    against_text: str = ""
    probability: float | None = None
    is_class: bool = False
    edge: Edge | Literal[""] = ""

    def value(self, logits: Tensor) -> Tensor:
        """What contributions add up to: the natural logarithm of the token's probability, less that of `against`.

        With `against` it is the difference of both logits, the contrastive explanation of Yin & Neubig 2022,
        "Interpreting Language Models with Contrastive Explanations", section 3.

        Args:
            logits: (copies, vocabulary or classes), as `Reading.run` gives them.

        Returns:
            (copies,).
        """
        logarithms = self._own(logits).log_softmax(dim=-1)
        value = logarithms[:, self.token]
        return value if self.against is None else value - logarithms[:, self.against]

    def score(self, logits: Tensor) -> Tensor:
        """The token's logit, less that of `against` where there is one: (copies, …) gives (copies,)."""
        own = self._own(logits)
        return own[:, self.token] if self.against is None else own[:, self.token] - own[:, self.against]

    def probabilities(self, logits: Tensor) -> Tensor:
        """The token's probability, in [0, 1]: (copies, vocabulary or classes) gives (copies,)."""
        return self.every_probability(logits)[:, self.token]

    def every_probability(self, logits: Tensor) -> Tensor:
        """That of all that could be said in its place: (copies, vocabulary, classes or tokens), in [0, 1]."""
        return self._own(logits).softmax(dim=-1)

    def _own(self, logits: Tensor) -> Tensor:
        """Of an answer those of one end."""
        return logits.chunk(2, dim=-1)[EDGES.index(self.edge)] if self.edge else logits


def find_explained(
    model: Model,
    recording: Recording,
    position: int | None = None,
    token: int | str | None = None,
    against: int | str | None = None,
) -> Explained:
    """What is explained in a recording.

    Args:
        model: which made the recording.
        position: the row that predicts, from 0, or from the end where it is negative. None: for an encoder–decoder the
            row before the first word that it writes, for a decoder the last, for a masked model the first mask. Of an
            answer the token with which it begins or ends; None: the likeliest.
        token: the vocabulary id, class or text of what is explained. None: the token that stands there, or else the
            one that the model thinks likeliest. Of an answer "start" or "end".
        against: the same of what it is compared with; of an answer the position of another token.

    Raises:
        InputError: there is no such row, token or class, or nothing is masked and no position given.
    """
    rows = recording.query_tokens("cross" if "cross" in recording.kinds else recording.kinds[0])
    logits = recording.logits
    if logits is None and is_answering(model):
        return _answer_edge(model, recording, rows, position, token, against)
    if logits is None:
        scores = _class_scores(model, recording)
        if scores is None or len(scores) < 2:  # one number alone is no choice between classes but a grade
            return _row(recording, rows, position, token, against, model)
        whole = len(rows) - 1 if recording.kinds == ("decoder",) else 0
        return _with_names(model, Explained(whole, None, is_class=True), scores, None, token, against)
    is_class = logits.shape[-1] < vocabulary_size(model.network)
    if position is None:
        position = _first_position(model, recording, rows)
    at = _row_index(position, rows)
    standing = None if is_class else _standing(model, recording, rows, at)
    return _with_names(model, Explained(at, None, is_class=is_class), logits[at], standing, token, against)


def is_answering(model: Model) -> bool:
    """Whether the network finds answers in a text."""
    return type(model.network).__name__.endswith("ForQuestionAnswering")


def _answer_edge(
    model: Model,
    recording: Recording,
    rows: Sequence[Token],
    position: int | None,
    token: int | str | None,
    against: int | str | None,
) -> Explained:
    """Where an answer begins or ends; the likeliest is looked for in the passage, behind the question."""
    edge = next((name for name in EDGES if name == (token or "start")), None)
    if edge is None:
        raise InputError('Of an answer `token` is "start" or "end", not {0!r}.', token)
    scores = Reading(model, recording, 0).run(1)[0].chunk(2)[EDGES.index(edge)]
    at = edge_position(scores, rows) if position is None else _row_index(position, rows)
    other = None
    if against is not None:
        if isinstance(against, str):
            raise InputError("Of an answer `against` is the position of another token, not {0!r}.", against)
        other = _row_index(against, rows)
        if other == at:
            raise InputError("`token` and `against` are the same. Pass two different ones.")
    probability = float(scores.double().softmax(dim=-1)[at])
    text = "" if other is None else rows[other].text
    return Explained(at, at, rows[at].text, other, text, probability, edge=edge)


def edge_position(scores: Tensor, rows: Sequence[Token]) -> int:
    """The token of the passage with the highest score, (tokens,); of a text without a question of the whole text."""
    inside = passage_positions(rows) or [at for at, row in enumerate(rows) if not row.special]
    return inside[int(scores[inside].argmax())]


def _row(
    recording: Recording,
    rows: Sequence[Token],
    position: int | None,
    token: int | str | None,
    against: int | str | None,
    model: Model,
) -> Explained:
    """A row of a network without any head: it predicts nothing, but its attention can be followed all the same."""
    if token is not None or against is not None:
        raise InputError(
            "{0} has no head that predicts words or classes, so no token can be explained. Leave `token` and "
            "`against` out, or load the checkpoint with its head.",
            model.name,
        )
    last = len(rows) - 1
    return Explained(
        _row_index(position, rows) if position is not None else 0 if "encoder" in recording.kinds else last, None
    )


def _first_position(model: Model, recording: Recording, rows: Sequence[Token]) -> int:
    if "cross" in recording.kinds:
        return next((at for at in range(len(rows) - 1) if not rows[at + 1].special), len(rows) - 1)
    if recording.kinds == ("decoder",):
        return len(rows) - 1
    mask = getattr(model.tokenizer, "mask_token_id", None)
    masked = [at for at, token in enumerate(rows) if mask is not None and token.id == mask]
    if not masked:
        raise InputError(
            "Nothing is masked in this text, so it is not known which word is to be explained. Put {0} in the place "
            "of a word, or pass its `position`.",
            getattr(model.tokenizer, "mask_token", None) or "the mask token",
        )
    return masked[0]


def _row_index(position: int, rows: Sequence[Token]) -> int:
    if not isinstance(position, int) or not -len(rows) <= position < len(rows):
        raise InputError("`position` has to be from 0 to {0} here, not {1!r}.", len(rows) - 1, position)
    return position % len(rows)


def _standing(model: Model, recording: Recording, rows: Sequence[Token], at: int) -> int | None:
    """The token that a row predicts and that stands in the text already."""
    if recording.kinds == ("encoder",):
        is_mask = rows[at].id == getattr(model.tokenizer, "mask_token_id", None)
        return None if is_mask else rows[at].id
    return rows[at + 1].id if at + 1 < len(rows) else None


def _class_scores(model: Model, recording: Recording) -> Tensor | None:
    """(classes,) of a network that classifies whole texts; None where it has no such head."""
    if recording.kinds not in (("encoder",), ("decoder",)):
        return None
    if not str(type(model.network).__name__).endswith("ForSequenceClassification"):
        return None
    return Reading(model, recording, len(recording.query_tokens(recording.kinds[0])) - 1).run(1)[0]


def _with_names(
    model: Model,
    explained: Explained,
    logits: Tensor,
    standing: int | None,
    token: int | str | None,
    against: int | str | None,
) -> Explained:
    size = int(logits.shape[-1])
    if token is None:
        token = int(logits.argmax()) if standing is None else standing
    index = _token_index(model, token, size, "token", explained.is_class)
    other = None if against is None else _token_index(model, against, size, "against", explained.is_class)
    if other == index:
        raise InputError("`token` and `against` are the same. Pass two different ones.")
    probability = float(torch.softmax(logits.double(), dim=-1)[index])
    return replace(
        explained,
        token=index,
        text=_text(model, index, explained.is_class),
        against=other,
        against_text="" if other is None else _text(model, other, explained.is_class),
        probability=probability,
    )


def _token_index(model: Model, token: int | str, size: int, name: str, is_class: bool) -> int:
    if isinstance(token, str):
        return _class_of(model, token) if is_class else _id_of(model, token)
    if not isinstance(token, int) or not 0 <= token < size:
        raise InputError("`{0}` has to be a number from 0 to {1} or a text, not {2!r}.", name, size - 1, token)
    return token


def _labels(model: Model) -> dict[int, str]:
    labels: Any = getattr(model.network.config, "id2label", None) or {}
    return {int(index): str(label) for index, label in labels.items()}


def _class_of(model: Model, label: str) -> int:
    labels = _labels(model)
    for index, name in labels.items():
        if name.casefold() == label.casefold():
            return index
    raise InputError("{0} has no class {1!r}. It has: {2}.", model.name, label, ", ".join(labels.values()))


def _id_of(model: Model, text: str) -> int:
    """The id of a text that is one token, with a space before it or without."""
    if model.tokenizer is None:
        raise InputError("{0} has no tokenizer, so a token can only be named by its id.", model.name)
    is_target = model.inputs.network.config.is_encoder_decoder
    lengths = []
    for candidate in (f" {text.strip()}", text):
        encoding = encode(model.tokenizer, candidate, target=is_target, add_special_tokens=False)
        ids = [token.id for token in encoding.tokens if not token.special and token.text.strip()]
        if len(ids) == 1:
            return ids[0]
        lengths.append(len(ids))
    raise InputError(
        "{0!r} is no single token of {1} but {2}. Pass the id of one, for instance of the first.",
        text,
        model.name,
        min(lengths),
    )


def _text(model: Model, index: int, is_class: bool) -> str:
    return _labels(model).get(index, str(index)) if is_class else from_ids(model.tokenizer, [index])[0].text
