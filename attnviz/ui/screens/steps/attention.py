"""Steps 4 to 7: from scores over weights to a head's output and the rest of the block."""

from __future__ import annotations

import numpy as np
import streamlit as st
import torch

from attnviz.attention import dot_product
from attnviz.figures.steps import draw_bars, draw_strips
from attnviz.ui.components.explanation.score_parts import draw_score_parts, why_expander
from attnviz.ui.components.page.ready import theme
from attnviz.ui.controls.url_state import number_choice
from attnviz.ui.screens.steps.context import (
    MOST_ROWS,
    StepContext,
    escape_label,
    format_number,
    numbers_table,
    vectors_table,
)
from attnviz.ui.shell.messages import _, local_formula, local_number, ngettext

TEMPERATURES = [tenths / 10 for tenths in range(1, 81)]


def draw_scores(context: StepContext) -> int:
    """The query against every key."""
    computation = context.computation
    word, other = context.asker.label, context.answerer.label
    raw = computation.raw(context.head)[context.query]
    final = context.recording.scores(computation.kind, **context.head_index)[context.query]
    bias = computation.bias(context.head)
    st.markdown(
        _("The **dot product** of the query of {0} with the key of each word says how well they fit.").format(
            f"**{escape_label(word)}**"
        )
    )
    draw_score_formula(context, raw, final, bias)
    figure = draw_bars(
        context.keys,
        [(_("q · k"), raw.tolist()), (_("score"), final.tolist())],
        theme=theme(),
        chosen=context.key,
        title=_("score"),
    )
    strongest = context.keys[int(final.argmax())]
    drawn = context.draw_figure(
        figure, "step_scores", _("Scores of {0}; the highest belongs to {1}").format(word, strongest)
    )

    weight = context.recording.weights(computation.kind, **context.head_index)[context.query, context.key]
    opened = why_expander()
    if opened is not None:
        with opened:
            draw_score_parts(context.split, word, other, float(weight))

    st.markdown("###### " + _("{0} · {1}, dimension by dimension").format(escape_label(word), escape_label(other)))
    products = computation.products(context.head, context.query, context.key)
    rows = np.stack(
        [
            context.recording.queries(computation.kind, **context.head_index)[context.query].numpy(),
            context.recording.keys(computation.kind, **context.head_index)[context.key].numpy(),
            products.numpy(),
        ]
    )
    figure = draw_strips(["q", "k", "q × k"], rows, theme=theme(), dimension=_("dimension"), value=_("value"))
    drawn += context.draw_figure(figure, "step_products", _("Query, key and their products, dimension by dimension"))
    order = products.abs().argsort(descending=True)[:3].tolist()
    most = _(", ").join(f"{dimension} ({format_number(float(products[dimension]), 2)})" for dimension in order)
    st.caption(
        _("The products add up to {0}. Most comes from the dimensions {1}.").format(
            format_number(float(products.sum())), most
        )
    )
    table: dict[str, list] = {_("key"): list(context.keys), "q·k": raw.tolist()}
    table[_("× scale")] = (raw * computation.scale).tolist()
    if bias is not None:
        table[_("position bias")] = bias[context.query].tolist()
    table[_("score")] = final.tolist()
    numbers_table(_("Scores"), table)
    vectors_table("q · k", {"q": rows[0], "k": rows[1], "q × k": rows[2]}, key="products_numbers")
    return drawn


def draw_score_formula(context: StepContext, raw: torch.Tensor, final: torch.Tensor, bias: torch.Tensor | None) -> None:
    """How the score of the chosen pair comes about, with its numbers."""
    computation = context.computation
    size = context.recording.queries(computation.kind, **context.head_index).shape[-1]
    one = float(raw[context.key])
    scaled = one * computation.scale
    usual = abs(computation.scale - size**-0.5) < 1e-6
    if usual:
        lines = [rf"\frac{{q \cdot k}}{{\sqrt{{{size}}}}} = \frac{{{one:.4f}}}{{{size**0.5:.4f}}} = {scaled:.4f}"]
    elif abs(computation.scale - 1) < 1e-6:
        lines = [rf"q \cdot k = {one:.4f}"]
    else:
        lines = [rf"q \cdot k \times {computation.scale:.4f} = {one:.4f} \times {computation.scale:.4f} = {scaled:.4f}"]
    value = scaled
    if computation.softcap is not None:
        cap = computation.softcap
        value = cap * float(np.tanh(value / cap))
        lines.append(rf"{cap:g} \tanh(\cdot / {cap:g}) = {value:.4f}")
    if bias is not None:
        own = float(bias[context.query, context.key])
        lines.append(rf"+\, {own:.4f}\ \text{{({_('position')})}} = {value + own:.4f}")
    if float(final[context.key]) == -np.inf:
        lines.append(r"\rightarrow -\infty")
    # One below the other: on a telephone they would not fit side by side.
    below = r" \\ ".join(lines)
    st.latex(local_formula(rf"\begin{{gathered}} {below} \end{{gathered}}"))
    hidden = int((final == -torch.inf).sum())
    if hidden:
        st.caption(
            ngettext(
                "{0} later word may not be seen: its score is −∞.",
                "{0} words may not be seen: their score is −∞.",
                hidden,
            ).format(hidden)
        )


