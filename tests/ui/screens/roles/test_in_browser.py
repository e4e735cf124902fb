"""What heads do as a reader meets it, in a real browser."""

from __future__ import annotations

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
    page.get_by_test_id("stExpander").locator("summary").click()
    page.locator(".st-key-measure_roles button").click()
    page.locator(".st-key-cancel_roles button").click()
    expect(page.locator(".st-key-cancel_roles")).to_have_count(0)
    page.locator(".attnviz-ready").wait_for(state="attached")
    expect(page.locator(TILES)).to_have_count(96)
