"""Models of the Hub on the screen: how far a download is, what is wrong with one, and what to do then."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support import hub as tiny_hub
from support import tiny_tokenizers as tokenizers_for_tests
from support.browsing import new_context, text_box, wait_until_drawn
from support.pages import save_checkpoint
from support.server import serving

MODEL = ".st-key-model input"
ERROR = "[data-testid=stAlert]"
SENTENCE = "Der Hund sah den Ball."


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> tiny_hub.Hub:
    """A Hub with one small model under several names, one of them gated."""
    folder = Path(save_checkpoint(tmp_path_factory.mktemp("bert"), "bert", tokenizers_for_tests.wordpiece()))
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    other = files | {"config.json": json.dumps(json.loads(files["config.json"]) | {"num_hidden_layers": 2}).encode()}
    served = tiny_hub.Hub()
    for name in ("somebody/tiny-bert", "somebody/gated", "somebody/large"):
        served.add(name, files)
    served.add("somebody/tiny-bert", other, branch="two-layers")
    served.gated.add("somebody/gated")
    return served


@pytest.fixture(scope="module")
def app_with_hub(hub: tiny_hub.Hub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an app for which that is the Hub."""
    with tiny_hub.serving(hub) as endpoint, serving(tmp_path_factory.mktemp("app"), HF_ENDPOINT=endpoint) as url:
        yield url


def ask_for(page: Page, name: str) -> None:
    """Types a model into the box, as a reader does."""
    page.locator(MODEL).fill(name)
    page.keyboard.press("Enter")


def test_a_model_of_the_hub_is_loaded_or_it_is_said_why_not(
    browser: Browser, app_with_hub: str, hub: tiny_hub.Hub
) -> None:
    page = new_context(browser, base_url=app_with_hub, viewport={"width": 1366, "height": 900}).new_page()
    hub.slow = 4.0  # seconds in which the progress can be read
    page.goto("/?lang=de&model=somebody/tiny-bert&sentence=Der+Hund+sah+den+Ball.")
    progress = page.get_by_text(re.compile(r"somebody/tiny-bert wird heruntergeladen: \d von \d Dateien, \d von \d MB"))
    expect(progress).to_be_visible()
    before = wait_until_drawn(page, SENTENCE)
    expect(progress).to_be_hidden()
    hub.slow = 0.0
    expect(page.locator(".st-key-layer button")).to_have_count(3)

    ask_for(page, "bundled")
    before = wait_until_drawn(page, SENTENCE, before=before)
    ask_for(page, "somebody/tiny-bert@two-layers")
    before = wait_until_drawn(page, SENTENCE, before=before)
    expect(page.locator(".st-key-layer button")).to_have_count(2)

    for name, said in {
        "somebody/nothing": "gibt es weder auf dem Hub noch als Ordner hier",
        "somebody/gated": "somebody/gated ist nur auf Anfrage zugänglich",
        "somebody/tiny-bert@v9": "hat keine Revision",
    }.items():
        ask_for(page, name)
        expect(page.locator(ERROR)).to_contain_text(said)
        expect(text_box(page)).to_have_value(SENTENCE)  # nothing that was typed is lost

    hub.breaks_off = True
    ask_for(page, "somebody/large")
    expect(page.locator(ERROR)).to_contain_text("Das Herunterladen von somebody/large brach ab")
    hub.breaks_off = hub.gone = False

    ask_for(page, "bundled")
    wait_until_drawn(page, SENTENCE, before=before)
    expect(page.locator(ERROR)).to_have_count(0)
    page.locator(MODEL).click()
    offered = page.locator("[role=option]").all_text_contents()
    assert any("somebody/tiny-bert" in name for name in offered)
    assert not [name for name in offered if any(part in name for part in ("nothing", "gated", "large", "v9"))], offered
    page.context.close()
