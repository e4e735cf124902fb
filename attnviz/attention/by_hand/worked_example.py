"""Self-attention on a small table, every step of it kept: what a reader can follow with pencil and paper.

Either the words' vectors are queries, keys and values themselves, or three weight matrices make these from them, in one
head or several. Scores, weights and contexts come from `attnviz.attention`, in float32 as in PyTorch, so that
`attnviz.by_hand_code` can say the same in PyTorch and get the same numbers. No model is needed.

Axes: head, query, key, d_k (the numbers of a head's query or key); a word is a row of the table, from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from attnviz.attention import dot_product
from attnviz.attention.by_hand.word_vectors import DIM, WordVectors
from attnviz.errors import InputError

MATRICES = ("q", "k", "v")  # W_q, W_k, W_v; W_o, the output projection, is "o"
MOST_OUT = 8  # numbers that the weight matrices make of a word

Edits = Mapping[tuple[str, int, int], float]  # (matrix, row, column): the number that somebody put there


@dataclass(frozen=True)
class Settings:
    """How attention is computed; as it stands here: the simplest one, without trained weights.

    Attributes:
        matrices: whether W_q, W_k, W_v make queries, keys and values of the vectors; else they are the vectors.
        seed: of the matrices, whose entries are drawn evenly from [0, 1).
        d_out: columns of each matrix, 1 to `MOST_OUT`.
        heads: how many share these columns; divides d_out.
        projection: whether a fourth matrix, W_o (d_out, d_out), mixes the heads' contexts.
        edits: entries of the matrices that were typed.
        scaled: whether scores are divided by √d_k.
        causal: whether a word sees only itself and those before it.
        dropout: share of the weights that is set to zero, in [0, 1); the others are divided by 1 - dropout.
        dropout_seed: decides which.
    """

    matrices: bool = False
    seed: int = 123
    d_out: int = 2
    heads: int = 1
    projection: bool = False
    edits: Edits = field(default_factory=dict)
    scaled: bool = False
    causal: bool = False
    dropout: float = 0.0
    dropout_seed: int = 0

    def __post_init__(self) -> None:
        if self.matrices and not 1 <= self.d_out <= MOST_OUT:
            raise InputError("The weight matrices have 1 to {0} columns, not {1}.", MOST_OUT, self.d_out)
        if self.matrices and (self.heads < 1 or self.d_out % self.heads):
            raise InputError("{0} columns cannot be shared evenly by {1} heads.", self.d_out, self.heads)
        if not 0.0 <= self.dropout < 1.0:
            raise InputError("Dropout is a share from 0 to below 1, not {0}.", self.dropout)

    @property
    def d_k(self) -> int:
        """The numbers of a query, a key or a value in one head."""
        return self.d_out // self.heads if self.matrices else DIM

    @property
    def sizes(self) -> dict[str, tuple[int, int]]:
        """Rows and columns of each weight matrix, by their letters."""
        if not self.matrices:
            return {}
        sizes = dict.fromkeys(MATRICES, (DIM, self.d_out))
        return sizes | ({"o": (self.d_out, self.d_out)} if self.projection else {})


@dataclass(frozen=True, eq=False)
class Working:
    """Every number on the way, float32.

    Attributes:
        x: (word, DIM), the table.
        drawn: W_q, W_k, W_v (DIM, d_out) and W_o (d_out, d_out) by their letters, as the seed gives them; empty without
            matrices.
        projections: the same with the edits in them.
        q, k, v: (head, word, d_k).
        products: (head, query, key), q · k.
        scores: the same, scaled and masked (-inf).
        softmax: the same, in [0, 1]; rows sum to 1.
        keep: boolean, which weights dropout leaves; all of them without it.
        weights: what the values are weighted with: softmax, after dropout.
        context: (head, query, d_k), the weighted sum of the values.
        joined: (query, d_out), the heads' contexts side by side.
        output: (query, d_out), joined W_o; None without an output projection.
    """

    x: np.ndarray
    drawn: Mapping[str, np.ndarray]
    projections: Mapping[str, np.ndarray]
    q: np.ndarray
    k: np.ndarray
    v: np.ndarray
    products: np.ndarray
    scores: np.ndarray
    softmax: np.ndarray
    keep: np.ndarray
    weights: np.ndarray
    context: np.ndarray
    joined: np.ndarray
    output: np.ndarray | None


def draw(settings: Settings) -> dict[str, Tensor]:
    """The weight matrices of a seed, as `torch.manual_seed` and `torch.rand` give them; edits are not in them.

    Returns:
        W_q, W_k, W_v, each (DIM, d_out), and with a projection W_o (d_out, d_out), by their letters.

    Example:
        >>> draw(Settings(matrices=True))["q"]
        tensor([[0.2961, 0.5166],
                [0.2517, 0.6886],
                [0.0740, 0.8665]])
    """
    # A generator of its own: the global one is shared by everybody whom the app serves.
    generator = torch.Generator().manual_seed(settings.seed)
    return {letter: torch.rand(size, generator=generator) for letter, size in settings.sizes.items()}


def apply_edits(drawn: Mapping[str, Tensor], edits: Edits) -> dict[str, Tensor]:
    """The matrices with the entries that were typed; raises InputError for one outside of them."""
    result = {letter: matrix.clone() for letter, matrix in drawn.items()}
    for (letter, row, column), number in edits.items():
        rows, columns = result[letter].shape if letter in result else (0, 0)
        if not (0 <= row < rows and 0 <= column < columns):
            raise InputError("W_{0} has no entry in row {1}, column {2}.", letter, row, column)
        result[letter][row, column] = number
    return result


def work(table: WordVectors, settings: Settings = Settings()) -> Working:
    """Computes attention of every word to every word, and keeps each step.

    Softmax of Q·Kᵀ / √d_k times V, and heads joined by W_o: equations 1 and section 3.2.2 of Vaswani et al. 2017,
    "Attention Is All You Need". Dropout: Srivastava et al. 2014, section 4, in the form that PyTorch has, which divides
    what is left by 1 - p.

    Args:
        table: at least one word.
        settings: see there.

    Returns:
        Every number on the way.

    Example:
        >>> from attnviz.attention.by_hand.word_vectors import EXAMPLE
        >>> [f"{number:.4f}" for number in work(EXAMPLE).context[0, 1]]
        ['0.4419', '0.6515', '0.5683']
    """
    if not len(table):
        raise InputError("There is no word to compute with: fill in a row of the table.")
    x = torch.tensor(table.vectors, dtype=torch.float32)
    words = len(table)
    drawn = draw(settings)
    projections = apply_edits(drawn, settings.edits)
    heads = settings.heads if settings.matrices else 1

    def split(letter: str) -> Tensor:
        projected = x @ projections[letter] if settings.matrices else x
        return projected.view(words, heads, settings.d_k).transpose(0, 1)  # (head, word, d_k)

    q, k, v = (split(letter) for letter in MATRICES)
    allowed = torch.ones(words, words, dtype=torch.bool).tril() if settings.causal else None
    products = dot_product.scores(q, k, scale=1.0)
    scores = dot_product.scores(q, k, scale=None if settings.scaled else 1.0, allowed=allowed)
    softmax = dot_product.weights(scores)
    keep = dropout_mask(tuple(softmax.shape), settings)
    weights = softmax * keep / (1 - settings.dropout)
    context = dot_product.output(weights, v)
    joined = context.transpose(0, 1).reshape(words, heads * settings.d_k)
    output = joined @ projections["o"] if "o" in projections else None
    return Working(
        x=x.numpy(),
        drawn={letter: matrix.numpy() for letter, matrix in drawn.items()},
        projections={letter: matrix.numpy() for letter, matrix in projections.items()},
        q=q.numpy(),
        k=k.numpy(),
        v=v.numpy(),
        products=products.numpy(),
        scores=scores.numpy(),
        softmax=softmax.numpy(),
        keep=keep.numpy(),
        weights=weights.numpy(),
        context=context.numpy(),
        joined=joined.numpy(),
        output=None if output is None else output.numpy(),
    )


def dropout_mask(shape: tuple[int, ...], settings: Settings) -> Tensor:
    """Which weights dropout leaves: those whose draw from [0, 1) is at least its rate; boolean, of that shape."""
    if not settings.dropout:
        return torch.ones(shape, dtype=torch.bool)
    generator = torch.Generator().manual_seed(settings.dropout_seed)
    return torch.rand(shape, generator=generator) >= settings.dropout


@dataclass(frozen=True, eq=False)
class TwoSoftmaxes:
    """Softmax of one row of scores, as its formula says and as it is computed; float32, (key,) each.

    Attributes:
        scores: what goes in.
        naive_powers: e^s, infinite where s is above 88.7, the logarithm of the largest float32.
        naive: each divided by their sum; nan where both are infinite.
        naive_sum, sum: of the powers.
        highest: the largest score.
        shifted: s - highest, so at most 0.
        powers: e^(s - highest), so at most 1.
        weights: each divided by their sum: the same numbers, for any scores.
    """

    scores: np.ndarray
    naive_powers: np.ndarray
    naive_sum: float
    naive: np.ndarray
    highest: float
    shifted: np.ndarray
    powers: np.ndarray
    sum: float
    weights: np.ndarray

    @property
    def overflows(self) -> bool:
        """Whether the formula as it stands gives something that is no number."""
        return not bool(np.isfinite(self.naive).all())


def two_softmaxes(scores: np.ndarray) -> TwoSoftmaxes:
    """Both ways to compute softmax, step by step: e^s / Σ e^s, and the same with the largest score taken away first.

    e^(s - c) / Σ e^(s - c) is the same for every c (Goodfellow, Bengio and Courville 2016, "Deep Learning", section
    4.1); with the largest score for c no power exceeds 1.

    Args:
        scores: (key,) with at least one that is finite; -inf where a key may not be seen.

    Example:
        >>> two_softmaxes(np.array([1000.0, 999.0])).naive.tolist()
        [nan, nan]
        >>> [f"{number:.4f}" for number in two_softmaxes(np.array([1000.0, 999.0])).weights]
        ['0.7311', '0.2689']
    """
    row = torch.as_tensor(scores, dtype=torch.float32)
    naive_powers = row.exp()
    naive_sum = naive_powers.sum()
    highest = row.max()
    shifted = row - highest
    powers = shifted.exp()
    return TwoSoftmaxes(
        scores=row.numpy(),
        naive_powers=naive_powers.numpy(),
        naive_sum=float(naive_sum),
        naive=(naive_powers / naive_sum).numpy(),
        highest=float(highest),
        shifted=shifted.numpy(),
        powers=powers.numpy(),
        sum=float(powers.sum()),
        weights=dot_product.weights(row).numpy(),
    )
