"""The button below the error of a text that is too long: every page that reads a text has it."""

from __future__ import annotations

import pytest
from support.bundled import bundled_model
from support.pages import open_page

from attnviz.ui.controls.beginning import beginning

SENTENCE = "Der Hund sah den Ball. "


@pytest.mark.parametrize(
    ("page", "parameters"),
    [
        ("heads", {}),
        ("compare", {}),
        ("story", {}),
        ("translate", {}),
        ("embeddings", {"kind": "decoder"}),
        ("context", {"sentence2": "Der Ball ist rot."}),
        ("context", {"box": "sentence2"}),
    ],
)
def test_below_the_error_stands_a_button_that_keeps_the_beginning(
    page: str, parameters: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attnviz.models.network.inputs.max_positions", lambda _network: 18)
    parameters = dict(parameters)
    key = parameters.pop("box", "sentence")
    text = SENTENCE * 9 + f"Ende {page}."
    app = open_page(page, **{"sentence": SENTENCE, key: text, **parameters})
    assert ["positions for 18" in error.value for error in app.error] == [True]
    assert app.button(key="only_beginning").label == "Only the beginning, up to 18 tokens"
    app.button(key="only_beginning").click().run()
    assert app.text_area(key=key).value == (SENTENCE * 2).strip()
    assert not app.exception


def test_with_fewer_characters_allowed_than_the_tokens_would_have_the_cut_is_within_both() -> None:
    inputs = bundled_model().inputs
    inputs.most_characters = 60
    try:
        assert beginning(inputs, SENTENCE * 9, 500) == (SENTENCE * 2).strip()
        assert beginning(inputs, "\n" * 99 + SENTENCE * 9, 500) == (SENTENCE * 2).strip()
    finally:
        inputs.most_characters = 0
