"""What can be chosen in a sentence whose numbers are followed: whole words, or the tokens that they are read in.

The numbers of a computation belong to tokens. Of a word that is read in several they are those of its last token, which
in a decoder is the only one that has read all of the word; the page says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st

from attnviz.tokenization.token import Token, labels, word_groups, words
from attnviz.ui.controls import url_state
from attnviz.ui.shell.errors import as_markdown
from attnviz.ui.shell.messages import _

KEY = "pieces"


@dataclass(frozen=True)
class Choice:
    """A word that is looked at, or a token by itself.

    Attributes:
        label: what it is called.
        position: of the token whose numbers are shown.
        positions: of all its tokens.
    """

    label: str
    position: int
    positions: tuple[int, ...]


def choices(tokens: Sequence[Token], by_token: bool) -> tuple[Choice, ...]:
    """What can be chosen, in order.

    >>> un, seen = Token(7, " un", False, 0, 3, 6), Token(9, "seen", False, 0, 6, 10)
    >>> [(one.label, one.position) for one in choices([un, seen], by_token=False)]
    [('unseen', 1)]
    """
    if by_token:
        return tuple(Choice(label, position, (position,)) for position, label in enumerate(labels(tokens)))
    labelled_groups = zip(labels(words(tokens)), word_groups(tokens), strict=True)
    return tuple(Choice(label, group[-1], group) for label, group in labelled_groups)


def choice_at(options: Sequence[Choice], position: int) -> int:
    """The number of the choice that a token belongs to."""
    return next(number for number, one in enumerate(options) if position in one.positions)


def pieces_switch(*axes: Sequence[Token]) -> bool:
    """Whether tokens are chosen rather than words; a switch, where some word is read in several.

    A link that names a token that is no word turns it on.
    """
    if all(len(group) == 1 for tokens in axes for group in word_groups(tokens)):
        url_state.keep_values(KEY)
        return False
    for key, tokens in zip(("looking", "looked_at"), axes, strict=True):
        requested = None if key in st.session_state else st.query_params.get(key)
        word_labels, token_labels = ({one.label for one in choices(tokens, by_token)} for by_token in (False, True))
        if requested in token_labels and requested not in word_labels and KEY not in st.session_state:
            st.session_state[KEY] = True
    return st.toggle(
        _("Tokens"),
        key=KEY,
        bind="query-params",
        help=_("The tokens that a word is read in, each by itself. Off: whole words, with the numbers of their last."),
    )


def token_control(title: str, key: str, options: Sequence[Choice], position: int, say: url_state.Say) -> Choice:
    """A control for one of the words or tokens on the screen, by its label.

    What is no token of this sentence is replaced by the one at `position`, and said only where a link asked for it: a
    sentence that is being typed changes its tokens all the time.
    """
    names = [one.label for one in options]
    default = names[choice_at(options, position)]
    requested = st.session_state.get(key, st.query_params.get(key))
    if requested not in names:
        if requested and key not in st.session_state:
            say(
                _("There is no token {0} in this sentence; {1} is shown instead.").format(
                    url_state.shorten(requested), default
                )
            )
        st.session_state[key] = default
    return options[names.index(st.selectbox(title, names, key=key, bind="query-params", width=150))]


def strongest_key(weights: np.ndarray, keys: Sequence[Token]) -> int:
    """The key that gets most of a row, special tokens aside where there are others."""
    return min(range(len(weights)), key=lambda position: (keys[position].special, -weights[position]))


def say_last_piece(word: Choice, labels: Sequence[str]) -> None:
    """Which token's numbers are shown of a word that is read in several.

    Args:
        word: what was chosen.
        labels: of all tokens.
    """
    if len(word.positions) > 1:
        pieces = " · ".join(labels[position] for position in word.positions)
        st.caption(
            _("{0} is read in {1} tokens: {2}. The numbers are those of the last, {3}.").format(
                f"**{as_markdown(word.label)}**",
                len(word.positions),
                as_markdown(pieces),
                f"**{as_markdown(labels[word.position])}**",
            )
        )
