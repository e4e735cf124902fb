"""An export as a page, opened in a browser from a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from support.pictures import PICTURES

from attnviz.attention.attention_map import AttentionMap
from attnviz.export import Picture, save


def opened(browser: Browser, folder: Path, picture: Picture, **options: object) -> tuple[Page, list[str]]:
    """The page as a reader opens it from a folder, and everything that it asked for or complained about."""
    path = folder / "page.html"
    save(picture, path)
    page = browser.new_page(**options)  # type: ignore[arg-type]
    seen: list[str] = []
    page.on("request", lambda request: seen.append(request.url))
    page.on("console", lambda message: seen.append(message.text))
    page.on("pageerror", lambda error: seen.append(str(error)))
    page.goto(path.as_uri())
    assert seen == [path.as_uri()]
    return page, seen


def cell(page: Page, picture: Picture, panel: int, query: int, key: int) -> tuple[float, float]:
    """Where the middle of a cell is on the screen."""
    return page.evaluate(
        """([panel, query, key]) => {
            const { x, y, cellWidth, cellHeight } = panels[panel];
            const box = svg.getBoundingClientRect();
            const scale = box.width / svg.viewBox.baseVal.width;
            const [right, down] = [x + (key + 0.5) * cellWidth, y + (query + 0.5) * cellHeight];
            return [box.left + right * scale, box.top + down * scale];
        }""",
        [panel, query, key],
    )


def test_the_page_asks_for_nothing_and_says_the_number_under_the_pointer(browser: Browser, tmp_path: Path) -> None:
    picture = PICTURES["hidden"]
    map = picture.panels[0]
    page, seen = opened(browser, tmp_path, picture)
    page.mouse.move(*cell(page, picture, 0, 2, 1))
    said = page.locator("#tip").inner_text()
    assert said.splitlines()[0] == f"sah → Hund {map.weights[2, 1]:.2f}"
    assert said.splitlines()[1].startswith("hidden ")
    page.mouse.move(1, 1)
    assert page.locator("#tip").is_hidden()
    assert len(seen) == 1
    page.close()


@pytest.mark.parametrize("name", ["one head", "lines", "difference", "hostile", "not numbers", "keys hidden"])
def test_the_page_can_be_used_with_the_keyboard_alone(browser: Browser, tmp_path: Path, name: str) -> None:
    picture = PICTURES[name]
    page, seen = opened(browser, tmp_path, picture)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "picture"
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "PageDown", "ArrowUp"):
        page.keyboard.press(key)
    tip = page.locator("#tip")
    assert tip.is_visible() == bool(picture.panels[0].weights.size)
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("Enter")
    page.locator("table").wait_for()
    queries, keys = picture.panels[0].weights.shape
    assert page.locator("tbody tr").count() == queries
    assert page.locator("tbody td").count() >= queries * keys
    assert len(seen) == 1, seen
    page.close()


def test_the_table_of_the_page_has_the_numbers(browser: Browser, tmp_path: Path) -> None:
    picture = PICTURES["hidden"]
    map = picture.panels[0]
    assert isinstance(map, AttentionMap)
    page, _ = opened(browser, tmp_path, picture)
    page.locator("summary").click()
    assert page.locator("thead th").all_inner_texts() == ["", *map.key_labels, "hidden"]
    shown = [row.locator("td").all_inner_texts() for row in page.locator("tbody tr").all()]
    wanted = np.column_stack([map.weights, map.hidden_mass])
    np.testing.assert_allclose(np.array(shown, dtype=float), wanted, atol=0.0051)
    page.close()


def test_lines_of_a_word_alone(browser: Browser, tmp_path: Path) -> None:
    picture = PICTURES["lines"]
    page, _ = opened(browser, tmp_path, picture)
    page.locator("#picture").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.locator("#tip").inner_text().startswith("dog: ")
    clear = page.locator("path[data-query]:not(.faint)")
    assert clear.count() > 0
    assert page.locator('path[data-query="1"]:not(.faint)').count() == clear.count()
    page.close()


def test_the_page_fits_a_telephone(browser: Browser, tmp_path: Path) -> None:
    page, _ = opened(browser, tmp_path, PICTURES["heads of a layer"], viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("#picture svg").bounding_box()["width"] > 700  # type: ignore[index]
    page.close()
