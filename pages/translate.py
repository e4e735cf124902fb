"""A translation, a text or a gap, token by token: what each prediction looked at, and what else could have come."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.errors import InputError
from attnviz.figures.heads import MOST_ON_FULL_SCALE
from attnviz.measures.findings import opening_layer
from attnviz.ui.components.explanation.explanation_tables import attribution_tables
from attnviz.ui.components.export_menu import PageFigures, export_menu
from attnviz.ui.components.page.ready import figures_ready, run_name, theme
from attnviz.ui.controls import display_options, inputs, page_header, url_state
from attnviz.ui.controls.beginning import offering_beginning
from attnviz.ui.controls.explained_outputs import WORD_KEY
from attnviz.ui.controls.page_header import Text
from attnviz.ui.screens.translate import controls, direction, predicted
from attnviz.ui.screens.translate.controls import Choices, join_ids, set_choices
from attnviz.ui.screens.translate.reasons import draw_reasons, reasons
from attnviz.ui.shell import errors, model_names, models
from attnviz.ui.shell.messages import _, head_name, kind_name, language, model_label
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.attention.attention_map import AttentionMap
    from attnviz.export import Picture
    from attnviz.export.tables import Table
    from attnviz.generation.sampling import Method
    from attnviz.generation.steps import Steps
    from attnviz.tokenization.token import Token
    from attnviz.ui.controls.page_header import ModelRow
    from attnviz.ui.screens.translate.view import AttentionView

GIVEN = {
    "De kat zit op de mat.": "The cat sits on the mat."
}  # targets for examples that the bundled model translates wrong
# All others were translated by the model that ships, read, and found right; a test holds what was read.
SOURCES = (
    "De kat zit op de mat.",
    "Der Hund sah den Ball.",
    "The teacher taught the student with the book.",
    "老师把书给了学生。",
    "女孩把花放在桌子上。",
    "学生在写作业。",
    "De student las het boek dat de leraar hem gaf.",
    "Der Lehrer gab dem Schüler das Buch, weil er es brauchte.",
)
BEGINNINGS = ("The dog saw the", "The cat sits on", "Your journey starts with")
GAPS = ("The dog {0} the ball.", "The {0} sits on the mat.", "The students {0} their homework.")
OTHERS = ("target", "pair", "hide", "renormalise", "rows", "scale_per_head")  # controls of other pages
OWN = ("kind", "layer", "head", "by_word", "hide_special", "hide_first", "even_colours")


def main() -> None:
    arrives = controls.is_first_run()
    boxes = page_header.text_boxes()
    with boxes:
        sentence = inputs.sentence_box()
    examples = st.container()
    row = page_header.model_row()
    control_row, name, say = row.controls, row.name, row.say
    figures = st.container(key="figures")
    url_state.keep_values(*OTHERS)

    loaded = row.load(figures)
    head = head_task(loaded) if loaded else None
    if loaded is not None and head is not None:
        with examples:
            inputs.example_sentences(source_sentences())
        url_state.keep_values(*OWN, *controls.METHOD_KEYS, "length")
        with boxes:
            question = inputs.text_box(_("Question"), "question") if head == "answer" else None
            pair = inputs.pair_box() if head == "class" and loaded.reads_pairs else None
        if head != "answer":
            url_state.keep_values("question")
        draw_head(figures, loaded, row, head, Text(sentence, None, pair), question)
        return
    url_state.keep_values("question")
    task = errors.attempt(figures, lambda: model_task(loaded)) if loaded else None
    if loaded is None or task is None:
        with examples:
            inputs.example_sentences(source_sentences())
        url_state.keep_values(*OWN, *controls.METHOD_KEYS, "length")
        return
    with examples:
        inputs.example_sentences(example_texts(task, loaded))
    # The places of attention in the order of what the page is about.
    kinds = [kind for kind in ("cross", "decoder", "encoder") if kind in loaded.kinds]
    if arrives:
        controls.set_opening_value("kind", kinds[0], loaded.kinds[0])
    with control_row:
        method_name = controls.method_control(task != "fill", say)
        method = errors.attempt(figures, lambda: controls.method_settings(method_name, say))
        limit = controls.length_setting(say) if task == "continue" else None
    if task != "continue":
        url_state.keep_values("length")
    if method is None or not sentence.strip():
        if not sentence.strip():
            figures.info(_("Type a sentence above, or pick one of the examples."), icon=":material/keyboard:")
        url_state.keep_values(*OWN)
        return
    has_directions = task == "translate" and row.model == model_names.BUNDLED
    translation = figures.container(horizontal=True, vertical_alignment="center", key="translation")
    if has_directions:
        with translation:
            chosen = direction.direction_control(sentence, say)
    else:
        url_state.keep_values(direction.KEY)
        chosen = ""
    has_target = has_directions and not chosen and method_name == "greedy" and sentence in GIVEN
    initial_prefix = partial(given_ids, loaded, sentence) if has_target else tuple
    # Another direction begins without the choices, which go on from the token that names the language.
    choices = controls.Choices((name, sentence, chosen), say, initial_prefix)
    first = direction.first_ids(loaded.model, chosen)
    steps_and_words = errors.attempt(
        figures,
        lambda: generate_steps(loaded, task, sentence, method, limit, choices, first, say),
        offering_beginning(figures, loaded.model, sentence),
    )
    if steps_and_words is None:
        url_state.keep_values(*OWN)
        return
    steps, words = steps_and_words
    row.note_unknown_characters(steps.recording)
    if arrives:
        controls.set_opening_value("layer", steps.recording.size(kinds[0])[0] - 1, opening_layer(row.model))
    with figures:
        if task == "translate":
            text = "".join(token.text for token in steps.tokens if not token.special).strip()
            with translation:
                direction.draw_translation(text, has_target and choices.prefix == given_ids(loaded, sentence))
            direction.draw_languages(sentence, text, row.model)
        left, right = st.columns([72, 28], gap="medium")
    with right:
        kind = inputs.kind_control(kinds, name, say)
    with control_row:
        view = attention_controls(steps, name, kind, say)
    run = run_name(loaded.key, sentence, steps.written.ids, dataclasses.astuple(method), steps.positions,
                   dataclasses.astuple(view), language(), theme())  # fmt: skip
    if errors.attempt(figures, lambda: draw((left, right), loaded, steps, view, words, choices, run)):
        figures_ready(run, sentence, figures=2)
        with figures:
            draw_numbers(steps, view, name, sentence)


def given_ids(loaded: models.Loaded, sentence: str) -> tuple[int, ...]:
    """The vocabulary ids of an example's own target, without the token that a decoder starts with."""
    tokens = loaded.record(sentence, GIVEN[sentence]).query_tokens("decoder")
    return tuple(token.id for token in tokens[1:])


