"""Home: a sentence and all heads of a layer; one of them opened large."""

from __future__ import annotations

from dataclasses import astuple, replace
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import streamlit as st

from attnviz.attention import pooled_maps
from attnviz.measures.findings import opening_layer
from attnviz.tokenization.token import is_word
from attnviz.ui.components.explanation.score_parts import stored_split
from attnviz.ui.components.export_menu import export_menu
from attnviz.ui.components.heads.head_grid import COLUMNS, head_grid
from attnviz.ui.components.heads.role_wording import measured_lines
from attnviz.ui.components.numbers.weights_table import weights_table
from attnviz.ui.components.page.reading_hint import reading_hint
from attnviz.ui.components.page.ready import figures_ready, run_name, theme
from attnviz.ui.controls import display_options, inputs, long_texts, url_state
from attnviz.ui.controls.page_header import page_header
from attnviz.ui.screens.heads.opened_head import opened_head
from attnviz.ui.screens.heads.selection import HeadSelection
from attnviz.ui.screens.heads.why import MOST_TOKENS, draw_why
from attnviz.ui.shell import errors
from attnviz.ui.shell.messages import _, kind_title, language, local_count, ngettext
from attnviz.ui.shell.role_tables import role_table
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from collections.abc import Callable

    from streamlit.delta_generator import DeltaGenerator

    from attnviz.attention.attention_map import AttentionMap
    from attnviz.export import Picture
    from attnviz.export.picture import Style
    from attnviz.figures.style import Theme
    from attnviz.models.recording.recording import Recording
    from attnviz.roles import RolesTable


def main() -> None:
    top = page_header()
    keys = ("sentence", long_texts.parameter("sentence"), "model", "lang")
    parameters = {key: st.query_params[key] for key in keys if st.query_params.get(key)}
    story = (_("New here? See how it works"), f"story?{urlencode(parameters)}")
    reading_hint(inputs.how_to_read(theme()), name="heads", link=story)
    figures = st.container(key="figures")
    loaded = top.load(figures)
    if loaded is None:
        url_state.keep_values("target", "pair", "kind", "layer", "head", *url_state.SWITCH_KEYS)
        return
    with top.controls:
        kind = inputs.kind_control(loaded.kinds, top.name, top.say)
    recording, text = top.record(figures, loaded, kind)
    if recording:
        url_state.remember_size(top.name, kind, recording.size(kind))
    size = url_state.recall_size(top.name, kind)
    if size is None:
        url_state.keep_values("layer", "head", *url_state.SWITCH_KEYS)
        return
    with top.controls:
        names = inputs.layer_numbers(recording, kind) if recording else None
        layer = inputs.layer_control(size[0], top.name, top.say, opening_layer(top.model), names)
        head = inputs.head_control(recording.heads(kind, layer) if recording else size[1], top.say)
        tokens = (recording.query_tokens(kind), recording.key_tokens(kind)) if recording else ((), ())
        selection = HeadSelection(kind, layer, head, display_options.switch_controls(*tokens, top.say))
    if recording:
        run = run_name(loaded.key, *text, astuple(selection), language(), theme())
        why = None
        if head is not None and recording.by_capture and max(recording.size(kind)[2:]) <= MOST_TOKENS:
            split = partial(stored_split, loaded, recording, text, kind, layer, head)
            whole = partial(recording.map, kind, layer=layer, head=head)
            why = partial(draw_why, whole, split, by_word=selection.switches.by_word, say=top.say)
        roles = errors.attempt(figures, lambda: role_table(loaded))
        drawn = errors.attempt(
            figures, lambda: draw(figures, recording, selection, run, top.settings(text), why, roles)
        )
        if drawn:
            figures_ready(run, top.sentence, figures=drawn)


