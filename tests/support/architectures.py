"""Tiny, randomly initialised models of every text architecture that transformers knows.

What is here: the list of text model types, a general way to shrink any of their configurations, seeded weights for
which a wrong attention map is visibly wrong, inputs for them, and what eager attention itself returns, as the
reference. What is not here: any use of attnviz, and any special case beyond `OVERRIDES`, which holds only what the
general way cannot know.
"""

import copy
import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any

import torch
from transformers import CONFIG_MAPPING
from transformers.models.auto import modeling_auto

VOCABULARY = 97
FIRST_ORDINARY_ID = 11  # below it lie the special ids of every tiny configuration
LAYERS = 3
HEADS = 4
HEAD_DIM = 8
HIDDEN = HEADS * HEAD_DIM
WINDOW = 4

# Mappings to look a class up in, the preferred one first. A type that is in both the masked and the causal mapping
# (BERT, RoBERTa) has a bidirectional configuration by default, so the masked head is the one that fits.
_MAPPINGS = (
    "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING",
    "MODEL_FOR_MASKED_LM_MAPPING",
    "MODEL_FOR_CAUSAL_LM_MAPPING",
    "MODEL_MAPPING",
    "MODEL_FOR_TEXT_ENCODING_MAPPING",
)

# Types that make sound or pictures out of text, or that need more than a text to run: their classes do not say so.
NOT_TEXT = {
    "bark": "text to speech",
    "bros": "needs the boxes of the words on a page",
    "clvp": "text to speech",
    "dia": "text to speech",
    "evolla": "protein structures",
    "exaone4_5_vision": "a vision tower",
    "fastspeech2_conformer": "text to speech",
    "fastspeech2_conformer_with_hifigan": "text to speech",
    "gemma4_assistant": "drafts with another model's hidden states and caches",
    "gemma4_unified_assistant": "drafts with another model's hidden states and caches",
    "higgs_audio_v2": "text to speech",
    "kyutai_speech_to_text": "speech",
    "moshi": "speech",
    "musicgen": "text to music",
    "musicgen_melody": "text to music",
    "pe_audio": "audio",
    "pe_audio_video": "audio and video",
    "pe_video": "video",
    "vits": "text to speech",
}

# Types whose classes claim to read pictures, for they inherit from a network that does.
TEXT_IN_DISGUISE = {"blt"}

