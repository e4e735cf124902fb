"""The home page as a reader meets it, in a real browser."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect
from support.browsing import (
    RESTS,
    address_parameters,
    click_page_name,
    diagonal_colours,
    new_context,
    point_at,
    settled_box,
    style_of,
    text_box,
    wait_until_alike,
    wait_until_drawn,
    wider_than_the_screen,
    with_sentence,
)
from support.bundled import bundled_model
from support.score_parts import check_rows
from support.texts import long_text

from attnviz import export
from attnviz.attribution import split_score
from attnviz.measures.findings import opening_layer

FIRST = "Der Hund sah den Ball."
OPENING = opening_layer("bundled")  # the layer that has most to show, as it was measured
OTHER = (OPENING + 1) % 4
PICTURES = ".attnviz-heads .attnviz-heatmap"
CANVASES = ".attnviz-heads .attnviz-heatmap-canvas"


def enter(page: Page, sentence: str) -> None:
    box = text_box(page)
    box.fill(sentence)
    box.press("Enter")


def enter_target(page: Page, sentence: str) -> None:
    box = text_box(page, "target")
    box.fill(sentence)
    box.press("Enter")


def choose(page: Page, key: str, *labels: str) -> None:
    """Chooses tokens in one of the lists behind "More", as a reader does who knows their names."""
    box = page.locator(f".st-key-{key} input")
    if not box.is_visible():
        page.locator(".st-key-more button").first.click()
    for label in labels:
        box.fill(label)
        page.get_by_role("option", name=label, exact=True).click()
    expect(page.locator(f".st-key-{key} [data-tag]")).to_have_count(len(labels))


def opened(page: Page, address: str = "/", sentence: str = FIRST) -> Page:
    page.goto(with_sentence(address, sentence))
    wait_until_drawn(page, sentence)
    return page


def pixels(page: Page, head: int) -> list[int]:
    """The colours along a line from the upper left to the lower right of a head's picture."""
    return diagonal_colours(page, CANVASES)[head]


# Seeing -------------------------------------------------------------------------------------------------------------


def test_the_first_screen_shows_the_answer(page: Page, outside_requests: list[str]) -> None:
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_viewport_size({"width": 1440, "height": 900})
    opened(page)
    expect(text_box(page)).to_have_value(FIRST)
    assert page.locator(PICTURES).count() == 8
    names = page.locator(".attnviz-head-name").all_text_contents()
    assert names == [f"L{OPENING} H{head}" for head in range(8)]
    drawings = {tuple(pixels(page, head)) for head in range(8)}
    assert len(drawings) == 8  # heads differ, so none is blank
    last = page.locator(PICTURES).last.bounding_box()
    assert last and last["y"] + last["height"] <= 900  # all of them without scrolling
    assert outside_requests == [] and errors == []


def test_typing_needs_no_enter(page: Page) -> None:
    opened(page)
    before = pixels(page, 0)
    text_box(page).fill("Der Ball sah den Hund.")
    wait_until_drawn(page, "Der Ball sah den Hund.")
    assert pixels(page, 0) != before
    assert address_parameters(page)["sentence"] == ["Der Ball sah den Hund."]


def test_pointing_at_a_cell_says_its_weight_in_every_head(page: Page) -> None:
    opened(page)
    tip = page.locator(".attnviz-tip").first
    point_at(page.locator(PICTURES).nth(2), tip, across=0.6)
    assert re.fullmatch(r"\S+ → \S+ [01]\.\d{2,3}", tip.inner_text())
    numbers = page.locator(".attnviz-head-value").all_text_contents()
    assert len(numbers) == 8 and all(re.fullmatch(r"[01]\.\d{2,3}", number) for number in numbers)
    assert tip.inner_text().endswith(numbers[2])
    page.mouse.move(5, 5)
    expect(tip).to_be_hidden()


