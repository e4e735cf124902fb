"""The moving picture of "How it works" as a reader meets it, in a real browser."""

from __future__ import annotations

import base64
import json
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import numpy as np
from playwright.sync_api import Page, expect
from support.browsing import RESTS, wider_than_the_screen, with_sentence
from support.languages import pick_language
from support.tabs import Tabs

from attnviz.ui.screens.story.openings import opening_numbers

SENTENCE = "Der Hund sah den Ball."
STORY, PLAY, CANVAS = ".attnviz-story", ".attnviz-story-play", ".attnviz-story-canvas"
GUESS, ASKING = ".attnviz-story-guess", ".attnviz-story-asking"
HERE = ".attnviz-story-caption.attnviz-story-here"
SCENES = 10


def opened(page: Page, query: str = "?scene=1") -> Page:
    page.goto(with_sentence(f"/story{query}", SENTENCE))
    page.locator(f"{STORY}[data-drawn]").wait_for(state="attached")
    return page


def stands_at(page: Page, scene: int) -> list[str]:
    """Waits until a scene stands still, and returns what is written in its picture."""
    page.locator(f"{STORY}[data-scene='{scene}'][data-drawn]").wait_for(state="attached")
    drawn: list[str] = json.loads(page.locator(STORY).get_attribute("data-drawn") or "")
    assert drawn
    return drawn


def numbers() -> dict[str, Any]:
    opening = opening_numbers(SENTENCE)
    assert opening is not None
    return opening


def floats(text: str, rows: int = 1) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4").reshape(rows, -1)


def written(value: float) -> str:
    """A number as the picture writes it in English: two digits, or three where two would be 0.00."""
    for digits in (".01", ".001"):
        text = str(Decimal(abs(float(value))).quantize(Decimal(digits), ROUND_HALF_UP))
        if re.search("[1-9]", text) or abs(value) < 0.0005:
            break
    text = text if re.search("[1-9]", text) else "0.00"
    return f"−{text}" if value < 0 and re.search("[1-9]", text) else text


def expected(scene: int, story: dict[str, Any]) -> list[str]:
    """Numbers that a scene's picture has to show of the opening word, in the story's own numbers."""
    count, word, head, vectors = len(story["tokens"]), story["word"], story["head"], story["vectors"]
    row = {name: floats(head[name], count)[word] for name in ("queries", "keys", "scores", "weights")}
    if scene == 1:
        return [str(token["id"]) for token in story["tokens"]]
    if scene == 2:
        rows = [floats(vectors[name], count)[word][:6] for name in ("embedding", "position", "sum")]
        return [written(value) for value in np.concatenate(rows)]
    if scene == 3:
        return [written(value) for value in row["queries"][:6]]
    if scene == 4:
        most = max((key for key in range(count) if key != word), key=lambda key: row["weights"][key])
        keys = floats(head["keys"], count)[most][:6]
        products = row["queries"][:6] * keys
        return [written(value) for value in (*row["scores"], *row["queries"][:6], *keys, *products)]
    if scene in (5, 6):
        return [written(value) for value in row["weights"]]
    if scene == 7:
        return [item["name"] for item in story["heads"]]
    if scene == 8:
        return [written(floats(stage["lengths"])[0][word]) for stage in story["block"] if stage.get("lengths")]
    if scene == 9:
        return [
            text
            for near in story["journey"]["nearest"][word]
            for name, value in near
            for text in (name, written(value))
        ]
    last = story["writing"]["steps"][-1]
    return [text for name, value in last["candidates"] for text in (name.strip() or name, written(value))]


def known(story: dict[str, Any]) -> set[str]:
    """Every number of the story as it may be written."""
    texts = {str(token["id"]) for token in story["tokens"]}
    texts |= {written(story["head"]["divisor"])}

    def collect(part: Any) -> None:
        if isinstance(part, dict):
            for value in part.values():
                collect(value)
        elif isinstance(part, list):
            for value in part:
                collect(value)
        elif isinstance(part, str) and len(part) >= 16:
            try:
                values = np.frombuffer(base64.b64decode(part, validate=True), "<f4")
            except ValueError:
                return
            texts.update(written(value) for value in values if np.isfinite(value) and abs(value) < 1e6)
        elif isinstance(part, float):
            texts.add(written(part))

    collect(story)
    count, word = len(story["tokens"]), story["word"]
    products = floats(story["head"]["queries"], count)[word] * floats(story["head"]["keys"], count)
    texts |= {written(value) for value in products.ravel()}
    return texts


