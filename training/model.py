"""The network that is trained: Marian's architecture from a few numbers, and its loss on a padded batch."""

from __future__ import annotations

import torch
from torch import nn
from transformers import MarianConfig, MarianMTModel

PAD, START, END = 0, 1, 2


def build(
    vocabulary: int, layers: int = 4, width: int = 256, heads: int = 8, dropout: float = 0.1, seed: int = 0
) -> MarianMTModel:
    """A freshly initialised network; post-norm and sinusoidal positions as in Vaswani et al. 2017, section 3.

    Args:
        vocabulary: entries, shared by encoder, decoder and output.
        layers: of the encoder and of the decoder, each.
        width: d_model; the feed-forward layer is four times as wide.
        heads: in each layer; `width / heads` is head_dim.
    """
    torch.manual_seed(seed)
    config = MarianConfig(
        vocab_size=vocabulary,
        d_model=width,
        encoder_layers=layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_position_embeddings=512,
        dropout=dropout,
        attention_dropout=0.0,
        activation_function="relu",
        scale_embedding=True,
        init_std=width**-0.5,
        pad_token_id=PAD,
        bos_token_id=START,
        eos_token_id=END,
        decoder_start_token_id=START,
        forced_eos_token_id=END,
        # Eager attention trains about twice as fast as SDPA at these lengths: the backward of the CPU's fused kernel
        # took 39 % of a step.
        attn_implementation="eager",
    )
    network = MarianMTModel(config)
    for module in network.modules():
        if isinstance(module, nn.Linear) and module.weight is not network.lm_head.weight:
            nn.init.xavier_uniform_(module.weight)
    return network


def loss(network: MarianMTModel, source: torch.Tensor, target: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Mean cross-entropy of every real target token, in nats, with label smoothing.

    Args:
        source: (batch, source length) ids, padded with PAD.
        target: (batch, target length) ids `>>xx<< … </s>`, padded with PAD; the decoder reads them shifted by one
            behind `<s>`, so that it learns to name the target language itself.
    """
    start = target.new_full((len(target), 1), START)
    states = network.model(
        input_ids=source,
        attention_mask=source != PAD,
        decoder_input_ids=torch.cat([start, target[:, :-1]], dim=1),
        use_cache=False,
    ).last_hidden_state
    real = target != PAD
    # Logits are computed for real tokens only: with 12,000 entries they cost about as much as the layers do.
    logits = network.lm_head(states[real])  # (real tokens, vocabulary)
    return nn.functional.cross_entropy(logits.float(), target[real], label_smoothing=smoothing)