def head_task(loaded: models.Loaded) -> str | None:
    """What the model's head predicts, where that is neither words nor a text; None where it is, or where none is."""
    from attnviz.models.predictions import task_of

    try:
        task = loaded.cache.get(("head's task",), lambda: task_of(loaded.model))
    except InputError:
        return None
    return task if task in ("class", "labels", "answer") else None


def draw_head(
    figures: DeltaGenerator, loaded: models.Loaded, row: ModelRow, task: str, text: Text, question: str | None
) -> None:
    """Draws classes, labels or an answer, and why the model says so."""
    sentence, _target, pair = text
    if not sentence.strip():
        figures.info(_("Type a sentence above, or pick one of the examples."), icon=":material/keyboard:")
        return
    if task == "answer" and not (question or "").strip():
        figures.info(_("Type a question about the text above: this model finds the answer in it."))
        return
    key = ("prediction", sentence, question, pair)
    prediction = errors.attempt(
        figures,
        lambda: loaded.cache.get(key, lambda: loaded.model.predict(sentence, question, pair=pair)),
        offering_beginning(figures, loaded.model, sentence, beside=question or pair),
    )
    if prediction is None:
        return
    # A text is known by the same name as on the page Why this word, which then has it already.
    text = Text(question, None, sentence) if question else text
    asked = st.query_params.get(WORD_KEY)
    run = run_name(loaded.key, sentence, question, pair, asked, language(), theme())
    with figures:
        corner = st.container(key="take_corner")
        predicted.draw_prediction(prediction, sentence, run=run)
        # The prediction stands there before it is asked why.
        why = errors.attempt(figures, lambda: reasons(loaded, prediction, text, row.say))
        if why:
            draw_reasons(why, question, run=run)
    title = " · ".join([predicted.title(prediction), url_state.shorten(sentence, 80)])

    def tables() -> list[Table]:
        return [*predicted.prediction_tables(prediction), *(attribution_tables(why.results, []) if why else [])]

    with corner:
        facts = [_("model {0}").format(model_label(row.model))]
        export_menu(page=PageFigures(f"attnviz-{task}", title, tables, facts))
    figures_ready(run, sentence, figures=2 if why else 1)


