"""The app's entry: what all pages share, and which pages there are.

streamlit run app.py
"""

from __future__ import annotations

import streamlit as st

from attnviz.ui.components.glossary import glossary
from attnviz.ui.components.page_shell import page_shell
from attnviz.ui.controls import url_state
from attnviz.ui.shell.router import ICON, LOGO, apply_page_style, group_of, language_picker, navigation

page = navigation()
st.set_page_config(
    page_title=f"{page.title} · attnviz", page_icon=ICON, layout="wide", initial_sidebar_state="collapsed"
)
apply_page_style()
page_shell(page.title, group_of(page))
st.logo(LOGO, size="medium")
language_picker()
url_state.carry_over(page.url_path)
page.run()
glossary()
