"""What heads are called by what they do, in everyday words, with the field's term beside them.

A role is named in three lengths: a label for a tile ("token before"), what the head does ("looks at the token before"),
and a sentence that says what was counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.measures.findings import findings, head_findings
from attnviz.tokenization.language import guess_language
from attnviz.ui.components.heads.head_findings import applying, finding_text, position_name, relation_name
from attnviz.ui.shell.messages import _, language_name, local_percent, ngettext

if TYPE_CHECKING:
    from attnviz.roles import HeadRole, RolesTable

GROUPS = ("place", "anchor", "grammar", "repeat", "translation", "shape")
"""Kinds of roles, each with a colour of its own."""

_GROUP_OF = {
    "self": "place", "previous token": "place", "next token": "place", "offset": "place",
    "first token": "anchor", "special tokens": "anchor", "punctuation": "anchor",
    "duplicate token": "repeat", "induction": "repeat", "natural induction": "repeat", "retrieval": "repeat",
    "rare words": "repeat", "alignment": "translation", "broad": "shape", "narrow": "shape",
}  # fmt: skip

_SIGNS = {
    "self": "↺", "previous token": "←", "next token": "→", "first token": "⇤", "special tokens": "⟨⟩",
    "punctuation": ".,", "duplicate token": "=", "induction": "⟳", "natural induction": "⟳", "retrieval": "⇠",
    "rare words": "∗", "alignment": "⇄", "broad": "≈", "narrow": "▪", "nsubj": "subj",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class RoleWords:
    """What a role is called.

    Attributes:
        label: for a tile: "token before".
        deed: ends the sentence "This head …": "looks at the token before".
        term: the field's own.
        counted: what was counted, a sentence.
    """

    label: str
    deed: str
    term: str
    counted: str


def group_of(role: str | None) -> str:
    """The kind of a role; "none" for no role, "grammar" for a relation.

    >>> group_of("previous token"), group_of("obj"), group_of(None)
    ('place', 'grammar', 'none')
    """
    return "none" if role is None else _GROUP_OF.get(role, "grammar")


def role_sign(role: str, offset: int | None = None) -> str:
    """A sign of at most four characters for where there is no room for words; a relation's is what linguists write.

    >>> role_sign("previous token"), role_sign("offset", -3), role_sign("compound")
    ('←', '−3', 'comp')
    """
    if role == "offset":
        return "±n" if offset is None else f"{offset:+d}".replace("-", "−")
    return _SIGNS.get(role) or role[:4]


def group_name(group: str) -> str:
    """What a kind of roles is called."""
    return {
        "place": _("a place nearby"),
        "anchor": _("a resting place"),
        "grammar": _("grammar"),
        "repeat": _("words that come again, or seldom"),
        "translation": _("translation"),
        "shape": _("broad or narrow"),
        "none": _("no clear role"),
    }[group]


def role_words(role: str, direction: str | None = None, offset: int | None = None) -> RoleWords:
    """What a role is called.

    Args:
        role: a name of `attnviz.roles.ROLES`, or a relation of Universal Dependencies.
        direction: of a relation, "to_head" or "to_dependent"; None for both.
        offset: of the role "offset"; None for any.
    """
    if role in _GROUP_OF:
        return _general_words(offset)[role]
    counted = _("Of all words that have such a partner: how often its greatest weight is on the partner.")
    term = _("{0}, a relation of Universal Dependencies").format(role)
    if direction is None:
        return RoleWords(role, relation_deed(role, to_head=False), term, counted)
    return RoleWords(relation_name(role, direction), relation_deed(role, direction == "to_head"), term, counted)


def head_words(row: HeadRole) -> RoleWords:
    """What a row of a table of roles is called."""
    return role_words(row.role or "", row.direction, row.offset if row.role == "offset" else None)


def _general_words(offset: int | None) -> dict[str, RoleWords]:
    points = _("How often its greatest weight is there.")
    share = _("How much of its attention goes there, on average.")
    place = position_name(offset) if offset is not None else _("fixed place")
    fixed = position_deed(offset) if offset is not None else _("looks at a fixed place nearby")
    repeat = _("looks at what came after the same word before")
    return {
        "self": RoleWords(_("itself"), _("looks at the token itself"), _("Self-attending head"), points),
        "previous token": RoleWords(
            _("token before"), _("looks at the token before"), _("Previous-token head"), points
        ),
        "next token": RoleWords(_("token after"), _("looks at the token after"), _("Next-token head"), points),
        "offset": RoleWords(place, fixed, _("Positional head"), points),
        "first token": RoleWords(
            _("first token"), _("rests on the first token"), _("Attention sink"), share
        ),
        "special tokens": RoleWords(
            _("special tokens"), _("rests on special tokens, such as the end mark"), _("No-op head"), share
        ),
        "punctuation": RoleWords(_("punctuation"), _("looks at full stops and commas"), _("Separator head"), share),
        "broad": RoleWords(
            _("broad"), _("looks at all tokens almost alike"), _("Broad head"),
            _("How evenly its attention is spread: 100 % is the same weight everywhere."),
        ),
        "narrow": RoleWords(
            _("narrow"), _("looks at one token at a time"), _("Confident head"),
            _("How large its greatest weight is, on average."),
        ),
        "duplicate token": RoleWords(
            _("same word again"), _("looks at the same word elsewhere in the text"), _("Duplicate-token head"), share
        ),
        "induction": RoleWords(
            _("what came next"), repeat, _("Induction head"),
            _("Measured on random tokens read twice: how much of its attention goes to the token that came next the "
              "first time."),
        ),
        "natural induction": RoleWords(
            _("what came next"), repeat, _("Induction head, in natural text"),
            _("Where a text itself repeats a token: how much attention goes to what came after it the last time."),
        ),
        "retrieval": RoleWords(
            _("fetches from afar"), _("fetches what is to be written from far back in the text"), _("Retrieval head"),
            _("How often its greatest weight is on the very word that is written next."),
        ),
        "rare words": RoleWords(
            _("rarest word"), _("looks at the rarest word of the text"), _("Rare-word head"), points
        ),
        "alignment": RoleWords(
            _("translates"), _("finds the word to translate"), _("Alignment head"), points
        ),
    }  # fmt: skip


def baseline_text(role: str) -> str:
    """What a role's number is compared with."""
    group = group_of(role)
    if group == "grammar":
        return _("the best fixed place")
    if group == "translation":
        return _("the same place in the sentence")
    return _("attention spread evenly")


