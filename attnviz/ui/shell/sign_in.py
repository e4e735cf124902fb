"""Signing in, where whoever serves the app has set that up in Streamlit's secrets; elsewhere nobody notices it.

Streamlit speaks OpenID Connect itself: a section `[auth]` in `.streamlit/secrets.toml`, with a section of its own in
it for each provider where there are several. docs/serving.md shows one.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import streamlit as st

from attnviz.ui.shell.messages import _


@functools.cache
def is_set_up() -> bool:
    """Whether people can sign in here; asked once, for Streamlit looks for the file of secrets each time."""
    return st.secrets.load_if_toml_exists() and "auth" in st.secrets


def person() -> str:
    """Who has signed in, as the provider names them; empty for anybody else."""
    return str(st.user.get("email") or st.user.get("sub") or "") if is_set_up() else ""


def signed_in() -> bool:
    """Whether the page may be drawn; if not, buttons to sign in stand in its place."""
    if not is_set_up() or st.user.get("is_logged_in"):
        return True
    with st.container(key="sign_in"):
        st.markdown(_("Sign in to use attnviz here."))
        for provider in _providers():
            label = _("Sign in with {0}").format(provider.capitalize()) if provider else _("Sign in")
            st.button(label, key=f"sign_in_{provider}", on_click=st.login, args=(provider,) if provider else ())
    return False


def sign_out_button() -> None:
    """A button to sign out, for who is signed in."""
    if is_set_up() and st.user.get("is_logged_in"):
        st.button(_("Sign out"), key="sign_out", on_click=st.logout, type="tertiary")


def _providers() -> tuple[str, ...]:
    """The names of the providers; one without a name where there is only one."""
    section = st.secrets["auth"]
    return tuple(name for name, part in section.items() if isinstance(part, Mapping)) or ("",)
