"""Tiny random networks by name, and what their own eager attention gives.

Axes have sizes that differ (layers 2 or 3, heads 5, head_dim 6, 13 source and 7 target tokens; six heads and two key
heads where queries share keys), and weights that make attention far from uniform, so that a swapped axis shows.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import Any

import torch
import transformers
from torch import Tensor, nn

# More threads than one only wait for each other at these sizes.
torch.set_num_threads(1)

VOCABULARY = 101
LAYERS, DECODER_LAYERS, HEADS, HEAD_DIM, WINDOW = 3, 2, 5, 6, 4
WIDTH = HEADS * HEAD_DIM
LENGTH, TARGET_LENGTH = 13, 7
POSITIONS = 47

_BERT = {
    "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS, "intermediate_size": 41,
    "max_position_embeddings": POSITIONS,
}  # fmt: skip
_GROUPED = {
    "hidden_size": 60, "num_hidden_layers": LAYERS, "num_attention_heads": 6, "num_key_value_heads": 2, "head_dim": 10,
    "intermediate_size": 41, "max_position_embeddings": POSITIONS, "bos_token_id": 0, "eos_token_id": 2,
}  # fmt: skip
_BART = {
    "d_model": WIDTH, "encoder_layers": LAYERS, "decoder_layers": DECODER_LAYERS, "encoder_attention_heads": HEADS,
    "decoder_attention_heads": HEADS, "encoder_ffn_dim": 41, "decoder_ffn_dim": 43,
    "max_position_embeddings": POSITIONS, "bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2,
    "forced_eos_token_id": 2,
}  # fmt: skip
_WINDOWS = {"sliding_window": WINDOW, "layer_types": ["sliding_attention", "full_attention", "sliding_attention"]}

# Name: the class with a head, and what makes it tiny.
NETWORKS: dict[str, tuple[str, dict[str, Any]]] = {
    "bert": ("BertForMaskedLM", _BERT),
    "roberta": ("RobertaForMaskedLM", _BERT),
    "distilbert": ("DistilBertForMaskedLM", {
        "dim": WIDTH, "n_layers": LAYERS, "n_heads": HEADS, "hidden_dim": 41, "max_position_embeddings": POSITIONS,
    }),
    "electra": ("ElectraForMaskedLM", _BERT | {"embedding_size": 17}),
    "albert": ("AlbertForMaskedLM", _BERT | {"embedding_size": 17}),
    "modernbert": ("ModernBertForMaskedLM", _BERT | {
        "local_attention": WINDOW, "global_attn_every_n_layers": 2, "pad_token_id": 1, "bos_token_id": 0,
        "eos_token_id": 2, "cls_token_id": 0, "sep_token_id": 2,
    }),
    "gpt2": ("GPT2LMHeadModel", {
        "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "n_positions": POSITIONS, "bos_token_id": 0,
        "eos_token_id": 0,
    }),
    "gpt_neox": ("GPTNeoXForCausalLM", _BERT | {"rotary_pct": 1.0, "bos_token_id": 0, "eos_token_id": 2}),
    "opt": ("OPTForCausalLM", {
        "hidden_size": WIDTH, "word_embed_proj_dim": WIDTH, "num_hidden_layers": LAYERS, "num_attention_heads": HEADS,
        "ffn_dim": 41, "max_position_embeddings": POSITIONS,
    }),
    "llama": ("LlamaForCausalLM", _GROUPED),
    "mistral": ("MistralForCausalLM", _GROUPED | {"sliding_window": WINDOW}),
    "qwen3": ("Qwen3ForCausalLM", _GROUPED),
    "gemma2": ("Gemma2ForCausalLM", _GROUPED | _WINDOWS | {"attn_logit_softcapping": 2.0, "query_pre_attn_scalar": 10}),
    "gemma3": ("Gemma3ForCausalLM", _GROUPED | _WINDOWS | {"query_pre_attn_scalar": 10}),
    "gpt_oss": ("GptOssForCausalLM", _GROUPED | _WINDOWS | {
        # Products of grouped experts need strides of 16 bytes, in half precision too.
        "hidden_size": 64, "intermediate_size": 48, "num_local_experts": 4, "num_experts_per_tok": 2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0},
    }),
    "phi3": ("Phi3ForCausalLM", _GROUPED | {"pad_token_id": 1, "original_max_position_embeddings": POSITIONS}),
    "t5": ("T5ForConditionalGeneration", {
        "d_model": WIDTH, "d_kv": HEAD_DIM, "d_ff": 41, "num_layers": LAYERS, "num_decoder_layers": DECODER_LAYERS,
        "num_heads": HEADS, "decoder_start_token_id": 0,
    }),
    "bart": ("BartForConditionalGeneration", _BART | {"decoder_start_token_id": 2}),
    "marian": ("MarianMTModel", _BART | {"decoder_start_token_id": 1}),
    "m2m_100": ("M2M100ForConditionalGeneration", _BART | {"decoder_start_token_id": 2}),
    # These compute attention in code of their own, or in a way that a capture cannot see.
    "bloom": ("BloomForCausalLM", {"hidden_size": WIDTH, "n_layer": LAYERS, "n_head": HEADS}),
    "gptj": ("GPTJForCausalLM", {
        "n_embd": WIDTH, "n_layer": LAYERS, "n_head": HEADS, "rotary_dim": 4, "n_positions": POSITIONS,
        "bos_token_id": 0, "eos_token_id": 0,
    }),
    "deberta_v2": ("DebertaV2ForMaskedLM", _BERT | {
        "relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_buckets": 8,
    }),
    "splinter": ("SplinterModel", _BERT | {"question_token_id": 90}),
    "nllb_moe": ("NllbMoeForConditionalGeneration", _BART | {
        "decoder_start_token_id": 2, "num_experts": 4, "expert_capacity": 64, "encoder_sparse_step": 2,
        "decoder_sparse_step": 2,
    }),
    "bigbird_pegasus": ("BigBirdPegasusForConditionalGeneration", _BART | {
        "decoder_start_token_id": 2, "block_size": 64,
    }),
    "big_bird": ("BigBirdForMaskedLM", _BERT | {
        "block_size": 2, "num_random_blocks": 1, "attention_type": "block_sparse",
    }),
    # And these have no attention.
    "mamba": ("MambaForCausalLM", {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "state_size": 7}),
    "rwkv": ("RwkvForCausalLM", {"hidden_size": WIDTH, "num_hidden_layers": LAYERS, "attention_hidden_size": WIDTH}),
    "fnet": ("FNetForMaskedLM", {
        "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "intermediate_size": 41,
        "max_position_embeddings": POSITIONS, "tpu_short_seq_length": POSITIONS,
    }),
}  # fmt: skip
CAPTURED = [*NETWORKS][: [*NETWORKS].index("bloom")]
EAGER_ONLY = ["bloom", "gptj", "deberta_v2", "splinter", "nllb_moe", "bigbird_pegasus"]
WITHOUT = ["mamba", "rwkv", "fnet"]
ENCODER_DECODERS = ["t5", "bart", "marian", "m2m_100", "nllb_moe", "bigbird_pegasus"]


def network(name: str, *, attention: str | None = None, seed: int = 0, **changes: Any) -> Any:
    """A network of `NETWORKS` in evaluation mode; the same seed draws the same weights.

    Args:
        name: in `NETWORKS`.
        attention: the implementation to build with; None leaves the choice to transformers.
        seed: of the weights.
        changes: of the configuration.
    """
    class_name, tiny = NETWORKS[name]
    network_class = getattr(transformers, class_name)
    config = network_class.config_class(**{"vocab_size": VOCABULARY} | tiny | changes)
    if attention is not None:
        config._attn_implementation = attention
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        made = network_class(config).float()
    draw(made, seed)
    return made.eval()


@torch.no_grad()
def draw(made: nn.Module, seed: int = 0) -> None:
    """Weights that spread attention unevenly and leave no bias, sink or norm at its neutral value."""
    generator = torch.Generator().manual_seed(seed)
    tables = {id(module.weight) for module in made.modules() if isinstance(module, nn.Embedding)}
    for name, parameter in made.named_parameters():
        if not parameter.requires_grad:
            continue  # sines and cosines, which are in no checkpoint
        noise = torch.randn(parameter.shape, generator=generator)
        if id(parameter) in tables:
            parameter.copy_(noise)
        elif parameter.dim() > 1:
            steeper = 2.0 if any(part in name for part in ("q", "k_", "key", "c_attn", "Wqkv")) else 1.0
            parameter.copy_(noise * steeper / parameter.shape[-1] ** 0.5)
        else:
            parameter.add_(0.3 * noise)


def ids(length: int = LENGTH, *, seed: int = 0, start: int = 5, stop: int = VOCABULARY) -> list[int]:
    """Ids without special ones."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(start, stop, (length,), generator=generator).tolist()


