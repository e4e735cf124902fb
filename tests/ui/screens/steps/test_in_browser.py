"""The page that follows a computation, in a real browser: a link shows the same step, and one walks on from it."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from playwright.sync_api import Page, expect
from support.browsing import RESTS, address_parameters, text_box, wait_until_drawn, wider_than_the_screen
from support.bundled import bundled_model
from support.score_parts import check_rows

from attnviz.attribution import split_score

BAT = "Die Fledermaus flog nachts."
HOSTILE, TARGET = 'Ä & # % + "ß" 学生 🙂 <b>.', "A dog."


def opened(page: Page, sentence: str, **parameters: str | int) -> str:
    page.goto("/steps?" + urlencode({"sentence": sentence, **parameters}))
    return wait_until_drawn(page, sentence)


# A walk from the tokens to the heads --------------------------------------------------------------------------------


def follow_a_word_and_then_its_token(page: Page, run: str) -> str:
    figures = page.locator(".st-key-figures")
    expect(figures).to_contain_text("query (what Fledermaus looks for)")
    expect(figures).to_contain_text("Fledermaus is read in 4 tokens: Fl · eder · m · aus.")
    page.locator(".st-key-pieces label").first.click()
    run = wait_until_drawn(page, BAT, run)
    page.wait_for_function(RESTS)
    page.locator(".st-key-looking input").fill("eder")
    page.get_by_role("option", name="eder", exact=True).click()
    run = wait_until_drawn(page, BAT, run)
    expect(figures).to_contain_text("query (what eder looks for)")
    assert address_parameters(page)["pieces"] == ["true"] and address_parameters(page)["looking"] == ["eder"]
    return run


def open_the_costs(page: Page) -> None:
    page.wait_for_function(RESTS)
    page.get_by_role("button", name="3,200 weights").click()
    expect(page.get_by_text("10 × 10 tokens × 8 heads × 4 layers = 3,200 attention weights")).to_be_visible()
    expect(page.get_by_text("128,000")).to_be_visible()
    page.keyboard.press("Escape")


def go_to_steps_in_any_order(page: Page, run: str) -> None:
    """To those that `test_controls.py` does not click."""
    buttons = page.locator(".st-key-step_shown button")
    expect(buttons).to_have_count(7)
    seen = {page.locator(".st-key-figures").inner_text()}
    for step in (2, 1, 6):
        buttons.nth(step - 1).click()
        run = wait_until_drawn(page, BAT, before=run)
        expect(page).to_have_url(re.compile(rf"[?&]step={step}\b"))
        expect(page.locator(".st-key-step_shown").get_by_role("radio").nth(step - 1)).to_be_checked()
        seen.add(page.locator(".st-key-figures").inner_text())
    assert len(seen) == 4


def go_on_to_the_next_layer(page: Page) -> None:
    page.get_by_role("button", name="Next").click()
    page.get_by_role("button", name="On to layer 3").click()
    expect(page.get_by_text("Our output of L3 H0 equals")).to_be_visible()
    expect(page.get_by_text("Three learned matrices")).to_be_visible()
    page.wait_for_function("() => location.search.includes('step=3') && location.search.includes('layer=3')")


def take_the_sentence_into_the_hand_table(page: Page) -> None:
    page.wait_for_function(RESTS)
    page.locator(".st-key-take_by_hand button").click()
    wait_until_drawn(page, BAT.removesuffix("."))
    expect(page.locator(".st-key-hand_made_of")).to_contain_text("principal components")
    assert address_parameters(page)["table"][0].startswith("Die ")  # a copied link has the numbers
    page.wait_for_function(RESTS)
    page.go_back()
    page.wait_for_function("location.pathname === '/steps'")
    wait_until_drawn(page, BAT)


def go_where_the_last_step_leads(page: Page) -> None:
    page.wait_for_function(RESTS)
    page.locator(".st-key-step_shown button").nth(6).click()
    by_hand = page.locator(".st-key-lead_on a", has_text="by hand")
    expect(by_hand).to_have_attribute("href", re.compile("simple_attention"))
    page.wait_for_function(RESTS)
    page.locator(".st-key-lead_on a", has_text="all heads").click()
    expect(page.locator(".attnviz-head-name").first).to_have_text("L3 H0")


def test_one_walks_from_step_to_step_and_to_other_pages(page: Page) -> None:
    run = opened(page, BAT, step=3, layer=2, head=0, looking="Fledermaus")
    run = follow_a_word_and_then_its_token(page, run)
    open_the_costs(page)
    go_to_steps_in_any_order(page, run)
    go_on_to_the_next_layer(page)
    take_the_sentence_into_the_hand_table(page)
    go_where_the_last_step_leads(page)


# A link, opened on a telephone --------------------------------------------------------------------------------------


def see_what_the_link_says(page: Page, step: int) -> None:
    expect(text_box(page)).to_have_value(HOSTILE)
    assert address_parameters(page)["step"] == [str(step)]
    expect(page.get_by_text("Our output of L2 H3 equals the model's own")).to_be_visible()
    assert page.locator(".st-key-figures b script, .st-key-figures img[src=x]").count() == 0


def see_the_buttons_beside_or_below_each_other(page: Page) -> None:
    boxes = [page.get_by_role("button", name=name).bounding_box() for name in ("Back", "Next", "Copy link", "Export")]
    placed = [box for box in boxes if box]
    assert len(placed) == 4 and all(box["x"] >= 0 and box["x"] + box["width"] <= 390 for box in placed)
    for place, one in enumerate(placed):
        for other in placed[place + 1 :]:
            beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
            assert beside or one["y"] + one["height"] <= other["y"]


def ask_why_the_score_is_what_it_is(page: Page) -> None:
    page.get_by_text("Why does it look there?").click()
    expect(page.locator(".attnviz-parts")).to_be_visible()
    expect(page).to_have_url(re.compile("why=true"))
    model = bundled_model()
    recording = model.record(HOSTILE, TARGET)
    query, key = (
        next(place for place, token in enumerate(tokens) if token.text.strip() == word)
        for tokens, word in ((recording.query_tokens("cross"), "dog"), (recording.key_tokens("cross"), "学生"))
    )
    check_rows(page, split_score(model, recording, "cross", layer=2, head=3, query=query, key=key))
    expect(page.locator(".st-key-why")).to_contain_text("The parts add up to the score")
    assert not wider_than_the_screen(page)


def find_the_answer_open_on_the_way_back(page: Page) -> None:
    page.wait_for_function(RESTS)
    page.get_by_role("button", name="Next").click()
    expect(page.locator(".st-key-temperature")).to_be_visible()
    page.wait_for_function(RESTS)
    page.get_by_role("button", name="Back").click()
    expect(page.locator(".attnviz-parts")).to_be_visible()


def test_a_link_opened_on_a_telephone_says_why(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, HOSTILE, target=TARGET, kind="cross", step=4, layer=2, head=3, looking="dog", looked_at="学生")
    see_what_the_link_says(page, 4)
    see_the_buttons_beside_or_below_each_other(page)
    ask_why_the_score_is_what_it_is(page)
    find_the_answer_open_on_the_way_back(page)
    run = wait_until_drawn(page, HOSTILE)
    page.locator(".st-key-step_shown button").first.click()
    wait_until_drawn(page, HOSTILE, before=run)
    see_what_the_link_says(page, 1)
