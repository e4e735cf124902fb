"""Compare: two to six heads side by side, the difference of two of them, and the heads that are like one of them."""

from __future__ import annotations

from dataclasses import astuple, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from attnviz.attention import pooled_maps
from attnviz.errors import AttnvizError
from attnviz.export import Picture
from attnviz.measures import distances
from attnviz.ui.components.export_menu import PageFigures, export_menu
from attnviz.ui.components.numbers.weights_table import head_table
from attnviz.ui.components.page.ready import figures_ready, run_name, theme
from attnviz.ui.controls import display_options, inputs, url_state
from attnviz.ui.controls.beginning import offering_beginning
from attnviz.ui.controls.page_header import page_header
from attnviz.ui.screens.compare import similar_heads
from attnviz.ui.screens.compare.address import EDIT_KEY, PANELS_KEY, SHOWN_KEY, add_head, apply_edit, current_panels
from attnviz.ui.screens.compare.panel_cards import Card, Comparison, panel_cards
from attnviz.ui.screens.compare.panels import LETTERS, Panels
from attnviz.ui.screens.compare.sources import (
    PageDefaults,
    Source,
    apply_switches,
    is_long,
    letters_by_head,
    resolve_panels,
    switch_tokens,
)
from attnviz.ui.shell import errors, model_names
from attnviz.ui.shell.messages import _, head_name, kind_name, language, ngettext, translate
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.attention.attention_map import AttentionMap
    from attnviz.export.tables import Table
    from attnviz.measures.distances import Difference
    from attnviz.ui.controls.display_options import Switches


COLUMNS = 3  # panels in a row of the exported picture, as on a wide screen


def main() -> None:
    url_state.keep_values("kind", "layer", "head")
    top = page_header()
    figures = st.container(key="figures")

    page = PageDefaults(top.sentence, inputs.target_text(), inputs.pair_text(), top.name, top.progress)
    resolved = errors.attempt(figures, lambda: resolve_panels(current_panels(page, top.say), page, top.say))
    if resolved is None:
        url_state.keep_values("target", "pair", *url_state.SWITCH_KEYS)
        return
    shown, sources, full_maps, cards = resolved
    st.session_state[SHOWN_KEY] = shown
    with top.boxes:
        target_box(shown, sources)
    # A panel with a sentence of its own has no second one. Where nothing could be read, the second may be the reason.
    reads = [
        source.loaded.reads_pairs and not panel.sentence
        for panel, source in zip(shown.panels, sources, strict=True)
        if source
    ]
    if not top.second_sentence(any(reads) or (page.pair is not None and not any(sources))):
        page = replace(page, pair=None)
    with top.controls:
        switches = display_options.switch_controls(*switch_tokens(shown, sources, full_maps), top.say)

    def show() -> None:
        changed = [apply_switches(card, source, switches) for card, source in zip(cards, sources, strict=True)]
        run, drawn = draw(figures, page, shown, sources, cards, changed, switches)
        if drawn:
            figures_ready(run, top.sentence, figures=drawn)

    errors.attempt(figures, show)


def target_box(shown: Panels, sources: list[Source | None]) -> None:
    """The box for the decoder's sentence, where a panel shows what the decoder does with the page's sentence."""
    for panel, source in zip(shown.panels, sources, strict=True):
        if (
            source
            and panel.kind != "encoder"
            and "cross" in source.loaded.kinds
            and not (panel.sentence or panel.target)
        ):
            decoder_tokens = source.recording.query_tokens("decoder")
            own = "".join(token.text for token in decoder_tokens if not token.special).strip()
            inputs.target_box("" if inputs.target_text() else own)
            return
    url_state.keep_values("target")


# What is drawn ------------------------------------------------------------------------------------------------------


