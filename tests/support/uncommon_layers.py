"""Tiny networks whose layers are not all alike: some without attention, some with more heads than others."""

from __future__ import annotations

from typing import Any

import torch
import transformers

from support import tiny_models

_SIZE = {"hidden_size": 32, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 48}
_JAMBA = {
    "num_hidden_layers": 8, "attn_layer_period": 4, "attn_layer_offset": 2, "num_experts": 1, "num_experts_per_tok": 1,
    "mamba_d_state": 4, "mamba_expand": 1, "mamba_dt_rank": 4,
}  # fmt: skip
_LAGUNA = {
    "head_dim": 8, "num_hidden_layers": 3, "num_attention_heads_per_layer": [4, 6, 4], "num_experts": 4,
    "num_experts_per_tok": 2, "layer_types": ["full_attention"] * 3, "mlp_layer_types": ["dense"] * 3,
    "moe_intermediate_size": 24,
}  # fmt: skip


def hybrid(vocabulary: int = 97) -> Any:
    """Jamba, whose layers 2 and 6 of 0 to 7 are those with attention."""
    return _built("jamba", vocab_size=vocabulary, **_JAMBA)


def uneven(vocabulary: int = 97) -> Any:
    """Laguna with 4, 6 and 4 heads."""
    return _built("laguna", vocab_size=vocabulary, **_LAGUNA)


def _built(model_type: str, **settings: Any) -> Any:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.CONFIG_MAPPING[model_type](**_SIZE | settings)
        network = transformers.AutoModelForCausalLM.from_config(config)
    tiny_models.draw(network)
    return network.eval()
