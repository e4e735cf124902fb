"""What the page "In context" says and draws of a word in two sentences.

    two sides ─ followed ─ headline, remarks
                       ├── the line of similarity, the bars of each sentence
                       └── the tables of layers and words

The numbers come from `attnviz.states`; nothing is computed here but what is chosen to be shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.embeddings.hidden_states import between_words, looked_at, moved_by, same_word, similarity
from attnviz.tokenization import tokenizer as tokenization
from attnviz.ui.components import number_tables
from attnviz.ui.components.ready import mark_run, theme
from attnviz.ui.recorded import own_words
from attnviz.ui.screens.context import controls
from attnviz.ui.screens.context.controls import Word, shortened
from attnviz.ui.shell import errors
from attnviz.ui.shell.messages import _, ngettext

if TYPE_CHECKING:
    import numpy as np

    from attnviz.embeddings.hidden_states import Moved, Similarity, States
    from attnviz.figures.context import Names
    from attnviz.models.model import Model
    from attnviz.models.recording import Recording

MOST_BARS = 10  # words; of more the strongest
MOST_MOVERS = 2  # words that a line names
MOST_COLUMNS = 24  # of the table of layers; of more words the strongest
LONGEST_SENTENCE = 32  # characters of a sentence in a title
FIGURES = 4  # the line, the bars of two sentences, the tables


@dataclass(frozen=True)
class Side:
    """One of the two sentences.

    Attributes:
        sentence: as it was typed.
        recording: its attention.
        states: its vectors.
    """

    sentence: str
    recording: Recording
    states: States


@dataclass(frozen=True)
class View:
    """What is looked at; the mean of all heads where `head` is None."""

    kind: str
    layer: int
    head: int | None
    words: tuple[Word, Word]

    @property
    def one_word(self) -> bool:
        """Whether the two words are the same."""
        return same_word(self.words[0].text) == same_word(self.words[1].text)


@dataclass(frozen=True)
class Sources:
    """What a word looks at in a sentence, and what that adds to it, in each layer.

    Attributes:
        labels: of the words that are looked at.
        own: the place of the word itself among them; None in cross-attention.
        weights: per layer (words,), in [0, 1].
        moved: per layer; empty where that is not known.
    """

    labels: tuple[str, ...]
    own: int | None
    weights: tuple[np.ndarray, ...]
    moved: tuple[Moved, ...]

    @property
    def parts(self) -> list[np.ndarray]:
        """Per layer each word's share of what was added, or of the attention where only that is known."""
        return [part.shares for part in self.moved] or [*self.weights]


@dataclass(frozen=True)
class Followed:
    """A word in two sentences: how alike it is in each layer, what different words are, and what moved it."""

    word: Similarity
    others: Similarity | None
    sources: tuple[Sources, Sources]


def followed(model: Model, sides: tuple[Side, Side], seen: View) -> Followed:
    """Everything that the page shows of two words."""
    one, other = (side.states for side in sides)
    first, second = (word.positions for word in seen.words)
    return Followed(
        similarity(one, first, other, second),
        between_words(one, other, without=(first[0], second[0])),
        (_sources(model, sides[0], seen, seen.words[0]), _sources(model, sides[1], seen, seen.words[1])),
    )


def _sources(model: Model, side: Side, seen: View, word: Word) -> Sources:
    recording, kind = side.recording, seen.kind
    layers = range(recording.size(kind)[0])
    moved = [moved_by(model, recording, kind, word.positions, layer=layer, head=seen.head) for layer in layers]
    known = tuple(part for part in moved if part is not None)
    return Sources(
        labels=tokenization.labels(tokenization.words(recording.key_tokens(kind))),
        own=None if kind == "cross" else word.place,
        weights=tuple(looked_at(recording, kind, word.positions, layer=layer, head=seen.head) for layer in layers),
        moved=known if len(known) == len(layers) else (),
    )


