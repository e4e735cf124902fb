"""Why a query attends to a key: its score, split into what made it.

A score is the dot product of a query and a key, and both are linear in what earlier parts of the model wrote into the
words' vectors, once the lengths by which normalisations divide are held as they were: the word's embedding, its
position, each earlier head, each feed-forward network, and biases. So the score is a sum over pairs of such parts, one
of the query's side and one of the key's (the "QK circuit" of Elhage et al. 2021, "A Mathematical Framework for
Transformer Circuits"; Kamath et al. 2025, "Tracing Attention Computation Through Feature Interactions", split it over
features of a dictionary; here nothing has to be trained).

The numbers are proved each time: where they do not add up to the score, it is said that the model cannot be split.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from attnviz.attribution.scores.score_pass import Key, ScorePass, Side, not_split
from attnviz.computation.contributions import joining_modules
from attnviz.errors import InputError, Message, NoAttentionError
from attnviz.models.capture.capture import Layer
from attnviz.models.network.network import attention_mask, forward

if TYPE_CHECKING:
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording

TOLERANCE = 1e-4
"""How far the parts may miss the score, as a share of it. A score below 1 is measured against 1: scores are
exponents, and what differs by 1e-4 there changes a weight by a ten-thousandth."""

MOST_TOKENS = 1024
"""The pass keeps what gradients need of every layer, so long texts are refused."""


@dataclass(frozen=True, slots=True)
class ScorePart:
    """One of the things that made a score.

    Attributes:
        side: "query" or "key"; "both" for the distance, which belongs to the pair.
        what: "embedding" (the word itself), "position", "segment" (which of two sentences), "head", "feed_forward",
            "bias" (all that is added whatever the text), "distance" (a bias on the score), or "other".
        kind, layer, head: of a head; of a feed-forward network kind and layer; else None. They count from 0.
        value: its share of the score. The shares of all parts of both sides add up to it: a product of two parts
            counts half for either.
        product: what it gives together with the whole other side. The products of one side, with the distance, add
            up to the score.
        name: what it is, in words.
    """

    side: Literal["query", "key", "both"]
    what: str
    kind: str | None
    layer: int | None
    head: int | None
    value: float
    product: float
    name: Message

    @property
    def text(self) -> Message:
        """What it is and on which side, in words."""
        if self.side == "both":
            return self.name
        if self.side == "query":
            return Message("{0}, on the query's side", self.name)
        return Message("{0}, on the key's side", self.name)


@dataclass(frozen=True, slots=True, eq=False)
class ScoreSplit:
    """The score of one query and one key, and what made it.

    Attributes:
        score: before softmax, as `Recording.scores` has it.
        parts: those of the query's side, then those of the key's, each in the order of the model; the distance last.
        pairs: float64 (parts of the query's side, parts of the key's side): what each pair of parts gives. Their sum
            and the distance make the score.
        residue: by how much the sum of the parts misses the score.
    """

    score: float
    parts: tuple[ScorePart, ...]
    pairs: np.ndarray
    residue: float

    @property
    def query_parts(self) -> tuple[ScorePart, ...]:
        """Those of the query's side: the rows of `pairs`."""
        return tuple(part for part in self.parts if part.side == "query")

    @property
    def key_parts(self) -> tuple[ScorePart, ...]:
        """Those of the key's side: the columns of `pairs`."""
        return tuple(part for part in self.parts if part.side == "key")

    def largest(self, count: int) -> tuple[ScorePart, ...]:
        """The parts that moved the score most, up or down, largest first."""
        return tuple(sorted(self.parts, key=lambda part: -abs(part.value))[: max(count, 0)])


