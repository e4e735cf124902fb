"""The controls that the pages share, and their values in the address of the page.

A copied link shows the same thing to somebody else, and a choice follows to the next page. What a link asks for, or
another model had, and is not there is said and replaced by the nearest that is; what a control held is kept while it is
not on the screen (`hold`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit.errors import StreamlitAPIException

from attnviz.examples import FIRST_EXAMPLES, HOME_EXAMPLES
from attnviz.figures.style import Theme
from attnviz.serving.offered import may_choose_freely
from attnviz.ui.components.page.ready import theme
from attnviz.ui.components.page.text_file import TEXT_TYPES, text_file
from attnviz.ui.controls import long_texts
from attnviz.ui.controls.url_state import Say, follow_opening, named_choice, note_opening, replace_missing
from attnviz.ui.shell.messages import _, kind_name, language
from attnviz.ui.shell.model_names import BUNDLED, choice_label, model_and_revision, model_label, offered_models

if TYPE_CHECKING:
    from attnviz.models.recording.recording import Recording

MOST_SEGMENTS = 12  # layers that fit side by side
_USED = "attnviz_models"  # names of models that were asked for in this session
_FAILED = "attnviz_failed_models"  # those of them that could not be loaded


def text_box(
    label: str, key: str, *, file_button: bool = False, file_types: Sequence[str] = TEXT_TYPES, **options: Any
) -> str:
    """A box that grows with its text; `page_shell` has the text taken over while it is typed, and with Enter.

    A text file can be dropped onto it. What is too long for an address is kept in the session and in the browser's tab.

    Args:
        label: stands above it.
        key: of the control, and of its value in the address.
        file_button: whether a button in it offers to take a file.
        file_types: endings of the files that it offers.
        options: others of `st.text_area`.
    """
    long_texts.bring_back(key)
    missing = long_texts.is_missing(key)
    bind: Any = "query-params" if long_texts.is_bound(key) else None
    with st.container(key=f"{key}_box", gap=None):
        text = st.text_area(label, key=key, height="content", bind=bind, **options) or ""
        name = long_texts.keep(key, text)
        # The number is said of long texts only; for others the component gets the same in every run.
        characters = len(text) if name else 0
        text_file(key, name=name, missing=missing, characters=characters, button=file_button, types=file_types)
    return text


def sentence_box(opening: str | None = None, label: str | None = None) -> str:
    """The sentence, taken over while it is typed, after a pause of a quarter of a second.

    What it opens with stands in the address like any other: who opens a copied link may read in another language.

    Args:
        opening: what it opens with; None for the first sentence in the reader's language.
        label: stands above it; None for "Sentence".
    """
    long_texts.bring_back("sentence")
    follow_opening("sentence", first_sentence() if opening is None else opening)
    return text_box(label or _("Sentence"), "sentence", file_button=True)


def first_sentence() -> str:
    """What the app opens with: a sentence in the reader's language."""
    return FIRST_EXAMPLES.get(language(), FIRST_EXAMPLES["en"])


def target_text() -> str | None:
    """The decoder's sentence as the box has it, or had it; None where it is left to the model.

    It is asked for before the box is drawn, for the model's own output, the box's placeholder, is known only then.
    """
    return _text_of("target")


def pair_text() -> str | None:
    """The second sentence of a pair as the box has it, or had it; None where there is none."""
    return _text_of("pair")


def _text_of(key: str) -> str | None:
    text = st.session_state.get(key, st.query_params.get(key)) or ""
    return text if text.strip() else None


def pair_box() -> str | None:
    """The second sentence of a pair; None while its box is empty, and the first one is read alone."""
    text = text_box(
        _("Second sentence"),
        "pair",
        placeholder=_("none"),
        help=_("This model can read two sentences as a pair. Empty: the first one alone."),
    )
    return text if text.strip() else None


