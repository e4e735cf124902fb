"""A network of transformers, whatever its class: one forward pass, encoder and decoder alone, and how much it can read.

What this module does not do: it captures nothing and knows no tokens.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from attnviz.attention import dot_product
from attnviz.errors import Message, NoAttentionError
from attnviz.models.capture import capture
from attnviz.models.capture.proof import Passing, Watched, collect_tensors

Network = Any
"""A transformers model; their classes share no type that says what they take and give."""


def text_config(network: Network) -> Any:
    """The part of the configuration that describes the language model."""
    config = network.config
    return config.get_text_config() if hasattr(config, "get_text_config") else config


def vocabulary_size(network: Network, *, of_decoder: bool = False) -> int:
    """How many vocabulary ids the network takes; the decoder of an encoder–decoder may have others than the encoder.

    Raises:
        NoAttentionError: it reads something else than vocabulary ids.
    """
    with contextlib.suppress(AttributeError, NotImplementedError):
        stack = network.get_decoder() if of_decoder else network
        return int(stack.get_input_embeddings().weight.shape[0])
    size = getattr(text_config(network), "vocab_size", None)
    if not isinstance(size, int):
        raise NoAttentionError("{0} has no vocabulary, so it cannot be given text.", type(network).__name__)
    return size


def is_encoder_decoder(network: Network) -> bool:
    """Whether the network has an encoder and a decoder that looks at it."""
    return bool(getattr(network.config, "is_encoder_decoder", False))


def accepts(network: Network, name: str) -> bool:
    """Whether a forward pass takes an argument of this name."""
    return name in inspect.signature(network.forward).parameters


def attention_mask(ids: Tensor, arguments: Mapping[str, Any]) -> dict[str, Tensor]:
    """The mask that hides no token; none beside positions, by which transformers knows texts packed into one."""
    return {} if "position_ids" in arguments else {"attention_mask": torch.ones_like(ids)}


def forward(network: Network, ids: Tensor | None, *, gradients: Any = False, **arguments: Any) -> Any:
    """One forward pass without a cache, and without gradients unless they are asked for; `ids` is (1, sequence)."""
    accepted = inspect.signature(network.forward).parameters
    if "use_cache" in accepted or getattr(network.config, "use_cache", None) is not None:
        arguments.setdefault("use_cache", False)
    if not any(parameter.kind is parameter.VAR_KEYWORD for parameter in accepted.values()):
        arguments = {name: value for name, value in arguments.items() if name in accepted}
    if ids is not None:
        arguments["input_ids"] = ids
    with torch.set_grad_enabled(gradients):
        return network(return_dict=True, **arguments)


def run_encoder(network: Network, ids: Tensor, *, gradients: bool = False) -> Any:
    """Runs the encoder of an encoder–decoder alone; its output goes into `forward(encoder_outputs=…)`."""
    encoder = network.get_encoder()
    with torch.set_grad_enabled(gradients):
        return encoder(input_ids=ids, attention_mask=torch.ones_like(ids), return_dict=True)


def run_decoder(
    network: Network, ids: Tensor, target_ids: Tensor, encoder_outputs: Any, *, gradients: bool = False
) -> Any:
    """Runs the decoder on an encoder's output."""
    return forward(
        network,
        None,
        gradients=gradients,
        encoder_outputs=encoder_outputs,
        attention_mask=torch.ones_like(ids),
        decoder_input_ids=target_ids,
    )


