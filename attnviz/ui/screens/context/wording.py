"""The headline and the remarks of the page "In context": what its pictures show, in sentences."""

from __future__ import annotations

from attnviz.ui.controls.page_header import decoder_text
from attnviz.ui.screens.context import words
from attnviz.ui.screens.context.analysis import Side, Sources, WordComparison, WordSelection
from attnviz.ui.screens.context.words import Word, shorten_word
from attnviz.ui.shell.messages import _, local_number

MOST_MOVERS = 2  # words that a line names
LONGEST_SENTENCE = 32  # characters of a sentence in a title


# In words -----------------------------------------------------------------------------------------------------------


def headline(selection: WordSelection, comparison: WordComparison) -> str:
    """What the pictures show, in a sentence."""
    word, others = comparison.word, comparison.others
    last = len(word.layers) - 2
    numbers = [format_cosine(word.layers[0] if word.static is None else word.static), format_cosine(word.layers[-1])]
    first, second = (shorten_word(item.text) for item in selection.words)
    if selection.one_word:
        sentence = _("“{0}” in two sentences: similarity {1} as a static vector, {2} after layer {3}")
        sentence = sentence.format(first, *numbers, last)
    else:
        sentence = _("“{0}” and “{1}”: similarity {2} as static vectors, {3} after layer {4}")
        sentence = sentence.format(first, second, *numbers, last)
    if others is None:
        return f"{sentence}."
    return _("{0}; other words there: {1}.").format(sentence, format_cosine(others.layers[-1]))


def remarks(sides: tuple[Side, Side], selection: WordSelection, comparison: WordComparison) -> str:
    """What to look at, and what is special about these sentences or this model."""
    word = comparison.word
    pairs = words.shared_words(*(words.sentence_words(side.states.tokens) for side in sides))
    sentences = []
    if not pairs:
        sentences.append(_("No word stands in both sentences; choose one in each."))
    if len(pairs) > 1 and selection.one_word:
        sentences.append(_("In both: {0}.").format(_(", ").join(shorten_word(pair[0].text) for pair in pairs[:6])))
    if selection.one_word and word.static not in (None, 1.0):
        sentences.append(_("It is written with other tokens in the second, so even its static vectors differ."))
    if not selection.one_word and word.static is not None and word.layers[-1] > word.static:
        sentences.append(
            _(
                "Here they are two words, so nothing has to be told apart: their vectors differ from the start, and "
                "come closer as each takes in its sentence. Choose a pair with one word in two senses to see the "
                "contrary."
            )
        )
    if word.static == 1.0:
        sentences.append(
            _(
                "Static vectors, such as Word2Vec's, stay at 1. What pulls the line down is the word's place and, "
                "layer by layer, the other words."
            )
        )
    else:
        sentences.append(_("What moves the line is the words' places and, layer by layer, the other words."))
    if comparison.others is not None:
        sentences.append(_("At the dashed line the two are no more alike than any two words."))
    return " ".join([*sentences, *_decoder_remarks(sides, selection)])


def _decoder_remarks(sides: tuple[Side, Side], selection: WordSelection) -> list[str]:
    """What is special where a word is only changed by those before it."""
    if selection.kind == "encoder":
        return []
    sentences = []
    paired = "cross" in sides[0].recording.kinds
    if paired:
        own = (shorten_word(decoder_text(side.recording)) for side in sides)
        sentences.append(_("These are the decoder's words, its own output: “{0}” and “{1}”.").format(*own))
        sentences.append(_("In each layer the source comes in, too."))
    if selection.kind == "cross":
        return [*sentences, _("The bars show the words of the source that they look at.")]
    sentences.append(_("In a decoder only words before it, and itself, can change a word."))
    before = [
        [token.id for token in side.states.tokens[: word.positions[-1] + 1]]
        for side, word in zip(sides, selection.words, strict=True)
    ]
    if before[0] == before[1] and not paired:
        sentences.append(
            _("Up to this word the two sentences are the same, so its vectors are too: choose a later word.")
        )
    return sentences


def format_cosine(number: float) -> str:
    """A cosine with two decimals: "−0.25"."""
    return local_number(f"{number:.2f}")


def word_title(side: Side, selection: WordSelection, word: Word) -> str:
    """A word and the words that it looks at."""
    text = side.sentence
    if selection.kind == "decoder" and "cross" in side.recording.kinds:
        text = decoder_text(side.recording)
    template = _("{0} on “{1}”") if selection.kind == "cross" else _("{0} in “{1}”")
    return template.format(shorten_word(word.text), shorten_sentence(text))


def shorten_sentence(text: str) -> str:
    """The beginning of a sentence, up to the end of a word where there are spaces.

    >>> shorten_sentence("Wir sitzen auf einer Bank im Park.")
    'Wir sitzen auf einer Bank im…'
    """
    if len(text) <= LONGEST_SENTENCE:
        return text
    beginning = text[: LONGEST_SENTENCE + 1].rsplit(" ", 1)[0]
    return f"{beginning[:LONGEST_SENTENCE]}…"


def strongest_words(sources: Sources, selection: WordSelection) -> str:
    """The words besides itself that count most, in a line."""
    parts = sources.parts[selection.layer]
    order = [
        index for index in (-parts).argsort(kind="stable").tolist() if index != sources.own and parts[index] >= 0.005
    ]
    movers = order[:MOST_MOVERS]
    movers_text = _(", ").join(
        f"{shorten_word(sources.labels[index])} {format_cosine(parts[index])}" for index in movers
    )
    where = f"L{selection.layer}" if selection.head is None else f"L{selection.layer} H{selection.head}"
    if not movers_text:
        return _("{0}: only by itself").format(where)
    return (_("{0}: moved most by {1}") if sources.moved else _("{0}: looks most at {1}")).format(where, movers_text)
