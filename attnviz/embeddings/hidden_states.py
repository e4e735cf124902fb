"""The vector of every token in every layer, and what moved a word's vector on the way.

    static vector ─ what enters layer 0 ─ after layer 0 ─ … ─ after the last layer
                                            └─ each word's part in the change

A static vector is the token's row of the embedding table: the same in every sentence, as in Word2Vec and GloVe. What
comes after depends on the sentence. A word's vector is the mean of the vectors of its tokens.

What this module does not do: it records no attention and computes no weights; those are the recording's.
"""

from __future__ import annotations

import threading
import unicodedata
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from attnviz.computation.module_calls import is_norm, matrix_of, rows_of, same, watching
from attnviz.computation.module_roles import joining_call
from attnviz.errors import InputError, NoAttentionError
from attnviz.models import capture, capture_plan
from attnviz.tokenization.tokenizer import Token, word_groups, words

if TYPE_CHECKING:
    from attnviz.models.model import Model
    from attnviz.models.recording import Recording

MOST_TOKENS = 1024
"""The vectors of all layers are kept together, so long texts are refused."""
FEW = 16  # tokens are enough to find a module


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """The vectors of one stack for one text.

    Attributes:
        kind: of the attention whose queries the tokens are; "cross" has the decoder's.
        tokens: what the vectors belong to.
        static: float32 (tokens, embedding width): what the embedding table gives for each token; None where the model
            has no such table, as those that read characters.
        layers: float32 (layers + 1, tokens, width): what enters layer 0, then what comes out of each layer.
        final_norm: whether the last of them has been through the normalisation that stands behind the last layer of
            most decoders and of T5; that is then what the model's own head reads.
    """

    kind: str
    tokens: tuple[Token, ...]
    static: Tensor | None
    layers: Tensor
    final_norm: bool

    @property
    def moved_before(self) -> bool:
        """Whether something was added to the static vectors before layer 0, as learned or sinusoidal positions are;
        rotary positions and position biases act later, in the attention."""
        first = self.layers[0]
        if self.static is None or self.static.shape != first.shape:
            return True
        return float(torch.cosine_similarity(self.static, first, dim=-1).min()) < 1 - 1e-4

    def path(self, positions: Sequence[int]) -> tuple[Tensor | None, Tensor]:
        """A word's vector on its way: static, (embedding width,) or None, and in each layer, (layers + 1, width).

        Args:
            positions: of the word's tokens.
        """
        chosen = list(positions)
        static = None if self.static is None else self.static[chosen].mean(dim=0)
        return static, self.layers[:, chosen].mean(dim=1)


@dataclass(frozen=True, slots=True)
class Similarity:
    """Cosines in [-1, 1] from the embedding table to the last layer.

    Attributes:
        static: of the static vectors, or None where there are none.
        layers: of what enters layer 0, and of what comes out of each layer.
        pairs: how many pairs of words they are the mean of.
    """

    static: float | None
    layers: tuple[float, ...]
    pairs: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Moved:
    """What each word added to a word's vector in one layer, through the layer's attention.

    Attributes:
        norms: float32 (words,): ‖Σ α f(x)‖, the lengths of what each word added.
        shares: float32 (words,) in [0, 1]: the norms, divided by their sum.
    """

    norms: np.ndarray
    shares: np.ndarray


