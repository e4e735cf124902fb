"""Writes what a head was measured to do in the reader's language, a line for each finding."""

from __future__ import annotations

from collections.abc import Iterable

from attnviz.measures.findings import Finding
from attnviz.tokenization.language import guess_language, may_have_relation
from attnviz.ui.shell.messages import _, language_name, local_percent, ngettext


def finding_text(item: Finding) -> str:
    """One finding, with what needs no head beside it.

    >>> finding_text(Finding("encoder", 2, 7, "relation", 0.71, baseline=0.46, relation="obj", direction="to_dependent",
    ...              language="de"))
    'verb → its object: 71 %, fixed offset 46 % (German)'
    """
    accuracy, baseline = _percent(item.accuracy), _percent(item.baseline or 0.0)
    if item.finding == "position":
        return f"{position_name(item.offset or 0)}: {accuracy}"
    if item.finding == "alignment":
        relation = _("the word it translates") if item.rows == "own" else _("the word to translate next")
        return _("{0}: {1}, same place in the sentence {2}").format(relation, accuracy, baseline)
    relation, where = relation_name(item.relation or "", item.direction or ""), language_name(item.language or "")
    if item.most_words is not None:
        where = _("{0}, up to {1} words").format(where, item.most_words)
    return _("{0}: {1}, fixed offset {2} ({3})").format(relation, accuracy, baseline, where)


def applying(items: Iterable[Finding], sentence: str) -> list[Finding]:
    """Those findings that can be about this sentence: in its language, and its relation not surely missing.

    >>> copula = Finding("encoder", 3, 4, "relation", 0.70, 0.31, relation="cop", direction="to_head", language="de")
    >>> applying([copula], "Der Hund sah den Ball."), applying([copula], "She is big.")
    ([], [])
    """
    language = guess_language(sentence)
    return [
        item
        for item in items
        if item.language is None
        or (item.language == language and may_have_relation(sentence, item.relation or "", item.language))
    ]


def _percent(share: float) -> str:
    return local_percent(str(round(100 * share))).replace(" ", "\u00a0")  # the sign stays with its number


def position_name(offset: int) -> str:
    """Where a key stands from its query, in tokens.

    >>> position_name(-2)
    '2 tokens before'
    """
    if offset == 0:
        return _("the token itself")
    if offset == -1:
        return _("the token before")
    if offset == 1:
        return _("the token after")
    if offset < 0:
        return ngettext("{0} token before", "{0} tokens before", -offset).format(-offset)
    return ngettext("{0} token after", "{0} tokens after", offset).format(offset)


def relation_name(name: str, direction: str) -> str:
    """Who looks at whom, for the relations of Universal Dependencies that have an everyday name; else its own."""
    to_dependent = {
        "nsubj": _("predicate → its subject"),
        "obj": _("verb → its object"),
        "iobj": _("verb → its indirect object"),
        "obl": _("verb → a noun that modifies it"),
        "det": _("noun → its determiner"),
        "amod": _("noun → its adjective"),
        "nmod": _("noun → a noun that modifies it"),
        "nummod": _("noun → its number"),
        "case": _("noun → its preposition"),
        "advmod": _("word → its adverb"),
        "aux": _("verb → its auxiliary"),
        "cop": _("predicate → its copula"),
        "conj": _("word → one joined to it by “and”"),
        "cc": _("word → its “and” or “or”"),
        "mark": _("verb → its “that” or “because”"),
        "compound": _("word → another part of its compound"),
        "flat": _("name → its other parts"),
        "xcomp": _("verb → what completes it"),
        "ccomp": _("verb → the clause that is its object"),
        "advcl": _("verb → the clause that modifies it"),
        "acl": _("noun → the clause that modifies it"),
        "appos": _("noun → the noun that explains it"),
    }
    to_head = {
        "nsubj": _("subject → its predicate"),
        "obj": _("object → its verb"),
        "iobj": _("indirect object → its verb"),
        "obl": _("modifying noun → its verb"),
        "det": _("determiner → its noun"),
        "amod": _("adjective → its noun"),
        "nmod": _("modifying noun → its noun"),
        "nummod": _("number → its noun"),
        "case": _("preposition → its noun"),
        "advmod": _("adverb → what it modifies"),
        "aux": _("auxiliary → its verb"),
        "cop": _("copula → its predicate"),
        "conj": _("word → the one it is joined to by “and”"),
        "cc": _("“and” or “or” → its word"),
        "mark": _("“that” or “because” → its verb"),
        "compound": _("part of a compound → its main word"),
        "flat": _("part of a name → its first word"),
        "xcomp": _("what completes a verb → the verb"),
        "ccomp": _("object clause → its verb"),
        "advcl": _("modifying clause → its verb"),
        "acl": _("modifying clause → its noun"),
        "appos": _("explaining noun → its noun"),
    }
    if direction == "to_head":
        return to_head.get(name) or _("{0}: dependent → head").format(name)
    return to_dependent.get(name) or _("{0}: head → dependent").format(name)
