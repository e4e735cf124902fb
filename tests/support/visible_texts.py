"""Everything that a page says: its visible text and what a screen reader or a tip says of its elements."""

from __future__ import annotations

import re
from dataclasses import dataclass

from playwright.sync_api import Page

# A word in Latin letters, such as "Cross-Attention"; names of heads, "L2 H5", and formulas are none.
WORD = re.compile(r"[A-Za-zÀ-ɏ]{2,}(?:['’-][A-Za-zÀ-ɏ]+)*")

# Where a page shows tokens, words of the sentence, and numbers of a table as they are stored.
TOKENS = ", ".join([
    "[role=gridcell]", ".js-plotly-plot text", "bdi", "input", "textarea", "[role=option]", ".st-key-example button",
    ".st-key-pair_example button", ".attnviz-growing-token", ".attnviz-growing-bar", ".attnviz-growing-node",
    ".attnviz-growing-chip", ".attnviz-growing-strip *", ".attnviz-tables-name", ".attnviz-tables-word",
    ".attnviz-space-picture *", ".attnviz-lines-token", ".attnviz-outcome-token", ".attnviz-roles-token",
    ".attnviz-roles-hidden", "th",
])  # fmt: skip

_COLLECT = """(tokens) => {
  const said = new Map();
  const shown = [];
  const ATTRIBUTES = ['aria-label', 'aria-description', 'aria-valuetext', 'title', 'placeholder', 'alt'];
  const skipped = 'script, style, noscript, template, code, pre, .katex, [data-testid=stIconMaterial], '
    + '[data-testid=stAlertDynamicIcon], span[role=img]';
  const add = (text, element, how) => {
    const words = text.replace(/\\s+/g, ' ').trim();
    if (!words || element.closest(skipped)) return;
    if (how === 'text' && element.closest(tokens)) shown.push(words);
    const place = element.closest('[class*=st-key-], [data-testid]');
    const key = place?.getAttribute('class')?.match(/st-key-\\w+/)?.[0] ?? place?.dataset.testid ?? '';
    const own = element.getAttribute('class')?.match(/attnviz-[\\w-]+/)?.[0] ?? element.tagName.toLowerCase();
    const stored = element.closest(tokens) !== null && how === 'text';
    said.set(`${how}|${words}|${stored}`, { text: words, where: `${key} ${own} ${how}`, token: stored });
  };
  for (const element of document.body.querySelectorAll('*')) {
    for (const name of ATTRIBUTES) {
      const value = element.getAttribute(name);
      if (value) add(value, element, name);
    }
    if (element.matches('input, textarea')) shown.push(element.value);
    if (element.closest('.st-key-target')) shown.push(element.placeholder ?? ''); // what the model itself says
    if (element.matches('bdi, mark')) shown.push(element.textContent);
    for (const node of element.childNodes) {
      if (node.nodeType === Node.TEXT_NODE) add(node.data, element, 'text');
    }
  }
  add(document.title, document.body, 'tab');
  return { said: [...said.values()], shown };
}"""


@dataclass(frozen=True)
class Said:
    """A text of a page, where it stands, and whether that is a place of tokens."""

    text: str
    where: str
    token: bool = False


def collect(page: Page) -> tuple[set[Said], set[str]]:
    """What the page says now, also what only comes when something is opened or pointed at; and the words of tokens."""
    found = page.evaluate(_COLLECT, TOKENS)
    said = {Said(item["text"], item["where"], item["token"]) for item in found["said"]}
    return said, {word for text in found["shown"] for word in words(text)}


def collect_tips(page: Page) -> set[Said]:
    """What Streamlit's question marks say; they are in the page only while the pointer is over them."""
    found: set[Said] = set()
    for mark in page.locator("[data-testid=stTooltipIcon] [data-testid=stTooltipHoverTarget]").all():
        if not mark.is_visible():
            continue
        mark.hover()
        tip = page.get_by_test_id("stTooltipContent").first
        tip.wait_for()
        found.add(Said(" ".join(tip.inner_text().split()), "tip"))
        page.mouse.move(1, 1)
        tip.wait_for(state="detached")
    return found


def words(text: str) -> set[str]:
    """The words in Latin letters of a text, in lower case."""
    return {word.casefold() for word in WORD.findall(text)}
