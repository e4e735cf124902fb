"""Why this word as a reader meets it, in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from support.browsing import RESTS, address_parameters, text_box, wait_until_drawn, with_sentence

from attnviz.attribution import METHODS

FIRST = "Der Hund sah den Ball."
QUESTION = ".attnviz-why-question"


def choose(page: Page, key: str, name: str) -> None:
    page.locator(f".st-key-{key} input").click()
    page.get_by_role("option", name=name, exact=True).click()


def test_a_word_is_clicked_and_explained(page: Page) -> None:
    page.goto(with_sentence("/attribution", FIRST))
    run = wait_until_drawn(page, FIRST)
    words = page.locator(".attnviz-why-output button")
    expect(page.locator(QUESTION)).to_contain_text("“ball”")
    words.filter(has_text="dog").click()
    run = wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(QUESTION)).to_contain_text("“dog”")
    assert address_parameters(page)["explained"] == ["dog"]
    left_out = page.locator(".attnviz-why-card").filter(has_text="Leaving each word out")
    most = left_out.locator(".attnviz-why-token").filter(has_text="Hund").locator(".attnviz-why-number")
    expect(most).to_have_text(re.compile(r"^\d+\.\d\d$"))
    # The keyboard does it too.
    page.wait_for_function(RESTS)
    words.filter(has_text="dog").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    run = wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(QUESTION)).to_contain_text("“saw”")
    # Back brings the word before.
    page.wait_for_function(RESTS)
    page.go_back()
    run = wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(QUESTION)).to_contain_text("“dog”")
    page.wait_for_function(RESTS)
    page.go_forward()
    run = wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(QUESTION)).to_contain_text("“saw”")
    page.wait_for_function(RESTS)
    # A target of one's own is explained in the place of the model's.
    text_box(page, "target").fill("The cat saw the ball.")
    text_box(page, "target").press("Enter")
    wait_until_drawn(page, FIRST, before=run)
    expect(words.filter(has_text="cat")).to_be_visible()


def test_the_line_under_a_map_leads_here_with_the_same_sentence(page: Page) -> None:
    page.goto(with_sentence("/overview", FIRST))
    run = wait_until_drawn(page, FIRST)
    page.locator(".st-key-measuring_link a").click()
    page.wait_for_url("**/attribution?**")
    wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(QUESTION)).to_contain_text("“ball”")


def test_methods_are_chosen_compared_and_measured(page: Page) -> None:
    page.goto(with_sentence("/attribution?explained=dog", FIRST))
    run = wait_until_drawn(page, FIRST)
    choose(page, "method", "Rollout")
    run = wait_until_drawn(page, FIRST, before=run)
    choose(page, "beside", "Integrated gradients")
    run = wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(".attnviz-why-card h3")).to_have_text(["Rollout", "Integrated gradients"])
    expect(page.locator(".attnviz-why-card").last).to_contain_text("miss what they should explain by")
    choose(page, "of_layer", "2")
    run = wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(".attnviz-why-card h3").first).to_have_text("Rollout · L2")
    choose(page, "method", "Attention weights")
    run = wait_until_drawn(page, FIRST, before=run)
    choose(page, "of_head", "5")
    run = wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(".attnviz-why-card h3").first).to_have_text("Attention weights · L2 H5")
    page.locator(".st-key-instead input").click()
    page.get_by_role("option").first.click()
    run = wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(QUESTION)).to_contain_text("and not")
    page.locator(".st-key-all_methods label").first.click()
    run = wait_until_drawn(page, FIRST, before=run)
    expect(page.get_by_role("region", name="All methods").locator("tbody tr")).to_have_count(len(METHODS))
    page.locator(".st-key-matrix label").first.click()
    run = wait_until_drawn(page, FIRST, before=run)
    whole = page.get_by_role("region", name="The whole translation: Attention weights · L2 H5")
    expect(whole.locator("tbody th")).to_have_text(["The", "dog", "saw", "the", "ball", "."])
    page.locator(".st-key-trust label").first.click()
    wait_until_drawn(page, FIRST, before=run)
    expect(page.locator(".attnviz-why-curve polyline")).to_have_count(4)
    expect(page.locator(".attnviz-why-bars [role=listitem]")).to_have_count(3)
    parameters = address_parameters(page)
    assert parameters["all_methods"] == parameters["trust"] == ["true"] and parameters["of_head"] == ["5"]