def hidden_states(model: Model, recording: Recording, kind: str) -> States:
    """Runs the model on a recording's tokens once more and keeps the vectors of every layer.

    They are those that transformers gives as `hidden_states`: the last one after the final normalisation, where the
    model has one.

    Args:
        model: the one that made the recording.
        recording: of one text.
        kind: "encoder", "decoder" or "cross".

    Raises:
        InputError: there is no such kind, or the text has more than `MOST_TOKENS` tokens.
        NoAttentionError: the model does not give the vectors of every layer for every token.

    >>> recording = model.record("Der Hund sah den Ball.")
    >>> hidden_states(model, recording, "encoder").layers.shape
    torch.Size([5, 7, 256])
    """
    layers = recording.size(kind)[0]
    tokens = recording.query_tokens(kind)
    paired = "cross" in recording.kinds
    source = recording.key_tokens("cross") if paired and kind != "encoder" else tokens
    longest = max(len(tokens), len(source))
    if longest > MOST_TOKENS:
        raise InputError(
            f"The text has {longest:,} tokens; the vectors of all layers are kept for {MOST_TOKENS:,}. "
            "Shorten the text."
        )
    network = model.network
    ids = _ids(model, tokens)
    with model._working():
        if not paired:
            stack, field = network, "hidden_states"
            arguments: dict[str, Any] = {"attention_mask": torch.ones_like(ids)}
        elif kind == "encoder":
            stack, field = network.get_encoder(), "hidden_states"
            arguments = {"attention_mask": torch.ones_like(ids)}
        else:
            stack, field = network, "decoder_hidden_states"
            source_ids = _ids(model, source)
            arguments = {
                "encoder_outputs": capture_plan.encode(network, source_ids),
                "attention_mask": torch.ones_like(source_ids),
                "decoder_input_ids": ids,
            }
        # transformers collects the vectors with hooks that it would leave on the network.
        with (
            capture_plan._left_as_it_was(network),
            _looked_up(_table(network, kind, paired)) as found,
            _last_norms(stack) as normed,
        ):
            output = capture_plan.forward(
                stack, ids if field == "hidden_states" else None, output_hidden_states=True, **arguments
            )
    given: Sequence[Tensor] = getattr(output, field, None) or ()
    shapes = {tuple(item.shape[:2]) for item in given}
    if len(given) != layers + 1 or shapes != {(1, len(tokens))}:
        raise NoAttentionError(
            f"{model.name} does not give the vectors of all its tokens between all its {layers} layers, so they "
            "cannot be followed from layer to layer. Choose a model such as BERT, GPT-2, Llama or T5."
        )
    static = rows_of(found[0]) if found and found[0].shape[:2] == ids.shape else None
    return States(
        kind=kind,
        tokens=tokens,
        static=static,
        layers=torch.stack([rows_of(item) for item in given]),
        final_norm=any(item.shape == given[-1].shape and same(item, given[-1], 1e-6) for item in normed),
    )


def similarity(one: States, first: Sequence[int], other: States, second: Sequence[int]) -> Similarity:
    """How alike two words are in each layer: the cosines of their vectors.

    Args:
        one, other: vectors of one model.
        first, second: positions of the words' tokens.

    >>> similarity(one, [3], other, [1]).static  # the same token in two sentences
    1.0
    """
    (static, path), (other_static, other_path) = one.path(first), other.path(second)
    along = torch.cosine_similarity(path, other_path, dim=-1)
    alike = None
    if static is not None and other_static is not None:
        # Equal rows are equal: rounding must not make 0.9999999 of them.
        equal = torch.equal(static, other_static)
        alike = 1.0 if equal else float(torch.cosine_similarity(static, other_static, dim=-1))
    return Similarity(alike, tuple(along.tolist()))


def between_words(one: States, other: States, *, without: tuple[int, int] | None = None) -> Similarity | None:
    """How alike different words are in each layer: the mean over all pairs of a word of each text.

    In many models any two words are alike to some degree, the more so the later the layer (Ethayarajh 2019, "How
    Contextual are Contextualized Word Representations?", section 4.1); a similarity says something only beside it.

    Args:
        one, other: vectors of one model.
        without: the first tokens of a pair of words that is left out.

    Returns:
        The means; None where the two texts have no two different words.
    """
    first, second = _word_groups(one.tokens), _word_groups(other.tokens)
    different = np.array([[name != other_name for other_name, _ in second] for name, _ in first], dtype=bool)
    different = different.reshape(len(first), len(second))
    if without is not None:
        for i, (_, group) in enumerate(first):
            for j, (_, other_group) in enumerate(second):
                different[i, j] &= not (without[0] in group and without[1] in other_group)
    if not different.any():
        return None
    mask = torch.from_numpy(different)

    def mean(vectors: Tensor, others: Tensor) -> Tensor:  # (places, tokens, width) twice -> (places,)
        a, b = (
            torch.nn.functional.normalize(
                torch.stack([kept[:, list(group)].mean(dim=1) for _, group in groups]), dim=-1
            )
            for kept, groups in ((vectors, first), (others, second))
        )  # (words, places, width)
        return torch.einsum("ipw,jpw->ijp", a, b)[mask].mean(dim=0)

    static = None
    if one.static is not None and other.static is not None:
        static = float(mean(one.static[None], other.static[None])[0])
    return Similarity(static, tuple(mean(one.layers, other.layers).tolist()), int(mask.sum()))


