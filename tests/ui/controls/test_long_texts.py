"""Texts that are too long for an address, without a browser."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from attnviz.ui.controls.long_texts import MOST_IN_ADDRESS, fits_address, in_address, text_name

LONG = "Der alte Hund.\n" * 800


def draw_box() -> None:
    from attnviz.ui.controls.inputs import text_box

    text_box("Sentence", "sentence")


def opened(**parameters: str) -> AppTest:
    app = AppTest.from_function(draw_box)
    for name, value in parameters.items():
        app.query_params[name] = value
    return app.run()


def parameters(app: AppTest) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value[-1] for name, value in app.query_params.items()}


def test_what_fits_an_address_is_counted_as_the_address_writes_it() -> None:
    assert fits_address("a" * MOST_IN_ADDRESS) and not fits_address("a" * (MOST_IN_ADDRESS + 1))
    assert fits_address("学" * (MOST_IN_ADDRESS // 9)) and not fits_address("学" * (MOST_IN_ADDRESS // 9 + 1))
    assert in_address("pair", LONG) == {"pair_left_out": text_name(LONG)}


def test_a_long_text_leaves_the_address_and_a_short_one_returns_to_it() -> None:
    app = opened(sentence="Der Hund.")
    app.text_area(key="sentence").set_value(LONG).run()
    assert parameters(app) == {"sentence_left_out": text_name(LONG)} and app.text_area(key="sentence").value == LONG
    app.text_area(key="sentence").set_value("Die Katze.").run()
    assert parameters(app) == {"sentence": "Die Katze."}
    app.text_area(key="sentence").set_value(LONG).run()
    app.text_area(key="sentence").set_value("").run()
    assert "sentence_left_out" not in app.query_params and not app.text_area(key="sentence").value


def test_an_older_link_with_a_long_text_is_read_once() -> None:
    app = opened(sentence=LONG)
    assert app.text_area(key="sentence").value == LONG
    assert parameters(app) == {"sentence_left_out": text_name(LONG)}


def test_a_link_without_its_text_opens_an_empty_box_and_keeps_its_name_until_something_is_typed() -> None:
    app = opened(sentence_left_out=text_name(LONG)).run()
    assert app.text_area(key="sentence").value == "" and parameters(app) == {"sentence_left_out": text_name(LONG)}
    app.text_area(key="sentence").set_value("Der Hund.").run()
    assert parameters(app) == {"sentence": "Der Hund."} and app.text_area(key="sentence").value == "Der Hund."


def test_a_damaged_name_of_a_text_draws_an_empty_box() -> None:
    for name in ("", "x", "99999999999999-characters-", "²"):
        assert not opened(sentence_left_out=name).exception