def test_a_long_text_is_read_with_its_switches(page: Page) -> None:
    text = long_text(70)
    opened(page, "/", text)
    summary = page.locator(".attnviz-heads-summary")
    expect(summary).to_contain_text("square root")
    page.get_by_role("button", name="More", exact=True).click()
    page.locator(".st-key-even_colours label").first.click()
    expect(summary).not_to_contain_text("square root")
    wait_until_drawn(page, text)
    expect(page.locator(".attnviz-heads-quantity")).to_have_text("attention weight")
    page.locator(".st-key-hide_first label").first.click()
    expect(summary).to_contain_text("first position hidden")
    wait_until_drawn(page, text)
    assert address_parameters(page) | {"sentence": 0} == {
        "sentence": 0, "even_colours": ["true"], "hide_first": ["true"],
    }  # fmt: skip


def test_a_copied_link_shows_the_same(page: Page, browser: Browser, app_url: str) -> None:
    sentence = 'Über "Größe" & # % = 学生? 👩‍👩‍👧 den'
    opened(page)
    enter(page, sentence)
    wait_until_drawn(page, sentence)
    page.locator(".st-key-kind button").nth(2).click()
    expect(page.locator(".attnviz-heads-summary")).to_contain_text("Cross")
    enter_target(page, "The & dog, 100 %")
    page.locator(".st-key-layer button").nth(OTHER).click()
    expect(page.locator(".attnviz-head-name").first).to_have_text(f"L{OTHER} H0")
    page.locator(".st-key-hide_special label").first.click()
    choose(page, "hide", "#", "&")
    choose(page, "rows", "dog", "%")
    page.locator(".st-key-renormalise label").first.click()
    page.locator(".st-key-scale_per_head label").first.click()
    summary = page.locator(".attnviz-heads-summary")
    expect(summary).to_contain_text("rows renormalised; rows averaged: dog + %")
    wait_until_drawn(page, sentence)
    expect(page.locator(".attnviz-head-value").first).to_contain_text("max")
    page.keyboard.press("Escape")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".attnviz-take-status")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link == page.url
    other = new_context(browser, base_url=app_url, viewport={"width": 1366, "height": 900}).new_page()
    other.goto(link)
    wait_until_drawn(other, sentence)
    expect(other.locator(".attnviz-heads-summary")).to_have_text(summary.inner_text())
    expect(text_box(other, "target")).to_have_value("The & dog, 100 %")
    wait_until_alike(lambda one: [pixels(one, head) for head in range(8)], other, page)
    assert address_parameters(other) == address_parameters(page)
    other.context.close()


def test_what_a_link_brought_follows_to_the_next_page(page: Page) -> None:
    asked = {"sentence": ["Der Hund."], "kind": ["cross"], "hide_special": ["true"], "hide": ["Der", "."]}
    opened(page, "/?sentence=Der+Hund.&kind=cross&hide_special=true&hide=Der&hide=.", "Der Hund.")
    click_page_name(page, "Overview")
    expect(page).to_have_url(re.compile("/overview"))
    wait_until_drawn(page, "Der Hund.")
    assert asked.items() <= address_parameters(page).items()
    click_page_name(page, "Heads")
    expect(page.locator(".attnviz-heads-summary")).to_contain_text("hidden: ")
    assert address_parameters(page) == asked


def test_a_link_is_copied_without_a_clipboard(page: Page) -> None:
    # As on a page that came by http from another machine.
    page.add_init_script(
        """Object.defineProperty(navigator, 'clipboard', { value: undefined });
        document.addEventListener('copy', () => { window.attnvizCopied = document.activeElement.value; });"""
    )
    opened(page, "/?layer=1")
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator(".attnviz-take-status")).to_have_text("Copied")
    assert page.evaluate("window.attnvizCopied") == page.url


def test_a_very_long_sentence_survives_a_reload(page: Page) -> None:
    sentence = "学" * 7_000  # 63,000 characters in the address; beyond 65,536 no server of Python's answers for certain
    opened(page)
    enter(page, sentence)
    expect(page.get_by_test_id("stAlert")).to_contain_text("positions for 512")
    answer = page.reload()
    assert answer and answer.status == 200
    expect(page.get_by_test_id("stAlert")).to_contain_text("positions for 512")
    expect(text_box(page)).to_have_value(sentence)


