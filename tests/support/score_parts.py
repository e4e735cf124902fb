"""The bars that say what a score is made of, as a page shows them and as the engine has them."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from attnviz.attribution import ScoreSplit

ROWS = ".attnviz-parts tr"


def check_rows(page: Page, split: ScoreSplit) -> None:
    """Waits until the page shows the score of a split, and compares all its bars."""
    expected = _expected_rows(split)
    expect(page.locator(ROWS).last).to_contain_text(expected[-1][1])
    texts = page.locator(ROWS).evaluate_all(
        "(rows) => rows.map((row) => [row.querySelector('th').innerText, row.lastElementChild.innerText])"
    )
    assert [(" ".join(name.split()), number) for name, number in texts] == expected


def _expected_rows(split: ScoreSplit) -> list[tuple[str, str]]:
    """Of each bar what it is and its number, the rest and the total last; in English."""
    largest = split.largest(10)
    rows = [(f"{part.name} {part.side}'s side", part.value) for part in largest]
    rest = sum(part.value for part in split.parts) - sum(part.value for part in largest)
    rows.append((f"everything else ({len(split.parts) - len(largest)} parts)", rest))
    numbers = [(name, f"{value:+.3f}".replace("-", "−")) for name, value in rows]
    return [*numbers, ("together, the score", f"{split.score:.3f}".replace("-", "−"))]
