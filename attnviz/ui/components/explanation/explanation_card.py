"""What one method says of a prediction, as the coloured texts that a component draws."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from attnviz.tokenization.token import labels
from attnviz.ui.components.explanation import explanation_wording as wording
from attnviz.ui.components.explanation.explanation import Card, Coloured, Group
from attnviz.ui.shell.messages import _, local_number, translate

if TYPE_CHECKING:
    from attnviz.attribution import Attribution


@dataclass(frozen=True)
class Choice:
    """One method, and of which layer and head where it can be chosen; None: all of them."""

    method: str
    layer: int | None = None
    head: int | None = None


def card(result: Attribution, choice: Choice) -> Card:
    """What one method says, as coloured texts."""
    from attnviz.attribution import METHODS

    method = METHODS[result.method]
    names = labels(result.tokens)
    cut = result.source_length
    most = float(np.abs(result.values).max(initial=0.0))

    def coloured(part: slice) -> tuple[Coloured, ...]:
        return tuple(
            Coloured(name, float(value), wording.contribution(float(value)))
            for name, value in zip(names[part], result.values[part], strict=True)
        )

    groups = [Group(_("Source") if cut < len(names) else _("Text"), coloured(slice(cut)))]
    if cut < len(names):
        groups.append(Group(_("What it had written before"), coloured(slice(cut, None))))
    low = wording.contribution(-most) if method.signed else local_number("0")
    notes = [wording.unit(result.method), wording.sum_note(result)]
    return Card(
        method_title(result.method, choice), translate(method.answers), tuple(groups), method.signed, most,
        (low, wording.contribution(most)), " ".join(note for note in notes if note),
    )  # fmt: skip


def method_title(method: str, choice: Choice) -> str:
    """The name of a method, with layer and head where they were chosen."""
    parts = [wording.method_name(method)]
    if choice.layer is not None:
        parts.append(f"L{choice.layer}" + ("" if choice.head is None else f" H{choice.head}"))
    return " · ".join(parts)
