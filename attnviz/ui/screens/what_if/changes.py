"""What the reader changes: the controls, their values in the address, and the interventions that they stand for.

    link or hand ─ Change, heads that are off ─ interventions ─ Model.record

One change of a pattern at a time, in all heads of a kind of attention, a layer or one head; and beside it any heads
that are switched off.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.ui.controls import inputs
from attnviz.ui.controls.url_state import Say, keep_values, named_choice, replace_missing, shorten
from attnviz.ui.shell.messages import _, local_number

if TYPE_CHECKING:
    from attnviz.models.changes import Heads, Intervention
    from attnviz.models.recording import Recording

Head = tuple[str, int, int]  # kind, layer, head

CHANGES = (
    "none", "window", "causal", "top_k", "temperature", "dropout", "hashing", "unseen", "off", "pattern",
)  # fmt: skip
TEMPERATURES = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 100)
BUCKETS = (2, 4, 8, 16, 32)
WIDEST = 32  # neighbours on either side, and keys of the top k, that a slider reaches
VALUE_KEYS = ("window", "top_k", "heat", "drop", "drop_seed", "buckets", "unseen", "other")
CHANGE_KEYS = ("change", "where", *VALUE_KEYS)
_OFF = "off"


@dataclass(frozen=True)
class Change:
    """The change of a pattern.

    Attributes:
        name: one of `CHANGES`.
        where: "all" heads of the kind, "layer" or "head".
        number: of neighbours, keys, buckets; the temperature; the share in percent; the position that is not seen.
        seed: of what is drawn.
        other: the sentence that the pattern is taken from.
    """

    name: str = "none"
    where: str = "all"
    number: float = 0
    seed: int = 0
    other: str = ""


def change_name(name: str) -> str:
    """What the reader calls a change."""
    return {
        "none": _("Nothing"),
        "window": _("Neighbours only"),
        "causal": _("No look ahead"),
        "top_k": _("Top k"),
        "temperature": _("Temperature"),
        "dropout": _("Dropout"),
        "hashing": _("Hash buckets"),
        "unseen": _("A hidden word"),
        "off": _("Off"),
        "pattern": _("Another sentence’s pattern"),
    }[name]


def change_controls(recording: Recording, kind: str, head: int | None, say: Say) -> Change:
    """The choice of a change, where it acts and how strong it is.

    Args:
        recording: of the unchanged run.
        kind: of attention that is shown, and changed.
        head: the one that is open; None where none is, and a single one cannot be chosen.
        say: told what a link asks for and is not there.
    """
    replace_missing("change", CHANGES, say, lambda value, _instead: _("There is no change called {0}.").format(value))
    for key, change_of in (("heat", "temperature"), ("buckets", "hashing")):
        if key in st.query_params and st.session_state.get("change", st.query_params.get("change")) != change_of:
            del st.query_params[key]
    name = named_choice(_("Change"), CHANGES, change_name, key="change", default="none", wrap=True)
    if name == "none":
        keep_values("where", *VALUE_KEYS)
        return Change()
    scopes = ("all", "layer", "head") if head is not None else ("all", "layer")
    names = {"all": _("all heads"), "layer": _("this layer"), "head": _("this head")}
    where = named_choice(_("Where"), scopes, names.__getitem__, key="where", default="all")
    keys = len(recording.key_tokens(kind))
    change = {
        "window": lambda: Change(name, where, _slider("window", _("Neighbours on either side"), 0, keys - 1, 1)),
        "top_k": lambda: Change(name, where, _slider("top_k", _("Keys that stay"), 1, keys, 2)),
        "temperature": lambda: Change(name, where, _pick("heat", _("Temperature"), TEMPERATURES, 4)),
        "dropout": lambda: _dropout(where),
        "hashing": lambda: Change(name, where, _pick("buckets", _("Buckets"), BUCKETS, 4)),
        "unseen": lambda: Change(name, where, _hidden_word(recording, kind, say)),
        "pattern": lambda: Change(name, where, other=_other_sentence()),
    }.get(name, lambda: Change(name, where))()
    used = {"temperature": "heat", "hashing": "buckets", "dropout": "drop", "pattern": "other"}.get(name, name)
    keep_values(*(key for key in VALUE_KEYS if key != used and not (used == "drop" and key == "drop_seed")))
    return change


def _slider(key: str, label: str, low: int, high: int, opening: int) -> int:
    high = max(low + 1, min(high, WIDEST))
    if isinstance(st.session_state.get(key), int):  # a longer sentence may have had more
        st.session_state[key] = min(max(st.session_state[key], low), high)
    return st.slider(label, low, high, min(opening, high), key=key, bind="query-params", width=220)


def _pick(key: str, label: str, options: Sequence[float], opening: float) -> float:
    """A slider over some numbers, written as the reader's language has them.

    Streamlit would write them into the address in that way; so the numbers themselves are put there by hand.
    """
    by_text = {f"{option:g}": option for option in options}
    requested = st.session_state.get(key, st.query_params.get(key))
    text = requested if isinstance(requested, str) else f"{requested}"
    st.session_state[key] = text if text in by_text else f"{opening:g}"
    chosen = st.select_slider(label, list(by_text), key=key, format_func=local_number, width=220)
    if st.query_params.get(key) != chosen:
        st.query_params[key] = chosen
    return by_text[chosen]


def _dropout(where: str) -> Change:
    rate = st.slider(_("Dropout p"), 10, 90, 50, 10, key="drop", format="%d %%", bind="query-params", width=160)
    seed = st.number_input(
        _("Seed"), 0, 9999, 0, 1, key="drop_seed", bind="query-params", width=120,
        help=_("Draws which weights are left out."),
    )  # fmt: skip
    return Change("dropout", where, rate, int(seed or 0))


def _hidden_word(recording: Recording, kind: str, say: Say) -> int:
    from attnviz.tokenization.token import labels

    tokens = recording.key_tokens(kind)
    names = labels(tokens)
    opening = next((at for at, token in enumerate(tokens) if token.word == 1), 0)

    def remark(value: str, instead: str) -> str:
        return _("The sentence has no {0}; {1} is hidden instead.").format(value, instead)

    replace_missing("unseen", names, say, remark, default=names[opening])
    chosen = st.selectbox(_("Nobody may see"), names, index=opening, key="unseen", bind="query-params", width=180)
    return names.index(chosen) if chosen in names else opening


def _other_sentence() -> str:
    return inputs.text_box(
        _("Sentence whose pattern is taken"), "other", help=_("It needs as many tokens as the sentence above.")
    )


# Heads that are off ---------------------------------------------------------------------------------------------------


def heads_off(counts: Mapping[str, Sequence[int]], say: Say) -> tuple[Head, ...]:
    """The heads that are switched off, by hand or by the link.

    Args:
        counts: by kind, how many heads each layer has.
        say: told which of a link's heads there are not.
    """
    text = st.session_state.get(_OFF, st.query_params.get(_OFF, ""))
    heads, missing = [], []
    for part in text.split():
        match = re.fullmatch(r"(encoder|decoder|cross)\.L(\d+)\.H(\d+)", part)
        layers = counts.get(match[1], ()) if match else ()
        if match and int(match[2]) < len(layers) and int(match[3]) < layers[int(match[2])]:
            heads.append((match[1], int(match[2]), int(match[3])))
        else:
            missing.append(part)
    if missing:
        say(_("This model has no head {0}, which the link switches off.").format(shorten(" ".join(missing))))
    heads = list(dict.fromkeys(heads))
    _write(heads)
    return tuple(heads)


def switch_head(kind: str, layer: int, head: int) -> None:
    """Switches a head off, or on again; for callbacks, which run before the page does."""
    part = f"{kind}.L{layer}.H{head}"
    parts = st.session_state.get(_OFF, "").split()
    st.session_state[_OFF] = (
        " ".join(one for one in parts if one != part) if part in parts else " ".join([*parts, part])
    )


def switch_all_on() -> None:
    """No head is off any more; for callbacks likewise."""
    st.session_state[_OFF] = ""


def _write(heads: Sequence[Head]) -> None:
    text = " ".join(f"{kind}.L{layer}.H{head}" for kind, layer, head in heads)
    st.session_state[_OFF] = text
    if text and st.query_params.get(_OFF) != text:
        st.query_params[_OFF] = text
    elif not text and _OFF in st.query_params:
        del st.query_params[_OFF]


# What they stand for -------------------------------------------------------------------------------------------------


def interventions(
    change: Change, off: Sequence[Head], kind: str, layer: int, head: int | None, pattern: Recording | None
) -> tuple[Intervention, ...]:
    """What the model runs with.

    Args:
        change: of the pattern.
        off: heads that are switched off.
        kind, layer, head: what is shown; `change.where` says how much of that is changed.
        pattern: of the other sentence, where its pattern is taken.
    """
    from attnviz.interventions import Ablate, Heads

    single = head if change.where == "head" else None
    where = Heads(kind, None if change.where == "all" else layer, single)
    changed = _replaced(where, pattern) if pattern is not None else _changed(change, where)
    return (*changed, *(Ablate(Heads(*one)) for one in off))


def _changed(change: Change, where: Heads) -> tuple[Intervention, ...]:
    from attnviz.interventions import Ablate, Dropout, Hashing, Mask, Temperature, TopK

    number = int(change.number)
    made: dict[str, Callable[[], Intervention]] = {
        "window": lambda: Mask.window(where, number),
        "causal": lambda: Mask.causal(where),
        "top_k": lambda: TopK(where, number),
        "temperature": lambda: Temperature(where, float(change.number)),
        "dropout": lambda: Dropout(where, number / 100, change.seed),
        "hashing": lambda: Hashing(where, number),
        "unseen": lambda: Mask.without(where, [number]),
        "off": lambda: Ablate(where),
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