def target_box(own: str) -> None:
    """The box for the decoder's sentence; what the model would say itself stands in it while it is empty."""
    text_box(
        _("Target"),
        "target",
        placeholder=own,
        help=_("What the decoder reads. Empty: the model's own translation."),
    )


def example_sentences(sentences: Sequence[str] | None = None) -> None:
    """Sentences to begin with; a click puts one into the sentence box.

    Args:
        sentences: the home page's if None; before them comes the one that the app opens with.
    """
    if sentences is None:
        sentences = tuple(dict.fromkeys((first_sentence(), *HOME_EXAMPLES)))

    def pick() -> None:
        if st.session_state["example"]:
            st.session_state["sentence"] = st.session_state["example"]

    # Shown as picked only while it is what the box holds.
    current = st.session_state.get("sentence")
    picked = current if current in sentences else None
    if st.session_state.get("example") != picked:
        st.session_state["example"] = picked
    st.pills(_("Examples"), sentences, key="example", on_change=pick, label_visibility="collapsed", wrap=False)


def model_picker() -> str:
    """The model's name: the bundled one, one that is offered, one asked for before, or whatever is typed in.

    The control itself would put its options into the address as they are written on the screen; so the name is put
    there by hand.
    """
    if "model" not in st.session_state and st.query_params.get("model"):
        st.session_state["model"] = st.query_params["model"]
    requested = _plain_model(st.session_state.get("model"))
    if requested.startswith("@"):
        # The box drops what was typed where it is the model that is shown already; a revision is what is left of it.
        requested = f"{model_and_revision(st.query_params.get('model', BUNDLED))[0]}{requested}"
    used: list[str] = st.session_state.setdefault(_USED, [BUNDLED])
    if requested not in used:
        used.append(requested)
    if "model" in st.session_state:
        st.session_state["model"] = requested
    options = list(dict.fromkeys([*used_models(), requested, *offered_models()]))
    freely = may_choose_freely()
    name = st.selectbox(
        _("Model"),
        options,
        key="model",
        accept_new_options=freely,
        format_func=lambda name: choice_label(name, tuple(options)),
        placeholder=_("a folder or a Hugging Face id") if freely else None,
        help=_(
            "The bundled model needs no internet: German, Dutch and Chinese (simplified) into English, English into "
            "German; 21 MB, CC BY 2.0. Choose another one, which is downloaded, or type a folder of this computer or a "
            "Hugging Face id. A revision can follow the id: google-t5/t5-small@main."
        )
        if freely
        else _("The models that this server shows."),
    )
    name = _plain_model(name)
    if name not in used:
        used.append(name)
    if name == BUNDLED:
        st.query_params.pop("model", None)
    elif st.query_params.get("model") != name:
        st.query_params["model"] = name
    return name


def _plain_model(name: str | None) -> str:
    name = name.strip() if isinstance(name, str) else BUNDLED
    return BUNDLED if name.casefold() in ("", BUNDLED, model_label(BUNDLED).casefold()) else name


def used_models() -> tuple[str, ...]:
    """The names of the models that were asked for in this session and could be loaded, the bundled one first."""
    failed: set[str] = st.session_state.get(_FAILED, set())
    return tuple(name for name in st.session_state.get(_USED, (BUNDLED,)) if name not in failed)


def note_loading(name: str, loaded: bool) -> None:
    """Leaves a model that could not be loaded out of the list, until it can be."""
    failed: set[str] = st.session_state.setdefault(_FAILED, set())
    if loaded:
        failed.discard(name)
    else:
        failed.add(name)


def kind_control(kinds: Sequence[str], model: str, say: Say) -> str:
    """Which attention, of those that the model has.

    Args:
        kinds: as `Model.kinds`.
        model: its name, for what is said.
        say: told what was asked for and is not there; likewise below.
    """

    def remark(value: str, instead: str) -> str:
        return _("{0} has no {1} attention; its {2} attention is shown instead.").format(
            model_label(model), kind_name(value), kind_name(instead)
        )

    replace_missing("kind", kinds, say, remark)
    return named_choice(_("Attention"), kinds, kind_name, key="kind", default=kinds[0])


