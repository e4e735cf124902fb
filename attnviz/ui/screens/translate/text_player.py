"""The components of the page "Translate": a text that grows, and the transformer as one drawing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from attnviz.generation.steps import Steps
from attnviz.tokenization.token import Token
from attnviz.ui.components.component import define
from attnviz.ui.components.ready import run_name
from attnviz.ui.screens.translate.architecture_geometry import Words, draw_architecture
from attnviz.ui.screens.translate.payload import AttentionView, Pieces, text_payload
from attnviz.ui.shell.messages import _

_player = define(__file__)
_architecture = define(__file__, "architecture")


def text_player(
    steps: Steps,
    view: AttentionView,
    pieces: Pieces,
    *,
    run: str,
    key: str,
    step: int,
    words: Sequence[Token] = (),
    on_choose: Callable[[int, int], None],
    on_step: Callable[[int], None],
    on_reset: Callable[[], None],
    on_mask: Callable[[int], None],
) -> None:
    """Draws a text that grows.

    Args:
        steps: the text with its steps.
        view: which attention is shown.
        pieces: how tokens are read.
        run: the name of what the page shows now, for `figures_ready`.
        key: of the component on its page.
        step: where to begin.
        words: of a masked text whose gap was made here, the tokens that can be masked instead: all of the text's.
        on_choose: called with the step and the vocabulary id that was chosen instead.
        on_step: called with the step that was gone to, once the reader rests there.
        on_reset: called when the choices are to be forgotten.
        on_mask: called with the word that is to be masked.
    """
    story = text_payload(steps, view, pieces, words)
    data = {
        **story,
        "run": run,
        "step": step,
        "path": run_name(steps.task, steps.written.ids, [item["text"] for item in story["text"]]),
        "picture": run_name(story),
    }

    def value_handler(name: str, call: Callable[[Any], None]) -> Callable[[], None]:
        def handle_value() -> None:
            value = st.session_state[key].get(name)
            if value is not None:
                call(value)

        return handle_value

    _player(
        key=key,
        data=data,
        on_choose_change=value_handler("choose", lambda value: on_choose(int(value["step"]), int(value["id"]))),
        on_step_change=value_handler("step", lambda value: on_step(int(value))),
        on_reset_change=value_handler("reset", lambda _value: on_reset()),
        on_mask_change=value_handler("mask", lambda value: on_mask(int(value))),
    )


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
        encoder=(_("Encoder"), _("self-attention")),
        decoder=(_("Masked"), _("self-attention")),
        cross=(_("Cross-"), _("attention")),
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
        "note": notes[kind],
        "text": _("The transformer and its places of attention: {0}. Choose one to see its weights.").format(
            _(", ").join(kinds)
        ),
    }
    data["picture"] = run_name(drawing)

    def handle_kind() -> None:
        chosen = st.session_state[key].get("kind")
        if chosen in kinds:
            on_kind(chosen)

    _architecture(key=key, data=data, on_kind_change=handle_kind)