# Taking along -------------------------------------------------------------------------------------------------------


def take(page: Page, label: str, folder: Path) -> Path:
    """The file behind a button of the menu, as the browser saves it."""
    with page.expect_download() as download:
        page.get_by_label(label, exact=True).click()
    saved = folder / download.value.suggested_filename
    download.value.save_as(saved)
    return saved


def test_the_files_hold_what_is_on_the_screen(page: Page, tmp_path: Path) -> None:
    opened(page, "/?head=5&layer=2&hide=Der&renormalise=true")
    page.get_by_role("button", name="Export").click()
    expected = None
    for kind in ("svg", "html"):
        saved = take(page, f"Heatmap: {kind}", tmp_path)
        assert saved.name == f"attnviz-L2-H5-encoder.{kind}"
        expected = export.read(saved.read_bytes())
        assert expected.panels[0].query_labels == ("Hund", "sah", "den", "Ball", ".", "</s>")
    assert expected is not None and json.loads(expected.settings["hide"]) == ["Der"]
    assert expected.settings["sentence"] == FIRST and expected.settings["model"] == "bundled"
    for kind in ("csv", "npz"):
        back = export.read(take(page, f"Numbers: {kind}", tmp_path).read_bytes())
        np.testing.assert_allclose(back.panels[0].weights, expected.panels[0].weights, atol=1e-6)
    lines = export.read(take(page, "Lines: svg", tmp_path).read_bytes())
    assert lines.style == "lines"
    png = take(page, "Heatmap: png", tmp_path).read_bytes()
    assert png.startswith(b"\x89PNG") and len(png) > 10_000
    queries = page.locator(".attnviz-lines-side-0 button")
    queries.nth(1).hover()
    numbers = page.locator(".attnviz-lines-side-1 .attnviz-lines-number").all_text_contents()
    np.testing.assert_allclose([float(number) for number in numbers], expected.panels[0].weights[1], atol=0.006)
    wait_until_drawn(page, FIRST)  # the page is complete again


def test_all_heads_of_a_layer_are_one_file(page: Page, tmp_path: Path) -> None:
    opened(page, "/?kind=cross&by_word=true")
    page.get_by_role("button", name="Export").click()
    saved = take(page, "Numbers: npz", tmp_path)
    assert saved.name == f"attnviz-L{OPENING}-cross.npz"
    back = export.read(saved.read_bytes())
    assert [panel.name for panel in back.panels] == [f"L{OPENING} H{head}" for head in range(8)]
    page.keyboard.press("Escape")
    expect(page.get_by_label("Numbers: npz", exact=True)).to_be_hidden()
    expect(page.get_by_role("button", name="Export")).to_be_focused()


# One head -----------------------------------------------------------------------------------------------------------


def test_a_click_opens_a_head_and_a_button_closes_it(page: Page) -> None:
    opened(page)
    page.locator(PICTURES).nth(5).click()
    panel = page.locator(".st-key-opened")
    expect(panel).to_contain_text(f"L{OPENING} H5")
    wait_until_drawn(page, FIRST)
    assert address_parameters(page)["head"] == ["5"]
    expect(page.locator(".attnviz-head-open .attnviz-head-name")).to_have_text(f"L{OPENING} H5")
    expect(panel.locator(".js-plotly-plot")).to_be_visible()
    expect(panel.locator(".attnviz-lines")).to_be_visible()
    expect(panel).to_be_in_viewport()
    panel.get_by_text(f"Cross L{OPENING} H5").click()
    expect(page.locator(".attnviz-heads-summary").first).to_contain_text("Cross")
    page.locator(".st-key-close_head button").click()
    expect(panel).to_have_count(0)
    assert "head" not in address_parameters(page)


def test_a_head_opens_from_the_keyboard(page: Page) -> None:
    opened(page)
    page.locator(".st-key-hide_special input").focus()
    for _ in range(12):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.textContent")
        if focused == f"L{OPENING} H1":
            break
    assert focused == f"L{OPENING} H1"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".attnviz-tip").first).to_contain_text("Der → Hund")
    page.keyboard.press("Enter")
    expect(page.locator(".st-key-opened")).to_contain_text(f"L{OPENING} H1")


