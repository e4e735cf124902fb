"""What a recording says where it has not what it is asked for."""

from __future__ import annotations

from attnviz.errors import InputError, MemoryShortError, Message, NoAttentionError

_NAMES = {
    "query": Message("query vectors"),
    "key": Message("key vectors"),
    "value": Message("value vectors"),
    "scores": Message("scores"),
    "weights": Message("weights"),
}


def no_kind(kinds: tuple[str, ...], kind: str) -> InputError:
    """There is no such kind of attention."""
    return InputError(
        "This recording has {0} attention, not {1!r}. Choose one of {2}.", " and ".join(kinds), kind, kinds
    )


def no_layer(kind: str, layers: int, layer: int, own: str) -> InputError:
    """There is no such layer; `own` are the model's numbers of the layers where it counts more of them, or ""."""
    if own:
        return InputError(
            "The {0} has layers 0 to {1} (the model's layers {2}: only those with attention are counted), not {3}.",
            kind,
            layers - 1,
            own,
            layer,
        )
    return InputError("The {0} has layers 0 to {1}, not {2}.", kind, layers - 1, layer)


def no_head(kind: str, heads: int, head: int, layer: int | None) -> InputError:
    """There is no such head in a layer, which is named where others have another number of heads."""
    if layer is None:
        return InputError("A layer of the {0} has heads 0 to {1}, not {2}.", kind, heads - 1, head)
    return InputError("Layer {0} of the {1} has heads 0 to {2}, not {3}.", layer, kind, heads - 1, head)


def not_kept(layer: int, kept: frozenset[int]) -> InputError:
    """A layer was left out of the recording."""
    return InputError(
        "Layer {0} was not kept: the recording was made with the layers {1} only. Record the text again with it.",
        layer,
        ", ".join(map(str, sorted(kept))),
    )


def not_captured_error(model: str, quantity: str) -> NoAttentionError:
    """Only weights were captured, not the vectors ("query", "key", "value") or the "scores"."""
    return NoAttentionError(
        "{0} computes its attention inside its own code, so only the weights are known, not the {1}. Choose a model "
        "that uses transformers' attention interface to see them.",
        model or Message("This model"),
        _NAMES[quantity],
    )


def memory_error(quantity: str, heads: int, queries: int, keys: int) -> MemoryShortError:
    """Memory is too short for the "scores" or "weights" of all that was asked for."""
    facts = (_NAMES[quantity], heads, queries, keys, heads * queries * keys * 4 / 1e9)
    return MemoryShortError(
        "The {0} of {1:,} heads for {2:,} queries and {3:,} keys need {4:,.1f} GB, more than is free. Ask for one "
        "head, or for a picture of it with `pooled`, which needs next to nothing.",
        *facts,
        on_page=Message(
            "The {0} of {1:,} heads for {2:,} queries and {3:,} keys need {4:,.1f} GB, more than is free. Shorten the "
            "text, or choose a smaller model.",
            *facts,
        ),
    )