def draw(
    container: DeltaGenerator,
    page: PageDefaults,
    shown: Panels,
    sources: list[Source | None],
    whole: list[Card],
    cards: list[Card],
    switches: Switches,
) -> tuple[str, int]:
    """Draws everything; returns the name of what is shown and how many figures that are, 0 where no panel has one.

    `whole` are the cards before the switches changed them.
    """
    difference = compare_panels(shown, cards)
    keys = [source and source.loaded.key for source in sources]
    run = run_name(
        shown.text, page.sentence, page.target, page.pair, keys, astuple(switches), [card.error for card in cards],
        language(), theme(),
    )  # fmt: skip
    numbers: list[Table] = []
    any_map = any(card.map for card in cards)
    if not any_map:
        cards = show_errors(container, page, cards)
        difference = Comparison()
    with container:
        if any_map:
            with st.container(key="take_corner"):
                facts = [_("model {0}").format(model_names.model_label(page.model))]
                export_menu(
                    partial(picture, page, cards, difference, switches),
                    name="attnviz-compare",
                    page=PageFigures("attnviz-compare", page_title(page, cards), lambda: numbers, facts),
                )
        panel_cards(
            shown,
            cards,
            difference,
            run=run,
            key="cards",
            edit=st.session_state.get(EDIT_KEY, 0),
            summary=summary(sources, whole, cards, switches),
            scale=switches.scale_of(*(card.map for card in cards if card.map)),
            page={
                "sentence": page.sentence,
                "target": page.target or "",
                "model": model_names.model_label(page.model),
            },
            models=[model for model in inputs.used_models() if model != page.model],
            on_edit=apply_edit,
        )
        if not any_map:
            return run, 0
        figures = 1
        if cards[shown.chosen].map:
            figures += draw_similar_heads(shown, sources, page, switches, run, numbers)
        numbers_table(shown, cards, difference)
        return run, figures


def show_errors(container: DeltaGenerator, page: PageDefaults, cards: list[Card]) -> list[Card]:
    """Says why no panel has a map, each reason once; returns the cards without it.

    Where the reasons differ, each has the letters of its panels before it.
    """
    letters_by_error: dict[str, list[str]] = {}
    for letter, card in zip(LETTERS, cards, strict=False):
        letters_by_error.setdefault(card.error, []).append(letter)
    for error, letters in letters_by_error.items():
        text = f"{', '.join(letters)}: {error}" if len(letters_by_error) > 1 else error
        container.error(errors.as_markdown(text), icon=":material/error:")
    too_long = [(model, error) for model, error in page.refused if error.fitting is not None]
    if too_long:  # what the model with the fewest positions can read is not too long for the others
        model, shortest = min(too_long, key=lambda pair: pair[1].fitting or 0)
        offering_beginning(container, model, page.sentence, beside=page.pair)(shortest)
    return [replace(card, error="") for card in cards]


def page_title(page: PageDefaults, cards: list[Card]) -> str:
    """What a picture of the page is called: the panels, and the page's sentence."""
    panels = [
        f"{letter} {kind_name(card.panel.kind)} {head_name(card.map.name)}"
        for letter, card in zip(LETTERS, cards, strict=False)
        if card.map
    ]
    return " · ".join([_("Compare"), *panels, url_state.shorten(page.sentence, 80)])


def compare_panels(shown: Panels, cards: list[Card]) -> Comparison:
    """The difference of the two panels that are compared."""
    first, second = (cards[index].map for index in shown.compared)
    if first is None or second is None:
        letters = [LETTERS[index] for index in shown.compared if cards[index].map is None]
        return Comparison(error=_("There is nothing to compare with: no map in {0}.").format(_(", ").join(letters)))
    try:
        difference = distances.difference(first, second)
    except AttnvizError as error:
        return Comparison(error=translate(error.message))
    return Comparison(difference, by_words=difference.a is not first)


def summary(sources: list[Source | None], whole: list[Card], cards: list[Card], switches: Switches) -> str:
    """What is shown, in a line; `whole` as in `draw`."""
    drawn = [
        (source, one, card.map) for source, one, card in zip(sources, whole, cards, strict=True) if source and card.map
    ]
    maps = [map for _source, _one, map in drawn]
    if not maps:
        return ""
    parts = [
        _("each panel on its own colour scale") if switches.per_head else _("one colour scale for all"),
    ]
    if any(is_long(map) for map in maps):
        together = _("neighbours taken together, words and special tokens as they come")
        parts.append(_("neighbouring words taken together") if switches.by_word else together)
    source, first, _map = drawn[0]
    kind = first.panel.kind
    parts += switches.remarks(source.recording.query_tokens(kind), source.recording.key_tokens(kind), maps)
    if switches.hide_first:
        all_shown = replace(switches, hide_first=False)
        with_first = [apply_switches(one, source, all_shown).map or map for source, one, map in drawn]
        parts.append(display_options.first_remark(maps, with_first))
    parts += display_options.colour_remark(switches.scale_of(*maps))
    count = ngettext("{0} panel", "{0} panels", len(cards)).format(len(cards))
    return _("; ").join([f"{count}, {parts[0]}", *parts[1:]])


