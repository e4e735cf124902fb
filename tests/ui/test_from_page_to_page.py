"""What stays on a page and what follows the reader to the next one, in a real browser."""

from __future__ import annotations

from urllib.parse import urlencode

from playwright.sync_api import Page, TimeoutError, expect
from support.browsing import RESTS, address_parameters, click_page_name, settled_box, style_of, text_box
from support.tabs import Tabs

from attnviz.examples import FIRST_EXAMPLES

SENTENCE = "Der Ball ist rund."
# Of every page but the one of roles, which reads no sentence.
SHOWN = "document.querySelector('.attnviz-ready')?.dataset.sentence"


def opened(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_function(SHOWN)


def go_to(page: Page, name: str, path: str) -> None:
    """A click in the menu, until the page that it leads to has drawn everything."""
    run = "document.querySelector('.attnviz-ready')?.dataset.run"
    before = page.evaluate(run)
    click_page_name(page, name)
    # The mark of the old page stays until the new one begins to draw.
    page.wait_for_function(
        f"([path, before]) => location.pathname === path && {run} && {run} !== before",
        arg=[path, before],
    )
    page.wait_for_timeout(300)


def sentence(page: Page) -> str:
    return page.evaluate(SHOWN)


def test_what_a_page_opens_with_stays_there(page: Page) -> None:
    opened(page, "/steps")
    go_to(page, "Translate", "/translate")
    assert page.locator(".st-key-head input").input_value() == ""  # all heads, not the one that was followed
    assert sentence(page) == FIRST_EXAMPLES["en"]
    go_to(page, "In context", "/context")
    assert sentence(page) == "Swing the bat!"
    assert page.locator(".st-key-word input").input_value() == page.locator(".st-key-word2 input").input_value()
    go_to(page, "Heads", "/")
    assert sentence(page) == FIRST_EXAMPLES["en"]
    expect(page.locator(".st-key-kind").get_by_role("radio", name="encoder")).to_be_checked()
    go_to(page, "Translate", "/translate")
    assert sentence(page) == FIRST_EXAMPLES["en"]
    page.wait_for_function(RESTS)
    assert page.evaluate(STOPS_OF_A_CHANGE_OF_PAGE) == 1


# How many stops on the way back come of what Streamlit writes into the address where a page leads to another one, with
# rests in between, such as a busy machine may have.
STOPS_OF_A_CHANGE_OF_PAGE = """async () => {
  const app = document.querySelector('[data-testid=stApp]'), before = history.length;
  window.dispatchEvent(new Event('pointerdown'));
  for (const address of [location.pathname, '/steps?sentence=Ball', '/steps?sentence=Ball&step=2']) {
    history.pushState({}, '', address);
    for (const state of ['running', 'notRunning']) app.dataset.testScriptState = state;
    await new Promise((done) => setTimeout(done, 20));
  }
  return history.length - before;
}"""


def test_what_is_shared_follows_and_what_is_a_pages_own_waits_there(page: Page) -> None:
    opened(page, "/?" + urlencode({"sentence": SENTENCE, "head": 3, "by_word": "true", "layer": 1}))
    go_to(page, "Step by step", "/steps")
    assert sentence(page) == SENTENCE
    expect(page.locator(".st-key-layer").get_by_role("radio", name="1")).to_be_checked()
    go_to(page, "Overview", "/overview")
    assert sentence(page) == SENTENCE and "by_word=true" in page.url
    go_to(page, "Heads", "/")
    assert sentence(page) == SENTENCE
    assert page.locator(".st-key-head input").input_value() == "3"
    expect(page.locator(".st-key-opened")).to_be_visible()


PAGES = {
    "/story": "How it works",
    "/overview": "Overview",
    "/compare": "Compare",
    "/roles": "What heads do",
    "/steps": "Step by step",
    "/simple_attention": "By hand",
    "/embeddings": "Embeddings",
    "/context": "In context",
    "/translate": "Translate",
    "/what_if": "What if",
    "/attribution": "Why this word",
    "/long_text": "Long text",
}
# What the figures say; formulas are set by a program that comes later than the rest.
WORDS = """(() => {
  const figures = document.querySelector('.st-key-figures')?.cloneNode(true);
  for (const formula of figures?.querySelectorAll('.katex, style') ?? []) formula.remove();
  return figures?.textContent;
})()"""


def seen(page: Page) -> list[str]:
    """The address, the sentence and the words of the figures, once they are there and stay.

    A page at rest may begin another run by itself a moment later, when a component has answered; what is read must have
    been the same for a second.
    """
    return page.evaluate(
        f"""async () => {{
          let last = '', since = performance.now();
          for (;;) {{
            await new Promise((done) => setTimeout(done, 50));
            const now = [location.href, {SHOWN}, {WORDS}];
            const rests = {SHOWN} !== undefined && {RESTS};
            if (!rests || JSON.stringify(now) !== last) since = performance.now();
            last = JSON.stringify(now);
            if (performance.now() - since > 1000) return now;
          }}
        }}"""
    )


def shows(page: Page, view: list[str]) -> None:
    """Waits until the same is seen again."""
    same = f"(view) => JSON.stringify([location.href, {SHOWN}, {WORDS}]) === JSON.stringify(view)"
    try:
        page.wait_for_function(same, arg=view)
    except TimeoutError:  # says what is seen instead
        assert seen(page) == view


def test_back_and_forward_bring_back_what_was_seen_on_every_page(page: Page) -> None:
    page.emulate_media(reduced_motion="reduce")  # the story stands still until somebody goes on
    opened(page, "/?" + urlencode({"head": 3, "hide_special": "true"}))
    text_box(page).fill(SENTENCE)
    page.wait_for_function(f"sentence => {SHOWN} === sentence", arg=SENTENCE)
    page.locator(".st-key-layer button").nth(1).click()
    page.wait_for_function(f"location.search.includes('layer=1') && {SHOWN}")
    views = [seen(page)]
    for path, name in PAGES.items():
        go_to(page, name, path)
        if path == "/steps":
            page.locator(".st-key-step_shown button").nth(3).click()
            page.wait_for_function(f"location.search.includes('step=4') && {SHOWN}")
        views.append(seen(page))
    for view in reversed(views[:-1]):
        page.go_back()
        shows(page, view)
        if "/steps" in view[0]:
            page.go_back()  # a step is a stop of its own
            page.wait_for_function(f"!location.search.includes('step=4') && {SHOWN}")
        if "/simple_attention" in view[0]:
            page.go_forward()
            shows(page, views[views.index(view) + 1])
            page.go_back()
            shows(page, view)


def test_on_a_telephone_the_menu_goes_once_a_page_is_chosen(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, "/")
    link = page.get_by_test_id("stSidebarNavLink").nth(1)
    page.get_by_test_id("stExpandSidebarButton").click()
    expect(link).to_be_in_viewport()
    link.click()
    page.wait_for_function(f"location.pathname === '/overview' && {SHOWN}")
    expect(link).not_to_be_in_viewport()
    page.get_by_test_id("stExpandSidebarButton").click()
    expect(link).to_be_in_viewport()
    page.reload()
    page.wait_for_function(SHOWN)
    expect(link).not_to_be_in_viewport()


def test_the_names_of_the_pages_stand_in_groups_that_say_which_page_is_shown(tabs: Tabs) -> None:
    page = tabs.open(locale="de", width=800, height=720)
    opened(page, "/simple_attention")
    groups = page.get_by_test_id("stTopNavSection")
    shown = """[...document.querySelectorAll('[data-testid=stTopNavSection] p')]
      .map((name) => [name.textContent, getComputedStyle(name, '::after').content])"""
    page.wait_for_function(f"JSON.stringify({shown}).includes('Von Hand')")
    names = page.evaluate(shown)
    assert names[:2] == [["Sehen", "none"], ["Verstehen", '": Von Hand"']]
    page.wait_for_function(RESTS)
    picker = settled_box(page.locator(".st-key-language button").first)
    box = settled_box(groups.last)
    assert box["x"] + box["width"] < picker["x"]
    # With the keyboard alone.
    groups.first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("menuitem", name="Köpfe", exact=True)).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("menuitem", name="Übersicht")).to_be_focused()
    page.keyboard.press("Enter")
    page.wait_for_function(f"location.pathname === '/overview' && {SHOWN}")
    page.wait_for_function(f"JSON.stringify({shown}).includes('Übersicht')")
    assert page.evaluate(shown)[:2] == [["Sehen", '": Übersicht"'], ["Verstehen", "none"]]


