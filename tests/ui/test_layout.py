"""Every page has room for what it says in German, the longest language, and in Chinese, on three widths of screen.

In German also in the large type that a teacher sets for a projector.
"""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page
from support.browsing import new_context, wider_than_the_screen
from support.languages import pick_language, wait_for_language

PAGES = (
    "/", "/overview", "/compare", "/steps?step=4", "/simple_attention?matrices=true", "/embeddings", "/context",
    "/translate", "/story?scene=5", "/what_if?change=window&importance=true&off=cross.L3.H4",
    "/attribution?all_methods=true&trust=true", "/long_text?passage=3",
    "/roles?role=obj",
)  # fmt: skip
WIDTHS = (1366, 768, 390)
PROJECTOR = (1280, 720)

# What has its own way of showing what has no room: pictures, tables that scroll, labels that stand beside their point.
OTHERS = ", ".join([
    ".js-plotly-plot", "canvas", "svg", ".katex", "pre", "[data-testid=stIconMaterial]", "[data-testid=stDataFrame]",
    ".attnviz-alike-dot",
])  # fmt: skip
# Rows of sentences, of traits and, on a telephone, of steps: they fade at the edge and are moved sideways.
MOVED = ".st-key-example, .st-key-pair_example, .st-key-found, .st-key-step_shown, .st-key-query_word, .st-key-preset"

CUT = """([others, moved, narrow]) => {
  const found = [];
  const report = (how, element) => {
    const key = element.closest('[class*=st-key-]')?.className.match(/st-key-\\w+/)?.[0];
    found.push(`${how}: “${element.value || element.textContent.trim().slice(0, 60)}” in ${key}`);
  };
  for (const element of document.body.querySelectorAll('*')) {
    if (element.closest(others) || !element.checkVisibility({ visibilityProperty: true })) continue;
    const typed = element.matches('input:not([type=checkbox], [type=radio], [type=range])');
    if (typed && element.scrollWidth > element.clientWidth + 1) report('a value is cut', element);
    if (element.matches('[role=radiogroup]') && element.scrollWidth > element.clientWidth + 1
      && !(element.closest(moved) && (narrow || element.closest('.st-key-found, .st-key-preset, [class*=example]')))) {
      report('options are cut', element);
    }
    const own = [...element.childNodes].some((node) => node.nodeType === Node.TEXT_NODE && node.data.trim());
    const box = element.getBoundingClientRect();
    if (!own || box.width <= 2 || box.height <= 2 || element.closest('[title]')) continue;
    const range = document.createRange();
    range.selectNodeContents(element);
    const text = range.getBoundingClientRect();
    for (let around = element; around !== document.body; around = around.parentElement) {
      const { overflowX } = getComputedStyle(around);
      const edge = around.getBoundingClientRect();
      if (['auto', 'scroll'].includes(overflowX) || edge.width <= 2) break;
      if (!['hidden', 'clip'].includes(overflowX) && !around.matches('button')) continue;
      if (text.right > edge.right + 1.5 || text.left < edge.left - 1.5) {
        report('a text is cut', element);
        break;
      }
    }
  }
  return found;
}"""


def layout_faults(page: Page, width: int) -> list[str]:
    """What is cut, can be moved sideways or lies under something else now."""
    faults = page.evaluate(CUT, [OTHERS, MOVED, width <= 640])
    faults += [f"can be scrolled sideways: {part}" for part in wider_than_the_screen(page, "#nothing-else")]
    corner, names = (page.locator(part).first for part in (".st-key-language_corner", "[data-testid=stTopNav]"))
    if names.is_visible():
        left, right = corner.bounding_box() or {}, names.bounding_box() or {}
        if right["x"] + right["width"] > left["x"]:
            faults.append("the names of the pages reach under the language")
    return faults


def lasting_faults(page: Page, width: int) -> list[str]:
    """`layout_faults` once charts and rows have taken their new width, on a busy machine after seconds."""
    for _ in range(20):
        page.wait_for_timeout(500)
        found = layout_faults(page, width)
        if not found:
            break
    return found


@pytest.mark.parametrize("address", PAGES)
def test_nothing_is_cut_and_nothing_scrolls_sideways(browser: Browser, app_url: str, address: str) -> None:
    context = new_context(browser, base_url=app_url, locale="de", reduced_motion="reduce")
    page = context.new_page()
    page.goto(address)
    faults = []
    for language in ("de", "zh_Hans", "zh_Hant"):
        page.set_viewport_size({"width": WIDTHS[0], "height": 900})
        if language != "de":
            pick_language(page, language)
        wait_for_language(page, language)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            faults += [f"{language}, {width} px, {fault}" for fault in lasting_faults(page, width)]
        if language == "de":
            page.set_viewport_size({"width": PROJECTOR[0], "height": PROJECTOR[1]})
            page.keyboard.press("p")
            faults += [f"large type, {fault}" for fault in lasting_faults(page, PROJECTOR[0])]
            page.keyboard.press("p")
    context.close()
    assert not faults, "\n".join(faults)