def draw(
    container: DeltaGenerator,
    recording: Recording,
    selection: HeadSelection,
    run: str,
    settings: dict[str, str],
    why: Callable[[], None] | None = None,
    roles: RolesTable | None = None,
) -> int:
    """Draws everything; returns how many figures that are, 0 where there is nothing to see.

    `why` draws why the opened head looks where it does; `roles` are what the model's heads were measured to do.
    """
    switches = selection.switches
    maps = switches.maps(recording, selection.kind, selection.layer)
    if not maps[0].weights.size:
        container.info(_("Nothing is left to show: all tokens are hidden."), icon=":material/visibility_off:")
        return 0

    def measured(layer: int, head: int) -> list[str]:
        return measured_lines(settings["model"], roles, selection.kind, layer, head, settings["sentence"])

    shown = maps if selection.head is None else [maps[selection.head]]
    make_picture = partial(picture, shown, switches, {**settings, **switches.settings()}, theme())
    number = recording.layer_number(selection.kind, selection.layer)
    origin = f"attnviz-L{number}" if selection.head is None else f"attnviz-L{number}-H{selection.head}"
    take = partial(
        export_menu,
        make_picture,
        name=f"{origin}-{selection.kind}",
        lines=None if selection.head is None else partial(make_picture, "lines"),
    )
    with container:
        if selection.head is None:
            with st.container(key="take_corner"):
                take()
        head_grid(
            maps,
            run=run,
            key="heads",
            summary=summary(recording, maps, selection),
            scale=switches.scale_of(maps[0]),
            opened=selection.head,
            notes=[next(iter(measured(map.layer or 0, map.head or 0)), "") for map in maps],
            on_open=inputs.open_head,
        )
        if selection.head is None:
            weights_table(maps)
            return 1
        return 1 + opened_head(
            maps[selection.head],
            same_head_elsewhere(recording, selection),
            run=run,
            scale=switches.scale_of(maps[0]),
            on_close=partial(inputs.open_head, None),
            on_kind=inputs.show_kind,
            take=take,
            measured=measured(selection.layer, selection.head),
            why=why,
        )


def picture(
    maps: list[AttentionMap],
    switches: display_options.Switches,
    settings: dict[str, str],
    theme: Theme,
    style: Style = "heatmap",
) -> Picture:
    """What is on the screen, for an export."""
    from attnviz.export import Picture

    return Picture(
        tuple(maps),
        style=style,
        columns=min(COLUMNS, len(maps)),
        scale=switches.scale_of(maps[0]),
        theme=theme,
        settings=settings,
    )


def same_head_elsewhere(recording: Recording, selection: HeadSelection) -> list[AttentionMap]:
    """The same layer and head of the other kinds, where there is one."""
    maps = []
    for kind in recording.kinds:
        if kind == selection.kind or selection.head is None or selection.layer >= recording.size(kind)[0]:
            continue
        if selection.head < recording.heads(kind, selection.layer):
            (map,) = selection.switches.maps(recording, kind, selection.layer, selection.head)
            if map.weights.size:
                maps.append(map)
    return maps


def summary(recording: Recording, maps: list[AttentionMap], selection: HeadSelection) -> str:
    """What is shown, in a line."""
    layers, _heads, _queries, all_keys = recording.size(selection.kind)
    queries, keys = maps[0].weights.shape
    number = recording.layer_number(selection.kind, selection.layer)
    counted = _("layer {0} of 0–{1}").format(number, layers - 1)
    if number != selection.layer:
        counted = _("layer {0}, one of {1} with attention").format(number, layers)
    parts = [
        kind_title(selection.kind),
        counted,
        ngettext("{0} head", "{0} heads", len(maps)).format(len(maps)),
    ]
    key_tokens = maps[0].key_tokens
    pooled = any(pooled_maps.is_pooled(side) for side in (maps[0].query_tokens, key_tokens))
    if selection.kind == "cross":
        parts.append(_("{0} queries × {1} keys").format(queries, keys))
        # Readers expect "cat" to look at "kat"; the row that does is the one before, which is about to write "cat".
        parts.append(_("each row looks for the word after it"))
    elif selection.switches.by_word and not pooled:
        words = sum(is_word(token) for token in key_tokens)
        parts.append(ngettext("{0} word", "{0} words", words).format(words))
        if keys > words:
            parts.append(ngettext("{0} other sign", "{0} other signs", keys - words).format(keys - words))
    else:
        shown = all_keys if pooled else keys
        parts.append(ngettext("{0} token", "{0} tokens", shown).format(local_count(shown)))
    if pooled and selection.switches.by_word:
        parts.append(_("neighbouring words taken together"))
    elif pooled:
        parts.append(_("neighbours taken together, words and special tokens as they come"))
    switches = selection.switches
    remarks = switches.remarks(recording.query_tokens(selection.kind), recording.key_tokens(selection.kind), maps)
    if switches.hide_first:
        others = replace(switches, hide_first=False).maps(recording, selection.kind, selection.layer)
        remarks.append(display_options.first_remark(maps, others))
    return _("; ").join([_(", ").join(parts), *remarks, *display_options.colour_remark(switches.scale_of(maps[0]))])


require_router()
main()
