"""Networks that are saved in other ways than most: a BERT without a head, a GPT-2 with more positions than words."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlencode

import pytest
import transformers
from playwright.sync_api import Page, expect
from streamlit.testing.v1 import AppTest
from support import tiny_models
from support import tiny_tokenizers as tokenizers_for_tests
from support.browsing import click_page_name, wait_until_drawn
from support.pages import components, open_page, save_checkpoint

SENTENCE = "The dog saw the ball."
PAGES = ("heads", "overview", "compare", "context", "simple_attention")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    bare = tmp_path_factory.mktemp("bare")
    tokenizer = tokenizers_for_tests.wordpiece()
    config = tiny_models.network("bert", vocab_size=len(tokenizer)).config
    transformers.BertModel(config).save_pretrained(bare)
    tokenizer.save_pretrained(bare)
    tokenizer = tokenizers_for_tests.gpt2()
    long = tmp_path_factory.mktemp("long")
    return {
        "bare BERT": str(bare),
        "long GPT-2": save_checkpoint(Path(long), "gpt2", tokenizer, n_positions=len(tokenizer) + 300),
    }


def said(app: AppTest) -> str:
    assert not app.exception and not app.error and not app.warning
    assert components(app, "ready")
    return "\n".join(element.value for element in [*app.markdown, *app.caption])


@pytest.mark.parametrize("name", ["bare BERT", "long GPT-2"])
def test_every_page_shows_it(name: str, folders: dict[str, str]) -> None:
    for page in PAGES:
        said(open_page(page, model=folders[name], sentence=SENTENCE))
    app = open_page("steps", model=folders[name], sentence=SENTENCE, step="2")
    assert "A second vector says where the word stands" in said(app)
    assert "equals the model's own" in said(app)
    positions = said(open_page("embeddings", model=folders[name], sentence=SENTENCE))
    assert "The row is **added** to the word's vector" in positions
    rows = tiny_models.POSITIONS if name == "bare BERT" else len(tokenizers_for_tests.gpt2()) + 300
    assert f"{rows} positions" in positions


def test_it_is_looked_at_in_a_browser(page: Page, folders: dict[str, str]) -> None:
    query = urlencode({"model": folders["bare BERT"], "sentence": SENTENCE, "step": 2})
    page.goto(f"/steps?{query}")
    wait_until_drawn(page, SENTENCE)
    strips = page.locator(".st-key-step_strips")
    for part in ("token", "+ position", "+ sentence", "= sum", "normalised"):
        expect(strips).to_contain_text(part)
    click_page_name(page, "Embeddings")
    page.wait_for_function("location.pathname === '/embeddings' && document.querySelector('.attnviz-ready')")
    expect(page.locator(".st-key-figures")).to_contain_text("The model has 47 positions.")
    expect(page.get_by_test_id("stAlert")).to_have_count(0)