def enter_takes_a_text_over(page: Page) -> None:
    box = text_box(page)
    one_line = settled_box(box)["height"]
    box.fill("Der Ball")
    box.press("Enter")
    page.wait_for_function(f"{SHOWN} === 'Der Ball'")
    expect(box).to_have_value("Der Ball")
    box.press("Shift+Enter")
    box.press_sequentially("ist rund.")  # without Enter
    page.wait_for_function(f"{SHOWN} === 'Der Ball\\nist rund.'")
    box.press_sequentially(" Er rollt weit." * 30)
    page.wait_for_function(f"{SHOWN}?.length > 400")
    assert settled_box(box)["height"] > 2 * one_line
    assert box.evaluate("box => box.getBoundingClientRect().height") < 200


def the_key_p_sets_large_type_and_back(page: Page) -> None:
    size = f"parseFloat({style_of('.st-key-sentence label p', 'fontSize')})"
    page.locator(".st-key-sentence label p").wait_for()
    usual = page.evaluate(size)
    box = text_box(page)
    box.press("End")
    box.press("p")  # a letter in a text stays one
    expect(box).to_have_value(FIRST_EXAMPLES["en"] + "p")
    assert page.evaluate(size) == usual
    box.blur()
    page.keyboard.press("p")
    page.wait_for_function(f"(usual) => {size} > 1.2 * usual", arg=usual)
    page.reload()
    page.wait_for_function(SHOWN)
    page.wait_for_function(f"(usual) => {size} > 1.2 * usual", arg=usual)
    page.keyboard.press("p")
    page.wait_for_function(f"(usual) => {size} === usual", arg=usual)