def draw_softmax(context: StepContext) -> int:
    """Scores → weights."""
    computation = context.computation
    word = context.asker.label
    row = context.recording.scores(computation.kind, **context.head_index)[context.query]
    own = context.recording.weights(computation.kind, **context.head_index)[context.query]
    size = context.recording.queries(computation.kind, **context.head_index).shape[-1]
    st.markdown(
        _("**Softmax** makes shares of the scores of {0}: none is negative, and together they are 1.").format(
            f"**{escape_label(word)}**"
        )
    )
    total = local_formula(f"{float(own.sum()):.4f}")
    st.latex(rf"\alpha_j = \frac{{e^{{s_j}}}}{{\sum_i e^{{s_i}}}} \qquad \sum_j \alpha_j = {total}")
    value = number_choice(
        _("Temperature"), TEMPERATURES, 1, key="temperature",
        help=_("Scores are divided by it before the softmax. 1 is the model's own."),
    )  # fmt: skip
    series = [(_("the model's weights"), own.tolist())]
    changed = abs(value - 1) > 1e-9
    if changed:
        series.append(
            (_("at temperature {0}").format(local_number(f"{value:g}")), dot_product.weights(row / value).tolist())
        )
    before, after = st.columns(2, gap="medium")
    with before:
        figure = draw_bars(
            context.keys, [(_("score"), row.tolist())], theme=theme(), chosen=context.key, title=_("score, before")
        )
        drawn = context.draw_figure(figure, "step_before", _("Scores of {0} before the softmax").format(word))
    strongest = int(own.argmax())
    with after:
        figure = draw_bars(
            context.keys, series, theme=theme(), chosen=context.key, share=True, title=_("attention weight, after")
        )
        alt = _("Weights of {0}; the largest, {1}, belongs to {2}").format(
            word, format_number(float(own[strongest]), 2), context.keys[strongest]
        )
        drawn += context.draw_figure(figure, "step_weights", alt)
    unscaled = dot_product.weights(row / computation.scale)
    if abs(computation.scale - 1) > 1e-6:
        st.caption(
            _(
                "What the scaling does here: without the division by √{0} the largest weight would be {1} instead of "
                "{2}, and all the others together would have {3} instead of {4}."
            ).format(
                size,
                *(format_number(float(share), 3) for share in (unscaled.max(), own.max())),
                *(format_number(float(weights.sum() - weights.max()), 3) for weights in (unscaled, own)),
            )
        )
    if computation.has_sink:
        st.caption(_("This model has a sink: a learned score that takes part and belongs to no word."))
    table: dict[str, list] = {_("key"): list(context.keys), _("score"): row.tolist(), _("weight"): own.tolist()}
    if changed:
        table[series[1][0]] = series[1][1]
    numbers_table(_("Softmax"), table)
    return drawn


def draw_output(context: StepContext) -> int:
    """Weights × values."""
    computation = context.computation
    word = context.asker.label
    weights = context.recording.weights(computation.kind, **context.head_index)[context.query]
    values = context.recording.values(computation.kind, **context.head_index)
    vectors = weights[:, None] * values
    summed = computation.heads(context.head)[context.query]
    parts = computation.parts(context.head, context.query)
    st.markdown(
        _(
            "Each word's value, times its weight, is what it hands to {0}; their **sum** is the head's output. A large "
            "weight on a short value moves little, so the share by length can differ from the weight."
        ).format(f"**{escape_label(word)}**")
    )
    st.latex(
        r"\begin{gathered} z = \sum_j \alpha_j v_j \\[6pt] "
        rf"\text{{{_('share')}}}_j = "
        r"\frac{\lVert \alpha_j f(x_j) \rVert}{\sum_i \lVert \alpha_i f(x_i) \rVert} \end{gathered}"
    )
    figure = draw_bars(
        context.keys,
        [(_("by weight"), parts.weights.tolist()), (_("by length"), parts.shares.tolist())],
        theme=theme(),
        chosen=context.key,
        share=True,
        title=_("share"),
    )
    drawn = context.draw_figure(figure, "step_shares", _("Shares of each word in the output for {0}").format(word))
    if computation.joining is not None:
        st.caption(
            _("f(x): the value through this head's part of the output matrix, {0} → {1} numbers (`{2}`).").format(
                *computation.joining.shape[1:], computation.joining_name
            )
        )
    shown = list(range(min(len(context.keys), MOST_ROWS)))
    figure = draw_strips(
        [*(f"{format_number(float(weights[index]), 2)} × {context.keys[index]}" for index in shown), "= z"],
        np.concatenate([vectors[shown].numpy(), summed[None].numpy()]),
        theme=theme(),
        dimension=_("dimension"),
        value=_("value"),
        height=24,
    )
    drawn += context.draw_figure(figure, "step_sum", _("Weighted values of all words, and their sum"))
    numbers_table(
        _("Output"),
        {
            _("key"): list(context.keys),
            _("weight"): parts.weights.tolist(),
            "‖α f(x)‖": parts.norms.tolist(),
            _("share by length"): parts.shares.tolist(),
        },
    )
    vectors_table("z", {"z": summed.numpy()}, key="output_numbers")
    return drawn
