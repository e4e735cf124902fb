"""The roles that a head can have: what each one's number says, and from which value on a head is called by it.

Relations of Universal Dependencies ("nsubj", "obj", …) are roles too; they are not listed here, for a treebank names
its own.
"""

from __future__ import annotations

from dataclasses import dataclass

REACH = 10
"""Offsets from -10 to 10 tokens are counted."""

GAIN = 0.10
"""A head is said to follow a relation, or an alignment, when it beats the baseline by this on both halves."""

MAINLY = 0.5
"""A head is called by what gets more than this share of its attention; Clark et al. 2019, section 3.1, count so too."""


@dataclass(frozen=True, slots=True)
class Role:
    """What one role's number says.

    Attributes:
        name: as in `HeadRole.role`.
        least: a head is called by the role from this value on, where its interval is clear of the baseline too.
        value: what is averaged over the rows: "points" (its greatest weight is on the right key), "share" (of its
            attention that the right keys get), or "spread" (a number of the row as a whole).
        general: whether it says how a head looks, whatever at; another role is named first.

    Example:
        >>> ROLES["previous token"].least
        0.9
    """

    name: str
    least: float
    value: str
    general: bool = False


_ALL = (
    # Voita et al. 2019, "Analyzing Multi-Head Self-Attention", section 5.1: at least 90 % of the time.
    Role("self", 0.9, "points"),
    Role("previous token", 0.9, "points"),
    Role("next token", 0.9, "points"),
    Role("offset", 0.9, "points"),
    # Xiao et al. 2024, "Efficient Streaming Language Models with Attention Sinks", section 3.1.
    Role("first token", MAINLY, "share"),
    # Clark et al. 2019, "What Does BERT Look At?", section 3.2.
    Role("special tokens", MAINLY, "share"),
    Role("punctuation", MAINLY, "share"),
    # The evenness of Pielou 1966: a row's entropy as a share of the greatest that it could have.
    Role("broad", 0.9, "spread", general=True),
    # The confidence of Voita et al. 2019, section 4: a row's greatest weight.
    Role("narrow", 0.8, "spread", general=True),
    # Wang et al. 2022, "Interpretability in the Wild", section 3: to the same token elsewhere in the text.
    Role("duplicate token", MAINLY, "share"),
    # Olsson et al. 2022, "In-context Learning and Induction Heads": to the token that came after the same token before;
    # on random tokens read twice, and where a text itself repeats a token.
    Role("induction", MAINLY, "share"),
    Role("natural induction", MAINLY, "share"),
    # Wu et al. 2024, "Retrieval Head Mechanistically Explains Long-Context Factuality", section 2: from 10 % on.
    Role("retrieval", 0.1, "points"),
    # Voita et al. 2019, section 5.3: to the rarest token of the text.
    Role("rare words", MAINLY, "points"),
    Role("alignment", 0.0, "points"),
)
ROLES: dict[str, Role] = {role.name: role for role in _ALL}
"""Every role by its name, relations left out."""


def offset_role(offset: int) -> str:
    """The name of the role of looking at a fixed offset in tokens, negative before.

    >>> offset_role(-1), offset_role(3)
    ('previous token', 'offset')
    """
    return {0: "self", -1: "previous token", 1: "next token"}.get(offset, "offset")


def is_general(role: str) -> bool:
    """Whether a role only says how a head looks; that of a relation does not."""
    return role in ROLES and ROLES[role].general