def test_each_scene_by_key_by_button_and_by_mark_shows_the_models_own_numbers(page: Page) -> None:
    opened(page)
    story = numbers()
    all_numbers = known(story)
    for scene in range(1, SCENES + 1):
        if scene > 1:
            page.keyboard.press("ArrowRight")
        if scene == 5:  # asks first
            stands_at(page, 5)
            page.locator(".attnviz-story-show").click()
            page.locator(f"{STORY}[data-playing=true]").wait_for(state="attached")
            page.keyboard.press("Space")
            page.locator(".attnviz-story-marks button").nth(4).click()
        drawn = stands_at(page, scene)
        missing = [text for text in expected(scene, story) if text not in drawn]
        assert missing == [], f"scene {scene} lacks {missing}"
        shown = [text for text in drawn if re.fullmatch(r"−?\d+\.\d+", text)]
        assert [text for text in shown if text not in all_numbers] == [], f"scene {scene}"
    expect(page.locator(".attnviz-story-next")).to_be_disabled()
    page.locator(".attnviz-story-back").click()
    stands_at(page, 9)
    page.locator(".attnviz-story-marks button").nth(1).click()
    stands_at(page, 2)
    page.keyboard.press("ArrowLeft")
    stands_at(page, 1)
    # The address learns of the scene once the reader rests there; a link opens it.
    page.locator(".attnviz-story-marks button").nth(5).click()
    page.wait_for_function("new URLSearchParams(location.search).get('scene') === '6'")


# What the browser tells a page whose tab is covered by another; returns the time in the story.
HIDE = """(hidden) => {
  Object.defineProperty(document, 'hidden', { configurable: true, get: () => hidden });
  document.dispatchEvent(new Event('visibilitychange'));
  return Number(document.querySelector('.attnviz-story-scrub').value);
}"""


def test_it_plays_pauses_and_goes_where_the_bar_says(page: Page) -> None:
    page.goto(with_sentence("/story", SENTENCE))  # begins by itself
    page.locator(f"{STORY}[data-playing=true][data-scene='2']").wait_for(state="attached")
    assert page.locator(STORY).get_attribute("data-drawn") is None
    page.keyboard.press("Space")
    stands_at(page, 2)
    scrub = page.locator(".attnviz-story-scrub")
    at = float(scrub.input_value())
    page.wait_for_timeout(300)
    assert float(scrub.input_value()) == at  # no frame is drawn while it stands
    page.locator(".attnviz-story-speed").select_option("2")
    page.locator(PLAY).click()
    page.wait_for_function("(at) => Number(document.querySelector('.attnviz-story-scrub').value) > at + 1", arg=at)
    # No frame either while nobody can see it, in another tab; then it goes on from there.
    at = page.evaluate(HIDE, True)
    page.wait_for_timeout(300)
    assert float(scrub.input_value()) == at and page.locator(STORY).get_attribute("data-playing") == "true"
    page.evaluate(HIDE, False)
    page.wait_for_function("(at) => Number(document.querySelector('.attnviz-story-scrub').value) > at", arg=at)
    # It waits for the guess, and goes on with it.
    scrub.evaluate("(bar) => { bar.value = 33; bar.dispatchEvent(new Event('input')); }")
    page.locator(f"{STORY}[data-scene='5'][data-playing=false]").wait_for(state="attached")
    expect(page.locator(f"{GUESS} .attnviz-story-show")).to_be_visible()
    page.locator(f"{GUESS} button").first.click()
    expect(page.locator(STORY)).to_have_attribute("data-playing", "true")
    page.locator(PLAY).click()
    expect(page.locator(STORY)).to_have_attribute("data-playing", "false")
    # Large type for a projector: the picture is drawn anew, what plays it stays.
    before = page.locator(CANVAS).evaluate("(canvas) => canvas.clientHeight")
    page.keyboard.press("p")
    page.wait_for_function(f"(before) => document.querySelector('{CANVAS}').clientHeight > before * 1.2", arg=before)
    expect(page.locator(".attnviz-story-copy")).to_be_hidden()
    expect(page.locator(PLAY)).to_be_visible()


