"""Overview: every layer and head at once, what each head does, and finding one by it."""

from __future__ import annotations

import time
from dataclasses import astuple, dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.attention import pooled_maps
from attnviz.ui.components.export_menu import PageFigures, export_menu
from attnviz.ui.components.heads.mosaic import heads_mosaic, positions_per_cell, tiles
from attnviz.ui.components.heads.role_wording import role_notes
from attnviz.ui.components.numbers.numbers_table import numbers_collected
from attnviz.ui.components.numbers.weights_table import weights_table
from attnviz.ui.components.page.ready import figures_ready, run_name, theme
from attnviz.ui.controls import display_options, inputs, url_state
from attnviz.ui.controls.cost import cost_button
from attnviz.ui.controls.page_header import page_header
from attnviz.ui.screens.overview import traits
from attnviz.ui.screens.overview.measures_table import measures_table
from attnviz.ui.shell import errors, models
from attnviz.ui.shell.messages import _, kind_name, kind_title, language, local_number, model_label, ngettext
from attnviz.ui.shell.role_tables import role_table
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from streamlit.delta_generator import DeltaGenerator

    from attnviz.attention.attention_map import AttentionMap
    from attnviz.export import Picture
    from attnviz.export.tables import Table
    from attnviz.figures.style import Theme
    from attnviz.measures.head_measures import Measures
    from attnviz.models.recording.recording import Recording
    from attnviz.ui.components.heads.role_wording import RoleWords
    from attnviz.ui.controls.display_options import Switches
    from attnviz.ui.screens.overview.traits import Trait

PATIENCE = 0.7  # seconds after which the page says how far it is
_CHOSEN = "attnviz_chosen_head"


@dataclass(frozen=True)
class MeasuredHeads:
    """What is asked of the recording, and what each head does in that."""

    kind: str
    switches: Switches
    measures: tuple[Measures, ...]  # of all heads, in what the switches leave of them
    traits: tuple[Trait, ...]  # what heads can be found by
    trait: Trait | None  # what they are to be found by


def main() -> None:
    chosen = st.session_state.pop(_CHOSEN, None)
    if chosen:
        # In the address, where the controls of the home page look first.
        url_state.switch_page("pages/heads.py", chosen)
    url_state.keep_values("layer", "head")
    top = page_header()
    finder = st.container()
    figures = st.container(key="figures")
    tables = st.container()

    loaded = top.load(figures)
    if loaded is None:
        url_state.keep_values("target", "pair", "kind", *url_state.SWITCH_KEYS)
        return
    with top.controls:
        kind = inputs.kind_control(loaded.kinds, top.name, top.say)
    recording, text = top.record(figures, loaded, kind)
    with top.controls:
        tokens = (recording.query_tokens(kind), recording.key_tokens(kind)) if recording else ((), ())
        switches = display_options.switch_controls(*tokens, top.say)
        if recording:
            cost_button(recording, kind)
    if recording is None:
        return

    request = (*text, kind)
    roles = errors.attempt(figures, lambda: role_notes(role_table(loaded), kind)) or {}
    measures = errors.attempt(figures, lambda: measure_heads(loaded, recording, switches, request))
    if measures is None:
        return
    available = traits.traits(measures, kind, switches.by_word)
    with finder:
        measured = MeasuredHeads(kind, switches, measures, available, find_control(available, kind, top.say))

    run = run_name(loaded.key, *request, astuple(switches), measured.trait and measured.trait.name, language(), theme())

    def show() -> int:
        maps = loaded.cache.get(
            ("maps", *request, astuple(switches)), lambda: tiles(recording, kind, switches, late_progress(top.progress))
        )
        return draw(figures, tables, recording, measured, maps, run, top.settings(text), roles)

    drawn = errors.attempt(figures, show)
    top.progress.empty()
    if drawn:
        figures_ready(run, top.sentence, figures=drawn)


def find_control(available: tuple[Trait, ...], kind: str, say: url_state.Say) -> Trait | None:
    """What heads are looked for, or None.

    The control itself would put its options into the address as they are written on the screen, in the reader's
    language; so the word of the API is put there by hand.
    """
    if not available:  # nothing is shown, so nothing is measured
        return None
    by_name = {trait.name: trait for trait in available}
    requested = st.session_state.get("found", st.session_state.get("find", st.query_params.get("find")))
    if requested and requested not in by_name:
        say(
            _("Heads of the {0} attention cannot be found by {1}; none stands out.").format(
                kind_name(kind), url_state.shorten(requested)
            )
        )
    st.session_state["found"] = requested if requested in by_name else None
    name = st.pills(
        _("Find heads that look"),
        list(by_name),
        format_func=lambda name: by_name[name].asks,
        key="found",
        wrap=False,
        help=_(
            "Shares of what is shown of the attention, averaged over its queries. Without a choice, what gets more "
            "than half of a head's attention is named below it."
        ),
    )
    st.session_state["find"] = name
    if name and st.query_params.get("find") != name:
        st.query_params["find"] = name
    elif not name and "find" in st.query_params:
        del st.query_params["find"]
    return by_name[name] if name else None