def target_ids(length: int = TARGET_LENGTH) -> list[int]:
    """Ids for a decoder."""
    return ids(length, seed=1)


def inputs(name: str, length: int = LENGTH, target_length: int = TARGET_LENGTH) -> dict[str, list[int]]:
    """Arguments for `Model.record_ids`."""
    given = {"ids": ids(length)}
    return given | {"target_ids": target_ids(target_length)} if name in ENCODER_DECODERS else given


@dataclass
class Eager:
    """What a network gives by itself, asked for its attention.

    Attributes:
        maps: by kind, for each layer the (head, query, key) weights.
        logits: (sequence or target, vocabulary), or None; from the network as it is, not from eager attention.
    """

    maps: dict[str, list[Tensor]] = field(default_factory=dict)
    logits: Tensor | None = None


@torch.no_grad()
def eager(name: str, given: dict[str, list[int]] | None = None, **changes: Any) -> Eager:
    """Runs a fresh twin of the network with eager attention, and another one as it is."""
    given = given or inputs(name)
    arguments = {"input_ids": torch.tensor([given["ids"]])}
    if "target_ids" in given:
        arguments["decoder_input_ids"] = torch.tensor([given["target_ids"]])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        output = network(name, attention="eager", **changes)(**arguments, output_attentions=True, use_cache=False)
        plain = network(name, **changes)(**arguments, use_cache=False)
    found = Eager()
    if "target_ids" in given:
        names = {"encoder": "encoder_attentions", "decoder": "decoder_attentions", "cross": "cross_attentions"}
        found.maps = {kind: [item[0].float() for item in output[key]] for kind, key in names.items()}
    else:
        maps = [item[0].float() for item in output["attentions"]]
        found.maps = {"encoder" if any(item.triu(1).any() for item in maps) else "decoder": maps}
    logits = plain.get("logits")
    found.logits = None if logits is None else logits[0].float()
    return found
