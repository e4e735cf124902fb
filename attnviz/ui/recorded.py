"""What several pages do with a recording before they draw it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attnviz.ui.shell import errors
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.models.recording import Recording
    from attnviz.ui.shell.models import Loaded


def record(place: DeltaGenerator, loaded: Loaded, sentence: str, target: str | None, kind: str) -> Recording | None:
    """The recording, once its part of this kind is computed; None where the reader was told in `place` why not."""
    if not sentence.strip():
        place.info(_("Type a sentence above, or pick one of the examples."), icon=":material/keyboard:")
        return None

    def make() -> Recording:
        recording = loaded.record(sentence, target)
        recording.size(kind)
        return recording

    return errors.attempt(place, make)


def own_words(recording: Recording) -> str:
    """What an encoder–decoder itself said."""
    return "".join(token.text for token in recording.query_tokens("decoder") if not token.special).strip()
