"""Every control of every page is used by a test in a browser that sees its effect.

`support/controls.py` has the table. What a page offers is read from the page itself, in each state that its rows lead
to: a control without a row fails, and so does a row without a control. Keys that a component listens for are read from
its code.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support.browsing import RESTS
from support.controls import EVERYWHERE, SCREENS, STREAMLIT, Control, Keys

HERE = Path(__file__).parent
COMPONENTS = sorted((HERE.parents[1] / "attnviz" / "ui").rglob("*.js"))

# What a page offers -------------------------------------------------------------------------------------------------

INTERACTIVE = """a[href], button, input, select, textarea, summary, canvas[tabindex], [tabindex="0"], [contenteditable],
  [role=radio], [role=menuitem], [role=menuitemradio], [role=slider], [role=tab], [role=button], [role=switch]"""
FOUND = """([interactive, known]) => [...document.querySelectorAll(interactive)]
  .filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.closest('[data-testid=stApp] [inert]'))
  .filter((one) => !known.some((selector) => one.matches(selector)))
  .map((one) => {
    const around = [one, ...[...document.querySelectorAll('[class*=st-key-]')].filter((box) => box.contains(one))];
    const key = around.at(-1).className?.baseVal ?? around.at(-1).className;
    return `${one.tagName} ${one.className?.baseVal ?? one.className} “${one.ariaLabel || one.textContent}” in ${key}`;
  })"""
THERE = "(selectors) => selectors.filter((one) => document.querySelector(one))"


class Seen:
    """What of a page's controls was seen while it was used."""

    def __init__(self, page: Page, rows: list[Control]) -> None:
        self.page = page
        self.rows = [re.sub(r":(visible|has-text\('[^']*'\))", "", row.at) for row in rows]
        self.without_row: set[str] = set()
        self.there: set[str] = set()

    def look(self) -> None:
        """Takes down what the page offers now."""
        known = [*self.rows, *(row.at for row in EVERYWHERE), *STREAMLIT]
        self.without_row |= set(self.page.evaluate(FOUND, [INTERACTIVE, known]))
        self.there |= set(self.page.evaluate(THERE, self.rows))


RUN = "document.querySelector('.attnviz-ready')?.dataset.run"


def use(page: Page, row: Control) -> None:
    """Does what a row says, and waits until what it is to be seen by is there."""
    page.wait_for_function(RESTS)  # a list that is open while the page is drawn anew closes without the choice
    before = page.evaluate(RUN)
    what, _, rest = row.act.partition(" ")
    found = page.locator(row.at)
    element = (found.filter(has_text=rest) if what == "click" and rest else found).first
    over = page.get_by_test_id("stPopoverBody")
    if what == "click" and over.is_visible():  # it may lie over what is clicked
        page.keyboard.press("Escape")
        expect(over).to_be_hidden()
    if what == "save":
        with page.expect_download() as download:
            element.click()
        assert download.value.suggested_filename.endswith(row.sees)
        return
    if what == "click":
        element.click()
    elif what == "turn":
        page.locator(row.at.replace(" input", " label")).first.click()
    elif what == "pick":
        element.fill(rest)
        page.get_by_role("option", name=rest, exact=True).click()
        page.keyboard.press("Tab")  # a list of several stays open
    elif what == "type":
        element.fill(rest)
        element.press("Enter")
    else:
        element.press(rest)
    name, equals, value = row.sees.partition("=")
    if row.sees.startswith("/"):
        page.wait_for_function("(path) => location.pathname === path", arg=row.sees)
    elif re.fullmatch(r"!?\w+", name) and (equals or name.startswith("!")):
        page.wait_for_function(
            f"([name, value, before]) => new URLSearchParams(location.search).get(name) === value && {RUN}"
            f" && {RUN} !== before",
            arg=[name.removeprefix("!"), value if equals else None, before],
        )
    else:
        expect(page.locator(row.sees).first).to_be_visible()


LOOK = """(seen) => {
  const focused = document.activeElement;
  return [focused.outerHTML, ...[...document.querySelectorAll(seen)].map((one) => one.outerHTML)].join();
}"""


