"""Values of widgets as somebody sends them who writes messages by hand."""

from __future__ import annotations

import functools
import json
import math
from typing import Any

import pytest
from streamlit.proto.WidgetStates_pb2 import WidgetState, WidgetStates
from streamlit.runtime.state.session_state import WStates
from streamlit.testing.v1 import AppTest
from support.pages import open_page

from attnviz.ui.server.widget_values import check_widget_values


@pytest.fixture(autouse=True)
def checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streamlit as the server has it, for one test."""
    for name in ("set_widget_from_proto", "__getitem__"):
        monkeypatch.setattr(WStates, name, getattr(WStates, name))
    check_widget_values()
    check_widget_values()


def widgets() -> None:
    """A page with a widget of each kind."""
    import streamlit as st

    values = [
        st.text_area("a", "opening", key="text"),
        st.checkbox("b", True, key="switch"),
        st.number_input("c", 0, 9, 3, key="number"),
        st.number_input("c", 0.0, 9.0, 1.5, key="fraction"),
        st.slider("d", 1, 8, 5, key="slider"),
        st.selectbox("e", [0, 1, 2], 1, key="choice"),
        st.pills("f", ["one", "two"], default="one", key="pills"),
    ]
    st.json(values)


OPENING = ["opening", True, 3, 1.5, 5, 1, "one"]
CHOSEN = ["Hund", False, 4, 2.5, 6, 2, "two"]
FITTING: dict[str, dict[str, Any]] = {
    "text": {"string_value": "Hund"}, "switch": {"bool_value": False}, "number": {"int_value": 4},
    "fraction": {"double_value": 2.5}, "slider": {"double_array_value": {"data": [6.0]}},
    "choice": {"string_value": "2"}, "pills": {"string_array_value": {"data": ["two"]}},
}  # fmt: skip
OF_ANOTHER_KIND: list[dict[str, dict[str, Any]]] = [
    {key: {"int_value": 2**53} for key in FITTING if key not in ("number", "fraction")},
    {key: {"trigger_value": True} for key in FITTING},
    {key: {"json_value": '{"value": [1]}'} for key in FITTING},
    {key: {"json_trigger_value": "no JSON"} for key in FITTING},
    {key: {"string_trigger_value": {"data": "Hund"}} for key in FITTING},
    {key: FITTING["text"] for key in FITTING if key not in ("text", "choice")},
    {key: FITTING["pills"] for key in FITTING if key != "pills"},
    {key: FITTING["slider"] for key in FITTING if key != "slider"},
    {key: FITTING["switch"] for key in FITTING if key != "switch"},
    *(
        {"number": {"double_value": value}, "fraction": {"double_value": value}}
        for value in (math.nan, math.inf, -math.inf)
    ),
    *({"slider": {"double_array_value": {"data": [value]}}} for value in (math.nan, math.inf)),
]


def sent(app: AppTest, values: dict[str, dict[str, Any]], known: AppTest | None = None) -> list[Any]:
    """What the page has after somebody has sent these values to it, or to a new one like `known`."""
    widgets = (known or app).main
    identities = {element.key: element.proto.id for element in widgets if getattr(element, "key", None)}
    states = WidgetStates(widgets=[WidgetState(id=identities[key], **value) for key, value in values.items()])
    app._run(states)
    assert not app.exception
    return shown(app)


def shown(app: AppTest) -> list[Any]:
    return json.loads(app.json[0].value)


@pytest.mark.parametrize("values", OF_ANOTHER_KIND)
def test_a_value_of_another_kind_counts_as_not_said(values: dict[str, dict[str, Any]]) -> None:
    app = AppTest.from_function(widgets).run()
    assert shown(app) == OPENING
    assert sent(app, FITTING) == CHOSEN
    assert sent(app, values) == CHOSEN, "each widget holds what it held"
    assert sent(app, {}) == CHOSEN, "and the session goes on"


def test_what_came_before_the_widget_is_looked_at_too() -> None:
    known = AppTest.from_function(widgets).run()
    app = AppTest.from_function(widgets)
    assert sent(app, {"number": {"double_value": math.nan}, "text": {"int_value": 1}}, known) == OPENING
    assert sent(AppTest.from_function(widgets), FITTING, known) == CHOSEN, (
        "as after the end of the copy that one was at"
    )


@pytest.mark.parametrize(
    "value", [None, 1e308, "Hund", [0], [0, 9**9, 0], ["Hund", {}, []], {"head": 0}, [True, -1e9, 0]]
)
def test_a_component_that_says_what_it_never_says_changes_nothing(value: Any) -> None:
    app = page()
    before = [box.value for box in app.selectbox]
    identity = next(
        one.proto.id for one in app.get("bidi_component") if one.proto.component_name == "attnviz.number_tables"
    )
    trigger = WidgetState(id=f"$$STREAMLIT_INTERNAL_KEY_{identity}__events")
    trigger.json_trigger_value = json.dumps([{"event": "pick", "value": value}, {"event": "open", "value": value}])
    app._run(WidgetStates(widgets=[trigger]))
    assert not app.exception and [box.value for box in app.selectbox] == before


@functools.cache
def page() -> AppTest:
    """A page with tables whose cells can be picked."""
    return open_page("simple_attention")