def draw_similar_heads(
    shown: Panels,
    sources: list[Source | None],
    page: PageDefaults,
    switches: Switches,
    run: str,
    numbers: list[Table],
) -> int:
    """Draws the heads like that of the chosen panel, adds their numbers; returns how many figures that are."""
    panel, source = shown.panels[shown.chosen], sources[shown.chosen]
    if source is None or panel.kind not in source.recording.kinds:
        return 0
    layers, heads, queries, keys = source.recording.size(panel.kind)
    if not source.is_distance_quick(panel.kind):
        st.caption(_("Placing {0} heads by what they do with {1} tokens takes a while.").format(layers * heads, keys))
        if not st.button(_("Place all heads"), key="place_heads", icon=":material/scatter_plot:"):
            return 0
    # As the maps are shown, so that its numbers are those of the difference; nothing is hidden of long texts.
    map_switches = replace(switches, per_head=False, even_colours=False)
    long = pooled_maps.is_long(source.recording, panel.kind)
    unchanged = map_switches == display_options.Switches() or long
    head_distances = source.head_distances(panel.kind, None if unchanged else map_switches)
    single = isinstance(panel.layer, int) and isinstance(panel.head, int)
    number = source.recording.layer_number(panel.kind, panel.layer) if isinstance(panel.layer, int) else panel.layer
    title = _("Heads like {0}: {1}").format(LETTERS[shown.chosen], f"L{number} H{panel.head}")
    note = _("By Jensen–Shannon divergence, for “{0}”.").format(url_state.shorten(panel.sentence or page.sentence, 60))
    if long and not switches.leaves_all:
        note += " " + _("Of this long text, all tokens count.")
    if not single:
        title = _("All heads")
        note = _("Panel {0} shows several heads together; choose one with a single head to see those like it.").format(
            LETTERS[shown.chosen]
        )
    chosen = (panel.layer, panel.head) if single else None
    numbers.append(similar_heads.distance_table(head_distances, chosen, title))
    similar_heads.similar_heads(
        head_distances,
        chosen,
        letters_by_head(shown, sources, source, panel.kind),
        run=run,
        key="alike",
        title=title,
        note=note,
        on_put=add_head,
    )
    return 1


def numbers_table(shown: Panels, cards: list[Card], difference: Comparison) -> None:
    """The numbers of all pictures; made when somebody looks."""
    expander = st.expander(_("Numbers"), key="numbers", on_change="rerun")
    if not expander.open:
        return
    with expander:
        for letter, card in zip(LETTERS, cards, strict=False):
            if card.map:
                st.caption(errors.as_markdown(f"{letter}: {kind_name(card.panel.kind)} {head_name(card.map.name)}"))
                head_table(card.map)
        if difference.difference:
            first, second = (LETTERS[index] for index in shown.compared)
            st.caption(errors.as_markdown(f"{first} − {second}"))
            map = difference.difference.a
            head_table(replace(map, weights=difference.difference.weights, hidden_mass=np.zeros_like(map.hidden_mass)))


def picture(page: PageDefaults, cards: list[Card], difference: Comparison, switches: Switches) -> Picture:
    """What the panels show, for an export."""
    shown: list[AttentionMap | Difference] = [card.map for card in cards if card.map]
    if difference.difference:
        shown.append(difference.difference)
    settings = {"sentence": page.sentence, "model": page.model, "panels": st.session_state[PANELS_KEY]}
    if page.target:
        settings["target"] = page.target
    if page.pair:
        settings["pair"] = page.pair
    return Picture(
        tuple(shown),
        columns=min(COLUMNS, len(shown)),
        scale=switches.scale_of(*(card.map for card in cards if card.map)),
        theme=theme(),
        settings=settings | switches.settings(),
    )


require_router()
main()
