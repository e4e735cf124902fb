"""Two sentences that a model reads as a pair, such as BERT: on the pages that show a sentence."""

from __future__ import annotations

import functools
from urllib.parse import urlencode

import numpy as np
import pytest
import torch
from playwright.sync_api import Page, expect
from support.browsing import address_parameters, click_page_name, settled_box, text_box, wait_until_drawn
from support.head_grid import grid, weights
from support.pages import open_page

import attnviz
from attnviz.computation.layer import follow
from attnviz.embeddings.hidden_states import hidden_states

FIRST, SECOND = "the dog saw the ball", "the cat"


@functools.cache
def model(folder: str) -> attnviz.Model:
    return attnviz.load(folder, device="cpu")


def eager(folder: str, first: str, second: str) -> tuple[torch.Tensor, tuple[torch.Tensor, ...]]:
    """What transformers itself computes of a pair: the weights of layer 1, and the vectors between the layers."""
    network, tokenizer = model(folder).network, model(folder).tokenizer
    before = network.config._attn_implementation
    network.set_attn_implementation("eager")
    try:
        with torch.no_grad():
            read = tokenizer(first, second, return_tensors="pt")
            output = network(**read, output_attentions=True, output_hidden_states=True)
    finally:
        network.set_attn_implementation(before)
    return output.attentions[1][0], output.hidden_states


def test_the_heads_of_a_pair_are_those_of_transformers_own_attention(bert_folder: str) -> None:
    app = open_page("heads", model=bert_folder, sentence=FIRST, pair=SECOND, layer="1")
    data = grid(app)
    assert {"[SEP]", "[SEP]₂"} < set(data["keys"])
    own, _states = eager(bert_folder, FIRST, SECOND)
    np.testing.assert_allclose(weights(data), own, atol=2e-5)  # the page is sent steps of 1/65535
    app.text_area(key="pair").set_value("").run()
    assert "[SEP]₂" not in grid(app)["keys"]


def test_the_second_sentence_has_the_embedding_of_the_second_segment(bert_folder: str) -> None:
    recording = model(bert_folder).record(FIRST, pair=SECOND)
    assert recording.beside["token_type_ids"][-1] == 1
    computation = follow(model(bert_folder), recording, "encoder", layer=1)
    segments = next(item for item in computation.added if item.kind == "segment").vectors
    table = model(bert_folder).network.base_model.embeddings.token_type_embeddings.weight
    np.testing.assert_allclose(segments[1], table[0].detach(), atol=1e-6)
    np.testing.assert_allclose(segments[-2], table[1].detach(), atol=1e-6)
    difference = computation.difference()
    assert difference is not None and difference < 1e-5
    _weights, states = eager(bert_folder, FIRST, SECOND)
    own = hidden_states(model(bert_folder), recording, "encoder").layers
    np.testing.assert_allclose(own, torch.stack([item[0] for item in states]), atol=1e-5)


@pytest.mark.parametrize("page", ["overview", "compare", "steps", "embeddings"])
def test_every_page_that_reads_the_sentence_has_the_second_one(page: str, bert_folder: str) -> None:
    app = open_page(page, model=bert_folder, sentence=FIRST, pair=SECOND, by_word="true")
    assert not app.exception and not app.error
    assert app.text_area(key="pair").value == SECOND
    said = [element.proto.json for element in app.get("bidi_component")]
    said += [element.proto.body for element in app.get("html")]
    assert any("cat" in text or "[SEP]\\u2082" in text or "[SEP]₂" in text for text in said)


def test_there_is_no_second_box_for_a_model_that_reads_no_pairs() -> None:
    app = open_page("heads")
    assert [box.key for box in app.text_area] == ["sentence"]


def test_a_second_sentence_is_typed_and_follows_to_other_pages(page: Page, bert_folder: str) -> None:
    page.goto("/?" + urlencode({"model": bert_folder, "sentence": FIRST}))
    run = wait_until_drawn(page, FIRST)
    tokens = len(model(bert_folder).record(FIRST, pair=SECOND).query_tokens("encoder"))
    box = text_box(page, "pair")
    box.fill(SECOND)
    box.press("Enter")
    run = wait_until_drawn(page, FIRST, run)
    expect(page.locator(".st-key-heads")).to_contain_text(f"{tokens} tokens")
    assert address_parameters(page)["pair"] == [SECOND]
    assert settled_box(box)["x"] > settled_box(text_box(page))["x"]
    click_page_name(page, "Step by step")
    run = wait_until_drawn(page, FIRST, run)
    assert page.locator(".attnviz-chip-special", has_text="[SEP]").count() == 2
    assert address_parameters(page)["pair"] == [SECOND]
    page.get_by_role("radio", name="2 Embeddings").click()
    wait_until_drawn(page, FIRST, run)
    expect(page.locator(".st-key-step_strips")).to_contain_text("+ sentence")
