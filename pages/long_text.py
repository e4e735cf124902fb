"""Long text: a head's whole map as one picture to zoom into, with the text beside it, at any length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.ui.components.export_menu import PageFigures, export_menu
from attnviz.ui.components.page.ready import figures_ready, run_name, theme
from attnviz.ui.controls import inputs, url_state
from attnviz.ui.controls.beginning import offering_beginning
from attnviz.ui.controls.page_header import PageHeader, Text, model_row, text_boxes
from attnviz.ui.screens.long_text import address, controls, wording
from attnviz.ui.screens.long_text.components.link_list import link_list
from attnviz.ui.screens.long_text.components.long_map import long_map
from attnviz.ui.screens.long_text.components.long_text_panel import long_text_panel
from attnviz.ui.screens.long_text.opening import opening_head, opening_text
from attnviz.ui.screens.long_text.payload import HeadMap, link_rows
from attnviz.ui.screens.long_text.progress import record
from attnviz.ui.screens.long_text.tables import long_text_tables, region_picture
from attnviz.ui.shell import errors
from attnviz.ui.shell.messages import _, kind_title, language, local_count, model_label
from attnviz.ui.shell.model_names import BUNDLED
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.models.recording.recording import Recording
    from attnviz.ui.screens.long_text.address import Region
    from attnviz.ui.shell.models import Loaded

TRAINED_TOKENS = 96  # of the longest texts that the bundled model was trained on: `MAX_TOKENS` of `training`
_ANEW = "attnviz_long_text_anew"  # set where the page itself is drawn: the browser may have nothing yet


def main() -> None:
    boxes = text_boxes()
    with boxes:
        sentence = inputs.sentence_box(opening_text(), label=_("Text"))
    top = PageHeader(**vars(model_row()), sentence=sentence, boxes=boxes)
    note, figures = st.empty(), st.container(key="figures")
    url_state.keep_values(*url_state.SWITCH_KEYS)
    loaded = top.load(figures)
    if loaded is None:
        url_state.keep_values("target", "pair", "kind", "layer", "head", controls.WAY)
        return
    with top.controls:
        kind = inputs.kind_control(loaded.kinds, top.name, top.say)
    recording, text = record_text(top, figures, loaded, kind)
    if recording is None:
        url_state.keep_values("layer", "head", controls.WAY)
        return
    with top.controls:
        opening = opening_head(recording, kind, top.model)
        layer = inputs.layer_control(
            recording.size(kind)[0], top.name, top.say, opening[0], inputs.layer_numbers(recording, kind)
        )
        head = controls.head_control(recording.heads(kind, layer), top.say, opening[1] if layer == opening[0] else 0)
        way = controls.way_control()
    shown = HeadMap(loaded, recording, text.sentence, text.target, kind, layer, head, way, run_name(*text))
    note.caption(length_note(loaded, shown))
    address.forget_other_text(run_name(loaded.key, *text, kind))
    run = run_name(loaded.key, *text, kind, layer, head, way, language(), theme())
    if errors.attempt(figures, lambda: draw(figures, top, shown, run)):
        figures_ready(run, top.sentence, figures=3)


def record_text(top: PageHeader, container: DeltaGenerator, loaded: Loaded, kind: str) -> tuple[Recording | None, Text]:
    """The recording, None where the reader was told in `container` why not yet, and the text that was asked for."""
    target = inputs.target_text() if "cross" in loaded.kinds else None
    text = Text(top.sentence, target, None)
    url_state.keep_values("pair")
    recording = None
    if text.sentence.strip():
        offer = offering_beginning(container, loaded.model, text.sentence)
        recording = errors.attempt(container, lambda: record(container, loaded, text, kind), offer)
    else:
        container.info(_("Type a text above, or drop a file."), icon=":material/keyboard:")
    if "cross" in loaded.kinds and kind != "encoder":
        with top.boxes:
            inputs.target_box("")
    else:
        url_state.keep_values("target")
    return recording, text


def length_note(loaded: Loaded, shown: HeadMap) -> str:
    """How long the text is, and how long the model's texts may be."""
    queries, keys = shown.counts
    length = _("{0} tokens").format(local_count(max(queries, keys)))
    most = loaded.model.max_tokens
    if most is None:
        return _("{0}; this model's positions have no end.").format(length)
    if loaded.model.name == BUNDLED:
        said = _(
            "{0}. The bundled model was trained on texts of up to {1} and has positions for {2}; longer texts need a "
            "model from a folder or the Hub."
        )
        return said.format(length, local_count(TRAINED_TOKENS), local_count(most))
    return _("{0} of at most {1} that this model has positions for.").format(length, local_count(most))


