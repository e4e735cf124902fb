"""In context: the same word in two sentences, layer by layer, and the words that made the difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from attnviz.ui.components.export_menu import PageFigures, export_menu
from attnviz.ui.components.numbers.numbers_table import numbers_collected
from attnviz.ui.components.page.ready import figures_ready, run_name, theme
from attnviz.ui.controls import inputs, page_header, url_state
from attnviz.ui.controls.beginning import offering_beginning
from attnviz.ui.screens.context import contrasts, controls
from attnviz.ui.screens.context.words import sentence_words, shorten_word
from attnviz.ui.shell import errors, models
from attnviz.ui.shell.messages import _, kind_name, language, model_label
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.embeddings.similarity import Similarity
    from attnviz.export.tables import Table
    from attnviz.ui.screens.context.analysis import Side, WordComparison, WordSelection


def main() -> None:
    with page_header.text_boxes():
        sentences = (controls.first_sentence_box(), controls.second_sentence_box())
    controls.pair_examples()
    row = page_header.model_row()
    control_row, name, say = row.controls, row.name, row.say
    figures = st.container(key="figures")
    url_state.keep_values("target", "pair", *url_state.SWITCH_KEYS)

    loaded = row.load(figures)
    if loaded is None:
        url_state.keep_values("kind", "layer", "head", *controls.WORD_KEYS)
        return
    with control_row:
        kind = inputs.kind_control(loaded.kinds, name, say)
    sides = read_sides(figures, loaded, sentences, kind)
    if sides is None:
        url_state.keep_values("layer", "head", *controls.WORD_KEYS)
        return

    from attnviz.ui.screens.context import analysis

    numbers: list[Table] = []
    layers, heads, *_sizes = sides[0].recording.size(kind)
    with control_row:
        words = controls.word_controls(sides[0].states, sides[1].states, say)
        layer = controls.layer_control(layers, name, say)
        head = inputs.head_control(heads, say)
        word_names = " – ".join(shorten_word(word.text) for word in words)
        title = " · ".join([_("In context"), word_names, *(url_state.shorten(sentence, 60) for sentence in sentences)])
        facts = [_("model {0}").format(model_label(row.model)), f"L{layer}" + ("" if head is None else f" H{head}")]
        export_menu(page=PageFigures(f"attnviz-context-L{layer}-{kind}", title, lambda: numbers, facts))
    selection = analysis.WordSelection(kind, layer, head, words)
    labels = tuple(word.label for word in words)
    run = run_name(loaded.key, sentences, kind, layer, head, labels, language(), theme())
    comparison = errors.attempt(figures, lambda: analysis.compare_words(loaded.model, sides, selection))
    if comparison is None:
        return
    drawn = errors.attempt(figures, lambda: draw(figures, sides, selection, comparison, run))
    if drawn:
        figures_ready(run, sentences[0], figures=drawn)
        with numbers_collected(numbers):
            errors.attempt(figures, lambda: draw_contrasts(figures, loaded, sides, selection, comparison))


def read_sides(
    container: DeltaGenerator, loaded: models.Loaded, sentences: tuple[str, str], kind: str
) -> tuple[Side, Side] | None:
    """Both sentences with their attention and their vectors; None where the reader was told why not."""
    if not all(sentence.strip() for sentence in sentences):
        container.info(_("Type two sentences above, or pick one of the pairs."), icon=":material/keyboard:")
        return None
    sides = []
    for key, sentence in zip(("sentence", "sentence2"), sentences, strict=True):
        offer = offering_beginning(container, loaded.model, sentence, key=key)
        side = errors.attempt(container, lambda text=sentence: read_side(loaded, text, kind), offer)
        if side is None:
            return None
        if not sentence_words(side.states.tokens):
            message = _("There is no word in “{0}”, only signs. Type a sentence with words in it.")
            if kind != "encoder" and "cross" in loaded.kinds:
                message = _(
                    "What the model writes for “{0}” has no word in it. Choose the encoder, or another sentence."
                )
            message = message.format(shorten_word(sentence))
            container.info(errors.as_markdown(message), icon=":material/keyboard:")
            return None
        sides.append(side)
    return sides[0], sides[1]


def read_side(loaded: models.Loaded, sentence: str, kind: str) -> Side:
    """A sentence with its attention and its vectors."""
    from attnviz.embeddings.hidden_states import hidden_states
    from attnviz.ui.screens.context.analysis import Side

    recording = loaded.record(sentence, None)
    key = ("hidden states", sentence, kind)
    states = loaded.cache.get(key, lambda: hidden_states(loaded.model, recording, kind))
    return Side(sentence, recording, states)


def draw(
    container: DeltaGenerator, sides: tuple[Side, Side], selection: WordSelection, comparison: WordComparison, run: str
) -> int:
    """Draws the line and the bars, then the words that moved it in all layers; returns how many figures these are."""
    from attnviz.ui.screens.context import charts, wording

    with container:
        st.markdown(f"##### {errors.as_markdown(wording.headline(selection, comparison))}")
        st.caption(errors.as_markdown(wording.remarks(sides, selection, comparison)))
        line, *bars = st.columns([38, 31, 31], gap="medium")
        with line:
            charts.similarity_chart(sides, selection, comparison, run)
        for number, column in enumerate(bars):
            with column:
                charts.sources_chart(sides, selection, comparison, number, run)
        charts.layers_tables(sides, selection, comparison, run)
    return charts.FIGURES


def draw_contrasts(
    container: DeltaGenerator,
    loaded: models.Loaded,
    sides: tuple[Side, Side],
    selection: WordSelection,
    comparison: WordComparison,
) -> bool:
    """What static and contextual vectors tell apart, and all numbers."""
    from attnviz.ui.screens.context import charts

    kind = loaded.kinds[0]
    mine = selection.kind == kind  # the table is about what the model reads, not about what it writes
    sentences = (sides[0].sentence, sides[1].sentence)
    measured = model_contrasts(loaded, kind)
    rows = [
        (contrast, alike)
        for contrast, alike in zip(contrasts.contrast_pairs(), measured, strict=True)
        if alike is not None and not (mine and sentences == (contrast.first, contrast.second))
    ]
    if mine:
        about = _("Your word") if selection.one_word else _("Your words")
        first, second = selection.words
        own = contrasts.Contrast(about, *sentences, (first.text, second.text), (first.start, second.start))
        rows.insert(0, (own, comparison.word))
    with container:
        st.markdown(f"###### {_('What static and contextual vectors tell apart')}")
        contrasts.contrasts_table(rows)
        remarks = [
            _(
                "Cosine and angle in this model, in its {0}: of the underlined words, or of the means of all of a "
                "sentence's tokens. 1.000 and 0° cannot be told apart."
            ).format(kind_name(kind))
        ]
        if sides[0].states.final_norm:
            remarks.append(_("The last layer's vectors have been through the normalisation behind it."))
        if kind == "decoder":
            remarks.append(_("A decoder's word knows only what comes before it."))
        st.caption(" ".join(remarks))
        opened = st.expander(_("Numbers"), key="numbers", on_change="rerun")
        with opened:
            charts.numbers_tables(sides, comparison, shown=opened.open)
    return True


def model_contrasts(loaded: models.Loaded, kind: str) -> list[Similarity | None]:
    """The fixed pairs of the table in this model."""
    from attnviz.embeddings.hidden_states import hidden_states

    def make() -> list[Similarity | None]:
        similarities = []
        for contrast in contrasts.contrast_pairs():
            one, other = (
                hidden_states(loaded.model, loaded.model.record(text), kind)
                for text in (contrast.first, contrast.second)
            )
            similarities.append(contrasts.contrast_similarity(contrast, one, other))
        return similarities

    return loaded.cache.get(("contrasts", kind), make)


require_router()
main()