def eager_attention(
    network: Network,
    ids: Tensor,
    target_ids: Tensor | None,
    *,
    watched: Watched | None,
    **arguments: Any,
) -> tuple[Any, dict[str, tuple[Tensor, ...]], Passing]:
    """The whole output of eager attention, its weights by kind, and what passed by in the modules that are watched.

    Args:
        watched: which modules, as for `proof.collect_tensors`.

    Returns:
        The output; by kind (of a single stack by ""), for each layer (heads, queries, keys); what passed by.

    Raises:
        NoAttentionError: the model gives no weights, or not those of every layer for every pair of tokens.
    """
    if target_ids is not None:
        arguments["decoder_input_ids"] = target_ids
    arguments |= attention_mask(ids, arguments)
    for settle in (False, True):
        with unchanged_modules(network), capture.implementation(network, "eager"):
            if settle:
                forward(network, ids, **arguments)
            with collect_tensors(network, watched) as passing:
                output = forward(network, ids, output_attentions=True, **arguments)
            repeated = _repeated_block(network)
        reported = any(getattr(output, name, None) for name in ("attentions", "encoder_attentions"))
        if reported and passing.keys() >= set(watched or ()):
            break
        # BigBird replaces its layers in its first pass, and with them the hooks that collect weights or watch: once
        # more, with the hooks set after a first pass.
    queries = ids.shape[1]
    if target_ids is not None:
        targets = target_ids.shape[1]
        wanted = {
            "encoder": ("encoder_attentions", queries, queries),
            "decoder": ("decoder_attentions", targets, targets),
            "cross": ("cross_attentions", targets, queries),
        }
    else:
        wanted = {"": ("attentions", queries, queries)}
    result = {}
    for kind, (name, rows, columns) in wanted.items():
        maps = getattr(output, name, None)
        if repeated is not None and maps and kind in ("", "encoder"):
            maps = [_count_repeats(item, *repeated) for item in maps]
        result[kind] = _check_maps(maps, rows, columns, kind, network)
    return output, result, passing


def _repeated_block(network: Network) -> tuple[int, int] | None:
    """(block size, how often the first block is counted again) of sparse layers that do so; else None.

    BigBird (Zaheer et al. 2020, section 2) has blocks of keys that are drawn at random. In evaluation mode transformers
    draws the first block each time, beside the one that every query sees anyway; it enters the softmax so many times,
    and the weights that are reported hold one of them.
    """
    for module in network.modules():
        block, times = getattr(module, "block_size", None), getattr(module, "num_random_blocks", None)
        if isinstance(block, int) and isinstance(times, int):
            return block, times
    return None


def _count_repeats(weights: Tensor, block: int, times: int) -> Tensor:
    """Weights (1, heads, queries, keys) with what all appearances of the first block get; the queries of the first and
    the last block see every key once."""
    result = weights.clone()
    result[:, :, block:-block, :block] *= 1 + times
    return result


def _check_maps(maps: Any, queries: int, keys: int, kind: str, network: Network) -> tuple[Tensor, ...]:
    name = type(network).__name__
    label = Message("{0} attention", kind) if kind else Message("attention")
    if not maps:
        raise NoAttentionError(
            "{0} gives no {1} weights, so there is nothing to show. Choose a transformer with softmax attention.",
            name,
            label,
        )
    shapes = {tuple(item.shape) if isinstance(item, Tensor) else type(item).__name__ for item in maps}
    if not all(isinstance(item, Tensor) and item.ndim == 4 and item.shape[0] == 1 for item in maps):
        raise NoAttentionError(
            "{0} gives its {1} in the form {2}, which is no map of every layer. Choose a model whose layers all have "
            "softmax attention over tokens.",
            name,
            label,
            _listing(shapes),
        )
    maps = [_without_filling(item, queries, keys) for item in maps]
    if any(item.shape[2:] != (queries, keys) for item in maps):
        raise NoAttentionError(
            "{0} gives its {1} in the form {2}, not as weights between all tokens ({3} queries, {4} keys). A part of "
            "it would be shown as if it were the whole.",
            name,
            label,
            _listing(shapes),
            queries,
            keys,
        )
    slack = dot_product.rounding(maps[0].dtype)
    for item in maps:
        if item.dtype == torch.float16 and not bool(item.isfinite().all()):
            raise NoAttentionError(
                "The attention scores of {0} are larger than float16 can hold (65,504), so its {1} weights are not "
                'finite. Its numbers fit into bfloat16 and float32: load it with dtype="bfloat16" or "float32", or '
                "hand over `network.bfloat16()` or `network.float()`.",
                name,
                label,
            )
        # The comparisons are false for what is not a number, too.
        if not (bool((item >= -slack).all()) and bool((item.sum(dim=-1) <= 1 + slack).all())):
            raise NoAttentionError(
                "What {0} gives as its {1} are no weights: a row has negative or not finite numbers, or sums to more "
                "than 1. Shown as weights they would mislead.",
                name,
                label,
            )
    return tuple(item[0] for item in maps)


