"""What the browser does around every page: the way back, the menu on a telephone, large type, texts, Streamlit's words.

Streamlit speaks English alone. What it says on these pages is listed here, and the component says it in the reader's
language.
"""

from __future__ import annotations

import streamlit as st

from attnviz.ui.components.component import define
from attnviz.ui.shell.messages import _, language

_shell = define(__file__)


def page_shell(page: str, group: int) -> None:
    """Lets it begin, once for all pages; called before any of them.

    Args:
        page: the name of the page that is shown.
        group: the group of names at the top that it stands in, counted from 0.
    """
    words = {} if language() == "en" else _words()
    with st.container(key="page_shell"):
        _shell(key="page_shell_mark", data={"language": language(), "words": words, "page": page, "group": group})


def _words() -> dict[str, str]:
    """What Streamlit says in English, and what that is in the reader's language; {0} is any text."""
    return {
        # Around the page.
        "App pages": _("Pages"),
        "{0} more": _("{0} more"),
        "Skip to main content": _("To the contents of the page"),
        "Navigate to home page": _("To the first page"),
        "Logo": _("Logo"),
        "Sidebar": _("Menu"),
        "Expand sidebar": _("Open the menu"),
        "Collapse sidebar": _("Close the menu"),
        "Main menu": _("Settings"),
        "Theme": _("Theme"),
        "System": _("As the system"),
        "Light": _("Light"),
        "Dark": _("Dark"),
        "Running...": _("Computing …"),
        "Stop": _("Stop"),
        "Notifications": _("Notices"),
        "progress": _("Progress"),
        "Link to heading": _("Link to this heading"),
        "Help": _("Help"),
        "Help for {0}": _("Help: {0}"),
        "Copy to clipboard": _("Copy"),
        "Copied": _("Copied"),
        "Close": _("Close"),
        "{0} icon": "",  # beside a text that says the same
        # Boxes and lists.
        "Open": _("Open the list"),
        "Choose an option": _("Choose one"),
        "Choose or add an option": _("Choose or type one"),
        "Choose options": _("Choose some"),
        "Select all": _("All"),
        "Selected values": _("Chosen"),
        "No results": _("Nothing found"),
        "No options to select": _("Nothing to choose"),
        "Add: {0}": _("Take over: {0}"),
        "Remove {0}": _("Remove {0}"),
        "Clear value": _("Clear"),
        "Clear all": _("Clear all"),
        "Increment": _("Larger"),
        "Decrement": _("Smaller"),
        # Tables.
        "Search": _("Search"),
        "Type to search": _("Type to search"),
        "Close Search": _("Close the search"),
        "Previous Result": _("Previous hit"),
        "Next Result": _("Next hit"),
        "Download as CSV": _("Download as CSV"),
        "Fullscreen": _("Full screen"),
        "Close fullscreen": _("Leave the full screen"),
        "Show/hide columns": _("Choose columns"),
        "Add row": _("Add row"),
        "Delete row(s)": _("Remove rows"),
        "Clear selection": _("Undo the choice"),
        "Dataframe column menu": _("Menu of the column"),
        "Copy column name": _("Copy the column's name"),
        "Sort ascending": _("Smallest first"),
        "Sort descending": _("Largest first"),
        "Format": _("Format"),
        "Automatic": _("Automatic"),
        "Localized": _("As in this language"),
        "Plain": _("Plain"),
        "Compact": _("Compact"),
        "Percent": _("Per cent"),
        "Scientific": _("Powers of ten"),
        "Statistics": _("Statistics"),
        "Autosize": _("Fit the width"),
        "Pin column": _("Pin the column"),
        "Unpin column": _("Unpin the column"),
        "Hide column": _("Hide the column"),
    }
