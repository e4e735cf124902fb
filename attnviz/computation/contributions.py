"""What each word adds to another word's vector on its way through a layer."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from attnviz.computation.module_calls import matrix_of, record_calls
from attnviz.computation.module_roles import joining_call
from attnviz.models.capture import capture
from attnviz.models.network.network import forward, is_encoder_decoder
from attnviz.tokenization.token import Token, word_groups

if TYPE_CHECKING:
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording


FEW = 16  # tokens are enough to find a module


@dataclass(frozen=True, slots=True, eq=False)
class Contributions:
    """What each word, or token, added to a word's vector in one layer, through the layer's attention.

    Attributes:
        norms: float32 (words or tokens,): ‖Σ α f(x)‖, the lengths of what each added.
        shares: float32 (words or tokens,) in [0, 1]: the norms, divided by their sum.
    """

    norms: np.ndarray
    shares: np.ndarray


def word_weights(
    recording: Recording, kind: str, positions: Sequence[int], *, layer: int, head: int | None
) -> np.ndarray:
    """What share of a word's attention goes to each word: float32 (words of the keys,) in [0, 1].

    Args:
        positions: of the word's tokens, whose mean it is.
        layer: from 0.
        head: from 0; the mean over the heads where head is None.
    """
    weights = _weights(recording, kind, positions, layer, head)
    weights = weights if head is not None else weights.mean(dim=0)
    return _by_word(weights[:, None], recording.key_tokens(kind))[:, 0].numpy()


def word_contributions(
    model: Model, recording: Recording, kind: str, positions: Sequence[int], *, layer: int, head: int | None
) -> Contributions | None:
    """What each word adds to a word's vector through one layer's attention.

    f(x) is a key's value vector through the head's part of the output matrix, α its weight; the parts of a word's
    tokens and of all heads are added up as vectors before their length is taken (Kobayashi et al. 2020, "Attention is
    Not Only a Weight", section 2.2). A large weight on a small vector moves little.

    Args:
        model: the one that made the recording.
        positions, layer, head: as in `word_weights`; all heads together where head is None.

    Returns:
        A number for each word of the keys; None where the model shows only its weights, or where the matrix that
        joins its heads was not found.
    """
    vectors = _added_vectors(model, recording, kind, positions, layer, head)
    if vectors is None:
        return None
    return _lengths(_by_word(vectors, recording.key_tokens(kind)))


def token_contributions(
    model: Model, recording: Recording, kind: str, position: int, *, layer: int, head: int | None
) -> Contributions | None:
    """As `word_contributions`, for one token and by the tokens of the keys, not by words."""
    vectors = token_vectors(model, recording, kind, position, layer=layer, head=head)
    return None if vectors is None else _lengths(vectors)


def token_vectors(
    model: Model, recording: Recording, kind: str, position: int, *, layer: int, head: int | None = None
) -> Tensor | None:
    """What each key adds to the vector at one row through a layer's attention: float32 (keys, width)."""
    return _added_vectors(model, recording, kind, [position], layer, head)


def _added_vectors(
    model: Model, recording: Recording, kind: str, positions: Sequence[int], layer: int, head: int | None
) -> Tensor | None:
    """What each key adds to the tokens at some positions, their mean: (keys, width)."""
    matrix = _output_matrix(model, recording, kind, layer)
    if matrix is None:
        return None
    weights = _weights(recording, kind, positions, layer, head)
    values = recording.values(kind, layer=layer, head=head)  # ([head,] key, value_dim)
    if head is None:
        matrix = matrix.reshape(len(values), -1, matrix.shape[-1])  # (head, value_dim, width)
        return torch.einsum("hk,hkd,hdw->kw", weights, values, matrix)
    size = values.shape[-1]
    return (weights[:, None] * values) @ matrix[head * size : (head + 1) * size]


def _lengths(vectors: Tensor) -> Contributions:
    norms = vectors.norm(dim=-1)
    return Contributions(norms.numpy(), (norms / norms.sum().clamp_min(1e-30)).numpy())


def _weights(recording: Recording, kind: str, positions: Sequence[int], layer: int, head: int | None) -> Tensor:
    """The mean of the rows of a word's tokens, ([head,] keys); the other rows are not computed."""
    stored = recording.stored_layer(kind, layer, head)
    first, last = min(positions), max(positions)
    rows = slice(first, last + 1)
    if isinstance(stored, Tensor):
        weights = stored[:, rows]
    else:
        key = stored.key.repeat_interleave(stored.groups, dim=0)
        weights = stored.rule.weights(stored.query[:, rows], key, rows)
    chosen = [position - first for position in positions]
    mean = weights[:, chosen].to("cpu", torch.float32).mean(dim=1)
    return mean if head is None else mean[head]


def _by_word(parts: Tensor, tokens: Sequence[Token]) -> Tensor:
    """(tokens, size) as (words, size), added up."""
    return torch.stack([parts[list(group)].sum(dim=0) for group in word_groups(tokens)])


# ---------------------------------------------------------------------------------------------------------------------
# Asking the network

# The names of the matrices that join the heads, by kind: names keep no network alive.
_names: weakref.WeakKeyDictionary[nn.Module, dict[str, tuple[str | None, ...]]] = weakref.WeakKeyDictionary()
_guard = threading.Lock()


def _output_matrix(model: Model, recording: Recording, kind: str, layer: int) -> Tensor | None:
    """The (heads × value_dim, width) matrix that joins the heads of a layer; None where it was not found."""
    if not isinstance(recording.stored_layer(kind, layer, None), capture.Layer):
        return None
    name = joining_modules(model, recording)[kind][layer]
    return None if name is None else matrix_of(model.network.get_submodule(name))


def joining_modules(model: Model, recording: Recording) -> dict[str, tuple[str | None, ...]]:
    """The names of the modules that join the heads, by kind, one for each layer; None where it was not found.

    They are looked for once for each network.

    Args:
        model: the one that made the recording; its attention was captured.

    >>> joining_modules(model, recording)["encoder"][2]
    'model.encoder.layers.2.self_attn.out_proj'
    """
    with _guard:
        names_by_kind = _names.setdefault(model.network, {})
    if not names_by_kind:
        names_by_kind.update(_search_joining_modules(model, recording))
    return names_by_kind


def _search_joining_modules(model: Model, recording: Recording) -> dict[str, tuple[str | None, ...]]:
    """Which module joins the heads of each layer, found on the first tokens of a recording."""
    planned, network = model.recorder.plan, model.network
    paired = is_encoder_decoder(network)
    source = recording.key_tokens("cross") if paired else recording.query_tokens(recording.kinds[0])
    ids = ids_tensor(model, source[:FEW])
    arguments = {"attention_mask": torch.ones_like(ids)}
    if paired:
        arguments["decoder_input_ids"] = ids_tensor(model, recording.query_tokens("cross")[:FEW])
    everything = range(len(planned.calls) + 1)
    with (
        model.recorder.exclusive(),
        capture.capture_attention(network) as captured,
        record_calls(network, captured, everything) as trace,
    ):
        forward(network, ids, **arguments)
    names: dict[str, list[str | None]] = {kind: [None] * recording.size(kind)[0] for kind in planned.kinds}
    for call, (kind_and_layer, stored) in enumerate(zip(planned.calls, captured.layers, strict=True)):
        if kind_and_layer is not None:
            joins = joining_call(trace, call, stored)
            names[kind_and_layer[0]][kind_and_layer[1]] = None if joins is None else trace[joins].name
    return {kind: tuple(items) for kind, items in names.items()}


def ids_tensor(model: Model, tokens: Sequence[Token]) -> Tensor:
    """The ids of tokens as the network takes them: int64 (1, tokens) on the model's device."""
    return torch.tensor([[token.id for token in tokens]], device=model.device)
