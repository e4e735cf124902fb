"""Relevance handed back layer by layer: AttnLRP, as gradients of a network whose parts have other derivatives.

Achtibat et al. 2024, "AttnLRP: Attention-Aware Layer-wise Relevance Propagation for Transformers", section 3. Relevance
is a vector times the gradient that reaches it, once each part of the network has the derivative that its rule asks for:

    linear layer       its own (section 3.2, epsilon rule)
    normalisation      the length by which it divides is held (section 3.4, identity rule)
    activation         output by input, held (section 3.2, identity rule)
    softmax            its own, a Taylor expansion where it stands (section 3.3.1, equation 13)
    query × key, weights × values, gates    half of it for either factor (section 3.3.2, uniform rule)

No model is copied or rewritten: hooks do it for the modules, and our attention function for the rest. What these rules
keep is kept: the relevance of the words, of positions and biases, and what each softmax takes up add up to the score.
That is proved each time, so a network with a part that has no rule here is refused.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from attnviz.attention import dot_product
from attnviz.attention.blockwise import Rule
from attnviz.attribution.contributions.linear_path import linear_norm
from attnviz.attribution.explained import Explained
from attnviz.attribution.reading import Change, Reading, check_captured
from attnviz.computation.module_calls import is_matrix, is_norm, same
from attnviz.errors import NoAttentionError
from attnviz.models.capture import capture

TOLERANCE = 1e-3
"""How far the sum of all relevance may miss the score, as a share of the relevance that was moved."""
_ACTIVATIONS = (nn.ReLU, nn.GELU, nn.SiLU, nn.Tanh, nn.Sigmoid, nn.LeakyReLU, nn.ELU, nn.ReLU6, nn.Mish)


def attention_lrp(reading: Reading, explained: Explained) -> np.ndarray:
    """The relevance of each token for the score of the prediction: (tokens,), of either sign.

    Raises:
        NoAttentionError: the network computes its attention in code of its own, or has a part without a rule.
    """
    values, absorbed, score = relevances(reading, explained)
    moved = float(np.abs(values).sum()) + sum(abs(item) for item in absorbed.values())
    if not abs(values.sum() + sum(absorbed.values()) - score) <= TOLERANCE * max(moved, 1e-6):
        raise NoAttentionError(
            "Relevance cannot be handed back through {0}: it has a part for which no rule is known here, such as a "
            'function that is no module. Choose "attention_attribution" or "integrated_gradients".',
            reading.model.name,
        )
    return values


def relevances(reading: Reading, explained: Explained) -> tuple[np.ndarray, dict[str, float], float]:
    """What is handed back, and to what.

    Returns:
        The relevance of the tokens, (tokens,); that of what is no token, by "positions" (and other tables), "biases"
        and "softmax"; and the score, whose relevance it is: a logit, or the difference of two.
    """
    check_captured(reading.model)
    network = reading.model.network
    vectors = {side: reading.vectors(side).requires_grad_() for side in reading.tokens}
    tables = [reading.table(side) for side in reading.tokens]
    rules = RelevanceRules()
    with torch.enable_grad(), rules.applied(network, tables), capture.change_attention(network, rules):
        score = explained.score(reading.run(1, Change(vectors=vectors), gradients=True)).sum()
        groups = [list(vectors.values()), rules.others, rules.biases, rules.weights, rules.scores]
        leaves = [leaf for group in groups for leaf in group]
        gradients = list(torch.autograd.grad(score, leaves, allow_unused=True))
    of_tokens, of_others, of_biases, of_weights, of_scores = (
        [(leaf.detach(), gradients.pop(0)) for leaf in group] for group in groups
    )
    # What arrives at a softmax's weights and does not go on to its scores is the constant of its expansion; what goes
    # on to a bias of the scores is the distance's.
    distances = [(bias, gradient) for bias, (_, gradient) in zip(rules.distances, of_scores, strict=True)]
    parts = {
        "positions": _relevance(of_others) + _relevance(distances),
        "biases": _relevance(of_biases) + _bias_of_logits(network, explained),
        "softmax": _relevance(of_weights) - _relevance(of_scores),
    }
    values = [
        np.zeros(leaf.shape[1]) if gradient is None else (leaf * gradient)[0].double().sum(dim=-1).cpu().numpy()
        for leaf, gradient in of_tokens
    ]
    return np.concatenate(values), parts, float(score.detach())


def _relevance(parts: Sequence[tuple[Tensor, Tensor | None]]) -> float:
    """The sum of vectors times gradients; a hidden key's score is no number and has no relevance."""
    return sum(
        float((part * gradient).nan_to_num(0.0, 0.0, 0.0).double().sum())
        for part, gradient in parts
        if gradient is not None
    )