def press(page: Page, row: Keys) -> None:
    """Presses the keys of a row, one after the other, and waits each time until something else is seen."""
    page.wait_for_function(RUN)  # what is drawn anew may lose the focus
    page.locator(row.at).first.focus()
    for key in row.keys.split():
        before = page.evaluate(LOOK, row.seen)
        page.keyboard.press(key)
        page.wait_for_function(f"([seen, before]) => ({LOOK})(seen) !== before", arg=[row.seen, before])


@pytest.mark.parametrize("name", SCREENS)
def test_the_controls_of_a_page_do_what_they_say(page: Page, name: str) -> None:
    screen = SCREENS[name]
    page.goto(screen.address)
    page.wait_for_function(RUN)
    seen = Seen(page, screen.controls)
    seen.look()
    for keys in screen.keys:
        if not keys.test:
            press(page, keys)
    for row in screen.controls:
        if row.act:
            use(page, row)
            seen.look()
    assert seen.without_row == set(), "controls that no row of the table names"
    assert [row for row in seen.rows if row not in seen.there] == [], "rows without a control"


def test_the_name_of_the_app_leads_to_the_home_page(page: Page) -> None:
    page.goto("/steps")
    page.wait_for_function(RUN)
    page.get_by_test_id("stLogoLink").click()
    expect(page.locator(".st-key-heads")).to_be_visible()
    page.wait_for_function(RUN)


# The tests that rows name -------------------------------------------------------------------------------------------


@functools.cache
def definitions(file: Path) -> dict[str, str]:
    """Functions and constants of a module with their source."""
    parts = re.split(r"(?m)^(?=(?:@|def |class |[A-Z_]+\b))", file.read_text())
    found = {}
    decorators = ""
    for part in parts:
        if part.startswith("@"):
            decorators += part
            continue
        name = re.match(r"(?:def |class )?(\w+)", part)
        if name:
            found[name[1]] = decorators + part
        decorators = ""
    return found


def source(file: Path, name: str) -> str:
    """The source of a test with that of the helpers and constants of its module that it uses."""
    known = definitions(file)
    wanted, text = [name], ""
    for one in wanted:
        text += known[one]
        wanted += [other for other in known if other not in wanted and re.search(rf"\b{other}\b", known[one])]
    return text


ROWS = [row for screen in SCREENS.values() for row in screen.controls if row.test]


@pytest.mark.parametrize("row", [*ROWS, *EVERYWHERE], ids=lambda row: row.at)
def test_a_row_names_a_test_in_a_browser_that_reaches_its_control(row: Control) -> None:
    name, _, test = row.test.partition("::")
    file = HERE / name
    assert test in definitions(file), f"{row.test} is gone"
    text = source(file, test)
    assert "page: Page" in text or "browser: Browser" in text
    assert row.by in text


# Keys ---------------------------------------------------------------------------------------------------------------

KEYS = [row for screen in SCREENS.values() for row in screen.keys]
NAMED = r"\b(Arrow\w+|Home|End|PageUp|PageDown|Enter|Escape|Delete|Backspace)\b(?=[\":,]| :)"


def listened_keys(file: Path) -> set[str]:
    """The names of the keys that a component's code compares with."""
    code = "\n".join(line for line in file.read_text().splitlines() if not line.strip().startswith(("//", "*", "/*")))
    if ".key" not in code:
        return set()
    compared = set(re.findall(r"\.key(?:\.toLowerCase\(\))? [!=]== \"([^\"]+)\"", code))
    return {"Space" if key == " " else key for key in {*re.findall(NAMED, code), *compared}}


def users(file: Path) -> set[str]:
    """The component whose code it is, or those that it is a part of."""
    if file.with_suffix(".py").exists():
        return {file.name}
    parts = re.compile(rf"define\(__file__, parts=\[[^]]*\"{file.stem}\"")
    owners = [other for other in COMPONENTS if other.with_suffix(".py").exists()]
    return {other.name for other in owners if parts.search(other.with_suffix(".py").read_text())}


@pytest.mark.parametrize("file", COMPONENTS, ids=lambda file: file.stem)
def test_every_key_that_a_component_listens_for_is_pressed(file: Path) -> None:
    rows = [row for row in KEYS if row.file in users(file)]
    assert listened_keys(file) <= {key for row in rows for key in row.keys.split()}
    for row in rows:
        if row.test:
            name, _, test = row.test.partition("::")
            assert all(f'press("{key}")' in source(HERE / name, test) for key in row.keys.split())
