"""The page "By hand" as a reader meets it, in a real browser."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect
from support.browsing import (
    RESTS,
    address_parameters,
    click_page_name,
    settled_box,
    wait_until_drawn,
    wider_than_the_screen,
)  # fmt: skip
from support.languages import pick_language

SENTENCE = "Your journey starts with one step"
TRAVEL = "Your travel starts with one step"
GERMAN, DUTCH = "Ihre Reise beginnt mit einem Schritt", "Je reis begint met één stap"
PAGE = "/simple_attention"
SCORES = ["0.9544", "1.4950", "1.4754", "0.8434", "0.7070", "1.0865"]
WEIGHTS = ["0.1385", "0.2379", "0.2333", "0.1240", "0.1082", "0.1581"]
CONTEXT = ["0.4419", "0.6515", "0.5683"]
ROW = 35  # CSS pixels of a row of the editor, its header included
PAIR = ".st-key-hand_pair"


def opened(page: Page, address: str = "", sentence: str = SENTENCE) -> None:
    page.goto(PAGE + address)
    wait_until_drawn(page, sentence)
    page.wait_for_function(RESTS)


def edit(page: Page, row: int, left: int, text: str, editor: str = "hand_table_0") -> None:
    """Types into an entry of an editor, whose cells are drawn on a canvas."""
    page.wait_for_function(RESTS)
    canvas = page.locator(f'[class*="st-key-{editor}"] canvas').first
    box = settled_box(canvas)
    x, y = box["x"] + left, box["y"] + ROW * row + ROW / 2
    # The editor takes a click where it has seen the pointer before; for screen readers it says which cell is chosen.
    page.mouse.move(x - 4, y - 4)
    page.evaluate("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    page.mouse.click(x, y)
    canvas.locator(f'[role=gridcell][aria-selected=true][id$="-{row - 1}"]').wait_for(state="attached")
    page.keyboard.press("Enter")
    overlay = page.locator("#portal textarea")
    overlay.wait_for()
    overlay.fill(text)
    expect(overlay).to_have_value(text)
    # The editor takes over what was typed a moment later: after 150 ms an edit was once lost on a busy machine.
    page.wait_for_timeout(500)
    overlay.press("Enter")
    overlay.wait_for(state="detached")


def column(page: Page, key: str, place: int) -> list[str]:
    """The texts of a column of a component's first table."""
    cells = page.locator(f".st-key-{key} table").first.locator(f"tbody tr td:nth-of-type({place + 1})")
    return cells.all_inner_texts()


# Seeing -------------------------------------------------------------------------------------------------------------


def read_every_number_of_the_sentence(page: Page) -> None:
    assert column(page, "hand_word", 3) == SCORES
    assert column(page, "hand_word", 4) == WEIGHTS
    assert page.locator(".st-key-hand_word tfoot td").all_inner_texts()[-3:] == CONTEXT
    every = page.locator(".st-key-figures").inner_text()
    assert all(number in every for number in SCORES + WEIGHTS + CONTEXT)
    expect(page.locator(PAIR)).to_contain_text("0.55 · 0.57")
    chosen = page.locator(".st-key-hand_word").bounding_box()
    assert chosen and chosen["y"] + chosen["height"] < 900  # the answer is on the first screen


def hear_every_part_as_a_table(page: Page) -> None:
    parts = page.locator(".attnviz-tables")
    assert parts.count() == 4
    assert all(parts.evaluate_all("all => all.map((one) => one.ariaLabel)"))
    assert page.locator(".attnviz-tables table").count() == 5
    for table in page.locator(".attnviz-tables table").all():
        assert table.locator("th[scope=row]").count() >= 6 and table.locator("th[scope=col]").count() >= 3
    expect(page.locator(".st-key-hand_table_0")).to_be_visible()


