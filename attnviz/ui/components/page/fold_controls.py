"""A button that folds the controls of a page into one line, so that the figures come up, and opens them again.

The line says what is chosen. The controls stay where they are and are only not shown: Streamlit forgets a control that
is not drawn, and its value in the address with it. Whether they are folded is remembered in the browser's tab; nothing
is sent to the server, and a copied link opens as its receiver has it.
"""

from __future__ import annotations

import streamlit as st

from attnviz.ui.components.component import define
from attnviz.ui.shell.messages import _

_fold = define(__file__)


def fold_controls(*, folded: bool = False) -> None:
    """Draws the button; called inside the row of boxes for texts, in whose line of labels it stands.

    Args:
        folded: whether the page opens with its controls folded, as long as the reader has decided nothing in this tab.
    """
    with st.container(key="fold"):
        _fold(key="fold_mark", data={"name": _("Controls"), "more": _("More"), "folded": folded})
