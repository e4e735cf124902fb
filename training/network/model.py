"""The network that is trained: Marian's architecture from a few numbers, and its loss on a padded batch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn
from transformers import MarianConfig, MarianMTModel

from training.network.cross_entropy import projected_cross_entropy

PAD, START, END, MASK = 0, 1, 2, 3
"""MASK is `<unk>`: as every character can be spelt in bytes, no text contains it."""


def build(
    vocabulary: int,
    layers: int = 4,
    width: int = 256,
    heads: int = 8,
    dropout: float = 0.1,
    seed: int = 0,
    embedding_std: float = 0.02,
    attention_dropout: float = 0.0,
    encoder_layers: int = 0,
) -> MarianMTModel:
    """A freshly initialised network; post-norm and sinusoidal positions as in Vaswani et al. 2017, section 3.

    Args:
        vocabulary: entries, shared by encoder, decoder and output.
        layers: of the decoder, and of the encoder unless `encoder_layers` says otherwise.
        width: d_model; the feed-forward layer is four times as wide.
        heads: in each layer; `width / heads` is head_dim.
        dropout: between the layers.
        seed: of the weights.
        embedding_std: of the embeddings; times the root of the width it is set against the positions' 0.7.
        attention_dropout: of the weights after the softmax.
        encoder_layers: of the encoder; 0 is as many as the decoder has.
    """
    torch.manual_seed(seed)
    config = MarianConfig(
        vocab_size=vocabulary,
        d_model=width,
        encoder_layers=encoder_layers or layers,
        decoder_layers=layers,
        encoder_attention_heads=heads,
        decoder_attention_heads=heads,
        encoder_ffn_dim=4 * width,
        decoder_ffn_dim=4 * width,
        max_position_embeddings=512,
        dropout=dropout,
        attention_dropout=attention_dropout,
        activation_function="relu",
        scale_embedding=True,
        init_std=embedding_std,
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


def read(network: MarianMTModel, path: Path) -> None:
    """Gives the network the weights of an exported `model.safetensors`.

    A network with more encoder layers takes the file's too (`grow`).

    Raises:
        ValueError: the file is of a network of another shape.
    """
    state = grow(load_file(path), network.config.encoder_layers)
    # What shares its memory with the embeddings, and the positions, which are computed, are not in the file.
    left_out = ("embed_tokens.weight", "embed_positions.weight", "lm_head.weight")
    expected = {name: value.shape for name, value in network.state_dict().items() if not name.endswith(left_out)}
    if {name: value.shape for name, value in state.items()} != expected:
        config = network.config
        raise ValueError(
            f"{path} does not hold the weights of a network with {config.encoder_layers} layers, width "
            f"{config.d_model} and {config.vocab_size} entries; start from another folder, or give "
            "the settings that it was trained with"
        )
    network.load_state_dict(state, strict=False)


def grow(state: dict[str, torch.Tensor], layers: int) -> dict[str, torch.Tensor]:
    """Weights of an encoder of `layers` layers that computes nearly what that of `state` does.

    The new layers are spread among the old ones. Each is a copy of the one below it, so that its heads begin with maps
    that mean something, but what it would add is multiplied by 0, and its norms, which come last in a post-norm layer,
    give back on average what they get. State dicts with no fewer layers come back as they are.
    """
    prefix = "model.encoder.layers."
    old_layers = {int(name.removeprefix(prefix).split(".")[0]) for name in state if name.startswith(prefix)}
    if layers <= len(old_layers):
        return state
    result = {name: value for name, value in state.items() if not name.startswith(prefix)}
    below = -1
    for layer in range(layers):
        origin = layer * len(old_layers) // layers
        own = {
            name.removeprefix(f"{prefix}{origin}."): value.clone()
            for name, value in state.items()
            if name.startswith(f"{prefix}{origin}.")
        }
        if origin == below:
            gain, bias = own["final_layer_norm.weight"].float(), own["final_layer_norm.bias"].float()
            for part in ("self_attn.out_proj", "fc2"):
                own[f"{part}.weight"].zero_()
                own[f"{part}.bias"].zero_()
            for norm in ("self_attn_layer_norm", "final_layer_norm"):
                # The norm before gives vectors of about this standard deviation and mean over their entries.
                own[f"{norm}.weight"].fill_((gain.square().mean() + bias.var(correction=0)).sqrt().item())
                own[f"{norm}.bias"].fill_(bias.mean().item())
        result |= {f"{prefix}{layer}.{name}": value for name, value in own.items()}
        below = origin
    return result


def add_noise(source: torch.Tensor, share: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Source ids with some of them hidden, and which, in half of the sentences; both (batch, source length)."""
    words = source > MASK
    hidden = words & (torch.rand(source.shape, device=source.device) < share)
    hidden &= torch.rand((len(source), 1), device=source.device) < 0.5
    draws = torch.rand(source.shape, device=source.device)
    pool = source[words]
    others = pool[torch.randint(len(pool), source.shape, device=source.device)]
    read = source.masked_fill(hidden & (draws < 0.6), MASK)
    return torch.where(hidden & (draws > 0.8), others, read), hidden


