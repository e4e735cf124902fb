"""Which head matters: how much the output changes when each head alone is missing.

Many heads are tried in one pass: the text is repeated, and in each copy another head is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from torch import Tensor, nn

from attnviz.attention.blockwise import Rule
from attnviz.computation.contributions import ids_tensor
from attnviz.errors import EmptyError, InputError
from attnviz.interventions.ablation import Ablate, To
from attnviz.interventions.effect import Effect, divergence_in_bits
from attnviz.models.capture import capture
from attnviz.models.model import Model
from attnviz.models.network.network import attention_mask, forward, run_decoder, run_encoder
from attnviz.models.recording.changes import Changes, Heads, LayerSteps
from attnviz.models.recording.record_options import Progress
from attnviz.models.recording.recording import Recording

MOST_NUMBERS = 1 << 23
"""Of the output of one pass: 32 MiB in float32."""


@dataclass(frozen=True, slots=True, eq=False)
class CorpusImportance:
    """The importance of heads over several texts.

    Attributes:
        mean: float64 (layers, heads), bits.
        standard_error: float64 (layers, heads): the standard deviation over texts divided by √texts; NaN for one text.
        texts: how many.
    """

    mean: np.ndarray
    standard_error: np.ndarray
    texts: int


@overload
def head_importance(
    model: Model, text: str, kind: str, target: str | None = None, to: To = "zero", progress: Progress | None = None
) -> np.ndarray: ...


@overload
def head_importance(
    model: Model,
    text: list[str] | tuple[str, ...],
    kind: str,
    target: Sequence[str] | None = None,
    to: To = "zero",
    progress: Progress | None = None,
) -> CorpusImportance: ...


def head_importance(
    model: Model,
    text: str | list[str] | tuple[str, ...],
    kind: str,
    target: str | Sequence[str] | None = None,
    to: To = "zero",
    progress: Progress | None = None,
) -> np.ndarray | CorpusImportance:
    """How much the output changes when each head alone is missing, in bits.

    The Kullback–Leibler divergence of the output's distributions before and after, the mean over positions. Michel et
    al. 2019, sections 2.3 and 4, and Voita et al. 2019, section 4, remove heads likewise and look at the loss or at
    BLEU; the divergence needs no reference translation and shows changes that leave the best word as it is.

    Args:
        model: one with an output distribution whose attention is captured.
        text: a sentence, or several.
        kind: "encoder", "decoder" or "cross".
        target: what the decoder of an encoder–decoder reads, for each text; None for what the model writes itself.
        to: what a missing head puts out; see `Ablate`.
        progress: is told what share is done.

    Returns:
        float64 (layers, heads), 0 or more; NaN where a layer has fewer heads than others. For several texts their mean
        and its standard error.

    Raises:
        InputError: there is no such kind, no text, or the model has no output distribution.
        NoAttentionError: the model's attention cannot be changed.

    >>> head_importance(attnviz.load("bundled"), "Der Hund sah den Ball.", "cross").shape
    (4, 8)
    """
    if isinstance(text, str):
        assert target is None or isinstance(target, str)
        return importance_of(model, model.record(text, target), kind, to=to, progress=progress)
    if not text:
        raise EmptyError("There is no text to measure heads with. Pass at least one.")
    targets = [None] * len(text) if target is None else list(target)
    if isinstance(target, str) or len(targets) != len(text):
        raise InputError("There are {0} texts and {1} targets; each text needs its own.", len(text), len(targets))
    every = []
    for index, (one, own) in enumerate(zip(text, targets, strict=True)):
        share: Progress | None = None
        if progress is not None:
            share = _part(progress, index, len(text))
        every.append(importance_of(model, model.record(one, own), kind, to=to, progress=share))
    stacked = np.stack(every)
    error = np.full(stacked.shape[1:], np.nan)
    if len(every) > 1:
        error = stacked.std(axis=0, ddof=1) / np.sqrt(len(every))
    return CorpusImportance(stacked.mean(axis=0), error, len(every))


def _part(progress: Progress, index: int, count: int) -> Progress:
    return lambda done: progress((index + done) / count)


def importance_of(
    model: Model, recording: Recording, kind: str, *, to: To = "zero", progress: Progress | None = None
) -> np.ndarray:
    """As `head_importance`, for the tokens of a recording of the unchanged model."""
    every = model.recorder.check([Ablate(Heads(kind), to)])
    note = Effect(model, recording, recording).note
    if note is not None:
        raise InputError("It cannot be measured how much a head matters: {0}", note)
    counts = model.recorder.plan.heads[every[0].where.kind]
    heads = [(layer, head) for layer, count in enumerate(counts) for head in range(count)]
    result = np.full((len(counts), max(counts)), np.nan)
    logits = recording.logits
    assert logits is not None
    run = _runner(model, recording, kind)
    step = max(1, MOST_NUMBERS // logits.numel())
    for start in range(0, len(heads), step):
        chosen = heads[start : start + step]
        with model.recorder.exclusive():
            after = run([Ablate(Heads(kind, layer, head), to) for layer, head in chosen])
        bits = divergence_in_bits(logits.to(after.device)[None], after).mean(dim=-1).tolist()
        for (layer, head), value in zip(chosen, bits, strict=True):
            result[layer, head] = value
        if progress is not None:
            progress((start + len(chosen)) / len(heads))
    return result


def _runner(model: Model, recording: Recording, kind: str) -> Callable[[list[Ablate]], Tensor]:
    """What gives the logits (heads, positions, vocabulary) of a pass in which each copy of the text lacks one head."""
    network, planned = model.network, model.recorder.plan
    paired = "cross" in recording.kinds
    source = ids_tensor(model, recording.key_tokens("cross") if paired else recording.query_tokens(kind))
    if not paired:
        beside = model.inputs.tensors(recording.beside)

        def run_single(ablations: list[Ablate]) -> Tensor:
            ids, given = _copies(source, ablations), {name: _copies(item, ablations) for name, item in beside.items()}
            with capture.change_attention(network, _EachAlone(ablations, planned.calls, planned.modules)):
                return forward(network, ids, **attention_mask(ids, given), **given).logits

        return run_single
    target, encoder = ids_tensor(model, recording.query_tokens("cross")), planned.encoder_calls

    def run_pair(ablations: list[Ablate]) -> Tensor:
        ids = _copies(source, ablations)
        if kind == "encoder":
            with capture.change_attention(
                network, _EachAlone(ablations, planned.calls[:encoder], planned.modules[:encoder])
            ):
                states = run_encoder(network, ids)
            return run_decoder(network, ids, _copies(target, ablations), states).logits
        single = run_encoder(network, source)
        states = type(single)(last_hidden_state=_copies(single.last_hidden_state, ablations))
        with capture.change_attention(
            network, _EachAlone(ablations, planned.calls[encoder:], planned.modules[encoder:])
        ):
            return run_decoder(network, ids, _copies(target, ablations), states).logits

    return run_pair


def _copies(tensor: Tensor, ablations: Sequence[Any]) -> Tensor:
    """(1, …) as (ablations, …)."""
    return tensor.expand(len(ablations), *tensor.shape[1:])


class _EachAlone:
    """In each copy of a text another intervention."""

    needs_whole_maps = True

    def __init__(
        self, ablations: Sequence[Ablate], calls: Sequence[tuple[str, int] | None], modules: Sequence[int]
    ) -> None:
        self._changes = [Changes((ablation,), calls, modules) for ablation in ablations]

    def next(self, module: nn.Module) -> _Copies | None:
        steps = [changes.next(module) for changes in self._changes]
        return _Copies(steps) if any(steps) else None


@dataclass(frozen=True, slots=True)
class _Copies:
    """What is changed in one layer, for each copy of the text."""

    steps: list[LayerSteps | None]

    def apply(self, output: Tensor, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> tuple[Tensor, Rule]:
        output = output.clone()
        for copy, step in enumerate(self.steps):
            if step is not None:
                one = slice(copy, copy + 1)
                output[one], _ = step.apply(output[one], query[one], key[one], value[one], rule)
        return output, rule