def _without_filling(weights: Tensor, queries: int, keys: int) -> Tensor:
    """Without the rows and columns of tokens with which a model fills a text up inside, where these get nothing."""
    filled = weights.shape[2] >= queries and weights.shape[3] > keys
    if filled and not bool(weights[:, :, :queries, keys:].any()):
        return weights[:, :, :queries, :keys]
    return weights


def _listing(shapes: set) -> str:
    return ", ".join(sorted(str(shape) for shape in shapes))


@contextlib.contextmanager
def unchanged_modules(network: Network) -> Iterator[None]:
    """Undoes what forward passes change in the modules themselves.

    BigBird, for one, replaces its sparse layers by full ones, for good, when it meets a short text; the trial's must
    not decide how a long one is computed later. The hooks by which transformers collects weights go too, since they
    would stay with the replaced layers.
    """
    plain_values = (str, int, float, bool, type(None))

    def plain(module: Any) -> dict[str, Any]:
        return {name: value for name, value in vars(module).items() if isinstance(value, plain_values)}

    before = [
        (module, dict(module._modules), dict(module._forward_hooks), plain(module)) for module in network.modules()
    ]
    try:
        yield
    finally:
        for module, children, hooks, values in before:
            module._modules.update(children)
            module._forward_hooks.clear()
            module._forward_hooks.update(hooks)
            for name in plain(module).keys() - values.keys():
                del vars(module)[name]
            vars(module).update(values)


def named_max_positions(stack: Any) -> set[int]:
    """What the configuration of a network, an encoder or a decoder calls the most positions, by any of its names."""
    if not hasattr(stack, "config"):
        return set()
    config = text_config(stack)
    names = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len")
    return {limit for limit in (getattr(config, name, None) for name in names) if isinstance(limit, int)}


def max_positions(stack: Any) -> int | None:
    """How many tokens fit into the tables of a network, an encoder or a decoder; None where it has no table.

    >>> max_positions(transformers.RobertaModel(transformers.RobertaConfig(max_position_embeddings=514)))
    512
    """
    named_limits = named_max_positions(stack)
    limits = [
        min(limit, rows - offset)
        for rows, offset in _tables(stack)
        for limit in named_limits
        if limit <= rows <= limit + max(offset, 2)  # any other table is of something else, relative positions say
    ]
    return min(limits, default=None)


def _tables(stack: nn.Module) -> Iterator[tuple[int, int]]:
    """The rows of each table of positions, and how many of them come before the first token's."""
    for name, module in stack.named_modules():
        weight = getattr(module, "weight", None)
        if (
            _of_positions(name)
            and isinstance(weight, Tensor)
            and weight.ndim == 2
            and not isinstance(module, nn.Linear)
        ):
            # RoBERTa and its like start counting behind the padding's index, OPT and BART two further.
            padding, offset = getattr(module, "padding_idx", None), getattr(module, "offset", None)
            yield weight.shape[0], offset if offset is not None else 0 if padding is None else padding + 1
    for name, buffer in stack.named_buffers():
        if _of_positions(name) and buffer.ndim == 2:
            yield buffer.shape[0], 0


def _of_positions(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return "pos" in last or last == "wpe"
