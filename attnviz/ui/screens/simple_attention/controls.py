"""The controls of the page "By hand": the table that can be edited, what is computed with it, and their place in the
address.

The table and the edited entries of the weight matrices stand in the address as text (`table`, `entries`) once they are
not what the page begins with. What cannot be read there, or was typed and is no number, is said and never thrown away.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import streamlit as st

from attnviz.attention.by_hand.word_vectors import WordVectors
from attnviz.ui.controls.url_state import Say, keep_values
from attnviz.ui.screens.simple_attention.address import KEY_WORD, WORDS_KEY, write_to_url
from attnviz.ui.shell.errors import as_markdown
from attnviz.ui.shell.messages import _

MATRIX_KEYS = ("w_seed", "d_out", "n_heads", "one_head", "w_o")
DROPOUT_KEYS = ("dropout_rate", "dropout_seed")
TIMES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)  # what scores can be multiplied with
SEEDS = range(10_000)


# Which words --------------------------------------------------------------------------------------------------------


def query_control(table: WordVectors, say: Say) -> int:
    """The word whose attention is looked at, from 0."""
    labels = table.labels
    _keep_edited_word("query_word", labels, 1, say)
    default = _default_word(labels, 1)
    value = st.segmented_control(
        _("Query: the word that asks"), labels, default=default, key="query_word", required=True, bind="query-params",
        format_func=as_markdown,
    )  # fmt: skip
    return labels.index(value) if value in labels else labels.index(default)


def chosen_key(table: WordVectors, say: Say) -> int:
    """The word whose answer is looked at, from 0; it is picked in the tables, not by a control."""
    labels = table.labels
    if KEY_WORD not in st.session_state:
        st.session_state[KEY_WORD] = st.query_params.get(KEY_WORD, "")
    _keep_edited_word(KEY_WORD, labels, 2, say)
    default = _default_word(labels, 2)
    value = st.session_state[KEY_WORD]
    if value not in labels:
        value = st.session_state[KEY_WORD] = default
    write_to_url(KEY_WORD, "" if value == default else value)
    st.session_state[WORDS_KEY] = labels
    return labels.index(value)


def _default_word(labels: tuple[str, ...], index: int) -> str:
    return labels[min(index, len(labels) - 1)]


def _keep_edited_word(key: str, labels: tuple[str, ...], default: int, say: Say) -> None:
    """A chosen word that was edited stays chosen; one that is not there at all is said and replaced."""
    before: tuple[str, ...] = st.session_state.get(WORDS_KEY, ())
    chosen = st.session_state.get(key, st.query_params.get(key))
    # The address has a word as the control writes it.
    if not chosen or chosen in labels or chosen in map(as_markdown, labels):
        return
    if chosen in before:
        st.session_state[key] = _default_word(labels, before.index(chosen))
        return
    instead = _default_word(labels, default)
    say(_("There is no word “{0}” in the table; “{1}” is shown instead.").format(chosen[:40], instead))
    if key in st.session_state:
        st.session_state[key] = instead


# What is computed ---------------------------------------------------------------------------------------------------


def switch_controls() -> dict[str, bool]:
    """The four switches, by the names that they have in `Settings`; dropout is its rate there."""

    def with_matrices() -> None:
        # Scores of learned queries and keys are divided by √d_k; those of the bare vectors are not.
        st.session_state["scaled"] = st.session_state["matrices"]

    matrices = st.toggle(
        _("Weight matrices"),
        key="matrices",
        bind="query-params",
        on_change=with_matrices,
        help=_("W_q, W_k and W_v make query, key and value of each vector; a model learns them in training."),
    )
    scaled = st.toggle(
        _("Divide by √d_k"),
        key="scaled",
        bind="query-params",
        help=_("Longer vectors have larger products; divided by the root of their length, scores stay moderate."),
    )
    causal = st.toggle(
        _("Causal mask"),
        key="causal",
        bind="query-params",
        help=_("A word sees only itself and the words before it, as in GPT."),
    )
    dropout = st.toggle(
        _("Dropout"),
        key="dropout",
        bind="query-params",
        help=_("In training, some weights are set to zero at random and the others are divided by 1 − p."),
    )
    return {"matrices": matrices, "scaled": scaled, "causal": causal, "dropout": dropout}


def matrix_controls(most_out: int, say: Say) -> dict[str, Any]:
    """Seed and size of the weight matrices, the heads and the output projection, by their names in `Settings`."""
    _replace_missing("w_seed", SEEDS, 123, say, _("Seeds go from 0 to 9999, there is no {0}; {1} is taken."))
    _replace_missing(
        "d_out", range(1, most_out + 1), 2, say, _("The matrices have 1 to 8 columns, not {0}; {1} are shown.")
    )
    seed = st.number_input(
        _("Seed"), 0, SEEDS[-1], value=123, step=1, key="w_seed", bind="query-params", width=140,
        help=_("Draws all matrices, as torch.manual_seed does."),
    )  # fmt: skip
    columns = st.number_input(
        "d_out", 1, most_out, value=2, step=1, key="d_out", bind="query-params", width=140,
        help=_("Columns of W_q, W_k and W_v: the numbers of a query, a key, a value."),
    )  # fmt: skip
    d_out = 2 if columns is None else int(columns)
    shared = [heads for heads in range(1, d_out + 1) if d_out % heads == 0]
    _replace_missing(
        "n_heads",
        shared,
        1,
        say,
        _(
            "{2} columns cannot be shared evenly by {0} heads; {1} is shown.",
        ),
        d_out,
    )
    heads = st.segmented_control(
        _("Heads"), shared, default=1, key="n_heads", required=True, bind="query-params",
        help=_("The heads share the columns evenly; each has its own scores and weights."),
    )  # fmt: skip
    heads = heads if heads in shared else 1
    projection = st.toggle(
        _("Output projection"), key="w_o", bind="query-params", help=_("W_o mixes the contexts of all heads.")
    )
    return {"seed": 123 if seed is None else int(seed), "d_out": d_out, "heads": heads, "projection": projection}


def head_control(heads: int, say: Say) -> int:
    """Which head is followed, from 0."""
    if heads == 1:
        keep_values("one_head")
        return 0
    _replace_missing("one_head", range(heads), 0, say, _("There is no head {0}; head {1} is shown."))
    value = st.segmented_control(_("Head"), range(heads), default=0, key="one_head", required=True, bind="query-params")
    return value if value in range(heads) else 0


def dropout_controls(say: Say) -> dict[str, Any]:
    """Rate and seed of dropout, by their names in `Settings`."""
    _replace_missing(
        "dropout_rate", range(10, 100, 10), 50, say, _("Dropout goes from 10 % to 90 %, not {0}; {1} is taken.")
    )
    _replace_missing("dropout_seed", SEEDS, 0, say, _("Seeds go from 0 to 9999, there is no {0}; {1} is taken."))
    rate = st.slider(
        _("Dropout p"), 10, 90, value=50, step=10, key="dropout_rate", format="%d %%", bind="query-params", width=160,
        help=_("The share of the weights that is set to zero."),
    )  # fmt: skip
    seed = st.number_input(
        _("Dropout seed"), 0, SEEDS[-1], value=0, step=1, key="dropout_seed", bind="query-params", width=140,
        help=_("Draws which weights are left out."),
    )  # fmt: skip
    return {"dropout": rate / 100, "dropout_seed": int(seed or 0)}


def times_control(say: Say) -> int:
    """What the scores are multiplied with before softmax."""
    _replace_missing("times", TIMES, 1, say, _("Scores are multiplied with 1 to 1000, not {0}; {1} is taken."))
    value = st.select_slider(_("Scores ×"), TIMES, value=1, key="times", bind="query-params")
    return value if value in TIMES else 1


def _replace_missing(key: str, options: Collection[int], otherwise: int, say: Say, missing: str, *more: object) -> None:
    """Before a control is drawn: replaces a number that it does not have, and says so."""
    requested = st.session_state.get(key, st.query_params.get(key))
    if requested is None or requested == "":
        return
    text = str(requested)
    if text.isdecimal() and len(text) < 6 and int(text) in options:
        return
    say(missing.format(text[:40], otherwise, *more))
    if key in st.session_state:
        st.session_state[key] = otherwise
