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


def tokenizer(words: int = WORDS) -> PreTrainedTokenizerFast:
    """Reads "w0 w1 …", a token a word, and puts nothing around it."""
    state = Tokenizer(models.WordLevel({f"w{index}": index for index in range(words)}, unk_token="w0"))
    state.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=state)


def model(layers: tuple[Mapping[int, str], ...], heads: int = 3, *, words: int = WORDS, places: int = PLACES) -> Model:
    """A model whose heads have roles.

    Args:
        layers: of each layer by head what it does: "self", "previous", "offset -3" (any number), "first", "duplicate",
            "write previous" (previous, and it writes that word into the state) or "after same" (to the token behind
            an earlier one of the same word), or "retrieve 96" (that for the first 96 words only); other heads look
            everywhere alike.
        heads: of each layer.
        words, places: how many it knows.
    """
    size = words + places  # of a head
    width = heads * size
    config = GPT2Config(
        vocab_size=words,
        n_positions=places,
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
        network.transformer.wte.weight[:, :words] = torch.eye(words)
        network.transformer.wpe.weight[:, words:size] = torch.eye(places)
        ones = 2
        for block, roles in zip(network.transformer.h, layers, strict=True):
            mean = ones / width
            block.ln_1.weight.fill_(math.sqrt(mean - mean**2 + block.ln_1.eps))
            block.ln_1.bias.fill_(mean)
            for head, role in roles.items():
                query, key, bias = _projections(role, width, words, places)
                begin = head * size
                block.attn.c_attn.weight[:, begin : begin + size] = query * SHARP * math.sqrt(size)
                block.attn.c_attn.bias[begin : begin + size] = bias * SHARP * math.sqrt(size)
                block.attn.c_attn.weight[:, width + begin : width + begin + size] = key
                if role == "write previous":
                    block.attn.c_attn.weight[:words, 2 * width + begin : 2 * width + begin + words] = torch.eye(words)
                    block.attn.c_proj.weight[begin : begin + words, size : size + words] = torch.eye(words)
                    ones = 3
    return Model(network.eval(), tokenizer(words), name="hand-set")


def _projections(role: str, width: int, words: int, places: int) -> tuple[Tensor, Tensor, Tensor]:
    """What makes queries and keys of a state, (width, head_dim) each, and what is added to every query (head_dim,)."""
    size = words + places
    query, key, bias = torch.zeros(width, size), torch.zeros(width, size), torch.zeros(size)
    word, place, before = slice(0, words), slice(words, size), slice(size, size + words)
    offsets = {"self": 0, "previous": -1, "write previous": -1}
    if role in offsets or role.startswith("offset"):
        offset = offsets[role] if role in offsets else int(role.split()[1])
        query[place, place] = torch.eye(places).roll(offset, dims=1).tril(offset)
        key[place, place] = torch.eye(places)
    elif role == "first":
        bias[words] = 1.0
        key[place, place] = torch.eye(places)
    elif role == "duplicate":
        query[word, word], key[word, word] = torch.eye(words), torch.eye(words)
        query[place, place], key[place, place] = torch.eye(places), -2 * torch.eye(places)
    elif role == "after same":
        query[word, word] = torch.eye(words)
        key[before, word] = torch.eye(words)
    elif role.startswith("retrieve"):
        known = int(role.split()[1])
        query[:known, :known] = torch.eye(known)
        key[before, word] = torch.eye(words)
    return query, key, bias
