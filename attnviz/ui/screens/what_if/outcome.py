"""The component that shows what the model says before and after, and how the next token's probabilities change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from attnviz.ui.components.component import define
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.screens.what_if.wording import Piece

_component = define(__file__)


@dataclass(frozen=True)
class SaidText:
    """A text under its name.

    Attributes:
        name: such as "Changed".
        parts: its pieces, some of them marked.
        invites: whether it stands in the place of a text and says how to begin.
    """

    name: str
    parts: tuple[Piece, ...]
    invites: bool = False


@dataclass(frozen=True)
class NextToken:
    """A token that may come next.

    Attributes:
        label: as the reader sees it.
        before, after: its probabilities, in [0, 1].
        shares: both in words: "72 % → 64 %".
        first: whether it is the likeliest after the change.
    """

    label: str
    before: float
    after: float
    shares: str
    first: bool = False


@dataclass(frozen=True)
class NextTokens:
    """The likeliest tokens at the position whose prediction changes most.

    Attributes:
        title: which position that is.
        names: what stands for before and after.
        tokens: the likeliest before the change first.
    """

    title: str
    names: tuple[str, str]
    tokens: tuple[NextToken, ...]


def outcome(texts: Sequence[SaidText], remark: str, next: NextTokens | None, *, run: str, key: str) -> None:
    """Draws the texts, what is to be said of them, and the next tokens.

    Args:
        texts: before and after.
        remark: in a line below; "" for none.
        next: None where nothing is changed, or nothing is predicted.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
    """
    data: dict[str, Any] = {
        "texts": [asdict(text) for text in texts],
        "remark": remark,
        "next": asdict(next) if next else None,
    }
    _component(key=key, data={"run": run, "picture": run_name(*data.values()), **data})
