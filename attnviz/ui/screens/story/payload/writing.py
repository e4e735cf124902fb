"""The last scene: what the model writes, step by step, with what each step looked at and what else could have come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from attnviz.errors import AttnvizError, LimitError
from attnviz.generation.decode import decode
from attnviz.generation.fill_mask import fill, mask_word
from attnviz.generation.result import Written
from attnviz.generation.sampling import GREEDY, Distribution
from attnviz.generation.steps import Steps
from attnviz.generation.writer import Writer, task
from attnviz.measures.findings import findings
from attnviz.measures.telling_heads import telling_head
from attnviz.tokenization import tokenizer as tokenization
from attnviz.tokenization.token import labels
from attnviz.ui.screens.story.payload.packing import pack

if TYPE_CHECKING:
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording

CANDIDATES = 6
MOST_STEPS = {"translate": 40, "continue": 5, "fill": 1}


def writing(model: Model, name: str, recording: Recording) -> dict[str, Any] | None:
    """A translation, the next words, or the word in a gap; None where the model predicts no words.

    Args:
        model: the one that made the recording.
        name: of the model as it was loaded, for what was measured of its heads.
        recording: of the text that is read.

    Returns:
        `task`; `start`, what stands before the first step; `keys`, the tokens that `own` and `cross` are over: in a
        decoder `own` has one number for each token that stands before the step, in a masked model for the whole text;
        `cross` for each token of the source, None without one; `steps`, each with its token, its candidates and its
        probability; `complete`, whether the text ended by itself.
    """
    try:
        steps = _steps(model, recording)
    except LimitError:
        raise  # the next visit may have it
    except AttnvizError:
        return None  # it has no language head, or no position is left for a word more
    own = _head_of(steps.recording, steps.own, name)
    cross = _head_of(steps.recording, "cross", name) if steps.task == "translate" else None
    own_weights = steps.map(steps.own, *own).weights
    cross_weights = None if cross is None else steps.map("cross", *cross).weights
    count = min(len(steps), MOST_STEPS[steps.task])
    before = len(steps.before)
    return {
        "task": steps.task,
        "start": list(labels(steps.before)),
        "gap": steps.positions[0] if steps.positions else None,
        "selfName": _name(steps.recording, steps.own, own),
        "crossName": None if cross is None else _name(steps.recording, "cross", cross),
        "complete": count == len(steps) and steps.written.end_reason in ("end", "gaps"),
        "steps": [
            {
                "label": _readable(model, steps.written.ids[step]),
                "id": steps.written.ids[step],
                "special": steps.tokens[step].special,
                "own": pack(own_weights[step] if steps.task == "fill" else own_weights[step, : before + step]),
                "cross": None if cross_weights is None else pack(cross_weights[step]),
                "candidates": _candidates(model, steps, step),
            }
            for step in range(count)
        ],
    }


def _steps(model: Model, recording: Recording) -> Steps:
    """The whole text with its recordings."""
    tokens = recording.query_tokens(recording.kinds[0])
    what = task(model)
    if what == "fill":
        ids, _word = mask_word(tokens, model.tokenizer.mask_token_id)
        return Steps.of_gaps(fill(model, ids), GREEDY, model.tokenizer)
    writer = Writer(model, [token.id for token in tokens])
    if what == "translate":
        # The recording has the model's own greedy output already, all but the last token, which nobody reads.
        assert recording.logits is not None  # `task` has found a language head
        ids = tuple(token.id for token in recording.query_tokens("decoder")[len(writer.start) :])
        last = writer.constrain(ids, Distribution(recording.logits[-1]))
        ids = (*ids, GREEDY.choose(last, len(ids)))
        return Steps.of_text(writer, Written(ids, 0, writer.end_reason(ids)), GREEDY, recording)
    written = decode(writer, limit=MOST_STEPS[what])
    return Steps.of_text(writer, written, GREEDY, writer.record(written.ids))


def _head_of(recording: Recording, kind: str, name: str) -> tuple[int, int]:
    """The head of a kind that tells most of what a step looks at.

    In cross-attention that is the one measured best at finding the word to translate next, in the row that predicts it.
    """
    aligned = [item for item in findings(name).heads if (item.kind, item.rows) == (kind, "before")]
    if aligned:
        best = max(aligned, key=lambda item: item.accuracy)
        return best.layer, best.head
    return telling_head(recording, kind, name)


def _name(recording: Recording, kind: str, layer_and_head: tuple[int, int]) -> str:
    layer, head = layer_and_head
    return f"L{recording.layer_number(kind, layer)} H{head}"


def _candidates(model: Model, steps: Steps, step: int) -> list[list[Any]]:
    """The likeliest tokens of a step with the model's own probabilities; the one that was written is among them."""
    probabilities = steps.distribution(step).probabilities.cpu().numpy()
    likeliest = np.argsort(-probabilities, kind="stable")[:CANDIDATES].tolist()
    chosen = steps.written.ids[step]
    if chosen not in likeliest:
        likeliest[-1] = chosen
    return [[_readable(model, index), float(probabilities[index])] for index in likeliest]


def _readable(model: Model, index: int) -> str:
    """A vocabulary entry as it is read by itself."""
    return labels(tokenization.from_ids(model.tokenizer, [index]))[0]
