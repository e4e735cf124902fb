"""The page "Embeddings" as a reader meets it, in a real browser."""

from __future__ import annotations

from playwright.sync_api import Page, expect
from support.browsing import address_parameters, settled_box, wait_until_drawn, wider_than_the_screen, with_sentence

FIRST = "Der Hund sah den Ball."
DOT = ".attnviz-space-dot"
PICTURE = ".attnviz-space-picture"
FURTHER = "König & <b>, 写作"


def opened(page: Page, address: str = "/embeddings") -> str:
    page.goto(with_sentence(address, FIRST))
    return wait_until_drawn(page, FIRST)


def places(page: Page) -> list[list[float]]:
    return page.locator(DOT).evaluate_all("dots => dots.map(dot => [dot.cx.baseVal.value, dot.cy.baseVal.value])")


def see_points_with_labels(page: Page) -> None:
    assert page.locator(DOT).count() == 11
    # However close the two are, each has its label; one that stands further away has a line to its point.
    chosen = page.locator(".attnviz-space-label.attnviz-space-chosen").all_text_contents()
    named = page.get_by_role("heading", name="Two words:").inner_text().removeprefix("Two words: ")
    assert sorted(chosen) == sorted(named.split(" and ")) and "Hund" in chosen
    assert "11 words as points" in (page.locator(PICTURE).get_attribute("aria-label") or "")
    assert page.locator(".st-key-figures [data-testid='stPlotlyChart']").count() == 5


def see_light_labels_on_a_dark_page(page: Page) -> None:
    fill = page.locator(".attnviz-space-label").first.evaluate("label => getComputedStyle(label).fill")
    assert fill == "rgb(232, 234, 237)"


def turn_the_points_by_dragging_and_keys(page: Page) -> None:
    first = places(page)
    box = settled_box(page.locator(PICTURE))
    page.mouse.move(box["x"] + 40, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 140, box["y"] + 80, steps=4)
    page.mouse.up()
    dragged = places(page)
    assert dragged != first
    page.locator(PICTURE).focus()
    page.keyboard.press("ArrowLeft")
    assert places(page) != dragged
    page.keyboard.press("Home")
    assert places(page) == first


def lay_the_points_flat(page: Page) -> None:
    first = places(page)
    page.get_by_role("button", name="Two axes").click()
    assert places(page) != first and page.locator(".attnviz-space-stem").count() == 0
    page.get_by_role("button", name="Three axes").click()
    assert places(page) == first


def choose_a_word_by_its_point(page: Page, run: str) -> str:
    dot = settled_box(page.locator(DOT).filter(has=page.locator("title", has_text="den (")))
    page.mouse.click(dot["x"] + dot["width"] / 2, dot["y"] + dot["height"] / 2)
    run = wait_until_drawn(page, FIRST, before=run)
    assert address_parameters(page)["word_one"] == ["den"]
    expect(page.get_by_text("Nearest to den in the vocabulary")).to_be_visible()
    return run


def type_further_words(page: Page, run: str) -> None:
    box = page.locator(".st-key-more_words input")
    box.fill(FURTHER)
    box.press("Enter")
    wait_until_drawn(page, FIRST, before=run)
    # Its point: a label stands there only if others leave it room.
    expect(page.locator(DOT).filter(has=page.locator("title", has_text="König"))).to_have_count(1)


def see_the_further_words(page: Page) -> None:
    assert page.locator(".st-key-more_words input").input_value() == FURTHER
    # The chosen words' labels are placed first.
    expect(page.locator(".attnviz-space-label", has_text="König")).to_be_visible()


def see_nothing_beside_the_screen(page: Page, width: int) -> None:
    assert wider_than_the_screen(page) == []
    for part in ("figures", "controls"):
        box = page.locator(f".st-key-{part}").bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width


def test_words_are_points_that_are_turned_chosen_and_added(page: Page) -> None:
    """By somebody whose screen is dark, and who then opens the link on the smallest telephone."""
    page.emulate_media(color_scheme="dark")
    run = opened(page)
    see_points_with_labels(page)
    see_light_labels_on_a_dark_page(page)
    turn_the_points_by_dragging_and_keys(page)
    lay_the_points_flat(page)
    run = choose_a_word_by_its_point(page, run)
    type_further_words(page, run)
    page.set_viewport_size({"width": 320, "height": 844})
    opened(page, page.url.replace("word_one=den", "word_one=König"))
    see_the_further_words(page)
    see_nothing_beside_the_screen(page, 320)