def test_lines_follow_a_word_and_stay_when_it_is_clicked(page: Page) -> None:
    opened(page, "/?head=2")
    queries, keys = (page.locator(f".attnviz-lines-side-{side} button") for side in (0, 1))
    numbers = keys.locator(".attnviz-lines-number")
    assert (queries.count(), keys.count()) == (7, 7)
    assert numbers.all_text_contents() == [""] * 7
    queries.nth(2).hover()
    shown = [float(number) for number in numbers.all_text_contents()]
    assert sum(shown) == pytest.approx(1, abs=0.04)
    queries.nth(2).click()
    page.mouse.move(5, 5)
    assert [float(number) for number in numbers.all_text_contents()] == shown
    expect(queries.nth(2)).to_have_attribute("aria-pressed", "true")
    queries.nth(2).focus()
    page.keyboard.press("ArrowDown")
    assert [float(number) for number in numbers.all_text_contents()] != shown
    page.keyboard.press("Escape")
    expect(queries.nth(2)).to_have_attribute("aria-pressed", "false")


def test_the_opened_head_says_why_it_looks_where_it_does(page: Page) -> None:
    model = bundled_model()
    recording = model.record(FIRST)
    weights = recording.weights("encoder", layer=2, head=5)

    def check(query: int, key: int) -> None:
        check_rows(page, split_score(model, recording, "encoder", layer=2, head=5, query=query, key=key))

    opened(page, "/?layer=2&head=5&kind=encoder")
    assert page.locator(".attnviz-parts").count() == 0
    page.locator(".st-key-why summary").press("Enter")
    expect(page.locator(".attnviz-parts")).to_be_visible()
    expect(page).to_have_url(re.compile("why=true"))
    # A click on a word has the answer be about it, and about the word that it looks at most.
    page.locator(".attnviz-lines-side-0 button").nth(4).click()
    expect(page).to_have_url(re.compile("looking=Ball"))
    strongest = int(weights[4].argmax())
    expect(page.locator(".st-key-why")).to_contain_text(f"a weight of {float(weights[4, strongest]):.2f}")
    check(4, strongest)
    for key, word in (("looking", "sah"), ("looked_at", "Hund")):
        page.locator(f".st-key-{key} input").fill(word)
        page.get_by_role("option", name=word, exact=True).click()
        expect(page).to_have_url(re.compile(f"{key}={word}"))
    expect(page.locator(".st-key-why")).to_contain_text("sah gives Hund the score")
    check(2, 1)
    assert not wider_than_the_screen(page)
    page.reload()  # as from a link
    wait_until_drawn(page, FIRST)
    expect(page.locator(".st-key-why")).to_contain_text("sah gives Hund the score")
    page.locator(".attnviz-lines-side-1 button").nth(0).click()
    expect(page.locator(".st-key-why")).to_contain_text("sah gives Der the score")


def test_a_finger_reads_a_number_first_and_opens_with_a_second_tap(browser: Browser, app_url: str) -> None:
    context = new_context(browser, base_url=app_url, viewport={"width": 390, "height": 844}, has_touch=True)
    page = opened(context.new_page())
    picture = page.locator(PICTURES).nth(1)
    picture.scroll_into_view_if_needed()
    page.wait_for_timeout(300)  # the crosshair goes while the page scrolls
    box = settled_box(picture)
    middle = (box["x"] + box["width"] * 0.6, box["y"] + box["height"] * 0.6)
    page.touchscreen.tap(*middle)
    expect(page.locator(".attnviz-tip").first).to_contain_text("→")
    assert "head" not in address_parameters(page)
    page.touchscreen.tap(*middle)
    expect(page.locator(".st-key-opened")).to_contain_text(f"L{OPENING} H1")
    context.close()


# What cannot be shown, and what must not happen ---------------------------------------------------------------------


