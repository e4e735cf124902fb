"""What heads do as a reader meets it, in a real browser."""

from __future__ import annotations

import re
from urllib.parse import urlencode

from playwright.sync_api import Page, expect
from support.browsing import RESTS, address_parameters

TITLE = ".attnviz-roles-panel h2"
TILES = ".attnviz-roles-tile"


def test_a_model_is_measured_and_read_head_by_head(page: Page, bert_folder: str) -> None:
    page.goto(f"/roles?{urlencode({'model': bert_folder})}")
    page.locator(".st-key-measure_roles button").click()
    expect(page.locator(TILES)).to_have_count(15)
    page.wait_for_function(RESTS)
    page.locator(f"{TILES}[data-head='encoder.L2.H4']").click()
    expect(page.locator(TITLE)).to_contain_text("Encoder L2 H4")
    assert address_parameters(page)["at"] == ["encoder.L2.H4"]
    # The strongest stand beside those drawn at random, and both have links between their words.
    expect(page.locator(".attnviz-roles-column h3")).to_have_text(
        ["Where it looks most sharply", "Texts drawn at random"]
    )
    expect(page.locator(".attnviz-roles-links path").first).to_be_attached()
    # It is kept: a new visit shows it at once.
    page.wait_for_function(RESTS)
    page.reload()
    expect(page.locator(TILES)).to_have_count(15)


def test_a_measurement_can_be_ended(page: Page) -> None:
    page.goto("/roles")
    page.locator(".attnviz-ready").wait_for(state="attached")
    # On a telephone a sign stands for a role, and a list says what it stands for.
    expect(page.locator(".attnviz-roles-legend")).to_be_hidden()
    page.set_viewport_size({"width": 390, "height": 844})
    tile = page.locator(f"{TILES}[data-head='encoder.L2.H5']")
    expect(tile.locator(".attnviz-roles-sign")).to_be_visible()
    expect(tile.locator(".attnviz-roles-label")).to_be_hidden()
    expect(tile).to_have_text(re.compile("←$"))
    expect(page.locator(".attnviz-roles-legend li").filter(has_text="←")).to_have_text("←looks at the token before")
    page.get_by_test_id("stExpander").locator("summary").click()
    page.locator(".st-key-roles_from").get_by_text("Your own texts").click()
    choose = page.locator(".st-key-roles_text_box input[type=file]")
    expect(choose).to_have_attribute("accept", re.compile(r"\.jsonl,\.conllu"))
    page.locator(".st-key-roles_from").get_by_text("Sample texts").click()
    expect(choose).to_have_count(0)
    page.locator(".st-key-measure_roles button").click()
    page.locator(".st-key-cancel_roles button").click()
    expect(page.locator(".st-key-cancel_roles")).to_have_count(0)
    page.locator(".attnviz-ready").wait_for(state="attached")
    expect(page.locator(TILES)).to_have_count(96)
