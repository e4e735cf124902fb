"""How the model tells positions apart: added vectors, rotations, or a bias."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from attnviz.figures.embeddings import draw_curves, draw_field
from attnviz.ui.components.page.ready import theme
from attnviz.ui.screens.embeddings.controls import rotation_control
from attnviz.ui.screens.embeddings.words import draw_figure, format_number, numbers_table
from attnviz.ui.shell.messages import _, local_number

if TYPE_CHECKING:
    from attnviz.embeddings.positional_encoding import PositionalEncoding, Rotation
    from attnviz.ui.controls.url_state import Say


MOST_DIMENSIONS = 1024  # of a picture with a column for each
SIDE = 380  # pixels of height of the pictures of positions


# Positions ----------------------------------------------------------------------------------------------------------


def draw_positions(encoding: PositionalEncoding, run: str, say: Say) -> int:
    """How the model tells positions apart, and what that does to their similarity."""
    part = {"added": draw_added_vectors, "bias": draw_position_bias, "rotary": draw_rotary}.get(encoding.where)
    st.markdown("#### " + _("Positions"))
    if part is None:
        st.info(
            _(
                "Nothing was found in this model's first layer that tells positions apart: nothing is added to the "
                "embeddings, turned in queries and keys, or added to the scores."
            ),
            icon=":material/info:",
        )
        return 0
    return part(encoding, run, say)


def position_limit(encoding: PositionalEncoding) -> str:
    """How many positions the model has."""
    if encoding.room is not None:
        return _("The model has **{0} positions**.").format(local_number(f"{encoding.room:,}"))
    if encoding.named_limit is not None:
        return _("They are computed, so no table ends; the configuration names **{0} positions** at most.").format(
            local_number(f"{encoding.named_limit:,}")
        )
    return _("There is **no last position**.")


def draw_added_vectors(encoding: PositionalEncoding, run: str, _say: Say) -> int:
    """Vectors that are added to the embeddings."""
    rows, alike = encoding.rows, encoding.similarity
    assert rows is not None and alike is not None
    count, width = rows.shape
    if encoding.computed:
        how = _(
            "Each position has a row of **sines and cosines**, computed and not learned: each column is a wave, from "
            "fast to slow. The row is **added** to the word's vector."
        )
    else:
        how = _("Each position has a **learned** row of numbers. The row is **added** to the word's vector.")
    st.markdown(f"{how} {position_limit(encoding)}")
    left, right = st.columns([1.15, 1], gap="medium")
    with left:
        st.markdown("###### " + _("The rows of positions 0 to {0}").format(count - 1))
        st.caption(f"`{encoding.module}`, {_('{0} numbers each').format(width)}")
        figure = draw_field(
            rows[:, :MOST_DIMENSIONS], theme=theme(), columns=_("dimension"), rows=_("position"), name=_("value"),
            height=SIDE,
        )  # fmt: skip
        alt = _("{0} positions × {1} dimensions").format(count, width)
        drawn = draw_figure(figure, run, "positions", alt)
        if width > MOST_DIMENSIONS:
            st.caption(_("The first {0} dimensions are drawn.").format(MOST_DIMENSIONS))
    with right:
        st.markdown("###### " + _("How alike two positions are: the cosine of their rows"))
        by_distance = [float(np.diagonal(alike, distance).mean()) for distance in range(count)]
        averages_text = _distances_text(by_distance)
        st.caption(_("On average: {0}.").format(averages_text))
        figure = draw_field(
            alike, theme=theme(), columns=_("position"), rows=_("position"), name=_("cosine"), most=1.0, height=SIDE
        )
        drawn += draw_figure(
            figure, run, "similarity", _("Cosine of each position with each; on average {0}").format(averages_text)
        )
    with st.expander(_("Numbers")):
        distances = list(range(count))
        numbers_table(_("mean cosine"), {_("distance"): distances, _("mean cosine"): by_distance})
        st.caption(_("The rows, a line for each position:"))
        shown = rows[:, :MOST_DIMENSIONS].T.tolist()
        numbers_table(
            _("Positions"),
            {_("position"): list(range(len(rows))), **{str(dimension): line for dimension, line in enumerate(shown)}},
        )
    return drawn


def _distances_text(by_distance: list[float]) -> str:
    """Some values by distance: "1 apart 0.97, 4 apart 0.80"."""
    chosen = [distance for distance in (1, 4, 16, 64) if distance < len(by_distance)]
    return _(", ").join(
        _("{0} apart {1}").format(distance, format_number(by_distance[distance])) for distance in chosen
    )


def draw_rotary(encoding: PositionalEncoding, run: str, say: Say) -> int:
    """Queries and keys are turned by their position."""
    if not encoding.rotations:
        st.info(
            _(
                "This model changes queries and keys before it compares them, as rotary positions do, but in code of "
                "its own that does not show its angles."
            ),
            icon=":material/info:",
        )
        return 0
    names = [rotation.name or _("all layers") for rotation in encoding.rotations]
    st.markdown(
        _(
            "**Rotary**: nothing is added to the embeddings. Queries and keys are cut into pairs of numbers, and each "
            "pair is **turned** by position × θ, each by a θ of its own. So a score depends on how far two words are "
            "apart."
        )
        + f" {position_limit(encoding)}"
    )
    index = rotation_control(names, say) if len(names) > 1 else 0
    rotation = encoding.rotations[index]
    left, right = st.columns([1.15, 1], gap="medium")
    with left:
        drawn = _draw_rotation(encoding, rotation, run)
    with right:
        st.markdown("###### " + _("What distance leaves of a dot product"))
        left_over = rotation.by_distance.tolist()
        shares_text = _distances_text(left_over)
        st.caption(_("Of a query and a key that are alike in every pair: {0}.").format(shares_text))
        distances = list(range(len(left_over)))
        figure = draw_curves(
            distances,
            [(_("mean"), left_over)],
            theme=theme(),
            title=_("distance"),
            name=_("share left"),
            height=SIDE - 60,
        )
        drawn += draw_figure(
            figure, run, "similarity", _("Share of the dot product left by distance: {0}").format(shares_text)
        )
        st.latex(rf"\frac{{1}}{{{rotation.pairs}}} \sum_{{i=1}}^{{{rotation.pairs}}} \cos(\Delta \, \theta_i)")
    with st.expander(_("Numbers")):
        numbers_table(_("share left"), {_("distance"): distances, _("share left"): left_over})
        turns = rotation.frequencies.tolist()
        numbers_table(
            "θ",
            {
                _("pair"): list(range(rotation.pairs)),
                "θ": turns,
                _("positions for a full turn"): [2 * np.pi / turn if turn else float("inf") for turn in turns],
            },
            digits=6,
        )
    return drawn


def _draw_rotation(encoding: PositionalEncoding, rotation: Rotation, run: str) -> int:
    count = len(rotation.cosines)
    st.markdown("###### " + _("How far each pair is turned: cos(position × θ)"))
    parts = [
        f"`{encoding.module}`",
        _("{0} pairs, {1} of the {2} numbers of a query").format(rotation.pairs, 2 * rotation.pairs, encoding.head_dim),
        "θ "
        + _("from {0} to {1}").format(
            *(local_number(f"{value:.3g}") for value in rotation.frequencies[[0, -1]].tolist())
        ),
    ]
    if abs(rotation.scale - 1) > 1e-3:
        parts.append(_("and made {0} times as long").format(format_number(rotation.scale, 3)))
    st.caption(_(", ").join(parts))
    figure = draw_field(
        rotation.cosines, theme=theme(), columns=_("pair"), rows=_("position"), name="cos", most=1.0, height=SIDE
    )
    alt = _("Cosine of the angle of {0} pairs at {1} positions").format(rotation.pairs, count)
    return draw_figure(figure, run, "positions", alt)


def draw_position_bias(encoding: PositionalEncoding, run: str, _say: Say) -> int:
    """Numbers that are added to the scores."""
    bias, distances = encoding.bias, encoding.distances
    st.markdown(
        _(
            "**Relative positions**: nothing is added to the embeddings. Each head has a number for each distance, "
            "which is **added to the score**."
        )
        + f" {position_limit(encoding)}"
    )
    if bias is None or distances is None:
        st.info(_("Here it depends on more than the distance, so it is not drawn."), icon=":material/info:")
        return 0
    heads = len(bias)
    left, right = st.columns([1.15, 1], gap="medium")
    first = int(distances[0])
    titled = _("distance: key − query")
    with left:
        st.markdown("###### " + _("What is added, by head and distance"))
        st.caption(_("Negative distances are words before, positive ones words after."))
        figure = draw_field(
            bias, theme=theme(), columns=titled, rows=_("head"), name=_("added"), first_column=first, height=SIDE
        )
        drawn = draw_figure(
            figure, run, "positions", _("Bias of {0} heads at {1} distances").format(heads, len(distances))
        )
    with right:
        factors = np.exp(bias - bias[:, [int(np.flatnonzero(distances == 0)[0])]])
        mean = np.exp(np.log(factors).mean(axis=0))
        st.markdown("###### " + _("What that does to a weight"))
        st.caption(_("Times as much attention as at distance 0: thin lines are heads, the strong one is their mean."))
        curves = [(_("mean of heads"), mean.tolist())]
        curves += [(f"H{head}", row.tolist()) for head, row in enumerate(factors)]
        figure = draw_curves(distances.tolist(), curves, theme=theme(), title=titled, name=_("factor"), height=SIDE)
        figure.update_yaxes(type="log")
        drawn += draw_figure(
            figure, run, "similarity", _("Factor on the weight by distance, for {0} heads").format(heads)
        )
    st.latex(
        r"\begin{gathered} s_{ij} = \text{scale} \cdot q_i \cdot k_j + b_{j-i} \\"
        r" \alpha_{ij} \propto e^{s_{ij}} = e^{\text{scale} \cdot q_i \cdot k_j} \, e^{b_{j-i}} \end{gathered}"
    )
    with st.expander(_("Numbers")):
        numbers_table(
            _("What is added, by head and distance"),
            {_("distance"): distances.tolist(), **{f"H{head}": row.tolist() for head, row in enumerate(bias)}},
        )
    return drawn
