"""The charts and tables of the page "In context": a word in two sentences, and the words that moved it.

    two sides ─ compare_words ─┬─ the line of similarity, the bars of each sentence
                               └─ the tables of layers and words

The numbers come from `attnviz.embeddings`; nothing is computed here but what is chosen to be shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.ui.components.numbers import number_tables
from attnviz.ui.components.numbers.numbers_table import collect_table, numbers_table
from attnviz.ui.components.page.ready import mark_run, theme
from attnviz.ui.screens.context.analysis import Side, WordComparison, WordSelection
from attnviz.ui.screens.context.wording import format_cosine, strongest_words, word_title
from attnviz.ui.screens.context.words import shorten_word
from attnviz.ui.shell import errors
from attnviz.ui.shell.messages import _, local_number, ngettext

if TYPE_CHECKING:
    from attnviz.figures.context import Names


MOST_BARS = 10  # words; of more the strongest
MOST_COLUMNS = 24  # of the table of layers; of more words the strongest
FIGURES = 4  # the line, the bars of two sentences, the tables


# In pictures --------------------------------------------------------------------------------------------------------


def similarity_chart(sides: tuple[Side, Side], selection: WordSelection, comparison: WordComparison, run: str) -> None:
    """The line from the static vector to the last layer."""
    from attnviz.figures.context import draw_similarity

    labels, numbers, rivals = _line_points(sides, comparison)
    with st.container(gap=None):
        st.markdown(f"**{_('Similarity of the two vectors')}**")
        st.markdown(_("from the static vector to the last layer"))
    figure = draw_similarity(
        labels,
        numbers,
        rivals,
        theme=theme(),
        names=_figure_names(selection, comparison),
        chosen=len(labels) - len(comparison.word.layers) + selection.layer + 1,
    )
    values_text = _(", ").join(
        f"{label} {format_cosine(number)}" for label, number in zip(labels, numbers, strict=True) if number is not None
    )
    compared = _(", ").join(format_cosine(number) for number in rivals or [] if number is not None)
    alt = _("Similarity: {0}. Different words: {1}.").format(values_text, compared or "–")
    st.plotly_chart(mark_run(figure, run), key="context_line", theme=None, alt=alt, config={"displayModeBar": False})


def _line_points(
    sides: tuple[Side, Side], comparison: WordComparison
) -> tuple[list[str], list[float | None], list[float | None] | None]:
    """The labels of the line's points, the word's cosine at each, and that of different words."""
    word, others = comparison.word, comparison.others
    first = _("+ place") if sides[0].states.has_added_positions else _("into L0")
    labels = [first, *(f"L{layer}" for layer in range(len(word.layers) - 1))]
    numbers: list[float | None] = [*word.layers]
    rivals: list[float | None] | None = None if others is None else [*others.layers]
    if word.static is not None:
        labels.insert(0, _("static"))
        numbers.insert(0, word.static)
        if rivals is not None and others is not None:
            rivals.insert(0, others.static)
    return labels, numbers, rivals


def _figure_names(selection: WordSelection, comparison: WordComparison) -> Names:
    """The words that the figures write."""
    from attnviz.figures.context import Names

    first, second = (shorten_word(word.text) for word in selection.words)
    pairs = 0 if comparison.others is None else comparison.others.pairs
    return Names(
        same=first if selection.one_word else f"{first} – {second}",
        others=ngettext("different words ({0} pair)", "different words ({0} pairs)", pairs).format(pairs),
        similarity=_("cosine similarity"),
        layer=_("vector after layer"),
        weight=_("attention weight"),
        share=_("share of the change"),
    )


def sources_chart(
    sides: tuple[Side, Side], selection: WordSelection, comparison: WordComparison, side_index: int, run: str
) -> None:
    """What the word looks at in one of the sentences, in the chosen layer, and what that adds to it."""
    from attnviz.figures.context import draw_sources, strongest

    side, word, sources = sides[side_index], selection.words[side_index], comparison.sources[side_index]
    weights = sources.weights[selection.layer]
    shares = sources.moved[selection.layer].shares if sources.moved else None
    chosen = strongest(weights if shares is None else weights + shares, MOST_BARS, sources.own)
    labels = [sources.labels[one] for one in chosen]
    with st.container(gap=None):
        st.markdown(f"**{errors.as_markdown(word_title(side, selection, word))}**")
        st.markdown(errors.as_markdown(strongest_words(sources, selection)))
    figure = draw_sources(
        labels,
        weights[chosen].tolist(),
        None if shares is None else shares[chosen].tolist(),
        theme=theme(),
        names=_figure_names(selection, comparison),
        own=chosen.index(sources.own) if sources.own is not None else None,
    )
    values_text = _(", ").join(
        label + local_number(f" {weights[one]:.2f}" + ("" if shares is None else f" / {shares[one]:.2f}"))
        for label, one in zip(labels, chosen, strict=True)
    )
    alt = _("{0}, attention weight / share of the change: {1}").format(word_title(side, selection, word), values_text)
    st.plotly_chart(
        mark_run(figure, run), key=f"context_{side_index}", theme=None, alt=alt, config={"displayModeBar": False}
    )
    if len(chosen) < len(sources.labels):
        st.caption(
            _("The {0} strongest of {1} words; the numbers below have all.").format(len(chosen), len(sources.labels))
        )


def layers_tables(sides: tuple[Side, Side], selection: WordSelection, comparison: WordComparison, run: str) -> None:
    """Layer by layer, what moved the word; a click on a layer shows it in the bars."""
    import numpy as np

    from attnviz.figures.context import strongest

    has_contributions = all(sources.moved for sources in comparison.sources)
    heading = _("Which words moved it, layer by layer") if has_contributions else _("What it looks at, layer by layer")
    st.markdown(f"###### {heading}")
    blocks, fewer = [], False
    for head, (side, word, sources) in enumerate(zip(sides, selection.words, comparison.sources, strict=True)):
        parts = np.array(sources.parts)  # (layer, word)
        word_indices = strongest(parts.max(axis=0), MOST_COLUMNS, sources.own)
        fewer |= len(word_indices) < len(sources.labels)
        blocks.append(
            number_tables.table_block(
                [number_tables.literal(word_title(side, selection, word))],
                [[number_tables.literal(sources.labels[index])] for index in word_indices],
                [
                    (
                        f"L{layer}",
                        [
                            (local_number(f"{number:.2f}"), float(number), "")
                            for number in numbers[word_indices].tolist()
                        ],
                    )
                    for layer, numbers in enumerate(parts)
                ],
                corner=_("Layer"),
                pick="row",
                on=(selection.layer, None),
                head=head,
                legend=head == 0,
            )
        )

    def choose_layer(pick: number_tables.Pick) -> None:
        st.session_state["layer"] = pick[1]

    text = _("What moved the word, for each layer and each word")
    number_tables.number_tables(blocks, run=run, key="context_layers", text=text, on_pick=choose_layer)
    remark = _(
        "This model shows its weights, but not the vectors that they are put on; so it cannot be said how far each "
        "word moves it."
    )
    if has_contributions:
        remark = _(
            "A share is the length of what a word adds, ‖Σ α f(x)‖, of the sum of all: its weight α times its value "
            "vector through the output matrix, the heads added up (Kobayashi et al. 2020). A large weight on a short "
            "vector moves little."
        )
    if fewer:
        remark += " " + _("Of each sentence the {0} strongest words.").format(MOST_COLUMNS)
    st.caption(f"{remark} {_('Click a layer to see it above.')}")


def numbers_tables(sides: tuple[Side, Side], comparison: WordComparison, *, shown: bool) -> None:
    """Everything that is drawn, as tables; not `shown`, they only are what an export of the page's numbers has."""

    def put(name: str, table: dict[str, list[Any]], digits: dict[str, int]) -> None:
        if shown:
            numbers_table(table, digits, name=name)
        else:
            collect_table(name, table)

    labels, cosines, rivals = _line_points(sides, comparison)
    alike, different = _("cosine similarity"), _("different words")
    put(
        _("Similarity of the two vectors"),
        {_("vector after layer"): labels, alike: cosines, different: list(rivals or [None] * len(labels))},
        {alike: 4, different: 4},
    )
    names = (_("Sentence"), _("Layer"), _("word"), _("attention weight"), _("length ‖Σ α f(x)‖"),
             _("share of the change"))  # fmt: skip
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for side_index, sources in enumerate(comparison.sources):
        count = len(sources.labels)
        for layer, weights in enumerate(sources.weights):
            moved = sources.moved[layer] if sources.moved else None
            rows = (
                [side_index + 1] * count,
                [layer] * count,
                sources.labels,
                weights.tolist(),
                [None] * count if moved is None else moved.norms.tolist(),
                [None] * count if moved is None else moved.shares.tolist(),
            )
            for values, more in zip(columns.values(), rows, strict=True):
                values.extend(more)
    put(_("What it looks at, layer by layer"), columns, dict.fromkeys(names[3:], 4))
