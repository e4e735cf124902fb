"""From a table of roles to what the page shows of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from attnviz.ui.components.heads.role_wording import (
    GROUPS,
    baseline_text,
    cases_text,
    group_name,
    group_of,
    head_words,
    interval_text,
    percent,
    role_sign,
    role_words,
)
from attnviz.ui.screens.roles.head_roles import (
    Column,
    Fact,
    HeadPanel,
    HeadTile,
    KindTiles,
    Looking,
    Measured,
    RoleChoice,
)
from attnviz.ui.screens.roles.measuring import corpus_name
from attnviz.ui.shell.messages import _, kind_title, language_name, local_count, local_number, ngettext

if TYPE_CHECKING:
    from attnviz.roles import Example, HeadRole, RolesTable

SHOWN = 8  # examples in a column
MOST_NAMED = 3  # words that a screen reader is told of a row
FAINTEST = 0.005
LEAST_GAIN = 0.05  # over the baseline, from which a number that gives no name is worth a line


@dataclass(frozen=True, slots=True)
class HeadId:
    """A head of any kind of attention; in the address "encoder.L2.H5"."""

    kind: str
    layer: int
    head: int

    def __str__(self) -> str:
        return f"{self.kind}.L{self.layer}.H{self.head}"

    @property
    def name(self) -> str:
        """As readers know it: "L2 H5"."""
        return f"L{self.layer} H{self.head}"

    @classmethod
    def of(cls, row: HeadRole | Example) -> HeadId:
        """The head of a row."""
        return cls(row.kind, row.layer, row.head)


def rows_of_heads(table: RolesTable, role: str | None) -> dict[HeadId, HeadRole]:
    """The row that stands for each head: its own role, or the one that is asked for; heads without one are left out."""
    rows: dict[HeadId, HeadRole] = {}
    if role is None:
        return {HeadId.of(row): row for row in table.heads if row.role is not None}
    for row in table.find(role, labelled=False):
        head = HeadId.of(row)
        if head not in rows or (row.labelled, row.gain) > (rows[head].labelled, rows[head].gain):
            rows[head] = row
    return rows


def measured(row: HeadRole) -> Measured:
    """A row's number with its interval and its baseline."""
    value, low, high, baseline = (round(share, 4) for share in (row.value, row.low, row.high, row.baseline))
    return Measured(
        value, low, high, baseline,
        percent(row.value), interval_text(row), percent(row.baseline), local_count(row.n), row.n,
    )  # fmt: skip


def role_choices(table: RolesTable, chosen: str | None) -> list[RoleChoice]:
    """The roles that any head is called by, kind by kind."""
    heads: dict[str, set[HeadId]] = {}
    directions: dict[str, set[str | None]] = {}
    for row in table.rows:
        if row.labelled and row.role:
            heads.setdefault(row.role, set()).add(HeadId.of(row))
            directions.setdefault(row.role, set()).add(row.direction)
    if chosen is not None:
        heads.setdefault(chosen, set())
    order = {group: place for place, group in enumerate(GROUPS)}
    choices = []
    for role in sorted(heads, key=lambda role: (order[group_of(role)], -len(heads[role]), role)):
        ways = directions.get(role, {None})
        words = role_words(role, ways.copy().pop() if len(ways) == 1 else None)
        title = _("{0}. {1}").format(words.term, words.counted)
        choices.append(
            RoleChoice(role, group_of(role), words.deed, title, role_sign(role), len(heads[role]), role == chosen)
        )
    return choices


def kind_tiles(table: RolesTable, role: str | None) -> list[KindTiles]:
    """A tile for each head."""
    own = {HeadId.of(row): row for row in table.heads if row.role is not None}
    shown = rows_of_heads(table, role)
    labelled = {HeadId.of(row) for row in table.rows if row.labelled and row.role == role}
    kinds = []
    for kind, (layers, heads) in table.sizes.items():
        tiles = []
        for layer in range(layers):
            for head in range(heads):
                at = HeadId(kind, layer, head)
                tiles.append(_tile(at, own.get(at), shown.get(at), role, is_marked=role is None or at in labelled))
        kinds.append(KindTiles(kind_title(kind), [f"L{layer}" for layer in range(layers)], heads, tiles))
    return kinds


def _tile(at: HeadId, own: HeadRole | None, shown: HeadRole | None, role: str | None, *, is_marked: bool) -> HeadTile:
    row = shown if role is not None and is_marked else own
    name = f"{kind_title(at.kind)} {at.name}"
    if row is None:
        label, sign, group, deed = "", "", "none", ""
        text = _("{0}: no clear role").format(name)
    else:
        words = head_words(row)
        label, group, deed = words.label, group_of(row.role), words.deed
        sign = role_sign(row.role or "", row.offset)
        text = f"{name}: {words.deed}, {percent(row.value)}"
    number = None if shown is None else measured(shown)
    return HeadTile(str(at), at.name, label, sign, group, text, deed, number, is_marked)


# One head -----------------------------------------------------------------------------------------------------------


def head_panel(
    table: RolesTable, at: HeadId, word: str, strongest: Sequence[Example], drawn: Sequence[Example]
) -> HeadPanel:
    """What is to be read of one head."""
    rows = table.of_head(at.kind, at.layer, at.head)
    own = rows[0] if rows and rows[0].labelled else None
    words = head_words(own) if own else None
    about = (
        _("{0}. {1}").format(words.term, words.counted)
        if words
        else _("No role that is measured here fits this head. It may do something else: read where it looks.")
    )
    facts = [
        Fact(group_of(row.role), _fact_text(row), _fact_title(row), measured(row), row.labelled)
        for row in _telling(rows)
    ]
    return HeadPanel(
        f"{kind_title(at.kind)} {at.name}",
        words.deed if words else _("no clear role"),
        group_of(own.role if own else None),
        about, facts, columns(strongest, drawn, word, own), _("Search in all heads") if word else "",
    )  # fmt: skip