def draw(container: DeltaGenerator, top: PageHeader, shown: HeadMap, run: str) -> bool:
    """Draws everything."""
    st.session_state[_ANEW] = True
    name = f"{kind_title(shown.kind)} L{shown.recording.layer_number(shown.kind, shown.layer)} H{shown.head}"
    axes = [(_("The text"), shown.key_passages)]
    if shown.kind == "cross":
        axes = [(_("Looks: the target"), shown.query_passages), (_("Is looked at: the source"), shown.key_passages)]
    requested = address.requested_region(*shown.counts, top.say)
    asked_of = shown.key_passages if address.is_received() else shown.query_passages
    address.requested_passage(len(asked_of), top.say)
    with container:
        with st.container(key="take_corner"):
            title = " · ".join([_("Long text"), name, url_state.shorten(" ".join(shown.text.split()), 80)])
            facts = [_("model {0}").format(model_label(top.model))]
            export_menu(
                lambda: region_picture(
                    shown, current_region(shown), top.settings(Text(shown.text[:200], shown.target))
                ),
                name=f"attnviz-long-text-L{shown.layer}-H{shown.head}",
                page=PageFigures(
                    "attnviz-long-text", title, lambda: long_text_tables(shown, current_region(shown)), facts
                ),
            )
        left, right = st.columns([3, 2], gap="medium")
        with right:
            long_text_panel(axes, queries=0, keys=len(axes) - 1, run=run, key="long_text_panel")
        with left:
            draw_map(shown, name, requested, run)
        draw_links(shown, run)
    return True


def current_region(shown: HeadMap) -> Region:
    """The region that the address names now."""
    return address.requested_region(*shown.counts, lambda _text: None)


@st.fragment
def draw_map(shown: HeadMap, name: str, requested: Region, run: str) -> None:
    """In a fragment, so that a zoom draws the map alone, and sends its region alone."""
    anew = st.session_state.pop(_ANEW, False)
    region = requested if anew else current_region(shown)
    is_received = address.is_received()
    passages = shown.key_passages if is_received else shown.query_passages
    passage = address.requested_passage(len(passages), lambda _text: None)
    pictures = [shown.region_data(region)]
    if region != shown.whole and (anew or st.session_state.pop("attnviz_long_text_whole", False)):
        pictures.insert(0, shown.region_data(shown.whole))

    def want(asked: Mapping[str, Any]) -> None:
        wanted = address.Region(*map(int, asked["region"]))
        if wanted.fits(*shown.counts):
            address.write(address.REGION, None if wanted == shown.whole else wanted.written)
        if asked.get("whole"):
            st.session_state["attnviz_long_text_whole"] = True
        chosen = asked.get("passage")
        if chosen is not None:
            index = chosen.get("index")
            address.write(address.PASSAGE, None if index is None else str(int(index)))
            received = index is not None and chosen.get("received")
            address.write(address.DIRECTION, address.RECEIVED if received else None)

    long_map(
        pictures,
        text=run_name(shown.key, shown.kind, *shown.counts),
        map=run_name(shown.loaded.key, shown.key, shown.kind, shown.layer, shown.head, shown.reduce),
        name=_("Attention map of {0}. Arrow keys move, plus and minus zoom, 0 shows all, Enter marks.").format(name),
        counts=shown.counts,
        region=region,
        way=shown.way,
        summary=wording.map_summary(name, shown.region(region), shown.query_passages, shown.key_passages, shown.way),
        passages=shown.passage_colours(passage, is_received=is_received),
        run=run,
        key="long_map",
        on_want=want,
    )


@st.fragment
def draw_links(shown: HeadMap, run: str) -> None:
    """The strongest links, which need another look at every weight: they come when the picture is there."""
    links = shown.links_in_background()
    link_list(None if links is None else link_rows(shown, links), run=run, key="link_list")


require_router()
main()