def test_markup_is_never_run(page: Page, outside_requests: list[str]) -> None:
    sentence = "<img src=x onerror=alert(1)>"
    said: list[str] = []
    page.on("dialog", lambda dialog: (said.append(dialog.message), dialog.dismiss()))
    opened(page)
    enter(page, sentence)
    wait_until_drawn(page, sentence)
    page.locator(PICTURES).first.hover()
    page.locator(PICTURES).first.click()
    expect(page.locator(".st-key-opened .js-plotly-plot")).to_be_visible()
    wait_until_drawn(page, sentence)
    page.locator(".st-key-model input").fill("<img src=http://example.org/x.png onerror=alert(2)>")
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("stAlert")).to_be_visible()
    expect(text_box(page)).to_have_value(sentence)
    assert said == [] and outside_requests == []
    assert page.locator("img[src='x']").count() == 0


def test_too_long_a_text_and_an_empty_one_say_so(page: Page) -> None:
    opened(page)
    long = "Wort " * 2000
    enter(page, long)
    alert = page.get_by_test_id("stAlert")
    expect(alert).to_contain_text("positions for 512")
    expect(text_box(page)).to_have_value(long)
    expect(page.locator(".st-key-only_beginning button").first).to_contain_text("Only the beginning, up to 512 tokens")
    expect(page.locator(".attnviz-ready")).to_have_count(0)
    expect(page.locator(PICTURES)).to_have_count(0)
    enter(page, "")
    expect(alert).to_contain_text("Type a sentence")
    expect(page.locator(".attnviz-ready")).to_have_count(0)
    enter(page, FIRST)
    wait_until_drawn(page, FIRST)
    assert page.locator(PICTURES).count() == 8


def test_a_model_that_does_not_exist_leaves_everything_else(page: Page) -> None:
    opened(page, f"/?layer={OTHER}")
    model = page.locator(".st-key-model input")
    model.fill("/there/is/no/such/folder")
    model.press("Enter")
    expect(page.get_by_test_id("stAlert")).to_contain_text("does not exist")
    expect(page.locator(".attnviz-ready")).to_have_count(0)
    expect(text_box(page)).to_have_value(FIRST)
    model.click()
    page.get_by_role("option", name="Bundled translation model").click()
    wait_until_drawn(page, FIRST)
    expect(page.locator(".attnviz-head-name").first).to_have_text(f"L{OTHER} H0")
    assert address_parameters(page) == {"sentence": [FIRST], "layer": [str(OTHER)]}


def test_a_damaged_link_opens_and_says_what_is_wrong(page: Page) -> None:
    opened(page, "/?kind=sideways&layer=99&head=abc&hide_special=perhaps&by_word=%00")
    expect(page.get_by_test_id("stAlert")).to_contain_text(f"layer {OPENING} is shown instead")
    assert page.locator(PICTURES).count() == 8


# Screens and themes -------------------------------------------------------------------------------------------------


def test_a_narrow_screen_has_two_columns_and_nothing_beside_it(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, "/?head=3&kind=cross&target=The+dog.")
    boxes = [page.locator(".attnviz-head").nth(place).bounding_box() for place in range(3)]
    assert all(boxes)
    left, right, below = (box or {} for box in boxes)
    assert left["y"] == right["y"] and right["x"] > left["x"] and below["y"] > left["y"]
    assert wider_than_the_screen(page) == []


