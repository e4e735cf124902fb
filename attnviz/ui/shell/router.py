"""Which pages there are, and what stands around each of them: names, style, language."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.ui.shell.messages import LANGUAGES, _, choose_language, keep_language, language

if TYPE_CHECKING:
    from streamlit.navigation.page import Page

_FOLDER = Path(__file__).resolve().parent
ICON = str(_FOLDER / "icon.svg")
LOGO = str(_FOLDER / "logo.svg")


def apply_page_style() -> None:
    """Less air than Streamlit leaves around a page: the first screen is to hold the controls and a layer's heads."""
    st.html(_FOLDER / "router.css")


def embedded_style() -> None:
    """In a frame of another page, `?embed=true`: the figures alone, without controls, header and menu."""
    st.html(_FOLDER / "embedded.css")


_ROUTED = "attnviz_routed"
# The pages by what they are for, in the order of their names at the top; the first is the home page.
GROUPS = (
    ("heads", "overview", "compare", "roles", "long_text"),
    ("story", "steps", "simple_attention", "embeddings", "context", "translate"),
    ("what_if", "attribution"),
)
_SHOW_WEIGHTS = {"heads", "overview", "compare", "long_text", "steps", "context", "translate", "what_if"}
_PICKER = "language"


def language_picker() -> None:
    """The languages by their own names, in the corner of every page."""
    current = language()

    def pick() -> None:
        choose_language(st.session_state[_PICKER])

    with st.container(key="language_corner"):
        st.menu_button(
            LANGUAGES[current],
            list(LANGUAGES),
            key=_PICKER,
            format_func=LANGUAGES.__getitem__,
            on_click=pick,
            type="tertiary",
            icon=":material/language:",
            help=_("Language of the page"),
        )


def navigation() -> Page:
    """The pages, with their names in groups over all of them; returns the one that was asked for."""
    st.session_state[_ROUTED] = True
    keep_language()
    titles = {
        "heads": _("Heads"),
        "overview": _("Overview"),
        "compare": _("Compare"),
        "roles": _("What heads do"),
        "long_text": _("Long text"),
        "story": _("How it works"),
        "steps": _("Step by step"),
        "simple_attention": _("By hand"),
        "embeddings": _("Embeddings"),
        "context": _("In context"),
        "translate": _("Translate"),
        "what_if": _("What if"),
        "attribution": _("Why this word"),
    }
    pages = {
        group: [st.Page(f"pages/{name}.py", title=titles[name], default=name == GROUPS[0][0]) for name in names]
        for group, names in zip((_("See"), _("Understand"), _("Test")), GROUPS, strict=True)
    }
    return st.navigation(pages, position="top")


def measuring_link(page: Page) -> None:
    """On pages that show weights a line that leads to where it is measured what they explain."""
    if (page.url_path or GROUPS[0][0]) in _SHOW_WEIGHTS:
        with st.container(key="measuring_link"):
            st.page_link("pages/attribution.py", label=_("Does this explain what the model says? Measure it"))


def group_of(page: Page) -> int:
    """Which group of names at the top a page stands in, counted from 0."""
    name = page.url_path or GROUPS[0][0]
    return next(index for index, names in enumerate(GROUPS) if name in names)


def require_router() -> None:
    """Makes sure that a page is run by `app.py`; the first call of each page.

    A link to a page may be the first thing that a fresh server is asked for. As long as `app.py` has not run, Streamlit
    takes a folder called `pages` for an app of its older kind and runs the file in it alone, without what all pages
    have in common. Naming the pages once tells it better, for everybody.
    """
    if not st.session_state.pop(_ROUTED, False):
        navigation()
        st.session_state.pop(_ROUTED)
        st.rerun()