def percent(share: float) -> str:
    """A share as the reader's language writes it; the sign stays with its number."""
    return local_percent(str(round(100 * share))).replace(" ", "\u00a0")


def measured_text(row: HeadRole) -> str:
    """A row in a line, with its baseline.

    >>> measured_text(HeadRole("encoder", 2, 5, "previous token", 0.97, 0.96, 0.98, baseline=0.09, n=9120))
    'token before: 97 %, attention spread evenly 9 %'
    """
    words, value = head_words(row), percent(row.value)
    parts = [f"{words.label}: {value}", f"{baseline_text(row.role or '')} {percent(row.baseline)}"]
    line = _(", ").join(parts)
    return f"{line} ({language_name(row.language)})" if row.language else line


def interval_text(row: HeadRole) -> str:
    """The 95 % interval of a row: "96–98 %"."""
    low, high = (str(round(100 * value)) for value in (row.low, row.high))
    return percent(row.low) if low == high else local_percent(f"{low}–{high}").replace(" ", "\u00a0")


def cases_text(row: HeadRole) -> str:
    """How many rows were counted."""
    return ngettext("{0} case", "{0} cases", row.n).format(row.n)


def measured_lines(model: str, table: RolesTable | None, kind: str, layer: int, head: int, sentence: str) -> list[str]:
    """What a head was measured to do that can be about a sentence, a line each, the most telling first.

    Args:
        model: its name; what its own card says comes before the table.
        table: of its roles; None where it was not measured.
        kind, layer, head: which head.
        sentence: on the screen; what was measured in another language is left out.
    """
    if findings(model).heads:
        return [finding_text(item) for item in applying(head_findings(model, kind, layer, head), sentence)]
    rows = () if table is None else table.of_head(kind, layer, head)
    language = guess_language(sentence)
    return [measured_text(row) for row in rows if row.labelled and row.language in (None, language)]


def role_notes(table: RolesTable | None, kind: str) -> dict[tuple[int, int], RoleWords]:
    """What the heads of one kind of attention are called by, by layer and head; those without a role are left out."""
    rows = () if table is None else table.heads
    return {(row.layer, row.head): head_words(row) for row in rows if row.kind == kind and row.role is not None}


def position_deed(offset: int) -> str:
    """Where a head looks that looks at a fixed place.

    >>> position_deed(-1)
    'looks at the token before'
    """
    if offset == 0:
        return _("looks at the token itself")
    if abs(offset) == 1:
        return _("looks at the token before") if offset < 0 else _("looks at the token after")
    return _("looks at a fixed place nearby")


def relation_deed(name: str, to_head: bool) -> str:
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
