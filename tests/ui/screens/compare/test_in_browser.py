"""The compare page as a reader meets it, in a real browser.

Each test is a visit: what is done in it, and what is then seen, stands in the functions above it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Locator, Page, expect
from support.browsing import (
    RESTS,
    click_page_name,
    diagonal_colours,
    settled_box,
    wait_until_alike,
    wait_until_drawn,
    wider_than_the_screen,
)

FIRST = "Der Hund sah den Ball."
CANVASES = ".attnviz-panels .attnviz-heatmap-canvas"
HOSTILE = 'Über "Größe" & # % = 学生 😀 \\?'


def opened(page: Page, panels: str = "") -> Page:
    texts = {"sentence": FIRST, **({"panels": panels} if panels else {})}
    page.goto("/compare?" + "&".join(f"{name}={quote(text)}" for name, text in texts.items()))
    wait_until_drawn(page, FIRST)
    return page


def change(page: Page, act: Callable[[], object]) -> None:
    """Does something that changes the figures, and waits until they show it."""
    page.wait_for_function(RESTS)
    before = page.locator(".attnviz-ready").get_attribute("data-run") or ""
    act()
    wait_until_drawn(page, FIRST, before)


def card(page: Page, place: int) -> Locator:
    return page.locator(".attnviz-panel").nth(place)


def names(page: Page) -> list[str]:
    return page.locator(".attnviz-panel-title").all_text_contents()


def difference(page: Page) -> Locator:
    return page.locator(".attnviz-panel-difference")


def panels(page: Page) -> list[str]:
    """What the address says of the panels, or nothing."""
    return parse_qs(urlsplit(page.url).query).get("panels", [""])[0].split()


def texts(page: Page) -> list[str]:
    """What is read aloud in place of each picture."""
    return page.locator(CANVASES).evaluate_all("all => all.map((one) => one.ariaLabel)")


def pixels(page: Page) -> list[list[int]]:
    """The colours along a line from the upper left to the lower right of each picture."""
    return diagonal_colours(page, CANVASES)


def point(page: Page, place: int, across: float, down: float) -> None:
    box = settled_box(card(page, place).locator(".attnviz-heatmap-canvas"))
    page.mouse.move(box["x"] + across * box["width"], box["y"] + down * box["height"])


# Seeing -------------------------------------------------------------------------------------------------------------


def two_heads_and_their_difference_are_seen(page: Page) -> None:
    expect(page.locator(".attnviz-panel")).to_have_count(3)
    assert len({tuple(line) for line in pixels(page)}) == 3  # none is blank
    expect(card(page, 2)).to_contain_text(re.compile(r"[01]\.\d\d"))
    expect(card(page, 2)).to_contain_text("−1: more in B")
    box = card(page, 2).bounding_box()
    assert box and box["y"] + box["height"] <= 900  # all of it without scrolling
    expect(page.locator(".attnviz-alike-title")).to_contain_text("Heads like A")
    expect(page.locator(".attnviz-alike-dot")).to_have_count(32)


def every_picture_has_a_text(page: Page) -> None:
    first, second, third = texts(page)
    assert re.match(r"A: Encoder L\d H\d: .+ → .+ [01]\.\d\d", first)
    assert re.match(r"B: Encoder L\d H\d: .+ → .+ [01]\.\d\d", second)
    assert re.match(r"A − B, .+: .+ → .+ [+−]\d\.\d\d", third)
    assert "placed by their divergences" in (page.locator(".attnviz-alike-plane").get_attribute("aria-label") or "")


def a_cell_is_marked_in_all_panels(page: Page) -> None:
    point(page, 0, 0.5, 0.6)
    tip = page.locator(".attnviz-panels .attnviz-tip")
    expect(tip).to_be_visible()
    shown = re.fullmatch(r"(\S+) → (\S+) ([01]\.\d{2,3})", tip.inner_text())
    assert shown
    expect(page.locator(".attnviz-mark-cell")).to_have_count(3)
    values = page.locator(".attnviz-panel-value").all_text_contents()
    assert values[0] == shown[3]
    first, second = (float(values[place]) for place in (0, 1))
    assert float(values[2].replace("−", "-")) == pytest.approx(first - second, abs=0.011)
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()
    expect(page.locator(".attnviz-mark-cell")).to_have_count(0)


def a_click_keeps_the_marks_and_keys_move_them(page: Page) -> None:
    point(page, 1, 0.5, 0.6)
    page.mouse.down()
    page.mouse.up()
    page.mouse.move(5, 5)
    cells = page.locator(".attnviz-mark-cell")
    expect(cells).to_have_count(3)
    card(page, 0).locator(".attnviz-panel-name").focus()
    page.keyboard.press("Escape")
    expect(cells).to_have_count(0)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".attnviz-panels .attnviz-tip")).to_contain_text("Der → Hund")
    expect(cells).to_have_count(3)
    page.keyboard.press("Escape")


def dark_and_light_follow_the_reader(page: Page) -> None:
    light = pixels(page)
    change(page, lambda: page.emulate_media(color_scheme="dark"))
    assert all(one != other for one, other in zip(light, pixels(page), strict=True))


def a_narrow_screen_has_one_panel_in_a_row(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(RESTS)
    settled_box(card(page, 2))
    boxes = [card(page, place).bounding_box() or {} for place in range(3)]
    assert len({box["x"] for box in boxes}) == 1
    assert all(upper["y"] + upper["height"] <= lower["y"] for upper, lower in zip(boxes, boxes[1:], strict=False))
    assert wider_than_the_screen(page) == []


def test_two_heads_and_their_difference_are_looked_at(page: Page) -> None:
    opened(page)
    two_heads_and_their_difference_are_seen(page)
    every_picture_has_a_text(page)
    a_cell_is_marked_in_all_panels(page)
    a_click_keeps_the_marks_and_keys_move_them(page)
    dark_and_light_follow_the_reader(page)
    a_narrow_screen_has_one_panel_in_a_row(page)


# Changing -----------------------------------------------------------------------------------------------------------


def a_panel_shows_another_head(page: Page) -> None:
    settled_box(card(page, 1).locator(".attnviz-heatmap-canvas"))
    before, texts_before = pixels(page), texts(page)
    head_of_a, head_of_b = page.get_by_label("Head: A"), page.get_by_label("Head: B")
    change(page, lambda: head_of_b.select_option("Head 3"))
    assert names(page) == ["L0 H1", "L2 H3"] and panels(page) == ["encoder.L0.H1", "encoder.L2.H3"]
    after, texts_after = pixels(page), texts(page)
    assert after[1] != before[1] and after[2] != before[2]
    assert texts_after[0] == texts_before[0]
    change(page, lambda: head_of_b.select_option("Mean of heads"))
    assert names(page)[1] == "L2 mean"
    assert re.match(r"B: Encoder L2 mean: .+ → .+ [01]\.\d\d", texts(page)[1])
    change(page, lambda: head_of_a.select_option("Rollout"))
    assert names(page)[0] == "rollout L0"
    change(page, lambda: page.get_by_label("Attention: B").select_option("Cross"))
    expect(head_of_b.locator("option", has_text="Rollout")).to_be_disabled()
    assert panels(page) == ["encoder.L0.rollout", "cross.L2.mean"]


def many_changes_in_a_row_are_all_kept(page: Page) -> None:
    for head in (3, 4, 6, 7):
        card(page, 0).get_by_label("Head: A").select_option(f"Head {head}")
        card(page, 1).get_by_label("Layer: B").select_option(f"Layer {head % 4}")
    expect(page.locator(".attnviz-panel-title")).to_have_text(["L0 H7", "L3 mean"])
    wait_until_drawn(page, FIRST)


def panels_follow_to_other_pages_and_back(page: Page) -> None:
    page.wait_for_function(RESTS)
    click_page_name(page, "Heads")
    expect(page.locator(".attnviz-head-name").first).to_be_visible()
    wait_until_drawn(page, FIRST)
    page.wait_for_function(RESTS)
    click_page_name(page, "Compare")
    expect(page.locator(".attnviz-panel-title")).to_have_text(["L0 H7", "L3 mean"])
    wait_until_drawn(page, FIRST)
    assert panels(page) == ["encoder.L0.H7", "cross.L3.mean"]


def the_way_back_undoes_a_change(page: Page) -> None:
    """Also for a reader who goes back at once, before the page says that it rests; a busy one never says so."""
    page.wait_for_function(RESTS)
    page.evaluate(
        """() => {
          const write = history.pushState;
          history.pushState = (...of) => {
            history.pushState = write;
            write(...of);
            setTimeout(() => history.back());
          };
        }"""
    )
    asked = page.evaluate("performance.timeOrigin")
    page.locator(".attnviz-panels-add").click()
    page.wait_for_function("(asked) => performance.timeOrigin !== asked", arg=asked)  # opened anew
    wait_until_drawn(page, FIRST)
    assert names(page) == ["L0 H7", "L3 mean"] and panels(page) == ["encoder.L0.H7", "cross.L3.mean"]
    change(page, lambda: page.locator(".attnviz-panels-add").click())
    page.go_back()
    expect(page.locator(".attnviz-panel-title")).to_have_text(["L0 H7", "L3 mean"])


def test_heads_are_chosen_and_the_way_back_undoes_it(page: Page) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.H5")
    a_panel_shows_another_head(page)
    many_changes_in_a_row_are_all_kept(page)
    panels_follow_to_other_pages_and_back(page)
    the_way_back_undoes_a_change(page)


def a_panel_is_added_and_moved(page: Page) -> None:
    expect(page.get_by_label("Drop panel: A")).to_be_disabled()  # two at least
    change(page, lambda: page.locator(".attnviz-panels-add").click())
    assert names(page) == ["L0 H1", "L2 H5", "L2 H5"]  # a copy of the last
    change(page, lambda: page.get_by_label("Layer: C").select_option("Layer 3"))
    change(page, lambda: page.get_by_label("Move left: C").click())
    assert names(page) == ["L0 H1", "L3 H5", "L2 H5"]
    expect(difference(page)).to_contain_text("A − C")  # still that of the same two
    assert panels(page)[-1] == "difference=A-C"


def another_pair_is_compared(page: Page) -> None:
    before = pixels(page)[3]
    change(page, lambda: page.get_by_label("Difference: minus this panel").select_option("B"))
    expect(difference(page)).to_contain_text("A − B")
    assert pixels(page)[3] != before and panels(page)[-1] == "encoder.L2.H5"
    change(page, lambda: page.get_by_label("Difference: of this panel").select_option("B"))  # the other way round
    expect(difference(page)).to_contain_text("B − A")


def a_panel_is_dropped(page: Page) -> None:
    change(page, lambda: page.get_by_label("Drop panel: A").click())
    assert names(page) == ["L3 H5", "L2 H5"]


def a_head_that_is_alike_is_put_beside(page: Page) -> None:
    change(page, lambda: card(page, 1).locator(".attnviz-panel-name").click())
    expect(page.locator(".attnviz-alike-title")).to_have_text("Heads like B: L2 H5")
    entry = page.locator(".attnviz-alike-entry").first
    name = entry.locator(".attnviz-alike-name").inner_text()
    number = entry.locator(".attnviz-alike-number").inner_text()
    change(page, lambda: entry.click())
    assert names(page) == ["L3 H5", "L2 H5", name]
    expect(difference(page)).to_contain_text("B − C")
    expect(page.locator(".attnviz-panel-far")).to_contain_text(number)
    dot = page.locator(".attnviz-alike-dot[aria-label^='L1 H6']")
    change(page, lambda: dot.click())
    assert names(page)[2] == "L1 H6"
    dot.focus()
    reached = []
    for key in ("ArrowLeft", "ArrowRight"):  # one of them leads nowhere from either end
        page.keyboard.press(key)
        assert page.evaluate("document.activeElement.className").startswith("attnviz-alike-dot")
        reached.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert not all(label.startswith("L1 H6") for label in reached)


def six_panels_are_the_most(page: Page) -> None:
    add = page.locator(".attnviz-panels-add")
    for count in range(len(names(page)) + 1, 7):
        add.click()
        expect(page.locator(".attnviz-panel-title")).to_have_count(count)
    expect(add).to_be_disabled()


def test_panels_are_added_compared_and_dropped(page: Page) -> None:
    opened(page, "encoder.L0.H1 encoder.L2.H5")
    a_panel_is_added_and_moved(page)
    another_pair_is_compared(page)
    a_panel_is_dropped(page)
    a_head_that_is_alike_is_put_beside(page)
    six_panels_are_the_most(page)


# Links --------------------------------------------------------------------------------------------------------------


def a_word_is_marked_wherever_it_stands(page: Page) -> None:
    point(page, 0, 0.04, 0.28)  # "Hund" at the left of the second row
    expect(page.locator(".attnviz-mark-label").first).to_be_attached()
    rows = [card(page, place).locator(".attnviz-mark-row") for place in range(3)]
    columns = [card(page, place).locator(".attnviz-mark-column") for place in range(3)]
    assert [one.count() for one in rows] == [1, 1, 0]
    assert [one.count() for one in columns] == [0, 0, 1]  # English words look at German ones
    upper, lower = (rows[place].bounding_box() for place in (0, 1))
    assert upper and lower
    tops = [card(page, place).locator(".attnviz-heatmap-canvas").bounding_box() for place in (0, 1)]
    assert lower["y"] - (tops[1] or {})["y"] > upper["y"] - (tops[0] or {})["y"]  # it stands further down there
    expect(card(page, 0).locator(".attnviz-panel-value")).to_have_text(re.compile(r"→ \S+ [01]\.\d\d"))


def a_panel_has_a_sentence_of_its_own(page: Page) -> None:
    button, note = page.get_by_label("Other sentence or model: B"), card(page, 1).locator(".attnviz-panel-note")
    button.click()
    expect(button).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ControlOrMeta+A")  # the box has the focus
    page.keyboard.type(HOSTILE)
    change(page, lambda: page.keyboard.press("Enter"))
    expect(note).to_have_text(f"“{HOSTILE}”")
    expect(card(page, 3)).to_contain_text("different sentences")
    button.click()
    change(page, lambda: card(page, 1).get_by_role("button", name="As on the page").click())
    expect(note).to_be_hidden()
    assert panels(page) == ["encoder.L2.H5", "encoder.L2.H5", "cross.L1.H1"]


def a_copied_link_shows_the_same(page: Page) -> Page:
    page.get_by_label("Other sentence or model: C").click()
    card(page, 2).get_by_label("Sentence of this panel").fill(HOSTILE[::-1])
    card(page, 2).get_by_label("Target of this panel").fill("<b>100 %</b>")
    change(page, lambda: page.keyboard.press("Enter"))
    notes = page.locator(".attnviz-panel-note").all_text_contents()
    assert "<b>100 %</b>" in notes[2]
    change(page, lambda: page.locator(".st-key-hide_special label").first.click())
    expect(page.locator(".attnviz-panels-summary")).to_contain_text("hidden")
    other = page.context.new_page()
    other.goto(page.url)
    wait_until_drawn(other, FIRST)
    wait_until_alike(pixels, other, page)
    assert other.locator(".attnviz-panel-note").all_text_contents() == notes
    return other


def a_damaged_link_says_what_is_wrong(page: Page) -> None:
    opened(page, 'encoder.L99.H1 <img src=x onerror=alert(1)> sideways.L0.H0 sentence="')
    alert = page.get_by_test_id("stAlert")
    for said in ("no layer 99", "sideways", "cannot be read"):
        expect(alert).to_contain_text(said)
    assert names(page) == ["L3 H1", "L0 H0"]
    assert page.locator("img[src='x']").count() == 0


def test_a_link_holds_what_a_panel_has_of_its_own(page: Page) -> None:
    opened(page, 'encoder.L2.H5 encoder.L2.H5 sentence="Den Ball sah der Hund." cross.L1.H1')
    a_word_is_marked_wherever_it_stands(page)
    a_panel_has_a_sentence_of_its_own(page)
    other = a_copied_link_shows_the_same(page)
    a_damaged_link_says_what_is_wrong(other)


def test_a_text_that_is_too_long_is_said_once_and_its_beginning_is_compared(page: Page) -> None:
    page.goto(f"/compare?lang=en&sentence={quote('Der Hund sah den Ball. ' * 100)}")
    button = page.get_by_role("button", name="Only the beginning")
    button.wait_for()
    page.wait_for_function(RESTS)
    expect(card(page, 1)).to_be_visible()
    assert page.locator("body").inner_text().count("has positions for 512") == 1
    expect(page.locator(".attnviz-panel:visible")).to_have_count(2)  # and no difference of nothing
    button.click()
    expect(difference(page).locator("canvas").first).to_be_visible()
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