def layer_numbers(recording: Recording, kind: str) -> list[int]:
    """What the model itself calls its layers with attention, which a hybrid has others between."""
    return [recording.layer_number(kind, layer) for layer in range(recording.size(kind)[0])]


def layer_control(layers: int, model: str, say: Say, opening: int = 0, numbers: Sequence[int] | None = None) -> int:
    """Which layer, from 0; `opening` where nobody has chosen one.

    Args:
        layers: how many there are.
        model: whose, as the reader named it.
        say: gets a remark on a layer that there is not.
        opening: the layer where nobody has chosen one.
        numbers: what the model itself calls them, which is what the reader sees; the address counts from 0.
    """
    opening = min(opening, layers - 1)

    def remark(value: str, instead: int) -> str:
        return _("{0} has the layers 0 to {1}, not {2}; layer {3} is shown instead.").format(
            model_label(model), layers - 1, value, instead
        )

    replace_missing("layer", range(layers), say, remark, default=opening)
    if "layer" not in st.session_state and "layer" not in st.query_params:
        note_opening("layer", opening)
    if numbers is not None and list(numbers) != list(range(layers)):
        return _numbered_layer(numbers, opening)
    if layers <= MOST_SEGMENTS:
        value = st.segmented_control(
            _("Layer"), range(layers), default=opening, key="layer", required=True, bind="query-params"
        )
    else:
        value = st.selectbox(_("Layer"), range(layers), index=opening, key="layer", bind="query-params", width=110)
    return opening if value is None else value  # a link may have the parameter and nothing in it


def _numbered_layer(numbers: Sequence[int], opening: int) -> int:
    """The control of layers that have numbers of their own.

    Streamlit would write these numbers into the address, where layers are counted from 0; so that is done by hand.
    """
    layers = range(len(numbers))
    requested = str(st.session_state.get("layer", st.query_params.get("layer", opening)))
    # Written down in each run: without an address of its own the control would begin anew on each page.
    st.session_state["layer"] = int(requested) if requested in {str(layer) for layer in layers} else opening
    options: dict[str, Any] = {"key": "layer", "format_func": lambda layer: str(numbers[layer])}
    if len(numbers) <= MOST_SEGMENTS:
        layer = st.segmented_control(_("Layer"), layers, required=True, **options)
    else:
        layer = st.selectbox(_("Layer"), layers, width=110, **options)
    # Of the model before, the control may still hold the address; then it has let go of it in the next run.
    with suppress(StreamlitAPIException):
        if st.query_params.get("layer") != str(layer):
            st.query_params["layer"] = str(layer)
    return layer


def head_control(heads: int, say: Say) -> int | None:
    """Which head is open, from 0, or None."""

    def remark(value: str, _instead: int) -> str:
        return _("The heads are 0 to {0}, there is no head {1}; none is open.").format(heads - 1, value)

    replace_missing("head", range(heads), say, remark, fallback=None)
    value = st.selectbox(
        _("Head"),
        range(heads),
        index=None,
        key="head",
        bind="query-params",
        placeholder=_("all"),
        width=96,
        help=how_to_read(theme()),
    )
    return value


def how_to_read(theme: Theme) -> str:
    """What a row, a column and a picture are; in the dark theme more attention is a brighter colour."""
    if theme == "dark":
        return _(
            "Each row is a word that looks, each column a word it looks at; the brighter, the more. "
            "Each picture is one head: one of the layer's ways of looking."
        )
    return _(
        "Each row is a word that looks, each column a word it looks at; the darker, the more. "
        "Each picture is one head: one of the layer's ways of looking."
    )


def open_head(head: int | None) -> None:
    """Opens a head, or closes it; for callbacks, which run before the controls are drawn."""
    st.session_state["head"] = head


def show_kind(kind: str) -> None:
    """Goes to another kind of attention; for callbacks likewise."""
    st.session_state["kind"] = kind
