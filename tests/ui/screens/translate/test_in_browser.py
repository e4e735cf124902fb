"""The page "Translate" as a reader meets it, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect
from support.browsing import (
    address_parameters,
    click_page_name,
    new_context,
    settled_box,
    text_box,
    wait_until_drawn,
    wider_than_the_screen,
    with_sentence,
)  # fmt: skip

FIRST = "De kat zit op de mat."
CHIPS, BARS, ROWS = ".attnviz-growing-chip", "button.attnviz-growing-bar", ".attnviz-growing-row"


def opened(page: Page, query: str = "", sentence: str = FIRST) -> Page:
    page.goto("/")  # the router learns of the pages when the app first runs
    page.locator(".attnviz-ready").wait_for(state="attached")
    page.goto(with_sentence(f"/translate{query}", sentence))
    wait_until_drawn(page, sentence)
    return page


def where(page: Page) -> int:
    return int(re.findall(r"\d+", page.locator(".attnviz-growing-where").inner_text())[0])


def text(page: Page) -> list[str]:
    return page.locator(CHIPS).all_text_contents()


def choose(page: Page, bar: int) -> str:
    """Takes another token, and waits for the text that follows from it."""
    token = page.locator(BARS).nth(bar).locator(".attnviz-growing-token").inner_text()
    before = len(address_parameters(page).get("prefix", [""])[0])
    page.locator(BARS).nth(bar).click()
    page.wait_for_function(
        "(length) => (new URLSearchParams(location.search).get('prefix') ?? '').length !== length", arg=before
    )
    wait_until_drawn(page, FIRST)
    return token


# Seeing -------------------------------------------------------------------------------------------------------------


def test_the_first_screen_shows_a_translation_and_what_it_looked_at(page: Page, outside_requests: list[str]) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    opened(page)
    expect(text_box(page)).to_have_value(FIRST)
    assert text(page)[1:3] == ["The", "cat"] and text(page)[-1] == "</s>"
    for part in (".attnviz-growing-canvas", ".attnviz-architecture-drawing", BARS):
        box = page.locator(part).first.bounding_box()
        assert box and box["y"] + box["height"] <= 900
    assert page.locator(".attnviz-growing-strip").count() == 2
    assert page.locator(BARS).count() == 8
    expect(page.locator(".attnviz-growing-others")).to_contain_text("all others")
    assert outside_requests == [] and errors == []


def test_steps_are_walked_by_buttons_keys_and_clicks(page: Page) -> None:
    opened(page)
    start = where(page)
    numbers = page.locator(".attnviz-growing-numbers").all_text_contents()
    page.locator(".attnviz-growing-next").click()
    assert where(page) == start + 1
    assert page.locator(".attnviz-growing-numbers").all_text_contents() != numbers
    page.locator(".attnviz-growing-back").click()
    assert page.locator(".attnviz-growing-numbers").all_text_contents() == numbers
    page.locator(CHIPS).nth(4).click()
    assert where(page) == 5
    page.keyboard.press("ArrowRight")
    assert where(page) == 6
    expect(page.locator(CHIPS).nth(5)).to_be_focused()
    page.keyboard.press("Home")
    assert where(page) == 1
    expect(page.locator(".attnviz-growing-back")).to_be_disabled()
    # Rows of later steps are in a dashed frame; no cell over which nothing lies has a colour off the scale.
    later, marked = page.locator(".attnviz-growing-coming"), page.locator(".attnviz-growing-mark")
    expect(page.locator(".attnviz-growing-legend")).to_have_text(
        re.compile("attention weight.*1, all of it.*later steps")
    )
    high = settled_box(marked)["height"]
    assert settled_box(later)["height"] > (page.locator(ROWS).count() - 1.5) * (high - 2)
    page.locator(ROWS).last.click()
    expect(later).to_be_hidden()
    page.locator(ROWS).nth(3).click()
    assert where(page) == 4
    expect(page.locator(CHIPS).nth(3)).to_have_attribute("aria-current", "step")
    # What is written so far grows with the step: as many words as have been read.
    own = page.locator(".attnviz-growing-strip").nth(1).locator(".attnviz-growing-key:visible")
    assert own.count() == 4
    # The page learns of it when the reader rests, so that a copied link shows this step.
    page.wait_for_function("new URLSearchParams(location.search).get('step') === '3'")
    wait_until_drawn(page, FIRST)
    assert where(page) == 4


def test_the_text_grows_by_itself(page: Page) -> None:
    opened(page, "?step=0")
    page.locator(".attnviz-growing-play").click()
    expect(page.locator(".attnviz-growing-where")).to_contain_text("step 3 of")
    page.locator(".attnviz-growing-play").click()
    here = where(page)
    page.wait_for_timeout(1500)
    assert where(page) == here


def test_numbers_of_a_step_belong_together(page: Page) -> None:
    opened(page, "?step=2")
    shares = page.locator(".attnviz-growing-strip").first.locator(".attnviz-growing-key-weight").all_text_contents()
    assert sum(map(float, shares)) == pytest.approx(1, abs=0.05)
    named = page.locator(ROWS).nth(2).inner_text()
    assert named == "The → cat"
    expect(page.locator(".attnviz-growing-taken .attnviz-growing-token")).to_have_text("cat")
    # The strongest word of the strip is the darkest cell of the row.
    strip = page.locator(".attnviz-growing-keys").first.get_attribute("aria-label") or ""
    assert re.search(r": kat [01]\.\d\d", strip)


# Choosing -----------------------------------------------------------------------------------------------------------


def test_another_token_is_gone_on_from_and_a_link_shows_it(page: Page, browser: Browser, app_url: str) -> None:
    opened(page, "?step=3")
    before = text(page)
    token = choose(page, 1)
    after = text(page)
    assert after[:3] == before[:3] and after[3] == token != before[3]
    assert where(page) == 5  # on to what follows the choice
    assert len(address_parameters(page)["prefix"][0].split(".")) == 4
    expect(page.locator(".attnviz-growing-given")).to_have_count(4)
    other = new_context(browser, base_url=app_url, viewport={"width": 1366, "height": 900}).new_page()
    other.goto(page.url)
    wait_until_drawn(other, FIRST)
    assert text(other) == after and where(other) == 5
    other.context.close()
    page.locator(".attnviz-growing-reset").click()
    page.wait_for_function("!new URLSearchParams(location.search).has('prefix')")
    wait_until_drawn(page, FIRST)
    assert text(page) == before


def test_the_language_is_a_choice_too(page: Page) -> None:
    opened(page, "?step=0&method=beam&sentence=The+dog+saw+the+ball.", "The dog saw the ball.")
    languages = page.locator(BARS).filter(has_text=">>")
    other = languages.nth(1)
    chosen = other.locator(".attnviz-growing-token").inner_text()
    other.focus()
    page.keyboard.press("Enter")
    expect(page.locator(CHIPS).first).to_have_text(chosen)
    wait_until_drawn(page, "The dog saw the ball.")


def test_methods_show_what_they_do(page: Page) -> None:
    opened(page, "?step=3")
    expect(page.locator(".attnviz-growing-choices")).to_contain_text("greedy")
    assert page.locator(".attnviz-growing-cut").count() == 7
    page.locator(".st-key-method button").nth(2).click()
    expect(page.locator(".st-key-temperature")).to_be_visible()
    wait_until_drawn(page, FIRST)
    page.locator(".st-key-top_k input").fill("2")
    page.locator(".st-key-top_k input").press("Enter")
    expect(page.locator(".attnviz-growing-choices")).to_contain_text("2 tokens")
    wait_until_drawn(page, FIRST)
    assert page.locator(".attnviz-growing-numbers", has_text="cut").count() >= 7
    page.locator(".st-key-method button").nth(1).click()
    nodes = page.locator(".attnviz-growing-node")
    expect(nodes.first).to_be_visible()
    wait_until_drawn(page, FIRST)
    won = page.locator(".attnviz-growing-node.attnviz-growing-won .attnviz-growing-token").all_text_contents()
    assert won == text(page)
    assert page.locator(".attnviz-growing-node.attnviz-growing-dropped").count() > 0
    assert re.search(r"−\d+\.\d\d, (kept|dropped|finished)", nodes.first.get_attribute("aria-label") or "")
    nodes.last.click()
    assert where(page) == len(won)


# The three places ---------------------------------------------------------------------------------------------------


def test_the_drawing_leads_to_the_place_that_is_clicked(page: Page) -> None:
    opened(page)
    places = page.locator(".attnviz-architecture-place")
    assert places.count() == 3
    here = page.locator(".attnviz-architecture-here")
    expect(here).to_have_attribute("data-kind", "cross")
    page.locator("[data-kind=decoder]").click()
    expect(here).to_have_attribute("data-kind", "decoder")
    expect(page.locator(".attnviz-growing-all")).to_contain_text("Masked self-attention")
    wait_until_drawn(page, FIRST)
    assert address_parameters(page)["kind"] == ["decoder"]
    page.locator("[data-kind=encoder]").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".attnviz-growing-all")).to_contain_text("Encoder self-attention")
    expect(here).to_have_attribute("aria-pressed", "true")


# What must not happen -----------------------------------------------------------------------------------------------


def test_choices_made_elsewhere_come_along_and_the_own_beginning_does_not_undo_them(page: Page) -> None:
    page.goto("/")
    page.locator(".attnviz-ready").wait_for(state="attached")
    box = text_box(page)
    box.fill("Der Ball.")
    box.press("Enter")
    before = wait_until_drawn(page, "Der Ball.")
    page.locator(".st-key-layer button").nth(1).click()
    wait_until_drawn(page, "Der Ball.", before)
    click_page_name(page, "Translate")
    wait_until_drawn(page, "Der Ball.")
    expect(text_box(page)).to_have_value("Der Ball.")
    expect(page.locator(".attnviz-architecture-here")).to_have_attribute("data-kind", "cross")
    assert address_parameters(page)["layer"] == ["1"]


def test_markup_is_never_run(page: Page, outside_requests: list[str]) -> None:
    sentence = "<img src=x onerror=alert(1)>"
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    opened(page)
    box = text_box(page)
    box.fill(sentence)
    box.press("Enter")
    wait_until_drawn(page, sentence)
    assert said == [] and outside_requests == [] and page.locator("img[src='x']").count() == 0


def test_a_damaged_link_opens_and_says_what_is_wrong(page: Page) -> None:
    opened(page, "?prefix=5.oh.7&step=-1&kind=sideways&layer=99")
    alert = page.get_by_test_id("stAlert")
    for said in ("prefix", "step", "no sideways attention", "layers 0 to 3, not 99"):
        expect(alert).to_contain_text(said)
    assert page.locator(BARS).count() >= 8 and "prefix" not in address_parameters(page)


def test_a_narrow_screen_has_everything_below_each_other(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, "?method=beam")
    parts = ("growing-looks", "growing-choices", "growing-all", "growing-beam", "architecture")
    boxes = [page.locator(f".attnviz-{part}").first.bounding_box() or {} for part in parts]
    assert all(above["y"] + above["height"] <= below["y"] for above, below in zip(boxes, boxes[1:], strict=False))
    assert wider_than_the_screen(page) == []
    drawing = page.locator(".attnviz-architecture-drawing").bounding_box() or {}
    assert drawing["width"] >= 320  # its words keep their size


def test_dark_and_light_follow_the_reader(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    opened(page)
    box = page.locator(".attnviz-architecture-here .attnviz-architecture-box")
    expect(box).to_have_css("fill", "rgb(127, 178, 234)")
    page.emulate_media(color_scheme="light")
    expect(box).to_have_css("fill", "rgb(43, 95, 158)")
    wait_until_drawn(page, FIRST)
    corner = "document.querySelector('.attnviz-growing-key').style.backgroundColor"
    assert page.evaluate(corner).startswith("rgb(")


def test_every_picture_has_a_text_beside_it(page: Page) -> None:
    opened(page)
    assert "→" in (page.locator(".attnviz-growing-canvas").get_attribute("aria-label") or "")
    assert "cross" in (page.locator(".attnviz-architecture-drawing").get_attribute("aria-label") or "")
    for label in page.locator(BARS).evaluate_all("all => all.map((one) => one.ariaLabel)"):
        assert re.fullmatch(r".+, .*%", label)
    page.get_by_test_id("stExpander").get_by_text("Numbers", exact=True).click()
    expect(page.get_by_test_id("stDataFrame").first).to_be_visible()


def test_a_given_target_makes_room_for_the_models_own_with_one_click(page: Page) -> None:
    opened(page)
    given = text(page)
    assert "mat" in " ".join(given)
    page.get_by_role("button", name="See the model's own").click()
    page.wait_for_function("!new URLSearchParams(location.search).has('prefix')")
    wait_until_drawn(page, FIRST)
    own = text(page)
    assert own != given
    page.reload()  # and a link shows it too
    wait_until_drawn(page, FIRST)
    assert text(page) == own
