"""The overview as a reader meets it, in a real browser.

Each test is a visit: what is done in it, and what is then seen, stands in the functions above it.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from playwright.sync_api import Page, expect
from support.browsing import (
    RESTS,
    address_parameters,
    click_page_name,
    point_at,
    settled_box,
    text_box,
    wait_until_alike,
    wait_until_drawn,
    wait_until_it_fits,
    with_sentence,
)

from attnviz.measures.findings import opening_layer

FIRST = "Der Hund sah den Ball."
OTHER = "Der Ball sah den Hund."
HOSTILE = 'Über "Größe" & # % = 学生? 😀 <img src=x onerror=alert(1)>'
TILE = ".attnviz-mosaic-tile"
TIP = ".attnviz-mosaic .attnviz-tip"
LAYERS, HEADS = 4, 8


def opened(page: Page, address: str = "/overview") -> Page:
    page.goto(with_sentence(address, FIRST))
    page.locator(TILE).first.wait_for(state="attached")
    wait_until_drawn(page, FIRST)
    return page


def come_by_the_menu(page: Page, sentence: str = FIRST) -> None:
    page.wait_for_function(RESTS)
    click_page_name(page, "Overview")
    page.locator(TILE).first.wait_for(state="attached")
    wait_until_drawn(page, sentence)
    assert urlsplit(page.url).path == "/overview"


def enter(page: Page, sentence: str) -> None:
    box = text_box(page)
    box.fill(sentence)
    box.press("Enter")
    wait_until_drawn(page, sentence)


def tile(page: Page, layer: int, head: int) -> dict[str, float]:
    """Where the picture of a head is on the screen; a number may stand below it."""
    one = page.locator(f"{TILE}[data-head='L{layer} H{head}']")
    return {**settled_box(one), "height": one.evaluate("(tile) => parseFloat(getComputedStyle(tile).paddingTop)")}


def point(page: Page, layer: int, head: int, query: int, key: int, count: int = 7) -> None:
    box = tile(page, layer, head)
    page.mouse.move(
        box["x"] + box["width"] * (key + 0.5) / count, box["y"] + box["height"] * (query + 0.5) / count, steps=3
    )


def pixels(page: Page) -> list[int]:
    """Colours along some lines through the picture of all heads."""
    return page.evaluate(
        """() => {
          const canvas = document.querySelector('.attnviz-mosaic-canvas');
          const context = canvas.getContext('2d');
          const found = [];
          for (let step = 1; step < 400; step++) {
            const across = ((canvas.width * step * 7) / 400) % canvas.width;
            const down = (canvas.height * step) / 400;
            found.push(...context.getImageData(Math.floor(across), Math.floor(down), 1, 1).data);
          }
          return found;
        }"""
    )


# Seeing -------------------------------------------------------------------------------------------------------------


def all_heads_are_seen(page: Page) -> None:
    expect(page.locator(TILE)).to_have_count(LAYERS * HEADS)
    assert page.get_by_role("rowheader").all_text_contents() == ["L0", "L1", "L2", "L3"]
    assert page.locator(".attnviz-mosaic-head").all_text_contents() == [f"H{head}" for head in range(HEADS)]
    assert len(set(pixels(page))) > 20


def every_picture_has_a_text(page: Page) -> None:
    assert page.locator(".attnviz-mosaic-canvas[role=img]").get_attribute("aria-label") == (
        "Encoder, 4 layers × 8 heads, 7 tokens"
    )
    for label in page.locator(TILE).evaluate_all("all => all.map((one) => one.ariaLabel)"):
        assert re.match(r"L\d H\d: .+ → .+ [01]\.\d\d", label)


def a_cell_is_named_and_marked_in_every_head(page: Page) -> None:
    point(page, 1, 3, query=2, key=1)
    tip = page.locator(TIP)
    expect(tip).to_be_visible()
    name, link = tip.inner_text().split("\n")[:2]
    assert name == "L1 H3" and re.fullmatch(r"sah → Ball [01]\.\d{2,3}", link)
    numbers = page.locator(".attnviz-mosaic-note").all_text_contents()
    assert len(numbers) == LAYERS * HEADS and all(re.fullmatch(r"[01]\.\d{2,3}", number) for number in numbers)
    assert link.endswith(numbers[HEADS + 3])
    drawn = """(() => {
      const marks = document.querySelector('.attnviz-mosaic-marks');
      const { width, height } = marks;
      return width > 0 && marks.getContext('2d').getImageData(0, 0, width, height).data.some(Boolean);
    })()"""
    page.wait_for_function(drawn)
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    page.wait_for_function(f"!{drawn}")


def the_weight_that_is_read_aloud_is_the_strongest_one_drawn(page: Page) -> None:
    label = page.locator(f"{TILE}[data-head='L2 H4']").get_attribute("aria-label") or ""
    query, key, weight = re.search(r"L2 H4: (\S+) → (\S+) (\d\.\d\d)", label).groups()  # type: ignore[union-attr]
    words = ["Der", "Ball", "sah", "den", "Hund", ".", "</s>"]
    point(page, 2, 4, words.index(query), words.index(key))
    expect(page.locator(TIP)).to_contain_text(f"{query} → {key} {weight}")


def heads_that_look_at_the_previous_word_stand_out(page: Page) -> None:
    trait, marked = page.get_by_text("at the previous word"), page.locator(".attnviz-mosaic-marked")
    page.wait_for_function(RESTS)
    page.locator(".st-key-by_word label").first.click()
    expect(trait).to_be_visible()
    page.wait_for_function(RESTS)
    trait.click()
    summary = page.locator(".attnviz-mosaic-summary")
    expect(summary).to_contain_text("Looking most at the previous word: L")
    wait_until_drawn(page, OTHER)
    best = re.search(r"L\d H\d", summary.inner_text())
    assert best
    expect(marked).to_have_count(4)
    expect(page.locator(f"{TILE}[data-head='{best[0]}']")).to_have_class(re.compile("attnviz-mosaic-marked"))
    assert address_parameters(page)["find"] == ["previous"]
    page.wait_for_function(RESTS)
    page.get_by_text("at the previous word", exact=True).first.click()  # once more, and none stands out
    expect(marked).to_have_count(0)
    wait_until_drawn(page, OTHER)
    assert "find" not in address_parameters(page)


def dark_and_light_follow_the_reader(page: Page) -> None:
    light = pixels(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "!document.querySelector('.attnviz-mosaic-ramp')?.style.background.includes('rgb(255, 255, 255)')"
    )
    wait_until_drawn(page, OTHER)
    assert pixels(page) != light


def a_narrow_screen_scrolls_the_tiles_and_not_the_page(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    page.wait_for_function(RESTS)
    box = tile(page, 3, 7)
    assert box["x"] + box["width"] <= width and box["width"] >= 32
    names = page.get_by_role("rowheader").first.bounding_box()
    assert names and names["x"] >= 0  # the layers' names stay in sight
    wait_until_it_fits(page)


def test_all_heads_are_looked_at(page: Page) -> None:
    page.goto(with_sentence("/", FIRST))
    wait_until_drawn(page, FIRST)
    enter(page, OTHER)
    come_by_the_menu(page, OTHER)
    all_heads_are_seen(page)
    every_picture_has_a_text(page)
    a_cell_is_named_and_marked_in_every_head(page)
    the_weight_that_is_read_aloud_is_the_strongest_one_drawn(page)
    heads_that_look_at_the_previous_word_stand_out(page)
    dark_and_light_follow_the_reader(page)
    for width in (390, 320):
        a_narrow_screen_scrolls_the_tiles_and_not_the_page(page, width)


# Opening a head -----------------------------------------------------------------------------------------------------


def a_head_is_open_on_the_home_page(page: Page, name: str) -> None:
    expect(page.locator(".st-key-opened")).to_contain_text(name)
    wait_until_drawn(page, FIRST)
    assert urlsplit(page.url).path == "/"


def a_row_of_the_table_opens_its_head(page: Page) -> None:
    table = page.locator(".st-key-measures")
    table.scroll_into_view_if_needed()
    expect(table.locator("canvas [role=gridcell]").first).to_be_attached()  # it draws itself in steps
    page.wait_for_function(RESTS)
    box = settled_box(table.locator("canvas").first)
    page.mouse.click(box["x"] + 16, box["y"] + 36 + 3.5 * 35)  # the box at the beginning of the fourth row
    a_head_is_open_on_the_home_page(page, "L0 H3")


def a_click_opens_a_head_and_what_was_chosen_goes_along(page: Page) -> None:
    layer = (opening_layer("bundled") + 1) % 4  # the one that the home page opens with is not in its address
    page.wait_for_function(RESTS)
    box = tile(page, layer, 5)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    a_head_is_open_on_the_home_page(page, f"L{layer} H5")
    found = address_parameters(page)
    assert (found["kind"], found["layer"], found["head"]) == (["decoder"], [str(layer)], ["5"])
    assert found["target"] == ["The dog & the ball."] and found["hide_special"] == ["true"]


def the_keyboard_goes_from_head_to_head_and_opens_one(page: Page) -> None:
    page.wait_for_function(RESTS)
    tiles = page.locator(TILE)
    assert tiles.evaluate_all("all => all.filter((one) => one.tabIndex === 0).length") == 1  # one stop for the Tab key
    tiles.first.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "End", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    assert page.evaluate("document.activeElement.dataset.head") == "L1 H6"
    tip = page.locator(TIP)
    expect(tip).to_be_visible()
    assert tip.inner_text().startswith("L1 H6") and tip.inner_text().count("→") == 3
    outline = page.locator(f"{TILE}:focus").evaluate("(tile) => getComputedStyle(tile).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    page.keyboard.press("Enter")
    a_head_is_open_on_the_home_page(page, "L1 H6")


def test_a_head_is_opened_by_the_table_a_click_and_the_keyboard(page: Page) -> None:
    opened(page, f"/overview?kind=decoder&hide_special=true&target={quote('The dog & the ball.')}")
    a_row_of_the_table_opens_its_head(page)
    come_by_the_menu(page)
    a_click_opens_a_head_and_what_was_chosen_goes_along(page)
    come_by_the_menu(page)
    expect(page.locator(".attnviz-mosaic-summary")).to_contain_text("Decoder")
    the_keyboard_goes_from_head_to_head_and_opens_one(page)


# Links --------------------------------------------------------------------------------------------------------------


def a_copied_link_shows_the_same(page: Page) -> Page:
    page.wait_for_function(RESTS)
    page.get_by_text("at their own token").click()
    expect(page.locator(".attnviz-mosaic-marked").first).to_be_visible()
    page.wait_for_function(RESTS)
    page.locator(".st-key-hide_special label").first.click()
    expect(page.locator(".attnviz-mosaic-summary")).to_contain_text("hidden: </s>")
    wait_until_drawn(page, HOSTILE)
    assert address_parameters(page)["find"] == ["own"] and address_parameters(page)["sentence"] == [HOSTILE]
    other = page.context.new_page()
    other.goto(page.url)
    wait_until_drawn(other, HOSTILE)
    wait_until_alike(pixels, other, page)
    for selector in (".attnviz-mosaic-summary", ".attnviz-mosaic-grid"):
        assert other.locator(selector).inner_text() == page.locator(selector).inner_text()
    return other


def a_damaged_link_says_what_is_wrong(page: Page) -> None:
    opened(page, "/overview?kind=sideways&find=%F0%9F&layer=99&head=abc&by_word=%00&hide=nobody")
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_contain_text("no sideways attention")
    expect(alert).to_contain_text("cannot be found by")
    expect(page.locator(TILE)).to_have_count(LAYERS * HEADS)


def test_a_link_holds_any_sentence_and_markup_is_never_run(page: Page, dialogs: list[str]) -> None:
    opened(page)
    enter(page, HOSTILE)
    point_at(page.locator(TILE).first, page.locator(TIP))
    other = a_copied_link_shows_the_same(page)
    for one in (page, other):
        assert one.locator("img[src='x']").count() == 0
    a_damaged_link_says_what_is_wrong(other)
    assert dialogs == []
