"""Finds heads by what they do in a sentence: what can be asked for, which heads do it most, and the note under each.

What is asked for stands in the address as a word of the API ("previous"), on the screen in the reader's language.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from attnviz.ui.components.heads.mosaic import Note
from attnviz.ui.shell.messages import _, local_number

if TYPE_CHECKING:
    from attnviz.measures.head_measures import Measures
    from attnviz.ui.components.heads.role_wording import RoleWords

SHARES = ("previous", "next", "own", "first", "special")
LEAST_SHARE = 0.25  # of its attention that a head gives to what it is found by


@dataclass(frozen=True, slots=True)
class Trait:
    """Something that heads can be found by.

    Attributes:
        name: in the address.
        asks: ends the sentence "Find heads that look …".
        measure: the name of the number in `Measures`.
        short: the number's name below a tile.
        says: the number's name in a table and for the text alternative.
        unit: of the number, with {0} for it; "{0}" for a share.
        smallest: whether the smallest number is wanted, not the largest.
    """

    name: str
    asks: str
    measure: str
    short: str
    says: str
    unit: str = "{0}"
    smallest: bool = False

    @property
    def heading(self) -> str:
        """The number's name as the heading of a column, with its unit."""
        unit = self.unit.format("").strip()
        name = self.says[:1].upper() + self.says[1:]
        return f"{name} ({unit})" if unit else name

    def value(self, measures: Measures) -> float:
        """The number of a head; NaN where it has none."""
        return float(getattr(measures, self.measure))

    def number(self, measures: Measures) -> str:
        """The number with its unit: "0.81", "2.1 bits"."""
        value = self.value(measures)
        if math.isnan(value):
            return "–"
        return self.unit.format(local_number(f"{value:.2f}" if self.measure in SHARES else f"{value:.1f}"))


def traits(measures: Sequence[Measures], kind: str, by_word: bool) -> tuple[Trait, ...]:
    """What these heads can be found by; what says nothing about any of them is left out.

    Args:
        measures: of all heads.
        kind: of their attention.
        by_word: whether words were measured instead of tokens.
    """
    bits, units = _("{0} bits"), _("{0} words") if by_word else _("{0} tokens")
    spread, distance = _("entropy"), _("mean distance")
    every = (
        Trait(
            "previous",
            _("at the previous word") if by_word else _("at the previous token"),
            "previous",
            _("prev"),
            _("previous word") if by_word else _("previous token"),
        ),
        Trait(
            "next",
            _("at the next word") if by_word else _("at the next token"),
            "next",
            _("next"),
            _("next word") if by_word else _("next token"),
        ),
        Trait(
            "own",
            _("at their own word") if by_word else _("at their own token"),
            "own",
            _("own"),
            _("own word") if by_word else _("own token"),
        ),
        Trait(
            "first",
            _("at the first word") if by_word else _("at the first token"),
            "first",
            _("first"),
            _("first word") if by_word else _("first token"),
        ),
        Trait("special", _("at special tokens"), "special", _("special"), _("special tokens")),
        Trait("broadly", _("broadly"), "entropy", "", spread, bits),
        Trait("narrowly", _("narrowly"), "entropy", "", spread, bits, smallest=True),
        Trait("near", _("near by"), "distance", "", distance, units, smallest=True),
        Trait("far", _("far away"), "distance", "", distance, units),
    )
    return tuple(
        trait
        for trait in every
        if not (kind == "decoder" and trait.name == "next")
        and not all(math.isnan(trait.value(one)) for one in measures)
    )


def missing_remark(measures: Sequence[Measures], kind: str) -> str:
    """Why some of the measures are not there; "" where all are."""
    parts = []
    if kind == "cross":
        parts.append(_("Cross-attention looks from one sentence into another: it has no previous, next or own token."))
    elif all(math.isnan(one.own) for one in measures):
        parts.append(_("Previous, next and own are measured where the queries are the keys."))
    elif kind == "decoder":
        parts.append(_("A decoder cannot look at the next token."))
    if all(math.isnan(one.special) for one in measures):
        parts.append(_("Special tokens are not measured: none is shown."))
    return " ".join(parts)


def rank_heads(measures: Sequence[Measures], trait: Trait) -> list[Measures]:
    """The heads that answer best, the best first; equal ones in the order of layers and heads.

    An eighth of all heads, but 3 at least and 8 at most. None that gives what is asked for less than `LEAST_SHARE` of
    its attention: the best of heads that all look elsewhere are no answer.
    """
    ranked = [one for one in measures if not math.isnan(trait.value(one))]
    if trait.measure in SHARES:
        ranked = [one for one in ranked if trait.value(one) >= LEAST_SHARE]
    ranked.sort(key=lambda one: trait.value(one) if trait.smallest else -trait.value(one))
    return ranked[: min(8, max(3, len(measures) // 8))]


def tile_notes(
    measures: Sequence[Measures],
    available: Sequence[Trait],
    trait: Trait | None,
    roles: Mapping[tuple[int, int], RoleWords] | None = None,
) -> list[Note]:
    """What stands below each head: the number asked for, or what the head mainly does, where that is clear.

    Args:
        measures: of all heads.
        available: what heads can be found by.
        trait: what they are to be found by; None where nobody asks.
        roles: what heads were measured to do over many texts, by layer and head; stands where this text says nothing.
    """
    if trait is None:
        by_measure = {trait.measure: trait for trait in available}
        notes = [_character_note(one, by_measure) for one in measures]
        words = [(roles or {}).get((one.layer or 0, one.head or 0)) for one in measures]
        # Below a tile there is no room for a relation, "verb → its object": that is said of it only.
        labels = ["" if role is None or "→" in role.label else role.label for role in words]
        return [
            note if role is None else Note(note.text or label, _described(note, role), note.bar)
            for note, role, label in zip(notes, words, labels, strict=True)
        ]
    values = [trait.value(one) for one in measures]
    longest = 1.0 if trait.measure in SHARES else max((value for value in values if value > 0), default=1.0)
    return [
        Note(
            " ".join(filter(None, (trait.short, trait.number(one)))),
            f"{trait.says} {trait.number(one)}",
            None if math.isnan(value) else min(1.0, value / longest),
        )
        for one, value in zip(measures, values, strict=True)
    ]


def _described(note: Note, role: RoleWords) -> str:
    measured = _("Measured over many sentences: {0}").format(role.deed)
    return f"{note.description}. {measured}" if note.description else measured


def _character_note(measures: Measures, by_measure: Mapping[str, Trait]) -> Note:
    character = measures.character
    if character == "broad":
        trait = by_measure["entropy"]
        return Note(_("broad"), _("broad, {0} {1}").format(trait.says, trait.number(measures)))
    if character is None or character not in by_measure:
        return Note()
    trait = by_measure[character]
    return Note(
        f"{trait.short} {trait.number(measures)}", f"{trait.says} {trait.number(measures)}", trait.value(measures)
    )
