"""Steps 1 to 3: from a text over tokens and embeddings to query, key and value."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st
import torch

from attnviz.computation.module_roles import ROLES
from attnviz.figures.steps import draw_strips
from attnviz.tokenization import tokenizer as tokenization
from attnviz.tokenization.language import has_spaces
from attnviz.tokenization.token import is_word, labels
from attnviz.tokenization.token import words as whole_words
from attnviz.ui.components.numbers.numbers_table import numbers_table as draw_table
from attnviz.ui.components.page.ready import theme
from attnviz.ui.controls import inputs
from attnviz.ui.screens.steps.context import MOST_ROWS, StepContext, escape_label, format_number, vectors_table
from attnviz.ui.shell import errors, model_names, models
from attnviz.ui.shell.messages import _, local_number, ngettext

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from attnviz.computation.module_roles import Projection, Role
    from attnviz.tokenization.token import Token

Chip = tuple[str, str, bool, int | None]  # what it says, what stands below it, whether it is special, its word
MOST_CHIPS = 200


def draw_tokens(context: StepContext) -> int:
    """Text → tokens → ids."""
    items = context.computation.query_tokens
    vocabulary = context.model.network.get_input_embeddings().weight.shape[0]
    st.markdown(
        _(
            "The model does not read letters: it looks up **tokens** of a fixed vocabulary of **{0}**. A frequent word "
            "is one of them, a rare word is spelt in several. The number below each is its place in the vocabulary."
        ).format(local_number(f"{vocabulary:,}"))
    )
    draw_chips(
        [
            (label, str(token.id), token.special, token.word)
            for label, token in zip(context.queries, items, strict=True)
        ],
        context.asker.positions,
    )
    words = sum(is_word(word) for word in whole_words(items))
    pieces = sum(not token.special for token in items)
    added = len(items) - pieces
    st.caption(
        _("{0}, {1}, and {2} that the model adds.").format(
            ngettext("{0} word", "{0} words", words).format(words),
            ngettext("{0} token", "{0} tokens", pieces).format(pieces),
            ngettext("{0} special token", "{0} special tokens", added).format(added),
        )
    )
    draw_other_tokenizations(context)
    with st.expander(_("Numbers")):
        draw_table(
            {
                _("position"): list(range(len(items))),
                _("token"): list(context.queries),
                _("id"): [token.id for token in items],
                _("word"): [token.word for token in items],
                _("special"): [token.special for token in items],
            },
            {},
            name=_("Tokens"),
        )
    return 0


def draw_other_tokenizations(context: StepContext) -> None:
    """The same text cut up in other ways: three that anybody can imagine, and those of the models of this session."""
    text = join_tokens(context.computation.query_tokens)
    names = {"words": _("words"), "characters": _("characters"), "bytes": _("bytes")}
    others = {model_names.model_label(name): name for name in inputs.used_models() if name != context.model.name}
    st.markdown("###### " + _("The same text in other vocabularies"))
    ways = [*names, *others]
    requested = st.session_state.get("beside", st.query_params.get("beside"))
    # It may be another model's, which is now the one above.
    st.session_state["beside"] = requested if requested in ways else "characters"
    chosen = st.segmented_control(
        _("Cut into"),
        ways,
        format_func=lambda way: names.get(way, way),
        key="beside",
        required=True,
        label_visibility="collapsed",
    )
    # The control itself would write there what is on the screen, in the reader's language.
    if chosen != "characters":
        st.query_params["beside"] = str(chosen)
    else:
        st.query_params.pop("beside", None)
    if chosen in others:
        pieces = _model_chips(others[chosen], text)
        template = _("{0} tokens. Load any model above, and its tokens can be chosen here beside another's.")
    elif chosen == "words":
        pieces = [(piece, "", False, None) for piece in text.split()]
        template = _("{0} tokens: short, but every form of every word needs an entry, and a new word has none.")
        if not has_spaces(text):
            template = _("{0} tokens: this script has no space between words, so cutting at spaces finds none of them.")
    elif chosen == "characters":
        pieces = [("␣" if piece == " " else piece, "", False, None) for piece in text]
        template = _("{0} tokens: nothing is unknown, but the text is long, and a letter alone means little.")
        if not has_spaces(text):
            template = _("{0} tokens: a character often is a word or a part of one; there are many thousands of them.")
    else:
        pieces = [(f"{byte:02x}", "", False, None) for byte in text.encode()]
        template = _("{0} tokens from a vocabulary of 256: any language, any emoji, and never fewer than characters.")
    draw_chips(pieces[:MOST_CHIPS])
    st.caption(template.format(len(pieces)))


def join_tokens(tokens: Sequence[Token]) -> str:
    """The text of tokens; BERT's have none of the spaces between them, but say where they stand.

    A second sentence begins to count anew.
    """
    text, end = "", None
    for token in tokens:
        if token.special:
            continue
        gap = end is not None and token.start is not None and token.start != end
        text += " " * gap + token.text
        end = token.end
    return text.strip()


def _model_chips(name: str, text: str) -> list[Chip]:
    """The tokens of another model, as chips; none where it cannot be loaded, and the reader is told why."""
    placeholder = st.empty()
    model, revision = model_names.model_and_revision(name)
    loaded = errors.attempt(placeholder, lambda: models.load(model, placeholder, revision=revision))
    if loaded is None or loaded.model.tokenizer is None:
        return []
    tokens = tokenization.encode(loaded.model.tokenizer, text).tokens
    labelled_tokens = zip(labels(tokens), tokens, strict=True)
    return [(label, str(token.id), token.special, token.word) for label, token in labelled_tokens]


def draw_chips(items: list[Chip], chosen: Collection[int] = ()) -> None:
    """Tokens as boxes; the pieces of a word stand close together."""
    parts = []
    for index, (label, below, special, word) in enumerate(items):
        joins = index > 0 and word is not None and items[index - 1][3] == word
        looks = (
            " attnviz-chip-special" * special + " attnviz-chip-on" * (index in chosen) + " attnviz-chip-joins" * joins
        )
        under = f"<small>{html.escape(below)}</small>" if below else ""
        parts.append(f'<span class="attnviz-chip{looks}" role="listitem"><b>{html.escape(label)}</b>{under}</span>')
    st.html(f'<div class="attnviz-chips" role="list">{"".join(parts)}</div>')


def draw_embeddings(context: StepContext) -> int:
    """Ids → vectors, and positions."""
    computation = context.computation
    width = computation.entering.shape[1]
    word = context.asker.label
    names = {
        "token": _("token"),
        "position": _("position"),
        "segment": _("sentence"),
        "other": _("other"),
    }
    st.markdown(
        _("Each id picks a row of a learned table: **{0} numbers** for {1}.").format(width, f"**{escape_label(word)}**")
        + " "
        + _position_text(computation.positions)
    )
    labels: list[str] = []
    rows: list[np.ndarray] = []
    for item in computation.added:
        factor = "" if abs(item.scale - 1) < 1e-3 else f" × {format_number(item.scale, 2).removesuffix('.00')}"
        labels.append(f"{names[item.kind]}{factor}" if not labels else f"+ {names[item.kind]}{factor}")
        rows.append(item.vectors[context.query].numpy())
    then = {"norm": _("normalised"), "matrix": _("through a matrix")}
    if rows and computation.summed.shape[1] == width:
        if len(rows) > 1:
            labels.append("= " + _("sum"))
            rows.append(computation.summed[context.query].numpy())
        if computation.then:
            labels.append(_(", ").join(then[item] for item in computation.then))
            rows.append(computation.entering[context.query].numpy())
    else:
        labels, rows = [_("enters layer 0")], [computation.entering[context.query].numpy()]
    figure = draw_strips(labels, np.stack(rows), theme=theme(), dimension=_("dimension"), value=_("value"))
    drawn = context.draw_figure(
        figure, "step_strips", _("What {0} begins with: {1}").format(word, _(", ").join(labels))
    )

    st.markdown("###### " + _("All tokens as they enter layer 0"))
    every = computation.entering[:MOST_ROWS].numpy()
    figure = draw_strips(
        context.queries[:MOST_ROWS], every, theme=theme(), dimension=_("dimension"), value=_("value"), height=20
    )
    drawn += context.draw_figure(figure, "step_entering", _("{0} vectors of {1} numbers").format(*every.shape))
    vectors_table(_("Embeddings"), dict(zip(labels, rows, strict=True)))
    return drawn


def _position_text(where: str) -> str:
    if where == "added":
        return _("A second vector says where the word stands; both are added, number by number.")
    if where == "rotary":
        return _(
            "Nothing is added for the position: this model **rotates** queries and keys by their position instead "
            "(step 3)."
        )
    if where == "bias":
        return _(
            "Nothing is added for the position: this model adds a learned number to the **scores**, depending on how "
            "far two words are apart (step 4)."
        )
    return _("No sign of the position was found in what this model computes before its first layer.")


def draw_projections(context: StepContext) -> int:
    """Query, key and value of the chosen word."""
    computation = context.computation
    asks = escape_label(context.asker.label)
    st.markdown(
        _(
            "Three learned matrices turn what the layer reads into a **query** (what {0} looks for), a **key** (what a "
            "word offers) and a **value** (what it hands over). Each head has its own three."
        ).format(f"**{asks}**")
    )
    labels: list[str] = []
    rows: list[np.ndarray] = []
    descriptions = []
    for role in ROLES:
        one = context.answerer if role != "query" and computation.kind == "cross" else context.asker
        position, name = one.position, one.label
        projection = computation.projection(role, context.head)
        letter = role[0]
        descriptions.append(_origin_text(letter, name, projection))
        if projection is not None and projection.change != "none":
            labels.append(f"x · W_{letter.upper()}")
            rows.append(projection.vectors[position].numpy())
            letter = f"{letter}: {_change_text(projection.change)}"
        labels.append(f"{letter} · {name}")
        rows.append(_projected_vector(context, role)[position].numpy())
    st.markdown("  \n".join(descriptions))
    longest = max(len(row) for row in rows)
    padded = np.stack([np.pad(row, (0, longest - len(row)), constant_values=np.nan) for row in rows])
    figure = draw_strips(labels, padded, theme=theme(), dimension=_("dimension"), value=_("value"))
    drawn = context.draw_figure(figure, "step_vectors", _("Query, key and value: {0} numbers each").format(longest))
    query = computation.projection("query", context.head)
    if query is not None:
        matrix = st.segmented_control(
            _("Matrix"),
            ("W_Q", "W_K", "W_V"),
            default="W_Q",
            key="matrix",
            required=True,
            label_visibility="collapsed",
            bind="query-params",
        )
        projection = computation.projection(ROLES[("W_Q", "W_K", "W_V").index(matrix)], context.head)
        if projection is not None:
            every = projection.matrix.T.numpy()
            figure = draw_strips(
                [str(index) for index in range(len(every))],
                every,
                theme=theme(),
                dimension=_("input dimension"),
                value=_("value"),
                height=max(3, 220 // len(every)),
            )
            figure.update_yaxes(title=_("dimension"), nticks=4, tickmode="auto", ticktext=None, tickvals=None)
            alt = _("{0} of this head: {1} × {2} learned numbers").format(matrix, *projection.matrix.shape)
            drawn += context.draw_figure(figure, "step_matrix", alt)
            st.caption(alt)
    vectors_table(_("Query, key, value"), dict(zip(labels, rows, strict=True)))
    return drawn


def _projected_vector(context: StepContext, role: Role) -> torch.Tensor:
    get = {"query": context.recording.queries, "key": context.recording.keys, "value": context.recording.values}[role]
    return get(context.computation.kind, **context.head_index)


def _origin_text(letter: str, name: str, projection: Projection | None) -> str:
    """A line on where a vector comes from: "q = x · W_Q + b_Q of sah, 256 → 32 numbers"."""
    if projection is None:
        return _("**{0}** of {1}: by matrices that were not found apart").format(letter, escape_label(name))
    upper = letter.upper()
    bias = f" + b_{upper}" if projection.bias is not None else ""
    return (
        _("**{0}** of {1}, {2} → {3} numbers").format(
            f"{letter} = x · W_{upper}{bias}", escape_label(name), *projection.matrix.shape
        )
        + f" · `{projection.name}`"
    )


def _change_text(change: str) -> str:
    return {
        "rotated": _("rotated by its position"),
        "scaled": _("scaled"),
        "changed": _("normalised or rotated"),
    }[change]
