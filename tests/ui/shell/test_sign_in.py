"""Signing in: nobody is asked where it is not set up, and nothing of a page is drawn before it is done."""

from __future__ import annotations

from typing import Any
from unittest.mock import MagicMock

import pytest

from attnviz.ui.shell import sign_in


def streamlit_with(monkeypatch: pytest.MonkeyPatch, user: dict[str, Any], auth: dict[str, Any] | None) -> MagicMock:
    screen = MagicMock(user=user, secrets={"auth": auth})
    monkeypatch.setattr(sign_in, "st", screen)
    monkeypatch.setattr(sign_in, "is_set_up", lambda: auth is not None)
    return screen


@pytest.mark.parametrize(("user", "auth"), [({}, None), ({"is_logged_in": True, "email": "a@example.org"}, {})])
def test_who_need_not_or_has_already_signed_in_sees_the_page(
    monkeypatch: pytest.MonkeyPatch, user: Any, auth: Any
) -> None:
    screen = streamlit_with(monkeypatch, user, auth)
    assert sign_in.signed_in() and sign_in.person() == user.get("email", "")
    sign_in.sign_out_button()
    assert screen.button.called == (auth is not None)


def test_without_secrets_nobody_is_asked() -> None:
    assert not sign_in.is_set_up()


@pytest.mark.parametrize(
    ("auth", "expected"),
    [
        ({"client_id": "x"}, [("Sign in", ())]),
        (
            {"google": {"client_id": "x"}, "school": {}},
            [("Sign in with Google", ("google",)), ("Sign in with School", ("school",))],
        ),
    ],
)
def test_there_is_a_button_for_each_provider(monkeypatch: pytest.MonkeyPatch, auth: Any, expected: Any) -> None:
    screen = streamlit_with(monkeypatch, {"is_logged_in": False}, auth)
    assert not sign_in.signed_in()
    calls = screen.button.call_args_list
    assert [(call.args[0], call.kwargs["args"]) for call in calls] == expected
    assert all(call.kwargs["on_click"] is screen.login for call in calls)
