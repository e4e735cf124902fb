"""The controls that only this page has: which head, and what its colours say."""

from __future__ import annotations

import streamlit as st

from attnviz.ui.controls.url_state import Say, named_choice, replace_missing
from attnviz.ui.shell.messages import _

WAYS = ("lift", "share", "root")
WAY = "colours"


def head_control(heads: int, say: Say, opening: int = 0) -> int:
    """Which head is shown, from 0; there is always one: `opening` where nobody has chosen it."""

    def remark(value: str, instead: int) -> str:
        return _("The heads are 0 to {0}, there is no head {1}; head {2} is shown.").format(heads - 1, value, instead)

    if st.session_state.get("head", 0) is None:  # none was open on the page of all heads
        del st.session_state["head"]
    replace_missing("head", range(heads), say, remark, default=opening)
    return st.selectbox(_("Head"), range(heads), index=opening, key="head", bind="query-params", width=96)


def way_control() -> str:
    """What the colours of the map say."""
    names = {"lift": _("against an even spread"), "share": _("share"), "root": _("share, √")}
    return named_choice(
        _("Colours"),
        WAYS,
        names.__getitem__,
        key=WAY,
        default="lift",
        help=_(
            "Against an even spread: 1 is what falls here if a token looks at all it may see alike. Share: what part "
            "of its attention. With √ weak shares get more of the colours."
        ),
    )
