"""Tiny, randomly initialised models of every text architecture that transformers knows.

What is here: a general way to shrink any of their configurations, seeded weights for which a wrong attention map is
visibly wrong, inputs for them, and what eager attention itself returns, as the reference. What is not here: any use of
attnviz, and any special case: `OVERRIDES` in `support.architecture_settings` holds what the general way cannot know.
"""

import copy
import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch
from transformers import CONFIG_MAPPING
from transformers.models.auto import modeling_auto

from support.architecture_settings import (
    FIRST_ORDINARY_ID,
    HEADS,
    LAYERS,
    MODEL_MAPPINGS,
    NEEDED,
    NOT_TEXT,
    OVERRIDES,
    QUERY_OR_KEY,
    SIZES,
    SPECIAL_IDS,
    TEXT_IN_DISGUISE,
    VARIANTS,
    VOCABULARY,
    WINDOW,
    WINDOWS,
)


def find_text_model_types() -> list[str]:
    """Names of all model types with a class that reads token ids and nothing else, sorted.

    It imports the code of every model of transformers, which takes seconds.
    """
    names = set().union(*(getattr(modeling_auto, mapping + "_NAMES") for mapping in MODEL_MAPPINGS))
    return sorted(name for name in names if name not in NOT_TEXT and _model_class(name) is not None)


@functools.cache
def _model_class(model_type: str, causal: bool = False) -> type[torch.nn.Module] | None:
    """The class to build for a type, the one with a language head where there is one; None if the type is not text."""
    config_class = CONFIG_MAPPING[model_type]
    candidates = []
    for mapping in ("MODEL_FOR_CAUSAL_LM_MAPPING",) if causal else MODEL_MAPPINGS:
        if model_type not in getattr(modeling_auto, mapping + "_NAMES"):
            continue
        try:
            found = getattr(modeling_auto, mapping)[config_class]
            found = found[0] if isinstance(found, tuple) else found
            # A composite's class with the configuration of its text part: that part is a type of its own.
            part = config_class.sub_configs and not issubclass(config_class, found.config_class)
            if found.main_input_name == "input_ids" and not part:
                candidates.append(found)
        except (ImportError, KeyError, ValueError):  # a missing optional package, or a name that leads nowhere
            continue
    # One class that reads text only is enough: the heads of some text towers inherit the modalities of a composite.
    claims = [found.input_modalities for found in candidates]
    text = {"text"} in [{claim} if isinstance(claim, str) else set(claim) for claim in claims]
    if candidates and (text or model_type.endswith("_text") or model_type in TEXT_IN_DISGUISE):
        return candidates[0]
    return None


def config(model_type: str, *, window: int = WINDOW) -> Any:
    """The tiny configuration of a type or variant; `window` is even."""
    name = model_type.split("/")[0]
    overrides = OVERRIDES.get(name, {}) | VARIANTS.get(model_type, {})
    overrides = {key: value(window) if callable(value) else value for key, value in overrides.items()}
    config_class = CONFIG_MAPPING[name]
    return config_class(**_shrunk(config_class, overrides, window))


def _shrunk(config_class: type, overrides: dict[str, Any], window: int) -> dict[str, Any]:
    """Arguments that make a configuration tiny; every kind of layer that its default mixes stays in."""
    parts = _shrunk_parts(config_class, overrides, window)
    default = config_class(**parts)
    values = {item.name: _value(default, item.name) for item in fields(config_class)}
    arguments = {name: SIZES[name] for name in values.keys() & SIZES if _is_number(values[name]) or name in NEEDED}
    # A window that is unset by default is set too: the architecture has it, and it must show.
    arguments |= {name: window for name in values.keys() & set(WINDOWS) if not isinstance(values[name], list)}
    if "use_sliding_window" in values:
        arguments["use_sliding_window"] = True
    if {"kv_lora_rank", "num_key_value_heads"} <= values.keys():
        arguments["num_key_value_heads"] = HEADS  # latent attention expands to one key per query head
    return arguments | _special_ids(values) | _layer_lists(values) | _rope(config_class, values) | parts | overrides


def _shrunk_parts(config_class: type, overrides: dict[str, Any], window: int) -> dict[str, Any]:
    """Tiny configurations of the parts, an encoder and a decoder say, that have configurations of their own."""
    parts = {}
    for name, part in config_class.sub_configs_defaults.items():
        if name in overrides:
            parts[name] = overrides[name]
        elif is_dataclass(part.config_class):
            parts[name] = part.config_class(**_shrunk(part.config_class, {}, window))
    return parts


