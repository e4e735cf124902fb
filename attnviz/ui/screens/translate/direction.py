"""The translation as plain text at the top of the page, and its direction: guessed from the words, or chosen.

The bundled model's decoder begins with a token that names the language that it writes. Left alone it chooses that token
itself, by what it read; a chosen direction puts the token there for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from attnviz.tokenization.language import guess_language
from attnviz.ui.controls import url_state
from attnviz.ui.shell import model_names
from attnviz.ui.shell.messages import _, language_name

if TYPE_CHECKING:
    from attnviz.models.model import Model

DIRECTIONS = ("de-en", "nl-en", "zh-en", "en-de")  # that the bundled model was trained in, as its card says
KEY = "direction"
_SOURCES = tuple(direction.split("-")[0] for direction in DIRECTIONS)


def direction_control(sentence: str, say: url_state.Say) -> str:
    """The direction that was chosen, one of `DIRECTIONS`; empty where it is guessed.

    The control itself would put its options into the address as they are written on the screen.

    Args:
        sentence: what is translated; the guess is about it.
        say: told which direction a link asks for that the model does not have.
    """
    requested = st.session_state.get(KEY, st.query_params.get(KEY)) or ""
    if requested and requested not in DIRECTIONS:
        say(_("There is no direction {0} here; it is guessed from the words.").format(url_state.shorten(requested)))
    # Written down in each run: Streamlit forgets it where the names have changed with the language.
    st.session_state[KEY] = requested if requested in DIRECTIONS else ""
    source = guess_language(sentence)
    guess = next((direction for direction in DIRECTIONS if direction.startswith(f"{source}-")), "")
    guessed = _("{0} → {1} (guessed)").format(*_languages(guess)) if guess else _("guessed from the words")
    chosen = st.selectbox(
        _("Direction"),
        ("", *DIRECTIONS),
        format_func=lambda direction: " → ".join(_languages(direction)) if direction else guessed,
        key=KEY,
        label_visibility="collapsed",
        width=290,
    )
    if chosen:
        st.query_params[KEY] = chosen
    else:
        st.query_params.pop(KEY, None)
    return chosen or ""


def _languages(direction: str) -> tuple[str, ...]:
    return tuple(language_name(code) for code in direction.split("-"))


def first_ids(model: Model, direction: str) -> tuple[int, ...]:
    """The vocabulary id that names the language of a chosen direction; none where it is left to the model."""
    if not direction:
        return ()
    language_id = model.tokenizer.convert_tokens_to_ids(f">>{direction.split('-')[1]}<<")
    return (language_id,) if language_id in model.inputs.language_tokens() else ()


def draw_translation(text: str, only_read: bool) -> None:
    """The translation, with a button that copies it; `only_read`: it is an example's, which the model did not write."""
    if text:
        st.code(text, language=None, wrap_lines=True)
    if only_read:
        st.caption(_("This translation is given; the model only reads it. One click shows what it writes itself."))


def draw_languages(sentence: str, text: str, model: str) -> None:
    """The guessed direction, of a model without a choice; of the bundled one a warning where it lacks the language."""
    source, target = guess_language(sentence), guess_language(text)
    if model != model_names.BUNDLED:
        if source and target:
            template = _("{0} → {1}, guessed from the words")
            st.caption(template.format(language_name(source), language_name(target)))
    elif source is not None and source not in _SOURCES:
        st.caption(_("{0} is none of this model's languages; expect no translation.").format(language_name(source)))
