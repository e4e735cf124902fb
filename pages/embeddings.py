"""Embeddings: words as points, angles and neighbours in the model's own table, and how it tells positions apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from attnviz.errors import EmptyError, NoAttentionError
from attnviz.ui.components.export_menu import PageFigures, export_menu
from attnviz.ui.components.numbers.numbers_table import numbers_collected
from attnviz.ui.components.page.ready import figures_ready, run_name, theme
from attnviz.ui.controls import inputs, url_state
from attnviz.ui.controls.beginning import offering_beginning
from attnviz.ui.controls.page_header import page_header
from attnviz.ui.screens.embeddings import controls
from attnviz.ui.shell import errors, models
from attnviz.ui.shell.messages import _, language, model_label, translate
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from attnviz.embeddings.embedding_table import Neighbour, Vocabulary, Word
    from attnviz.embeddings.positional_encoding import PositionalEncoding
    from attnviz.export.tables import Table

MOST_WORDS = 60  # that are placed; beyond that no picture of them can be read


@dataclass(frozen=True)
class Neighbourhood:
    """How alike the vocabulary is to a word."""

    similarities: np.ndarray
    neighbours: tuple[Neighbour, ...]


def main() -> None:
    url_state.keep_values("layer", "head", *url_state.SWITCH_KEYS)
    top = page_header()
    figures = st.container(key="figures")

    with top.boxes:
        more = controls.more_words()
    loaded = top.load(figures)
    kinds = None if loaded is None else errors.attempt(figures, lambda: loaded.kinds)
    if loaded is None or kinds is None:
        url_state.keep_values("target", "pair", "kind", *controls.KEYS)
        return
    with top.controls:
        kind = controls.part_control(kinds, top.say)
    pair = top.second_sentence(loaded.reads_pairs)
    of_decoder = "cross" in kinds and kind == "decoder"
    target = inputs.target_text() if "cross" in kinds else None
    text = f"{top.sentence} {pair}" if pair else top.sentence
    if of_decoder:
        own: str | None = ""
        if top.sentence.strip():
            offer = offering_beginning(figures, loaded.model, top.sentence)
            own = errors.attempt(figures, lambda: embedded_text(loaded, top.sentence, target), offer)
        with top.boxes:
            inputs.target_box(own or "" if target is None else "")
        if own is None:
            url_state.keep_values(*controls.KEYS)
            return
        text = own
    else:
        url_state.keep_values("target")
    if not top.sentence.strip():
        figures.info(_("Type a sentence above, or pick one of the examples."), icon=":material/keyboard:")
        url_state.keep_values(*controls.KEYS)
        return

    vocabulary_and_words = errors.attempt(figures, lambda: read_words(loaded, of_decoder, text, more, top.say))
    if vocabulary_and_words is None:
        url_state.keep_values(*controls.KEYS)
        return
    vocabulary, words = vocabulary_and_words
    labels = [word.label for word in words]
    numbers: list[Table] = []
    with top.controls:
        one = controls.word_control(_("Word"), "word_one", labels, opening_word(words), top.say)
        two = controls.word_control(_("compared with"), "word_two", labels, most_similar_word(words, one), top.say)
        name = f"attnviz-embeddings-{kind}"
        title = " · ".join([_("Embeddings"), f"{labels[one]} – {labels[two]}", url_state.shorten(text, 80)])
        export_menu(page=PageFigures(name, title, lambda: numbers, [_("model {0}").format(model_label(top.model))]))
    request = (loaded.key, kind, target, pair, top.sentence, more)
    run = run_name(*request, one, two, st.session_state.get("rotation"), language(), theme())

    from attnviz.embeddings.vectors import plane
    from attnviz.ui.screens.embeddings import positions
    from attnviz.ui.screens.embeddings import words as word_figures

    def show() -> int:
        near = neighbourhood(loaded, of_decoder, vocabulary, words[one])
        cosine = plane(words[one].vector, words[two].vector).cosine
        more_like = near.similarities > cosine + 1e-6
        more_like[[*words[one].ids, *words[two].ids]] = False
        closer = int(more_like.sum())
        context = word_figures.EmbeddingsContext(
            words, one, two, near.neighbours, closer, vocabulary.size, vocabulary.width, run
        )
        with figures, numbers_collected(numbers):
            left, right = st.columns([1.35, 1], gap="medium")
            with left:
                drawn = word_figures.draw_words(context, lambda index: choose_word(labels, index))
            with right:
                drawn += word_figures.draw_word_angle(context)
            left, right = st.columns([1, 1.35], gap="medium")
            with left:
                drawn += word_figures.draw_nearest_words(context)
            with right:
                drawn += word_figures.draw_similarities(context)
            encoding, several = positional_encoding(loaded, kind), False
            if isinstance(encoding, str):
                st.markdown("#### " + _("Positions"))
                st.info(errors.as_markdown(translate(encoding)), icon=":material/info:")
            else:
                several = len(encoding.rotations) > 1
                drawn += positions.draw_positions(encoding, run, top.say)
            if not several:
                url_state.keep_values("rotation")
        return drawn

    drawn = errors.attempt(figures, show)
    if drawn is not None:
        figures_ready(run, top.sentence, figures=drawn)


def embedded_text(loaded: models.Loaded, sentence: str, target: str | None) -> str:
    """What the decoder reads: the target, or what the model itself says."""
    if target is not None:
        return target
    tokens = loaded.record(sentence, None).query_tokens("decoder")
    return "".join(token.text for token in tokens if not token.special).strip()


def read_words(
    loaded: models.Loaded, of_decoder: bool, text: str, more: tuple[str, ...], say: url_state.Say
) -> tuple[Vocabulary, tuple[Word, ...]]:
    """The embedding table, and the words of the text that are drawn."""
    from attnviz.embeddings.embedding_table import Vocabulary

    vocabulary = Vocabulary(loaded.model, of_decoder=of_decoder)
    if len(more) > controls.MOST_MORE:
        say(_("Of the {0} further words, the first {1} are shown.").format(len(more), controls.MOST_MORE))
    words = vocabulary.words(text, more[: controls.MOST_MORE])
    if not words:
        raise EmptyError(_("There is no word in this sentence. Type one with letters in it."))
    if len(words) > MOST_WORDS:
        own = [word for word in words if not word.added]
        shown_count = MOST_WORDS - (len(words) - len(own))
        say(_("The text has {0} different words; the first {1} are shown.").format(len(own), shown_count))
        words = (*own[:shown_count], *(word for word in words if word.added))
    return vocabulary, words


def opening_word(words: tuple[Word, ...]) -> int:
    """A word to begin with: the second of the sentence that has letters, for the first is often an article."""
    real = [index for index, word in enumerate(words) if any(char.isalpha() for char in word.label)]
    return (real or [0])[min(1, len(real or [0]) - 1)]


def most_similar_word(words: tuple[Word, ...], one: int) -> int:
    """The word that is most like another one."""
    from attnviz.embeddings.vectors import cosines

    alike = cosines(np.stack([word.vector for word in words]))[one]
    alike[one] = -2.0
    return int(alike.argmax())


def neighbourhood(loaded: models.Loaded, of_decoder: bool, vocabulary: Vocabulary, word: Word) -> Neighbourhood:
    """How alike the whole vocabulary is to a word."""

    def make() -> Neighbourhood:
        similarities = vocabulary.similarities(word.vector)
        # A sign has no whole words that are like it: then any entry is a neighbour.
        like = word.label if any(character.isalpha() for character in word.label) else ""
        return Neighbourhood(similarities, vocabulary.neighbours(similarities, without=word.ids, like=like))

    return loaded.cache.get(("neighbours", of_decoder, word.ids), make)


def positional_encoding(loaded: models.Loaded, kind: str) -> PositionalEncoding | str:
    """How the model tells positions apart, or why that cannot be said."""
    from attnviz.embeddings.positional_encoding import read

    def make() -> PositionalEncoding | str:
        try:
            return read(loaded.model, kind)
        except NoAttentionError as error:
            return error.message

    return loaded.cache.get(("positions", kind), make)


def choose_word(labels: list[str], index: int) -> None:
    """Chooses a word by its point; for callbacks, which run before the page does."""
    if 0 <= index < len(labels):
        st.session_state["word_one"] = labels[index]
        # What it is compared with is chosen anew, unless somebody did.
        st.session_state.pop("word_two", None)


require_router()
main()
