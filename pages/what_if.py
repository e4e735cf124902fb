"""What if: switch heads off or change what they may see, and see what the model says and does then."""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from attnviz import aggregate
from attnviz.attention import pooled_maps
from attnviz.measures import distances
from attnviz.ui.components.export_menu import export_menu
from attnviz.ui.components.mosaic import Note, heads_mosaic, tiles
from attnviz.ui.components.ready import figures_ready, run_name, theme
from attnviz.ui.components.weights_table import head_table
from attnviz.ui.controls import display_options, inputs, url_state
from attnviz.ui.controls.page_header import page_header
from attnviz.ui.screens.what_if import changes, wording
from attnviz.ui.screens.what_if.drawing import draw_outcome
from attnviz.ui.screens.what_if.effect_maps import effect_maps
from attnviz.ui.screens.what_if.presets import preset_pills
from attnviz.ui.shell import errors
from attnviz.ui.shell.messages import _, kind_title, language, local_number, ngettext
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.attention.attention_map import AttentionMap
    from attnviz.export import Picture
    from attnviz.interventions import Effect
    from attnviz.measures.distances import Difference
    from attnviz.models.recording import Recording
    from attnviz.ui.controls.display_options import Switches
    from attnviz.ui.controls.page_header import Text
    from attnviz.ui.screens.what_if.changes import Change, Head
    from attnviz.ui.shell.models import Loaded

PATIENCE = 0.5  # seconds after which the page says how far it is


@dataclass(frozen=True)
class Asked:
    """What is changed and what is shown of it."""

    kind: str
    layer: int
    head: int | None
    switches: Switches
    change: Change
    off: tuple[Head, ...]
    importance: bool


def main() -> None:
    top = page_header()
    presets, row = st.container(), st.container(horizontal=True, vertical_alignment="bottom", key="change_row")
    figures = st.container(key="figures")
    loaded = top.load(figures)
    if loaded is None:
        keep_all("target", "pair", "kind", "layer", "head", *display_options.SWITCH_KEYS)
        return
    with top.controls:
        kind = inputs.kind_control(loaded.kinds, top.name, top.say)
    before, text = top.record(figures, loaded, kind)
    if before is None:
        keep_all("layer", "head", *display_options.SWITCH_KEYS)
        return
    with top.controls:
        layer = inputs.layer_control(
            before.size(kind)[0], top.name, top.say, before.size(kind)[0] - 1, inputs.layer_numbers(before, kind)
        )
        head = inputs.head_control(before.heads(kind, layer), top.say)
        switches = display_options.switch_controls(before.query_tokens(kind), before.key_tokens(kind), top.say)
    with presets:
        preset_pills(before, loaded.kinds)
    with row:
        change = changes.change_controls(before, kind, head, top.say)
        importance = st.toggle(
            _("Which head matters?"), key="importance", bind="query-params",
            help=_("Switches each head off alone and measures how much the output changes. Off again: cancels it."),
        )  # fmt: skip
    off = changes.heads_off(loaded.model.recorder.plan.heads, top.say)
    asked = Asked(kind, layer, head, switches, change, off, importance)
    run = run_name(loaded.key, *text, repr(asked), language(), theme())

    def show() -> int:
        after = changed_run(loaded, before, text, asked)
        return draw(figures, loaded, before, after, asked, text, run, top.settings(text), top.progress)

    drawn = errors.attempt(figures, show)
    top.progress.empty()
    if drawn:
        figures_ready(run, top.sentence, figures=drawn)


def keep_all(*keys: str) -> None:
    """Keeps what the controls held that are not drawn in this run."""
    url_state.keep_values(*keys, *changes.CHANGE_KEYS, "importance", "preset")


def changed_run(loaded: Loaded, before: Recording, text: Text, asked: Asked) -> Recording:
    """The recording with the changes, on the tokens of the unchanged one; that one itself where nothing is changed."""
    pattern = None
    if asked.change.name == "pattern":
        if not asked.change.other.strip():
            return before
        pattern = loaded.record(asked.change.other, None)
    interventions = changes.interventions(asked.change, asked.off, asked.kind, asked.layer, asked.head, pattern)
    if not interventions:
        return before

    def record() -> Recording:
        return loaded.model.record_changed(before, interventions)

    after = loaded.cache.get(("recording", *text, interventions), record)
    _ = [after.size(kind) for kind in after.kinds]  # the decoder runs now, so that an error is told here
    return after


# What is drawn -------------------------------------------------------------------------------------------------------


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
    importance = measured_importance(loaded, before, asked, text, progress) if asked.importance else None
    with container:
        with st.container(key="take_corner"):
            export_menu(partial(picture, maps, difference, asked, settings), name=f"attnviz-what-if-{asked.kind}")
        with st.container(key="what_it_says"):
            draw_outcome(loaded, effect, text, run)
        draw_heads(loaded, after, asked, text, importance, run)
        effect_maps(
            maps[0],
            difference,
            maps[1],
            run=run,
            key="maps",
            summary=remarks(effect, asked),
            scale=asked.switches.scale,
        )
        numbers(maps, difference)
    return 3


def shown_map(recording: Recording, asked: Asked) -> AttentionMap:
    """The head that is open, or the mean of the layer's heads."""
    if asked.head is not None:
        return asked.switches.apply(recording.pooled_map(asked.kind, layer=asked.layer, head=asked.head))
    mean = aggregate.over_heads(recording, asked.kind, asked.layer)
    return asked.switches.apply(pooled_maps.pool(mean, pooled_maps.MOST))