@dataclass(frozen=True, slots=True)
class Sight:
    """What the encoder's words may not look at, so that their heads look at words.

    Attributes:
        end_hidden: share of the sentences, drawn at random, in which END may not be looked at.
        punctuation_hidden: the same, drawn anew, for punctuation.
        punctuation: (entries,) the ids of punctuation.
    """

    end_hidden: float = 0.0
    punctuation_hidden: float = 0.0
    punctuation: torch.Tensor | None = None

    def visible(self, source: torch.Tensor) -> torch.Tensor:
        """Which keys of (batch, source length) ids may be looked at: no padding, and of each sentence something."""
        keys = source != PAD
        hidden = torch.zeros_like(keys)
        if self.end_hidden:
            hidden |= (source == END) & self._drawn(source, self.end_hidden)
        if self.punctuation_hidden and self.punctuation is not None:
            marks = torch.isin(source, self.punctuation)
            hidden |= marks & self._drawn(source, self.punctuation_hidden)
        shown = keys & ~hidden
        return torch.where(shown.any(dim=1, keepdim=True), shown, keys)

    @staticmethod
    def _drawn(source: torch.Tensor, share: float) -> torch.Tensor:
        return torch.rand((len(source), 1), device=source.device) < share


EVERYTHING = Sight()


def neighbours(embeddings: torch.Tensor, counts: torch.Tensor, number: int) -> torch.Tensor:
    """For each language and entry the entries of that language whose embeddings have the greatest cosine with its own.

    Args:
        embeddings: (vocabulary, width).
        counts: (languages, vocabulary), how often each entry occurs in each language. Entries of which fewer than ten,
            or less than a twentieth of all, occur in a language, and special tokens, are nobody's neighbours in it.
        number: neighbours of each entry.

    Returns:
        (languages, vocabulary, number) ids.
    """
    unit = nn.functional.normalize(embeddings.float(), dim=1)
    similar = unit @ unit.t()
    similar.fill_diagonal_(-2.0)
    similar[:, : MASK + 1] = -2.0
    strange = (counts < 10) | (counts < 0.05 * counts.sum(0))
    return torch.stack([similar.masked_fill(outside, -2.0).topk(number, dim=1).indices for outside in strange])


def misread(
    text: torch.Tensor, languages: torch.Tensor, near: torch.Tensor, share: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Texts in which some words are hidden or replaced by similar ones, and which were; both (texts, length)."""
    chosen = (text > MASK) & (torch.rand(text.shape, device=text.device) < share)
    draws = torch.rand(text.shape, device=text.device)
    neighbour = torch.randint(near.shape[2], text.shape, device=text.device)
    others = near[languages[:, None], text, neighbour]
    read = text.masked_fill(chosen & (draws < 0.4), MASK)
    return torch.where(chosen & (draws >= 0.4), others, read), chosen


def judgement(
    network: MarianMTModel,
    judge: nn.Linear,
    text: torch.Tensor,
    languages: torch.Tensor,
    near: torch.Tensor,
    share: float,
    sight: Sight = EVERYTHING,
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the encoder makes of misread texts: the mean cross-entropies of naming and of judging their words, in nats.

    Args:
        judge: from an encoder state to the log-odds that the word was replaced (Clark et al. 2020, "ELECTRA").
        text: (texts, length) ids.
        languages: (texts,) of the texts, as indices of `near`.
        near: what `neighbours` made.
        share: of the words that are hidden (two in five) or replaced by a neighbour; all of them have to be named.
        sight: what the words may look at.
    """
    read, chosen = misread(text, languages, near, share)
    states = network.model.encoder(input_ids=read, attention_mask=sight.visible(text)).last_hidden_state
    shown = (text > MASK) & (read != MASK)
    odds = judge(states[shown])[:, 0].float()
    replaced = (read != text)[shown].float()
    # A small batch may have no such word; a mean over none would be no number.
    judged = nn.functional.binary_cross_entropy_with_logits(odds, replaced, reduction="sum") / max(len(odds), 1)
    if not chosen.any():
        return torch.zeros_like(judged), judged
    return projected_cross_entropy(states[chosen], network.lm_head.weight, text[chosen]), judged


def loss(
    network: MarianMTModel,
    source: torch.Tensor,
    target: torch.Tensor,
    smoothing: float,
    masked: float = 0.0,
    masked_weight: float = 0.5,
    sight: Sight = EVERYTHING,
) -> torch.Tensor:
    """Mean cross-entropy of every real target token, in nats, with label smoothing, and that of hidden source tokens.

    Args:
        source: (batch, source length) ids, padded with PAD.
        target: (batch, target length) ids `>>xx<< … </s>`, padded with PAD; the decoder reads them shifted by one
            behind `<s>`, so that it learns to name the target language itself.
        masked: in half of the sentences, the share of source tokens that the encoder has to name from the words around
            (Devlin et al. 2019, "masked language model"): three in five of them are replaced by MASK, one by another
            token of the batch, and one is left as it is, so that no token can be sure of itself.
        masked_weight: of the encoder's loss, beside the decoder's at 1.
        sight: what the encoder's words may look at.
    """
    start = target.new_full((len(target), 1), START)
    read, hidden = source, None
    if masked:
        read, hidden = add_noise(source, masked)
    encoded = network.model.encoder(input_ids=read, attention_mask=sight.visible(source))
    outputs = network.model(
        encoder_outputs=encoded,
        attention_mask=source != PAD,
        decoder_input_ids=torch.cat([start, target[:, :-1]], dim=1),
        use_cache=False,
    )
    real = target != PAD
    # Logits are computed for real tokens only: with 12,000 entries they cost about as much as the layers do.
    output = network.lm_head.weight
    value = projected_cross_entropy(outputs.last_hidden_state[real], output, target[real], smoothing)
    if hidden is not None and hidden.any():
        guesses = encoded.last_hidden_state[hidden]
        value = value + masked_weight * projected_cross_entropy(guesses, output, source[hidden])
    return value
