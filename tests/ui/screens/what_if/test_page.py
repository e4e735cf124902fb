"""What if without a browser: what it opens with, other models, and links that ask for what there is not."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest
from support import tiny_tokenizers as tokenizers_for_tests
from support.pages import components, open_page, save_checkpoint

from attnviz.ui.screens.what_if.presets import explanation

FIRST = "Der Hund sah den Ball."


def opened(**parameters: str) -> AppTest:
    return open_page("what_if", **{"sentence": FIRST, **parameters})


def drawn(app: AppTest) -> str:
    assert not app.exception and not app.error and components(app, "ready")
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.warning, *app.info])


def said(app: AppTest) -> list[str]:
    """What the model says before and after."""
    return ["".join(part["text"] for part in text["parts"]) for text in components(app, "outcome")[0]["texts"]]


@pytest.mark.parametrize("language", ["en", "de", "nl", "zh_Hans", "zh_Hant"])
def test_it_opens_with_heads_off_and_another_text_unless_the_link_says_what_to_show(language: str) -> None:
    app = open_page("what_if", lang=language)
    drawn(app)
    before, after = said(app)
    assert before != after and app.query_params["off"]
    if language == "en":
        app.button(key="all_on").click().run()
        drawn(app)
        assert "off" not in app.query_params
        assert "off" not in opened().query_params


def test_the_presets_of_a_decoder_and_of_an_encoder(tmp_path, bert_folder: str) -> None:
    gpt2 = save_checkpoint(tmp_path, "gpt2", tokenizers_for_tests.gpt2())
    for folder, presets in ((gpt2, ["sparse", "positional", "buckets"]), (bert_folder, ["causal", "buckets"])):
        app = opened(model=folder, kind="")
        drawn(app)
        for preset in presets:
            app.button_group(key="preset").set_value(preset).run()
            assert explanation(preset) in drawn(app)
            assert len(components(app, "effect_maps")[0]["cards"]) == 3
            assert ("buckets" in components(app, "effect_maps")[0]["cards"][2]) == (preset == "buckets")


def test_what_a_link_asks_for_and_is_not_there_is_said_and_the_rest_is_done() -> None:
    app = opened(changes="encoder.window=1 encoder.L9.causal encoder.unseen=99 nonsense", off="cross.L9.H0 cross.L3.H4")
    text = drawn(app)
    assert "encoder.L9.causal encoder.unseen=99 nonsense" in text and "cross.L9.H0" in text
    assert app.query_params["changes"] == "encoder.window=1" and app.query_params["off"] == "cross.L3.H4"


def test_patterns_of_sentences_of_another_length_need_as_many_tokens() -> None:
    app = opened(change="pattern")
    assert "with 7 tokens as here" in components(app, "effect_maps")[0]["summary"]
    assert [button.key for button in app.button if button.key == "keep_change"] == []
    app = opened(change="pattern", other="Die Katze.")
    assert "has 4 queries and 4 keys" in app.error[0].value and "same number of tokens" in app.error[0].value
    assert components(app, "effect_maps") and components(app, "ready")  # the maps of before stay beside the error
    app = opened(changes="encoder.pattern=Die%20Katze%20sah%20den%20Hund.", change="window")
    drawn(app)
    assert components(app, "outcome")[0]["next"], "something is predicted otherwise"
