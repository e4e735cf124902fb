"""The vector of every token in every layer, and what moved a word's vector on the way.

    static vector ─ what enters layer 0 ─ after layer 0 ─ … ─ after the last layer
                                            └─ each word's part in the change

A static vector is the token's row of the embedding table: the same in every sentence, as in Word2Vec and GloVe. What
comes after depends on the sentence. A word's vector is the mean of the vectors of its tokens.

What this module does not do: it records no attention and computes no weights; those are the recording's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from attnviz.computation.contributions import ids_tensor
from attnviz.computation.module_calls import is_norm, rows_of, same
from attnviz.errors import InputError, NoAttentionError
from attnviz.models.capture import capture
from attnviz.models.network.network import attention_mask, forward, run_encoder, unchanged_modules
from attnviz.tokenization.token import Token

if TYPE_CHECKING:
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording


MOST_TOKENS = 1024
"""The vectors of all layers are kept together, so long texts are refused."""


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
    def has_added_positions(self) -> bool:
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


def hidden_states(model: Model, recording: Recording, kind: str) -> States:
    """Runs the model on a recording's tokens once more and keeps the vectors of every layer.

    They are those that transformers gives as `hidden_states`: the last one after the final normalisation, where the
    model has one. Where the recording is one of changed attention, so is this pass.

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
            "The text has {0:,} tokens; the vectors of all layers are kept for {1:,}. Shorten the text.",
            longest,
            MOST_TOKENS,
        )
    network = model.network
    ids = ids_tensor(model, tokens)
    calls, changed = slice(None), recording.interventions
    with model.recorder.exclusive():
        encoder_calls = model.recorder.plan.encoder_calls
        if not paired:
            stack, field = network, "hidden_states"
            beside = model.inputs.tensors(recording.beside)
            arguments: dict[str, Any] = {**attention_mask(ids, beside), **beside}
        elif kind == "encoder":
            stack, field = network.get_encoder(), "hidden_states"
            calls, arguments = slice(encoder_calls), {"attention_mask": torch.ones_like(ids)}
        else:
            stack, field = network, "decoder_hidden_states"
            source_ids = ids_tensor(model, source)
            with capture.change_attention(network, model.recorder.changes(changed, slice(encoder_calls))):
                encoded = run_encoder(network, source_ids)
            calls = slice(encoder_calls, None)
            arguments = {
                "encoder_outputs": encoded,
                "attention_mask": torch.ones_like(source_ids),
                "decoder_input_ids": ids,
            }
        # transformers collects the vectors with hooks that it would leave on the network.
        with (
            unchanged_modules(network),
            _collect_lookups(_table(network, kind, paired)) as lookups,
            _collect_final_norms(stack) as normed,
            capture.change_attention(network, model.recorder.changes(changed, calls)),
        ):
            output = forward(stack, ids if field == "hidden_states" else None, output_hidden_states=True, **arguments)
    states: Sequence[Tensor] = getattr(output, field, None) or ()
    shapes = {tuple(item.shape[:2]) for item in states}
    if len(states) != layers + 1 or shapes != {(1, len(tokens))}:
        raise NoAttentionError(
            "{0} does not give the vectors of all its tokens between all its {1} layers, so they cannot be followed "
            "from layer to layer. Choose a model such as BERT, GPT-2, Llama or T5.",
            model.name,
            layers,
        )
    static = rows_of(lookups[0]) if lookups and lookups[0].shape[:2] == ids.shape else None
    return States(
        kind=kind,
        tokens=tokens,
        static=static,
        layers=torch.stack([rows_of(item) for item in states]),
        final_norm=any(item.shape == states[-1].shape and same(item, states[-1], 1e-6) for item in normed),
    )


def _table(network: Any, kind: str, paired: bool) -> nn.Module | None:
    """The embedding table of the stack, where it has one."""
    stack = network if not paired else network.get_encoder() if kind == "encoder" else network.get_decoder()
    try:
        return stack.get_input_embeddings()
    except (AttributeError, NotImplementedError):
        return None


@contextmanager
def _collect_lookups(table: nn.Module | None) -> Iterator[list[Tensor]]:
    """Collects, call by call, the vectors that an embedding table gives while the context is open."""
    outputs: list[Tensor] = []
    append = _append_to(outputs)
    handle = None if table is None else table.register_forward_hook(lambda _module, _args, result: append(result))
    try:
        yield outputs
    finally:
        if handle is not None:
            handle.remove()


@contextmanager
def _collect_final_norms(stack: nn.Module) -> Iterator[list[Tensor]]:
    """Collects the results of the normalisations that are in no layer (a layer's name has a number in it)."""
    outputs: list[Tensor] = []
    append = _append_to(outputs)
    handles = [
        module.register_forward_hook(lambda _module, _args, result: append(result))
        for name, module in stack.named_modules()
        if is_norm(module) and not any(part.isdigit() for part in name.split("."))
    ]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _append_to(outputs: list[Tensor]) -> Callable[[Any], None]:
    def append(result: Any) -> None:
        if isinstance(result, Tensor):
            outputs.append(result.detach().clone())

    return append