def of_sentences(one: States, other: States) -> Similarity:
    """How alike two sentences are in each layer: the cosines of the means of their words' tokens, special ones left
    out. The mean of static vectors is a bag of words: it does not know their order."""
    places = [[place for place, token in enumerate(states.tokens) if not token.special] for states in (one, other)]
    found = similarity(one, places[0], other, places[1])
    if found.static is not None and sorted(one.tokens[place].id for place in places[0]) == sorted(
        other.tokens[place].id for place in places[1]
    ):
        return Similarity(1.0, found.layers)  # the same rows, added up in another order
    return found


def looked_at(recording: Recording, kind: str, positions: Sequence[int], *, layer: int, head: int | None) -> np.ndarray:
    """What share of a word's attention goes to each word: float32 (words of the keys,) in [0, 1].

    Args:
        positions: of the word's tokens, whose mean it is.
        layer: from 0.
        head: from 0; the mean over the heads where head is None.
    """
    weights = _weights(recording, kind, positions, layer, head)
    weights = weights if head is not None else weights.mean(dim=0)
    return _by_word(weights[:, None], recording.key_tokens(kind))[:, 0].numpy()


def moved_by(
    model: Model, recording: Recording, kind: str, positions: Sequence[int], *, layer: int, head: int | None
) -> Moved | None:
    """What each word adds to a word's vector through one layer's attention.

    f(x) is a key's value vector through the head's part of the output matrix, α its weight; the parts of a word's
    tokens and of all heads are added up as vectors before their length is taken (Kobayashi et al. 2020, "Attention is
    Not Only a Weight", section 2.2). A large weight on a small vector moves little.

    Args:
        model: the one that made the recording.
        positions, layer, head: as in `looked_at`; all heads together where head is None.

    Returns:
        A number for each word of the keys; None where the model shows only its weights, or where the matrix that
        joins its heads was not found.
    """
    matrix = _joining(model, recording, kind, layer)
    if matrix is None:
        return None
    weights = _weights(recording, kind, positions, layer, head)
    values = recording.values(kind, layer=layer, head=head)  # ([head,] key, value_dim)
    if head is None:
        matrix = matrix.reshape(len(values), -1, matrix.shape[-1])  # (head, value_dim, width)
        vectors = torch.einsum("hk,hkd,hdw->kw", weights, values, matrix)
    else:
        size = values.shape[-1]
        vectors = (weights[:, None] * values) @ matrix[head * size : (head + 1) * size]
    norms = _by_word(vectors, recording.key_tokens(kind)).norm(dim=-1)
    return Moved(norms.numpy(), (norms / norms.sum().clamp_min(1e-30)).numpy())


def _weights(recording: Recording, kind: str, positions: Sequence[int], layer: int, head: int | None) -> Tensor:
    """The mean of the rows of a word's tokens, ([head,] keys); the other rows are not computed."""
    stored = recording._layer(kind, layer, head)
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


def _word_groups(tokens: Sequence[Token]) -> list[tuple[str, tuple[int, ...]]]:
    """The words that are more than signs: as they are compared, with the positions of their tokens."""
    return [
        (same_word(word.text), group)
        for word, group in zip(words(tokens), word_groups(tokens), strict=True)
        if is_word(word)
    ]


