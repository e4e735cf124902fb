"""What the tests in a browser wait for and read, on every page."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

from playwright.sync_api import Page


def wait_until_drawn(page: Page, sentence: str, before: str = "") -> str:
    """Waits until the page says that the figures of a sentence are complete.

    Args:
        page: in the browser.
        sentence: that the figures show.
        before: the run whose figures are not meant, as this function returned it.

    Returns:
        The name of the run that the figures show.
    """
    page.wait_for_function(
        """([sentence, before]) => {
          const marks = document.querySelectorAll('.attnviz-ready');
          return marks.length === 1 && marks[0].dataset.sentence === sentence && marks[0].dataset.run !== before;
        }""",
        arg=[sentence, before],
    )
    return page.locator(".attnviz-ready").get_attribute("data-run") or ""


def address_parameters(page: Page) -> dict[str, list[str]]:
    """What the address holds behind its question mark."""
    return parse_qs(urlsplit(page.url).query)