def test_dark_and_light_follow_the_reader(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    opened(page)
    background = style_of("[data-testid=stApp]", "backgroundColor")
    assert page.evaluate(background) == "rgb(15, 19, 23)"
    dark = pixels(page, 0)
    page.emulate_media(color_scheme="light")
    page.wait_for_function(f"{background} === 'rgb(255, 255, 255)'")
    page.wait_for_function(
        """() => document.querySelector('.attnviz-heads-ramp')?.style.background.includes('rgb(255, 255, 255)')"""
    )
    wait_until_drawn(page, FIRST)
    assert pixels(page, 0) != dark


def test_an_opened_head_changes_its_colours_too(page: Page) -> None:
    opened(page, "/?head=1")
    label = page.locator(".st-key-opened .xtick text").first
    expect(label).to_have_css("fill", "rgb(27, 31, 36)")
    page.emulate_media(color_scheme="dark")
    expect(label).to_have_css("fill", "rgb(232, 234, 237)")
    wait_until_drawn(page, FIRST)


def test_every_picture_has_a_text_beside_it(page: Page) -> None:
    opened(page, "/?head=1")
    for label in page.locator(CANVASES).evaluate_all("all => all.map((one) => one.ariaLabel)"):
        assert re.match(r"(Decoder |Cross )?L\d H\d: .+ → .+ [01]\.\d\d", label)
    buttons = page.locator(".attnviz-head-button")
    assert "→" in (buttons.first.get_attribute("aria-label") or "")
    expect(buttons.nth(1)).to_have_attribute("aria-pressed", "true")
    assert "→" in (page.locator(".attnviz-lines").get_attribute("aria-label") or "")


@pytest.mark.parametrize("tokens", [145, 447])
def test_a_long_text_is_not_white(page: Page, tokens: int) -> None:
    sentence = long_text(tokens)
    opened(page, f"/?sentence={quote(sentence)}", sentence)
    expect(page.locator(".attnviz-heads-legend")).to_contain_text(re.compile(r"0\.\d\d and more"))
    # Of each picture's lower right three quarters, where no label is: the share that can be told from the background.
    shares = page.locator(CANVASES).evaluate_all(
        """(all) => all.map((canvas) => {
          const [left, top] = [canvas.width, canvas.height].map((size) => Math.floor(size / 4));
          const { data } = canvas.getContext('2d').getImageData(left, top, canvas.width - left, canvas.height - top);
          let seen = 0;
          for (let at = 0; at < data.length; at += 4) seen += Math.min(data[at], data[at + 1], data[at + 2]) < 240;
          return (4 * seen) / data.length;
        })"""
    )
    assert min(shares) > 0.15 and sorted(shares)[len(shares) // 2] > 0.4
    if tokens < 256:
        return
    # The words above an opened head stand apart from each other on a telephone too.
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(RESTS)
    page.locator(PICTURES).first.click()
    words = page.locator(".st-key-head_heatmap .xtick")
    words.first.wait_for()
    page.wait_for_function(RESTS)
    settled_box(page.locator(".st-key-head_heatmap"))
    lefts = words.evaluate_all(
        "(all) => all.map((one) => one.getBoundingClientRect()).filter((box) => box.width).map((box) => box.left)"
    )
    assert len(lefts) >= 10 and min(np.diff(lefts)) >= 10


def test_a_newcomer_is_told_what_rows_columns_and_colours_are_until_one_click(page: Page) -> None:
    opened(page)
    hint = page.locator(".attnviz-hint")
    expect(hint).to_contain_text("Each row is a word that looks, each column a word it looks at; the darker, the more.")
    expect(hint).to_contain_text("Each picture is one head")
    expect(page.locator(".attnviz-heads-legend")).to_contain_text("0, none")
    expect(page.locator(".attnviz-heads-legend")).to_contain_text("1, all of it")
    page.get_by_role("button", name="Got it").click()
    expect(hint).to_be_hidden()
    page.reload()
    wait_until_drawn(page, FIRST)
    expect(hint).to_be_hidden()  # for good, in this browser
    page.locator(".st-key-head [data-testid='stTooltipIcon']").hover()
    expect(page.get_by_role("tooltip")).to_contain_text("Each row is a word that looks")


def test_where_more_attention_is_brighter_the_sentence_says_so(page: Page) -> None:
    page.emulate_media(color_scheme="dark")
    opened(page)
    expect(page.locator(".attnviz-hint")).to_contain_text("the brighter, the more.")


def test_the_axes_of_a_head_that_was_opened_have_names(page: Page) -> None:
    opened(page, "/?head=0")
    titles = page.locator(".st-key-head_heatmap :is(.xtitle, .ytitle)")
    expect(titles).to_have_text(["key: the word it looks at", "query: the word that looks"])
