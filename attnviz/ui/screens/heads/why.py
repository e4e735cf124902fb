"""Why the opened head looks where it does: two of its words, and what their score is made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from attnviz.ui.components.explanation.score_parts import draw_score_parts, why_expander
from attnviz.ui.controls import url_state
from attnviz.ui.controls.token_choice import choices, say_last_piece, token_control
from attnviz.ui.shell.messages import _

if TYPE_CHECKING:
    from attnviz.attention.attention_map import AttentionMap
    from attnviz.attribution import ScoreSplit

SIDES = ("looking", "looked_at")
"""Keys of the two controls, and their names in the address; they are called so on the page "Step by step" too."""

MOST_TOKENS = 1024
"""Of a text whose scores are split; of a longer one nobody is asked."""


def draw_why(
    whole: Callable[[], AttentionMap], split: Callable[[int, int], ScoreSplit], *, by_word: bool, say: url_state.Say
) -> None:
    """Draws the line that asks and, where a reader has opened it, the answer.

    Args:
        whole: makes the head's map with all its tokens.
        split: what the score of a query and a key is made of.
        by_word: whether words are chosen, or tokens.
        say: tells the reader of a word that a link asks for and that is not there.
    """
    opened = why_expander()
    if opened is None:
        url_state.keep_values(*SIDES)
        return
    map = whole()
    tokens = map.query_tokens, map.key_tokens
    queries, keys = (choices(axis, not by_word) for axis in tokens)
    with opened:
        with st.container(horizontal=True, vertical_alignment="bottom", key="why_pair"):
            asker = token_control(_("Word"), SIDES[0], queries, _opening_query(map), say)
            strongest = int(map.weights[asker.position].argmax())
            answerer = token_control(_("looks at"), SIDES[1], keys, strongest, say)
        for word, labels in dict.fromkeys([(asker, map.query_labels), (answerer, map.key_labels)]):
            say_last_piece(word, labels)
        query, key = asker.position, answerer.position
        draw_score_parts(lambda: split(query, key), asker.label, answerer.label, float(map.weights[query, key]))


def _opening_query(map: AttentionMap) -> int:
    """The word with the largest weight for a word; special tokens aside, where there are others."""
    special = [np.array([token.special for token in tokens]) for tokens in (map.query_tokens, map.key_tokens)]
    weights = np.where(np.logical_or.outer(*special), map.weights - 1, map.weights)
    return int(weights.max(axis=1).argmax())


def choose_word(map: AttentionMap, side: int, index: int) -> None:
    """Has the answer be about a word that was clicked; for callbacks.

    Args:
        map: as it is shown.
        side: 0 for its queries, 1 for its keys.
        index: of the word on that side.
    """
    label = (map.query_labels, map.key_labels)[side][index]
    st.session_state[SIDES[side]] = label
    if side == 0:
        st.session_state.pop(SIDES[1], None)  # the key that this word looks at most