def _value(default: Any, name: str) -> Any:
    """The default of one attribute; the class's own where layers differ in it and the instance refuses to name one."""
    try:
        return getattr(default, name, None)
    except Exception:
        return next(item.default for item in fields(default) if item.name == name)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _special_ids(values: dict[str, Any]) -> dict[str, Any]:
    """Special token ids inside the small vocabulary, where the default has any."""
    ids = {}
    for name, value in values.items():
        if name.endswith(("_token_id", "_token_index")) and value is not None and not isinstance(value, bool):
            special = SPECIAL_IDS.get(name.removesuffix("_token_id").removesuffix("_token_index"), 7)
            ids[name] = [special] if isinstance(value, list) else special
    return ids


def _layer_lists(values: dict[str, Any]) -> dict[str, Any]:
    """Per-layer lists cut down to the first layer of each distinct kind, then filled up to `LAYERS` in their order."""
    count_name = next((n for n in ("num_hidden_layers", "n_layer", "num_layers", "n_layers") if values.get(n)), None)
    count = values[count_name] if count_name else 0
    if count <= LAYERS:
        return {}
    lists = {name: list(v) for name, v in values.items() if isinstance(v, list | tuple) and len(v) == count}
    rows = [tuple(map(str, row)) for row in zip(*lists.values(), strict=True)]
    if not rows or len(set(rows)) == count:
        return {}
    if set(lists.get("layer_types", ())) == {"full_attention"} and "sliding_window" in values:
        lists["layer_types"] = ["sliding_attention", "full_attention"] * count  # both are possible, so have both
        rows = [tuple(map(str, row)) for row in zip(*lists.values(), strict=False)]
    chosen = {rows.index(row) for row in rows}
    chosen |= set([index for index in range(count) if index not in chosen][: max(0, LAYERS - len(chosen))])
    return {count_name: len(chosen)} | {name: [v[index] for index in sorted(chosen)] for name, v in lists.items()}


def _rope(config_class: type, values: dict[str, Any]) -> dict[str, Any]:
    """Rotary parameters that fit a small head: a base where the default has none, sections of multi-axis positions."""
    rope = copy.deepcopy(values.get("rope_parameters"))
    if not isinstance(rope, dict):
        return {}
    if "rope_type" in rope and rope.get("rope_theta") is None:
        rope["rope_theta"] = 10_000.0
    if "mrope_section" in (getattr(config_class, "ignore_keys_at_rope_validation", None) or ()):
        rope["mrope_section"] = [2, 1, 1]  # half a head; text has the same position on every axis
    return {"rope_parameters": rope}


def build(model_type: str, *, seed: int = 0, window: int = WINDOW, attention: str | None = None) -> torch.nn.Module:
    """A tiny model of the type or variant, in float32 and evaluation mode, with weights drawn from the seed.

    `attention` is the attention implementation to build with; None leaves the choice to transformers.
    """
    torch.manual_seed(seed)
    tiny = config(model_type, window=window)
    if attention is not None:
        tiny._attn_implementation = attention
    causal = bool(VARIANTS.get(model_type, {}).get("is_decoder"))
    network = _model_class(model_type.split("/")[0], causal)(tiny)
    _draw_weights(network, torch.Generator().manual_seed(seed + 1))
    return network.float().eval()


@torch.no_grad()
def _draw_weights(network: torch.nn.Module, generator: torch.Generator) -> None:
    """Weights that keep activations near one and make attention far from uniform; nothing stays zero.

    The usual initial range of 0.02 gives nearly uniform maps, and biases, sinks or gates that start at zero
    would hide that a map ignores them.
    """
    unscaled = any(getattr(module, "scaling", None) == 1.0 for module in network.modules())  # T5 and its kin
    embeddings = {id(m.weight) for m in network.modules() if isinstance(m, torch.nn.Embedding)}
    for name, parameter in network.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if id(parameter) in embeddings:
            parameter.copy_(noise)
        elif parameter.dim() >= 2:
            # Queries and keys weigh more than the rest, else attention averages all tokens into one within a few
            # layers; but where scores are not divided by the root of the head's size, they are large as it is.
            gain = 1.8 if QUERY_OR_KEY.search(name) and not unscaled else 1.0
            parameter.copy_(noise * gain / max(parameter.shape[1:]) ** 0.5)
        elif not parameter.isfinite().all():
            parameter.copy_(noise)
        elif parameter.numel() > 0 and (parameter == parameter.flatten()[0]).all():
            parameter.add_(0.3 * noise)  # norms around one, biases around zero; what varies already has a meaning