def is_word(token: Token) -> bool:
    """Whether it is something that a reader would call a word: no special token, and not only punctuation."""
    return not token.special and any(character.isalnum() for character in token.text)


def same_word(text: str) -> str:
    """What two spellings of a word have in common: "The" and "the" are one word.

    >>> same_word("Straße") == same_word("STRASSE")
    True
    """
    return unicodedata.normalize("NFC", text.strip().casefold())


# ---------------------------------------------------------------------------------------------------------------------
# Asking the network

# The names of the matrices that join the heads, by kind: names keep no network alive.
_names: weakref.WeakKeyDictionary[nn.Module, dict[str, tuple[str | None, ...]]] = weakref.WeakKeyDictionary()
_guard = threading.Lock()


def _joining(model: Model, recording: Recording, kind: str, layer: int) -> Tensor | None:
    """The (heads × value_dim, width) matrix that joins the heads of a layer; None where it was not found."""
    if not isinstance(recording._layer(kind, layer, None), capture.Layer):
        return None
    with _guard:
        known = _names.setdefault(model.network, {})
    if kind not in known:
        known.update(_found(model, recording))
    name = known[kind][layer]
    return None if name is None else matrix_of(model.network.get_submodule(name))


def _found(model: Model, recording: Recording) -> dict[str, tuple[str | None, ...]]:
    """Which module joins the heads of each layer, found on the first tokens of a recording."""
    planned, network = model._planned(), model.network
    paired = capture_plan.is_encoder_decoder(network)
    source = recording.key_tokens("cross") if paired else recording.query_tokens(recording.kinds[0])
    ids = _ids(model, source[:FEW])
    arguments = {"attention_mask": torch.ones_like(ids)}
    if paired:
        arguments["decoder_input_ids"] = _ids(model, recording.query_tokens("cross")[:FEW])
    everything = range(len(planned.calls) + 1)
    with (
        model._working(),
        capture.capturing(network) as found,
        watching(network, found, everything) as trace,
    ):
        capture_plan.forward(network, ids, **arguments)
    names: dict[str, list[str | None]] = {kind: [None] * recording.size(kind)[0] for kind in planned.kinds}
    for call, (place, stored) in enumerate(zip(planned.calls, found.layers, strict=True)):
        if place is not None:
            joins = joining_call(trace, call, stored)
            names[place[0]][place[1]] = None if joins is None else trace[joins].name
    return {kind: tuple(items) for kind, items in names.items()}


def _ids(model: Model, tokens: Sequence[Token]) -> Tensor:
    """(1, tokens)"""
    return torch.tensor([[token.id for token in tokens]], device=model.device)


def _table(network: Any, kind: str, paired: bool) -> nn.Module | None:
    """The embedding table of the stack, where it has one."""
    stack = network if not paired else network.get_encoder() if kind == "encoder" else network.get_decoder()
    try:
        return stack.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None


@contextmanager
def _looked_up(table: nn.Module | None) -> Iterator[list[Tensor]]:
    """Inside, what an embedding table gives is kept, call by call."""
    found: list[Tensor] = []
    hook = _keep(found)
    handle = None if table is None else table.register_forward_hook(lambda _module, _args, result: hook(result))
    try:
        yield found
    finally:
        if handle is not None:
            handle.remove()


@contextmanager
def _last_norms(stack: nn.Module) -> Iterator[list[Tensor]]:
    """Inside, what the normalisations outside of the layers give is kept; layers are numbered modules."""
    found: list[Tensor] = []
    hook = _keep(found)
    handles = [
        module.register_forward_hook(lambda _module, _args, result: hook(result))
        for name, module in stack.named_modules()
        if is_norm(module) and not any(part.isdigit() for part in name.split("."))
    ]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


def _keep(found: list[Tensor]) -> Callable[[Any], None]:
    def keep(result: Any) -> None:
        if isinstance(result, Tensor):
            found.append(result.detach().clone())

    return keep
