"""The link "Open in attnviz" of a page that another page shows in a frame: the same view, with all its controls."""

from __future__ import annotations

import streamlit as st

from attnviz.ui.components.component import define
from attnviz.ui.shell.messages import _

_link = define(__file__)


def open_whole() -> None:
    """Draws the link; the last of an embedded page."""
    with st.container(key="embed"):
        _link(key="embed_mark", data={"text": _("Open in attnviz")})
