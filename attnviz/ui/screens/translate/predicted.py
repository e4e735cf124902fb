"""What a model says that was trained for classes, labels of tokens or answers, and the component that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from attnviz.ui.components.component import define
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.shell.messages import _, local_number, local_percent

if TYPE_CHECKING:
    from attnviz.export.tables import Table
    from attnviz.models.predictions import Label, Prediction

_component = define(__file__)
MOST_BARS = 12


@dataclass(frozen=True)
class Piece:
    """A piece of a text, perhaps marked, perhaps with a label under it."""

    text: str
    label: str = ""
    marked: bool = False


def draw_prediction(prediction: Prediction, passage: str, *, run: str) -> None:
    """Draws it.

    Args:
        prediction: of the task "class", "labels" or "answer".
        passage: the text that was typed.
        run: the name of what the page shows now, for `figures_ready`.
    """
    data: dict[str, Any] = {
        "title": title(prediction),
        "pieces": [asdict(piece) for piece in pieces(prediction, passage)],
        "bars": [
            {"name": name, "value": value, "number": _number(value, prediction)} for name, value in bars(prediction)
        ],
    }
    _component(key="predicted", data={"run": run, "picture": run_name(*map(repr, data.values())), **data})


def title(prediction: Prediction) -> str:
    """What the model says, as a sentence."""
    if prediction.task == "answer":
        best = prediction.answers[0]
        return _("The answer: “{0}” ({1})").format(best.text, _number(best.probability, prediction))
    if prediction.task == "labels":
        return _("A label for each token")
    if not prediction.exclusive and len(prediction.labels) == 1:
        return _("The model gives the text {0}").format(_number(prediction.labels[0].probability, prediction))
    return _("The model takes the text for “{0}”").format(prediction.labels[0].text)


def pieces(prediction: Prediction, passage: str) -> list[Piece]:
    """The text with what is to be seen in it; empty where it is not shown again."""
    if prediction.task == "answer":
        best = prediction.answers[0]
        parts = (
            Piece(passage[: best.start]), Piece(passage[best.start : best.end], marked=True), Piece(passage[best.end :])
        )  # fmt: skip
        return [part for part in parts if part.text]
    if prediction.task != "labels" or prediction.by_token is None:
        return []
    tokens = prediction.recording.query_tokens(prediction.recording.kinds[0])
    found, done = [], 0
    for at, labels in prediction.by_token.items():
        start, end = tokens[at].start or 0, tokens[at].end or 0
        if start > done:
            found.append(Piece(passage[done:start]))
        found.append(Piece(passage[start:end], _first(labels)))
        done = end
    return [*found, Piece(passage[done:])] if passage[done:] else found


def bars(prediction: Prediction) -> list[tuple[str, float]]:
    """Names with their probabilities: classes, answers, or how many tokens have a label on average."""
    if prediction.task == "answer":
        return [(answer.text, answer.probability) for answer in prediction.answers]
    if prediction.task == "labels" and prediction.by_token:
        totals: dict[str, float] = {}
        for labels in prediction.by_token.values():
            for label in labels:
                totals[label.text] = totals.get(label.text, 0.0) + label.probability / len(prediction.by_token)
        return sorted(totals.items(), key=lambda item: -item[1])[:MOST_BARS]
    return [(label.text, label.probability) for label in prediction.labels[:MOST_BARS]]


def prediction_tables(prediction: Prediction) -> list[Table]:
    """The numbers as tables, for files."""
    from attnviz.export.tables import Table

    if prediction.task == "answer":
        columns: dict[str, list[str | float]] = {
            _("answer"): [answer.text for answer in prediction.answers],
            _("probability"): [answer.probability for answer in prediction.answers],
        }
        return [Table(_("Answers"), columns)]
    if prediction.task == "labels" and prediction.by_token:
        tokens = prediction.recording.query_tokens(prediction.recording.kinds[0])
        names = sorted(label.text for label in next(iter(prediction.by_token.values())))
        columns = {_("token"): [tokens[at].text for at in prediction.by_token]}
        for name in names:
            columns[name] = [_share(labels, name) for labels in prediction.by_token.values()]
        return [Table(_("Labels"), columns)]
    rows = prediction.labels
    return [
        Table(
            _("Classes"), {_("class"): [one.text for one in rows], _("probability"): [one.probability for one in rows]}
        )
    ]


def _first(labels: Sequence[Label]) -> str:
    return f"{labels[0].text} {local_percent(f'{100 * labels[0].probability:.0f}')}"


def _share(labels: Sequence[Label], name: str) -> float:
    return next(label.probability for label in labels if label.text == name)


def _number(value: float, prediction: Prediction) -> str:
    is_grade = prediction.task == "class" and not prediction.exclusive and len(prediction.labels) == 1
    if is_grade:
        return local_number(f"{value:.2f}")
    return local_percent(f"{100 * value:.0f}" if value >= 0.1 else f"{100 * value:.1f}")
