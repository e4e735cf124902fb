"""What a model says and can be asked about: words of a translation, masked words, classes; and by which methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.errors import InputError
from attnviz.tokenization.token import labels
from attnviz.ui.controls.url_state import Say, shorten
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from attnviz.attribution import Attribution
    from attnviz.attribution.explained import Explained
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording
    from attnviz.ui.components.explanation.explanation_card import Choice
    from attnviz.ui.shell.models import Loaded

MOST_WORDS = 80
WORD_KEY = "explained"
FIRST, SECOND = "attention", "occlusion"
"""The methods that stand side by side at first: where it looks, and what becomes of it without each word."""


@dataclass(frozen=True)
class Output:
    """A prediction that can be explained.

    Attributes:
        label: as the reader sees it; unique among the outputs.
        position: the row of the network that makes it; None for a class.
        token: the number of the class, or which end of an answer; None for what stands there.
    """

    label: str
    position: int | None
    token: int | str | None = None


@dataclass(frozen=True)
class Outputs:
    """All of them, with the one that a page opens with.

    Attributes:
        items: in the order of the text.
        opening: an index of `items`.
        ask: what the reader is to do with them.
        predicts: whether the model predicts at all; without, only weights can be followed.
        left_out: how many there were too many to be shown.
    """

    items: tuple[Output, ...]
    opening: int
    ask: str
    predicts: bool
    left_out: int = 0


def outputs(model: Model, recording: Recording) -> Outputs:
    """What can be explained in a recording."""
    from attnviz.attribution.explained import find_explained

    kind = "cross" if "cross" in recording.kinds else recording.kinds[0]
    tokens = recording.query_tokens(kind)
    names = labels(tokens)
    first = find_explained(model, recording, position=0)
    if first.edge:
        return _edges(model, recording)
    if first.is_class and recording.logits is None:
        classes = getattr(model.network.config, "id2label", {})
        items = [Output(str(name), None, int(index)) for index, name in classes.items()]
        return Outputs(tuple(items), first.token or 0, _("What should be explained? Click a class."), predicts=True)
    if kind == "encoder":
        items = [Output(name, at) for at, (name, token) in enumerate(zip(names, tokens, strict=True))
                 if not token.special or token.id == _mask_id(model)]  # fmt: skip
        masked = [index for index, item in enumerate(items) if tokens[item.position or 0].id == _mask_id(model)]
        ask = _("Which word should be explained? Click one.")
        return _limited(items, masked[0] if masked else _longest(items), ask, first.token is not None, from_end=False)
    items = [Output(names[at + 1], at) for at in range(len(tokens) - 1) if not tokens[at + 1].special]
    if kind == "decoder":
        last = find_explained(model, recording, position=len(tokens) - 1)
        if last.token is not None:
            label = _("next: {0}").format(last.text.strip() or "␣")
            items.append(Output(label, len(tokens) - 1))
        ask = _("Which word should be explained from those before it? Click one.")
        return _limited(items, len(items) - 1, ask, last.token is not None, from_end=True)
    ask = _("Which word of the translation should be explained? Click one.")
    return _limited(items, _longest(items), ask, predicts=True, from_end=False)


def _edges(model: Model, recording: Recording) -> Outputs:
    """Where the likeliest answer begins and where it ends."""
    from attnviz.attribution.reading import Reading
    from attnviz.models.predictions import likeliest_spans, passage_positions

    tokens = recording.query_tokens(recording.kinds[0])
    names = labels(tokens)
    inside = passage_positions(tokens) or [at for at, token in enumerate(tokens) if not token.special]
    starts, ends = Reading(model, recording, 0).run(1)[0].chunk(2)
    first, last, _share = likeliest_spans(starts, ends, inside)[0]
    items = (
        Output(_("begins with {0}").format(names[first]), first, "start"),
        Output(_("ends with {0}").format(names[last]), last, "end"),
    )
    return Outputs(items, 0, _("The answer: what should be explained? Click one end."), predicts=True)


def requested_output(outputs: Outputs, say: Say) -> tuple[int, Output]:
    """The word that the address names, else the opening one; its index and itself."""
    requested = st.query_params.get(WORD_KEY)
    names = [item.label for item in outputs.items]
    if requested is None or requested in names:
        index = outputs.opening if requested is None else names.index(requested)
        return index, outputs.items[index]
    opening = outputs.items[outputs.opening]
    say(
        _("There is no word {0} to be explained here; {1} is explained instead.").format(
            shorten(requested), opening.label
        )
    )
    st.query_params.pop(WORD_KEY, None)
    return outputs.opening, opening


def choose_output(output: Output) -> None:
    """Writes the word that was clicked into the address; another word has other alternatives."""
    st.query_params[WORD_KEY] = output.label
    for state in (st.session_state, st.query_params):
        state.pop("instead", None)


def explained_by(
    loaded: Loaded,
    recording: Recording,
    text: tuple[str | None, ...],
    output: Output,
    choice: Choice,
    against: int | None = None,
    progress: Callable[[float], None] | None = None,
) -> Attribution:
    """What a method says of an output; computed once.

    Args:
        text: by which the model's cache knows the recording.
        against: what the output is compared with; None for nothing.
        progress: is told what share is done.
    """
    from attnviz.attribution import attribute

    def compute() -> Attribution:
        return attribute(
            loaded.model, recording, choice.method, output.position, output.token, against,
            layer=choice.layer, head=choice.head, progress=progress,
        )  # fmt: skip

    return loaded.cache.get(("attribution", *text, astuple(output), against, astuple(choice)), compute)


def is_exact(model: Model) -> bool:
    """Whether the model computes exactly enough for small differences to be believed."""
    from attnviz.attribution.reading import check_precision

    try:
        check_precision(model)
    except InputError:
        return False
    return True


def possible_methods(model: Model, *, measured: bool, exact: bool) -> list[str]:
    """The methods that this model allows; without `measured` those alone that do not ask it again, and without `exact`
    those that do not tell numbers apart by comparing them."""
    from attnviz.attribution import METHODS

    captured = model.recorder.plan.captures
    without = {"attention", "rollout", "flow", "input_gradient", "integrated_gradients"}
    return [
        name for name, method in METHODS.items()
        if (measured or not method.runs) and (exact or not method.compares) and (captured or name in without)
    ]  # fmt: skip


def other_words(model: Model, recording: Recording, output: Output, count: int = 6) -> dict[str, int]:
    """The likeliest other predictions in the place of one, by their texts, with their numbers in the vocabulary."""
    from attnviz.attribution.explained import find_explained

    if output.position is None:
        classes = getattr(model.network.config, "id2label", {})
        return {str(name): int(index) for index, name in classes.items() if int(index) != output.token}
    explained = find_explained(model, recording, output.position, output.token)
    if explained.edge:
        return _other_edges(model, recording, explained, count)
    logits = recording.logits
    if logits is None or explained.token is None:
        return {}
    found: dict[str, int] = {}
    for index in logits[output.position].topk(min(4 * count, logits.shape[-1])).indices.tolist():
        if index != explained.token and len(found) < count:
            text = find_explained(model, recording, output.position, index).text.strip()
            if text:
                found.setdefault(text, index)
    return found


def _other_edges(model: Model, recording: Recording, explained: Explained, count: int) -> dict[str, int]:
    """The likeliest other tokens of the passage for this end of the answer."""
    from attnviz.attribution.reading import Reading
    from attnviz.models.predictions import passage_positions

    tokens = recording.query_tokens(recording.kinds[0])
    others = [at for at in passage_positions(tokens) if at != explained.position]
    if not others:
        return {}
    chances = explained.every_probability(Reading(model, recording, explained.position).run(1))[0]
    names = labels(tokens)
    return {names[at].strip(): at for at in sorted(others, key=lambda at: -float(chances[at]))[:count]}


def _limited(items: list[Output], opening: int, ask: str, predicts: bool, *, from_end: bool) -> Outputs:
    left_out = max(0, len(items) - MOST_WORDS)
    shown = items[left_out:] if from_end else items[:MOST_WORDS]
    opening = opening - left_out if from_end else min(opening, MOST_WORDS - 1)
    return Outputs(tuple(shown), max(opening, 0), ask, predicts, left_out)


def _longest(items: list[Output]) -> int:
    """The longest word: it is hardly ever one of those that stand everywhere."""
    lengths = [len(item.label) if any(map(str.isalnum, item.label)) else 0 for item in items]
    return lengths.index(max(lengths)) if lengths else 0


def _mask_id(model: Model) -> int | None:
    return getattr(model.tokenizer, "mask_token_id", None)
