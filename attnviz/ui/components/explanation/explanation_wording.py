"""Names and sentences about what contributed to a prediction, in the reader's language."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.ui.shell.messages import _, local_number, local_percent

if TYPE_CHECKING:
    from attnviz.attribution import Attribution
    from attnviz.attribution.explained import Explained


def method_name(method: str) -> str:
    """What the reader calls a method."""
    return {
        "none": _("none"),
        "attention": _("Attention weights"),
        "rollout": _("Rollout"),
        "flow": _("Flow"),
        "norms": _("Weight × length of the vector"),
        "norms_residual": _("Length, with residual and normalisation"),
        "attention_gradient": _("Weight × gradient"),
        "attention_attribution": _("Attention attribution"),
        "attention_lrp": _("Relevance (AttnLRP)"),
        "input_gradient": _("Gradient of the input"),
        "integrated_gradients": _("Integrated gradients"),
        "occlusion": _("Leaving each word out"),
    }[method]


def contribution(value: float) -> str:
    """A contribution beside its word: two digits, three where two would say that something small is nothing."""
    text = f"{value:.2f}"
    if text in ("0.00", "-0.00"):
        text = f"{value:.3f}" if abs(value) >= 0.0005 else "0"
    return local_number(text)


def probability(value: float) -> str:
    """A probability in percent, as exact as it can be read."""
    percent = 100 * value
    if percent < 0.1:
        return _("below {0}").format(local_percent("0.1")) if percent else local_percent("0")
    return local_percent(f"{percent:.0f}" if percent >= 10 else f"{percent:.1f}")


def question(result: Attribution) -> str:
    """What is explained, as a sentence: the word, how sure the model is of it, and what it is compared with."""
    target = result.target
    word = target.text.strip() or "␣"
    if target.token is None:
        return _("This model predicts nothing; shown is what has come together at the chosen word.")
    sure = probability(target.probability or 0.0)
    if target.edge:
        return _edge_question(target, word, sure)
    if target.against is not None:
        return _("Why “{0}” ({1}) and not “{2}”?").format(word, sure, target.against_text.strip() or "␣")
    return _("Why “{0}”? The model gives it {1}.").format(word, sure)


def _edge_question(target: Explained, word: str, sure: str) -> str:
    """The same of an answer, which begins or ends with a word."""
    is_start = target.edge == "start"
    if target.against is not None:
        other = target.against_text.strip() or "␣"
        text = (
            _("Why does the answer begin with “{0}” ({1}) and not with “{2}”?") if is_start
            else _("Why does the answer end with “{0}” ({1}) and not with “{2}”?")
        )  # fmt: skip
        return text.format(word, sure, other)
    text = (
        _("Why does the answer begin with “{0}”? The model gives it {1}.") if is_start
        else _("Why does the answer end with “{0}”? The model gives it {1}.")
    )  # fmt: skip
    return text.format(word, sure)


def sum_note(result: Attribution) -> str:
    """How far the values miss the sum that the method promises; "" for methods that promise none."""
    if result.delta is None:
        return ""
    missed = 100 * result.delta
    text = local_percent(f"{missed:.2f}" if missed >= 0.005 else "0")
    return _("Added up, these numbers miss what they should explain by {0}.").format(text)


def unit(method: str) -> str:
    """What the numbers of a method are."""
    if method == "flow":
        return _("The most that could flow here: 1 is all of a word.")
    if method == "norms_residual":
        return _("Shares of what stands behind the layer; what is missing from 1 is the word's own.")
    if method in ("attention", "rollout", "norms"):
        return _("Shares: in each text the numbers add up to 1.")
    if method == "attention_lrp":
        return _("Parts of the score before the softmax; biases and the softmax take up the rest.")
    if method in ("attention_gradient", "input_gradient"):
        return _("Only their order and their proportions mean something.")
    return _("In units of the logarithm of the probability: 0.69 means twice as likely.")
