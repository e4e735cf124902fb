"""The component that shows the transformer as one drawing, whose places of attention can be chosen."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import streamlit as st

from attnviz.ui.components.component import define
from attnviz.ui.components.page.ready import run_name
from attnviz.ui.screens.translate.architecture_geometry import Words, draw_architecture
from attnviz.ui.shell.messages import _, kind_name

_architecture = define(__file__)


def architecture(
    kinds: Sequence[str],
    layers: dict[str, int | None],
    *,
    kind: str,
    run: str,
    key: str,
    on_kind: Callable[[str], None],
) -> None:
    """Draws the transformer with its places of attention.

    Args:
        kinds: those of the model.
        layers: per stack how many.
        kind: the place that is marked.
        run: the name of what the page shows now.
        key: of the component on its page.
        on_kind: called with the place that was clicked.
    """
    words = Words(
        encoder=_("Encoder\nself-attention"),
        decoder=_("Masked\nself-attention"),
        cross=_("Cross-\nattention"),
        feed_forward=_("Feed-forward"),
        embedding=_("Embedding, position"),
        head=_("Language head"),
        source=_("source"),
        written=_("written so far"),
        text=_("text with a gap"),
        next=_("next token"),
        gap=_("word in the gap"),
        layers=_("{0} layers"),
    )
    drawing = dataclasses.asdict(draw_architecture(kinds, layers, words=words))
    notes = {
        "encoder": _("Every token of the source looks at every other.")
        if "cross" in kinds
        else _("Every token looks at every other, to both sides of the gap."),
        "decoder": _("Each token looks only at itself and what stands before it."),
        "cross": _("What is being written looks at the source, as the last encoder layer left it."),
    }
    data = {
        "run": run,
        "drawing": drawing,
        "kind": kind,
        "names": {
            "encoder": _("Encoder self-attention"),
            "decoder": _("Masked self-attention"),
            "cross": _("Cross-attention"),
        },
        "note": notes[kind],
        "text": _("The transformer and its places of attention: {0}. Choose one to see its weights.").format(
            _(", ").join(kind_name(one) for one in kinds)
        ),
    }
    data["picture"] = run_name(drawing, data["names"])

    def handle_kind() -> None:
        chosen = st.session_state[key].get("kind")
        if chosen in kinds:
            on_kind(chosen)

    _architecture(key=key, data=data, on_kind_change=handle_kind)
