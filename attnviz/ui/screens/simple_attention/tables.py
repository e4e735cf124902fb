"""What the page "By hand" shows, as blocks of `number_tables`: each number where its formula is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnviz.attention.by_hand.word_vectors import WordVectors, plain
from attnviz.ui.components.numbers.number_tables import (
    Block,
    Cell,
    Group,
    Text,
    cell,
    format_number,
    literal,
    steps_block,
    sum_block,
    table_block,
    weight_cell,
)
from attnviz.ui.shell.messages import _, local_number

if TYPE_CHECKING:
    from attnviz.attention.by_hand.worked_example import Settings, TwoSoftmaxes, Working
    from attnviz.export.tables import Table

NOTHING: Cell = ("", None, "")


def word_block(words: WordVectors, settings: Settings, working: Working, head: int, query: int, key: int) -> Block:
    """A chosen word against every word: key, score, weight, and its part of the context, which stands at the foot."""
    d_k = settings.d_k
    plain_score = not (settings.scaled or settings.causal)
    groups: list[Group] = [("k" if settings.matrices else "k = x", d_k, "spare")]
    names: list[Text] = _dimension_names(d_k)
    if plain_score:
        groups.append(("ω = q · k", 1))
        names.append(_("score"))
    else:
        groups += [("q · k", 1), ("ω", 1)]
        names += [_("product"), _score_name(settings)]
    groups.append(("α = softmax(ω)", 1))
    names.append(_("weight"))
    if settings.dropout:
        groups.append(("α", 1))
        names.append(_("after dropout"))
    groups.append(("α v" if settings.matrices else "α v = α x", d_k))
    names += _dimension_names(d_k)

    parts = working.weights[head, query, :, None] * working.v[head]  # (key, d_k)
    rows = []
    for other, label in enumerate(words.labels):
        cells: list[Cell] = [(text, None, "") for text in _vector_texts(words, settings, working.k[head], other)]
        cells.append(cell(float(working.products[head, query, other])))
        if not plain_score:
            cells.append(cell(float(working.scores[head, query, other])))
        cells.append(weight_cell(float(working.softmax[head, query, other])))
        if settings.dropout:
            cells.append(weight_cell(float(working.weights[head, query, other])))
        cells += [cell(number) for number in parts[other].tolist()]
        rows.append((label, cells))
    sums = [NOTHING] * (d_k + (1 if plain_score else 2)) + [cell(float(working.softmax[head, query].sum()))]
    if settings.dropout:
        sums.append(cell(float(working.weights[head, query].sum())))
    sums += [cell(number) for number in working.context[head, query].tolist()]
    foot: Text = [literal(_("sum")), " = z"]
    return table_block("", names, rows, groups=groups, corner=_("key"), foot=(foot, sums), pick="row", on=(key, None),
                 head=head)  # fmt: skip


def pair_blocks(
    words: WordVectors, settings: Settings, working: Working, head: int, query: int, key: int
) -> list[Block]:
    """The score of one key, product by product, and how it becomes a weight and a part of the context."""
    labels = words.labels
    product = float(working.products[head, query, key])
    scores = working.scores[head, query]
    score, highest = float(scores[key]), float(scores.max())
    share = float(working.softmax[head, query, key])
    weight = float(working.weights[head, query, key])
    query_texts = _vector_texts(words, settings, working.q[head], query)
    key_texts = _vector_texts(words, settings, working.k[head], key)
    products = (working.q[head, query] * working.k[head, key]).tolist()
    terms = [
        (f"{one} · {other}", format_number(both))
        for one, other, both in zip(query_texts, key_texts, products, strict=True)
    ]
    title: Text = ["q · k: ", literal(labels[query]), " → ", literal(labels[key])]
    rows: list[tuple[Text, Text, Cell]] = []
    if settings.scaled:
        rows.append(("÷ √d_{k}", f"{format_number(product)} / √{settings.d_k}", cell(product / settings.d_k**0.5)))
    power = f"{format_number(score)} − {format_number(highest)}".replace("− −", "+ ")
    if score == -np.inf:
        rows.append(
            (_("causal mask"), _fill_template(_("{0} comes after {1}"), labels[key], labels[query]), cell(score))
        )
        power = format_number(score)
    total = float(np.exp(scores - highest).sum())
    rows.append(("softmax", f"e^{{{power}}} / {format_number(total)}", weight_cell(share)))
    if settings.dropout and working.keep[head, query, key]:
        keep_share = f"(1 − {local_number(f'{settings.dropout:g}')})"
        rows.append((_("dropout"), f"{format_number(share)} / {keep_share}", weight_cell(weight)))
    elif settings.dropout:
        rows.append((_("dropout"), [literal(_("drawn to be left out"))], weight_cell(weight)))
    values = _(", ").join(_vector_texts(words, settings, working.v[head], key))
    parts = _(", ").join(format_number(weight * number) for number in working.v[head, key].tolist())
    rows.append(("α v", f"{format_number(weight)} · ({values})", (f"({parts})", None, "")))
    return [sum_block(title, terms, format_number(product)), steps_block(rows)]


def projection_block(words: WordVectors, settings: Settings, working: Working, letter: str, chosen: int) -> Block:
    """Queries, keys or values of all words: x W, with the heads' columns side by side."""
    heads = {"q": working.q, "k": working.k, "v": working.v}[letter]
    rows = [
        (label, [cell(number) for head in heads for number in head[index].tolist()])
        for index, label in enumerate(words.labels)
    ]
    return table_block(
        "",
        _dimension_names(settings.d_k) * settings.heads,
        rows,
        groups=_head_groups(settings),
        corner=letter,
        on=(chosen, None),
    )


