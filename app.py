"""The app's entry: the server, what all pages share, and which pages there are.

streamlit run app.py
"""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx


def draw_page() -> None:
    """Draws the page that was asked for, with what all pages have in common."""
    from attnviz.ui.components.page.glossary import glossary
    from attnviz.ui.components.page.open_whole import open_whole
    from attnviz.ui.components.page.page_shell import page_shell
    from attnviz.ui.controls import url_state
    from attnviz.ui.shell.router import (
        ICON,
        LOGO,
        apply_page_style,
        embedded_style,
        group_of,
        language_picker,
        measuring_link,
        navigation,
    )
    from attnviz.ui.shell.sign_in import sign_out_button, signed_in
    from attnviz.ui.shell.visits import page_request

    page = navigation()
    st.set_page_config(
        page_title=f"{page.title} · attnviz", page_icon=ICON, layout="wide", initial_sidebar_state="collapsed"
    )
    apply_page_style()
    page_shell(page.title, group_of(page))
    if embedded := st.context.is_embedded:
        embedded_style()
    else:
        st.logo(LOGO, size="medium")
        language_picker()
    url_state.carry_over(page.url_path)
    if not signed_in():
        return
    with page_request(page.url_path or "heads"):
        page.run()
    if embedded:
        open_whole()
    else:
        measuring_link(page)
        glossary()
        sign_out_button()


# This file is read twice: once by the server, which finds `app` in it, and for every run of a page, which draws.
if get_script_run_ctx(suppress_warning=True) is not None:
    draw_page()
else:
    from attnviz.ui.server.start import lifespan, middleware, routes

    app = st.App(__file__, lifespan=lifespan, routes=routes(), middleware=middleware(__file__))
