"""Step by step: one word's way from text to the output of a layer, with the numbers that the model used."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.measures.telling_heads import opening_pair
from attnviz.typography import set_power
from attnviz.ui.components.explanation.score_parts import stored_split
from attnviz.ui.components.export_menu import PageFigures, export_menu
from attnviz.ui.components.numbers.numbers_table import numbers_collected
from attnviz.ui.components.page.ready import figures_ready, run_name, theme
from attnviz.ui.controls import inputs, url_state
from attnviz.ui.controls.cost import cost_button
from attnviz.ui.controls.page_header import page_header
from attnviz.ui.controls.token_choice import Choice, choice_at, choices, pieces_switch, strongest_key, token_control
from attnviz.ui.screens.simple_attention import own_sentence
from attnviz.ui.screens.steps import controls, opening
from attnviz.ui.shell import errors, models
from attnviz.ui.shell.messages import _, kind_name, language, local_number, model_label
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.computation.layer import Computation
    from attnviz.export import Picture
    from attnviz.export.tables import Table
    from attnviz.figures.style import Theme
    from attnviz.models.recording.recording import Recording
    from attnviz.ui.controls.page_header import Text


def main() -> None:
    if own_sentence.is_asked_for():
        url_state.switch_page("pages/simple_attention.py")
    url_state.keep_values(*url_state.SWITCH_KEYS)
    top = page_header()
    step, row = controls.step_control(top.say)
    figures = st.container(key="figures")

    loaded = top.load(figures)
    if loaded is None:
        url_state.keep_values("target", "pair", "kind", "layer", "head", *controls.KEYS)
        return
    with top.controls:
        kind = inputs.kind_control(loaded.kinds, top.name, top.say)
    recording, text = top.record(figures, loaded, kind)
    if recording is None:
        url_state.keep_values("layer", "head", *controls.KEYS)
        return
    layers, heads, _queries, _keys = recording.size(kind)
    opening.open_on_a_telling_head(recording, kind, top.model)
    with top.controls:
        layer = inputs.layer_control(layers, top.name, top.say, numbers=inputs.layer_numbers(recording, kind))
        head = controls.head_control(heads, top.say)
    layer_key = (loaded.key, *text, kind, layer)
    computation = errors.attempt(figures, lambda: follow_layer(loaded, recording, kind, layer, text))
    if computation is None:
        url_state.keep_values(*controls.KEYS)
        return

    labels = recording.map(kind, layer=layer, head=head)
    queries, keys = labels.query_labels, labels.key_labels
    with top.controls:
        tokens = computation.query_tokens, computation.key_tokens
        by_token = pieces_switch(*tokens)
        looking, looked_at = (choices(axis, by_token) for axis in tokens)
        first, second = opening_pair(labels.weights, *tokens, own=kind != "cross")
        asker = token_control(_("Word"), "looking", looking, first, top.say)
        if asker != looking[choice_at(looking, first)]:
            second = strongest_key(labels.weights[asker.position], computation.key_tokens)
        answerer = token_control(_("looks at"), "looked_at", looked_at, second, top.say)
        cost_button(recording, kind)
    settings = top.settings(text)
    numbers: list[Table] = []
    origin = f"L{labels.layer_number}-H{head}-{kind}"
    page = PageFigures(
        f"attnviz-step-{step}-{origin}", title(step, labels, asker, answerer, top.sentence), lambda: numbers,
        [_("model {0}").format(model_label(top.model)), _("{0} attention").format(kind_name(kind))],
    )  # fmt: skip
    with row:
        export_menu(partial(picture, labels, settings, theme()), name=f"attnviz-{origin}", page=page)
    own = st.session_state.get(controls.STEP_KEYS[step]) if step in controls.STEP_KEYS else None
    run = run_name(*layer_key, head, asker, answerer, step, own, language(), theme())

    # Plotly and torch come in only now: the controls are on the screen before.
    from attnviz.ui.screens.steps import steps
    from attnviz.ui.screens.steps.context import StepContext

    split = partial(stored_split, loaded, recording, text, kind, layer, head, asker.position, answerer.position)
    context = StepContext(loaded.model, recording, computation, head, asker, answerer, queries, keys, run, split)

    def show() -> int:
        with figures:
            with numbers_collected(numbers):
                drawn = steps.draw(step, context)
            draw_check(computation, head, labels.name)
            st.button(
                _("Take this sentence into the table of By hand"),
                key="take_by_hand",
                icon=":material/input:",
                type="tertiary",
                on_click=own_sentence.ask_for_sentence,
                args=(top.sentence, top.name),
            )
            return drawn

    drawn = errors.attempt(figures, show)
    url_state.keep_values(*(key for of_step, key in controls.STEP_KEYS.items() if of_step != step))
    if drawn is not None:
        figures_ready(run, top.sentence, figures=drawn)


def follow_layer(loaded: models.Loaded, recording: Recording, kind: str, layer: int, text: Text) -> Computation:
    """The computation of a layer, stored for the next step; `text` is what was recorded."""
    from attnviz.computation.layer import follow

    key = ("computation", *text, kind, layer)
    return loaded.cache.get(key, lambda: follow(loaded.model, recording, kind, layer=layer))


def title(step: int, map: AttentionMap, asker: Choice, answerer: Choice, sentence: str) -> str:
    """What the figures of a step are called in an export."""
    pair = f"{asker.label} → {answerer.label}"
    step_name = f"{step} {controls.step_names()[step - 1]}"
    return " · ".join([_("Step by step"), step_name, map.name, pair, url_state.shorten(sentence, 80)])


def picture(map: AttentionMap, settings: dict[str, str], theme: Theme) -> Picture:
    """The map of the head that is followed, for export."""
    from attnviz.export import Picture

    return Picture((map,), theme=theme, settings={name: value for name, value in settings.items() if value})


def draw_check(computation: Computation, head: int, name: str) -> None:
    """Whether what is shown of a head, by its name, is what the model computed."""
    difference = computation.difference(head)
    if difference is None:
        st.caption(
            _(
                "{0}: this model does something to its heads before they can be seen one by one, so they could not be "
                "compared with its own."
            ).format(name)
        )
    elif difference <= 1e-5:
        st.caption(
            ":material/check_circle: "
            + _(
                "Our output of {0} equals the model's own, computed without attnviz: they differ by {1} at most."
            ).format(name, local_number(set_power(difference)))
        )
    else:
        st.warning(
            _("Our output of {0} differs from the model's own by up to {1}.").format(
                name, local_number(set_power(difference))
            ),
            icon=":material/warning:",
        )


require_router()
main()