# In words -----------------------------------------------------------------------------------------------------------


def headline(seen: View, found: Followed) -> str:
    """What is seen, in a sentence."""
    word, others = found.word, found.others
    last = len(word.layers) - 2
    numbers = [_two(word.layers[0] if word.static is None else word.static), _two(word.layers[-1])]
    first, second = (shortened(item.text) for item in seen.words)
    if seen.one_word:
        said = _("“{0}” in two sentences: similarity {1} as a static vector, {2} after layer {3}")
        said = said.format(first, *numbers, last)
    else:
        said = _("“{0}” and “{1}”: similarity {2} as static vectors, {3} after layer {4}")
        said = said.format(first, second, *numbers, last)
    if others is None:
        return f"{said}."
    return _("{0}; other words there: {1}.").format(said, _two(others.layers[-1]))


def remarks(sides: tuple[Side, Side], seen: View, found: Followed) -> str:
    """What to look at, and what is special about these sentences or this model."""
    word = found.word
    pairs = controls.in_both(*(controls.words_of(side.states.tokens) for side in sides))
    said = []
    if not pairs:
        said.append(_("No word stands in both sentences; choose one in each."))
    if len(pairs) > 1 and seen.one_word:
        said.append(_("In both: {0}.").format(", ".join(shortened(pair[0].text) for pair in pairs[:6])))
    if seen.one_word and word.static not in (None, 1.0):
        said.append(_("It is written with other tokens in the second, so even its static vectors differ."))
    if word.static == 1.0:
        said.append(
            _(
                "Static vectors, such as Word2Vec's, stay at 1. What pulls the line down is the word's place and, "
                "layer by layer, the other words."
            )
        )
    else:
        said.append(_("What moves the line is the words' places and, layer by layer, the other words."))
    if found.others is not None:
        said.append(_("At the dashed line the two are no more alike than any two words."))
    return " ".join([*said, *_of_decoders(sides, seen)])


def _of_decoders(sides: tuple[Side, Side], seen: View) -> list[str]:
    """What is special where a word is only changed by those before it."""
    if seen.kind == "encoder":
        return []
    said = []
    paired = "cross" in sides[0].recording.kinds
    if paired:
        own = (shortened(own_words(side.recording)) for side in sides)
        said.append(_("These are the decoder's words, its own output: “{0}” and “{1}”.").format(*own))
        said.append(_("In each layer the source comes in, too."))
    if seen.kind == "cross":
        return [*said, _("The bars show the words of the source that they look at.")]
    said.append(_("In a decoder only words before it, and itself, can change a word."))
    before = [
        [token.id for token in side.states.tokens[: word.positions[-1] + 1]]
        for side, word in zip(sides, seen.words, strict=True)
    ]
    if before[0] == before[1] and not paired:
        said.append(_("Up to this word the two sentences are the same, so its vectors are too: choose a later word."))
    return said


def _two(number: float) -> str:
    return f"{number:.2f}".replace("-", "−")


def _title(side: Side, seen: View, word: Word) -> str:
    """A word and the words that it looks at."""
    text = side.sentence
    if seen.kind == "decoder" and "cross" in side.recording.kinds:
        text = own_words(side.recording)
    text = text if len(text) <= LONGEST_SENTENCE else f"{text[:LONGEST_SENTENCE]}…"
    said = _("{0} on “{1}”") if seen.kind == "cross" else _("{0} in “{1}”")
    return said.format(shortened(word.text), text)


def _movers(sources: Sources, seen: View) -> str:
    """The words besides itself that count most, in a line."""
    parts = sources.parts[seen.layer]
    order = [
        place for place in (-parts).argsort(kind="stable").tolist() if place != sources.own and parts[place] >= 0.005
    ]
    named = ", ".join(f"{shortened(sources.labels[place])} {parts[place]:.2f}" for place in order[:MOST_MOVERS])
    where = f"L{seen.layer}" if seen.head is None else f"L{seen.layer} H{seen.head}"
    if not named:
        return _("{0}: only by itself").format(where)
    return (_("{0}: moved most by {1}") if sources.moved else _("{0}: looks most at {1}")).format(where, named)


