"""The overview as a reader meets it, in a real browser."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browsing import (
    address_parameters,
    click_page_name,
    new_context,
    point_at,
    settled_box,
    text_box,
    wait_until_alike,
    wait_until_drawn,
    wider_than_the_screen,
    with_sentence,
)

from attnviz.measures.findings import opening_layer

FIRST = "Der Hund sah den Ball."
TILE = ".attnviz-mosaic-tile"
TIP = ".attnviz-mosaic .attnviz-tip"
LAYERS, HEADS = 4, 8


def opened(page: Page, address: str = "/overview", sentence: str = FIRST) -> Page:
    page.goto(with_sentence(address, sentence))
    page.locator(TILE).first.wait_for(state="attached")
    wait_until_drawn(page, sentence)
    return page


def tile(page: Page, layer: int, head: int) -> dict[str, float]:
    """Where the picture of a head is on the screen."""
    locator = page.locator(f"{TILE}[data-head='L{layer} H{head}']")
    box = settled_box(locator)
    height = float(
        page.evaluate("parseFloat(getComputedStyle(document.querySelector('.attnviz-mosaic-tile')).paddingTop)")
    )
    return {**box, "height": height}


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


def said(page: Page, layer: int, head: int) -> str:
    return page.locator(f"{TILE}[data-head='L{layer} H{head}']").get_attribute("aria-label") or ""


# Seeing -------------------------------------------------------------------------------------------------------------


def test_the_sentence_follows_from_the_home_page(page: Page, outside_requests: list[str]) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(with_sentence("/", FIRST))
    wait_until_drawn(page, FIRST)
    box = text_box(page)
    box.fill("Der Ball sah den Hund.")
    box.press("Enter")
    wait_until_drawn(page, "Der Ball sah den Hund.")
    click_page_name(page, "Overview")
    page.locator(TILE).first.wait_for(state="attached")
    wait_until_drawn(page, "Der Ball sah den Hund.")
    assert urlsplit(page.url).path == "/overview"
    assert page.locator(TILE).count() == LAYERS * HEADS
    assert page.get_by_role("rowheader").all_text_contents() == ["L0", "L1", "L2", "L3"]
    assert page.locator(".attnviz-mosaic-head").all_text_contents() == [f"H{head}" for head in range(HEADS)]
    assert len(set(pixels(page))) > 20
    assert outside_requests == [] and errors == []


def test_pointing_names_head_words_and_weight_and_marks_the_cell_everywhere(page: Page) -> None:
    opened(page)
    point(page, 1, 3, query=2, key=1)
    tip = page.locator(TIP)
    expect(tip).to_be_visible()
    name, link = tip.inner_text().split("\n")[:2]
    assert name == "L1 H3" and re.fullmatch(r"sah → Hund [01]\.\d{2,3}", link)
    numbers = page.locator(".attnviz-mosaic-note").all_text_contents()
    assert len(numbers) == LAYERS * HEADS and all(re.fullmatch(r"[01]\.\d{2,3}", number) for number in numbers)
    assert link.endswith(numbers[HEADS + 3])
    drawn = """() => {
      const context = document.querySelector('.attnviz-mosaic-marks').getContext('2d');
      return context.getImageData(0, 0, 2000, 2000).data.some(Boolean);
    }"""
    assert page.evaluate(drawn)
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    assert not page.evaluate(drawn)


def test_the_weight_that_is_said_is_the_strongest_one_drawn(page: Page) -> None:
    opened(page)
    query, key, weight = re.search(r"L2 H4: (\S+) → (\S+) (\d\.\d\d)", said(page, 2, 4)).groups()  # type: ignore[union-attr]
    words = ["Der", "Hund", "sah", "den", "Ball", ".", "</s>"]
    point(page, 2, 4, words.index(query), words.index(key))
    expect(page.locator(TIP)).to_contain_text(f"{query} → {key} {weight}")


@pytest.mark.parametrize("sentence", ['Über "Größe" & # % = 学生? 😀 <b>x</b>'])
def test_a_copied_link_shows_the_same(page: Page, browser: Browser, app_url: str, sentence: str) -> None:
    opened(page)
    box = text_box(page)
    box.fill(sentence)
    box.press("Enter")
    wait_until_drawn(page, sentence)
    page.get_by_text("at their own token").click()
    page.locator(".st-key-hide_special label").first.click()
    expect(page.locator(".attnviz-mosaic-summary")).to_contain_text("hidden: </s>")
    wait_until_drawn(page, sentence)
    expect(page.locator(".attnviz-mosaic-marked").first).to_be_visible()
    assert address_parameters(page)["find"] == ["own"] and address_parameters(page)["sentence"] == [sentence]
    other = new_context(browser, base_url=app_url, viewport={"width": 1366, "height": 900}).new_page()
    opened(other, page.url, sentence)
    wait_until_alike(pixels, other, page)
    for selector in (".attnviz-mosaic-summary", ".attnviz-mosaic-grid"):
        assert other.locator(selector).inner_text() == page.locator(selector).inner_text()
    other.context.close()


# Finding and opening ------------------------------------------------------------------------------------------------


def test_a_click_opens_the_head_on_the_home_page(page: Page) -> None:
    opened(page, f"/overview?kind=decoder&hide_special=true&target={quote('The dog & the ball.')}")
    layer = (opening_layer("bundled") + 1) % 4  # the one that the home page opens with is not in its address
    box = tile(page, layer, 5)
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    panel = page.locator(".st-key-opened")
    expect(panel).to_contain_text(f"L{layer} H5")
    wait_until_drawn(page, FIRST)
    assert urlsplit(page.url).path == "/"
    found = address_parameters(page)
    assert (found["kind"], found["layer"], found["head"]) == (["decoder"], [str(layer)], ["5"])
    assert found["target"] == ["The dog & the ball."] and found["hide_special"] == ["true"]
    click_page_name(page, "Overview")
    page.locator(TILE).first.wait_for(state="attached")
    expect(page.locator(".attnviz-mosaic-summary")).to_contain_text("Decoder")


def test_the_keyboard_goes_from_head_to_head_and_opens_one(page: Page) -> None:
    opened(page)
    tiles = page.locator(TILE)
    assert tiles.evaluate_all("all => all.filter((one) => one.tabIndex === 0).length") == 1  # one stop for the Tab key
    tiles.first.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "End", "ArrowLeft", "ArrowUp"):
        page.keyboard.press(key)
    focused = "document.activeElement.dataset.head"
    assert page.evaluate(focused) == "L1 H6"
    tip = page.locator(TIP)
    expect(tip).to_be_visible()
    assert tip.inner_text().startswith("L1 H6") and tip.inner_text().count("→") == 3
    outline = page.locator(f"{TILE}:focus").evaluate("(tile) => getComputedStyle(tile).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Escape")
    expect(tip).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-opened")).to_contain_text("L1 H6")
    assert urlsplit(page.url).path == "/"


def test_heads_that_look_at_the_previous_word_stand_out(page: Page) -> None:
    opened(page, "/overview?by_word=true")
    page.get_by_text("at the previous word").click()
    summary = page.locator(".attnviz-mosaic-summary")
    expect(summary).to_contain_text("Looking most at the previous word: L")
    wait_until_drawn(page, FIRST)
    best = re.search(r"L\d H\d", summary.inner_text())
    assert best
    expect(page.locator(".attnviz-mosaic-marked")).to_have_count(4)
    expect(page.locator(f"{TILE}[data-head='{best[0]}']")).to_have_class(re.compile("attnviz-mosaic-marked"))
    assert address_parameters(page)["find"] == ["previous"]
    page.get_by_text("at the previous word", exact=True).first.click()  # once more, and none stands out
    expect(page.locator(".attnviz-mosaic-marked")).to_have_count(0)
    assert "find" not in address_parameters(page)


def test_a_row_of_the_table_opens_its_head(page: Page) -> None:
    opened(page)
    table = page.locator(".st-key-measures")
    table.scroll_into_view_if_needed()
    canvas = table.locator("canvas").first
    expect(canvas).to_be_visible()
    page.wait_for_timeout(500)  # the table draws itself in steps
    box = settled_box(canvas)
    page.mouse.click(box["x"] + 16, box["y"] + 36 + 3.5 * 35)  # the box at the beginning of the fourth row
    expect(page.locator(".st-key-opened")).to_contain_text("L0 H3")
    assert urlsplit(page.url).path == "/"


# Screens and themes -------------------------------------------------------------------------------------------------


def test_a_damaged_link_opens_and_says_what_is_wrong(page: Page) -> None:
    opened(page, "/overview?kind=sideways&find=%F0%9F&layer=99&head=abc&by_word=%00&hide=nobody")
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_contain_text("no sideways attention")
    expect(alert).to_contain_text("cannot be found by")
    assert page.locator(TILE).count() == LAYERS * HEADS


def test_markup_is_never_run(page: Page, outside_requests: list[str]) -> None:
    sentence = "<img src=x onerror=alert(1)>"
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    opened(page, f"/overview?sentence={quote(sentence)}", sentence)
    point_at(page.locator(TILE).first, page.locator(TIP))
    assert dialogs == [] and outside_requests == [] and page.locator("img[src='x']").count() == 0


@pytest.mark.parametrize("width", [390, 320])
def test_a_narrow_screen_scrolls_the_tiles_and_not_the_page(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 844})
    opened(page, "/overview?find=own")
    assert wider_than_the_screen(page) == []
    last = page.locator(f"{TILE}[data-head='L3 H7']")
    last.scroll_into_view_if_needed()
    box = last.bounding_box()
    assert box and box["x"] + box["width"] <= width and box["width"] >= 32
    names = page.get_by_role("rowheader").first.bounding_box()
    assert names and names["x"] >= 0  # the layers' names stay in sight


def test_dark_and_light_follow_the_reader(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    opened(page)
    dark = pixels(page)
    page.emulate_media(color_scheme="light")
    page.wait_for_function(
        """() => document.querySelector('.attnviz-mosaic-ramp')?.style.background.includes('rgb(255, 255, 255)')"""
    )
    wait_until_drawn(page, FIRST)
    assert pixels(page) != dark


def test_every_picture_has_a_text_beside_it(page: Page) -> None:
    opened(page)
    assert page.locator(".attnviz-mosaic-canvas[role=img]").get_attribute("aria-label") == (
        "Encoder, 4 layers × 8 heads, 7 tokens"
    )
    for label in page.locator(TILE).evaluate_all("all => all.map((one) => one.ariaLabel)"):
        assert re.match(r"L\d H\d: .+ → .+ [01]\.\d\d", label)
    page.get_by_test_id("stExpander").get_by_text("Numbers").click()
    expect(page.get_by_test_id("stExpanderDetails").get_by_test_id("stDataFrame")).to_be_visible()