def _bias_of_logits(network: nn.Module, explained: Explained) -> float:
    """What an encoder–decoder of BART's family adds to its logits at last."""
    bias = getattr(network, "final_logits_bias", None)
    return float(explained.score(bias)) if isinstance(bias, Tensor) and not explained.is_class else 0.0


class RelevanceRules:
    """Gives each part of a network its derivative, and keeps what relevance can be read off at.

    Attributes:
        others: what tables other than the tokens' gave.
        biases: all that is added whatever is read.
        scores, weights, distances: of each attention layer; the last are the biases of the scores.
    """

    needs_whole_maps = True

    def __init__(self) -> None:
        self.others: list[Tensor] = []
        self.biases: list[Tensor] = []
        self.scores: list[Tensor] = []
        self.weights: list[Tensor] = []
        self.distances: list[Tensor] = []
        self._activated: Tensor | None = None
        self._made: list[Tensor] = []  # by the last matrices

    @contextlib.contextmanager
    def applied(self, network: nn.Module, tables: list[nn.Module]) -> Iterator[None]:
        """The network computes with these derivatives while the context is open."""
        handles = []
        try:
            for module in network.modules():
                hook: Any = None
                if isinstance(module, nn.Embedding) or "position" in type(module).__name__.lower():
                    hook = None if any(module is table for table in tables) else self._table
                elif is_norm(module):
                    hook = self._norm
                elif is_matrix(module):
                    hook = self._matrix
                    handles.append(module.register_forward_pre_hook(self._gate))
                elif isinstance(module, _ACTIVATIONS) or type(module).__module__ == "transformers.activations":
                    hook = self._activation
                if hook is not None:
                    handles.append(module.register_forward_hook(hook))
            yield
        finally:
            for handle in handles:
                handle.remove()

    def next(self, module: nn.Module) -> RelevanceRules:
        """Every attention layer has the same rule; see `capture.PassChanges`."""
        return self

    def apply(self, output: Tensor, query: Tensor, key: Tensor, value: Tensor, rule: Rule) -> tuple[Tensor, Rule]:
        """The layer's output, with half of its relevance for the weights and half for the values, and so on."""
        groups = query.shape[1] // key.shape[1]
        key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
        scores = rule.scores(_halved(query), _halved(key), slice(0, query.shape[2]))
        self.scores.append(scores)
        # The scores of vectors that are all zero are the bias alone.
        self.distances.append(rule.scores(query.detach() * 0, key.detach() * 0, slice(0, query.shape[2])))
        weights = dot_product.weights(scores, sink=None if rule.sink is None else rule.sink.float())
        halved = _halved(weights)
        self.weights.append(weights)
        result = dot_product.output(halved, _halved(value.float()))
        return result.transpose(1, 2).to(output.dtype), rule

    def _table(self, _module: nn.Module, _inputs: Any, result: Any) -> Tensor | None:
        if not isinstance(result, Tensor):
            return None
        leaf = result.detach().clone().requires_grad_()
        self.others.append(leaf)
        return leaf

    def _norm(self, module: nn.Module, inputs: tuple[Tensor, ...], result: Tensor) -> Tensor | None:
        linear = linear_norm(module, inputs[0], result)
        if linear is None:
            return None
        if linear[1] is not None:
            self.biases.append(linear[1])
        return linear[0]

    def _matrix(self, module: nn.Module, _inputs: Any, result: Tensor) -> Tensor:
        bias = getattr(module, "bias", None)
        if isinstance(bias, Tensor):
            leaf = bias.detach().clone().requires_grad_()
            self.biases.append(leaf)
            result = result + (leaf - leaf.detach())
        self._made = [*self._made, result.detach()][-2:]
        return result

    def _gate(self, _module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """What a matrix reads where it is an activation times what another matrix made."""
        given, activated = inputs[0].detach(), self._activated
        if activated is None or activated.shape != given.shape:
            return None
        size = given.shape[-1]
        factors = [part for made in self._made for part in made.split(size, dim=-1) if part.shape == given.shape]
        if any(same(activated * factor, given) for factor in factors):
            return (_halved(inputs[0]), *inputs[1:])
        return None

    def _activation(self, _module: nn.Module, inputs: tuple[Tensor, ...], result: Tensor) -> Tensor:
        given = inputs[0]
        self._activated = result.detach()
        slope = (result / given).detach()
        return result.detach() + (given - given.detach()) * torch.where(given.detach() == 0, 0.0, slope)


def _halved(tensor: Tensor) -> Tensor:
    """The same numbers, with half the gradient."""
    return tensor / 2 + (tensor / 2).detach()