# In pictures --------------------------------------------------------------------------------------------------------


def similarity_chart(sides: tuple[Side, Side], seen: View, found: Followed, run: str) -> None:
    """The line from the static vector to the last layer."""
    from attnviz.figures.context import draw_similarity

    places, numbers, rivals = _along(sides, found)
    with st.container(gap=None):
        st.markdown(f"**{_('Similarity of the two vectors')}**")
        st.markdown(_("from the static vector to the last layer"))
    figure = draw_similarity(
        places,
        numbers,
        rivals,
        theme=theme(),
        names=_names(seen, found),
        chosen=len(places) - len(found.word.layers) + seen.layer + 1,
    )
    said = ", ".join(
        f"{place} {_two(number)}" for place, number in zip(places, numbers, strict=True) if number is not None
    )
    compared = ", ".join(_two(number) for number in rivals or [] if number is not None)
    alt = _("Similarity: {0}. Different words: {1}.").format(said, compared or "–")
    st.plotly_chart(mark_run(figure, run), key="context_line", theme=None, alt=alt, config={"displayModeBar": False})


def _along(
    sides: tuple[Side, Side], found: Followed
) -> tuple[list[str], list[float | None], list[float | None] | None]:
    """The places of the line, the word's numbers there, and those of different words."""
    word, others = found.word, found.others
    first = _("+ place") if sides[0].states.moved_before else _("into L0")
    places = [first, *(f"L{layer}" for layer in range(len(word.layers) - 1))]
    numbers: list[float | None] = [*word.layers]
    rivals: list[float | None] | None = None if others is None else [*others.layers]
    if word.static is not None:
        places.insert(0, _("static"))
        numbers.insert(0, word.static)
        if rivals is not None and others is not None:
            rivals.insert(0, others.static)
    return places, numbers, rivals


def _names(seen: View, found: Followed) -> Names:
    """The words that the figures write."""
    from attnviz.figures.context import Names

    first, second = (shortened(word.text) for word in seen.words)
    pairs = 0 if found.others is None else found.others.pairs
    return Names(
        same=first if seen.one_word else f"{first} – {second}",
        others=ngettext("different words ({0} pair)", "different words ({0} pairs)", pairs).format(pairs),
        similarity=_("cosine similarity"),
        place=_("vector after layer"),
        weight=_("attention weight"),
        share=_("share of the change"),
    )


def sources_chart(sides: tuple[Side, Side], seen: View, found: Followed, place: int, run: str) -> None:
    """What the word looks at in one of the sentences, in the chosen layer, and what that adds to it."""
    from attnviz.figures.context import draw_sources, strongest

    side, word, sources = sides[place], seen.words[place], found.sources[place]
    weights = sources.weights[seen.layer]
    shares = sources.moved[seen.layer].shares if sources.moved else None
    chosen = strongest(weights if shares is None else weights + shares, MOST_BARS, sources.own)
    labels = [sources.labels[one] for one in chosen]
    with st.container(gap=None):
        st.markdown(f"**{errors.as_markdown(_title(side, seen, word))}**")
        st.markdown(errors.as_markdown(_movers(sources, seen)))
    longest = max(
        float(part[seen.layer].max()) for each in found.sources for part in (each.weights, each.parts)
    )  # one scale for both sentences
    figure = draw_sources(
        labels,
        weights[chosen].tolist(),
        None if shares is None else shares[chosen].tolist(),
        theme=theme(),
        names=_names(seen, found),
        own=chosen.index(sources.own) if sources.own is not None else None,
        range_to=longest,
    )
    said = ", ".join(
        f"{label} {weights[one]:.2f}" + ("" if shares is None else f" / {shares[one]:.2f}")
        for label, one in zip(labels, chosen, strict=True)
    )
    alt = _("{0}, attention weight / share of the change: {1}").format(_title(side, seen, word), said)
    st.plotly_chart(
        mark_run(figure, run), key=f"context_{place}", theme=None, alt=alt, config={"displayModeBar": False}
    )
    if len(chosen) < len(sources.labels):
        st.caption(
            _("The {0} strongest of {1} words; the numbers below have all.").format(len(chosen), len(sources.labels))
        )


