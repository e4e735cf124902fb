"""Long text as a reader meets it, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from support import tiny_models as tiny
from support.browsing import RESTS, address_parameters, settled_box, text_box, wait_until_drawn, with_sentence
from support.bundled import bundled_model

TEXT = "The dog saw the ball. The cat sat on the mat, and the bird sang. It was a warm day, and nobody went to work."
MAP, CANVAS = ".attnviz-long", ".attnviz-long-canvas"
PASSAGE = ".attnviz-long-passage"


def region(page: Page) -> list[int]:
    """The region that is seen, once its own cells are there."""
    page.wait_for_function(
        f"(() => {{ const map = document.querySelector('{MAP}');"
        " return map?.dataset.drawn && map.dataset.drawn === map.dataset.region; })()"
    )
    return [int(number) for number in (page.locator(MAP).get_attribute("data-drawn") or "").split(",")]


def wait_for_other_region(page: Page, before: list[int]) -> list[int]:
    page.wait_for_function(
        f"(before) => document.querySelector('{MAP}')?.dataset.drawn && "
        f"document.querySelector('{MAP}').dataset.drawn !== before",
        arg=",".join(map(str, before)),
    )
    return region(page)


def test_the_map_is_zoomed_moved_and_brought_back(page: Page) -> None:
    page.goto(with_sentence("/long_text", TEXT))
    wait_until_drawn(page, TEXT)
    whole = region(page)
    assert whole[0] == whole[2] == 0 and "region" not in page.url
    expect(page.locator("[data-act=whole]")).to_be_disabled()
    # The wheel comes nearer to where the pointer is.
    box = settled_box(page.locator(CANVAS))
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6)
    page.mouse.wheel(0, -400)
    wheeled = wait_for_other_region(page, whole)
    assert wheeled[1] - wheeled[0] < whole[1]
    page.wait_for_function(RESTS)
    page.locator("[data-act=nearer]").click()
    nearer = wait_for_other_region(page, wheeled)
    expect(page).to_have_url(re.compile(f"region={nearer[0]}-{nearer[1]}_{nearer[2]}-{nearer[3]}"))
    page.wait_for_function(RESTS)
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.7)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.7, steps=4)
    page.mouse.up()
    dragged = wait_for_other_region(page, nearer)
    assert dragged[2] > nearer[2] and dragged[:2] == nearer[:2]
    page.wait_for_function(RESTS)
    page.reload()
    wait_until_drawn(page, TEXT)
    assert region(page) == dragged
    page.wait_for_function(RESTS)
    page.locator("[data-act=farther]").click()
    farther = wait_for_other_region(page, dragged)
    page.wait_for_function(RESTS)
    page.locator("[data-act=whole]").click()
    assert wait_for_other_region(page, farther) == whole
    expect(page).not_to_have_url(re.compile("region="))
    page.wait_for_function(RESTS)
    page.go_back()
    wait_until_drawn(page, TEXT)
    assert region(page) == farther


def test_a_click_marks_passages_and_passages_and_links_lead_to_their_place(page: Page) -> None:
    page.goto(with_sentence("/long_text?layer=1&head=3", TEXT))
    wait_until_drawn(page, TEXT)
    whole = region(page)
    box = settled_box(page.locator(CANVAS))
    page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.5)
    expect(page.locator(".attnviz-long-marked-keys").first).to_be_visible()
    expect(page.locator(".attnviz-long-marked-queries").first).to_be_visible()
    # A passage is asked what it looks at, then what looks at it.
    page.locator(PASSAGE).filter(has_text="The cat").click()
    expect(page.locator(".attnviz-long-says")).to_contain_text("what “The cat sat on the mat, and…” looks at")
    page.wait_for_function(RESTS)
    page.locator(".attnviz-long-ways button").nth(2).click()
    expect(page.locator(".attnviz-long-says")).to_contain_text("what looks at “The cat")
    page.wait_for_function(RESTS)
    assert address_parameters(page)["passage"] == ["1"] and address_parameters(page)["direction"] == ["received"]
    page.locator(".attnviz-long-ways button").first.click()
    expect(page.locator(".attnviz-long-says")).to_contain_text("the more it is looked at")
    # The strongest link stands first, and leads to its place.
    link = bundled_model().record(TEXT).links("encoder", 1, 3, 1)[0]
    page.wait_for_function(RESTS)
    page.locator(".attnviz-links-table button").first.click()
    here = wait_for_other_region(page, whole)
    assert here[0] <= link.query < here[1] and here[2] <= link.key < here[3]
    # The keyboard goes through the map and the text.
    page.locator(CANVAS).focus()
    page.keyboard.press("0")
    wait_for_other_region(page, here)
    page.locator(".attnviz-long-passages").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".attnviz-long-says")).to_contain_text("what “The dog")
    # Zooming comes nearer to the passage that is chosen, where no cell is marked.
    page.wait_for_function(RESTS)
    page.locator(CANVAS).focus()
    page.keyboard.press("Escape")
    page.keyboard.press("+")
    near = wait_for_other_region(page, whole)
    assert near[0] == near[2] < whole[1] / 6, "not the middle, from a quarter on"


def test_zooming_comes_nearer_to_what_was_chosen_last(page: Page) -> None:
    page.goto(with_sentence("/long_text?layer=1&head=3", TEXT))
    wait_until_drawn(page, TEXT)
    whole = region(page)
    box = settled_box(page.locator(CANVAS))

    def mark_a_cell_below() -> None:
        page.mouse.click(box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.9)
        expect(page.locator(".attnviz-long-marked-queries").first).to_be_visible()

    def zoom_in() -> list[int]:
        page.wait_for_function(RESTS)
        page.locator("[data-act=nearer]").click()
        return wait_for_other_region(page, whole)

    def see_the_whole(before: list[int]) -> None:
        page.wait_for_function(RESTS)
        page.locator("[data-act=whole]").click()
        assert wait_for_other_region(page, before) == whole
        page.wait_for_function(RESTS)

    # A cell is marked, then a passage is chosen: it is the passage.
    mark_a_cell_below()
    page.locator(PASSAGE).filter(has_text="The dog").click()
    expect(page.locator(".attnviz-long-says")).to_contain_text("what “The dog")
    near = zoom_in()
    assert near[0] < whole[1] / 6, "the passage at the top, not the cell at the bottom"
    see_the_whole(near)
    # And then a cell again: it is the cell.
    mark_a_cell_below()
    assert zoom_in()[1] > whole[1] * 5 / 6


def test_of_too_long_a_text_the_beginning_is_shown_and_back_brings_the_whole(page: Page) -> None:
    page.goto(with_sentence("/long_text", TEXT))
    wait_until_drawn(page, TEXT)
    page.wait_for_function(RESTS)
    text = " ".join([TEXT] * 80)
    text_box(page).fill(text)
    page.locator(".st-key-only_beginning button").first.wait_for()
    page.wait_for_function(RESTS)
    page.locator(".st-key-only_beginning button").first.click()
    page.locator(MAP).wait_for()
    page.wait_for_function(RESTS)
    beginning = text_box(page).input_value()
    assert 500 < len(beginning) < len(text) and text.startswith(beginning)
    page.go_back()
    expect(text_box(page)).to_have_value(text)


@pytest.fixture
def slow_folder(tmp_path: Path) -> str:
    """A model that takes some seconds for a text of 20,000 tokens."""
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = bundled_model().tokenizer
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=64, intermediate_size=64, num_hidden_layers=6, num_attention_heads=4,
        max_position_embeddings=65_536,
    )  # fmt: skip
    network = LlamaForCausalLM(config)
    tiny.draw(network)
    network.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    return str(tmp_path)


def test_a_long_recording_says_how_far_it_is_and_is_cancelled_and_begun_again(page: Page, slow_folder: str) -> None:
    page.goto(with_sentence(f"/long_text?model={slow_folder}", TEXT))
    wait_until_drawn(page, TEXT)
    page.wait_for_function(RESTS)
    text = "\n".join(f"This is the story of day {day}. {TEXT}" for day in range(450))
    text_box(page).fill(text)
    expect(page.locator(".st-key-long_progress")).to_contain_text("layer")
    page.locator(".st-key-cancel_recording button").click()
    page.locator(".st-key-record_again button").wait_for()
    assert text_box(page).input_value() == text
    page.locator(".st-key-record_again button").click()
    expect(page.locator(".st-key-long_progress")).to_be_visible()
    page.locator(".st-key-cancel_recording button").click()
    page.locator(".st-key-record_again button").wait_for()
