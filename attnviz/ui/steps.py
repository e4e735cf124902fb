"""The seven steps from a text to the output of a layer; each draws itself and returns how many figures that were.

Every number comes from `attnviz.computation` or the recording: nothing is computed for the picture alone, but for the
softmax at another temperature.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import streamlit as st
import torch

from attnviz import attention
from attnviz.anatomy import ROLES
from attnviz.figures.steps import draw_bars, draw_lengths, draw_strips
from attnviz.ui import following
from attnviz.ui.messages import _, ngettext
from attnviz.ui.ready import mark_run, theme

if TYPE_CHECKING:
    from attnviz.anatomy import Projection, Role, Stage
    from attnviz.computation import Computation
    from attnviz.models import Model
    from attnviz.recording import Recording

MOST_ROWS = 40  # of a picture with a row for each token


@dataclass(frozen=True)
class Scene:
    """What is followed, and how it is called on the screen.

    Attributes:
        model, recording, computation: as in the package.
        head: from 0.
        query, key: places of the two words that are looked at.
        queries, keys: labels of all tokens.
        run: the name of what the page shows.
    """

    model: Model
    recording: Recording
    computation: Computation
    head: int
    query: int
    key: int
    queries: tuple[str, ...]
    keys: tuple[str, ...]
    run: str

    @property
    def where(self) -> dict[str, int]:
        """Layer and head, as the recording takes them."""
        return {"layer": self.computation.layer, "head": self.head}

    def shown(self, figure: go.Figure, key: str, alt: str) -> int:
        """Draws a figure into the current container."""
        st.plotly_chart(mark_run(figure, self.run), key=key, theme=None, alt=alt, config={"displayModeBar": False})
        return 1


def draw(step: int, scene: Scene) -> int:
    """Draws a step, from 1; returns how many figures it has."""
    st.html(Path(__file__).with_name("steps.css"))
    return (tokens, embeddings, projections, scores, softmax, output, block)[step - 1](scene)


def number(value: float, digits: int = 4) -> str:
    """A number for a formula: a real minus, and no "-0"."""
    text = f"{value:.{digits}f}"
    return "0" if float(text) == 0 else text.replace("-", "−")


# 1 -----------------------------------------------------------------------------------------------------------------


def tokens(scene: Scene) -> int:
    """Text → tokens → ids."""
    items = scene.computation.query_tokens
    vocabulary = scene.model.network.get_input_embeddings().weight.shape[0]
    st.markdown(
        _(
            "The model does not read letters: it looks up **tokens** of a fixed vocabulary of **{0}**. A frequent word "
            "is one of them, a rare word is spelt in several. The number below each is its place in the vocabulary."
        ).format(f"{vocabulary:,}")
    )
    chips(
        [(label, str(token.id), token.special, token.word) for label, token in zip(scene.queries, items, strict=True)],
        scene.query,
    )
    words = len({token.word for token in items if token.word is not None})
    pieces = sum(not token.special for token in items)
    counted = ngettext("{0} word", "{0} words", words).format(words)
    st.caption(
        _("{0}, {1} tokens, and {2} special tokens that the model adds.").format(counted, pieces, len(items) - pieces)
    )
    beside(scene)
    with st.expander(_("Numbers")):
        st.dataframe(
            {
                _("position"): list(range(len(items))),
                _("token"): list(scene.queries),
                _("id"): [token.id for token in items],
                _("word"): [token.word for token in items],
                _("special"): [token.special for token in items],
            },
            hide_index=True,
        )
    return 0


def beside(scene: Scene) -> None:
    """The same text cut up in another way."""
    text = "".join(token.text for token in scene.computation.query_tokens if not token.special).strip()
    ways = (_("words"), _("characters"), _("bytes"))
    st.markdown("###### " + _("The same text in other vocabularies"))
    chosen = st.segmented_control(
        _("Cut into"), ways, default=ways[1], key="beside", required=True, label_visibility="collapsed"
    )
    if chosen == ways[0]:
        found = text.split()
        said = _("{0} tokens: short, but every form of every word needs an entry, and a new word has none.")
    elif chosen == ways[1]:
        found = list(text)
        said = _("{0} tokens: nothing is unknown, but the text is long, and a letter alone means little.")
    else:
        found = [f"{byte:02x}" for byte in text.encode()]
        said = _("{0} tokens from a vocabulary of 256: any language, any emoji, and the longest of the three.")
    chips([("␣" if piece == " " else piece, "", False, None) for piece in found[:200]], None)
    st.caption(said.format(len(found)))


def chips(items: list[tuple[str, str, bool, int | None]], chosen: int | None) -> None:
    """Tokens as boxes; the pieces of a word stand close together."""
    parts = []
    for place, (label, below, special, word) in enumerate(items):
        joins = place > 0 and word is not None and items[place - 1][3] == word
        looks = (
            " attnviz-chip-special" * special + " attnviz-chip-on" * (place == chosen) + " attnviz-chip-joins" * joins
        )
        under = f"<small>{html.escape(below)}</small>" if below else ""
        parts.append(f'<span class="attnviz-chip{looks}" role="listitem"><b>{html.escape(label)}</b>{under}</span>')
    st.html(f'<div class="attnviz-chips" role="list">{"".join(parts)}</div>')


# 2 -----------------------------------------------------------------------------------------------------------------


def embeddings(scene: Scene) -> int:
    """Ids → vectors, and positions."""
    computation = scene.computation
    width = computation.entering.shape[1]
    word = scene.queries[scene.query]
    names = {
        "token": _("token"),
        "position": _("position"),
        "segment": _("sentence"),
        "other": _("other"),
    }
    st.markdown(
        _("Each id picks a row of a learned table: **{0} numbers** for {1}.").format(width, f"**{_plain(word)}**")
        + " "
        + _positions(computation.positions)
    )
    labels: list[str] = []
    rows: list[np.ndarray] = []
    for item in computation.added:
        factor = "" if abs(item.scale - 1) < 1e-3 else f" × {number(item.scale, 2).removesuffix('.00')}"
        labels.append(f"{names[item.what]}{factor}" if not labels else f"+ {names[item.what]}{factor}")
        rows.append(item.vectors[scene.query].numpy())
    then = {"norm": _("normalised"), "matrix": _("through a matrix")}
    if computation.summed.shape[1] == width:
        if len(rows) > 1:
            labels.append("= " + _("sum"))
            rows.append(computation.summed[scene.query].numpy())
        if computation.then:
            labels.append(", ".join(then[item] for item in computation.then))
            rows.append(computation.entering[scene.query].numpy())
    else:
        labels, rows = [_("enters layer 0")], [computation.entering[scene.query].numpy()]
    figure = draw_strips(labels, np.stack(rows), theme=theme(), dimension=_("dimension"), value=_("value"))
    drawn = scene.shown(figure, "step_strips", _("What {0} begins with: {1}").format(word, ", ".join(labels)))

    st.markdown("###### " + _("All tokens as they enter layer 0"))
    every = computation.entering[:MOST_ROWS].numpy()
    figure = draw_strips(
        scene.queries[:MOST_ROWS], every, theme=theme(), dimension=_("dimension"), value=_("value"), height=20
    )
    drawn += scene.shown(figure, "step_entering", _("{0} vectors of {1} numbers").format(*every.shape))
    vectors_table(dict(zip(labels, rows, strict=True)))
    return drawn


def _positions(where: str) -> str:
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


# 3 -----------------------------------------------------------------------------------------------------------------


def projections(scene: Scene) -> int:
    """Query, key and value of the chosen word."""
    computation = scene.computation
    asks = _plain(scene.queries[scene.query])
    st.markdown(
        _(
            "Three learned matrices turn what the layer reads into a **query** (what {0} looks for), a **key** (what a "
            "word offers) and a **value** (what it hands over). Each head has its own three."
        ).format(f"**{asks}**")
    )
    labels: list[str] = []
    rows: list[np.ndarray] = []
    told = []
    for role in ROLES:
        place = scene.query if role == "query" else scene.key if computation.kind == "cross" else scene.query
        name = (scene.queries if role == "query" else scene.keys)[place]
        found = computation.projection(role, scene.head)
        letter = role[0]
        told.append(_told(letter, name, found))
        if found is not None and found.change != "none":
            labels.append(f"x · W_{letter.upper()}")
            rows.append(found.vectors[place].numpy())
            letter = f"{letter}: {_changed(found.change)}"
        labels.append(f"{letter} · {name}")
        rows.append(_used(scene, role)[place].numpy())
    st.markdown("  \n".join(told))
    longest = max(len(row) for row in rows)
    padded = np.stack([np.pad(row, (0, longest - len(row)), constant_values=np.nan) for row in rows])
    figure = draw_strips(labels, padded, theme=theme(), dimension=_("dimension"), value=_("value"))
    drawn = scene.shown(figure, "step_vectors", _("Query, key and value: {0} numbers each").format(longest))
    query = computation.projection("query", scene.head)
    if query is not None:
        matrix = st.segmented_control(
            _("Matrix"), ("W_Q", "W_K", "W_V"), default="W_Q", key="matrix", required=True, label_visibility="collapsed"
        )
        found = computation.projection(ROLES[("W_Q", "W_K", "W_V").index(matrix)], scene.head)
        if found is not None:
            every = found.matrix.T.numpy()
            figure = draw_strips(
                [str(place) for place in range(len(every))],
                every,
                theme=theme(),
                dimension=_("input dimension"),
                value=_("value"),
                height=max(3, 220 // len(every)),
            )
            figure.update_yaxes(title=_("dimension"), nticks=4, tickmode="auto", ticktext=None, tickvals=None)
            alt = _("{0} of this head: {1} × {2} learned numbers").format(matrix, *found.matrix.shape)
            drawn += scene.shown(figure, "step_matrix", alt)
            st.caption(alt)
    vectors_table(dict(zip(labels, rows, strict=True)))
    return drawn


def _used(scene: Scene, role: Role) -> torch.Tensor:
    get = {"query": scene.recording.queries, "key": scene.recording.keys, "value": scene.recording.values}[role]
    return get(scene.computation.kind, **scene.where)


def _told(letter: str, name: str, found: Projection | None) -> str:
    """A line on where a vector comes from: "q = x · W_Q + b_Q of sah, 256 → 32 numbers"."""
    if found is None:
        return _("**{0}** of {1}: by matrices that were not found apart").format(letter, _plain(name))
    upper = letter.upper()
    bias = f" + b_{upper}" if found.bias is not None else ""
    return (
        _("**{0}** of {1}, {2} → {3} numbers").format(
            f"{letter} = x · W_{upper}{bias}", _plain(name), *found.matrix.shape
        )
        + f" · `{found.name}`"
    )


def _changed(change: str) -> str:
    return {
        "rotated": _("rotated by its position"),
        "scaled": _("scaled"),
        "changed": _("normalised or rotated"),
    }[change]


# 4 -----------------------------------------------------------------------------------------------------------------


def scores(scene: Scene) -> int:
    """The query against every key."""
    computation = scene.computation
    word, other = scene.queries[scene.query], scene.keys[scene.key]
    raw = computation.raw(scene.head)[scene.query]
    final = scene.recording.scores(computation.kind, **scene.where)[scene.query]
    bias = computation.bias(scene.head)
    st.markdown(
        _("The **dot product** of the query of {0} with the key of each word says how well they fit.").format(
            f"**{_plain(word)}**"
        )
    )
    formula(scene, raw, final, bias)
    figure = draw_bars(
        scene.keys,
        [(_("q · k"), raw.tolist()), (_("score"), final.tolist())],
        theme=theme(),
        chosen=scene.key,
        title=_("score"),
    )
    strongest = scene.keys[int(final.argmax())]
    drawn = scene.shown(figure, "step_scores", _("Scores of {0}; the highest belongs to {1}").format(word, strongest))

    st.markdown("###### " + _("{0} · {1}, dimension by dimension").format(_plain(word), _plain(other)))
    products = computation.products(scene.head, scene.query, scene.key)
    rows = np.stack(
        [
            scene.recording.queries(computation.kind, **scene.where)[scene.query].numpy(),
            scene.recording.keys(computation.kind, **scene.where)[scene.key].numpy(),
            products.numpy(),
        ]
    )
    figure = draw_strips(["q", "k", "q × k"], rows, theme=theme(), dimension=_("dimension"), value=_("value"))
    drawn += scene.shown(figure, "step_products", _("Query, key and their products, dimension by dimension"))
    order = products.abs().argsort(descending=True)[:3].tolist()
    most = ", ".join(f"{place} ({number(float(products[place]), 2)})" for place in order)
    st.caption(
        _("The products add up to {0}. Most comes from the dimensions {1}.").format(number(float(products.sum())), most)
    )
    table: dict[str, list] = {_("key"): list(scene.keys), "q·k": raw.tolist()}
    table[_("× scale")] = (raw * computation.scale).tolist()
    if bias is not None:
        table[_("position bias")] = bias[scene.query].tolist()
    table[_("score")] = final.tolist()
    numbers_table(table)
    vectors_table({"q": rows[0], "k": rows[1], "q × k": rows[2]}, key="products_numbers")
    return drawn


def formula(scene: Scene, raw: torch.Tensor, final: torch.Tensor, bias: torch.Tensor | None) -> None:
    """How the score of the chosen pair comes about, with its numbers."""
    computation = scene.computation
    size = scene.recording.queries(computation.kind, **scene.where).shape[-1]
    one = float(raw[scene.key])
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
        own = float(bias[scene.query, scene.key])
        lines.append(rf"+\, {own:.4f}\ \text{{(position)}} = {value + own:.4f}")
    if float(final[scene.key]) == -np.inf:
        lines.append(r"\rightarrow -\infty")
    st.latex(r" \qquad ".join(lines))
    hidden = int((final == -torch.inf).sum())
    if hidden:
        st.caption(
            ngettext(
                "{0} later word may not be seen: its score is −∞.",
                "{0} words may not be seen: their score is −∞.",
                hidden,
            ).format(hidden)
        )


# 5 -----------------------------------------------------------------------------------------------------------------


def softmax(scene: Scene) -> int:
    """Scores → weights."""
    computation = scene.computation
    word = scene.queries[scene.query]
    row = scene.recording.scores(computation.kind, **scene.where)[scene.query]
    own = scene.recording.weights(computation.kind, **scene.where)[scene.query]
    size = scene.recording.queries(computation.kind, **scene.where).shape[-1]
    st.markdown(
        _("**Softmax** makes shares of the scores of {0}: none is negative, and together they are 1.").format(
            f"**{_plain(word)}**"
        )
    )
    st.latex(rf"\alpha_j = \frac{{e^{{s_j}}}}{{\sum_i e^{{s_i}}}} \qquad \sum_j \alpha_j = {float(own.sum()):.4f}")
    value = st.slider(
        _("Temperature"),
        0.1,
        8.0,
        1.0,
        0.1,
        key="temperature",
        bind="query-params",
        help=_("Scores are divided by it before the softmax. 1 is the model's own."),
    )
    series = [(_("the model's weights"), own.tolist())]
    changed = abs(value - 1) > 1e-9
    if changed:
        series.append((_("at temperature {0}").format(f"{value:g}"), attention.weights(row / value).tolist()))
    figure = draw_bars(scene.keys, series, theme=theme(), chosen=scene.key, share=True, title=_("attention weight"))
    strongest = int(own.argmax())
    drawn = scene.shown(
        figure,
        "step_weights",
        _("Weights of {0}; the largest, {1}, belongs to {2}").format(
            word, number(float(own[strongest]), 2), scene.keys[strongest]
        ),
    )
    unscaled = attention.weights(row / computation.scale)
    if abs(computation.scale - 1) > 1e-6:
        st.caption(
            _(
                "What the scaling is for: without the division by √{0} the largest weight would be {1} instead of {2}, "
                "and hardly anything would be learned from the others."
            ).format(size, number(float(unscaled.max()), 3), number(float(own.max()), 3))
        )
    if computation.has_sink:
        st.caption(_("This model has a sink: a learned score that takes part and belongs to no word."))
    table: dict[str, list] = {_("key"): list(scene.keys), _("score"): row.tolist(), _("weight"): own.tolist()}
    if changed:
        table[series[1][0]] = series[1][1]
    numbers_table(table)
    return drawn


# 6 -----------------------------------------------------------------------------------------------------------------


def output(scene: Scene) -> int:
    """Weights × values."""
    computation = scene.computation
    word = scene.queries[scene.query]
    weights = scene.recording.weights(computation.kind, **scene.where)[scene.query]
    values = scene.recording.values(computation.kind, **scene.where)
    vectors = weights[:, None] * values
    summed = computation.heads(scene.head)[scene.query]
    parts = computation.parts(scene.head, scene.query)
    st.markdown(
        _(
            "Each word's value, times its weight, is what it hands to {0}; their **sum** is the head's output. A large "
            "weight on a short value moves little, so the share by length can differ from the weight."
        ).format(f"**{_plain(word)}**")
    )
    st.latex(
        r"z = \sum_j \alpha_j v_j \qquad "
        r"\text{share}_j = \frac{\lVert \alpha_j f(x_j) \rVert}{\sum_i \lVert \alpha_i f(x_i) \rVert}"
    )
    figure = draw_bars(
        scene.keys,
        [(_("by weight"), parts.weights.tolist()), (_("by length"), parts.shares.tolist())],
        theme=theme(),
        chosen=scene.key,
        share=True,
        title=_("share"),
    )
    drawn = scene.shown(figure, "step_shares", _("Shares of each word in the output for {0}").format(word))
    if computation.joining is not None:
        st.caption(
            _("f(x): the value through this head's part of the output matrix, {0} → {1} numbers (`{2}`).").format(
                *computation.joining.shape[1:], computation.joining_name
            )
        )
    shown = list(range(min(len(scene.keys), MOST_ROWS)))
    figure = draw_strips(
        [*(f"{number(float(weights[place]), 2)} × {scene.keys[place]}" for place in shown), "= z"],
        np.concatenate([vectors[shown].numpy(), summed[None].numpy()]),
        theme=theme(),
        dimension=_("dimension"),
        value=_("value"),
        height=24,
    )
    drawn += scene.shown(figure, "step_sum", _("Weighted values of all words, and their sum"))
    numbers_table(
        {
            _("key"): list(scene.keys),
            _("weight"): parts.weights.tolist(),
            "‖α f(x)‖": parts.norms.tolist(),
            _("share by length"): parts.shares.tolist(),
        }
    )
    vectors_table({"z": summed.numpy()}, key="output_numbers")
    return drawn


# 7 -----------------------------------------------------------------------------------------------------------------


def block(scene: Scene) -> int:
    """All heads joined, residual, normalisation, feed-forward."""
    computation = scene.computation
    layers, heads, _queries, _keys = scene.recording.size(computation.kind)
    word = scene.queries[scene.query]
    stages = computation.stages
    st.markdown(
        _(
            "The outputs of all **{0} heads**, side by side, go through one more matrix and are **added** to what the "
            "layer began with; a feed-forward network follows. The bars are the lengths of the vector of {1} on its "
            "way."
        ).format(heads, f"**{_plain(word)}**")
    )
    labels = [f"{place + 1} {stage_name(stage)} · {stage.vectors.shape[1]}" for place, stage in enumerate(stages)]
    lengths = [float(stage.norms[scene.query]) for stage in stages]
    figure = draw_lengths(labels, lengths, theme=theme(), title=_("length of the vector"))
    alt = _("From length {0} at the beginning of the layer to {1} at its end").format(
        number(lengths[0], 2), number(lengths[-1], 2)
    )
    drawn = scene.shown(figure, "step_lengths", alt)
    st.caption(_("The last number of each name is how many numbers the vector has."))
    if computation.layer + 1 < layers:
        st.button(
            _("On to layer {0}").format(computation.layer + 1),
            icon=":material/south:",
            key="next_layer",
            on_click=partial(following.to_layer, computation.layer + 1),
        )
    else:
        st.caption(_("This is the last layer of its kind."))
    numbers_table(
        {
            _("place"): labels,
            _("module"): [stage.name for stage in stages],
            _("numbers"): [stage.vectors.shape[1] for stage in stages],
            _("length"): lengths,
        }
    )
    return drawn


def stage_name(stage: Stage) -> str:
    """What a place in the block is called."""
    if stage.what == "sum":
        return _("sum of {0}").format(" + ".join(str(place + 1) for place in stage.of))
    return {
        "input": _("enters the layer"),
        "norm": _("normalised"),
        "attention": _("this attention"),
        "other attention": _("other attention"),
        "feed-forward": _("feed-forward matrix"),
        "activation": _("activation"),
        "output": _("leaves the layer"),
    }[stage.what]


# Tables ------------------------------------------------------------------------------------------------------------


def numbers_table(table: dict[str, list]) -> None:
    """The numbers of a figure, to be copied."""
    with st.expander(_("Numbers")):
        st.dataframe(
            {
                name: ["−∞" if isinstance(item, float) and item == -np.inf else item for item in column]
                if any(isinstance(item, float) and item == -np.inf for item in column)
                else column
                for name, column in table.items()
            },
            hide_index=True,
            column_config={
                name: st.column_config.NumberColumn(format="%.5f")
                for name, column in table.items()
                if column and isinstance(column[0], float) and -np.inf not in column
            },
        )


def vectors_table(vectors: dict[str, np.ndarray], key: str = "vectors_numbers") -> None:
    """Vectors as columns, a row for each dimension."""
    longest = max(len(vector) for vector in vectors.values())
    with st.expander(_("Numbers of the vectors"), key=key):
        st.dataframe(
            {_("dimension"): list(range(longest))}
            | {name: [*vector.tolist(), *[None] * (longest - len(vector))] for name, vector in vectors.items()},
            hide_index=True,
            column_config={name: st.column_config.NumberColumn(format="%.5f") for name in vectors},
        )


def _plain(label: str) -> str:
    """A label inside Markdown."""
    from attnviz.ui.errors import as_markdown

    return as_markdown(label)