def remarks(effect: Effect, asked: Asked) -> str:
    """What is shown, what share of the pairs is computed, and what a long text would save."""
    from attnviz.interventions import Hashing
    from attnviz.tokenization.token import labels

    after, change = effect.after, asked.change
    head = _("mean of the heads") if asked.head is None else f"H{asked.head}"
    parts = [f"{kind_title(asked.kind)} L{after.layer_number(asked.kind, asked.layer)} {head}"]
    if (asked.kind, asked.layer, asked.head) in asked.off:
        parts.append(_("this head is off: its weights are shown, and nothing reads what they give"))
    if after is not effect.before:
        parts.append(_("computed: {0} of all pairs of the model").format(wording.percent(effect.density)))
    if change.name == "window":
        causal = after.kinds == ("decoder",) or asked.kind == "decoder"
        parts.append(wording.spared_sentence(int(change.number), causal=causal))
    if change.name == "pattern" and not change.other.strip():
        parts.append(_("Type the sentence whose pattern is to be taken."))
    if change.name == "hashing" and asked.head is not None:
        hashing = next(item for item in after.interventions if isinstance(item, Hashing))
        keys = after.keys(asked.kind, layer=asked.layer, head=asked.head)
        buckets = hashing.bucket(keys)[0].tolist()
        parts.append(
            _("keys in one bucket: {0}").format(wording.bucket_sentence(labels(after.key_tokens(asked.kind)), buckets))
        )
    return _("; ").join(parts)


def measured_importance(
    loaded: Loaded, before: Recording, asked: Asked, text: Text, progress: DeltaGenerator
) -> np.ndarray:
    """How much the output changes when each head alone is off: (layers, heads), bits."""
    from attnviz.interventions.importance import importance_of

    started = time.monotonic()

    def tell(done: float) -> None:
        if time.monotonic() - started > PATIENCE:
            progress.progress(done, _("Switching off one head after the other"))

    return loaded.cache.get(
        ("importance", *text, asked.kind), lambda: importance_of(loaded.model, before, asked.kind, progress=tell)
    )


def draw_heads(
    loaded: Loaded, after: Recording, asked: Asked, text: Text, importance: np.ndarray | None, run: str
) -> None:
    """All heads of the kind as they are in the changed run; a click switches one off or on."""
    off = {(layer, head) for kind, layer, head in asked.off if kind == asked.kind}
    with st.container(horizontal=True, vertical_alignment="center", key="off_row"):
        st.markdown(f"**{_('Click a head to switch it off or on')}**")
        if asked.off:
            label = ngettext("{0} head off: switch it on", "{0} heads off: switch all on", len(asked.off))
            st.button(
                label.format(len(asked.off)), key="all_on", icon=":material/restart_alt:", type="tertiary",
                on_click=changes.switch_all_on,
            )  # fmt: skip
        if importance is not None:
            layer, head = (int(index) for index in np.unravel_index(np.nanargmax(importance), importance.shape))
            word = (
                _("Switch {0} on, which matters most")
                if (layer, head) in off
                else _("Switch {0} off, which matters most")
            )
            number = after.layer_number(asked.kind, layer)
            st.button(
                word.format(f"L{number} H{head}"), key="most_important", icon=":material/toggle_off:", type="tertiary",
                on_click=changes.switch_head, args=(asked.kind, layer, head),
            )  # fmt: skip
    switches = replace(asked.switches, rows=())
    maps = loaded.cache.get(
        ("tiles", *text, asked.kind, after.interventions, astuple(switches)),
        lambda: tiles(after, asked.kind, switches),
    )
    notes = []
    most = 0.0 if importance is None else float(np.nanmax(importance)) or 1.0
    for map in maps:
        at = (map.layer or 0, map.head or 0)
        value = None if importance is None else float(importance[at])
        # A tile has room for one of both; the bar still says how important a head is that is off.
        state = [_("off")] if at in off else []
        measured = [] if value is None else [wording.bits(value)]
        short = state or ([] if value is None else [local_number(f"{value:.3f}")])
        notes.append(Note("".join(short), _(", ").join([*state, *measured]), None if value is None else value / most))
    heads_mosaic(
        maps,
        notes,
        run=run,
        key="mosaic",
        summary=_("{0}, all heads of the changed run").format(kind_title(asked.kind)),
        scale=switches.scale,
        off=frozenset(off),
        action=_("Switch this head off or on"),
        on_open=partial(changes.switch_head, asked.kind),
    )


def numbers(maps: list[AttentionMap], difference: Difference) -> None:
    """The numbers of the three pictures; made when somebody looks."""
    expander = st.expander(_("Numbers"), key="numbers", on_change="rerun")
    if not expander.open:
        return
    with expander:
        for title, map in zip((_("Unchanged"), _("Changed")), maps, strict=True):
            st.caption(title)
            head_table(map)
        st.caption(_("Difference: changed − unchanged"))
        head_table(
            replace(difference.a, weights=difference.weights, hidden_mass=np.zeros_like(difference.a.hidden_mass))
        )


def picture(maps: list[AttentionMap], difference: Difference, asked: Asked, settings: dict[str, str]) -> Picture:
    """The three maps, for an export."""
    from attnviz.export import Picture

    change = "" if asked.change.name == "none" else " ".join(str(part) for part in astuple(asked.change))
    off = " ".join(f"{kind}.L{layer}.H{head}" for kind, layer, head in asked.off)
    return Picture(
        (maps[0], difference, maps[1]),
        columns=3,
        scale=asked.switches.scale,
        theme=theme(),
        settings={**settings, **asked.switches.settings(), "change": change, "off": off},
    )


require_router()
main()
