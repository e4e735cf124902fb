"""What heads were measured to do, in everyday words: "finds the object of a verb"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attnviz.ui.shell.messages import _, language_name


def role_text(finding: Mapping[str, Any] | None) -> str:
    """A finding as `payload.finding_entry` gives it, in a few words; empty where nothing is known.

    >>> role_text({"finding": "position", "relation": None, "direction": None, "offset": -1, "language": None})
    'looks at the token before'
    """
    if finding is None:
        return ""
    if finding["finding"] == "position":
        return _position(finding["offset"] or 0)
    if finding["finding"] == "alignment":
        return _("finds the word to translate")
    role = _relation(finding["relation"] or "", finding["direction"] == "to_head")
    if finding["language"]:
        return _("{0} (measured in {1})").format(role, language_name(finding["language"]))
    return role


def _position(offset: int) -> str:
    if offset == 0:
        return _("looks at the token itself")
    if abs(offset) == 1:
        return _("looks at the token before") if offset < 0 else _("looks at the token after")
    return _("looks at a fixed place nearby")


def _relation(name: str, to_head: bool) -> str:
    """A relation of Universal Dependencies; those that pupils do not learn by name are only "what belongs to it"."""
    to_heads = {
        "nsubj": _("finds what somebody does"),
        "obj": _("finds the verb of an object"),
        "det": _("finds the noun of an article"),
        "amod": _("finds the noun of an adjective"),
        "case": _("finds the noun of a preposition"),
        "aux": _("finds the verb of a helping verb"),
        "cop": _("finds what somebody is"),
        "nmod": _("finds the noun that another one describes"),
        "compound": _("joins the parts of a name or a verb"),
        "appos": _("finds the other name of a thing"),
        "xcomp": _("finds the verb before a verb"),
        "conj": _("finds what an “and” joins"),
    }
    to_dependents = {
        "nsubj": _("finds who does it"),
        "obj": _("finds the object of a verb"),
        "det": _("finds the article of a noun"),
        "amod": _("finds the adjective of a noun"),
        "case": _("finds the preposition of a noun"),
        "aux": _("finds the helping verb of a verb"),
        "cop": _("finds the “is” of a sentence"),
        "nmod": _("finds what describes a noun"),
        "compound": _("joins the parts of a name or a verb"),
        "appos": _("finds the other name of a thing"),
        "xcomp": _("finds the verb after a verb"),
        "conj": _("finds what an “and” joins"),
    }
    return (to_heads if to_head else to_dependents).get(name) or _("finds a word that belongs to it")
