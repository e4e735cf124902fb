"""What the browser does around every page: the way back, the menu on a narrow screen, large type for a projector."""

from __future__ import annotations

import streamlit as st

from attnviz.ui.components.component import define

_shell = define(__file__)


def page_shell() -> None:
    """Lets it begin, once for all pages; called before any of them."""
    with st.container(key="page_shell"):
        _shell(key="page_shell_mark", data={})
