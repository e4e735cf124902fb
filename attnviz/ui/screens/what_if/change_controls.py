"""The controls of the change that is being set: which one, where it acts, and how strong it is.

The change of these controls may be put into the list of `change_list.py`; then they begin again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.tokenization.token import labels
from attnviz.ui.controls import inputs
from attnviz.ui.controls.url_state import Say, keep_values, named_choice, number_choice, replace_missing
from attnviz.ui.screens.what_if.changes import CHANGES, STAND_INS, Change, change_name, stand_in_name
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from attnviz.interventions.ablation import To
    from attnviz.models.recording.recording import Recording
    from attnviz.tokenization.token import Token

TEMPERATURES = (0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 100)
BUCKETS = (2, 4, 8, 16, 32)
WIDEST = 32  # neighbours on either side, and keys of the top k, that a slider reaches
VALUE_KEYS = (
    "window", "stride", "top_k", "heat", "drop", "drop_seed", "buckets", "rounds", "hash_seed", "unseen", "from_word",
    "to_word", "other",
)  # fmt: skip
CHANGE_KEYS = ("change", "where", *VALUE_KEYS)
USED = {
    "strided": ("window", "stride"),
    "temperature": ("heat",),
    "dropout": ("drop", "drop_seed"),
    "hashing": ("buckets", "rounds", "hash_seed"),
    "edge": ("from_word", "to_word"),
    "pattern": ("other",),
}
"""The keys of the controls of each change; what is not named has its own name's, or none."""
HAND_WRITTEN = {"heat": "temperature", "buckets": "hashing"}  # keys that `number_choice` writes, by change


def change_controls(recording: Recording, kind: str, layer: int, head: int | None, say: Say) -> Change:
    """The choice of a change, where it acts and how strong it is.

    Args:
        recording: of the unchanged run.
        kind, layer: of attention that is shown, and changed.
        head: the one that is open; None where none is, and a single one cannot be chosen.
        say: told what a link asks for and is not there.
    """
    replace_missing("change", CHANGES, say, lambda value, _instead: _("There is no change called {0}.").format(value))
    for key, change_of in HAND_WRITTEN.items():
        if key in st.query_params and st.session_state.get("change", st.query_params.get("change")) != change_of:
            del st.query_params[key]
    name = named_choice(_("Change"), CHANGES, change_name, key="change", default="none", list_width=290)
    if name == "none":
        keep_values("where", *VALUE_KEYS)
        return Change()
    scopes = ("all", "layer", "head") if head is not None else ("all", "layer")
    names = {"all": _("all heads"), "layer": _("this layer"), "head": _("this head")}
    where = named_choice(_("Where"), scopes, names.__getitem__, key="where", default="all")
    values = _values(name, recording, kind, say)
    used = USED.get(name, (name,))
    keep_values(*(key for key in VALUE_KEYS if key not in used))
    return Change(name, kind, None if where == "all" else layer, head if where == "head" else None, **values)


def _values(name: str, recording: Recording, kind: str, say: Say) -> dict[str, Any]:
    """How strong the change is: fields of `Change`."""
    queries, keys = recording.query_tokens(kind), recording.key_tokens(kind)
    count = len(keys)
    if name == "off":
        return {"stand_in": stand_in_control()}
    if name == "pattern":
        length = len(recording.key_tokens(recording.kinds[0]))
        return {"other": _other_sentence(length)}
    controls: dict[str, Callable[[], tuple[float, ...]]] = {
        "window": lambda: (_slider("window", _("Neighbours on either side"), 0, count - 1, 1),),
        "strided": lambda: (
            _slider("window", _("Neighbours on either side"), 0, count - 1, 1),
            _slider("stride", _("Then every nth key"), 2, max(3, count - 1), 3),
        ),
        "top_k": lambda: (_slider("top_k", _("Keys that stay"), 1, count, 2),),
        "temperature": lambda: (number_choice(_("Temperature"), TEMPERATURES, 4, key="heat", width=220),),
        "dropout": lambda: (
            st.slider(_("Dropout p"), 10, 90, 50, 10, key="drop", format="%d %%", bind="query-params", width=160),
            _seed("drop_seed", _("Draws which weights are left out.")),
        ),
        "hashing": lambda: (
            number_choice(_("Buckets"), BUCKETS, 4, key="buckets", width=220),
            st.slider(_("Rounds"), 1, 8, 1, key="rounds", bind="query-params", width=140),
            _seed("hash_seed", _("Draws the directions that make the buckets.")),
        ),
        "unseen": lambda: (_token("unseen", _("Nobody may see"), keys, say),),
        "edge": lambda: (
            _token("from_word", _("This word"), queries, say),
            _token("to_word", _("may not see"), keys, say),
        ),
    }
    return {"numbers": controls[name]()} if name in controls else {}


def stand_in_control() -> To:
    """What stands in for the output of heads that are off."""
    chosen = named_choice(
        _("In place of heads that are off"), STAND_INS, stand_in_name, key="stand_in", default="zero", wrap=True
    )
    return STAND_INS[STAND_INS.index(chosen)]


def _slider(key: str, label: str, low: int, high: int, opening: int) -> int:
    high = max(low + 1, min(high, WIDEST))
    if isinstance(st.session_state.get(key), int):  # a longer sentence may have had more
        st.session_state[key] = min(max(st.session_state[key], low), high)
    return st.slider(label, low, high, min(opening, high), key=key, bind="query-params", width=220)


def _seed(key: str, explanation: str) -> int:
    return int(st.number_input(_("Seed"), 0, 9999, 0, 1, key=key, bind="query-params", width=120, help=explanation))


def _token(key: str, label: str, tokens: Sequence[Token], say: Say) -> int:
    """The position of a token that the reader picks by its label; the sentence's second word where nobody has."""
    names = labels(tokens)
    opening = next((at for at, token in enumerate(tokens) if token.word == 1), 0)

    def remark(value: str, instead: str) -> str:
        return _("The sentence has no {0}; {1} stands in its place.").format(value, instead)

    replace_missing(key, names, say, remark, default=names[opening])
    chosen = st.selectbox(label, names, index=opening, key=key, bind="query-params", width=160)
    return names.index(chosen) if chosen in names else opening


def _other_sentence(length: int) -> str:
    return inputs.text_box(
        _("Sentence whose pattern is taken"),
        "other",
        placeholder=_("a sentence of {0} tokens, as many as the one above").format(length),
        help=_("Each head then does here what it does there, so both need as many tokens: {0}.").format(length),
    )
