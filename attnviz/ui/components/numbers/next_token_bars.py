"""The bars of a next-token distribution: the likeliest tokens one by one, all others as one.

Numbers in, numbers out; the component `text_player` draws them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from attnviz.ui.shell.messages import local_percent

MOST_BARS = 8


@dataclass(frozen=True, slots=True)
class Bar:
    """One token of a distribution.

    Attributes:
        id: of the vocabulary.
        before: what the model gives it, in [0, 1].
        after: what the method leaves of it or makes of it, in [0, 1].
        candidate: whether the method may choose it.
        chosen: whether it stands in the text.
    """

    id: int
    before: float
    after: float
    candidate: bool
    chosen: bool


@dataclass(frozen=True, slots=True)
class Bars:
    """A distribution before and after a method shaped it; both sum to 1 over the bars and the others.

    Attributes:
        bars: the likeliest, the likeliest first; the token that was chosen is the last of them where it is less likely.
        others: how many tokens have no bar of their own.
        before, after: what these others have together.
        cut: in [0, 1], what share of the model's own probability was cut off.
        candidates: how many tokens the method may choose.
    """

    bars: tuple[Bar, ...]
    others: int
    before: float
    after: float
    cut: float
    candidates: int


def next_bars(
    before: np.ndarray, after: np.ndarray, is_candidate: np.ndarray, chosen: int, most: int = MOST_BARS
) -> Bars:
    """Chooses the bars.

    Args:
        before: (vocabulary,) in [0, 1], the model's probabilities; they sum to 1.
        after: (vocabulary,) in [0, 1], the method's; 0 where a token was cut off.
        is_candidate: bool (vocabulary,), which tokens were not cut off.
        chosen: the id that stands in the text.
        most: bars for the likeliest tokens.

    Example:
        >>> next_bars(np.array([0.5, 0.3, 0.2]), np.eye(3)[0], np.eye(3)[0] > 0, chosen=0, most=1).before
        0.5
    """
    count = min(most, len(before))
    likeliest = np.argpartition(-before, count - 1)[:count]
    # As the method sees them where the model finds two alike, and by id where both do.
    order = sorted(likeliest.tolist(), key=lambda index: (-before[index], -after[index], index))
    if chosen not in order:
        order.append(chosen)
    bars = tuple(
        Bar(index, float(before[index]), float(after[index]), bool(is_candidate[index]), index == chosen)
        for index in order
    )
    others = np.ones(len(before), dtype=bool)
    others[order] = False
    return Bars(
        bars,
        len(before) - len(order),
        float(before[others].sum()),
        float(after[others].sum()),
        float(before[~is_candidate].sum()),
        int(is_candidate.sum()),
    )


def format_percent(share: float) -> str:
    """A share as it stands beside a bar: "42 %", "0.3 %", "< 0.1 %", "0".

    Example:
        >>> format_percent(0.4249), format_percent(0.0031), format_percent(0.0), format_percent(0.99999)
        ('42 %', '0.3 %', '0', '> 99.9 %')
    """
    if share <= 0:
        return "0"
    if share >= 0.9995:
        return local_percent("100") if share >= 1 - 1e-7 else f"> {local_percent('99.9')}"
    if share < 0.0005:
        return f"< {local_percent('0.1')}"
    return local_percent(f"{100 * share:.0f}" if 0.1 <= share < 0.99 else f"{100 * share:.1f}")
