"""How it works: one moving picture of the whole way from a sentence to its meaning, with the model's own numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.ui.components.export_menu import PageFigures, export_menu
from attnviz.ui.components.page.ready import figures_ready, run_name, theme
from attnviz.ui.controls import url_state
from attnviz.ui.controls.beginning import offering_beginning
from attnviz.ui.controls.page_header import PageHeader, page_header
from attnviz.ui.screens.story import address, controls, openings
from attnviz.ui.screens.story.payload.tables import story_tables
from attnviz.ui.screens.story.qr_code import qr_code
from attnviz.ui.screens.story.stage.stage import stage
from attnviz.ui.screens.story.wording import story_payload
from attnviz.ui.shell import errors, model_names
from attnviz.ui.shell.messages import _, language, model_label
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.models.recording.recording import Recording

ADDRESS_KEY = "attnviz_story_address"  # what the browser said that its address is


def main() -> None:
    url_state.keep_values("target", "pair", "kind", "layer", "head", *url_state.SWITCH_KEYS)
    top = page_header(folded=True)
    figures = st.container(key="figures")
    numbers = read_numbers(top, figures)
    if numbers is None:
        return
    layer, head = numbers["head"]["layer"], numbers["head"]["head"]
    note_missing_head(top, numbers)
    address.note_head()
    word = address.requested_word(numbers["tokens"], numbers["word"], top.say)
    scene = address.requested_scene()
    run = run_name("story", top.name, top.sentence, layer, head, language(), theme())
    shown_language = st.query_params.get("lang", "")
    links = address.scene_links(numbers, top.sentence, st.query_params.get("model", ""), shown_language, word)
    story = story_payload(numbers) | {"run": run, "picture": run, "word": word, "links": links,
                                      "time": {"scene": scene or 1, "playing": scene is None}}  # fmt: skip
    with top.controls:
        controls.head_control(numbers["size"], (layer, head), numbers["layerNumbers"])
        title = " · ".join([_("How it works"), numbers["head"]["name"], url_state.shorten(top.sentence, 80)])
        facts = [_("model {0}").format(model_label(top.model))]
        name = f"attnviz-story-L{layer}-H{head}"
        export_menu(page=PageFigures(name, title, lambda: story_tables(story), facts))
    if errors.attempt(figures, lambda: draw(figures, story)):
        figures_ready(run, top.sentence, figures=1)


def read_numbers(top: PageHeader, container: DeltaGenerator) -> dict[str, Any] | None:
    """The story's numbers; None where the reader was told in `container` why not.

    Those of the sentences that the app opens with come with it: their picture waits for no model.
    """
    layer, head = address.requested_head()
    if top.name == model_names.BUNDLED:
        numbers = openings.opening_numbers(top.sentence.strip())
        if numbers and (layer is None or (layer, head) == (numbers["head"]["layer"], numbers["head"]["head"])):
            return numbers
    loaded = top.load(container)
    if loaded is None:
        return None
    if not top.sentence.strip():
        container.info(_("Type a sentence above, or pick one of the examples."), icon=":material/keyboard:")
        return None

    def compute() -> dict[str, Any]:
        from attnviz.ui.screens.story.payload.payload import story_numbers

        def record(text: str) -> Recording:
            return loaded.record(text, None)

        return story_numbers(loaded.model, top.model, top.sentence, layer=layer, head=head, record=record)

    key = ("story", top.sentence, layer, head)
    offer = offering_beginning(container, loaded.model, top.sentence)
    numbers = errors.attempt(container, lambda: loaded.cache.get(key, compute), offer)
    if numbers is not None and not numbers["leftOut"]:
        top.note_unknown_characters(loaded.record(top.sentence, None))
    return numbers


def note_missing_head(top: PageHeader, numbers: dict[str, Any]) -> None:
    """Says where the head that a link asks for is not there, and takes it out of the address."""
    requested, shown = address.requested_head(), (numbers["head"]["layer"], numbers["head"]["head"])
    if requested[0] is not None and requested != shown:
        message = _("There is no head L{0} H{1} in this model; {2} is shown instead.")
        top.say(message.format(*requested, numbers["head"]["name"]))
        for key in ("layer", "head"):
            st.query_params.pop(key, None)


def draw(container: DeltaGenerator, story: dict[str, Any]) -> bool:
    """Draws the picture."""
    with container:
        draw_stage(story)
    return True


@st.fragment
def draw_stage(story: dict[str, Any]) -> None:
    """In a fragment, so that a scene that is reached is written into the address without drawing the page again."""
    labels = [token["label"] for token in story["tokens"]]

    def take_address(text: str) -> None:
        st.session_state[ADDRESS_KEY] = text

    # Sent once: a code that came with every later run would open again after the reader has closed it.
    stage(
        story | {"qr": qr_code(st.session_state.pop(ADDRESS_KEY, ""))},
        key="story",
        on_scene=lambda scene: address.set_parameter("scene", str(scene)),
        on_word=lambda word: address.set_parameter("word", labels[word]),
        on_address=take_address,
    )


require_router()
main()
