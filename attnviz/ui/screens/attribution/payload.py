"""From results to what the component draws."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

from attnviz.tokenization.token import labels
from attnviz.ui.components.explanation import explanation_wording as wording
from attnviz.ui.components.explanation.explanation import Bar, Curve, Line, Row, Table, Trust
from attnviz.ui.components.explanation.explanation_card import method_title
from attnviz.ui.controls.url_state import shorten
from attnviz.ui.shell.messages import _, local_number, local_percent, ngettext

if TYPE_CHECKING:
    from attnviz.attribution import Attribution, AttributionMatrix, ChangedWeights, Faithfulness
    from attnviz.models.model import Model
    from attnviz.ui.components.explanation.explanation_card import Choice


LEAST_ROOM = 0.01  # between chance and the best order; below that nothing can be said
LEAST_WAY = 0.05  # of that way, from which a method is better than chance


MOST_NAMED = 80  # characters of the words that are gone


def method_table(
    results: Mapping[str, Attribution], agreement: Mapping[str, float], chosen: str, *, is_whole: bool
) -> Table:
    """All methods under each other.

    Args:
        results: by method, all of one word.
        agreement: by method, the rank correlation with the chosen one, in [-1, 1].
        chosen: the method that the others are compared with.
        is_whole: whether it is of all layers and heads, as the rows are.
    """
    from attnviz.attribution import METHODS

    first = next(iter(results.values()))
    rows = []
    for name, result in results.items():
        values = tuple(float(value) for value in result.source_values)
        rows.append(
            Row(
                wording.method_name(name),
                values,
                tuple(wording.contribution(value) for value in values),
                max(map(abs, values), default=0.0),
                METHODS[name].signed,
                _("itself") if name == chosen and is_whole else _agreement(agreement[name]),
            )
        )
    return Table(
        _("All methods"),
        labels(first.tokens)[: first.source_length],
        tuple(rows),
        _("agrees with “{0}”").format(wording.method_name(chosen)),
    )


def matrix_table(matrix: AttributionMatrix, choice: Choice) -> Table:
    """What each token of the source contributed to each word of the translation, in colours that all rows share."""
    from attnviz.attribution import METHODS

    most = float(np.abs(matrix.values).max(initial=0.0))
    signed = METHODS[matrix.method].signed
    rows = tuple(
        Row(
            name, tuple(map(float, values)), tuple(wording.contribution(float(value)) for value in values), most, signed
        )
        for name, values in zip(labels(matrix.target_tokens), matrix.values, strict=True)
    )
    notes = [_("A row is a word of the translation, a column one of the source.")]
    if np.isfinite(matrix.deltas).any():
        worst = local_percent(f"{100 * float(np.nanmax(matrix.deltas)):.2f}")
        notes.append(_("Added up, the numbers of a row miss what they should explain by {0} at most.").format(worst))
    title = _("The whole translation: {0}").format(method_title(matrix.method, choice))
    return Table(title, labels(matrix.source_tokens), rows, note=" ".join(notes))


def _agreement(correlation: float) -> str:
    return "–" if math.isnan(correlation) else local_number(f"{correlation:.2f}")


def trust(results: Sequence[Attribution], falls: Sequence[Faithfulness], changed: ChangedWeights | None) -> Trust:
    """What was measured of one method or two, in words and pictures.

    Args:
        results: of the methods, of one word.
        falls: for each what happens without the words that it names.
        changed: what happens with other weights; None where the model allows no others.
    """
    share = wording.probability
    word = results[0].target.text.strip() or "␣"
    names = [wording.method_name(result.method) for result in results]
    kinds: tuple[Literal["method", "beside"], ...] = ("method", "beside")
    lines = [
        Line(_("{0}: {1} on average").format(name, share(_mean(fall.removed))), _numbers(fall.removed), kind,
             _steps(result, fall))
        for name, result, fall, kind in zip(names, results, falls, kinds, strict=False)
    ]  # fmt: skip
    first = falls[0]
    random = first.random.mean(axis=0)
    lines.append(Line(_("in random order: {0}").format(share(_mean(random))), _numbers(random), "random"))
    if first.best is not None:
        lines.append(
            Line(_("the best order found: {0}").format(share(_mean(first.best))), _numbers(first.best), "best")
        )
    curve = Curve(
        _("The probability of “{0}” as words are taken away").format(word),
        tuple(lines),
        tuple(int(count) for count in first.counts),
        _("words taken away"),
        _("probability of “{0}”").format(word),
        tuple({"value": value, "label": local_percent(f"{100 * value:.0f}")} for value in (0.0, 0.5, 1.0)),
    )
    sentences = [
        _("Words are taken away one after another, those first that the method names first. The sooner “{0}” becomes "
          "unlikely, the better the method knew what matters.").format(word),
        *verdicts(falls, names),
    ]  # fmt: skip
    bars = () if changed is None else (
        (_("as they are"), changed.unchanged),
        (_("all equal"), changed.even),
        (_("shuffled"), float(np.mean(changed.shuffled))),
    )  # fmt: skip
    return Trust(
        _("Can it be trusted?"),
        tuple(sentences),
        curve,
        _("“{0}” with other attention weights").format(word),
        tuple(Bar(label, value, share(value)) for label, value in bars),
        (
            _("If other weights give the same word, the weights cannot be its only reason (Jain & Wallace 2019). But "
              "weights drawn by chance are none that the model would choose itself (Wiegreffe & Pinter 2019)."),
            _("So a map shows where a head looks, and only a measurement shows what that is good for. In a study, "
              "people liked coloured texts best and were hardly helped by them."),
        ),
    )  # fmt: skip


def _steps(result: Attribution, fall: Faithfulness) -> tuple[str, ...]:
    """For each step what is gone then, and the probability."""
    names = labels(result.tokens)
    texts = []
    for count, value in zip(fall.counts.tolist(), fall.removed.tolist(), strict=True):
        gone = _(", ").join(names[at] for at in fall.order[:count])
        text = _("without {0}").format(shorten(gone, MOST_NAMED)) if count else _("all words")
        texts.append(f"{text}: {wording.probability(value)}")
    return tuple(texts)


def verdicts(falls: Sequence[Faithfulness], names: Sequence[str]) -> list[str]:
    """Where each method stands between chance and the best order found, in a sentence."""
    chance = falls[0].random_comprehensiveness
    best = falls[0].best
    if best is None:  # the text is too long to look for it
        return [
            _("“{0}” lowers the probability by {1} on average, chance by {2}.").format(
                name, wording.probability(max(fall.comprehensiveness, 0.0)), wording.probability(max(chance, 0.0))
            )
            for fall, name in zip(falls, names, strict=True)
        ]
    room = float(best[0]) - _mean(best) - chance
    if room < LEAST_ROOM:
        return [_("Here no order is much better than chance, so this word says nothing about the method.")]
    sentences = []
    for fall, name in zip(falls, names, strict=True):
        way = (fall.comprehensiveness - chance) / room
        if way <= LEAST_WAY:
            sentences.append(_("“{0}” does no better than chance here.").format(name))
        else:
            percent = local_percent(f"{100 * min(way, 1.0):.0f}")
            sentences.append(_("“{0}” comes {1} of the way from chance to the best order found.").format(name, percent))
    return sentences


def _mean(curve: np.ndarray) -> float:
    """Of a curve, without its beginning, where nothing is gone yet."""
    return float(curve[1:].mean())


def coarse_remark(model: Model) -> str:
    """Says why methods that ask the model again are not offered for one in half precision."""
    return _(
        "This model computes in {0}, whose rounding is as large as what is to be measured here. So only the methods "
        "that read its attention are offered; in float32 there are more."
    ).format(str(model.dtype).removeprefix("torch."))


def left_out_remark(count: int) -> str:
    """Says that not all words can be chosen."""
    return ngettext(
        "{0} word is too many to be shown here and cannot be chosen.",
        "{0} words are too many to be shown here and cannot be chosen.",
        count,
    ).format(count)


def _numbers(values: np.ndarray) -> tuple[float, ...]:
    return tuple(round(float(value), 5) for value in values)
