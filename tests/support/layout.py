"""What has no room on a page: texts that are cut, and parts that can be moved sideways and should not."""

from __future__ import annotations

from playwright.sync_api import Page

from support.browsing import wider_than_the_screen

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


def _faults(page: Page, width: int) -> list[str]:
    """What is wrong at this moment."""
    faults = page.evaluate(CUT, [OTHERS, MOVED, width <= 640])
    faults += [f"can be scrolled sideways: {part}" for part in wider_than_the_screen(page, "#nothing-else")]
    corner, names = (page.locator(part).first for part in (".st-key-language_corner", "[data-testid=stTopNav]"))
    if names.is_visible():
        left, right = corner.bounding_box() or {}, names.bounding_box() or {}
        if right["x"] + right["width"] > left["x"]:
            faults.append("the names of the pages reach under the language")
    return faults


def layout_faults(page: Page, width: int, height: int = 900) -> list[str]:
    """What is cut, can be moved sideways or lies under something else on a screen of that width.

    It is looked for until there is nothing, for ten seconds: charts and rows take a new width one after the other.
    """
    page.set_viewport_size({"width": width, "height": height})
    for _ in range(20):
        page.wait_for_timeout(500)
        found = _faults(page, width)
        if not found:
            break
    return found
