"""What the page on embeddings shows: words in space, two of them, their and their neighbours.

Each part draws itself into the current container and returns how many figures that were.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from attnviz.embeddings.vectors import components, cosines, plane
from attnviz.figures.embeddings import draw_angle, draw_cosines, draw_neighbours
from attnviz.tokenization import token
from attnviz.ui.components.numbers.numbers_table import numbers_table as draw_table
from attnviz.ui.components.page.ready import mark_run, theme
from attnviz.ui.screens.embeddings.point_cloud import point_cloud
from attnviz.ui.shell.errors import as_markdown
from attnviz.ui.shell.messages import _, local_formula, local_number, local_percent, ngettext

if TYPE_CHECKING:
    from attnviz.embeddings.embedding_table import Neighbour, Word
    from attnviz.embeddings.vectors import Plane


ALIKE = 0.6  # a cosine below which two words of a trained table seldom mean the same
MOST_NAMED = 8  # words whose pieces are named; the table has them all


@dataclass(frozen=True)
class EmbeddingsContext:
    """What is looked at.

    Attributes:
        words: all that are placed.
        one, two: indices of the two that are compared.
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


def draw_figure(figure: go.Figure, run: str, key: str, alt: str) -> int:
    """Draws a figure into the current container."""
    st.plotly_chart(mark_run(figure, run), key=key, theme=None, alt=alt, config={"displayModeBar": False})
    return 1


def format_number(value: float, digits: int = 2) -> str:
    """A number with so many decimals."""
    return local_number(f"{value:.{digits}f}")


# Words --------------------------------------------------------------------------------------------------------------


def draw_words(context: EmbeddingsContext, on_pick: Callable[[int], None]) -> int:
    """The words as points."""
    projection = components(context.vectors)
    shares = [local_percent(f"{100 * float(part.sum()):.0f}") for part in (projection.shares, projection.shares[:2])]
    st.markdown("###### " + _("Words as points"))
    st.caption(
        _(
            "Each word is a row of **{0} numbers** in the model's table. Of all directions, the axes 1, 2 and 3 are "
            "those along which the words differ most: the three keep **{1}** of the variance, the first two **{2}**."
        ).format(context.width, *shares)
    )
    ends = [
        _("axis {0} from {1} to {2}").format(
            axis + 1, context.labels[int(column.argmin())], context.labels[int(column.argmax())]
        )
        for axis, column in enumerate(projection.points.T)
    ]
    text = _("{0} words as points along three axes that keep {1} of the variance; {2}").format(
        len(context.words), shares[0], _("; ").join(ends)
    )
    point_cloud(
        context.words,
        projection,
        chosen=(context.one, context.two),
        run=context.run,
        key="space",
        text=text,
        on_pick=on_pick,
    )
    split = [word for word in context.words if len(word.pieces) > 1]
    if split:
        examples = [f"{word.label} ({' + '.join(token.labels(word.pieces))})" for word in split[:MOST_NAMED]]
        examples_text = as_markdown(_(", ").join(examples)) + (", …" if len(split) > MOST_NAMED else "")
        st.caption(
            ngettext(
                "One word is no token of its own, so it is at the mean of its pieces: {0}.",
                "Some words are no tokens of their own, so each is at the mean of its pieces: {0}.",
                len(split),
            ).format(examples_text)
        )
    with st.expander(_("Numbers")):
        first = context.words[context.one].label
        alike = cosines(context.vectors)[context.one]
        table: dict[str, list] = {
            _("word"): list(context.labels),
            _("pieces"): [" + ".join(token.labels(word.pieces)) for word in context.words],
            _("ids"): [" ".join(str(index) for index in word.ids) for word in context.words],
            _("length"): np.linalg.norm(context.vectors, axis=1).tolist(),
            _("cosine with {0}").format(first): alike.tolist(),
        }
        for axis in range(projection.points.shape[1]):
            table[_("axis {0}").format(axis + 1)] = projection.points[:, axis].tolist()
        numbers_table(_("Words as points"), table)
    return 1


