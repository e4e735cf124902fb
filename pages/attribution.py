"""Why this word: what each word of the text contributed to a prediction, by which method, and how far to trust it."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import astuple
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.errors import AttnvizError
from attnviz.ui.components.explanation import explanation_wording as wording
from attnviz.ui.components.explanation.explanation import OutputWord, explanation
from attnviz.ui.components.explanation.explanation_card import Choice, card
from attnviz.ui.components.explanation.explanation_tables import attribution_tables
from attnviz.ui.components.export_menu import PageFigures, export_menu
from attnviz.ui.components.page.ready import figures_ready, run_name, theme
from attnviz.ui.controls import inputs, url_state
from attnviz.ui.controls.explained_outputs import (
    choose_output,
    explained_by,
    is_exact,
    other_words,
    outputs,
    possible_methods,
    requested_output,
)
from attnviz.ui.controls.page_header import Text, page_header, record
from attnviz.ui.screens.attribution import controls, payload
from attnviz.ui.shell import errors
from attnviz.ui.shell.messages import _, language, model_label
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.attribution import Attribution, AttributionMatrix, ChangedWeights, Faithfulness
    from attnviz.models.model import Model
    from attnviz.models.recording.recording import Recording
    from attnviz.ui.controls.explained_outputs import Output, Outputs
    from attnviz.ui.controls.page_header import PageHeader
    from attnviz.ui.shell.models import Loaded

PATIENCE = 0.5  # seconds after which the page says how far it is
SHARED_KEYS = ("kind", "layer", "head")


def main() -> None:
    top = page_header()
    figures = st.container(key="figures")
    loaded = top.load(figures)
    if loaded is None:
        url_state.keep_values("target", "pair", *SHARED_KEYS, *controls.CONTROL_KEYS)
        return
    kind = "cross" if "cross" in loaded.kinds else loaded.kinds[0]
    recording, text = (
        answered(top, figures, loaded) if is_answering(loaded.model) else top.record(figures, loaded, kind)
    )
    url_state.keep_values(*SHARED_KEYS)
    if recording is None:
        url_state.keep_values(*controls.CONTROL_KEYS)
        return
    offered = errors.attempt(
        figures, lambda: loaded.cache.get(("outputs", *text, language()), partial(outputs, loaded.model, recording))
    )
    if offered and not offered.items:
        figures.info(_("The model wrote no word that could be explained. Type a target, and its words are explained."))
    if not offered or not offered.items:
        url_state.keep_values(*controls.CONTROL_KEYS)
        return
    if offered.left_out:
        top.say(payload.left_out_remark(offered.left_out))
    index, output = requested_output(offered, top.say)
    exact = is_exact(loaded.model)
    measured = offered.predicts and exact
    if not exact:
        figures.info(payload.coarse_remark(loaded.model))
    with top.controls:
        methods = possible_methods(loaded.model, measured=measured, exact=exact)
        layers, heads = recording.size(kind)[:2]
        chosen = controls.method_controls(methods, layers, heads, top.say)
        others = loaded.cache.get(
            ("other words", *text, repr(output)), lambda: other_words(loaded.model, recording, output)
        )
        instead = controls.contrast_control(list(others), top.say)
        wanted = controls.switches(translates="cross" in loaded.kinds, measured=measured)
    against = others.get(instead) if instead else None
    asked = Asked(loaded, recording, text, output, against, top)
    run = run_name(loaded.key, *text, repr(output), against, repr(chosen), *map(str, wanted), language(), theme())
    # The proof takes longer than the picture, so that comes first and the proof by itself once it is there.
    waits = wanted[2] and not is_proved(asked, chosen)
    shown = (*wanted[:2], wanted[2] and not waits)
    drawn = errors.attempt(figures, lambda: draw(figures, asked, offered, index, chosen, methods, shown, run))
    top.progress.empty()
    if not drawn:
        return
    figures_ready(run, top.sentence, figures=1)
    if waits:
        # Told below the picture, so that nothing of it moves.
        asked.place, asked.telling = st.empty(), _("Measuring how far it can be trusted")
        asked.place.progress(0.0, asked.telling)
        errors.attempt(figures, lambda: measured_falls(asked, chosen, [asked.result(choice) for choice in chosen]))
        asked.place.empty()
        if is_proved(asked, chosen):
            st.rerun()


def is_answering(model: Model) -> bool:
    """Whether the model finds answers in a text, so that a question belongs to it."""
    return type(model.network).__name__.endswith("ForQuestionAnswering")


def answered(top: PageHeader, container: DeltaGenerator, loaded: Loaded) -> tuple[Recording | None, Text]:
    """The recording of a question and the passage behind it; None where the reader was told what is missing."""
    url_state.keep_values("target", "pair")
    with top.boxes:
        question = inputs.text_box(_("Question"), "question")
    text = Text(question or "", None, top.sentence)
    if not top.sentence.strip() or not text.sentence.strip():
        container.info(_("Type a question about the text above: this model finds the answer in it."))
        return None, text
    return record(container, top.progress, loaded, text, loaded.kinds[0], question=True), text


class Asked:
    """What is explained, and how results are computed once."""

    def __init__(
        self, loaded: Loaded, recording: Recording, text: tuple[str | None, ...], output: Output,
        against: int | None, top: PageHeader,
    ) -> None:  # fmt: skip
        self.loaded, self.recording, self.text, self.output, self.against = loaded, recording, text, output, against
        self.top = top
        self.place, self.telling = top.progress, _("Asking the model again and again")
        self.started = time.monotonic()

    def tell(self, done: float) -> None:
        """Says how far it is, where that takes long."""
        if time.monotonic() - self.started > PATIENCE:
            self.place.progress(min(done, 1.0), self.telling)

    def result(self, choice: Choice) -> Attribution:
        """What a method says of the word."""
        return explained_by(
            self.loaded, self.recording, self.text, self.output, choice, self.against, progress=self.tell
        )

    def matrix(self, choice: Choice) -> AttributionMatrix:
        """What a method says of all words of the translation."""
        from attnviz.attribution import attribution_matrix

        compute = partial(
            attribution_matrix, self.loaded.model, self.recording, choice.method, layer=choice.layer, head=choice.head,
            progress=self.tell,
        )  # fmt: skip
        return self.loaded.cache.get(("attribution matrix", *self.text, astuple(choice)), compute)


def draw(
    container: DeltaGenerator, asked: Asked, offered: Outputs, index: int, chosen: list[Choice], methods: list[str],
    wanted: tuple[bool, bool, bool], run: str,
) -> bool:  # fmt: skip
    """Draws everything; `wanted` says whether the whole translation, all methods and the proof are."""
    from attnviz.attribution.trust.rank_correlation import spearman

    top = asked.top
    whole, every, trust = wanted
    results = [asked.result(choice) for choice in chosen]
    table = proof = None
    all_results: dict[str, Attribution] = {}
    if every:
        for name in methods:
            # A method that does not apply to this text, such as the flow through a long one, leaves the others alone.
            with suppress(AttnvizError):
                all_results[name] = asked.result(Choice(name))
        agreement = {name: spearman(results[0].values, result.values) for name, result in all_results.items()}
        is_whole = chosen[0] == Choice(chosen[0].method)  # not of one layer or head, as the rows are not
        table = payload.method_table(all_results, agreement, chosen[0].method, is_whole=is_whole)
    matrix = errors.attempt(container, lambda: asked.matrix(chosen[0])) if whole else None
    falls: list[Faithfulness] = []
    if trust:
        falls, changed = measured_falls(asked, chosen, results)
        proof = payload.trust(results, falls, changed)
    words = [OutputWord(item.label, at == index) for at, item in enumerate(offered.items)]
    title = " · ".join([wording.question(results[0]), url_state.shorten(top.sentence, 80)])
    facts = [_("model {0}").format(model_label(top.model))]
    with container:
        with st.container(key="take_corner"):
            export_menu(
                page=PageFigures(
                    "attnviz-why",
                    title,
                    lambda: attribution_tables([*results, *all_results.values()], falls, matrix),
                    facts,
                )
            )
        explanation(
            offered.ask,
            words,
            wording.question(results[0]),
            [card(result, choice) for result, choice in zip(results, chosen, strict=True)],
            payload.matrix_table(matrix, chosen[0]) if matrix else None,
            table,
            proof,
            run=run,
            key="explanation",
            on_word=lambda at: choose_output(offered.items[at]),
        )
    return True


def proof_keys(asked: Asked, chosen: list[Choice]) -> list[tuple]:
    """Under which each method's fall is kept, and behind them what becomes of the word with other weights."""
    key = (*asked.text, astuple(asked.output), asked.against)
    return [*(("faithfulness", *key, astuple(choice)) for choice in chosen), ("changed weights", *key)]


def is_proved(asked: Asked, chosen: list[Choice]) -> bool:
    """Whether all of it was measured before."""
    return all(key in asked.loaded.cache for key in proof_keys(asked, chosen))


def measured_falls(
    asked: Asked, chosen: list[Choice], results: list[Attribution]
) -> tuple[list[Faithfulness], ChangedWeights | None]:
    """What happens without the words that each method names, and with other weights, where the model allows others."""
    from attnviz.attribution import change_weights, faithfulness

    model, cache = asked.loaded.model, asked.loaded.cache
    *fall_keys, changed_key = proof_keys(asked, chosen)
    falls: list[Faithfulness] = []
    for key, result in zip(fall_keys, results, strict=True):
        beside = falls[0] if falls else None
        compute = partial(faithfulness, model, asked.recording, result, beside=beside, progress=asked.tell)
        falls.append(cache.get(key, compute))

    def changed() -> ChangedWeights | None:
        captures = model.recorder.plan.captures
        return change_weights(model, asked.recording, results[0].target) if captures else None

    return falls, cache.get(changed_key, changed)


require_router()
main()