def measure_heads(
    loaded: models.Loaded, recording: Recording, switches: Switches, request: tuple[str, str | None, str | None, str]
) -> tuple[Measures, ...]:
    """What each head does in what is shown of it; averaged rows are measured one by one.

    Args:
        request: the text that was recorded, its target and its pair, and the kind of attention.
    """
    from attnviz.measures.head_measures import measure_all

    shown = replace(switches, rows=(), per_head=False, even_colours=False)
    prepare = None if shown.leaves_all else shown.apply
    return loaded.cache.get(
        ("measures", *request, astuple(shown)), lambda: measure_all(recording, request[-1], prepare)
    )


def late_progress(container: DeltaGenerator) -> Callable[[float], None]:
    """Shows in `container` how far it is, once it has taken longer than one notices."""
    started = time.monotonic()

    def tell(done: float) -> None:
        if time.monotonic() - started > PATIENCE:
            container.progress(done, _("Computing the maps of all heads"))

    return tell


def draw(
    container: DeltaGenerator,
    tables: DeltaGenerator,
    recording: Recording,
    measured: MeasuredHeads,
    maps: tuple[AttentionMap, ...],
    run: str,
    settings: dict[str, str],
    roles: Mapping[tuple[int, int], RoleWords],
) -> int:
    """Draws everything; returns how many figures that are, 0 where there is nothing to see."""
    switches = measured.switches
    if not maps[0].weights.size:
        container.info(_("Nothing is left to show: all tokens are hidden."), icon=":material/visibility_off:")
        return 0
    best = traits.rank_heads(measured.measures, measured.trait) if measured.trait else []
    made = partial(picture, maps, switches, {**settings, **switches.settings()}, theme())
    numbers: list[Table] = []
    with container:
        with st.container(key="take_corner"):
            name = f"attnviz-overview-{measured.kind}"
            title = " · ".join([_("Overview"), kind_title(measured.kind), url_state.shorten(settings["sentence"], 80)])
            facts = [_("model {0}").format(model_label(settings["model"]))]
            export_menu(made, name=name, page=PageFigures(f"{name}-measures", title, lambda: numbers, facts))
        heads_mosaic(
            maps,
            traits.tile_notes(measured.measures, measured.traits, measured.trait, roles),
            run=run,
            key="mosaic",
            summary=summary(recording, measured, maps, best),
            scale=switches.scale_of(maps[0]),
            marked=frozenset((one.layer, one.head) for one in best) if best else None,
            on_open=open_head,
        )
    with tables:
        with numbers_collected(numbers):
            remark = traits.missing_remark(measured.measures, measured.kind)
            names = inputs.layer_numbers(recording, measured.kind)
            measures_table(measured.measures, measured.traits, remark, numbers=names, on_open=open_head)
        weights_table(maps)
    return 1


def open_head(layer: int, head: int) -> None:
    """Goes to the head on the home page; for callbacks, which run before the page does."""
    st.session_state[_CHOSEN] = {"layer": str(layer), "head": str(head)}
    for key in ("layer", "head"):
        st.session_state.pop(key, None)


def picture(maps: tuple[AttentionMap, ...], switches: Switches, settings: dict[str, str], theme: Theme) -> Picture:
    """What is on the screen, for an export."""
    from attnviz.export import Picture

    heads = 1 + max(map.head or 0 for map in maps)
    return Picture(maps, columns=heads, scale=switches.scale_of(maps[0]), theme=theme, settings=settings)


def summary(
    recording: Recording, measured: MeasuredHeads, maps: Sequence[AttentionMap], best: Sequence[Measures]
) -> str:
    """What is shown, in a line; the heads that answer the reader's question come first."""
    layers, heads, all_queries, all_keys = recording.size(measured.kind)
    together = positions_per_cell(recording, measured.kind)
    keys = maps[0].weights.shape[1]
    parts = [
        kind_title(measured.kind),
        _("{0} × {1}").format(
            ngettext("{0} layer", "{0} layers", layers).format(layers),
            ngettext("{0} head", "{0} heads", heads).format(heads),
        ),
    ]
    if measured.kind == "cross":
        parts.append(_("{0} queries × {1} keys").format(all_queries, all_keys))
    elif measured.switches.by_word and together == 1:
        parts.append(ngettext("{0} word", "{0} words", keys).format(keys))
    else:
        parts.append(ngettext("{0} token", "{0} tokens", all_keys).format(all_keys))
    if any(pooled_maps.is_pooled(side) for side in (maps[0].query_tokens, maps[0].key_tokens)):
        parts.append(_("up to {0} neighbours taken together in each cell").format(together))
    sentences = [_(", ").join(parts)]
    switches, kind = measured.switches, measured.kind
    sentences += switches.remarks(recording.query_tokens(kind), recording.key_tokens(kind), maps)
    if switches.hide_first:
        others = tiles(recording, kind, replace(switches, hide_first=False))
        sentences.append(display_options.first_remark(maps, others))
    sentences += display_options.colour_remark(switches.scale_of(maps[0]))
    if measured.trait:
        numbers = [recording.layer_number(measured.kind, one.layer or 0) for one in best]
        heads_text = _(", ").join(
            f"L{number} H{one.head} {measured.trait.number(one)}" for number, one in zip(numbers, best, strict=True)
        )
        finding = _("Looking most {0}: {1}").format(measured.trait.asks, heads_text)
        if not best:
            least = local_number(f"{traits.LEAST_SHARE:.2f}")
            finding = _("Looking {0}: none does, with {1} or more of its attention").format(measured.trait.asks, least)
        sentences.insert(0, finding)
    return _("; ").join(sentences)


require_router()
main()