# One small value per attribute name, whatever the architecture. Sizes that meet on one axis of an attention map differ.
SIZES: dict[str, Any] = {
    # widths
    **dict.fromkeys(
        ("hidden_size", "d_model", "n_embd", "dim", "emb_dim", "embedding_size", "word_embed_proj_dim"), HIDDEN
    ),
    "hidden_size_global": HIDDEN,
    **dict.fromkeys(("input_embedding_size", "output_embedding_size", "pooler_hidden_size", "embedding_dim"), HIDDEN),
    **dict.fromkeys(("attention_hidden_size", "lru_width", "prediction_head_size", "entity_emb_size"), HIDDEN),
    **dict.fromkeys(
        ("intermediate_size", "ffn_dim", "decoder_ffn_dim", "encoder_ffn_dim", "d_ff", "dff", "d_inner"), 48
    ),
    **dict.fromkeys(("hidden_dim", "dim_ff", "ffn_hidden_size", "n_inner", "intermediate_size_mlp"), 48),
    **dict.fromkeys(("feed_forward_size", "moe_hidden_size"), 48),
    **dict.fromkeys(("moe_intermediate_size", "shared_expert_intermediate_size", "expert_ffn_hidden_size"), 24),
    **dict.fromkeys(("shared_intermediate_size", "shared_experts_intermediate_size"), 24),
    **dict.fromkeys(("moe_shared_expert_intermediate_size",), 24),
    # layers
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers"), LAYERS),
    **dict.fromkeys(("num_encoder_layers", "num_blocks"), LAYERS),
    **dict.fromkeys(("decoder_layers", "num_decoder_layers"), 2),
    # heads
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads", "attention_heads"), HEADS),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads", "swa_num_attention_heads"), HEADS),
    **dict.fromkeys(("num_encoder_attention_heads", "num_decoder_attention_heads"), HEADS),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads", "swa_num_key_value_heads", "num_query_groups"), 2),
    **dict.fromkeys(("num_global_key_value_heads",), 1),
    **dict.fromkeys(
        ("head_dim", "d_kv", "d_head", "dim_head", "swa_head_dim", "kv_channels", "attention_head_dim"), HEAD_DIM
    ),
    **dict.fromkeys(("attention_head_size", "global_head_dim", "swa_v_head_dim"), HEAD_DIM),
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "qk_head_dim": 12,
    "v_head_dim": 6,
    "kv_lora_rank": 10,
    "q_lora_rank": 14,
    "o_lora_rank": 6,
    "o_groups": 2,
    "rotary_dim": 4,
    # experts
    **dict.fromkeys(("num_experts", "n_routed_experts", "num_local_experts", "moe_num_experts", "zero_expert_num"), 4),
    **dict.fromkeys(("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_k"), 2),
    **dict.fromkeys(("n_shared_experts", "num_shared_experts", "moe_num_shared_experts"), 1),
    **dict.fromkeys(("n_group", "num_expert_group"), 2),
    "topk_group": 1,
    "expert_capacity": 64,
    "first_k_dense_replace": 1,
    "num_dense_layers": 1,
    "moe_layer_start_index": 1,
    "moe_layer_end_index": 2,
    "router_hidden_size": 16,
    # vocabularies and positions
    "vocab_size": VOCABULARY,
    "src_vocab_size": VOCABULARY,
    "tgt_vocab_size": VOCABULARY,
    "decoder_vocab_size": VOCABULARY,
    "unpadded_vocab_size": VOCABULARY,
    "vocab_size_per_layer_input": VOCABULARY,
    **dict.fromkeys(("max_position_embeddings", "n_positions", "n_ctx", "max_seq_len", "model_max_length"), 128),
    **dict.fromkeys(
        ("max_encoder_position_embeddings", "max_decoder_position_embeddings", "max_source_positions"), 128
    ),
    **dict.fromkeys(("context_length", "original_max_position_embeddings", "tpu_short_seq_length"), 128),
    "entity_vocab_size": 13,
    "hidden_size_per_layer_input": 6,
    "floor_scale": 5,
    # sparse indexers
    "index_head_dim": 8,
    "index_n_heads": 2,
    # recurrent and convolutional layers
    **dict.fromkeys(("linear_num_key_heads", "linear_num_value_heads", "linear_num_heads"), 2),
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim", "linear_head_dim"), 8),
    **dict.fromkeys(("mamba_n_heads", "mamba_num_heads", "n_mamba_heads"), 8),
    **dict.fromkeys(("mamba_d_head", "mamba_head_dim", "mamba_headdim"), 8),
    **dict.fromkeys(("mamba_d_state", "state_size", "ssm_state_size"), 6),
    **dict.fromkeys(("mamba_dt_rank", "time_step_rank"), 4),
    **dict.fromkeys(("mamba_n_groups", "n_groups", "mamba_ngroups"), 1),
    "mamba_d_ssm": 64,
    **dict.fromkeys(("mamba_chunk_size", "chunk_size", "block_size"), 8),
    # periods of mixed layers
    **dict.fromkeys(("attn_layer_period", "expert_layer_period", "layer_group_size", "no_rope_layer_interval"), 2),
    **dict.fromkeys(("sliding_window_pattern", "_sliding_window_pattern", "global_attn_every_n_layers"), 2),
    **dict.fromkeys(("attn_layer_offset", "expert_layer_offset"), 1),
    **dict.fromkeys(("encoder_sparse_step", "decoder_sparse_step", "interleave_moe_layer_step"), 2),
    # scales of queries and logits that the defaults derive from the large sizes
    "query_pre_attn_scalar": HEAD_DIM,
    "attention_multiplier": 0.4,
}
# How far a layer with a window, a chunk or a choice of keys can see.
WINDOWS = (
    *("sliding_window", "sliding_window_size", "attention_window", "attention_chunk_size", "attention_window_size"),
    *("local_attention", "window_size", "keep_window_size", "index_topk", "indexer_budget"),
    *("local_attn_chunk_length", "lsh_attn_chunk_length"),
)
_QUERY_OR_KEY = re.compile(
    r"(^|[._])(q|k|query|key|q_\w+|k_\w+|wq|wk|to_q|to_k|qkv\w*|query_key_value|c_attn|Wqkv)[._]"
)
_SPECIAL_IDS = {"bos": 0, "pad": 1, "eos": 2, "sep": 3, "mask": 4, "cls": 5, "decoder_start": 2, "unk": 6}

_BERT = {
    "hidden_size": HIDDEN,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": 48,
    "vocab_size": VOCABULARY,
    "max_position_embeddings": 128,
    "pad_token_id": 1,
}

_GPT2 = {
    **{"n_embd": HIDDEN, "n_layer": 2, "n_head": HEADS, "n_positions": 128},
    **{"vocab_size": VOCABULARY, "bos_token_id": 0, "eos_token_id": 2},
}

