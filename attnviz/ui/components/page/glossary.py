"""The words of the field, explained where they stand: underlined at their first place on the page, and in a line below.

A click on an underlined word opens what it means; the line at the end of the page has all words as buttons, also for
the keyboard. Each word comes with the forms that it has in a text, the first of them its title.
"""

from __future__ import annotations

import streamlit as st

from attnviz.ui.components.component import define
from attnviz.ui.shell.messages import _

_glossary = define(__file__)


def glossary_terms() -> list[tuple[str, str]]:
    """The words and what they mean: forms, one after the other with "|" between them, and a sentence or two."""
    return [
        (
            _("head|heads"),
            _("One of the ways in which a layer looks at the text. Each head has its own queries, keys and values."),
        ),
        (
            _("query|queries"),
            _("What a word looks for: a list of numbers, compared with the keys of all words."),
        ),
        (_("key|keys"), _("What a word offers to be found by: a list of numbers that queries are compared with.")),
        (_("value|values"), _("What a word hands over to those that look at it: a list of numbers.")),
        (_("score|scores"), _("How well a query and a key fit: their numbers multiplied in pairs and added up.")),
        (
            _("attention weight|attention weights|weight|weights"),
            _("Which share of its attention a word gives to another, from 0 to 1. The shares of a row sum to 1."),
        ),
        (_("softmax"), _("Makes shares of scores: all become positive and sum to 1; the largest gain most.")),
        (_("token|tokens"), _("What a model reads: a word, a piece of one, or a sign.")),
        (
            _("special token|special tokens"),
            _("A token that stands for no word, such as the text's end. Heads with nothing to look at look there."),
        ),
        (
            _("embedding|embeddings"),
            _("The list of numbers that a token begins with; the model learned it, and it does not know the sentence."),
        ),
        (
            _("layer|layers"),
            _("One round of the computation. Each takes a list of numbers for every token and hands on another."),
        ),
        (
            _("residual connection|residual"),
            _("What a layer computes is added to what it was given, rather than put in its place."),
        ),
    ]


def glossary() -> None:
    """Draws the line, and lets the page's words be found; the last call of every page's run."""
    data = {
        "terms": [{"forms": forms.split("|"), "text": text} for forms, text in glossary_terms()],
        "title": _("Glossary"),
    }
    with st.container(key="glossary"):
        _glossary(key="glossary_words", data=data)
