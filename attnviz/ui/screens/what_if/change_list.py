"""What is changed so far, in the order in which it acts; each is taken back with a click.

    changes that were kept ─ the one that is being set ─ heads that are off

The kept ones and the heads stand in the address, "changes" and "off".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.tokenization.token import labels
from attnviz.ui.controls.url_state import Say, shorten
from attnviz.ui.screens.what_if.change_controls import CHANGE_KEYS
from attnviz.ui.screens.what_if.changes import Change, Head, change_title, parse_change
from attnviz.ui.shell.errors import as_markdown
from attnviz.ui.shell.messages import _, ngettext

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording

OFF, KEPT = "off", "changes"
MOST_CHANGES = 12
MOST_BUTTONS = 8  # heads with a button of their own; the others are switched on in the picture
LONGEST = 48  # characters of a button


# What is kept --------------------------------------------------------------------------------------------------------


def kept_changes(counts: Mapping[str, Sequence[int]], recording: Recording, say: Say) -> tuple[Change, ...]:
    """The changes that were kept, by hand or by the link.

    Args:
        counts: by kind, how many heads each layer has.
        recording: of the unchanged run.
        say: told which of a link's changes there are not.
    """
    changes, missing = [], []
    for part in _read(KEPT).split():
        change = parse_change(part)
        if change is not None and _fits(change, counts, recording):
            changes.append(change)
        else:
            missing.append(part)
    if missing:
        said = _("This is no change of this model and this sentence, and is left out: {0}")
        say(said.format(shorten(" ".join(missing), 60)))
    changes = changes[:MOST_CHANGES]
    _write(KEPT, " ".join(change.text for change in changes))
    return tuple(changes)


def _fits(change: Change, counts: Mapping[str, Sequence[int]], recording: Recording) -> bool:
    layers = counts.get(change.kind, ())
    if not layers or (change.layer is not None and change.layer >= len(layers)):
        return False
    if change.head is not None and change.head >= layers[change.layer or 0]:
        return False
    queries, keys = recording.size(change.kind)[2:]
    if change.name == "unseen":
        return change.numbers[0] < keys
    return change.name != "edge" or (change.numbers[0] < queries and change.numbers[1] < keys)


def heads_off(counts: Mapping[str, Sequence[int]], say: Say) -> tuple[Head, ...]:
    """The heads that are switched off, by hand or by the link.

    Args:
        counts: by kind, how many heads each layer has.
        say: told which of a link's heads there are not.
    """
    heads, missing = [], []
    for part in _read(OFF).split():
        match = re.fullmatch(r"(encoder|decoder|cross)\.L(\d+)\.H(\d+)", part)
        layers = counts.get(match[1], ()) if match else ()
        if match and int(match[2]) < len(layers) and int(match[3]) < layers[int(match[2])]:
            heads.append((match[1], int(match[2]), int(match[3])))
        else:
            missing.append(part)
    if missing:
        say(_("This model has no head {0}, which the link switches off.").format(shorten(" ".join(missing))))
    heads = list(dict.fromkeys(heads))
    _write(OFF, " ".join(map(head_text, heads)))
    return tuple(heads)


def head_text(head: Head) -> str:
    """A head as it stands in the address: "cross.L3.H4"."""
    kind, layer, number = head
    return f"{kind}.L{layer}.H{number}"


def _read(key: str) -> str:
    return str(st.session_state.get(key, st.query_params.get(key, "")))


def _write(key: str, text: str) -> None:
    st.session_state[key] = text
    if text and st.query_params.get(key) != text:
        st.query_params[key] = text
    elif not text and key in st.query_params:
        del st.query_params[key]


# What a click does: these run before the page does ------------------------------------------------------------------


def switch_head(kind: str, layer: int, head: int) -> None:
    """Switches a head off, or on again."""
    part, parts = head_text((kind, layer, head)), _read(OFF).split()
    left = [one for one in parts if one != part]
    st.session_state[OFF] = " ".join(left if part in parts else [*parts, part])


def undo_all() -> None:
    """Nothing is changed any more."""
    st.session_state[OFF] = st.session_state[KEPT] = ""
    end_change()


def end_change() -> None:
    """The controls stand at no change; what their values were, they have when it is chosen again."""
    st.session_state["change"] = "none"


def keep_change(change: Change) -> None:
    """Puts the change that is being set into the list; its controls begin again."""
    st.session_state[KEPT] = f"{_read(KEPT)} {change.text}".strip()
    end_change()


def remove_change(place: int) -> None:
    """Takes a change out of the list."""
    parts = _read(KEPT).split()
    st.session_state[KEPT] = " ".join(parts[:place] + parts[place + 1 :])


def set_all(settings: Mapping[str, Any], off: str = "") -> None:
    """Sets the change's controls and the heads that are off, and nothing else is changed.

    Args:
        settings: by the controls' keys; what is not named goes back to its beginning.
        off: heads, as they stand in the address.
    """
    for key in CHANGE_KEYS:
        if key not in settings:
            st.session_state.pop(key, None)
    st.session_state["where"] = "all"
    for key, value in settings.items():
        st.session_state[key] = value
    st.session_state[OFF], st.session_state[KEPT] = off, ""


# The list ------------------------------------------------------------------------------------------------------------


def change_list(
    recording: Recording, kept: Sequence[Change], change: Change, off: Sequence[Head], remark: str = ""
) -> None:
    """Draws a button for each change, which takes it back, and one for all of them; nothing where nothing is changed.

    Args:
        recording: of the unchanged run.
        kept: the changes in the list.
        change: the one that is being set.
        off: heads that are switched off.
        remark: what else is to be said beside them.
    """
    if not kept and change.name == "none" and not off:
        return

    def title(one: Change) -> str:
        names = (labels(recording.query_tokens(one.kind)), labels(recording.key_tokens(one.kind)))
        return change_title(one, *names, lambda layer: recording.layer_number(one.kind, layer))

    with st.container(horizontal=True, vertical_alignment="center", key="changed"):
        st.caption(_("Changed, in this order:"), width="content")
        for place, one in enumerate(kept):
            _button(title(one), f"take_back_{place}", remove_change, place)
        if change.name != "none":
            _button(title(change), "take_back", end_change)
            if len(kept) < MOST_CHANGES and (change.name != "pattern" or change.other.strip()):
                st.button(
                    _("Keep, and change more"), key="keep_change", icon=":material/add:", type="tertiary",
                    on_click=keep_change, args=(change,),
                )  # fmt: skip
        for kind, layer, head in off[:MOST_BUTTONS]:
            name = title(Change("off", kind, layer, head))
            _button(name, f"on_{head_text((kind, layer, head))}".replace(".", "_"), switch_head, kind, layer, head)
        if len(off) > MOST_BUTTONS:
            more = len(off) - MOST_BUTTONS
            st.caption(ngettext("and {0} more head", "and {0} more heads", more).format(more), width="content")
        st.button(_("Undo all"), key="all_on", icon=":material/restart_alt:", type="tertiary", on_click=undo_all)
        if remark:
            st.caption(remark, width="content")


def _button(title: str, key: str, act: Callable[..., None], *args: Any) -> None:
    st.button(as_markdown(shorten(title, LONGEST)), key=key, icon=":material/close:", on_click=act, args=args)
