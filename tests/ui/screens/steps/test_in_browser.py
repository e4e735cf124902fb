"""The page that follows a computation, in a real browser: a link shows the same step, and one walks on from it."""

from __future__ import annotations

import re
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, expect
from support.browsing import text_box, wait_until_drawn, wider_than_the_screen, with_sentence
from support.bundled import bundled_model
from support.score_parts import check_rows

from attnviz.attribution import split_score

FIRST = "Der Hund sah den Ball."
HOSTILE = 'Ä & # % + "ß" 学生 🙂 <b>.'


@pytest.mark.parametrize("step", [1, 4])
def test_a_link_shows_the_same_step(page: Page, step: int) -> None:
    page.goto("/steps?" + urlencode({"sentence": HOSTILE, "step": step, "layer": 2, "head": 3, "looking": "学"}))
    wait_until_drawn(page, HOSTILE)
    expect(text_box(page)).to_have_value(HOSTILE)
    assert f"step={step}" in page.url
    expect(page.get_by_text("Our output of L2 H3 equals the model's own")).to_be_visible()
    assert page.locator(".st-key-figures b script, .st-key-figures img[src=x]").count() == 0


def test_one_walks_from_step_to_step_and_to_the_next_layer(page: Page) -> None:
    page.goto(with_sentence("/steps?step=6&layer=0&head=0", FIRST))
    wait_until_drawn(page, FIRST)
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="On to layer 1").click()
    expect(page.get_by_text("Our output of L1 H0 equals")).to_be_visible()
    expect(page.get_by_text("Three learned matrices")).to_be_visible()
    page.wait_for_function("() => location.search.includes('step=3') && location.search.includes('layer=1')")


def test_the_costs_open(page: Page) -> None:
    page.goto(with_sentence("/steps", FIRST))
    wait_until_drawn(page, FIRST)
    page.get_by_role("button", name="1,568 weights").click()
    expect(page.get_by_text("7 × 7 tokens × 8 heads × 4 layers = 1,568 attention weights")).to_be_visible()
    expect(page.get_by_text("128,000")).to_be_visible()


def test_the_buttons_stand_side_by_side_or_below_each_other_on_a_narrow_screen(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(with_sentence("/steps", FIRST))
    wait_until_drawn(page, FIRST)
    boxes = [page.get_by_role("button", name=name).bounding_box() for name in ("Back", "Next", "Copy link", "Export")]
    placed = [box for box in boxes if box]
    assert len(placed) == 4 and all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in placed)
    for place, one in enumerate(placed):
        for other in placed[place + 1 :]:
            beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
            assert beside or one["y"] + one["height"] <= other["y"]


def test_a_click_on_each_of_the_seven_steps_goes_there(page: Page) -> None:
    page.goto(with_sentence("/steps", FIRST))
    run = wait_until_drawn(page, FIRST)
    buttons = page.locator(".st-key-step_shown button")
    expect(buttons).to_have_count(7)
    seen = set()
    for step in (7, 6, 5, 4, 3, 2, 1):  # not in the order of "Next"; the first one is where the page begins
        buttons.nth(step - 1).click()
        run = wait_until_drawn(page, FIRST, before=run)
        expect(page).to_have_url(re.compile(rf"[?&]step={step}\b"))
        expect(page.locator(".st-key-step_shown").get_by_role("radio").nth(step - 1)).to_be_checked()
        seen.add(page.locator(".st-key-figures").inner_text())
    assert len(seen) == 7


def test_the_scores_say_why(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(with_sentence("/steps?step=4&kind=cross&layer=1&head=3&looking=dog&looked_at=Ball", FIRST))
    wait_until_drawn(page, FIRST)
    page.get_by_text("Why does it look there?").click()
    expect(page.locator(".attnviz-parts")).to_be_visible()
    expect(page).to_have_url(re.compile("why=true"))
    model = bundled_model()
    recording = model.record(FIRST)
    query, key = (
        next(place for place, token in enumerate(tokens) if token.text.strip() == word)
        for tokens, word in ((recording.query_tokens("cross"), "dog"), (recording.key_tokens("cross"), "Ball"))
    )
    split = split_score(model, recording, "cross", layer=1, head=3, query=query, key=key)
    check_rows(page, split)
    expect(page.locator(".st-key-why")).to_contain_text("The parts add up to the score")
    assert not wider_than_the_screen(page)
    page.get_by_role("button", name="Next").click()  # and is open still when one comes back
    expect(page.locator(".st-key-temperature")).to_be_visible()
    page.get_by_role("button", name="Back").click()
    expect(page.locator(".attnviz-parts")).to_be_visible()


def test_the_last_step_leads_on(page: Page) -> None:
    page.goto(with_sentence("/steps?step=7&layer=3&head=2", FIRST))
    wait_until_drawn(page, FIRST)
    page.locator(".st-key-lead_on a", has_text="by hand").click()
    expect(page.locator(".st-key-hand_all")).to_be_visible()
    page.go_back()
    wait_until_drawn(page, FIRST)
    page.locator(".st-key-lead_on a", has_text="all heads").click()
    expect(page.locator(".attnviz-head-name").first).to_have_text("L3 H0")


def test_the_sentence_is_taken_into_the_hand_table(page: Page) -> None:
    page.goto("/steps?" + urlencode({"sentence": "De kat zit op de mat."}))
    wait_until_drawn(page, "De kat zit op de mat.")
    page.locator(".st-key-take_by_hand button").click()
    wait_until_drawn(page, "De kat zit op de mat")
    expect(page.locator(".st-key-hand_made_of")).to_contain_text("principal components")
    page.reload()  # the link has the numbers
    wait_until_drawn(page, "De kat zit op de mat")


def test_a_word_is_followed_whole_and_its_tokens_on_request(page: Page) -> None:
    page.goto("/steps?" + urlencode({"sentence": "Die Fledermaus flog nachts.", "step": 3, "looking": "Fledermaus"}))
    run = wait_until_drawn(page, "Die Fledermaus flog nachts.")
    figures = page.locator(".st-key-figures")
    expect(figures).to_contain_text("query (what Fledermaus looks for)")
    expect(figures).to_contain_text("Fledermaus is read in 4 tokens: Fl · eder · m · aus.")
    page.locator(".st-key-pieces label").first.click()
    run = wait_until_drawn(page, "Die Fledermaus flog nachts.", run)
    box = page.locator(".st-key-looking input")
    box.fill("eder")
    page.get_by_role("option", name="eder", exact=True).click()
    wait_until_drawn(page, "Die Fledermaus flog nachts.", run)
    expect(figures).to_contain_text("query (what eder looks for)")
    assert "pieces=true" in page.url and "looking=eder" in page.url
