"""What the page on embeddings shows: words in space, two of them, their neighbours, and how positions are told apart.

Each part draws itself into the current container and returns how many figures that were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from attnviz.embeddings.embedding_table import components, cosines, plane
from attnviz.figures.embeddings import draw_angle, draw_cosines, draw_curves, draw_field, draw_neighbours
from attnviz.tokenization import tokenizer
from attnviz.ui.components.ready import mark_run, theme
from attnviz.ui.screens.embeddings.controls import rotation_control
from attnviz.ui.screens.embeddings.point_cloud import words_in_space
from attnviz.ui.shell.errors import as_markdown
from attnviz.ui.shell.messages import _, ngettext

if TYPE_CHECKING:
    from attnviz.embeddings.embedding_table import Neighbour, Plane, Word
    from attnviz.embeddings.positional_encoding import PositionalEncoding, Rotation
    from attnviz.ui.controls.inputs import Say

MOST_DIMENSIONS = 1024  # of a picture with a column for each
MOST_NAMED = 8  # words whose pieces are named; the table has them all
SIDE = 380  # pixels of height of the pictures of positions


@dataclass(frozen=True)
class Scene:
    """What is looked at.

    Attributes:
        words: all that are placed.
        one, two: places of the two that are compared.
        neighbours: of the first, the nearest first.
        closer: how many tokens are more like the first word than the second is, the words themselves left out.
        size, width: of the table: tokens, and numbers for each.
        run: the name of what the page shows.
    """

    words: tuple[Word, ...]
    one: int
    two: int
    neighbours: tuple[Neighbour, ...]
    closer: int
    size: int
    width: int
    run: str

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the words."""
        return tuple(word.label for word in self.words)

    @property
    def vectors(self) -> np.ndarray:
        """(words, width)."""
        return np.stack([word.vector for word in self.words])

    @property
    def pair(self) -> Plane:
        """The two words."""
        return plane(self.words[self.one].vector, self.words[self.two].vector)


def shown(figure: go.Figure, run: str, key: str, alt: str) -> int:
    """Draws a figure into the current container."""
    st.plotly_chart(mark_run(figure, run), key=key, theme=None, alt=alt, config={"displayModeBar": False})
    return 1