def why_attends(
    model: Model,
    text: str,
    kind: str,
    layer: int,
    head: int,
    query: int,
    key: int,
    target: str | None = None,
) -> ScoreSplit:
    """The score of a query and a key, split into what made it.

    Args:
        model: whose attention is captured.
        text: the sentence; for an encoder–decoder the source.
        kind: "encoder", "decoder" or "cross".
        layer, head: from 0.
        query, key: which token of the rows and of the columns, from 0.
        target: for an encoder–decoder; None means the model's own output.

    Raises:
        InputError: there is no such kind, layer, head or token, the query may not see the key, or the text is longer
            than `MOST_TOKENS` tokens.
        NoAttentionError: the scores of this model cannot be split, and why.

    >>> split = why_attends(attnviz.load("bundled"), "Der Hund sah den Ball.", "encoder", 0, 1, query=1, key=0)
    >>> abs(sum(part.value for part in split.parts) - split.score) < 1e-4
    True
    """
    return split_score(model, model.record(text, target), kind, layer=layer, head=head, query=query, key=key)


def split_score(
    model: Model, recording: Recording, kind: str, *, layer: int, head: int, query: int, key: int
) -> ScoreSplit:
    """As `why_attends`, of a recording that this model made."""
    stored = recording.stored_layer(kind, layer, head)
    _check(model, recording, stored, kind, query, key)
    assert isinstance(stored, Layer)
    dot_product, distance, score = _score(stored, head, query, key)
    if math.isinf(score):
        looking, other = recording.query_tokens(kind)[query], recording.key_tokens(kind)[key]
        raise InputError(
            "“{0}” (token {1}) may not look at “{2}” (token {3}), so there is no score to be split. Choose another "
            "pair.",
            *(looking.text.strip(), query, other.text.strip(), key),
        )
    watched = _run(model, recording, kind, layer, (query, key))
    query_parts, key_parts = watched.split("query", head), watched.split("key", head)
    query_vectors, key_vectors = (torch.stack(list(parts.values())) for parts in (query_parts, key_parts))
    # A soft cap squeezes the product; like a length it is held as it was.
    factor = stored.rule.scale
    if stored.rule.softcap is not None and dot_product:
        factor = (score - distance) / dot_product
    pairs = (factor * (query_vectors @ key_vectors.T)).numpy()  # (query parts, key parts)
    residue = abs(float(pairs.sum()) + distance - score)
    if not residue <= TOLERANCE * max(abs(score), 1.0):
        raise not_split(
            Message("the parts that were found add up to {0:.4f}, and the score is {1:.4f}", pairs.sum(), score)
        )
    words = _Words(recording, kind, query, key)
    parts = [words.part("query", *item) for item in zip(query_parts, pairs.sum(axis=1), strict=True)]
    parts += [words.part("key", *item) for item in zip(key_parts, pairs.sum(axis=0), strict=True)]
    if stored.rule.bias is not None:
        parts.append(ScorePart("both", "distance", None, None, None, distance, distance, words.distance()))
    return ScoreSplit(score, tuple(parts), pairs, residue)


def _check(model: Model, recording: Recording, stored: Layer | Tensor, kind: str, query: int, key: int) -> None:
    if isinstance(stored, Tensor):
        raise NoAttentionError(
            "{0} computes its attention inside its own code, so its queries and keys are not known and its scores "
            "cannot be split. Choose a model that uses transformers' attention interface, such as BERT, GPT-2, Llama "
            "or T5.",
            model.name,
        )
    if recording.interventions:
        raise InputError(
            "This recording is one of changed attention; what made a score is known of the unchanged model. Record "
            "the text without `interventions`."
        )
    if any(p.dtype in (torch.float16, torch.bfloat16) or p.is_meta for p in model.network.parameters()):
        raise not_split(
            Message('their numbers are too coarse or not at hand; load the model with dtype="float32", on one device')
        )
    for name, position, tokens in (
        ("query", query, recording.query_tokens(kind)),
        ("key", key, recording.key_tokens(kind)),
    ):
        if not 0 <= position < len(tokens):
            raise InputError("There is no token {0} for `{1}`; it goes from 0 to {2}.", position, name, len(tokens) - 1)
        if len(tokens) > MOST_TOKENS:
            raise InputError(
                "The text has {0:,} tokens; a score can be split for {1:,}. Shorten the text.", len(tokens), MOST_TOKENS
            )


