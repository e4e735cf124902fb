"""`measure`: from a model and a corpus to a `RolesTable`.

corpus ─ parts ─ batches ─ rows of every layer ─ sums ─ values with intervals ─ RolesTable
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np

from attnviz.errors import EmptyError, InputError
from attnviz.models.fingerprint import fingerprint
from attnviz.models.model import Model
from attnviz.roles.catalogue import REACH, ROLES, offset_role
from attnviz.roles.collecting import Collector
from attnviz.roles.corpus import Corpus, Text, corpus_name, read
from attnviz.roles.examples import ExamplesIndex
from attnviz.roles.facts import COLUMNS
from attnviz.roles.parts import PartResult, Settings, read_part
from attnviz.roles.statistics import Sums
from attnviz.roles.table import HeadRole, RolesTable

PART = 512
"""Texts of a part."""

COUNTED = 4096
"""Texts whose tokens are counted to know which are rare."""

MOST_TOKENS = 512
"""Longer texts are cut into pieces of so many tokens, or of as many as the model takes where that is less."""

Progress = Callable[[int, int | None], None]
"""Is told how many texts are done, and of how many where that is known; what it raises ends the run."""


def measure(
    model: Model,
    corpus: Corpus,
    *,
    batch_tokens: int | None = None,
    progress: Progress | None = None,
    name: str | None = None,
    examples: int = 20,
    max_tokens: int | None = None,
) -> RolesTable:
    """What every head of a model does over a corpus.

    Args:
        model: any whose attention can be captured.
        corpus: the path of a file, several, or texts; see `corpus.read`.
        batch_tokens: the most tokens of a batch; None for what suits the device.
        progress: is told after each part of the corpus; see `Progress`.
        name: what the corpus is called; None for the names of its files.
        examples: so many of each head's strongest rows are kept, and as many texts drawn at random; 0 for none.
        max_tokens: longer texts are cut into pieces of at most so many; None for 512, or what the model takes.

    Returns:
        A table with a row for each head and role, and the examples.

    Raises:
        EmptyError: there is no text.
        InputError: a file cannot be read.
        NoTokenizerError, NoAttentionError: the model cannot be measured.

    >>> table = measure(attnviz.load("bundled"), ["Der Hund sah den Ball."] * 8)
    >>> len(table.heads)
    96
    """
    total = len(corpus) if isinstance(corpus, list | tuple) and all(isinstance(i, str) for i in corpus) else None
    texts = read(corpus)
    first = list(itertools.islice(texts, COUNTED))
    settings = make_settings(model, first, batch_tokens, max_tokens, examples)
    merged, collector = PartResult(), Collector(examples)
    for part in parts(itertools.chain(first, texts)):
        result = read_part(model, part, settings)
        merged.add(result)
        collector.merge(result.examples)
        if progress is not None:
            progress(part[-1][0] + 1, total)
    return make_table(model, merged, collector, corpus_name(corpus) if name is None else name)


def make_settings(
    model: Model, first: list[Text], batch_tokens: int | None, max_tokens: int | None, examples: int
) -> Settings:
    """How a corpus is read, with the frequencies of its first texts.

    Raises:
        EmptyError: there is none.
        InputError: a number is too small.
    """
    if not first:
        raise EmptyError("There is no text in this corpus. Take a file with a text in each line.")
    if (batch_tokens or 1) < 1 or (max_tokens or 8) < 8 or examples < 0:
        raise InputError("`batch_tokens` is 1 or more, `max_tokens` 8 or more, `examples` 0 or more.")
    room = model.max_tokens or MOST_TOKENS
    tokens = batch_tokens or (2048 if model.device.type == "cpu" else 32768)
    return Settings(tokens, min(room, max_tokens or MOST_TOKENS), examples, frequencies(model, first))


def frequencies(model: Model, texts: Iterable[Text]) -> dict[int, int]:
    """How often each vocabulary id occurs in some texts, targets included."""
    counts: Counter[int] = Counter()
    sides = [side for text in texts for side in (text.text, text.target) if side and side.strip()]
    for side in sides:
        counts.update(model.inputs.encode(side).ids)
    return dict(counts)


def parts(texts: Iterable[Text], size: int = PART) -> Iterator[list[tuple[int, Text]]]:
    """The texts with their numbers, `size` at a time."""
    numbered = enumerate(texts)
    while part := list(itertools.islice(numbered, size)):
        yield part


def make_table(model: Model, merged: PartResult, collector: Collector, name: str) -> RolesTable:
    """The table of all that was counted."""
    if not merged.texts:
        raise EmptyError("None of these texts can be read by {0}: they are empty or too long for it.", model.name)
    heads = model.recorder.plan.heads
    rows = [row for kind in merged.roles for row in _rows(kind, merged, heads[kind])]
    index = ExamplesIndex.of(collector.items()) if collector.count else None
    sizes = {kind: (len(counts), max(counts)) for kind, counts in heads.items() if merged.roles[kind].texts.any()}
    return RolesTable(
        tuple(rows), fingerprint(model.network), name, merged.texts, merged.tokens, sizes=sizes, index=index
    )


def _rows(kind: str, merged: PartResult, heads: tuple[int, ...]) -> Iterator[HeadRole]:
    roles, offsets = merged.roles[kind], merged.offsets[kind]
    of_roles, of_offsets = roles.values(), offsets.values()
    for layer, count in enumerate(heads):
        for head in range(count):
            if offsets.rows[:, layer].any():
                values = np.nan_to_num(of_offsets[0][:, layer, head], nan=-1.0)
                others = [place for place in range(len(values)) if abs(place - REACH) > 1]
                best = max(others, key=lambda place: values[place])
                for place in (REACH, REACH - 1, REACH + 1, best):
                    offset = place - REACH
                    row = _row(kind, layer, head, offset_role(offset), place, of_offsets, offsets)
                    if row is not None:
                        yield row if place != best else replace(row, offset=offset)
            for column, role in enumerate(COLUMNS):
                row = _row(kind, layer, head, role, column, of_roles, roles)
                if row is not None:
                    yield row


def _row(
    kind: str,
    layer: int,
    head: int,
    role: str,
    column: int,
    values: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    sums: Sums,
) -> HeadRole | None:
    count = int(sums.rows[column, layer])
    if not count:
        return None
    value, low, high = (float(item[column, layer, head]) for item in values[:3])
    baseline = float(values[3][column, layer])
    labelled = low > baseline and value >= ROLES[role].least
    return HeadRole(kind, layer, head, role, value, low, high, baseline, count, labelled)
