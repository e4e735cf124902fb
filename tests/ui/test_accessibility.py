"""Whether everybody can use the pages: axe-core finds nothing serious, and the keyboard reaches everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from support.browsing import RESTS, text_box

from attnviz.measures.findings import opening_layer

ROOT = Path(__file__).resolve().parents[2]
PAGES = {
    "/": "heads",
    "/overview": "overview",
    "/compare": "compare",
    "/roles?role=obj": "roles",
    "/steps": "steps",
    "/simple_attention": "simple_attention",
    "/embeddings": "embeddings",
    "/context": "context",
    "/translate": "translate",
    "/story": "story",
    "/what_if": "what_if",
    "/attribution?all_methods=true&trust=true": "attribution",
    "/long_text?passage=3": "long_text",
}
ADDRESSES = [address for address, name in PAGES.items() if (ROOT / "pages" / f"{name}.py").exists()]
SERIOUS = {"serious", "critical"}


def shown(page: Page, address: str) -> Page:
    """The page once it has said that it is complete, and its movements have ended."""
    page.emulate_media(reduced_motion="reduce")
    page.goto(address)
    page.locator(".attnviz-ready").first.wait_for(state="attached")
    page.wait_for_timeout(500)
    return page


def findings(page: Page, *rules: str) -> list[str]:
    """What axe-core finds that is serious or critical: rule, element and why; by all its rules or by those named."""
    options: dict[str, Any] = {"resultTypes": ["violations"], **({"runOnly": list(rules)} if rules else {})}
    violations: list[dict[str, Any]] = Axe().run(page, options=options).response["violations"]
    return [
        f"{violation['id']}: {node['target']} {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for violation in violations
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]


BACKGROUND = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"


def findings_in_both_themes(page: Page) -> list[str]:
    """What `findings` finds on a light page, and once it is drawn dark what its rules on colours find."""
    found = [f"light: {finding}" for finding in findings(page)]
    before = page.evaluate(BACKGROUND)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(f"(before) => {BACKGROUND} !== before", arg=before)
    page.wait_for_timeout(500)  # until the server has heard of it
    page.wait_for_function(f"{RESTS} && document.querySelector('.attnviz-ready')")
    page.wait_for_timeout(500)
    return found + [f"dark: {finding}" for finding in findings(page, "color-contrast", "link-in-text-block")]


@pytest.mark.parametrize("address", ADDRESSES)
def test_axe_finds_nothing_serious(page: Page, address: str) -> None:
    assert findings_in_both_themes(shown(page, address)) == []


def test_axe_finds_nothing_serious_where_a_head_is_open_and_in_the_switches(page: Page) -> None:
    shown(page, "/?head=3&kind=cross&hide_special=true&hide=Der&renormalise=true&layer=1")
    page.locator(".attnviz-take-button").nth(1).click()
    page.locator(".st-key-opened [data-testid=stExpander] summary").filter(has_text="Numbers").click()
    page.wait_for_timeout(500)
    assert findings_in_both_themes(page) == []
    shown(page, "/?hide=Der&rows=sah&rows=den")
    page.emulate_media(color_scheme="light")
    page.locator(".st-key-more button").first.click()
    page.locator(".st-key-rows").wait_for()
    page.wait_for_timeout(500)
    assert findings_in_both_themes(page) == []


# How an element and what is beside and around it look; the focus may show on any of them.
LOOKS = """(element) => {
  const around = element.parentElement.parentElement;
  const all = [around.parentElement, around, ...around.querySelectorAll('*')].slice(0, 60);
  return all.map((one) => {
    const style = getComputedStyle(one);
    return [style.outline, style.boxShadow, style.borderColor, style.backgroundColor, style.textDecoration].join();
  }).join('|');
}"""
NAME = """(element) => /^attnviz-(head|take|lines)/.test(element.className) ? element.textContent
  : element.closest('[class*=st-key-]')?.className.match(/st-key-(\\w+)/)[1] ?? ''"""


def test_every_control_and_every_head_is_reached_by_the_tab_key_and_seen(page: Page) -> None:
    shown(page, "/?head=3")
    reached: set[str] = set()
    unseen: list[str] = []
    text_box(page).focus()
    for _ in range(70):
        page.keyboard.press("Tab")
        page.wait_for_timeout(60)
        element = page.evaluate_handle("document.activeElement").as_element()
        if element is None or element.evaluate("(element) => element === document.body"):
            break  # once round
        name, focused = element.evaluate(NAME), element.evaluate(LOOKS)
        element.evaluate("(element) => element.blur()")
        page.wait_for_timeout(60)
        if element.evaluate(LOOKS) == focused:
            unseen.append(name)
        element.evaluate("(element) => element.focus({ focusVisible: true })")
        reached.add(name)
    controls = {"example", "model", "kind", "layer", "head", "by_word", "hide_special", "more", "close_head"}
    layer = opening_layer("bundled")
    heads = {f"L{layer} H{head}" for head in range(8)} | {f"Decoder L{layer} H3", f"Cross L{layer} H3"}
    assert controls | heads | {"Copy link", "Export"} <= reached
    assert unseen == []
