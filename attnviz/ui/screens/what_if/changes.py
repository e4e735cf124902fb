"""What the reader changes, as one line of text in the address, and the interventions that it stands for.

    encoder.window=1 encoder.L2.dropout=50,7 cross.L3.H4.off=mean encoder.pattern=Die%20Katze

A change is a kind of attention, perhaps a layer and a head, the change's name and its numbers. Positions of tokens are
counted from 0, as everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from attnviz.ui.shell.messages import _, kind_title, local_number

if TYPE_CHECKING:
    from attnviz.interventions.ablation import To
    from attnviz.models.recording.changes import Heads, Intervention
    from attnviz.models.recording.recording import Recording

Head = tuple[str, int, int]  # kind, layer, head

CHANGES = (
    "none", "window", "strided", "causal", "top_k", "temperature", "dropout", "hashing", "unseen", "edge", "off",
    "pattern",
)  # fmt: skip
NUMBERS = {
    "window": 1, "strided": 2, "top_k": 1, "temperature": 1, "dropout": 2, "hashing": 3, "unseen": 1, "edge": 2,
}  # fmt: skip
"""How many numbers a change has; those that are not named have none."""
MOST_ANY = (9_999, 9_999, 9_999)
MOST = {"dropout": (99, 9_999), "hashing": (64, 8, 9_999)}
"""The largest numbers that a link may ask for."""
STAND_INS: tuple[To, ...] = ("zero", "mean", "uniform")
"""What stands in for the output of a head that is switched off."""

_TEXT = re.compile(r"(encoder|decoder|cross)(?:\.L(\d{1,4}))?(?:\.H(\d{1,4}))?\.([a-z_]+)(?:=(\S*))?")


@dataclass(frozen=True)
class Change:
    """One change of the attention of some heads.

    Attributes:
        name: one of `CHANGES`.
        kind: "encoder", "decoder" or "cross".
        layer, head: from 0; None for all.
        numbers: "window": neighbours on either side; "strided": these and the stride; "top_k": keys; "temperature": it;
            "dropout": per cent, seed; "hashing": buckets, rounds, seed; "unseen": the key; "edge": query and key.
        stand_in: for "off": what stands in for the heads' output, one of `STAND_INS`.
        other: for "pattern": the sentence that the pattern is taken from.
    """

    name: str = "none"
    kind: str = "encoder"
    layer: int | None = None
    head: int | None = None
    numbers: tuple[float, ...] = ()
    stand_in: To = "zero"
    other: str = ""

    @property
    def text(self) -> str:
        """As it stands in the address; what `parse_change` reads.

        >>> Change("dropout", "cross", 2, numbers=(50, 7)).text
        'cross.L2.dropout=50,7'
        """
        where = "".join(f".{letter}{at}" for letter, at in (("L", self.layer), ("H", self.head)) if at is not None)
        values = ",".join(f"{number:g}" for number in self.numbers)
        if self.name == "off":
            values = self.stand_in
        elif self.name == "pattern":
            values = quote(self.other, safe="")
        return f"{self.kind}{where}.{self.name}" + (f"={values}" if values else "")


def parse_change(text: str) -> Change | None:
    """The change that a text stands for; None where it is none.

    >>> parse_change("encoder.L2.H5.top_k=3").numbers
    (3.0,)
    """
    match = _TEXT.fullmatch(text)
    if not match or match[4] not in CHANGES[1:] or (match[3] and not match[2]):
        return None
    name, values = match[4], match[5] or ""
    layer, head = (None if at is None else int(at) for at in match.group(2, 3))
    change = Change(name, match[1], layer, head)
    fields = vars(change)
    if name == "off":
        return Change(**fields | {"stand_in": values}) if values in STAND_INS else None
    if name == "pattern":
        return Change(**fields | {"other": unquote(values)}) if values else None
    try:
        numbers = tuple(float(number) for number in values.split(",") if values)
    except ValueError:
        return None
    change = Change(**fields | {"numbers": numbers})
    return change if len(numbers) == NUMBERS.get(name, 0) and _is_possible(change) else None


def _is_possible(change: Change) -> bool:
    """Whether its numbers are such as the interventions take."""
    from attnviz.errors import InputError

    if any(
        not 0 <= number <= most for number, most in zip(change.numbers, MOST.get(change.name, MOST_ANY), strict=False)
    ):
        return False
    if change.name != "temperature" and any(number != int(number) for number in change.numbers):
        return False
    try:
        interventions([change])
    except InputError:
        return False
    return True


def change_name(name: str) -> str:
    """What the reader calls a change."""
    return {
        "none": _("Nothing"),
        "window": _("Neighbours only"),
        "strided": _("Neighbours and steps"),
        "causal": _("No look ahead"),
        "top_k": _("Top k"),
        "temperature": _("Temperature"),
        "dropout": _("Dropout"),
        "hashing": _("Hash buckets"),
        "unseen": _("A hidden word"),
        "edge": _("One word for one word"),
        "off": _("Off"),
        "pattern": _("Another sentence’s pattern"),
    }[name]


def stand_in_name(stand_in: str) -> str:
    """What the reader calls what stands in for a head."""
    return {"zero": _("nothing"), "mean": _("its own mean"), "uniform": _("equal weights")}[stand_in]


def change_title(change: Change, queries: Sequence[str], keys: Sequence[str], number: Callable[[int], int]) -> str:
    """What a change is, in a line: "Encoder L2 Dropout 50, 7".

    Args:
        change: it.
        queries, keys: labels of the tokens of its kind of attention.
        number: what the model calls a layer.
    """
    layer = "" if change.layer is None else f" L{number(change.layer)}"
    head = "" if change.head is None else f" H{change.head}"
    name = f"{kind_title(change.kind)}{layer}{head}: {change_name(change.name)}"
    if change.name == "unseen":
        return f"{name} {_label(keys, change.numbers[0])}"
    if change.name == "edge":
        return f"{name} {_label(queries, change.numbers[0])} ↛ {_label(keys, change.numbers[1])}"
    if change.name == "off":
        return name if change.stand_in == "zero" else f"{name}, {stand_in_name(change.stand_in)}"
    if change.name == "pattern":
        return _("{0} “{1}”").format(name, change.other)
    return " ".join([name, _(", ").join(local_number(f"{value:g}") for value in change.numbers)]).strip()


def _label(labels: Sequence[str], at: float) -> str:
    return labels[int(at)] if int(at) < len(labels) else f"{int(at)}"


def interventions(
    changes: Sequence[Change],
    off: Sequence[Head] = (),
    stand_in: To = "zero",
    patterns: Mapping[str, Recording] | None = None,
) -> tuple[Intervention, ...]:
    """What the model runs with, in the order given; heads that are off come last.

    Args:
        changes: some of them may change nothing.
        off: heads that are switched off one by one.
        stand_in: for their output.
        patterns: by sentence, the recordings that a pattern is taken from; without its own a change does nothing.
    """
    from attnviz.interventions import Ablate, Heads

    made: list[Intervention] = []
    for change in changes:
        where = Heads(change.kind, change.layer, change.head)
        if change.name == "pattern":
            pattern = (patterns or {}).get(change.other)
            made += _replaced(where, pattern) if pattern is not None else ()
        else:
            made += _changed(change, where)
    return (*made, *(Ablate(Heads(*head), stand_in) for head in off))


def _changed(change: Change, where: Heads) -> tuple[Intervention, ...]:
    from attnviz.interventions import Ablate, Dropout, Hashing, Mask, Temperature, TopK

    numbers = [int(number) for number in change.numbers]
    made: dict[str, Callable[[], Intervention]] = {
        "window": lambda: Mask.window(where, numbers[0]),
        "strided": lambda: Mask.strided(where, *numbers),
        "causal": lambda: Mask.causal(where),
        "top_k": lambda: TopK(where, numbers[0]),
        "temperature": lambda: Temperature(where, change.numbers[0]),
        "dropout": lambda: Dropout(where, numbers[0] / 100, numbers[1]),
        "hashing": lambda: Hashing(where, *numbers),
        "unseen": lambda: Mask.without(where, [numbers[0]]),
        "edge": lambda: Mask.edge(where, *numbers),
        "off": lambda: Ablate(where, change.stand_in),
    }
    return (made[change.name](),) if change.name in made else ()


def _replaced(where: Heads, pattern: Recording) -> tuple[Intervention, ...]:
    """Each head gets what it does itself in the other sentence."""
    from attnviz.interventions import Heads, Replace

    layers = where.layers(pattern.size(where.kind)[0])
    return tuple(
        Replace(Heads(where.kind, layer, head), pattern.weights(where.kind, layer=layer, head=head))
        for layer in layers
        for head in where.heads(pattern.heads(where.kind, layer))
    )