def all_words_blocks(
    words: WordVectors, settings: Settings, working: Working, head: int, query: int, key: int
) -> list[Block]:
    """Scores, weights and contexts of every word: rows are queries, columns are keys."""
    labels = words.labels
    names: list[Text] = [[literal(label)] for label in labels]
    heads = working.weights.shape[0]

    def of(head: int) -> str:
        return f"_{{{head}}}" if heads > 1 else ""

    def square(title: Text, numbers: np.ndarray, head: int, *, weights: bool) -> Block:
        make = weight_cell if weights else cell
        rows = [(label, [make(number) for number in row]) for label, row in zip(labels, numbers.tolist(), strict=True)]
        return table_block(
            title, names, rows, corner="q ↓ k →", pick="cell" if weights else "", on=(query, key), head=head,
            legend=weights,
        )  # fmt: skip

    formula = "q k^{⊤}" + (" / √d_{k}" if settings.scaled else "")
    name: Text = [f"ω{of(head)} = {formula}", *([literal(", " + _("masked"))] if settings.causal else [])]
    blocks = [square(name, working.scores[head], head, weights=False)]
    for other in range(heads):
        name = [f"α{of(other)} = softmax(ω)", *([literal(", " + _("after dropout"))] if settings.dropout else [])]
        blocks.append(square(name, working.weights[other], other, weights=True))
    blocks.append(_vectors_block("z = α v", words, working.joined, _head_groups(settings), query, settings.d_k))
    if working.output is not None:
        blocks.append(_vectors_block("z W_{o}", words, working.output, (), query, settings.d_out))
    return blocks


def softmaxes_block(words: WordVectors, softmaxes: TwoSoftmaxes, key: int) -> Block:
    """Softmax as its formula stands beside softmax with the largest score taken away first."""
    rows = []
    for index, label in enumerate(words.labels):
        naive = float(softmaxes.naive[index])
        cells = [
            cell(float(softmaxes.scores[index])),
            cell(float(softmaxes.naive_powers[index])),
            weight_cell(naive) if np.isfinite(naive) else cell(naive),
            cell(float(softmaxes.shifted[index])),
            cell(float(softmaxes.powers[index])),
            weight_cell(float(softmaxes.weights[index])),
        ]
        rows.append((label, cells))
    naive_total = float(np.sum(softmaxes.naive))
    foot = [
        NOTHING,
        cell(softmaxes.naive_sum),
        cell(naive_total),
        NOTHING,
        cell(softmaxes.sum),
        cell(float(np.sum(softmaxes.weights))),
    ]
    return table_block(
        "",
        ["ω", "e^{ω}", "α", "ω − max", "e^{ω − max}", "α"],
        rows,
        groups=[("", 1), (_("naive"), 2), (_("stable"), 3)],
        corner=_("key"),
        foot=(_("sum"), foot),
        on=(key, None),
    )


def _vectors_block(
    title: Text, words: WordVectors, numbers: np.ndarray, groups: Sequence[Group], query: int, dimensions: int
) -> Block:
    rows = [
        (label, [cell(number) for number in row]) for label, row in zip(words.labels, numbers.tolist(), strict=True)
    ]
    return table_block(
        title,
        _dimension_names(dimensions) * (numbers.shape[1] // dimensions),
        rows,
        groups=groups,
        corner=_("query"),
        on=(query, None),
    )


def _dimension_names(count: int) -> list[Text]:
    """Names of the numbers of a vector, from 0."""
    return [str(index) for index in range(count)]


def _head_groups(settings: Settings) -> list[Group]:
    if not settings.matrices or settings.heads == 1:
        return []
    groups: list[Group] = []
    for head in range(settings.heads):
        name: Text = [literal(f"H{head}")]
        groups.append((name, settings.d_k))
    return groups


def _score_name(settings: Settings) -> str:
    """What makes a score of a product."""
    done = [f"÷ √{settings.d_k}"] if settings.scaled else []
    return _(", ").join([*done, *([_("masked")] if settings.causal else [])])


def _vector_texts(words: WordVectors, settings: Settings, vectors: np.ndarray, index: int) -> list[str]:
    """The numbers of a word's query, key or value: as they were typed where no matrix made them."""
    if settings.matrices:
        return [format_number(number) for number in vectors[index].tolist()]
    return [local_number(plain(number)) for number in words.vectors[index]]


def _fill_template(template: str, *texts: str) -> Text:
    """A sentence with readers' words put in for {0}, {1}, …; none of it is set like a formula."""
    parts = re.split(r"\{(\d)\}", template)
    return [literal(texts[int(part)] if index % 2 else part) for index, part in enumerate(parts)]


def tables_for_export(words: WordVectors, settings: Settings, working: Working) -> list[Table]:
    """All numbers of the page, in the order in which they are computed."""
    from attnviz.attention.by_hand.pytorch_code import quantities
    from attnviz.export.tables import Table

    tables = []
    for quantity, head, rows, columns, numbers in quantities(words, settings, working):
        name = f"{quantity} H{head}" if settings.heads > 1 and head else quantity
        tables.append(Table(name, {"": list(rows), **dict(zip(columns, numbers.T.tolist(), strict=True))}))
    return tables