def test_another_word_asks_and_guesses_are_answered(page: Page) -> None:
    opened(page, "?scene=5")
    story = numbers()
    count = len(story["tokens"])
    weights = floats(story["head"]["weights"], count)
    labels = [token["label"] for token in story["tokens"]]

    def click_token(index: int) -> None:
        x, y = json.loads(page.locator(STORY).get_attribute("data-tokens") or "")[index]
        page.locator(CANVAS).click(position={"x": x, "y": y})

    verdict = page.locator(".attnviz-story-verdict")
    wrong = int(weights[story["word"]].argmin())
    click_token(wrong)
    expect(verdict).to_have_attribute("data-right", "false")
    expect(verdict).to_contain_text(labels[weights[story["word"]].argmax()])
    page.keyboard.press("Space")
    # Another word, on the canvas; its numbers are there at once, and it is guessed anew.
    stands_at(page, 5)
    page.locator(".attnviz-story-marks button").nth(5).click()
    drawn = stands_at(page, 6)
    click_token(1)
    expect(page.locator(f"{ASKING} button[aria-pressed=true]")).to_have_text(labels[1])
    assert all(written(value) in stands_at(page, 6) for value in weights[1])
    assert stands_at(page, 6) != drawn
    page.wait_for_function("(word) => new URLSearchParams(location.search).get('word') === word", arg=labels[1])
    page.keyboard.press("ArrowLeft")
    page.locator(f"{GUESS} button", has_text=re.compile(f"^{re.escape(labels[weights[1].argmax()])}$")).click()
    expect(verdict).to_have_attribute("data-right", "true")
    page.keyboard.press("Space")
    page.locator(".attnviz-story-marks button").nth(3).click()
    stands_at(page, 4)
    page.locator(f"{ASKING} button").nth(4).click()
    expect(page.locator(f"{ASKING} button").nth(4)).to_have_attribute("aria-pressed", "true")
    # The link to this view, and its code for telephones.
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator(".attnviz-story-copy").click()
    link = page.evaluate("navigator.clipboard.readText()")
    assert "scene=4" in link and f"word={labels[4]}" in link
    page.locator(".attnviz-story-qr").click()
    expect(page.locator(".attnviz-story-code canvas")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator(".attnviz-story-code")).to_be_hidden()
    # What the page sends later does not open it again; the same code is there at once.
    page.locator(".attnviz-story-qr").click()
    page.locator(".attnviz-story-close").click()
    page.locator(".attnviz-story-marks button").nth(1).click()
    page.wait_for_function("new URLSearchParams(location.search).get('scene') === '2'")
    expect(page.locator(".attnviz-story-code")).to_be_hidden()


def test_a_screen_reader_gets_each_scene_as_text_and_table(page: Page) -> None:
    opened(page, "?scene=4")
    story = numbers()
    title = page.locator(f"{HERE} .attnviz-story-title").inner_text()
    assert title[2:] in (page.locator(CANVAS).get_attribute("aria-label") or "")
    page.locator(".attnviz-story-numbers summary").click()
    cells = page.locator(".attnviz-story-numbers td").all_text_contents()
    count, word = len(story["tokens"]), story["word"]
    for value in floats(story["head"]["scores"], count)[word]:
        assert written(value) in cells
    page.locator(".attnviz-story-marks button").nth(9).click()
    expect(page.locator(".attnviz-story-numbers tbody tr")).to_have_count(len(story["writing"]["steps"]))
    link = page.locator(f"{HERE} .attnviz-story-link")
    # In another language the same scene is described anew.
    title = page.locator(f"{HERE} .attnviz-story-title").inner_text()
    pick_language(page, "de")
    page.wait_for_function(
        """([canvas, title, before]) => {
          const now = document.querySelector(title)?.innerText;
          return now && now !== before && document.querySelector(canvas)?.ariaLabel?.includes(now.slice(3));
        }""",
        arg=[CANVAS, f"{HERE} .attnviz-story-title", title],
    )
    page.wait_for_function(RESTS)
    with page.expect_navigation():
        link.click()
    assert "/translate" in page.url


def test_without_movement_and_on_a_telephone_each_scene_stands_complete_and_whole(tabs: Tabs) -> None:
    page = tabs.open(locale="de", width=390, height=844, still=True)
    page.goto(with_sentence("/story", SENTENCE))
    for scene in range(1, SCENES + 1):
        drawn = stands_at(page, scene)
        assert page.locator(STORY).get_attribute("data-playing") == "false"
        assert [text for text in drawn if text.endswith("…") and text != "…"] == [], f"scene {scene}"
        if scene == 5:
            page.locator(".attnviz-story-show").click()
            assert "0,76" in stands_at(page, 5)
        page.locator(".attnviz-story-next").click(force=scene == SCENES)
    assert wider_than_the_screen(page) == []
    expect(page.locator(PLAY)).to_be_hidden()