def word_panel(word: str, strongest: Sequence[Example], drawn: Sequence[Example]) -> HeadPanel:
    """Where a word is looked at or looks, whichever head it is."""
    return HeadPanel(
        _("“{0}” in all heads").format(word), "", "none",
        _("Rows in which this word looks, or is looked at most. Choose a head to see only its own."),
        [], columns(strongest, drawn, word, None, named=True), "",
    )  # fmt: skip


def columns(
    strongest: Sequence[Example], drawn: Sequence[Example], word: str, own: HeadRole | None, *, named: bool = False
) -> list[Column]:
    """The strongest examples, and those drawn at random beside them.

    Args:
        strongest, drawn: what is shown.
        word: that is looked for; empty for none.
        own: the role that the head is called by; None where it has none.
        named: whether they are of several heads, so that each says whose it is.
    """
    nothing = _("No example has this word.") if word else _("No examples were kept of this table.")
    title, note = _ranked(strongest[0].role if strongest else "", own)
    if named:
        title = _("Where heads look most sharply")
        note = _("The strongest of all texts: each head by its own role, or by its greatest weight.")
    return [
        Column(title, note, [looking(item, named=named) for item in strongest[:SHOWN]], nothing),
        Column(
            _("Texts drawn at random"),
            _("The best ten of any head look convincing. These show what it usually does."),
            [looking(item, named=named) for item in drawn[:SHOWN]], nothing,
        ),
    ]  # fmt: skip


def _ranked(role: str, own: HeadRole | None) -> tuple[str, str]:
    """The heading of the strongest examples, and what they are ranked by; "" for the greatest weight."""
    if not role:
        return (
            _("Where it looks most sharply"),
            _("Ranked by the greatest weight, special tokens left out: the best that can be found in all texts."),
        )
    label = (role_words(role) if own is None or own.role != role else head_words(own)).label
    return (
        _("Where it does this most"),
        _("Ranked by its role, “{0}”: the best that can be found in all texts.").format(label),
    )


def looking(item: Example, *, named: bool = False) -> Looking:
    """One row as the page shows it."""
    own = item.kind != "cross" and item.query_tokens == item.key_tokens
    weights = [
        (key, round(weight, 4)) for key, weight in zip(item.keys, item.weights, strict=True) if weight > FAINTEST
    ]
    targets = [
        _("“{0}” {1}").format(item.key_tokens[key].strip(), local_number(f"{weight:.2f}"))
        for key, weight in weights[:MOST_NAMED]
    ]
    text = _("“{0}” looks at {1}, in: {2}").format(
        item.query_tokens[item.query].strip(), _(", ").join(targets), "".join(item.query_tokens).strip()
    )
    head = HeadId.of(item)
    return Looking(
        text, item.query_tokens, () if own else item.key_tokens, item.query, weights,
        f"{kind_title(head.kind)} {head.name}" if named else "",
    )  # fmt: skip


def _telling(rows: Sequence[HeadRole]) -> list[HeadRole]:
    """What a head is called by, and the numbers next to it; those that are no more than the baseline are left out."""
    named = [row for row in rows if row.labelled]
    others = [row for row in rows if not row.labelled and row.low > row.baseline and row.gain >= LEAST_GAIN]
    return [*named, *others][: max(6, len(named))]


def _fact_text(row: HeadRole) -> str:
    words = head_words(row)
    return f"{words.label} ({language_name(row.language)})" if row.language else words.label


def _fact_title(row: HeadRole) -> str:
    words = head_words(row)
    return _("{0}. {1} {2}.").format(words.term, words.counted, cases_text(row))


# Around it ----------------------------------------------------------------------------------------------------------


def summary(table: RolesTable) -> str:
    """What was measured on how much."""
    heads = ngettext("{0} head", "{0} heads", len(table.heads)).format(len(table.heads))
    texts = ngettext("{0} text", "{0} texts", table.texts).format(local_count(table.texts))
    tokens = ngettext("{0} token", "{0} tokens", table.tokens).format(local_count(table.tokens))
    named = sum(row.role is not None for row in table.heads)
    return _("{0}, measured on {1} with {2}; {3} of them have a clear role.").format(
        heads, texts, tokens, local_count(named)
    )


def page_texts(table: RolesTable, role: str | None) -> dict[str, Any]:
    """What else the page says."""
    number = _("Its number")
    note = _(
        "The dot is what was measured, the line through it the 95 % interval, the dashed mark what needs no head. A "
        "head gets a name only where the interval is clear of that mark."
    )
    if role is not None:
        words = role_words(role)
        note = f"{words.counted} {_('The dashed mark: {0}.').format(baseline_text(role))} {note}"
    if table.corpus:
        note = f"{note} {_('Measured on: {0}.').format(corpus_name(table).rstrip('.'))}"
    return {
        "roles": _("Choose what heads do"),
        "facts": _("What was measured of this head"),
        "against": _("against"),
        "table": _("All heads"),
        "table_note": note,
        "columns": [_("Head"), _("What it does"), "0–1", number, _("Baseline"), _("Cases")],
        "groups": {group: group_name(group) for group in (*GROUPS, "none")},
    }
