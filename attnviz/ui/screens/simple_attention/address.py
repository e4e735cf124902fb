"""Reads and writes what the page "By hand" keeps in the address beside its controls, such as the table of words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from attnviz.attention.by_hand.word_vectors import WordVectors, plain
from attnviz.errors import InputError
from attnviz.ui.controls.url_state import Say
from attnviz.ui.shell.messages import _, local_number, translate

# Of this session, none of them a control: rows as they were typed, how often the editor was begun anew, the words of
# the last run, the word whose key is looked at, and entries of the weight matrices for each seed and size.
ROWS_KEY, EDITOR_NUMBER_KEY, WORDS_KEY, KEY_WORD, ENTRIES_KEY = (
    "hand_rows",
    "hand_begun",
    "hand_words",
    "key_word",
    "hand_entries",
)


# The address --------------------------------------------------------------------------------------------------------


def read_from_url(name: str, read: Callable[[str], Any], otherwise: Any, say: Say, called: str) -> Any:
    """What the address holds under a name; where it cannot be read, `say` tells so and `otherwise` is used."""
    text = st.query_params.get(name, "")
    if not text:
        return otherwise
    try:
        return read(text)
    except InputError as error:
        remark = _("“{0}” in the address could not be read, so the page has {1}.").format(name, called)
        say(f"{remark} {translate(error.message)}")
        return otherwise


def write_to_url(name: str, text: str) -> None:
    """Writes what no control holds; "" takes it out."""
    if not text:
        if name in st.query_params:
            del st.query_params[name]
    elif st.query_params.get(name) != text:
        st.query_params[name] = text


def table_rows(table: WordVectors) -> list[tuple[str, ...]]:
    """The table as the editor holds it: for each word a row of texts."""
    return [
        (word, *(local_number(plain(number)) for number in vector))
        for word, vector in zip(table.words, table.vectors, strict=True)
    ]  # fmt: skip
