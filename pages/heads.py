"""Home: a sentence and all heads of a layer; one of them opened large."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.ui import errors, models, pooling, state
from attnviz.ui.grid import heads_grid
from attnviz.ui.messages import _, language, ngettext
from attnviz.ui.opened import opened_head
from attnviz.ui.ready import figures_ready, run_name, theme

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.maps import AttentionMap
    from attnviz.recording import Recording


@dataclass(frozen=True)
class View:
    """All that decides what the figures show, apart from the recording."""

    kind: str
    layer: int
    head: int | None
    by_word: bool
    hide: bool
    per_head: bool

    def of(self, map: AttentionMap) -> AttentionMap:
        """The map as it is to be shown; groups of a long text's tokens stay as they are."""
        if map.query_tokens[0].id == pooling.GROUP:
            return map
        if self.hide:
            map = map.hide(lambda token: token.special)
        return map.by_word() if self.by_word else map


def main() -> None:
    boxes = st.container(horizontal=True, key="boxes")
    with boxes:
        sentence = state.sentence_box()
    state.examples()
    controls = st.container(horizontal=True, vertical_alignment="bottom", key="controls")
    with controls:
        name = state.model_picker()
    say = errors.Remarks(st.empty())
    progress = st.empty()
    figures = st.container(key="figures")

    loaded = errors.attempt(figures, lambda: models.load(name, progress))
    if loaded is None:
        state.hold("target", "kind", "layer", "head", *state.SWITCHES)
        return
    with controls:
        kind = state.kind_control(loaded.kinds, name, say)
    has_target = "cross" in loaded.kinds
    target = state.target() if has_target else None

    recording = record(figures, loaded, sentence, target, kind)
    if recording:
        state.remember_size(name, kind, recording.size(kind))
    if has_target and kind != "encoder":
        with boxes:
            state.target_box(own_words(recording) if recording and target is None else "")
    else:
        state.hold("target")
    size = state.known_size(name, kind)
    if size is None:
        state.hold("layer", "head", *state.SWITCHES)
        return
    with controls:
        layer = state.layer_control(size[0], name, say)
        head = state.head_control(size[1], say)
        view = View(kind, layer, head, *state.switches())
    if recording:
        run = run_name(loaded.key, sentence, target, astuple(view), language(), theme())
        drawn = errors.attempt(figures, lambda: draw(figures, recording, view, run))
        if drawn:
            figures_ready(run, sentence, figures=drawn)


def record(
    place: DeltaGenerator, loaded: models.Loaded, sentence: str, target: str | None, kind: str
) -> Recording | None:
    """The recording, once its part of this kind has been computed; None where the reader was told why not."""
    if not sentence.strip():
        place.info(_("Type a sentence above, or pick one of the examples."), icon=":material/keyboard:")
        return None

    def make() -> Recording:
        recording = loaded.record(sentence, target)
        recording.size(kind)
        return recording

    return errors.attempt(place, make)


def own_words(recording: Recording) -> str:
    """What an encoder–decoder itself said."""
    return "".join(token.text for token in recording.query_tokens("decoder") if not token.special).strip()


def draw(place: DeltaGenerator, recording: Recording, view: View, run: str) -> int:
    """Draws everything; returns how many figures that are, 0 where there is nothing to see."""
    maps = [view.of(map) for map in pooling.layer_maps(recording, view.kind, view.layer)]
    if not maps[0].weights.size:
        place.info(_("Only special tokens are left, and those are hidden."), icon=":material/visibility_off:")
        return 0
    scale = "head" if view.per_head else "shared"
    with place:
        heads_grid(
            maps,
            run=run,
            key="heads",
            summary=summary(recording, maps, view),
            scale=scale,
            opened=view.head,
            on_open=state.open_head,
        )
        if view.head is None:
            return 1
        return 1 + opened_head(
            maps[view.head],
            others(recording, view),
            run=run,
            scale=scale,
            on_close=partial(state.open_head, None),
            on_kind=state.show_kind,
        )


def others(recording: Recording, view: View) -> list[AttentionMap]:
    """The same layer and head of the other kinds, where there is one."""
    found = []
    for kind in recording.kinds:
        layers, heads, _queries, _keys = recording.size(kind)
        if kind != view.kind and view.layer < layers and view.head is not None and view.head < heads:
            map = view.of(pooling.head_map(recording, kind, view.layer, view.head))
            if map.weights.size:
                found.append(map)
    return found


def summary(recording: Recording, maps: list[AttentionMap], view: View) -> str:
    """What is shown, in a line."""
    layers, heads, _queries, all_keys = recording.size(view.kind)
    queries, keys = maps[0].weights.shape
    parts = [
        view.kind.capitalize(),
        _("layer {0} of 0–{1}").format(view.layer, layers - 1),
        ngettext("{0} head", "{0} heads", heads).format(heads),
    ]
    if pooling.is_long(recording, view.kind):
        parts.append(ngettext("{0} token", "{0} tokens", all_keys).format(all_keys))
        parts.append(_("neighbours taken together, words and special tokens as they come"))
        return ", ".join(parts)
    if view.kind == "cross":
        parts.append(_("{0} queries × {1} keys").format(queries, keys))
    elif view.by_word:
        parts.append(ngettext("{0} word", "{0} words", keys).format(keys))
    else:
        parts.append(ngettext("{0} token", "{0} tokens", keys).format(keys))
    if view.hide:
        share = sum(float(map.hidden_mass.mean()) for map in maps) / len(maps)
        parts.append(_("special tokens hidden, with {0} % of the attention").format(round(100 * share)))
    return ", ".join(parts)


main()
