"""What `attnviz.by_hand` computes, for taking away: as a program in PyTorch, and as a table of all its numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import numpy as np

from attnviz.attention.by_hand.word_vectors import DIM, WordVectors, plain
from attnviz.attention.by_hand.worked_example import MATRICES, Settings, Working


def code(table: WordVectors, settings: Settings, chosen: int, working: Working) -> str:
    """A program that gives the same numbers when it is pasted into Python.

    Args:
        table: its numbers are written into the program.
        settings: likewise; it has no step that they do not ask for.
        chosen: the word whose context (or output) is printed, from 0.
        working: what `work` made of both; the last line says what is printed.

    Returns:
        Lines of Python that need nothing but torch. They leave `scores`, `weights` and `context`, and where there is an
        output projection `output`.
    """
    several = settings.matrices and settings.heads > 1
    result = "context" if working.output is None else "output"
    lines = ["import torch", "", *_table(table), ""]
    if settings.matrices:
        lines += [*_matrices(settings), "", "q, k, v = x @ W_q, x @ W_k, x @ W_v"]
    else:
        lines += ["q = k = v = x"]
    if several:
        lines += [f"heads, d_k = {settings.heads}, {settings.d_k}"]
        lines += [f"{part} = {part}.view(-1, heads, d_k).transpose(0, 1)  # (head, word, d_k)" for part in MATRICES]
    key = "k.transpose(-1, -2)" if several else "k.T"
    lines += ["", f"scores = q @ {key}" + (" / k.shape[-1] ** 0.5" if settings.scaled else "")]
    if settings.causal:
        lines += [
            "future = torch.ones(len(x), len(x), dtype=torch.bool).triu(1)",
            "scores = scores.masked_fill(future, -torch.inf)",
        ]
    lines += ["weights = torch.softmax(scores, dim=-1)"]
    if settings.dropout:
        lines += [
            f"torch.manual_seed({settings.dropout_seed})",
            f"keep = torch.rand(weights.shape) >= {settings.dropout:g}",
            f"weights = weights * keep / (1 - {settings.dropout:g})",
        ]
    lines += ["context = weights @ v"]
    if several:
        lines += ["context = context.transpose(0, 1).flatten(1)  # the heads side by side"]
    if working.output is not None:
        lines += ["output = context @ W_o"]
    shown = working.joined if working.output is None else working.output
    numbers = ", ".join(f"{number:.4f}" for number in shown[chosen].tolist())
    lines += ["", f"print({result}[{chosen}])  # {_comment(table.words[chosen])}: {numbers}"]
    return "\n".join(lines) + "\n"


def _table(table: WordVectors) -> list[str]:
    numbers = [[plain(number) for number in vector] for vector in table.vectors]
    widths = [max(len(row[column]) for row in numbers) for column in range(DIM)]
    rows = []
    for word, row in zip(table.words, numbers, strict=True):
        aligned = ", ".join(number.rjust(width) for number, width in zip(row, widths, strict=True))
        rows.append(f"    [{aligned}],  # {_comment(word)}")
    return ["x = torch.tensor([", *rows, "])"]


def _comment(word: str) -> str:
    """A word that stays in its line: what cannot be printed could end it, or turn it round."""
    return "".join(char if char.isprintable() else "�" for char in word)


def _matrices(settings: Settings) -> list[str]:
    lines = [f"torch.manual_seed({settings.seed})"]
    lines += [f"W_{letter} = torch.rand({DIM}, {settings.d_out})" for letter in MATRICES]
    if settings.projection:
        lines += [f"W_o = torch.rand({settings.d_out}, {settings.d_out})"]
    edits = sorted(settings.edits.items())
    return lines + [f"W_{letter}[{row}, {column}] = {number!r}" for (letter, row, column), number in edits]


def to_csv(table: WordVectors, settings: Settings, working: Working) -> str:
    """All numbers, one to a line: quantity, head, row, column, value with nine digits, which float32 needs.

    Rows and columns that are words go by their labels, those of vectors by their position from 0; the head is empty
    where a quantity belongs to none.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["quantity", "head", "row", "column", "value"])
    for quantity, head, rows, columns, numbers in quantities(table, settings, working):
        for row, values in zip(rows, numbers.tolist(), strict=True):
            for column, value in zip(columns, values, strict=True):
                writer.writerow([quantity, head, _cell(row), _cell(column), f"{value:.9g}"])
    return out.getvalue()


def _cell(text: str) -> str:
    """A word that a spreadsheet would take for a formula gets the quotation mark that keeps it text."""
    return f"'{text}" if text.lstrip()[:1] in tuple("=+-@＝＋－＠") else text


Quantity = tuple[str, str, Sequence[str], Sequence[str], np.ndarray]


def quantities(table: WordVectors, settings: Settings, working: Working) -> Iterator[Quantity]:
    """Name, head, names of rows and of columns, and numbers, in the order in which they are computed."""
    words = table.labels

    def index_names(matrix: np.ndarray, axis: int) -> list[str]:
        return [str(index) for index in range(matrix.shape[axis])]

    yield "x", "", words, index_names(working.x, 1), working.x
    for letter, matrix in working.projections.items():
        yield f"W_{letter}", "", index_names(matrix, 0), index_names(matrix, 1), matrix
    for head in range(working.q.shape[0]):
        for name, parts in (("q", working.q), ("k", working.k), ("v", working.v)):
            if settings.matrices:
                yield name, str(head), words, index_names(parts, 2), parts[head]
        yield "q·k", str(head), words, words, working.products[head]
        if settings.scaled or settings.causal:
            yield "score", str(head), words, words, working.scores[head]
        yield "softmax", str(head), words, words, working.softmax[head]
        if settings.dropout:
            yield "weight", str(head), words, words, working.weights[head]
        yield "context", str(head), words, index_names(working.context, 2), working.context[head]
    if working.output is not None:
        yield "output", "", words, index_names(working.output, 1), working.output