def click_a_row_and_a_cell(page: Page) -> None:
    """A row is a key, a cell is a query and a key."""
    page.locator(".st-key-hand_word tbody tr").nth(1).click()
    pair = page.locator(PAIR)
    expect(pair).to_contain_text("journey → journey")
    expect(pair).to_contain_text("0.55 · 0.55")
    expect(pair).to_contain_text("= 1.4950")
    assert address_parameters(page)["key_word"] == ["journey"]
    page.wait_for_function(RESTS)
    page.get_by_role("button", name="with → one 0.1263").click()
    expect(pair).to_contain_text("with → one")
    expect(page.locator(".st-key-hand_word tbody tr").nth(4)).to_have_class(re.compile("attnviz-tables-on"))
    expect(page.get_by_role("button", name="with → one 0.1263")).to_have_attribute("aria-pressed", "true")
    assert address_parameters(page) == {"query_word": ["with"], "key_word": ["one"]}
    wait_until_drawn(page, SENTENCE)


def pick_a_cell_by_keys(page: Page) -> None:
    page.wait_for_function(RESTS)
    page.get_by_role("button", name="journey → starts 0.2333").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator(PAIR)).to_contain_text("starts → journey")
    focused = "document.activeElement.ariaLabel"
    assert page.evaluate(focused) == "starts → journey 0.2369"
    assert page.locator('.st-key-hand_all button[tabindex="0"]').count() == 1


def push_the_scores_until_the_naive_softmax_breaks(page: Page) -> None:
    page.wait_for_function(RESTS)
    shown = column(page, "hand_word", 4)
    assert column(page, "hand_softmax", 2) == column(page, "hand_softmax", 5) == shown
    page.locator(".st-key-times input[type=range]").focus()
    page.keyboard.press("End")
    expect(page.locator(".st-key-hand_softmax")).to_contain_text("nan")
    expect(page.locator(".st-key-hand_said_softmax")).to_contain_text("The naive way breaks")
    assert column(page, "hand_softmax", 1) == ["inf"] * 6
    assert column(page, "hand_softmax", 5)[1] == "1.0000"
    assert address_parameters(page)["times"] == ["1000"]


def test_the_numbers_are_read_pointed_at_and_pushed(page: Page) -> None:
    opened(page)
    read_every_number_of_the_sentence(page)
    hear_every_part_as_a_table(page)
    click_a_row_and_a_cell(page)
    pick_a_cell_by_keys(page)
    push_the_scores_until_the_naive_softmax_breaks(page)


# Editing ------------------------------------------------------------------------------------------------------------


def type_what_is_no_number_and_mend_it(page: Page) -> None:
    edit(page, 3, 160, "abc")
    expect(page.get_by_test_id("stAlert")).to_contain_text("Row 3 is left out until it is complete: “abc”")
    wait_until_drawn(page, "Your journey with one step")
    edit(page, 3, 160, "0.57")
    wait_until_drawn(page, SENTENCE)
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
    assert column(page, "hand_word", 3) == SCORES and "table" not in address_parameters(page)


def change_a_word_and_a_number(page: Page) -> None:
    edit(page, 2, 90, "travel")
    wait_until_drawn(page, TRAVEL)
    expect(page.locator(".st-key-query_word [aria-checked=true], .st-key-query_word [kind*=Active]")).to_have_text(
        "travel"
    )
    edit(page, 2, 160, "0,9")
    see_the_changes(page)
    wait_until_drawn(page, TRAVEL)
    expect(page.locator(".stCode")).to_contain_text("# travel")


def see_the_changes(page: Page) -> None:
    expect(page.locator(".st-key-hand_word tbody tr").nth(1)).to_contain_text("0.90")
    assert "travel 0.9 0.87 0.66" in address_parameters(page)["table"][0]


def find_them_again_after_another_page(page: Page) -> None:
    page.wait_for_function(RESTS)
    click_page_name(page, "Heads")
    expect(page.locator(".st-key-sentence")).to_be_visible()
    page.wait_for_function(RESTS)
    click_page_name(page, "By hand")
    wait_until_drawn(page, TRAVEL)
    see_the_changes(page)


