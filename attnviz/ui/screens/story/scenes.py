"""What the ten scenes say: a title, up to three sentences, a formula, and where the same can be taken apart.

A sentence may have places that the picture fills, as they change with the word that asks:

    {0} the word that asks          {1} the word it looks at most    {2} that share       {3} the head's name
    {4} numbers in query and key    {5} what scores are divided by   {6} heads of the layer
    {7} tokens that are drawn       {8} the nearest word before the first layer            {9} and after the last

What is not so in this model, or for this sentence, is not said: these functions choose.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from attnviz.ui.shell.messages import _, local_number

Numbers = Mapping[str, Any]
Scene = dict[str, Any]


def scene_texts(numbers: Numbers) -> list[Scene]:
    """All ten, in order, each with `title`, `sentences`, `formula` and `link`."""
    scenes: tuple[Callable[[Numbers], Scene], ...] = (
        _tokens, _vectors, _query, _scores, _shares, _values, _heads, _block, _layers, _writing,
    )  # fmt: skip
    return [scene(numbers) for scene in scenes]


def position_note(numbers: Numbers) -> str:
    """Where the places of the words come in, where none are added; empty where they are."""
    if numbers["vectors"]["position"] is not None:
        return ""
    return {
        "rotary": _("This model adds no position here: inside each head it turns queries and keys by it."),
        "bias": _("This model adds no position here: later it adds a number for the distance to each score."),
    }.get(numbers["vectors"]["positions"], _("This model does not show that it adds a position here."))


def _scene(title: str, sentences: list[str], formula: str = "", link: str = "") -> Scene:
    return {"title": title, "sentences": [sentence for sentence in sentences if sentence], "formula": formula,
            "link": link}  # fmt: skip


def _tokens(_numbers: Numbers) -> Scene:
    return _scene(
        _("What does a model read?"),
        [
            _("A model cuts a text into tokens: words, pieces of words and signs, here {7} of them."),
            _("Each is looked up in the vocabulary, the list of all tokens that the model knows."),
            _("What it reads is the number that stands there, and nothing else."),
        ],
        _("token → number"),
        _("Take it apart: the tokens"),
    )


def _vectors(numbers: Numbers) -> Scene:
    vectors = numbers["vectors"]
    if vectors["embedding"] is None:
        return _scene(
            _("How does a number get a meaning?"),
            [_("This model does not show what its tokens begin with; the story goes on in one of its heads.")],
        )
    place = _("Its position in the sentence is added as a second list, or else the order of the words would be lost.")
    return _scene(
        _("How does a number get a meaning?"),
        [
            _(
                "Each number picks a row of a table, its embedding: a list of numbers, called a vector, that the model "
                "has learned for this token."
            ),
            place if vectors["position"] is not None else position_note(numbers),
            _("A box is one number of the list: the stronger its colour, the further it is from 0."),
        ],
        _("embedding + position = vector") if vectors["position"] is not None else "",
        _("Take it apart: the embeddings"),
    )


def _query(numbers: Numbers) -> Scene:
    if numbers["head"]["queries"] is None:
        return _scene(
            _("One word asks"),
            [
                _("Let us follow {0}. Inside the model it asks all words a question, and each has an answer ready."),
                _("This model shows neither, only what comes of them: how much {0} looks at each word."),
            ],
        )
    return _scene(
        _("One word asks"),
        [
            _("{0} asks a question, its query: {4} numbers that say what it is looking for."),
            _("Every word holds out an answer, its key: {4} numbers that say what it can be found by."),
            _("The model computes both from the words' vectors, with two tables of numbers that it has learned."),
        ],
        _("query = vector × W_Q,  key = vector × W_K"),
        _("Take it apart: queries and keys"),
    )


def _scores(numbers: Numbers) -> Scene:
    head, title = numbers["head"], _("Which key fits the query?")
    if head["queries"] is None:
        return _scene(title, [_("How query and key meet stays inside this model; the shares that come of it do not.")])
    root = math.isclose(head["divisor"], math.sqrt(head["width"]), rel_tol=1e-4)
    if math.isclose(head["divisor"], 1.0, rel_tol=1e-4):
        divided = _("This model takes the sums as they are; most others divide them by the root of {4}.")
        formula = _("query · key = score")
    elif root:
        divided = _(
            "They are divided by {5}, the square root of {4}, or long lists would give scores that are too large."
        )
        formula = _("query · key ÷ √{0} = score").format(head["width"])
    else:
        divided = _("They are divided by {5}, so that they do not become too large.")
        formula = _("query · key ÷ {0} = score").format(local_number(f"{head['divisor']:.4g}"))
    if not head["plain"]:
        divided = _("The model then changes the scores a little more, for instance by how far apart two words are.")
        formula = ""
    last = _("The higher a score, the better a word fits what {0} is looking for.")
    if head["kind"] == "decoder":
        last = _("Words that come later are hidden from {0}; their keys stay dark.")
    return _scene(
        title,
        [
            _("Query and key are multiplied, number by number, and the products added up: their score."),
            divided,
            last,
        ],
        formula,
        _("Take it apart: the scores"),
    )  # fmt: skip


def _shares(_numbers: Numbers) -> Scene:
    return _scene(
        _("Guess: which word will “{0}” look at most?"),
        [
            _("Softmax makes shares of the scores: none is below 0, and together they are exactly 1."),
            _("A small lead in the scores becomes a large one in the shares."),
            _("Such a share is called an attention weight."),
        ],
        _("share = e^score ÷ sum of all e^score"),
        _("Take it apart: the softmax"),
    )


def _values(numbers: Numbers) -> Scene:
    if numbers["head"]["values"] is None:
        return _scene(
            _("What does “{0}” take along?"),
            [_("From each word flows as much as its share: most from {1}, {2}."),
             _("What flows, the values, this model does not show.")],
        )  # fmt: skip
    return _scene(
        _("What does “{0}” take along?"),
        [
            _("Every word also has a value: the numbers that it hands over to those who look at it."),
            _("From each word flows as much as its share: most from {1}, {2}."),
            _("Together that is a new vector: {0} now knows something of the words around it."),
        ],
        _("new vector = sum of all share × value"),
        _("Take it apart: the sum of the values"),
    )


def _heads(numbers: Numbers) -> Scene:
    measured = any(head["finding"] for head in numbers["heads"])
    rest = _("Others look at the end of the sentence or a full stop: a head that finds nothing to do rests there.")
    return _scene(
        _("Many heads look at once"),
        [
            _("That was one head, {3}; this layer has {6}, each with queries, keys and values of its own."),
            _("What stands below some of them was measured on sentences that linguists had analysed.")
            if measured
            else _("Nobody told them what to look for: they found it while the model learned."),
            rest,
        ],
        "",
        _("See all heads of this layer"),
    )


def _block(numbers: Numbers) -> Scene:
    title, link = _("From heads to a block"), _("Take it apart: the block")
    if not numbers["block"]:
        return _scene(title, [_("What all heads give is joined and added to the word's vector. This model does not "
                                "show the steps in between.")])  # fmt: skip
    normalised = any(stage["kind"] == "norm" for stage in numbers["block"])
    return _scene(
        title,
        [
            _("What the heads give is joined and added to the vector of the word, so nothing of it is lost."),
            _("Then each word goes by itself through a small network, the feed-forward network; that is added too."),
            _("Normalising in between keeps the lengths in bounds.") if normalised else "",
        ],
        _("vector + attention + feed-forward network"),
        link,
    )


def _layers(numbers: Numbers) -> Scene:
    journey = numbers["journey"]
    title = _("Where does the word move?")
    if journey is None:
        return _scene(title, [_("Block follows block, but this model does not show its vectors in between.")])
    nearest, other = journey["nearest"], journey["other"]
    compared = ""
    if other is not None:
        compared = _(
            "“{0}” also stands in “{1}”: there its vector is like this one to {2} at first, to {3} at the end."
        )
        compared = compared.format(
            numbers["tokens"][other["token"]]["label"],
            other["sentence"],
            local_number(f"{other['similarity'][0]:.2f}"),
            local_number(f"{other['similarity'][-1]:.2f}"),
        )
    return _scene(
        title,
        [
            _("Block follows block, layer by layer, and in each one the word's vector moves a little."),
            _("At first its nearest word in the vocabulary is {8}, at the end it is {9}.") if any(nearest) else "",
            compared,
        ],
        "",
        _("Take it apart: a word in context"),
    )


def _writing(numbers: Numbers) -> Scene:
    writing = numbers["writing"]
    if writing is None:
        return _scene(
            _("Who reads what comes out?"),
            [
                _("This model was saved without the part that predicts words, so it writes nothing."),
                _("Other programs take its vectors, to search, to sort or to compare texts."),
            ],
        )
    link = _("Try it yourself: Translate")
    if writing["task"] == "translate":
        return _scene(
            _("How does a sentence come out?"),
            [
                _("The decoder looks at what it has written, and at the source: that is cross-attention."),
                _("It gives every token of the vocabulary a probability; the likeliest is written."),
                _("Then it begins again, one token longer, until the token for the end comes."),
            ],
            "",
            link,
        )
    if writing["task"] == "continue":
        return _scene(
            _("What comes next?"),
            [
                _("From its last vector the model gives every token of the vocabulary a probability."),
                _("The likeliest is written, and all is read again, one token longer."),
                _("A chat program does nothing else, thousands of times."),
            ],
            "",
            link,
        )
    return _scene(
        _("What stands in the gap?"),
        [
            _("One word is covered; the model looks at the words on both sides of the gap."),
            _("It gives every token of the vocabulary a probability; the likeliest fills the gap."),
        ],
        "",
        link,
    )