def model_task(loaded: models.Loaded) -> str:
    """What the model can be asked for."""
    from attnviz.generation.writer import task

    return loaded.cache.get(("task",), lambda: task(loaded.model))


def example_texts(task: str, loaded: models.Loaded) -> tuple[str, ...]:
    """Sentences to begin with that suit what the model does."""
    if task == "fill":
        return tuple(text.format(loaded.model.tokenizer.mask_token) for text in GAPS)
    return BEGINNINGS if task == "continue" else source_sentences()


def source_sentences() -> tuple[str, ...]:
    """Sentences to translate, the one that the app opens with before the others."""
    return tuple(dict.fromkeys((inputs.first_sentence(), *SOURCES)))


def generate_steps(
    loaded: models.Loaded,
    task: str,
    sentence: str,
    method: Method,
    limit: int | None,
    choices: Choices,
    first: tuple[int, ...],
    say: errors.Remarks,
) -> tuple[Steps, tuple[Token, ...]]:
    """The text with its steps, and of a gap that was made here the tokens that could be masked instead.

    Without a choice of the reader's a written text begins with the ids `first`.
    """
    from attnviz.generation.decode import decode
    from attnviz.generation.fill_mask import MASKS, fill, mask_word
    from attnviz.generation.steps import Steps
    from attnviz.generation.writer import Writer

    model = loaded.model
    if task == "fill":
        mask = model.tokenizer.mask_token
        text = sentence
        for other in MASKS:
            if other in text and other != mask:
                text = text.replace(other, mask)
                say(_("This model's gaps are called {0}; {1} is read as that.").format(mask, other))
        tokens = loaded.record(text, None).query_tokens("encoder")
        ids, word = mask_word(tokens, model.tokenizer.mask_token_id, choices.masked)
        if choices.masked is not None and word != choices.masked:
            say(_("There is no word {0} to mask; another one is masked instead.").format(choices.masked))
        try:
            filled = loaded.cache.get(
                ("filled gaps", ids, choices.prefix, method), lambda: fill(model, ids, choices.prefix, method)
            )
        except InputError as error:
            if not choices.prefix:
                raise
            choices.drop(error, say)
            filled = fill(model, ids, (), method)
        return Steps.of_gaps(filled, method, model.tokenizer), () if word is None else tokens

    source = tuple(token.id for token in loaded.record(sentence, None).query_tokens(loaded.kinds[0]))
    writer = loaded.cache.get(("writer", source), lambda: Writer(model, source))
    try:
        writer.check_prefix(choices.prefix)
    except InputError as error:
        choices.drop(error, say)
    prefix = choices.prefix or first
    key = ("written text", source, prefix, method, limit)
    text = loaded.cache.get(key, lambda: decode(writer, prefix, method, limit))
    recording = loaded.cache.get(("recording of a written text", source, text.ids), lambda: writer.record(text.ids))
    return Steps.of_text(writer, text, method, recording), ()