def test_words_and_numbers_are_edited_and_the_link_has_them(page: Page) -> None:
    opened(page)
    type_what_is_no_number_and_mend_it(page)
    change_a_word_and_a_number(page)
    find_them_again_after_another_page(page)
    opened(page, page.url.split("simple_attention")[1], TRAVEL)
    see_the_changes(page)


# Languages, themes and a telephone ----------------------------------------------------------------------------------


def pick_another_language(page: Page) -> None:
    """The words of the page's own table follow, and what was chosen stays chosen."""
    page.get_by_role("button", name="Reise → beginnt 0,2333").click()
    expect(page.locator(PAIR)).to_contain_text("Reise → beginnt")
    assert column(page, "hand_word", 4) == [text.replace(".", ",") for text in WEIGHTS]
    page.wait_for_function(RESTS)
    pick_language(page, "nl")
    wait_until_drawn(page, DUTCH)
    expect(page.locator(PAIR)).to_contain_text("reis → begint")  # the words chosen before
    expect(page.locator(".st-key-first_table")).to_have_count(0)


def test_it_opens_with_the_words_of_the_readers_language(page: Page) -> None:
    opened(page, "?lang=de", GERMAN)
    pick_another_language(page)
    # What a link says stays, whoever opens it.
    assert address_parameters(page)["table"][0].startswith("Je 0.43 0.15 0.89; reis")
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, page.url.split("simple_attention")[1].replace("lang=nl", "lang=de"), DUTCH)
    see_nothing_beside_the_screen(page)
    weights = page.locator(".st-key-hand_all .attnviz-tables-scroll").nth(1)
    assert weights.evaluate("(place) => place.scrollWidth <= place.clientWidth")
    page.locator(".st-key-first_table button").click()
    wait_until_drawn(page, GERMAN)


def see_nothing_beside_the_screen(page: Page) -> None:
    assert wider_than_the_screen(page, ".attnviz-tables") == []


def luminance(colour: str) -> float:
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def read_the_numbers_on_their_colours(page: Page) -> list[list[str]]:
    """Fails where a number and its colour are not far enough apart; returns the colours of both."""
    cells: list[list[str]] = page.locator(".attnviz-tables-weight").evaluate_all(
        "all => all.map((one) => { const s = getComputedStyle(one); return [s.color, s.backgroundColor]; })"
    )
    assert len(cells) > 50 and len({background for _, background in cells}) > 10
    for colour, background in cells:
        darker, lighter = sorted([luminance(colour), luminance(background)])
        assert (lighter + 0.05) / (darker + 0.05) >= 4.5, (colour, background)
    return cells


def read_them_in_the_other_theme(page: Page) -> None:
    dark = read_the_numbers_on_their_colours(page)
    page.emulate_media(color_scheme="light")
    first = page.locator(".attnviz-tables-weight").first
    expect(first).not_to_have_css("background-color", dark[0][1])
    page.wait_for_function(RESTS)
    read_the_numbers_on_their_colours(page)


def change_a_number_of_a_matrix(page: Page) -> None:
    expect(page.locator(".stCode")).to_contain_text("W_q = torch.rand(3, 4)")
    edit(page, 1, 60, "-2", "hand_w_q_123_4_0")
    expect(page.locator(".stCode")).to_contain_text("W_q[0, 0] = -2.0")
    wait_until_drawn(page, SENTENCE)
    assert address_parameters(page)["entries"] == ["q 0 0 -2"]
    page.wait_for_function(RESTS)
    page.get_by_text("Matrices as they were drawn").click()
    expect(page.locator(".stCode")).not_to_contain_text("W_q[0, 0]")
    wait_until_drawn(page, SENTENCE)


def test_a_matrix_is_edited_on_a_telephone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.emulate_media(color_scheme="dark")
    every = "matrices=true&scaled=true&causal=true&dropout=true&dropout_seed=3&times=5&d_out=4&n_heads=2"
    opened(page, f"?{every}")
    see_nothing_beside_the_screen(page)
    read_them_in_the_other_theme(page)
    change_a_number_of_a_matrix(page)
