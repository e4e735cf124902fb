"""Contributions by gradients: of the attention weights, and of the vectors that tokens begin with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from attnviz.attribution.contributions.path_integral import PathIntegral, Progress
from attnviz.attribution.explained import Explained
from attnviz.attribution.reading import Call, Change, Reading, Side, check_captured

# ---------------------------------------------------------------------------------------------------------------------
# Of the weights


def attention_gradient(reading: Reading, explained: Explained, layer: int | None, head: int | None) -> np.ndarray:
    """Weights times how much the prediction would rise with them, what lowers it left out: (tokens,), 0 or more.

    Without a layer the relevance of Chefer et al. 2021, "Generic Attention-model Explainability", equations 5 to 10,
    which follows it through all layers of both stacks; the token's own relevance at the start, which all rows have, is
    taken off. With a layer, and perhaps a head, the weights of that alone, added up over the rows (Barkan et al. 2021,
    "Grad-SAM", equation 3).
    """
    return attention_gradients(reading, explained, [layer], head)[0]


def attention_gradients(
    reading: Reading, explained: Explained, layers: Sequence[int | None], head: int | None = None
) -> list[np.ndarray]:
    """`attention_gradient` of several layers by one pass: for each (tokens,)."""
    check_captured(reading.model)
    weights: dict[Call, Tensor] = {}
    with torch.enable_grad():
        value = explained.value(reading.run(1, Change(collect=weights), gradients=True)).sum()
        calls = list(weights)
        gradients = torch.autograd.grad(value, [weights[call] for call in calls], allow_unused=True)
    positive = {
        call: torch.zeros_like(weights[call][0]) if gradient is None else (gradient * weights[call])[0].clamp_min(0.0)
        for call, gradient in zip(calls, gradients, strict=True)
    }  # (heads, queries, keys)
    positive = {call: item.detach().double().cpu() for call, item in positive.items()}

    def values(layer: int | None) -> np.ndarray:
        if layer is None:
            return _relevance(reading, {call: item.mean(dim=0).numpy() for call, item in positive.items()})
        chosen = {call: item for call, item in positive.items() if call in _chosen(reading, layer)}
        picked = {call: item.mean(dim=0) if head is None else item[head] for call, item in chosen.items()}
        return _by_token(reading, {call: item.sum(dim=0) for call, item in picked.items()})

    return [values(layer) for layer in layers]


def _relevance(reading: Reading, mean: dict[Call, np.ndarray]) -> np.ndarray:
    main = "encoder" if reading.is_paired else reading.kinds[0]
    read, written = len(reading.tokens["source"]), len(reading.tokens.get("target", ()))
    source = np.eye(read)
    for call in sorted(call for call in mean if call[0] == main):
        source = source + mean[call] @ source
    if not reading.is_paired:
        return (source - np.eye(read))[reading.position]
    own, crossed = np.eye(written), np.zeros((written, read))
    for _kind, layer in sorted(call for call in mean if call[0] == "decoder"):
        crossed = crossed + mean["decoder", layer] @ crossed
        own = own + mean["decoder", layer] @ own
        if ("cross", layer) in mean:
            crossed = crossed + _normalised(own).T @ mean["cross", layer] @ _normalised(source)
    return np.concatenate([crossed[reading.position], (own - np.eye(written))[reading.position]])


def _normalised(relevance: np.ndarray) -> np.ndarray:
    """Equations 8 and 9: what was added to the identity, its rows divided by their sums, and the identity again."""
    added = relevance - np.eye(len(relevance))
    return added / added.sum(axis=1, keepdims=True).clip(1e-30) + np.eye(len(relevance))


def attention_attribution(
    reading: Reading,
    explained: Explained,
    layer: int | None,
    head: int | None,
    steps: int,
    progress: Progress | None,
) -> tuple[np.ndarray, float]:
    """Gradients of the weights, integrated while these grow from nothing to what they are: (tokens,), and the delta.

    Hao et al. 2021, "Self-Attention Attribution", section 3, equation 1, added up over rows and heads. Without a layer
    the weights of all layers grow together, so that the values add up to the prediction less the one without any
    attention; with a layer, and perhaps a head, those of it alone. In an encoder–decoder a layer is the decoder's.
    """
    return attention_attributions(reading, explained, [layer], head, steps, progress)[0]


def attention_attributions(
    reading: Reading,
    explained: Explained,
    layers: Sequence[int | None],
    head: int | None,
    steps: int,
    progress: Progress | None,
) -> list[tuple[np.ndarray, float]]:
    """`attention_attribution` of several layers, which are computed together: for each (tokens,), and the delta."""
    check_captured(reading.model)
    collected: dict[Call, Tensor] = {}
    with torch.no_grad():
        reading.run(1, Change(collect=collected))
    whole = {call: weights.detach() for call, weights in collected.items()}
    growing = [whole.keys() if layer is None else _chosen(reading, layer) & whole.keys() for layer in layers]
    calls = sorted(set().union(*growing))

    def start(call: Call) -> Tensor:
        """(layers, heads, queries, keys)."""
        nothing = whole[call].clone()
        nothing[:, slice(None) if head is None else head] = 0.0
        return nothing.expand(len(layers), -1, -1, -1)

    grows = {call: torch.tensor([call in chosen for chosen in growing], device=reading.model.device) for call in calls}

    def predict(*given: Tensor) -> Tensor:
        *parts, of_layer = given
        weights_in = {call: rows[of_layer] for call, rows in grows.items()} if len(layers) > 1 else None
        change = Change(weights=dict(zip(calls, parts, strict=True)), weights_in=weights_in)
        return explained.value(reading.run(len(of_layer), change, gradients=True))

    def by_token(attributed: tuple[Tensor, ...]) -> Tensor:
        by_call = {call: item.sum(dim=(1, 2)) for call, item in zip(calls, attributed, strict=True)}
        return torch.from_numpy(_by_token(reading, by_call))

    given, size = tuple(whole[call] for call in calls), reading.copies_at_once(maps=True)
    return PathIntegral(predict, given, tuple(map(start, calls)), by_token, size).integrate(steps, progress)


def _chosen(reading: Reading, layer: int) -> set[Call]:
    """The calls that a layer means: in an encoder–decoder the decoder's two."""
    kinds = ("decoder", "cross") if reading.is_paired else reading.kinds
    return {(kind, layer) for kind in kinds}


