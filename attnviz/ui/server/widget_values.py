"""What a browser may say that a widget holds: a value of the widget's own kind.

Streamlit takes any value for any widget. What is of another kind, such as text for a switch or a number that is none,
fails somewhere later, in Streamlit or in a page, and does so again in each further run of the session. Here, where all
values from browsers come in, such a value counts as not said.
"""

from __future__ import annotations

import json
import math
from typing import Any

from streamlit.proto.WidgetStates_pb2 import WidgetState
from streamlit.runtime.state import session_state

_JSON = ("json_value", "json_trigger_value")
_NUMBERS = ("double_value", "int_value")  # one widget has both: a browser sends whole numbers in the second


def check_widget_values() -> None:
    """Has Streamlit take only values that fit; may be called more than once."""
    # Each session makes its states itself, so they learn it by their class.
    for name, method in (("set_widget_from_proto", _set_from_browser), ("__getitem__", _value)):
        setattr(session_state.WStates, name, method)


def fits(state: WidgetState, kind: str) -> bool:
    """Whether a widget of a kind can hold a value.

    Args:
        state: as a browser sends it; one without a value says that the widget was emptied.
        kind: the field of Streamlit's message that the widget has its value in.

    >>> fits(WidgetState(string_value="Hund"), "string_value"), fits(WidgetState(bool_value=True), "string_value")
    (True, False)
    >>> fits(WidgetState(double_value=math.nan), "double_value")
    False
    >>> fits(WidgetState(json_value='{"open": 1}'), "json_value"), fits(WidgetState(json_value='"open"'), "json_value")
    (True, False)
    """
    field = state.WhichOneof("value")
    if field is None:
        return True
    if field != kind and not (field in _NUMBERS and kind in _NUMBERS):
        return False
    if field == "double_value":
        return math.isfinite(state.double_value)
    if field == "double_array_value":
        return all(map(math.isfinite, state.double_array_value.data))
    return field not in _JSON or _is_of_component(getattr(state, field), field)


def _is_of_component(text: str, field: str) -> bool:
    """Whether this is JSON, and, where it is a component's state and not what was done with it, an object."""
    try:
        value = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return field != "json_value" or value is None or isinstance(value, dict)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


_take = session_state.WStates.set_widget_from_proto
_read = session_state.WStates.__getitem__


def _set_from_browser(states: session_state.WStates, state: WidgetState) -> None:
    """Takes the value of a widget, unless it is known not to fit; the widget then holds what it held."""
    metadata = states.widget_metadata.get(state.id)
    if metadata is None or not metadata.value_type or fits(state, metadata.value_type):
        _take(states, state)


def _value(states: session_state.WStates, identity: str) -> Any:
    """The value of a widget; what it opens with where the value that came before the widget does not fit.

    Raises:
        KeyError: nothing is known of the widget.
    """
    state, metadata = states.states.get(identity), states.widget_metadata.get(identity)
    if isinstance(state, session_state.Serialized) and metadata is not None:
        if metadata.value_type and not fits(state.value, metadata.value_type):
            states.set_from_value(identity, metadata.deserializer(None))
        else:
            try:
                return _read(states, identity)
            except Exception:  # of the right kind, and still nothing that this widget can make sense of
                states.set_from_value(identity, metadata.deserializer(None))
    return _read(states, identity)