def number(value: float, digits: int = 2) -> str:
    """A number with a real minus, and no "-0"."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text.replace("-", "−")


# Words --------------------------------------------------------------------------------------------------------------


def space(scene: Scene, on_pick: Callable[[int], None]) -> int:
    """The words as points."""
    found = components(scene.vectors)
    kept = float(found.shares.sum())
    st.markdown("###### " + _("Words as points"))
    st.caption(
        _(
            "Each word is a row of **{0} numbers** in the model's table. Of all directions, these are the three along "
            "which the words differ most: they keep **{1}** of the variance."
        ).format(scene.width, f"{kept:.0%}")
    )
    ends = [
        _("axis {0} from {1} to {2}").format(
            place + 1, scene.labels[int(column.argmin())], scene.labels[int(column.argmax())]
        )
        for place, column in enumerate(found.points.T)
    ]
    text = _("{0} words as points along three axes that keep {1} of the variance; {2}").format(
        len(scene.words), f"{kept:.0%}", "; ".join(ends)
    )
    words_in_space(
        scene.words, found, chosen=(scene.one, scene.two), run=scene.run, key="space", text=text, on_pick=on_pick
    )
    split = [word for word in scene.words if len(word.pieces) > 1]
    if split:
        named = [f"{word.label} ({' + '.join(tokenizer.labels(word.pieces))})" for word in split[:MOST_NAMED]]
        told = as_markdown(", ".join(named)) + (", …" if len(split) > MOST_NAMED else "")
        st.caption(
            ngettext(
                "One word is no token of its own, so it is at the mean of its pieces: {0}.",
                "Some words are no tokens of their own, so each is at the mean of its pieces: {0}.",
                len(split),
            ).format(told)
        )
    with st.expander(_("Numbers")):
        first = scene.words[scene.one].label
        alike = cosines(scene.vectors)[scene.one]
        table: dict[str, list] = {
            _("word"): list(scene.labels),
            _("pieces"): [" + ".join(tokenizer.labels(word.pieces)) for word in scene.words],
            _("ids"): [" ".join(str(index) for index in word.ids) for word in scene.words],
            _("length"): np.linalg.norm(scene.vectors, axis=1).tolist(),
            _("cosine with {0}").format(first): alike.tolist(),
        }
        for place in range(found.points.shape[1]):
            table[_("axis {0}").format(place + 1)] = found.points[:, place].tolist()
        numbers(table)
    return 1


def angle(scene: Scene) -> int:
    """Two words and their angle, over all dimensions."""
    pair = scene.pair
    one, two = scene.words[scene.one].label, scene.words[scene.two].label
    st.markdown("###### " + _("Two words: {0} and {1}").format(as_markdown(one), as_markdown(two)))
    st.caption(
        _("Their angle over all **{0} dimensions**, drawn in the plane that the two vectors span.").format(scene.width)
    )
    alt = _("{0} and {1} as arrows with {2}° between them; cosine {3}").format(
        one, two, number(pair.degrees, 1), number(pair.cosine, 4)
    )
    drawn = shown(draw_angle((one, two), pair.ends, pair.degrees, theme=theme()), scene.run, "angle", alt)
    lengths = rf"{pair.lengths[0]:.4f} \times {pair.lengths[1]:.4f}"
    st.latex(
        r"\begin{aligned}\cos\theta &= \frac{a \cdot b}{\lVert a \rVert \, \lVert b \rVert} \\[6pt]"
        rf"&= \frac{{{pair.product:.4f}}}{{{lengths}}} = \mathbf{{{pair.cosine:.4f}}}\end{{aligned}}"
    )
    if scene.one != scene.two:
        if scene.closer:
            said = ngettext(
                "Of the {1} tokens of the vocabulary, {0} other is more like {2} than {3} is.",
                "Of the {1} tokens of the vocabulary, {0} others are more like {2} than {3} is.",
                scene.closer,
            )
        else:
            said = _("Of the {1} tokens of the vocabulary, no other is more like {2} than {3} is.")
        st.caption(said.format(f"{scene.closer:,}", f"{scene.size:,}", as_markdown(one), as_markdown(two)))
    return drawn


def neighbours(scene: Scene) -> int:
    """What lies nearest to the first word in the whole vocabulary."""
    one = scene.words[scene.one].label
    st.markdown("###### " + _("Nearest to {0} in the vocabulary").format(as_markdown(one)))
    st.caption(_("The {0} most alike of {1} tokens.").format(len(scene.neighbours), f"{scene.size:,}"))
    labels = [neighbour.label for neighbour in scene.neighbours]
    values = [neighbour.cosine for neighbour in scene.neighbours]
    alt = _("Nearest to {0}: {1}").format(
        one, ", ".join(f"{label} {number(value)}" for label, value in zip(labels, values, strict=True))
    )
    drawn = shown(draw_neighbours(labels, values, theme=theme(), name=_("cosine")), scene.run, "neighbours", alt)
    with st.expander(_("Numbers")):
        ids = [neighbour.id for neighbour in scene.neighbours]
        numbers({_("token"): labels, _("id"): ids, _("cosine"): values})
    return drawn


def matrix(scene: Scene) -> int:
    """How alike the words are, each with each."""
    found = cosines(scene.vectors)
    st.markdown("###### " + _("Each with each"))
    st.caption(
        _("1 is the same direction, 0 is at right angles: nothing in common. Two random directions are close to 0.")
    )
    others = found - 2 * np.eye(len(found), dtype=np.float32)
    alt = _("Cosines of {0} words").format(len(found))
    if len(found) > 1:
        one, two = np.unravel_index(int(others.argmax()), others.shape)
        alt = _("Cosines of {0} words; most alike are {1} and {2}, {3}").format(
            len(found), scene.labels[one], scene.labels[two], number(float(found[one, two]))
        )
    drawn = shown(draw_cosines(scene.labels, found, theme=theme(), name=_("cosine")), scene.run, "cosines", alt)
    with st.expander(_("Numbers")):
        columns = dict(zip(scene.labels, found.T.tolist(), strict=True))
        numbers({"": list(scene.labels), **columns})
    return drawn


# Positions ----------------------------------------------------------------------------------------------------------


def positions(encoding: PositionalEncoding, run: str, say: Say) -> int:
    """How the model tells positions apart, and what that does to their similarity."""
    part = {"added": added, "bias": bias, "rotary": rotary}.get(encoding.where)
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


def room(encoding: PositionalEncoding) -> str:
    """How many positions the model has."""
    if encoding.room is not None:
        return _("The model has **{0} positions**.").format(f"{encoding.room:,}")
    if encoding.named is not None:
        return _("They are computed, so no table ends; the configuration names **{0} positions** at most.").format(
            f"{encoding.named:,}"
        )
    return _("There is **no last position**.")


def added(encoding: PositionalEncoding, run: str, _say: Say) -> int:
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
    st.markdown(f"{how} {room(encoding)}")
    left, right = st.columns([1.15, 1], gap="medium")
    with left:
        st.markdown("###### " + _("The rows of positions 0 to {0}").format(count - 1))
        st.caption(f"`{encoding.module}`, {_('{0} numbers each').format(width)}")
        figure = draw_field(
            rows[:, :MOST_DIMENSIONS], theme=theme(), columns=_("dimension"), rows=_("position"), name=_("value"),
            height=SIDE,
        )  # fmt: skip
        alt = _("{0} positions × {1} dimensions").format(count, width)
        drawn = shown(figure, run, "positions", alt)
        if width > MOST_DIMENSIONS:
            st.caption(_("The first {0} dimensions are drawn.").format(MOST_DIMENSIONS))
    with right:
        st.markdown("###### " + _("How alike two positions are: the cosine of their rows"))
        by_distance = [float(np.diagonal(alike, distance).mean()) for distance in range(count)]
        told = _told(by_distance)
        st.caption(_("On average: {0}.").format(told))
        figure = draw_field(
            alike, theme=theme(), columns=_("position"), rows=_("position"), name=_("cosine"), most=1.0, height=SIDE
        )
        drawn += shown(figure, run, "similarity", _("Cosine of each position with each; on average {0}").format(told))
    with st.expander(_("Numbers")):
        distances = list(range(count))
        numbers({_("distance"): distances, _("mean cosine"): by_distance})
        st.caption(_("The rows, a line for each position:"))
        st.dataframe(rows[:, :MOST_DIMENSIONS])
    return drawn


def _told(by_distance: list[float]) -> str:
    """Some values by distance: "1 apart 0.97, 4 apart 0.80"."""
    chosen = [distance for distance in (1, 4, 16, 64) if distance < len(by_distance)]
    return ", ".join(_("{0} apart {1}").format(distance, number(by_distance[distance])) for distance in chosen)


def rotary(encoding: PositionalEncoding, run: str, say: Say) -> int:
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
        + f" {room(encoding)}"
    )
    place = rotation_control(names, say) if len(names) > 1 else 0
    rotation = encoding.rotations[place]
    left, right = st.columns([1.15, 1], gap="medium")
    with left:
        drawn = _turned(encoding, rotation, run)
    with right:
        st.markdown("###### " + _("What distance leaves of a dot product"))
        left_over = rotation.by_distance.tolist()
        told = _told(left_over)
        st.caption(_("Of a query and a key that are alike in every pair: {0}.").format(told))
        distances = list(range(len(left_over)))
        figure = draw_curves(
            distances,
            [(_("mean"), left_over)],
            theme=theme(),
            title=_("distance"),
            name=_("share left"),
            height=SIDE - 60,
        )
        drawn += shown(figure, run, "similarity", _("Share of the dot product left by distance: {0}").format(told))
        st.latex(rf"\frac{{1}}{{{rotation.pairs}}} \sum_{{i=1}}^{{{rotation.pairs}}} \cos(\Delta \, \theta_i)")
    with st.expander(_("Numbers")):
        numbers({_("distance"): distances, _("share left"): left_over})
        turns = rotation.frequencies.tolist()
        numbers(
            {
                _("pair"): list(range(rotation.pairs)),
                "θ": turns,
                _("positions for a full turn"): [2 * np.pi / turn if turn else float("inf") for turn in turns],
            },
            digits=6,
        )
    return drawn


def _turned(encoding: PositionalEncoding, rotation: Rotation, run: str) -> int:
    count = len(rotation.cosines)
    st.markdown("###### " + _("How far each pair is turned: cos(position × θ)"))
    parts = [
        f"`{encoding.module}`",
        _("{0} pairs, {1} of the {2} numbers of a query").format(rotation.pairs, 2 * rotation.pairs, encoding.head_dim),
        "θ " + _("from {0} to {1}").format(*(f"{value:.3g}" for value in rotation.frequencies[[0, -1]].tolist())),
    ]
    if abs(rotation.scale - 1) > 1e-3:
        parts.append(_("and made {0} times as long").format(number(rotation.scale, 3)))
    st.caption(", ".join(parts))
    figure = draw_field(
        rotation.cosines, theme=theme(), columns=_("pair"), rows=_("position"), name="cos", most=1.0, height=SIDE
    )
    alt = _("Cosine of the angle of {0} pairs at {1} positions").format(rotation.pairs, count)
    return shown(figure, run, "positions", alt)


def bias(encoding: PositionalEncoding, run: str, _say: Say) -> int:
    """Numbers that are added to the scores."""
    found, distances = encoding.bias, encoding.distances
    st.markdown(
        _(
            "**Relative positions**: nothing is added to the embeddings. Each head has a number for each distance, "
            "which is **added to the score**."
        )
        + f" {room(encoding)}"
    )
    if found is None or distances is None:
        st.info(_("Here it depends on more than the distance, so it is not drawn."), icon=":material/info:")
        return 0
    heads = len(found)
    left, right = st.columns([1.15, 1], gap="medium")
    first = int(distances[0])
    titled = _("distance: key − query")
    with left:
        st.markdown("###### " + _("What is added, by head and distance"))
        st.caption(_("Negative distances are words before, positive ones words after."))
        figure = draw_field(
            found, theme=theme(), columns=titled, rows=_("head"), name=_("added"), first_column=first, height=SIDE
        )
        drawn = shown(figure, run, "positions", _("Bias of {0} heads at {1} distances").format(heads, len(distances)))
    with right:
        factors = np.exp(found - found[:, [int(np.flatnonzero(distances == 0)[0])]])
        mean = np.exp(np.log(factors).mean(axis=0))
        st.markdown("###### " + _("What that does to a weight"))
        st.caption(_("Times as much attention as at distance 0: thin lines are heads, the strong one is their mean."))
        curves = [(_("mean of heads"), mean.tolist())]
        curves += [(f"H{head}", row.tolist()) for head, row in enumerate(factors)]
        figure = draw_curves(distances.tolist(), curves, theme=theme(), title=titled, name=_("factor"), height=SIDE)
        figure.update_yaxes(type="log")
        drawn += shown(figure, run, "similarity", _("Factor on the weight by distance, for {0} heads").format(heads))
    st.latex(
        r"\begin{gathered} s_{ij} = \text{scale} \cdot q_i \cdot k_j + b_{j-i} \\"
        r" \alpha_{ij} \propto e^{s_{ij}} = e^{\text{scale} \cdot q_i \cdot k_j} \, e^{b_{j-i}} \end{gathered}"
    )
    with st.expander(_("Numbers")):
        numbers({_("distance"): distances.tolist(), **{f"H{head}": row.tolist() for head, row in enumerate(found)}})
    return drawn


# Tables -------------------------------------------------------------------------------------------------------------


def numbers(table: dict[str, list], digits: int = 4) -> None:
    """The numbers of a figure, to be copied."""
    st.dataframe(
        table,
        hide_index=True,
        column_config={
            name: st.column_config.NumberColumn(format=f"%.{digits}f")
            for name, column in table.items()
            if column and isinstance(column[0], float)
        },
    )
