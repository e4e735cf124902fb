"""Everything that decides how a training goes, in one object that is saved beside the weights."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """Everything that decides how the training goes.

    The learning rate warms up, stays, and falls to zero over the last `decay` steps (warm-up, stable, decay), so that
    a run can be lengthened or ended from any checkpoint of its stable part.
    """

    steps: int = 2750
    warmup: int = 60
    decay: int = 1100
    batch_tokens: int = 4096
    learning_rate: float = 1.2e-3
    smoothing: float = 0.1
    dropout: float = 0.05
    attention_dropout: float = 0.1
    """Of the weights after the softmax."""
    weight_decay: float = 0.1
    """Of the matrices inside the layers, times the learning rate."""
    layers: int = 4
    """Of the decoder, and of the encoder too unless the next says otherwise."""
    encoder_layers: int = 0
    width: int = 256
    heads: int = 8
    masked: float = 0.0
    """Share of the source tokens that are hidden in half of the sentences, for the encoder to guess."""
    masked_at_last: float = 0.0
    """The same, while the learning rate falls."""
    masked_weight: float = 0.5
    """Of the loss of those guesses, beside the translation's at 1."""
    misread: float = 0.15
    """Share of the words of a second reading of every source that are hidden or replaced by similar words."""
    naming_weight: float = 0.5
    """Of the loss of naming those words."""
    judging_weight: float = 4.0
    """Of the loss of telling which words were replaced."""
    end_hidden: float = 0.5
    """Share of the sentences in which the encoder's words may not look at the end token."""
    punctuation_hidden: float = 0.5
    """The same of punctuation."""
    embedding_std: float = 0.02
    """Of the embeddings at first, before they are multiplied by the root of the width; positions have 0.7."""
    embedding_rate: float = 0.5
    """The learning rate of embeddings, biases and norms, as a share of that of the matrices."""
    seed: int = 7
    average: int = 5
    """How many weights of the last steps, 25 steps apart, are averaged into the result."""
    kept: float = 0.05
    """Share in the result of the weights that the run began with, where it began with exported ones."""
