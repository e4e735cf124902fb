"""The compare page as a reader meets it, in a real browser."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from support.browsing import (
    click_page_name,
    diagonal_colours,
    new_context,
    settled_box,
    wait_until_alike,
    wait_until_drawn,
    wider_than_the_screen,
)

FIRST = "Der Hund sah den Ball."
CANVASES = ".attnviz-panels .attnviz-heatmap-canvas"
HOSTILE = 'Über "Größe" & # % = 学生 😀 \\?'


def opened(page: Page, panels: str = "", **parameters: str) -> Page:
    texts = {"sentence": FIRST, **({"panels": panels} if panels else {}), **parameters}
    page.goto("/compare?" + "&".join(f"{name}={quote(text)}" for name, text in texts.items()))
    wait_until_drawn(page, parameters.get("sentence", FIRST))
    return page


def card(page: Page, place: int) -> Locator:
    return page.locator(".attnviz-panel").nth(place)


def names(page: Page) -> list[str]:
    return page.locator(".attnviz-panel-title").all_text_contents()


def panels(page: Page) -> list[str]:
    """What the address says of the panels, or nothing."""
    return parse_qs(urlsplit(page.url).query).get("panels", [""])[0].split()


def pixels(page: Page) -> list[list[int]]:
    """The colours along a line from the upper left to the lower right of each picture."""
    return diagonal_colours(page, CANVASES)


def point(page: Page, place: int, across: float, down: float) -> None:
    box = settled_box(card(page, place).locator(".attnviz-heatmap-canvas"))
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])


# Seeing -------------------------------------------------------------------------------------------------------------


def test_the_first_screen_shows_two_heads_and_their_difference(page: Page, outside_requests: list[str]) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    opened(page)
    assert page.locator(".attnviz-panel").count() == 3
    assert len({tuple(line) for line in pixels(page)}) == 3  # none is blank
    expect(card(page, 2)).to_contain_text(re.compile(r"[01]\.\d\d"))
    expect(card(page, 2)).to_contain_text("−1: more in B")
    box = card(page, 2).bounding_box()
    assert box and box["y"] + box["height"] <= 900  # all of it without scrolling
    expect(page.locator(".attnviz-alike-title")).to_contain_text("Heads like A")
    assert page.locator(".attnviz-alike-dot").count() == 32
    assert outside_requests == [] and errors == []


def test_pointing_at_a_cell_marks_it_in_all_panels(page: Page) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.H5 encoder.L1.H0")
    point(page, 0, 0.5, 0.6)
    tip = page.locator(".attnviz-panels .attnviz-tip")
    expect(tip).to_be_visible()
    found = re.fullmatch(r"(\S+) → (\S+) ([01]\.\d{2,3})", tip.inner_text())
    assert found
    marks = page.locator(".attnviz-mark-cell")
    assert marks.count() == 4  # three panels and the difference
    values = page.locator(".attnviz-panel-value").all_text_contents()
    assert values[0] == found[3]
    first, second = (float(values[place]) for place in (0, 1))
    assert float(values[3].replace("−", "-")) == pytest.approx(first - second, abs=0.011)
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    assert marks.count() == 0


def test_pointing_at_a_word_marks_it_wherever_it_stands(page: Page) -> None:
    swapped = 'encoder.L2.H5 cross.L1.H1 encoder.L2.H5 sentence="Den Ball sah der Hund."'
    opened(page, swapped)
    point(page, 0, 0.04, 0.28)  # "Hund" at the left of the second row
    labels = page.locator(".attnviz-mark-label")
    expect(labels.first).to_be_attached()
    rows = [card(page, place).locator(".attnviz-mark-row") for place in range(3)]
    columns = [card(page, place).locator(".attnviz-mark-column") for place in range(3)]
    assert [one.count() for one in rows] == [1, 0, 1]
    assert [one.count() for one in columns] == [0, 1, 0]  # English words look at German ones
    upper, lower = (rows[place].bounding_box() for place in (0, 2))
    assert upper and lower
    tops = [card(page, place).locator(".attnviz-heatmap-canvas").bounding_box() for place in (0, 2)]
    assert lower["y"] - (tops[1] or {})["y"] > upper["y"] - (tops[0] or {})["y"]  # it stands further down there
    expect(card(page, 0).locator(".attnviz-panel-value")).to_have_text(re.compile(r"→ \S+ [01]\.\d\d"))


def test_a_click_keeps_the_marks_and_keys_move_them(page: Page) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.H5")
    point(page, 1, 0.5, 0.6)
    page.mouse.down()
    page.mouse.up()
    page.mouse.move(5, 5)
    cells = page.locator(".attnviz-mark-cell")
    assert cells.count() == 3
    name = card(page, 0).locator(".attnviz-panel-name")
    name.focus()
    page.keyboard.press("Escape")
    assert cells.count() == 0
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".attnviz-panels .attnviz-tip")).to_contain_text("Der → Hund")
    assert cells.count() == 3


# Changing -----------------------------------------------------------------------------------------------------------


def test_a_panel_shows_another_head_at_once(page: Page) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.H5")
    settled_box(card(page, 1).locator(".attnviz-heatmap-canvas"))
    page.wait_for_timeout(500)  # fonts, with which the numbers in the cells are written once more
    before = pixels(page)
    card(page, 1).get_by_label("Head: B").select_option("Head 3")
    expect(card(page, 1).locator(".attnviz-panel-title")).to_have_text("L2 H3")
    wait_until_drawn(page, FIRST)
    after = pixels(page)
    assert after[0] == before[0] and after[1] != before[1] and after[2] != before[2]
    assert panels(page) == ["encoder.L0.H1", "encoder.L2.H3"]
    card(page, 1).get_by_label("Head: B").select_option("Mean of heads")
    expect(card(page, 1).locator(".attnviz-panel-title")).to_have_text("L2 mean")
    card(page, 0).get_by_label("Head: A").select_option("Rollout")
    expect(card(page, 0).locator(".attnviz-panel-title")).to_have_text("rollout L0")
    card(page, 1).get_by_label("Attention: B").select_option("Cross")
    wait_until_drawn(page, FIRST)
    expect(card(page, 1).get_by_label("Head: B").locator("option", has_text="Rollout")).to_be_disabled()
    assert panels(page) == ["encoder.L0.rollout", "cross.L2.mean"]


def test_many_changes_in_a_row_are_all_kept(page: Page) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.H5")
    for head in (3, 4, 6, 7):
        card(page, 0).get_by_label("Head: A").select_option(f"Head {head}")
        card(page, 1).get_by_label("Layer: B").select_option(f"Layer {head % 4}")
    expect(page.locator(".attnviz-panel-title").first).to_have_text("L0 H7")
    expect(page.locator(".attnviz-panel-title").nth(1)).to_have_text("L3 H5")


def test_panels_are_added_moved_and_dropped(page: Page) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.H5")
    add = page.locator(".attnviz-panels-add")
    expect(page.get_by_label("Drop panel: A")).to_be_disabled()  # two at least
    add.click()
    expect(page.locator(".attnviz-panel-title")).to_have_count(3)
    assert names(page) == ["L0 H1", "L2 H5", "L2 H5"]  # a copy of the last
    card(page, 2).get_by_label("Layer: C").select_option("Layer 3")
    expect(page.locator(".attnviz-panel-title").nth(2)).to_have_text("L3 H5")
    wait_until_drawn(page, FIRST)
    page.get_by_label("Move left: C").click()
    expect(page.locator(".attnviz-panel-title").nth(1)).to_have_text("L3 H5")
    # The difference is still that of the same two.
    expect(page.locator(".attnviz-panel-difference")).to_contain_text("A − C")
    wait_until_drawn(page, FIRST)
    page.get_by_label("Drop panel: A").click()
    expect(page.locator(".attnviz-panel-title")).to_have_count(2)
    assert names(page) == ["L3 H5", "L2 H5"]
    wait_until_drawn(page, FIRST)
    for count in range(3, 7):
        add.click()
        expect(page.locator(".attnviz-panel-title")).to_have_count(count)
    expect(add).to_be_disabled()


def test_the_way_back_undoes_a_change(page: Page) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.H5")
    page.locator(".attnviz-panels-add").click()
    expect(page.locator(".attnviz-panel-title")).to_have_count(3)
    wait_until_drawn(page, FIRST)
    page.wait_for_timeout(1200)  # a change is not undone while the browser may not have heard of its address
    page.go_back()
    expect(page.locator(".attnviz-panel-title")).to_have_count(2)
    assert names(page) == ["L0 H1", "L2 H5"]


def test_another_pair_is_compared(page: Page) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.H5 encoder.L1.H0")
    before = pixels(page)[3]
    page.get_by_label("Difference: minus this panel").select_option("C")
    expect(page.locator(".attnviz-panel-difference")).to_contain_text("A − C")
    wait_until_drawn(page, FIRST)
    assert pixels(page)[3] != before
    assert panels(page)[-1] == "difference=A-C"
    page.get_by_label("Difference: of this panel").select_option("C")  # the other way round
    expect(page.locator(".attnviz-panel-difference")).to_contain_text("C − A")


def test_a_head_that_is_alike_is_put_beside(page: Page) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.H5")
    card(page, 1).locator(".attnviz-panel-name").click()
    expect(page.locator(".attnviz-alike-title")).to_have_text("Heads like B: L2 H5")
    wait_until_drawn(page, FIRST)
    entry = page.locator(".attnviz-alike-entry").first
    name = entry.locator(".attnviz-alike-name").inner_text()
    number = entry.locator(".attnviz-alike-number").inner_text()
    entry.click()
    expect(page.locator(".attnviz-panel-title")).to_have_count(3)
    assert names(page) == ["L0 H1", "L2 H5", name]
    expect(page.locator(".attnviz-panel-difference")).to_contain_text("B − C")
    expect(page.locator(".attnviz-panel-far")).to_contain_text(number)
    wait_until_drawn(page, FIRST)
    page.locator(".attnviz-alike-dot[aria-label^='L1 H6']").click()
    expect(page.locator(".attnviz-panel-title").nth(2)).to_have_text("L1 H6")
    wait_until_drawn(page, FIRST)
    dot = page.locator(".attnviz-alike-dot[aria-label^='L1 H6']")
    dot.focus()
    reached = []
    for key in ("ArrowLeft", "ArrowRight"):  # one of them leads nowhere from either end
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.className").startswith("attnviz-alike-dot")
        reached.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert not all(label.startswith("L1 H6") for label in reached)


def test_a_panel_has_a_sentence_of_its_own(page: Page) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.H5")
    button = page.get_by_label("Other sentence or model: B")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    page.keyboard.type(HOSTILE)  # the box has the focus
    page.keyboard.press("Enter")
    expect(card(page, 1).locator(".attnviz-panel-note")).to_have_text(f"“{HOSTILE}”")
    expect(card(page, 2)).to_contain_text("different sentences")
    wait_until_drawn(page, FIRST)
    button.click()
    card(page, 1).get_by_role("button", name="As on the page").click()
    expect(card(page, 1).locator(".attnviz-panel-note")).to_be_hidden()
    wait_until_drawn(page, FIRST)
    assert panels(page) == ["encoder.L0.H1", "encoder.L2.H5"]


# Links --------------------------------------------------------------------------------------------------------------


def test_a_copied_link_shows_the_same(page: Page, browser: Browser, app_url: str) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.H5 cross.L1.max", sentence=HOSTILE)
    page.get_by_label("Other sentence or model: C").click()
    card(page, 2).get_by_label("Sentence of this panel").fill(HOSTILE[::-1])
    card(page, 2).get_by_label("Target of this panel").fill("<b>100 %</b>")
    page.keyboard.press("Enter")
    expect(card(page, 2).locator(".attnviz-panel-note")).to_contain_text("<b>100 %</b>")
    wait_until_drawn(page, HOSTILE)
    page.locator(".st-key-hide_special label").first.click()
    expect(page.locator(".attnviz-panels-summary")).to_contain_text("hidden")
    wait_until_drawn(page, HOSTILE)
    other = new_context(browser, base_url=app_url, viewport={"width": 1366, "height": 900}).new_page()
    other.goto(page.url)
    wait_until_drawn(other, HOSTILE)
    wait_until_alike(pixels, other, page)
    assert (
        other.locator(".attnviz-panel-note").all_text_contents()
        == page.locator(".attnviz-panel-note").all_text_contents()
    )
    other.context.close()


def test_panels_follow_to_other_pages_and_back(page: Page) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.H5 cross.L1.H1")
    click_page_name(page, "Heads")
    expect(page.locator(".attnviz-head-name").first).to_be_visible()
    wait_until_drawn(page, FIRST)
    click_page_name(page, "Compare")
    expect(page.locator(".attnviz-panel-title")).to_have_count(3)
    wait_until_drawn(page, FIRST)
    assert names(page) == ["L0 H1", "L2 H5", "L1 H1"]
    assert panels(page) == ["encoder.L0.H1", "encoder.L2.H5", "cross.L1.H1"]


def test_a_damaged_link_opens_and_says_what_is_wrong(page: Page) -> None:
    opened(page, 'encoder.L99.H1 <img src=x onerror=alert(1)> sideways.L0.H0 sentence="')
    alert = page.get_by_test_id("stAlert")
    for said in ("no layer 99", "sideways", "cannot be read"):
        expect(alert).to_contain_text(said)
    assert names(page) == ["L3 H1", "L0 H0"]
    assert page.locator("img[src='x']").count() == 0


# Screens ------------------------------------------------------------------------------------------------------------


def test_a_narrow_screen_has_one_panel_in_a_row_and_nothing_beside_it(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, "encoder.L0.H1 encoder.max.H5 cross.L1.H1", sentence="Die Fledermaus flog nachts über das Haus.")
    boxes = [card(page, place).bounding_box() or {} for place in range(4)]
    assert len({box["x"] for box in boxes}) == 1
    assert all(upper["y"] + upper["height"] <= lower["y"] for upper, lower in zip(boxes, boxes[1:], strict=False))
    assert wider_than_the_screen(page) == []


def test_dark_and_light_follow_the_reader(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    opened(page, "encoder.L0.H1 encoder.L2.H5")
    dark = pixels(page)
    page.emulate_media(color_scheme="light")
    page.wait_for_function(
        "() => document.querySelector('.attnviz-panels-ramp')?.style.background.includes('rgb(255, 255, 255)')"
    )
    wait_until_drawn(page, FIRST)
    light = pixels(page)
    assert all(one != other for one, other in zip(dark, light, strict=True))


def test_every_picture_has_a_text(page: Page) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.mean")
    labels = page.locator(CANVASES).evaluate_all("all => all.map((one) => one.ariaLabel)")
    assert re.match(r"A: Encoder L0 H1: .+ → .+ [01]\.\d\d", labels[0])
    assert re.match(r"B: Encoder L2 mean: .+ → .+ [01]\.\d\d", labels[1])
    assert re.match(r"A − B, .+: .+ → .+ [+−]\d\.\d\d", labels[2])
    assert "placed by their divergences" in (page.locator(".attnviz-alike-plane").get_attribute("aria-label") or "")