def _score(stored: Layer, head: int, query: int, key: int) -> tuple[float, float, float]:
    """The dot product of a query and a key, what is added for their distance, and the score."""
    rows, heads, group = slice(query, query + 1), slice(head, head + 1), head // stored.groups
    vectors, others = stored.query[heads, rows], stored.key[group : group + 1]
    score = float(stored.rule.scores(vectors, others, rows, heads)[0, 0, key])
    # The scores of vectors that are all zero are the bias alone.
    rule = dataclasses.replace(stored.rule, visible=None)
    distance = float(rule.scores(vectors * 0, others, rows, heads)[0, 0, key])
    return float(vectors[0, 0].cpu().double() @ others[0, key].cpu().double()), distance, score


def _run(model: Model, recording: Recording, kind: str, layer: int, positions: tuple[int, int]) -> ScorePass:
    """The pass in which the score depends on its parts alone."""
    paired = "cross" in recording.kinds
    source = recording.key_tokens("cross") if paired else recording.query_tokens(recording.kinds[0])
    ids = torch.tensor([[token.id for token in source]], device=model.device)
    beside = model.inputs.tensors(recording.beside)
    arguments: dict[str, Tensor] = {**attention_mask(ids, beside), **beside}
    if paired:
        target = [token.id for token in recording.query_tokens("cross")]
        arguments["decoder_input_ids"] = torch.tensor([target], device=model.device)
    planned = model.recorder.plan
    names = joining_modules(model, recording)
    joining = {}
    for call, kind_and_layer in enumerate(planned.calls):
        name = None if kind_and_layer is None else names[kind_and_layer[0]][kind_and_layer[1]]
        if name is not None:
            joining[call] = model.network.get_submodule(name)
    texts = [ids, *([arguments["decoder_input_ids"]] if paired else [])]
    watched = ScorePass(planned, planned.calls.index((kind, layer)), positions, joining, texts)
    with model.recorder.exclusive(), watched.watch(model.network):
        forward(model.network, ids, gradients=True, **arguments)
    return watched


class _Words:
    """What the parts of one score are called."""

    def __init__(self, recording: Recording, kind: str, query: int, key: int) -> None:
        self.recording, self.kind, self.positions = recording, kind, {"query": query, "key": key}
        tokens = {"query": recording.query_tokens(kind)[query], "key": recording.key_tokens(kind)[key]}
        self.tokens = {side: token.text.strip() or token.text for side, token in tokens.items()}

    def part(self, side: Side, name: Key, product: float) -> ScorePart:
        what, kind, layer, head = name
        product = float(product)
        return ScorePart(side, what, kind, layer, head, product / 2, product, self.name(side, name))

    def name(self, side: Side, name: Key) -> Message:
        what, kind, layer, head = name
        token = self.tokens[side]
        if kind is not None and layer is not None:
            number = self.recording.layer_number(kind, layer)
            if what == "head" and kind == self.kind:
                return Message("head L{0} H{1}", number, head)
            if what == "head":
                return Message("{0} head L{1} H{2}", kind, number, head)
            return Message("feed-forward network L{0}", number)
        if what == "embedding":
            return Message("the word “{0}” itself", token)
        if what == "position":
            return self.position(side)
        if what == "segment":
            return Message("which of the sentences “{0}” is in", token)
        if what == "bias":
            return Message("what is always added (biases)")
        return Message("what else the model adds")

    def position(self, side: Side) -> Message:
        distance = self.positions["key"] - self.positions["query"]
        if side == "query" or self.kind == "cross":
            return Message("the position of “{0}”", self.tokens[side])
        if distance == 0:
            return Message("its own position")
        if abs(distance) == 1:
            return Message("the position just before") if distance < 0 else Message("the position just after")
        count = abs(distance)
        return (
            Message("the position {0} tokens earlier", count)
            if distance < 0
            else Message("the position {0} tokens later", count)
        )

    def distance(self) -> Message:
        distance = self.positions["key"] - self.positions["query"]
        return Message("the distance between the two words ({0:+d})", distance)