def _by_token(reading: Reading, by_call: dict[Call, Tensor]) -> np.ndarray:
    """Values of keys, by kind and layer, added up by token: (…, keys) gives (…, tokens)."""
    shape = next(iter(by_call.values())).shape[:-1]
    values = {side: np.zeros((*shape, len(tokens))) for side, tokens in reading.tokens.items()}
    for (kind, _layer), item in by_call.items():
        side: Side = "target" if kind == "decoder" and reading.is_paired else "source"
        values[side] += item.detach().double().cpu().numpy()
    return np.concatenate(list(values.values()), axis=-1)


# ---------------------------------------------------------------------------------------------------------------------
# Of the tokens' vectors


def input_gradient(reading: Reading, explained: Explained) -> np.ndarray:
    """Each token's vector times the gradient of the prediction: (tokens,), of either sign.

    Gradient × input (Simonyan et al. 2014, "Deep Inside Convolutional Networks", section 3; Yin & Neubig 2022, section
    2.2, for words): what the prediction would lose if it were linear and the vector shrank to nothing.
    """
    vectors = {side: reading.vectors(side).requires_grad_() for side in reading.tokens}
    with torch.enable_grad():
        value = explained.value(reading.run(1, Change(vectors=vectors), gradients=True)).sum()
        gradients = torch.autograd.grad(value, list(vectors.values()))
    parts = [
        (gradient * vector).detach()[0].double().sum(dim=-1).cpu().numpy()
        for gradient, vector in zip(gradients, vectors.values(), strict=True)
    ]
    return np.concatenate(parts)


def integrated_gradients(
    reading: Reading, explained: Explained, steps: int, progress: Progress | None
) -> tuple[np.ndarray, float]:
    """Gradients of the vectors, integrated on the way from an average vector to each token's: (tokens,), and the delta.

    Sundararajan et al. 2017, "Axiomatic Attribution for Deep Networks", section 3. The values add up to the prediction
    less the one for a text of average vectors; special tokens, which tell where a text begins and ends, stay in it.
    """
    sides = list(reading.tokens)
    vectors = tuple(reading.vectors(side) for side in sides)
    averages = tuple(average_text(reading, side, own) for side, own in zip(sides, vectors, strict=True))

    def predict(*given: Tensor) -> Tensor:
        change = Change(vectors=dict(zip(sides, given[:-1], strict=True)))
        return explained.value(reading.run(len(given[-1]), change, gradients=True))

    size = reading.copies_at_once(maps=False)

    def by_token(attributed: tuple[Tensor, ...]) -> Tensor:
        return torch.cat([item.double().sum(dim=-1) for item in attributed], dim=-1)

    return PathIntegral(predict, vectors, averages, by_token, size).integrate(steps, progress)[0]


def average_text(reading: Reading, side: Side, vectors: Tensor) -> Tensor:
    """The vectors of one side, (1, tokens, width), with an average one in the place of each that is not special."""
    special = torch.tensor([token.special for token in reading.tokens[side]], device=vectors.device)
    return torch.where(special[:, None], vectors, reading.average_vector(side).to(vectors))
