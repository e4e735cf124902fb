"""The methods by name, and the one function that runs any of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from attnviz.attribution.contributions import from_gradients, from_weights
from attnviz.attribution.contributions.lrp import attention_lrp
from attnviz.attribution.contributions.occlusion import Missing, check_missing, occlusion
from attnviz.attribution.contributions.path_integral import Progress
from attnviz.attribution.explained import Explained, find_explained
from attnviz.attribution.reading import Reading, check_precision
from attnviz.attribution.result import Attribution
from attnviz.errors import InputError, Message
from attnviz.models.model import Model
from attnviz.models.recording.recording import Recording
from attnviz.tokenization.token import Token


@dataclass(frozen=True, slots=True)
class Method:
    """What a method answers, and what it needs.

    Attributes:
        answers: one sentence.
        needs: of the model, one sentence.
        runs: whether the network runs anew, so that a prediction and full precision are needed.
        compares: whether full precision is needed for another reason: numbers are told apart by comparing them.
        by_layer, by_head: whether `layer` and `head` can be chosen.
        signed: whether values can be negative.
    """

    answers: Message
    needs: Message
    runs: bool = False
    compares: bool = False
    by_layer: bool = True
    by_head: bool = False
    signed: bool = False


_WEIGHTS = Message("Needs only the weights, so it works for every model that is shown here.")
_CAPTURED = Message("Needs a model that uses transformers' attention interface, such as BERT, GPT-2, Llama or T5.")
_VECTORS = Message("Needs a model with an embedding table, which nearly all have.")

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "attention": Method(
            Message("Where does the word look, in one head, in a layer, or on average?"), _WEIGHTS, by_head=True
        ),
        "rollout": Method(Message("How much of each word has come here, if weights are shares of it?"), _WEIGHTS),
        "flow": Method(
            Message("How much of each word could come here at most, if weights are the widths of pipes?"), _WEIGHTS
        ),
        "norms": Method(
            Message("How long is what each word adds here, its weight times its vector?"), _CAPTURED, by_head=True
        ),
        "norms_residual": Method(
            Message("How long is what each word adds here, the word's own vector and the normalisation included?"),
            _CAPTURED,
            compares=True,
        ),
        "attention_gradient": Method(
            Message("Which weights would raise the prediction if they grew a little?"),
            _CAPTURED,
            runs=True,
            by_head=True,
        ),
        "attention_attribution": Method(
            Message("What does the prediction gain while the weights grow from nothing to what they are?"),
            _CAPTURED,
            runs=True,
            by_head=True,
            signed=True,
        ),
        "attention_lrp": Method(
            Message("To which words is the prediction's score handed back, layer by layer, so that nothing is lost?"),
            _CAPTURED,
            runs=True,
            by_layer=False,
            signed=True,
        ),
        "input_gradient": Method(
            Message("How does the prediction react to a small change of each word's vector?"),
            _VECTORS,
            runs=True,
            by_layer=False,
            signed=True,
        ),
        "integrated_gradients": Method(
            Message("What does the prediction gain on the way from average vectors to those of the words?"),
            _VECTORS,
            runs=True,
            by_layer=False,
            signed=True,
        ),
        "occlusion": Method(
            Message("What does the prediction lose when the word is missing?"),
            Message(
                "Needs a model that makes predictions; to hide words, one that uses transformers' attention interface."
            ),
            runs=True,
            by_layer=False,
            signed=True,
        ),
    }
)
"""The methods, the simplest first."""


def attribute(
    model: Model,
    text: str | Recording,
    method: str = "rollout",
    position: int | None = None,
    token: int | str | None = None,
    against: int | str | None = None,
    target: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    steps: int = 64,
    progress: Progress | None = None,
    missing: Missing = "hide",
    question: str | None = None,
) -> Attribution:
    """How much each token contributed to a prediction.

    Args:
        model: which predicts.
        text: the sentence; for an encoder–decoder the source, for a model that finds answers the passage. A recording
            of the unchanged model does too.
        method: a key of `METHODS`.
        position: the row that predicts, from 0 or, negative, from the end: of a decoder and of an encoder–decoder's
            target what comes behind that token, of a masked model the token there. None: the first word of a
            translation, the word behind a text, the first mask. Without meaning for a class. Of an answer the token
            with which it begins or ends; None: the likeliest.
        token: what is explained: a vocabulary id or a word that is one token, or the number or the name of a class; of
            an answer "start" or "end". None: what stands there, or else what the model thinks likeliest.
        against: explains why `token` and not this one; of an answer the position of another token.
        target: for an encoder–decoder the target sentence; None means the model's own output.
        layer, head: one of them alone, counted from 0, where the method allows it. For "rollout" and "flow" the last
            layer that takes part. In an encoder–decoder they are the decoder's.
        steps: of the integrated methods; where so many miss the sum by more than 1 %, they take four times as many.
        progress: is told what share of an integrated method or of an occlusion is done.
        missing: for "occlusion": "hide" (no token may look at it), "delete", or "replace" (by an average vector).
        question: for a model that finds answers, where `text` is no recording.

    Returns:
        One value for each token of the source and of what was read of the target.

    Raises:
        InputError: there is no such method, row, token, layer or head, or it cannot be chosen for this method; the
            model makes no prediction that could be explained, or computes in half precision.
        NoAttentionError: the method needs more of the attention than the model gives.

    >>> result = attribute(attnviz.load("bundled"), "Der Hund sah den Ball.", "occlusion", position=2)
    >>> result.target.text, result.tokens[result.source_values.argmax()].text
    ('dog', ' Hund')
    """
    chosen = _method(method)
    _check_choice(method, chosen, layer, head)
    check_missing(missing)
    if question is not None and isinstance(text, str):
        text = model.record(question, pair=text)
    recording = recorded_text(model, text, target)
    explained = find_explained(model, recording, position, token, against)
    return attribute_recording(model, recording, explained, method, layer, head, steps, progress, missing)


def attribute_recording(
    model: Model,
    recording: Recording,
    explained: Explained,
    method: str,
    layer: int | None = None,
    head: int | None = None,
    steps: int = 64,
    progress: Progress | None = None,
    missing: Missing = "hide",
) -> Attribution:
    """As `attribute`, where recording and prediction are known."""
    if _method(method).runs or _method(method).compares:
        check_precision(model)
    if _method(method).runs and explained.token is None:
        raise InputError(
            "{0} has no head that predicts words or classes, so there is no prediction to explain. Choose "
            '"attention", "rollout", "flow" or "norms", or load the checkpoint with its head.',
            model.name,
        )
    _check_layer(recording, layer, head)
    reading = Reading(model, recording, explained.position)
    delta: float | None = None
    with model.recorder.exclusive():
        if method == "attention":
            values = from_weights.attention(reading, recording, layer, head)
        elif method == "rollout":
            values = from_weights.rollout(reading, recording, layer)
        elif method == "flow":
            values = from_weights.flow(reading, recording, layer)
        elif method == "norms":
            values = from_weights.norms(model, reading, recording, layer, head)
        elif method == "norms_residual":
            values = from_weights.norms_residual(model, reading, recording, layer)
        elif method == "attention_gradient":
            values = from_gradients.attention_gradient(reading, explained, layer, head)
        elif method == "attention_attribution":
            values, delta = from_gradients.attention_attribution(reading, explained, layer, head, steps, progress)
        elif method == "attention_lrp":
            values = attention_lrp(reading, explained)
        elif method == "input_gradient":
            values = from_gradients.input_gradient(reading, explained)
        elif method == "integrated_gradients":
            values, delta = from_gradients.integrated_gradients(reading, explained, steps, progress)
        else:
            values = occlusion(reading, explained, missing, progress)
    return Attribution(method, explained, reading.every_token, values, len(reading.tokens["source"]), delta, recording)


@dataclass(frozen=True, slots=True, eq=False)
class AttributionMatrix:
    """Which words of a source each word of a translation comes from.

    Attributes:
        method: a key of `METHODS`.
        source_tokens: the columns.
        target_tokens: the rows: the tokens that were predicted, in order, without those that are special.
        values: float32 (target tokens, source tokens).
        deltas: float32 (target tokens,), see `Attribution.delta`; NaN for methods that promise no sum.
        recording: of the text.
    """

    method: str
    source_tokens: tuple[Token, ...]
    target_tokens: tuple[Token, ...]
    values: np.ndarray
    deltas: np.ndarray
    recording: Recording = field(repr=False)


def attribution_matrix(
    model: Model,
    text: str | Recording,
    method: str = "rollout",
    target: str | None = None,
    layer: int | None = None,
    head: int | None = None,
    steps: int = 64,
    progress: Progress | None = None,
    missing: Missing = "hide",
) -> AttributionMatrix:
    """What each token of a source contributed to each token of its translation.

    Args, raises: as for `attribute`; the model has to be an encoder–decoder.

    >>> attribution_matrix(attnviz.load("bundled"), "Der Hund sah den Ball.", "norms").values.shape
    (6, 7)
    """
    chosen = _method(method)
    _check_choice(method, chosen, layer, head)
    check_missing(missing)
    recording = recorded_text(model, text, target)
    if "cross" not in recording.kinds:
        raise InputError("{0} has no encoder and decoder, so it does not translate.", model.name)
    written = recording.query_tokens("cross")
    rows = [at for at in range(len(written) - 1) if not written[at + 1].special]
    results = []
    for done, row in enumerate(rows):
        explained = find_explained(model, recording, row)
        share = None if progress is None else _share(progress, done, len(rows))
        results.append(attribute_recording(model, recording, explained, method, layer, head, steps, share, missing))
        if progress is not None:
            progress((done + 1) / len(rows))
    source = recording.key_tokens("cross")
    values = np.array([item.source_values for item in results], dtype=np.float32).reshape(len(rows), len(source))
    deltas = np.array([np.nan if item.delta is None else item.delta for item in results], dtype=np.float32)
    return AttributionMatrix(method, source, tuple(written[row + 1] for row in rows), values, deltas, recording)


def _share(progress: Progress, index: int, count: int) -> Progress:
    return lambda done: progress((index + done) / count)


def _method(method: str) -> Method:
    if method not in METHODS:
        raise InputError("There is no method {0!r}. Choose one of: {1}.", method, ", ".join(METHODS))
    return METHODS[method]


def _check_choice(method: str, chosen: Method, layer: int | None, head: int | None) -> None:
    if layer is not None and not chosen.by_layer:
        raise InputError('"{0}" is about the whole model: it takes no `layer`.', method)
    if head is not None and not chosen.by_head:
        raise InputError('"{0}" puts all heads together: it takes no `head`.', method)
    if head is not None and layer is None:
        raise InputError("A head belongs to a layer: pass `layer` too.")


def _check_layer(recording: Recording, layer: int | None, head: int | None) -> None:
    """Raises InputError where there is no such layer or head."""
    if layer is not None:
        recording.stored_layer("cross" if "cross" in recording.kinds else recording.kinds[0], layer, head)


def recorded_text(model: Model, text: str | Recording, target: str | None) -> Recording:
    """The recording of a text, or the one that was given; raises InputError where its attention was changed."""
    if not isinstance(text, Recording):
        return model.record(text, target)
    if text.interventions:
        raise InputError(
            "This recording is one of changed attention, and what is explained is the unchanged model. Record the text "
            "without `interventions`."
        )
    return text