def inputs(
    network: torch.nn.Module, *, length: int = 13, target_length: int = 7, seed: int = 0
) -> dict[str, torch.Tensor]:
    """Token ids, (1, length), without special ones; for an encoder–decoder also decoder ids, (1, target_length)."""
    generator = torch.Generator().manual_seed(seed)
    ids = torch.randint(FIRST_ORDINARY_ID, VOCABULARY, (1, length), generator=generator)
    if not network.config.is_encoder_decoder:
        return {"input_ids": ids}
    target_ids = torch.randint(FIRST_ORDINARY_ID, VOCABULARY, (1, target_length), generator=generator)
    return {"input_ids": ids, "decoder_input_ids": target_ids}


@dataclass
class Reference:
    """What freshly built models give by themselves.

    Attributes:
        maps: by kind, for each layer the (head, query, key) weights of eager attention.
        refusals: by kind, why eager's entries are not the maps of every layer; such a kind is not in `maps`.
        logits: (sequence, vocabulary) with the attention that transformers chooses; None without a language head.
    """

    maps: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    refusals: dict[str, str] = field(default_factory=dict)
    logits: torch.Tensor | None = None


def reference(model_type: str, *, length: int = 13, window: int = WINDOW) -> Reference:
    """The logits of the model as it is and the weights of its eager attention, for the standard inputs."""
    plain = build(model_type, window=window)
    eager = build(model_type, window=window, attention="eager")
    given = inputs(plain, length=length)
    with torch.no_grad():
        own = plain(**given, use_cache=False)
        # BigBird replaces its attention modules in its first pass, and only a later one reports their weights.
        eager(**given, use_cache=False)
        output = eager(**given, output_attentions=True, use_cache=False)
    _count_first_block(eager, output)
    source, found = given["input_ids"].shape[1], Reference()
    found.logits = own["logits"][0] if "logits" in own else None
    if eager.config.is_encoder_decoder:
        target = given["decoder_input_ids"].shape[1]
        wanted = {"encoder": (source, source), "decoder": (target, target), "cross": (target, source)}
        entries = {kind: output.get(f"{kind}_attentions") for kind in wanted}
    else:
        entries = {"decoder" if _is_causal(output.get("attentions")) else "encoder": output.get("attentions")}
        wanted = dict.fromkeys(entries, (source, source))
    same = torch.allclose(own[0], output[0], atol=1e-3, rtol=1e-3)
    for kind, maps in entries.items():
        reason = _no_maps(maps, *wanted[kind]) if same else "eager attention computes something else than the model"
        if reason:
            found.refusals[kind] = reason
        else:
            found.maps[kind] = [item[0] for item in maps]
    return found


def _count_first_block(network: torch.nn.Module, output: Any) -> None:
    """In its sparse layers BigBird gives the first block several times to each query, and reports it once."""
    sparse = next((module for module in network.modules() if hasattr(module, "num_random_blocks")), None)
    if sparse is not None:
        size = sparse.block_size
        for maps in (output.get("attentions"), output.get("encoder_attentions")):
            for weights in maps or ():
                weights[:, :, size:-size, :size] *= 1 + sparse.num_random_blocks


def _is_causal(maps: Sequence[Any] | None) -> bool:
    """Whether no query sees a later key: what tells a GPT from a BERT whatever its class is called."""
    return bool(maps) and all(isinstance(item, torch.Tensor) and not item.triu(1).any() for item in maps)


def _no_maps(maps: Sequence[Any] | None, queries: int, keys: int) -> str:
    """Why these entries are not a map of weights, query by key, for each layer; empty if they are."""
    if not maps or any(item is None for item in maps):
        return "no attention weights"
    for item in maps:
        if not isinstance(item, torch.Tensor) or item.dim() != 4 or item.shape[-2:] != (queries, keys):
            return "not one row per query and one column per key"
        if item.shape != maps[0].shape:
            return "layers differ in their heads"
        # Sinks and left out prompts take their share of a row, so a sum below one is fine.
        if (item < 0).any() or (item.sum(-1) > 1 + 1e-4).any():
            return "not weights: rows are negative or sum to more than one"
    return ""
