"""A page in the browser goes over to another language."""

from __future__ import annotations

from playwright.sync_api import Page

from attnviz.ui.shell.messages import LANGUAGES, web_name
from support.browsing import RESTS


def pick_language(page: Page, language: str) -> None:
    """Picks a language, one of the app's, in the corner of the page."""
    page.get_by_test_id("stMenuButton").get_by_role("button").click()
    page.get_by_role("menuitem", name=LANGUAGES[language], exact=True).click()


def wait_for_language(page: Page, language: str) -> None:
    """Waits until the page rests and speaks a language, in Streamlit's own words too."""
    page.wait_for_function(
        f"""([language, name]) => document.documentElement.lang === name && {RESTS}
          && window.attnvizShell?.words.language === language""",
        arg=[language, web_name(language)],
    )