def attention_controls(steps: Steps, name: str, kind: str, say: errors.Remarks) -> AttentionView:
    """What is looked at: the controls for it."""
    from attnviz.ui.screens.translate.view import AttentionView

    layers, heads, _queries, _keys = steps.recording.size(kind)
    layer = inputs.layer_control(layers, name, say, numbers=inputs.layer_numbers(steps.recording, kind))
    head = inputs.head_control(heads, say)
    by_word = st.toggle(_("Words"), key="by_word", bind="query-params", help=_("Pieces of a word taken together."))
    hide = st.toggle(
        _("Hide special tokens"),
        key="hide_special",
        bind="query-params",
        help=_("Leaves out tokens such as the end of the sentence; what share went there is said."),
    )
    keys = steps.recording.size(kind)[3]
    if keys > MOST_ON_FULL_SCALE:
        hide_first, even_colours = display_options.first_switch(), display_options.colour_switch(keys)
    else:
        url_state.keep_values("hide_first", "even_colours")
        hide_first = even_colours = False
    return AttentionView(kind, layer, head, by_word, hide, hide_first, even_colours)


def draw(
    columns: tuple[DeltaGenerator, DeltaGenerator],
    loaded: models.Loaded,
    steps: Steps,
    view: AttentionView,
    words: tuple[Token, ...],
    choices: Choices,
    run: str,
) -> bool:
    """Draws the text, and the transformer beside it."""
    from attnviz.ui.screens.translate.architecture import architecture
    from attnviz.ui.screens.translate.payload import Pieces
    from attnviz.ui.screens.translate.text_player import text_player

    ids = steps.written.ids

    def choose(step: int, index: int) -> None:
        prefix = (*ids[:step], index)
        set_choices(prefix=join_ids(prefix), step=str(len(prefix)))

    def mask(word: int) -> None:
        set_choices(masked=str(word), prefix=None, step=None)

    def reset() -> None:
        # The step in the address tells this text from one that nothing was chosen for.
        set_choices(prefix=None, step=str(first_step(steps)))
        if direction.KEY in st.session_state:
            st.session_state[direction.KEY] = ""

    step = first_step(steps) if choices.step is None else min(choices.step, len(steps) - 1)
    pieces = loaded.cache.get(("pieces",), lambda: Pieces(loaded.model.tokenizer))
    left, right = columns
    with left:
        text_player(
            steps, view, pieces, run=run, key="growing", step=step, words=words, on_choose=choose,
            on_step=lambda to: set_choices(step=str(to)), on_reset=reset, on_mask=mask,
        )  # fmt: skip
    with right:
        layers: dict[str, int | None] = {
            kind: steps.recording.size(kind)[0] for kind in ("encoder", "decoder") if kind in steps.kinds
        }
        architecture(steps.kinds, layers, kind=view.kind, run=run, key="architecture", on_kind=inputs.show_kind)
    return True


def draw_numbers(steps: Steps, view: AttentionView, name: str, sentence: str) -> None:
    """The same as numbers, and as files."""
    from attnviz.ui.components.numbers.numbers_table import numbers_collected
    from attnviz.ui.components.numbers.weights_table import head_table
    from attnviz.ui.screens.translate.tables import beam_table, steps_table

    map = view.map(steps, view.kind)
    numbers: list[Table] = []
    title = " · ".join([_("Translate"), head_name(map.name), url_state.shorten(sentence, 80)])
    facts = [_("model {0}").format(model_label(name)), _("{0} attention").format(kind_name(view.kind))]
    page = PageFigures(f"attnviz-translate-{view.kind}-{map.name}", title, lambda: numbers, facts)
    with st.container(horizontal=True, vertical_alignment="center", key="below"):
        export_menu(
            partial(picture, map, view, sentence),
            name=f"attnviz {view.kind} {map.name}",
            key="take_translate",
            page=page,
        )
    with st.expander(_("Numbers")), numbers_collected(numbers):
        steps_table(steps)
        head_table(map)
        if steps.written.beams:
            beam_table(steps)


def picture(map: AttentionMap, view: AttentionView, sentence: str) -> Picture:
    """The map of all steps, for a file."""
    from attnviz.export import Picture

    flags = {"by_word": view.by_word, "hide_special": view.hide, "hide_first": view.hide_first}
    settings = {key: "true" if on else "false" for key, on in flags.items()}
    return Picture((map,), scale=view.scale(map), theme=theme(), title=sentence, settings=settings)


def first_step(steps: Steps) -> int:
    """The first step that predicts a word: what comes before it, such as the language, is less to look at."""
    return next((position for position, token in enumerate(steps.tokens) if not token.special), 0)


require_router()
main()