# Sizes that are unset by default and that a network cannot be built, or a window not be seen, without.
_NEEDED = {"head_dim", "n_routed_experts", "n_shared_experts", "num_experts_per_tok", "vocab_size"}

# What the general way cannot know, by type.
_DEFAULT_ROPE = {"rope_type": "default", "rope_theta": 10_000.0}
OVERRIDES: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1, 2]},
    # Sparse only for more than (5 + 2 * num_random_blocks) * block_size tokens; larger blocks would pad the text.
    "big_bird": {"block_size": 1, "num_random_blocks": lambda window: window // 3},
    "bigbird_pegasus": {"block_size": 1, "num_random_blocks": lambda window: window // 3},
    "blt": {"encoder_hash_byte_group_vocab": 101, "encoder_hash_byte_group_size": [3]},
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "rope_parameters": {
            "sliding_attention": {**_DEFAULT_ROPE, "mrope_section": [2, 1, 1]},
            "full_attention": {**_DEFAULT_ROPE, "mrope_section": [2, 1, 1]},
        },
    },
    "dbrx": {
        "attn_config": {"kv_n_heads": 2, "rope_theta": 10_000.0, "clip_qkv": 8.0},
        "ffn_config": {"ffn_hidden_size": 24, "moe_num_experts": 4, "moe_top_k": 2},
    },
    "dots3_note_text": {
        "swa_num_attention_heads": HEADS,
        "swa_num_key_value_heads": HEADS,
        "swa_q_lora_rank": 14,
        "swa_kv_lora_rank": 10,
        "swa_head_dim": 12,
        "swa_qk_nope_head_dim": 8,
        "swa_v_head_dim": 6,
    },
    "embedding_gemma2_text": {"global_head_dim": 16},
    "encoder-decoder": {
        "encoder": {"model_type": "bert", **_BERT},
        "decoder": {
            "model_type": "bert",
            **_BERT,
            "num_hidden_layers": 2,
            "is_decoder": True,
            "add_cross_attention": True,
        },
        "decoder_start_token_id": 2,
        "pad_token_id": 1,
    },
    "esm": {"pad_token_id": 1, "mask_token_id": 4},
    "esmc": {"num_key_value_heads": HEADS},
    "fsmt": {"scale_embedding": False},
    "gemma3n_text": {
        # The last layers reuse the keys of the last earlier layer of their own kind.
        "num_hidden_layers": 4,
        "num_kv_shared_layers": 2,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "activation_sparsity_pattern": [0.5, 0.0, 0.0, 0.0],
        "intermediate_size": [48] * 4,
    },
    "gemma4_text": {"global_head_dim": 16},
    "gemma4_unified_text": {"global_head_dim": 16},
    "glm4v_moe_text": {"rope_parameters": {**_DEFAULT_ROPE, "partial_rotary_factor": 0.5, "mrope_section": [1, 1, 0]}},
    "glm5_next_text": {"index_kpool": 2, "num_key_value_heads": HEADS, "qk_rope_head_dim": 0},
    "gpt_neo": {"num_layers": 4, "attention_types": [[["global", "local"], 2]]},
    "granitemoehybrid": {"layer_types": ["linear_attention", "full_attention", "full_attention"]},
    "laguna": {"num_attention_heads_per_layer": None},
    "lfm2": {"layer_types": ["conv", "full_attention", "full_attention"]},
    "lfm2_moe": {"layer_types": ["conv", "full_attention", "full_attention"]},
    "lilt": {"hidden_size": 48, "channel_shrink_ratio": 2},
    "longcat_flash": {"head_dim": 4},
    "longt5": {"local_radius": lambda window: window // 2},
    "mamba2": {"num_heads": 8},
    "mistral4": {"rope_parameters": None},
    "mobilebert": {"normalization_type": "layer_norm"},
    "nemotron": {"num_key_value_heads": 2},
    "qwen4_exp_text": {
        "indexer_n_heads": 2,
        "indexer_kv_heads": 1,
        "indexer_head_dim": HEAD_DIM,
        "indexer_compress_ratio": 2,
    },
    "reformer": {
        "axial_pos_shape": [8, 16],
        "axial_pos_embds_dim": [12, 20],
        "attn_layers": ["local", "lsh", "local"],
        "hash_seed": 0,
    },
    "roc_bert": {
        "pronunciation_vocab_size": VOCABULARY,
        "shape_vocab_size": VOCABULARY,
        "pronunciation_embed_dim": 12,
        "shape_embed_dim": 12,
    },
    "xlstm": {"hidden_size": 128, "embedding_dim": 128},  # its cache rounds head sizes up to multiples of 64
    "xmod": {"default_language": "en_XX"},
    "zamba": {
        # One block of weights serves every hybrid layer, so there are two of them.
        "layers_block_type": ["linear_attention", "hybrid", "linear_attention", "hybrid"],
        "num_hidden_layers": 4,
        "attention_hidden_size": 2 * HIDDEN,
        "attention_head_dim": 2 * HEAD_DIM,
    },
    "zamba2": {
        "layers_block_type": ["linear_attention", "hybrid", "linear_attention", "hybrid"],
        "num_hidden_layers": 4,
    },
    "zaya": {"num_experts_per_tok": 1, "layer_types": ["hybrid_sliding", "hybrid", "hybrid_sliding"]},
}


# Settings that make another architecture of a type: "type/what is different".
VARIANTS: dict[str, dict[str, Any]] = {
    "bert/decoder": {"is_decoder": True},
    "roberta/decoder": {"is_decoder": True},
    "big_bird/full": {"block_size": 64},  # as for every short text: the model leaves its sparse attention by itself
    "bigbird_pegasus/full": {"block_size": 64},
    "encoder-decoder/gpt2": {
        "encoder": {"model_type": "bert", **_BERT},
        "decoder": {"model_type": "gpt2", **_GPT2, "is_decoder": True, "add_cross_attention": True},
    },
    "esm/rotary": {"position_embedding_type": "rotary"},
    "falcon/alibi": {"alibi": True},
    "falcon/grouped": {"new_decoder_architecture": True, "num_kv_heads": 2},
    "gpt2/layer scale": {"scale_attn_by_inverse_layer_idx": True},
    "gpt2/upcast": {"reorder_and_upcast_attn": True},
    "gpt_bigcode/many keys": {"multi_query": False},
    "gpt_neox/parallel": {"use_parallel_residual": False},
    "granitemoehybrid/rotary": {"position_embedding_type": "rope"},
    "llama/one key head": {"num_key_value_heads": 1},
    "llama/all key heads": {"num_key_value_heads": HEADS},
    "longt5/global": {"encoder_attention_type": "transient-global"},
    "mpt/no alibi": {"attn_config": {"alibi": False}},
    "persimmon/no norm": {"qk_layernorm": False},
    "t5/one stack deeper": {"num_layers": 2, "num_decoder_layers": 4},
    "xlm/causal": {"causal": True},
}

# Why eager attention of a fresh model gives no map of each layer. Everything else in the sweep has one.
UNMAPPED = {
    "canine": "pools the text between its layers",
    "deepseek_v4": "some layers add keys that stand for several tokens",
    "falcon_mamba": "no attention",
    "falcon/alibi": "eager attention adds the position bias twice, so its maps are not those of the model",
    "fnet": "Fourier transforms in place of attention",
    "funnel": "pools the text between its layers",
    "led": "encoder rows hold a band around the token",
    "longformer": "rows hold a band around the token",
    "longt5": "encoder rows are cut into blocks",
    "longt5/global": "encoder rows are cut into blocks",
    "mamba": "no attention",
    "mamba2": "no attention",
    "minimax": "entries of linear layers are recurrent states",
    "mra": "returns none",
    "pegasus_x": "encoder rows are split into local and global ones",
    "prophetnet": "encoder and cross entries are scores before softmax, cross with rows of several streams",
    "reformer": "rows are cut into chunks and sorted by hash",
    "rwkv": "entries are recurrent states",
    "squeezebert": "entries are scores before softmax",
    "xlstm": "no attention",
    "yoso": "entries are hidden states",
}


def text_model_types() -> list[str]:
    """Names of all model types with a class that reads token ids and nothing else, sorted."""
    names = set().union(*(getattr(modeling_auto, mapping + "_NAMES") for mapping in _MAPPINGS))
    return sorted(name for name in names if name not in NOT_TEXT and _model_class(name) is not None)


@functools.cache
def _model_class(model_type: str, causal: bool = False) -> type[torch.nn.Module] | None:
    """The class to build for a type, the one with a language head where there is one; None if the type is not text."""
    config_class = CONFIG_MAPPING[model_type]
    candidates = []
    for mapping in ("MODEL_FOR_CAUSAL_LM_MAPPING",) if causal else _MAPPINGS:
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
    arguments = {name: SIZES[name] for name in values.keys() & SIZES if _is_number(values[name]) or name in _NEEDED}
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
            special = _SPECIAL_IDS.get(name.removesuffix("_token_id").removesuffix("_token_index"), 7)
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
            gain = 1.8 if _QUERY_OR_KEY.search(name) and not unscaled else 1.0
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
