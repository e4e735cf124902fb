"""What heads were measured to do, in everyday words: "finds the object of a verb"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attnviz.ui.components.heads.role_wording import position_deed, relation_deed
from attnviz.ui.shell.messages import _, language_name


def role_text(finding: Mapping[str, Any] | None) -> str:
    """A finding as `payload.finding_entry` gives it, in a few words; empty where nothing is known.

    >>> role_text({"finding": "position", "relation": None, "direction": None, "offset": -1, "language": None})
    'looks at the token before'
    """
    if finding is None:
        return ""
    if finding["finding"] == "position":
        return position_deed(finding["offset"] or 0)
    if finding["finding"] == "alignment":
        return _("finds the word to translate")
    role = relation_deed(finding["relation"] or "", finding["direction"] == "to_head")
    if finding["language"]:
        return _("{0} (measured in {1})").format(role, language_name(finding["language"]))
    return role
