"""The top of the pages that read one sentence: its box, the examples, the model, and a place for remarks.

What is made of it is each page's own.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import streamlit as st

from attnviz.tokenization.language import guess_language
from attnviz.ui.components.page.fold_controls import fold_controls
from attnviz.ui.controls import inputs, url_state
from attnviz.ui.controls.beginning import offering_beginning
from attnviz.ui.shell import errors, model_names, models
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.models.recording.recording import Recording
    from attnviz.ui.shell.models import Loaded

MOST_NAMED = 6  # characters in a remark
PATIENCE = 0.7  # seconds after which the page says how far a recording is


class Text(NamedTuple):
    """What a recording is made of.

    Attributes:
        sentence: as it was typed.
        target: the decoder's sentence; None for the model's own.
        pair: the second sentence, for models that read two as a pair; None for one sentence alone.
    """

    sentence: str
    target: str | None = None
    pair: str | None = None


@dataclass(frozen=True)
class ModelRow:
    """The model that was asked for, and where a page's own controls and remarks go.

    Attributes:
        name: of the model, as it was typed, perhaps with "@" and a revision.
        controls: the row that a page adds its own controls to.
        progress: a place for how far a model's loading is.
        say: tells the reader of what was asked for and is not there.
    """

    name: str
    controls: DeltaGenerator
    progress: DeltaGenerator
    say: errors.Remarks

    @property
    def model(self) -> str:
        """The model's name without its revision."""
        return model_names.model_and_revision(self.name)[0]

    def load(self, container: DeltaGenerator) -> Loaded | None:
        """The model; None where the reader was told in `container` why not."""
        model, revision = model_names.model_and_revision(self.name)
        loaded = errors.attempt(container, lambda: models.load(model, self.progress, revision=revision))
        inputs.note_loading(self.name, loaded is not None)
        return loaded

    def note_unknown_characters(self, recording: Recording) -> None:
        """Says of the bundled model which Chinese characters it does not know, as it knows few traditional ones.

        It reads each of them as several tokens, a byte each, and what it makes of them is no translation.
        """
        if self.model != model_names.BUNDLED:
            return
        tokens = recording.key_tokens(recording.kinds[0])
        pieces = Counter((token.start, token.text) for token in tokens if len(token.text) == 1)
        unknown = [text for (_start, text), count in pieces.items() if count > 1 and guess_language(text) == "zh"]
        if unknown:
            said = _(
                "The bundled model learned simplified characters. It reads {0} as single bytes and cannot translate "
                "them."
            )
            self.say(said.format("".join(dict.fromkeys(unknown))[:MOST_NAMED]))


@dataclass(frozen=True)
class PageHeader(ModelRow):
    """What was asked for at the top of a page, and where more of it goes.

    Attributes:
        sentence: as it was typed.
        boxes: the row that a page adds its own boxes to.
    """

    sentence: str
    boxes: DeltaGenerator

    def record(self, container: DeltaGenerator, loaded: Loaded, kind: str) -> tuple[Recording | None, Text]:
        """The recording, None where the reader was told in `container` why not, and the text that was asked for.

        Where this kind has to do with a target, its box stands in the row of boxes, with the model's own words in it as
        long as nobody asked for others; and where the model reads pairs, the box of the second sentence.
        """
        target = inputs.target_text() if "cross" in loaded.kinds else None
        text = Text(self.sentence, target, self.second_sentence(loaded.reads_pairs))
        recording = record(container, self.progress, loaded, text, kind)
        if recording:
            self.note_unknown_characters(recording)
        if "cross" in loaded.kinds and kind != "encoder":
            with self.boxes:
                inputs.target_box(decoder_text(recording) if recording and target is None else "")
        else:
            url_state.keep_values("target")
        return recording, text

    def second_sentence(self, reads_pairs: bool) -> str | None:
        """The second sentence of a pair, in a box of its own where the model reads pairs; None where there is none."""
        if not reads_pairs:
            url_state.keep_values("pair")
            return None
        with self.boxes:
            return inputs.pair_box()

    def settings(self, text: Text) -> dict[str, str]:
        """What a picture that is taken along says it was made from."""
        model, revision = model_names.model_and_revision(self.name)
        pair = {"pair": text.pair} if text.pair else {}
        return {
            "sentence": text.sentence, **pair, "target": text.target or "", "model": model, "revision": revision or "",
        }  # fmt: skip


def page_header(*, folded: bool = False) -> PageHeader:
    """Draws it, and says what is in it; `folded` as in `text_boxes`."""
    boxes = text_boxes(folded=folded)
    with boxes:
        sentence = inputs.sentence_box()
    inputs.example_sentences()
    return PageHeader(**vars(model_row()), sentence=sentence, boxes=boxes)


def text_boxes(*, folded: bool = False) -> DeltaGenerator:
    """The row for the boxes of texts, with the button that folds all controls below it.

    Args:
        folded: whether they are folded until the reader opens them, where a page's picture needs their room.
    """
    boxes = st.container(horizontal=True, key="boxes")
    with boxes:
        fold_controls(folded=folded)
    return boxes


def model_row() -> ModelRow:
    """Draws the row of controls with the choice of a model, and the places under it."""
    controls = st.container(horizontal=True, vertical_alignment="bottom", key="controls")
    with controls:
        name = inputs.model_picker()
    say = errors.Remarks(st.empty())
    return ModelRow(name, controls, st.empty(), say)


def record(
    container: DeltaGenerator,
    progress: DeltaGenerator,
    loaded: Loaded,
    text: Text,
    kind: str,
    *,
    question: bool = False,
) -> Recording | None:
    """The recording, once its part of this kind is computed; None where the reader was told in `container` why not.

    In `progress` it is said how far a long one is; it ends there where the reader changes something meanwhile. Where
    the first text is a `question`, the second one stands in the sentence box.
    """
    if not text.sentence.strip():
        container.info(_("Type a sentence above, or pick one of the examples."), icon=":material/keyboard:")
        return None

    started, shown = time.monotonic(), False

    def tell(share: float) -> None:
        nonlocal shown
        if shown or time.monotonic() - started > PATIENCE:
            progress.progress(min(share, 1.0), _("Reading the text …"))
            shown = True

    def make() -> Recording:
        try:
            recording = loaded.record(*text, progress=tell)
        finally:
            if shown:
                progress.empty()
        recording.size(kind)
        return recording

    boxed, beside = (text.pair or "", text.sentence) if question else (text.sentence, text.pair)
    return errors.attempt(container, make, offering_beginning(container, loaded.model, boxed, beside=beside))


def decoder_text(recording: Recording) -> str:
    """What an encoder–decoder itself said."""
    return "".join(token.text for token in recording.query_tokens("decoder") if not token.special).strip()
