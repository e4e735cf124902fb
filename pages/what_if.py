"""What if: switch heads off or change what they may see, and see what the model says and does then."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.measures import distances
from attnviz.ui.components.export_menu import export_menu
from attnviz.ui.components.page.ready import figures_ready, run_name, theme
from attnviz.ui.controls import display_options, inputs, url_state
from attnviz.ui.controls.page_header import page_header
from attnviz.ui.screens.what_if import change_list, heads, numbers
from attnviz.ui.screens.what_if.asked import Asked, changed_run, shown_map
from attnviz.ui.screens.what_if.change_controls import CHANGE_KEYS, change_controls
from attnviz.ui.screens.what_if.drawing import draw_outcome
from attnviz.ui.screens.what_if.effect_maps import effect_maps
from attnviz.ui.screens.what_if.opening import is_opening, open_with_heads_off
from attnviz.ui.screens.what_if.presets import preset_pills
from attnviz.ui.screens.what_if.remarks import drawn_buckets, remarks
from attnviz.ui.shell import errors
from attnviz.ui.shell.messages import _, language
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.models.recording.recording import Recording
    from attnviz.ui.controls.page_header import Text
    from attnviz.ui.shell.models import Loaded


def main() -> None:
    open_with_heads_off()
    top = page_header(folded=True)
    presets, row = st.container(), st.container(horizontal=True, vertical_alignment="bottom", key="change_row")
    changed = st.container()
    figures = st.container(key="figures")
    loaded = top.load(figures)
    if loaded is None:
        keep_all("target", "pair", "kind", "layer", "head", *url_state.SWITCH_KEYS)
        return
    with top.controls:
        kind = inputs.kind_control(loaded.kinds, top.name, top.say)
    before, text = top.record(figures, loaded, kind)
    if before is None:
        keep_all("layer", "head", *url_state.SWITCH_KEYS)
        return
    with top.controls:
        layer = inputs.layer_control(
            before.size(kind)[0], top.name, top.say, before.size(kind)[0] - 1, inputs.layer_numbers(before, kind)
        )
        head = inputs.head_control(before.heads(kind, layer), top.say)
        switches = display_options.switch_controls(before.query_tokens(kind), before.key_tokens(kind), top.say)
    with presets:
        preset_pills(before, loaded.kinds)
    counts = loaded.model.recorder.plan.heads
    with row:
        change = change_controls(before, kind, layer, head, top.say)
        off = change_list.heads_off(counts, top.say)
        stand_in = heads.stand_in(change, off)
        importance = heads.importance_toggle()
    kept = change_list.kept_changes(counts, before, top.say)
    with changed:
        hint = _("A click on a struck-through head switches it on again.") if is_opening() else ""
        change_list.change_list(before, kept, change, off, hint)
    asked = Asked(kind, layer, head, switches, kept, change, off, stand_in, importance)
    run = run_name(loaded.key, *text, repr(asked), language(), theme())

    def show() -> int:
        # What cannot be changed that way is said, and what was there before stays to be seen.
        after = errors.attempt(changed, lambda: changed_run(loaded, before, text, asked)) or before
        return draw(figures, loaded, before, after, asked, text, run, top.settings(text), top.progress)

    drawn = errors.attempt(figures, show)
    top.progress.empty()
    if drawn:
        figures_ready(run, top.sentence, figures=drawn)


def keep_all(*keys: str) -> None:
    """Keeps what the controls held that are not drawn in this run."""
    url_state.keep_values(*keys, *CHANGE_KEYS, "importance", "preset", "stand_in")


def draw(
    container: DeltaGenerator,
    loaded: Loaded,
    before: Recording,
    after: Recording,
    asked: Asked,
    text: Text,
    run: str,
    settings: dict[str, str],
    progress: DeltaGenerator,
) -> int:
    """Draws everything; returns how many figures that are, 0 where there is nothing to see."""
    from attnviz.interventions import Effect

    maps = [shown_map(recording, asked) for recording in (before, after)]
    if not maps[0].weights.size:
        container.info(_("Nothing is left to show: all tokens are hidden."), icon=":material/visibility_off:")
        return 0
    effect = Effect(loaded.model, before, after)
    difference = distances.difference(maps[1], maps[0])
    importance = None
    if asked.importance:
        importance = heads.measured_importance(loaded, before, asked, text, progress)
    with container:
        with st.container(key="take_corner"):
            make = partial(numbers.picture, maps, difference, asked, settings)
            export_menu(make, name=f"attnviz-what-if-{asked.kind}")
        with st.container(key="what_it_says"):
            draw_outcome(loaded, effect, text, run)
        heads.draw_heads(loaded, after, asked, text, importance, run)
        effect_maps(
            *(maps[0], difference, maps[1]),
            run=run,
            key="maps",
            summary=remarks(effect, asked, difference),
            scale=asked.switches.scale_of(*maps),
            buckets=drawn_buckets(maps[1], after, asked),
        )
        further = numbers.draw_distances(effect, run)
        numbers.numbers(maps, difference)
    return 3 + further


require_router()
main()
