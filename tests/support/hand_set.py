"""A small GPT-2 whose weights are set by hand, so that what each of its heads does is known.

Its hidden state is three blocks of numbers: which word a token is, where it stands, and which word stands before it (0
until a head writes that). Words and places are one-hot, so every token's state has the same mean and variance, and a
layer norm can be set to change nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from attnviz.models.model import Model

WORDS, PLACES = 32, 32
SHARP = 60.0
_HEAD = WORDS + PLACES


def tokenizer() -> PreTrainedTokenizerFast:
    """Reads "w0 w1 …", a token a word, and puts nothing around it."""
    words = Tokenizer(models.WordLevel({f"w{index}": index for index in range(WORDS)}, unk_token="w0"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=words)


def model(layers: tuple[Mapping[int, str], ...], heads: int = 3) -> Model:
    """A model whose heads have roles.

    Args:
        layers: of each layer by head what it does: "self", "previous", "offset -3" (any number), "first", "duplicate",
            "write previous" (previous, and it writes that word into the state) or "after same" (to the token behind
            an earlier one of the same word); other heads look everywhere alike.
        heads: of each layer.
    """
    width = heads * _HEAD
    config = GPT2Config(
        vocab_size=WORDS,
        n_positions=PLACES,
        n_embd=width,
        n_layer=len(layers),
        n_head=heads,
        n_inner=1,
        bos_token_id=None,
        eos_token_id=None,
    )
    network = GPT2LMHeadModel(config).float()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        network.transformer.wte.weight[:, :WORDS] = torch.eye(WORDS)
        network.transformer.wpe.weight[:, WORDS:_HEAD] = torch.eye(PLACES)
        ones = 2
        for block, roles in zip(network.transformer.h, layers, strict=True):
            mean = ones / width
            block.ln_1.weight.fill_(math.sqrt(mean - mean**2 + block.ln_1.eps))
            block.ln_1.bias.fill_(mean)
            for head, role in roles.items():
                query, key, bias = _projections(role, width)
                begin = head * _HEAD
                block.attn.c_attn.weight[:, begin : begin + _HEAD] = query * SHARP * math.sqrt(_HEAD)
                block.attn.c_attn.bias[begin : begin + _HEAD] = bias * SHARP * math.sqrt(_HEAD)
                block.attn.c_attn.weight[:, width + begin : width + begin + _HEAD] = key
                if role == "write previous":
                    block.attn.c_attn.weight[:WORDS, 2 * width + begin : 2 * width + begin + WORDS] = torch.eye(WORDS)
                    block.attn.c_proj.weight[begin : begin + WORDS, _HEAD : _HEAD + WORDS] = torch.eye(WORDS)
                    ones = 3
    return Model(network.eval(), tokenizer(), name="hand-set")


def _projections(role: str, width: int) -> tuple[Tensor, Tensor, Tensor]:
    """What makes queries and keys of a state, (width, head_dim) each, and what is added to every query (head_dim,)."""
    query, key, bias = torch.zeros(width, _HEAD), torch.zeros(width, _HEAD), torch.zeros(_HEAD)
    word, place, before = slice(0, WORDS), slice(WORDS, _HEAD), slice(_HEAD, _HEAD + WORDS)
    offsets = {"self": 0, "previous": -1, "write previous": -1}
    if role in offsets or role.startswith("offset"):
        offset = offsets[role] if role in offsets else int(role.split()[1])
        query[place, place] = torch.eye(PLACES).roll(offset, dims=1).tril(offset)
        key[place, place] = torch.eye(PLACES)
    elif role == "first":
        bias[WORDS] = 1.0
        key[place, place] = torch.eye(PLACES)
    elif role == "duplicate":
        query[word, word], key[word, word] = torch.eye(WORDS), torch.eye(WORDS)
        query[place, place], key[place, place] = torch.eye(PLACES), -2 * torch.eye(PLACES)
    elif role == "after same":
        query[word, word] = torch.eye(WORDS)
        key[before, word] = torch.eye(WORDS)
    return query, key, bias