def layers_tables(sides: tuple[Side, Side], seen: View, found: Followed, run: str) -> None:
    """Layer by layer, what moved the word; a click on a layer shows it in the bars."""
    import numpy as np

    from attnviz.figures.context import strongest

    known = all(sources.moved for sources in found.sources)
    heading = _("Which words moved it, layer by layer") if known else _("What it looks at, layer by layer")
    st.markdown(f"###### {heading}")
    blocks, fewer = [], False
    for head, (side, word, sources) in enumerate(zip(sides, seen.words, found.sources, strict=True)):
        parts = np.array(sources.parts)  # (layer, word)
        places = strongest(parts.max(axis=0), MOST_COLUMNS, sources.own)
        fewer |= len(places) < len(sources.labels)
        blocks.append(
            number_tables.table(
                [number_tables.word(_title(side, seen, word))],
                [[number_tables.word(sources.labels[place])] for place in places],
                [
                    (f"L{layer}", [(f"{number:.2f}", float(number), "") for number in numbers[places].tolist()])
                    for layer, numbers in enumerate(parts)
                ],
                corner=_("Layer"),
                pick="row",
                on=(seen.layer, None),
                head=head,
                legend=head == 0,
            )
        )

    def picked(pick: number_tables.Pick) -> None:
        st.session_state["layer"] = pick[1]

    text = _("What moved the word, for each layer and each word")
    number_tables.number_tables(blocks, run=run, key="context_layers", text=text, on_pick=picked)
    said = _(
        "This model shows its weights, but not the vectors that they are put on; so it cannot be said how far each "
        "word moves it."
    )
    if known:
        said = _(
            "A share is the length of what a word adds, ‖Σ α f(x)‖, of the sum of all: its weight α times its value "
            "vector through the output matrix, the heads added up (Kobayashi et al. 2020). A large weight on a short "
            "vector moves little."
        )
    if fewer:
        said += " " + _("Of each sentence the {0} strongest words.").format(MOST_COLUMNS)
    st.caption(f"{said} {_('Click a layer to see it above.')}")


def numbers_tables(sides: tuple[Side, Side], found: Followed) -> None:
    """Everything that is drawn, as tables."""
    places, cosines, rivals = _along(sides, found)
    alike, different = _("cosine similarity"), _("different words")
    four = st.column_config.NumberColumn(format="%.4f")
    st.dataframe(
        {_("vector after layer"): places, alike: cosines, different: rivals or [None] * len(places)},
        hide_index=True,
        column_config={alike: four, different: four},
    )
    names = (_("Sentence"), _("Layer"), _("word"), _("attention weight"), _("length ‖Σ α f(x)‖"),
             _("share of the change"))  # fmt: skip
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for place, sources in enumerate(found.sources):
        count = len(sources.labels)
        for layer, weights in enumerate(sources.weights):
            moved = sources.moved[layer] if sources.moved else None
            rows = (
                [place + 1] * count,
                [layer] * count,
                sources.labels,
                weights.tolist(),
                [None] * count if moved is None else moved.norms.tolist(),
                [None] * count if moved is None else moved.shares.tolist(),
            )
            for values, more in zip(columns.values(), rows, strict=True):
                values.extend(more)
    st.dataframe(columns, hide_index=True, column_config=dict.fromkeys(names[3:], four))
