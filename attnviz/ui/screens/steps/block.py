"""The last step: what a block adds to a word's vector, part by part."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from attnviz.figures.steps import draw_lengths
from attnviz.ui.components.page.ready import theme
from attnviz.ui.screens.steps import controls
from attnviz.ui.screens.steps.context import StepContext, escape_label, format_number, numbers_table
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from attnviz.computation.module_roles import Stage


def draw_block(context: StepContext) -> int:
    """All heads joined, residual, normalisation, feed-forward."""
    computation = context.computation
    layers, heads, _queries, _keys = context.recording.size(computation.kind)
    word = context.asker.label
    stages = computation.stages
    st.markdown(
        _(
            "The outputs of all **{0} heads**, side by side, go through one more matrix and are **added** to what the "
            "layer began with; a feed-forward network follows. The bars are the lengths of the vector of {1} on its "
            "way."
        ).format(heads, f"**{escape_label(word)}**")
    )
    labels = [f"{number + 1} {stage_name(stage)} · {stage.vectors.shape[1]}" for number, stage in enumerate(stages)]
    lengths = [float(stage.norms[context.query]) for stage in stages]
    figure = draw_lengths(labels, lengths, theme=theme(), title=_("length of the vector"))
    alt = _("From length {0} at the beginning of the layer to {1} at its end").format(
        format_number(lengths[0], 2), format_number(lengths[-1], 2)
    )
    drawn = context.draw_figure(figure, "step_lengths", alt)
    st.caption(
        _(
            "The last number of each name is how many numbers the vector has. Lengths do not add: the sum of two "
            "vectors is as long as both together only where they have one direction."
        )
    )
    if computation.layer + 1 < layers:
        st.button(
            _("On to layer {0}").format(context.recording.layer_number(computation.kind, computation.layer + 1)),
            icon=":material/south:",
            key="next_layer",
            on_click=partial(controls.open_layer, computation.layer + 1),
        )
    else:
        st.caption(_("This is the last layer of its kind."))
        with st.container(horizontal=True, key="lead_on"):
            st.page_link("pages/heads.py", label=_("See all heads of this layer"), icon=":material/grid_view:")
            st.page_link("pages/simple_attention.py", label=_("Compute it by hand"), icon=":material/edit:")
    numbers_table(
        _("Block"),
        {
            _("place"): labels,
            _("module"): [stage.name for stage in stages],
            _("numbers"): [stage.vectors.shape[1] for stage in stages],
            _("length"): lengths,
        },
    )
    return drawn


def stage_name(stage: Stage) -> str:
    """The name of a stage of the block, as the labels of the bars have it."""
    if stage.kind == "sum":
        return _("sum of {0}").format(" + ".join(str(index + 1) for index in stage.of))
    return {
        "input": _("enters the layer"),
        "norm": _("normalised"),
        "attention": _("this attention"),
        "other attention": _("other attention"),
        "feed-forward": _("feed-forward matrix"),
        "activation": _("activation"),
        "output": _("leaves the layer"),
    }[stage.kind]
