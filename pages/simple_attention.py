"""By hand: the simplest self-attention on a table that can be edited, every number with what it is made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from attnviz.ui.components.export_menu import PageFigures, export_menu
from attnviz.ui.components.numbers.number_tables import Pick, number_tables
from attnviz.ui.components.page.ready import figures_ready, run_name, theme
from attnviz.ui.controls import url_state
from attnviz.ui.screens.simple_attention import address, controls, matrix_editor, own_sentence, tables, word_table
from attnviz.ui.shell import errors
from attnviz.ui.shell.messages import _, language
from attnviz.ui.shell.router import require_router

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from attnviz.attention.by_hand.word_vectors import WordVectors
    from attnviz.attention.by_hand.worked_example import Settings, Working
    from attnviz.export.tables import Table


def main() -> None:
    chosen = st.container(horizontal=True, vertical_alignment="bottom", key="controls")
    details = st.container(horizontal=True, vertical_alignment="bottom", key="hand_details")
    say = errors.Remarks(st.empty())
    figures = st.container(key="figures")
    with figures:
        left, right = st.columns([0.3, 0.7], gap="medium")
    own_sentence.take_sentence(st.empty(), st.empty())
    with left:
        draw_heading(_("Words and vectors x: edit them"))
        table = word_table.word_table(say)
        own_sentence.sentence_offer(table)
    if not table.words:
        right.info(_("Type a word and its numbers into the table."), icon=":material/keyboard:")
        url_state.keep_values("query_word", *controls.MATRIX_KEYS, *controls.DROPOUT_KEYS, "times")
        with chosen:
            controls.switch_controls()
        return
    numbers: list[Table] = []
    with chosen:
        query = controls.query_control(table, say)
        on = controls.switch_controls()
        title = " · ".join([_("By hand"), f"{table.labels[query]}", url_state.shorten(table.sentence, 80)])
        export_menu(page=PageFigures("attnviz-by-hand", title, lambda: numbers))
    with left:
        draw_guidance(explanation_text(on["matrices"]), "explanation")
    key = controls.chosen_key(table, say)
    with details:
        options = read_settings(on, say)
        head = controls.head_control(options.get("heads", 1), say)
    at = (head, query, key)
    drawn = errors.attempt(figures, lambda: draw(figures, right, table, options, at, say, numbers))
    if drawn:
        figures_ready(drawn[0], table.sentence, figures=drawn[1])


def read_settings(on: dict[str, bool], say: url_state.Say) -> dict[str, Any]:
    """What the controls say, by the names in `Settings`; controls of a switch that is off keep their values."""
    from attnviz.attention.by_hand.worked_example import MOST_OUT

    options: dict[str, Any] = {"matrices": on["matrices"], "scaled": on["scaled"], "causal": on["causal"]}
    if on["matrices"]:
        options |= controls.matrix_controls(MOST_OUT, say)
    else:
        url_state.keep_values(*controls.MATRIX_KEYS)
    if on["dropout"]:
        options |= controls.dropout_controls(say)
    else:
        url_state.keep_values(*controls.DROPOUT_KEYS)
    return options


def draw(
    figures: DeltaGenerator,
    right: DeltaGenerator,
    table: WordVectors,
    options: dict[str, Any],
    at: tuple[int, int, int],
    say: url_state.Say,
    numbers: list[Table],
) -> tuple[str, int]:
    """Draws everything; returns the name of the run and how many figures there are.

    Args:
        figures: the whole width; `right`, what is beside the table.
        table: at least one word.
        options: for `Settings`.
        at: head, query and key that are looked at.
        numbers: gets all numbers, for an export.
    """
    from attnviz.attention.by_hand.worked_example import Settings, work

    settings = Settings(**options)
    if settings.matrices:
        typed = matrix_editor.typed_entries(settings.seed, settings.d_out, say)
        settings = replace(settings, edits=matrix_editor.numeric_entries(typed, settings.sizes, say))
    working = work(table, settings)
    numbers += tables.tables_for_export(table, settings, working)
    # What the softmax is shown for is not drawn yet, and decides what the figures show.
    run = run_name(table, astuple(settings), at, st.session_state.get("times"), language(), theme())
    if settings.matrices:
        with right:
            draw_matrices(table, settings, working, typed, at, run)
        with figures:
            # Beside each other where both can be read whole.
            wide, beside = st.columns([0.62, 0.38], gap="medium") if settings.d_k <= 2 else (st.container(),) * 2
    else:
        wide = beside = right
    with wide:
        draw_word(table, settings, working, at, run)
    with beside:
        draw_pair(table, settings, working, at, run)
    with figures:
        draw_all_words(table, settings, working, at, run)
        left, code = st.columns(2, gap="medium")
    with left:
        draw_softmaxes(table, working, at, run, say)
    with code:
        draw_code(table, settings, working, at[1])
    return run, 4 + (3 if settings.matrices else 0)


def explanation_text(matrices: bool) -> str:
    """What query, key, value, score, weight and context are; the pictures beside it show them."""
    if matrices:
        roles_text = _(
            "Each vector x becomes a query q with which the word asks, a key k with which it answers, and a value v "
            "that it gives."
        )
    else:
        roles_text = _(
            "Here a word's vector x is all three: the query q with which it asks, the key k with which it answers, "
            "and the value v that it gives."
        )
    rest = _(
        "The better q and k agree, the larger the score ω. Softmax makes weights α of the scores, which sum to 1; the "
        "context z is the sum of the values with these weights."
    )
    return f"{roles_text} {rest}"


def draw_matrices(
    table: WordVectors,
    settings: Settings,
    working: Working,
    typed: matrix_editor.Entries,
    at: tuple[int, int, int],
    run: str,
) -> None:
    """The three matrices and what they make of every word; the output projection below, where there is one."""
    _head, query, key = at
    draw_heading(_("Three matrices make a query, a key and a value of each vector"))
    draw_guidance(_("A model learns these numbers in training; here a seed draws them. Edit any of them."), "matrices")
    for column, letter in zip(st.columns(3, gap="small"), "qkv", strict=True):
        with column:
            st.markdown(rf"${letter} = x\,W_{letter}$")
            matrix_editor.matrix_editor(letter, working.drawn[letter].tolist(), typed, settings.seed)
            number_tables(
                [tables.projection_block(table, settings, working, letter, query if letter == "q" else key)],
                run=run,
                key=f"hand_{letter}",
                text=_("{0} of every word").format(letter),
            )
    if settings.projection:
        st.markdown(_("The output projection mixes the contexts of all heads: ${0}$").format("W_o"))
        with st.container(width=min(90 * settings.d_out + 20, 480)):
            matrix_editor.matrix_editor("o", working.drawn["o"].tolist(), typed, settings.seed)
    matrix_editor.undo_button(typed, working.drawn)


def draw_word(table: WordVectors, settings: Settings, working: Working, at: tuple[int, int, int], run: str) -> None:
    """The chosen word against every word."""
    head, query, key = at
    label = errors.as_markdown(table.labels[query])
    draw_heading(
        _("{0} looks at every word").format(label), r"\alpha = \mathrm{softmax}(\omega) \quad z = \sum_j \alpha_j v_j"
    )
    number_tables(
        [tables.word_block(table, settings, working, head, query, key)],
        run=run,
        key="hand_word",
        text=_("Scores, weights and context of {0}").format(table.labels[query]),
        on_pick=key_picker(table),
    )


def draw_pair(table: WordVectors, settings: Settings, working: Working, at: tuple[int, int, int], run: str) -> None:
    """Where one number of the chosen word comes from."""
    head, query, key = at
    number_tables(
        tables.pair_blocks(table, settings, working, head, query, key),
        run=run,
        key="hand_pair",
        text=_("How {0} and {1} come to their score and weight").format(table.labels[query], table.labels[key]),
    )


def draw_all_words(
    table: WordVectors, settings: Settings, working: Working, at: tuple[int, int, int], run: str
) -> None:
    """The same for every word at once."""
    head, query, key = at
    scale = r"\sqrt{d_k}" if settings.scaled else ""
    inside = rf"\frac{{Q K^\top}}{{{scale}}}" if scale else r"Q K^\top"
    draw_heading(_("All words at once"), rf"Z = \mathrm{{softmax}}\left({inside}\right) V")
    number_tables(
        tables.all_words_blocks(table, settings, working, head, query, key),
        run=run,
        key="hand_all",
        text=_("Scores, weights and contexts of all words; rows are queries, columns are keys"),
        on_pick=pair_picker(table),
    )


def draw_softmaxes(
    table: WordVectors, working: Working, at: tuple[int, int, int], run: str, say: url_state.Say
) -> None:
    """The naive softmax, as its formula stands, beside the stable one, for scores as large as the reader likes."""
    from attnviz.attention.by_hand.worked_example import two_softmaxes

    head, query, key = at
    label = errors.as_markdown(table.labels[query])
    draw_heading(
        _("Two ways to compute softmax"),
        r"\alpha_j = \frac{e^{\omega_j}}{\sum_i e^{\omega_i}}"
        r" = \frac{e^{\omega_j - \max \omega}}{\sum_i e^{\omega_i - \max \omega}}",
    )
    times = controls.times_control(say)
    both = two_softmaxes(working.scores[head, query] * times)
    if both.overflows:
        explanation = _(
            "The naive way breaks: above 88.7 a power of e is larger than any float32, so it is inf, and inf / inf is "
            "no number, nan. With the largest score taken away first no power exceeds 1."
        )
    else:
        explanation = _(
            "Both give the same weights of {0}. Multiply the scores until a power of e is larger than any float32: "
            "the naive way breaks, the stable one does not."
        ).format(label)
    draw_guidance(explanation, "softmax")
    number_tables(
        [tables.softmaxes_block(table, both, key)],
        run=run,
        key="hand_softmax",
        text=_("Softmax of the scores of {0} in two ways").format(table.labels[query]),
    )


def draw_code(table: WordVectors, settings: Settings, working: Working, query: int) -> None:
    """The same in PyTorch, and all numbers as a file."""
    from attnviz.attention.by_hand.pytorch_code import code, to_csv

    draw_heading(_("The same in PyTorch"))
    draw_guidance(_("Pasted into Python it gives the numbers of this page."), "code")
    st.code(code(table, settings, query, working), language="python", height="content")
    st.download_button(
        _("All numbers (CSV)"),
        lambda: to_csv(table, settings, working),
        file_name="attention-by-hand.csv",
        mime="text/csv",
        key="hand_csv",
        icon=":material/download:",
        on_click="ignore",
    )


def draw_heading(text: str, formula: str = "") -> None:
    """A line over a part of the page, with the formula of its numbers."""
    st.markdown(f"**{text}**" + (f" &ensp; ${formula}$" if formula else ""))


def draw_guidance(text: str, name: str) -> None:
    """A sentence or two on what to look at; smaller than a heading and as dark, which a caption is not."""
    with st.container(key=f"hand_said_{name}"):
        st.markdown(text)


def key_picker(table: WordVectors) -> Callable[[Pick], None]:
    """A row of the chosen word's table is a key."""

    def choose(pick: Pick) -> None:
        st.session_state[address.KEY_WORD] = table.labels[pick[1]]

    return choose


def pair_picker(table: WordVectors) -> Callable[[Pick], None]:
    """A cell of a head's weights is a query and a key."""

    def choose(pick: Pick) -> None:
        head, query, key = pick
        st.session_state["query_word"] = table.labels[query]
        st.session_state[address.KEY_WORD] = table.labels[key or 0]
        if st.session_state.get("one_head", head) != head:
            st.session_state["one_head"] = head

    return choose


require_router()
main()
