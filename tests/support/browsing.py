"""What the tests in a browser wait for and read, on every page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, TimeoutError

# How long Playwright waits for anything before the test fails. The first page of a server comes when torch and all the
# others are loaded, on a busy machine after more than a minute; a test that passes waits no longer for a large number.
PAGE_MILLISECONDS = 150_000

# JavaScript: whether the page's program has run through on the server and nothing is to be drawn any more.
RESTS = "(document.querySelector('[data-testid=stApp]')?.dataset.testScriptState === 'notRunning')"


def new_context(browser: Browser, **options: Any) -> BrowserContext:
    """A profile of its own in the browser, which waits as long as a busy machine needs.

    The pages' policy against foreign scripts is off in it, since Playwright's waiting is one;
    `test_policy_in_browser.py` holds it on every page.
    """
    context = browser.new_context(**{"bypass_csp": True, **options})
    context.set_default_timeout(PAGE_MILLISECONDS)
    return context


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


def click_page_name(page: Page, name: str) -> None:
    """Goes to another page by its name, which stands in one of the groups at the top."""
    link = page.get_by_role("menuitem", name=name, exact=True)
    for group in page.get_by_test_id("stTopNavSection").all():
        group.click()
        page.get_by_test_id("stTopNavPopover").wait_for()
        if link.count():
            link.click()
            return
        page.keyboard.press("Escape")
        page.get_by_test_id("stTopNavPopover").wait_for(state="detached")
    raise AssertionError(f"no group at the top has a page called {name}")


def style_of(selector: str, property: str) -> str:
    """JavaScript for a computed style of the first element that a selector finds, such as "fontSize".

    Undefined as long as there is no such element: a page that is being loaded or drawn anew has none for a moment, and
    a wait whose condition raises an error ends at once instead of asking again.
    """
    return f"""[...document.querySelectorAll("{selector}")].map((one) => getComputedStyle(one).{property})[0]"""


def settled_box(locator: Locator) -> dict[str, float]:
    """Where an element is on the screen once it stays there.

    A page that has just been drawn still moves for a moment: a font arrives, the controls above take another line. A
    pointer that is sent to a place read before that hits the neighbour.

    Args:
        locator: of one element; it is scrolled into view.

    Returns:
        Its left and upper edge, width and height in CSS pixels, the same in ten frames one after another.
    """
    locator.scroll_into_view_if_needed()
    return locator.evaluate(
        """async (element) => {
          const frame = () => new Promise((done) => requestAnimationFrame(done));
          const box = () => {
            const { x, y, width, height } = element.getBoundingClientRect();
            return { x, y, width, height };
          };
          await document.fonts.ready;
          let last = box();
          for (let same = 0; same < 10; ) {
            await frame();
            const now = box();
            same = Object.keys(now).every((side) => now[side] === last[side]) ? same + 1 : 0;
            last = now;
          }
          return last;
        }"""
    )


def point_at(target: Locator, tip: Locator, across: float = 0.5, down: float = 0.5) -> None:
    """Moves the pointer onto a place until the tip is there, as a hand does that sees none.

    What is drawn anew, or scrolled, just when the pointer arrives takes its tip away.

    Args:
        target: what is pointed at; it is scrolled into view.
        tip: what is to become visible by it.
        across, down: where in it, as shares of its width and height.
    """
    page = target.page
    for attempt in range(6):
        page.wait_for_function(RESTS)
        box = settled_box(target)
        x, y = box["x"] + across * box["width"], box["y"] + down * box["height"]
        page.mouse.move(x - 2, y - 2)
        page.mouse.move(x, y)
        try:
            tip.wait_for(state="visible", timeout=PAGE_MILLISECONDS if attempt == 5 else 2_000)
            return
        except TimeoutError:
            page.mouse.move(1, 1)


def pick_option(box: Locator, name: str) -> None:
    """Picks an option of a list with a box, again where the list closed because the page was drawn anew just then."""
    option = box.page.get_by_role("option", name=name)
    for attempt in range(6):
        box.page.wait_for_function(RESTS)
        box.fill(name)
        try:
            option.click(timeout=PAGE_MILLISECONDS if attempt == 5 else 3_000)
            return
        except TimeoutError:
            box.press("Escape")


def with_sentence(address: str, sentence: str) -> str:
    """A page's address that names a sentence, where it does not name one yet; the page opens with it."""
    if "sentence=" in address:
        return address
    return f"{address}{'&' if '?' in address else '?'}{urlencode({'sentence': sentence})}"


def text_box(page: Page, key: str = "sentence") -> Locator:
    """The box that holds a text: the sentence, or the one with another key."""
    return page.locator(f".st-key-{key} textarea")


def address_parameters(page: Page) -> dict[str, list[str]]:
    """What the address holds behind its question mark."""
    return parse_qs(urlsplit(page.url).query)


def diagonal_colours(page: Page, canvases: str) -> list[list[int]]:
    """Of each canvas the colours along a line from its upper left to its lower right corner, four numbers a pixel."""
    colours: list[list[int]] = page.locator(canvases).evaluate_all(
        """(all) => all.map((canvas) => {
          const context = canvas.getContext('2d');
          const found = [];
          for (let step = 1; step < 60; step++) {
            const [x, y] = [canvas.width, canvas.height].map((size) => Math.floor((size * step) / 60));
            found.push(...context.getImageData(x, y, 1, 1).data);
          }
          return found;
        })"""
    )
    return colours


def wait_until_alike(read: Callable[[Page], Any], *pages: Page) -> None:
    """Fails unless the pages read alike, within ten seconds, with the pointer in a corner.

    A page that has just been drawn may be drawn once more, when its fonts are there or it becomes narrower.

    Args:
        read: what is compared, of one page.
        pages: two or more.
    """
    for page in pages:
        page.mouse.move(5, 5)
    for _ in range(50):
        first, *others = values = [read(page) for page in pages]
        if all(value == first for value in others):
            break
        pages[0].wait_for_timeout(200)
    assert values == [first] * len(pages)


def wider_than_the_screen(page: Page, inner: str = ".st-key-figures") -> list[str]:
    """What can be scrolled sideways: the page, its main part, or what the selector finds in it."""
    wider: list[str] = page.evaluate(
        """(inner) => [document.documentElement, ...document.querySelectorAll(`[data-testid=stMain], ${inner}`)]
          .filter((element) => element.scrollWidth > element.clientWidth + 1)
          .map((element) => `${element.tagName} ${element.className}`)""",
        inner,
    )
    return wider


def wait_until_it_fits(page: Page, inner: str = ".st-key-figures") -> None:
    """Fails unless nothing can be scrolled sideways within ten seconds: charts and tables take a new width late."""
    for _ in range(50):
        if not wider_than_the_screen(page, inner):
            return
        page.wait_for_timeout(200)
    assert wider_than_the_screen(page, inner) == []
