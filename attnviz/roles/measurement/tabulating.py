"""From the sums over a corpus, and from its annotations, to the rows of a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from attnviz.errors import EmptyError
from attnviz.models.model import Model
from attnviz.models.network.fingerprint import fingerprint
from attnviz.roles.corpora.aligned_pairs import read_alignments
from attnviz.roles.corpora.corpus import is_aligned, language_of
from attnviz.roles.corpora.treebank import read_conllu, sample
from attnviz.roles.measurement import alignment, relations
from attnviz.roles.measurement.collecting import ExampleCollector, Head, Ranking
from attnviz.roles.measurement.facts import COLUMNS, POINTS, SHARES
from attnviz.roles.measurement.parts import PartResult
from attnviz.roles.measurement.relation_examples import ReadTreebank
from attnviz.roles.measurement.statistics import Sums
from attnviz.roles.tables.catalogue import REACH, ROLES, offset_role
from attnviz.roles.tables.examples import ExamplesIndex
from attnviz.roles.tables.table import HeadRole, RolesTable

SHORT = 12
"""Relations are also measured on sentences of at most so many words: those that people type are not much longer."""


def make_table(model: Model, merged: PartResult, collector: ExampleCollector, name: str) -> RolesTable:
    """The table of all that was counted."""
    if not merged.texts:
        raise EmptyError(
            "None of these texts can be read by {0}: they are empty or too long for it.",
            model.name,
        )
    heads = model.recorder.plan.heads
    rows = [row for kind in merged.roles for row in _rows(kind, merged, heads[kind])]
    index = ExamplesIndex.of(collector.items()) if collector.count else None
    sizes = {kind: (len(counts), max(counts)) for kind, counts in heads.items() if merged.roles[kind].texts.any()}
    return RolesTable(
        tuple(rows),
        fingerprint(model.network),
        name,
        merged.texts,
        merged.tokens,
        sizes=sizes,
        index=index,
    )


def rankings(heads: Iterable[HeadRole]) -> dict[Head, Ranking]:
    """What the examples of each head are ranked by; heads whose role does not tell are left out.

    Args:
        heads: the role that each is called by, as `RolesTable.heads` gives them.
    """
    fixed = {offset_role(offset): offset for offset in (-1, 0, 1)}
    asked = dict.fromkeys(("induction", "retrieval"), "natural induction")
    result = {}
    for row in heads:
        role = row.role or ""
        known = asked.get(role, role)
        if known in (*SHARES, *POINTS, *fixed, "offset"):
            result[row.kind, row.layer, row.head] = Ranking(role, known, fixed.get(role, row.offset or 0))
    return result


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
                    row = _row(
                        kind,
                        layer,
                        head,
                        offset_role(offset),
                        place,
                        of_offsets,
                        offsets,
                    )
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


def annotated_rows(
    model: Model, paths: Sequence[Path], treebanks: list[ReadTreebank] | None = None
) -> Iterator[HeadRole]:
    """What only texts with annotations tell: grammatical relations of treebanks, alignment of aligned pairs.

    Args:
        model: whose heads.
        paths: of the corpus; other files are left out.
        treebanks: gets those that were read, for examples from them.
    """
    self_attention = next((kind for kind in ("encoder", "decoder") if kind in model.kinds), None)
    for path in paths:
        if path.suffix == ".conllu" and self_attention is not None:
            with path.open(encoding="utf-8") as lines:
                sentences = sample(read_conllu(lines, path.name))
            if not sentences:
                continue
            if treebanks is not None:
                treebanks.append(ReadTreebank(self_attention, language_of(path) or "", sentences))
            instances = relations.collect(model, sentences, self_attention)
            for most_words in (None, SHORT):
                chosen = instances if most_words is None else instances.of_at_most(most_words)
                groups = relations.scores(language_of(path) or "", chosen)
                yield from relations.relation_rows(self_attention, groups, most_words)
        elif "cross" in model.kinds and is_aligned(path):
            pairs = list(read_alignments(path.read_text(encoding="utf-8").splitlines()))
            yield from alignment.alignment_rows(alignment.scores(alignment.collect(model, pairs)))