def draw_word_angle(context: EmbeddingsContext) -> int:
    """Two words and their angle, over all dimensions."""
    pair = context.pair
    one, two = context.words[context.one].label, context.words[context.two].label
    st.markdown("###### " + _("Two words: {0} and {1}").format(as_markdown(one), as_markdown(two)))
    st.caption(
        _("Their angle over all **{0} dimensions**, drawn in the plane that the two vectors span.").format(
            context.width
        )
    )
    alt = _("{0} and {1} as arrows with {2}° between them; cosine {3}").format(
        one, two, format_number(pair.degrees, 1), format_number(pair.cosine, 4)
    )
    drawn = draw_figure(draw_angle((one, two), pair.ends, pair.degrees, theme=theme()), context.run, "angle", alt)
    lengths = rf"{pair.lengths[0]:.4f} \times {pair.lengths[1]:.4f}"
    formula = (
        r"\begin{aligned}\cos\theta &= \frac{a \cdot b}{\lVert a \rVert \, \lVert b \rVert} \\[6pt]"
        rf"&= \frac{{{pair.product:.4f}}}{{{lengths}}} = \mathbf{{{pair.cosine:.4f}}}\end{{aligned}}"
    )
    st.latex(local_formula(formula))
    if context.one != context.two:
        if context.closer:
            template = ngettext(
                "Of the {1} tokens of the vocabulary, {0} other is more like {2} than {3} is.",
                "Of the {1} tokens of the vocabulary, {0} others are more like {2} than {3} is.",
                context.closer,
            )
        else:
            template = _("Of the {1} tokens of the vocabulary, no other is more like {2} than {3} is.")
        counts = (local_number(f"{count:,}") for count in (context.closer, context.size))
        st.caption(template.format(*counts, as_markdown(one), as_markdown(two)))
    return drawn


def draw_nearest_words(context: EmbeddingsContext) -> int:
    """What lies nearest to the first word in the whole vocabulary."""
    one = context.words[context.one].label
    st.markdown("###### " + _("Nearest to {0} in the vocabulary").format(as_markdown(one)))
    st.caption(" ".join(_neighbour_remarks(context)))
    labels = [neighbour.label for neighbour in context.neighbours]
    values = [neighbour.cosine for neighbour in context.neighbours]
    alt = _("Nearest to {0}: {1}").format(
        one, _(", ").join(f"{label} {format_number(value)}" for label, value in zip(labels, values, strict=True))
    )
    drawn = draw_figure(
        draw_neighbours(labels, values, theme=theme(), name=_("cosine")), context.run, "neighbours", alt
    )
    with st.expander(_("Numbers")):
        ids = [neighbour.id for neighbour in context.neighbours]
        numbers_table(
            _("Nearest to {0} in the vocabulary").format(one), {_("token"): labels, _("id"): ids, _("cosine"): values}
        )
    return drawn


def _neighbour_remarks(context: EmbeddingsContext) -> list[str]:
    """What was searched and compared, and how much a similarity says."""
    word, neighbours = context.words[context.one], context.neighbours
    remarks = [
        _("The {0} most alike of a vocabulary of {1} tokens; of words, whole ones in the same script alone.").format(
            len(neighbours), f"{context.size:,}"
        )
    ]
    if len(word.pieces) > 1:
        pieces = as_markdown(" + ".join(token.labels(word.pieces)))
        remarks.append(
            _(
                "{0} is no token of its own: compared is the mean of its pieces {1}, which has little to do with its "
                "meaning. So have these neighbours."
            ).format(as_markdown(word.label), pieces)
        )
    elif neighbours and neighbours[0].cosine < ALIKE:
        remarks.append(
            _(
                "Even the nearest has a cosine of {0} only: such words often are used in the same places, and need "
                "not mean the same."
            ).format(format_number(neighbours[0].cosine))
        )
    return remarks


def draw_similarities(context: EmbeddingsContext) -> int:
    """How alike the words are, each with each."""
    similarities = cosines(context.vectors)
    st.markdown("###### " + _("Each with each"))
    st.caption(
        _("1 is the same direction, 0 is at right angles: nothing in common. Two random directions are close to 0.")
    )
    others = similarities - 2 * np.eye(len(similarities), dtype=np.float32)
    alt = _("Cosines of {0} words").format(len(similarities))
    if len(similarities) > 1:
        one, two = np.unravel_index(int(others.argmax()), others.shape)
        alt = _("Cosines of {0} words; most alike are {1} and {2}, {3}").format(
            len(similarities), context.labels[one], context.labels[two], format_number(float(similarities[one, two]))
        )
    drawn = draw_figure(
        draw_cosines(context.labels, similarities, theme=theme(), name=_("cosine")), context.run, "cosines", alt
    )
    with st.expander(_("Numbers")):
        columns = dict(zip(context.labels, similarities.T.tolist(), strict=True))
        numbers_table(_("Each with each"), {"": list(context.labels), **columns})
    return drawn


# Tables -------------------------------------------------------------------------------------------------------------


def numbers_table(name: str, table: dict[str, list], digits: int = 4) -> None:
    """The numbers of a figure, to be copied."""
    fractions = [name for name, column in table.items() if column and isinstance(column[0], float)]
    draw_table(table, dict.fromkeys(fractions, digits), name=name)
