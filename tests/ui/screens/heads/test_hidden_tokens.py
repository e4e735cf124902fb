"""Hidden tokens and averaged rows on the home page, and the picture that is taken along."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from streamlit.testing.v1 import AppTest
from support.head_grid import SENTENCE, grid, opened, typed, weights
from support.pages import APP, components

# Hidden tokens and averaged rows ------------------------------------------------------------------------------------


def button_to_more(app: AppTest) -> str:
    return next(block.proto.popover.label for block in blocks(app.main) if block.proto.popover.label)


def blocks(block: Any) -> Iterator[Any]:
    for child in block.children.values():
        if hasattr(child, "children"):
            yield child
            yield from blocks(child)


def test_any_token_can_be_hidden() -> None:
    app = opened()
    whole = weights(grid(app))
    assert app.multiselect(key="hide").options == ["Der", "Hund", "sah", "den", "Ball", ".", "</s>"]
    assert button_to_more(app) == "More"
    app.multiselect(key="hide").set_value(["Der", "."]).run()
    data = grid(app)
    assert data["keys"] == data["queries"] == ["Hund", "sah", "den", "Ball", "</s>"]
    kept = [1, 2, 3, 4, 6]
    np.testing.assert_allclose(weights(data), whole[:, kept][:, :, kept], atol=1e-4)
    assert "hidden: Der, . – " in data["summary"] and button_to_more(app) == "2 hidden"
    app.toggle(key="renormalise").set_value(True).run()
    data = grid(app)
    sums = weights(data).sum(axis=-1)
    np.testing.assert_allclose(sums[sums > 0], 1, atol=1e-3)
    assert data["hidden"] and data["summary"].endswith("rows renormalised")
    assert button_to_more(app) == "2 hidden, renormalised"


def test_chosen_rows_are_averaged_in_every_picture() -> None:
    whole = weights(grid(opened(head="3")))
    app = opened(head="3")
    app.multiselect(key="rows").set_value(["den", "sah"]).run()
    data = grid(app)
    assert data["queries"] == ["sah + den"] and data["summary"].endswith("; rows averaged: sah + den")
    np.testing.assert_allclose(weights(data)[:, 0], whole[:, 2:4].mean(axis=1), atol=1e-4)
    assert components(app, "token_lines")[0]["queries"] == ["sah + den"]
    assert app.dataframe[0].value.iloc[0, 0] == "sah + den"


def test_what_another_sentence_lacks_is_kept_for_the_one_that_has_it() -> None:
    app = opened()
    app.multiselect(key="hide").set_value(["Hund", "Der"]).run()
    typed(app, "Der Ball.")
    assert grid(app)["keys"] == ["Ball", ".", "</s>"] and button_to_more(app) == "1 hidden"
    assert app.caption[0].value == "Not in this sentence: Hund"
    assert not app.warning
    typed(app, "Der Hund.")
    assert grid(app)["keys"] == [".", "</s>"] and not app.caption


def test_what_a_link_hides_and_the_sentence_lacks_is_said() -> None:
    app = AppTest.from_file(str(APP), default_timeout=120)
    app.query_params["sentence"] = SENTENCE
    app.query_params["hide"] = ["Der", "Katze"]
    app.query_params["rows"] = ["<b>"]
    app.run()
    assert "Der" not in grid(app)["keys"]
    (warning,) = app.warning
    assert r"The sentence has no Katze, \<b\>" in warning.value
    assert app.run().warning.len == 0
    assert app.multiselect(key="hide").value == ["Der", "Katze"]


def test_the_choice_is_kept_while_the_switches_are_away() -> None:
    app = opened(model="/there/is/no/such/folder")
    assert not app.multiselect
    app = opened()
    app.multiselect(key="hide").set_value(["Der"]).run()
    typed(app, "")
    typed(app, SENTENCE)
    assert "Der" not in grid(app)["keys"]


def test_all_may_be_hidden() -> None:
    app = opened(hide_special="true")
    app.multiselect(key="hide").set_value(["Der", "Hund", "sah", "den", "Ball", "."]).run()
    assert "Nothing is left to show" in app.info[0].value and not components(app, "head_grid")
    app.multiselect(key="hide").set_value([]).run()
    assert len(grid(app)["keys"]) == 6


def test_the_picture_can_be_taken_along() -> None:
    (bar,) = components(opened(), "export_menu")
    assert [group["formats"] for group in bar["groups"]] == [["svg", "png", "html"], ["csv", "npz"]]
    assert bar["file"] is None  # made when it is asked for
    (bar,) = components(opened(head="3"), "export_menu")
    assert [group["style"] for group in bar["groups"]] == ["heatmap", "lines", "heatmap"]