def test_what_the_keyboard_does_in_the_box_and_beside_it(page: Page) -> None:
    opened(page, "/")
    the_key_p_sets_large_type_and_back(page)
    enter_takes_a_text_over(page)


def test_a_word_of_the_field_is_explained_where_it_stands(page: Page) -> None:
    opened(page, "/steps?step=6")
    note = page.locator(".attnviz-terms-note")
    # By the pointer, at the first place where the page says it.
    page.wait_for_function(
        """[...(CSS.highlights.get('attnviz-terms') ?? [])]
          .some((range) => range.startContainer.parentElement?.closest('.st-key-layer label'))"""
    )
    label = page.locator(".st-key-layer label").first
    box = settled_box(label)
    page.mouse.click(box["x"] + 12, box["y"] + box["height"] / 2)
    expect(note).to_contain_text("One round of the computation.")
    page.mouse.click(5, 200)
    expect(note).to_be_hidden()
    # By the keyboard, in the line at the end.
    weight = page.locator(".attnviz-term", has_text="attention weight")
    weight.focus()
    weight.press("Enter")
    expect(note).to_contain_text("The shares of a row sum to 1.")
    page.keyboard.press("Escape")
    expect(note).to_be_hidden()


def test_what_one_step_has_comes_back_and_by_hand_takes_along_nothing_that_it_does_not_use(page: Page) -> None:
    opened(page, "/steps?" + urlencode({"sentence": SENTENCE, "kind": "cross", "step": 3}))
    page.locator(".st-key-matrix button").nth(2).click()
    page.wait_for_function(f"location.search.includes('matrix=W_V') && {SHOWN}")
    go_to(page, "By hand", "/simple_attention")
    assert "kind" not in address_parameters(page)
    page.go_back()
    page.wait_for_function(f"location.search.includes('matrix=W_V') && location.search.includes('step=3') && {SHOWN}")
    expect(page.locator(".st-key-matrix").get_by_role("radio").nth(2)).to_be_checked()
    go_to(page, "By hand", "/simple_attention")
    go_to(page, "Heads", "/")
    assert sentence(page) == SENTENCE and address_parameters(page)["kind"] == ["cross"]
