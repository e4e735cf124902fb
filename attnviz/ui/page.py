"""What all screens have in common around their own contents."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

_FOLDER = Path(__file__).resolve().parent
ICON = str(_FOLDER / "icon.svg")
LOGO = str(_FOLDER / "logo.svg")


def page_style() -> None:
    """Less air than Streamlit leaves around a page: the first screen is to hold the controls and a layer's heads."""
    st.html(_FOLDER / "page.css")
