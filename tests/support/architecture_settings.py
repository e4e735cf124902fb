"""Settings that shrink the architectures that transformers knows, and what is known of single ones."""

import re
from typing import Any

VOCABULARY = 97
FIRST_ORDINARY_ID = 11  # below it lie the special ids of every tiny configuration
LAYERS = 3
HEADS = 4
HEAD_DIM = 8
HIDDEN = HEADS * HEAD_DIM
WINDOW = 4

# Mappings to look a class up in, the preferred one first. A type that is in both the masked and the causal mapping
# (BERT, RoBERTa) has a bidirectional configuration by default, so the masked head is the one that fits.
MODEL_MAPPINGS = (
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
QUERY_OR_KEY = re.compile(r"(^|[._])(q|k|query|key|q_\w+|k_\w+|wq|wk|to_q|to_k|qkv\w*|query_key_value|c_attn|Wqkv)[._]")
SPECIAL_IDS = {"bos": 0, "pad": 1, "eos": 2, "sep": 3, "mask": 4, "cls": 5, "decoder_start": 2, "unk": 6}

BERT_SETTINGS = {
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
NEEDED = {"head_dim", "n_routed_experts", "n_shared_experts", "num_experts_per_tok", "vocab_size"}

# What the general way cannot know, by type.
DEFAULT_ROPE = {"rope_type": "default", "rope_theta": 10_000.0}
OVERRIDES: dict[str, dict[str, Any]] = {
    "bamba": {"attn_layer_indices": [1, 2]},
    # Sparse only for more than (5 + 2 * num_random_blocks) * block_size tokens; larger blocks would pad the text.
    "big_bird": {"block_size": 1, "num_random_blocks": lambda window: window // 3},
    "bigbird_pegasus": {"block_size": 1, "num_random_blocks": lambda window: window // 3},
    "blt": {"encoder_hash_byte_group_vocab": 101, "encoder_hash_byte_group_size": [3]},
    "cohere_compass_text": {
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        "rope_parameters": {
            "sliding_attention": {**DEFAULT_ROPE, "mrope_section": [2, 1, 1]},
            "full_attention": {**DEFAULT_ROPE, "mrope_section": [2, 1, 1]},
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
        "encoder": {"model_type": "bert", **BERT_SETTINGS},
        "decoder": {
            "model_type": "bert",
            **BERT_SETTINGS,
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
    "glm4v_moe_text": {"rope_parameters": {**DEFAULT_ROPE, "partial_rotary_factor": 0.5, "mrope_section": [1, 1, 0]}},
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
        "encoder": {"model_type": "bert", **BERT_SETTINGS},
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

# Whose eager attention reports weights that sum to 1 although a part of each row goes to a sink: the output is scaled.
SINK_NOT_REPORTED = ("granite_swa", "granitemoe_swa")

# Why the weights of eager attention cannot be compared with what a layer puts out: a proof needs one head's values and
# its weighted sum where a module reads or gives them.
UNPROVED = {
    "axk2": "the sum meets a gate, half of a fused projection, before any module reads it",
    "cpmant": "reads a prompt of its own before the text, so modules see other rows than the maps have",
    "deberta": "the values get a bias outside of any module, so no module gives those that are summed",
    "dots3_note_text": "the sum meets a gate, one number a head and token, before any module reads it",
    "hy_v4": "the sum meets a gate, one number a column, before any module reads it",
    "inkling2_text": "the sum meets a gate, one number a column, before any module reads it",
    "nystromformer": "a convolution of the values is added to the sum before any module reads it",
    "xlnet": "the values are a product with a bare matrix, which no module gives",
}
