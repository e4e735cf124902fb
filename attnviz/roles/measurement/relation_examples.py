"""Where in a treebank a head that follows a grammatical relation does so most: examples ranked by that relation.

Other texts do not say which word belongs to which, so only sentences of the treebank can be ranked so. Of each sentence
the pair of words counts between which the head's attention is greatest.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from attnviz.models.model import Model
from attnviz.models.recording.batches import Batch, BatchLayer, most_tokens
from attnviz.models.recording.text_layer import TextLayer
from attnviz.roles.corpora.treebank import Sentence
from attnviz.roles.corpora.units import units
from attnviz.roles.measurement.collecting import Head, Reading, Row, make_example
from attnviz.roles.measurement.parts import batches
from attnviz.roles.measurement.relations import BATCH_TOKENS
from attnviz.roles.tables.examples import KEYS, Example
from attnviz.roles.tables.table import HeadRole


@dataclass(frozen=True, slots=True)
class ReadTreebank:
    """Sentences of a treebank in whose relations heads were measured.

    Attributes:
        kind: of attention.
        language: code of its language; empty where its name does not say.
        sentences: those that were read.
    """

    kind: str
    language: str
    sentences: Sequence[Sentence]


def relation_examples(
    model: Model, treebank: ReadTreebank, heads: Sequence[HeadRole], numbers: Mapping[str, int], count: int
) -> list[Example]:
    """The strongest examples of each head that is called by a relation in a treebank.

    Args:
        model: whose heads.
        treebank: with the relations.
        heads: the role that each head is called by; those of other treebanks, and other roles, are left out.
        numbers: of the treebank's texts in their corpus.
        count: so many of each head at most, one a sentence.
    """
    by_layer: dict[int, list[HeadRole]] = {}
    for row in heads:
        if (row.kind, row.language) == (treebank.kind, treebank.language) and row.direction is not None:
            by_layer.setdefault(row.layer, []).append(row)
    if not by_layer:
        return []
    sentences = {numbers.get(sentence.text, -1): sentence for sentence in treebank.sentences}
    encodings = model.inputs.encode_many([sentence.text for sentence in sentences.values()])
    readings = [
        Reading(number, sentence.text, "", encoding.tokens)
        for (number, sentence), encoding in zip(sentences.items(), encodings, strict=True)
        if encoding is not None
    ]
    lined_up = {
        item.number: units([(word.start, word.end) for word in sentences[item.number].words], item.source)
        for item in readings
    }
    strongest: dict[Head, list[Row]] = {}

    def watch(layer: BatchLayer | TextLayer) -> None:
        if layer.kind != treebank.kind or layer.layer not in by_layer:
            return
        whole = layer.weights(slice(0, layer.size[2])).cpu().numpy()  # (texts, heads, queries, keys)
        for item, of_text in zip(batch, whole, strict=True):
            for row in by_layer[layer.layer]:
                pairs = _pairs(sentences[item.number], row)
                found = _strongest(of_text[row.head], pairs, lined_up[item.number], item, row.role or "")
                if found is not None:
                    strongest.setdefault((row.kind, row.layer, row.head), []).append(found)

    for batch in batches(readings, most_tokens(model, BATCH_TOKENS)):
        Batch(model, [[token.id for token in item.source] for item in batch]).read(watch)
    return [
        make_example(head, row, random=False)
        for head, rows in strongest.items()
        for row in sorted(rows, key=lambda row: (-row.strength, row.reading.number))[:count]
    ]


def _strongest(
    weights: np.ndarray,
    pairs: Iterable[tuple[int, int]],
    lined_up: tuple[list[int], list[int | None]],
    reading: Reading,
    role: str,
) -> Row | None:
    """Of one sentence the pair of words with the most attention between them; None where there is no pair.

    Args:
        weights: (queries, keys) of the head.
        pairs: (word that looks, right word) of each.
        lined_up: the unit of each word, and of each token.
        reading: the sentence.
        role: the relation.
    """
    of_word, of_token = lined_up
    best: Row | None = None
    for looking, right in pairs:
        queries, keys = (
            [place for place, unit in enumerate(of_token) if unit == of_word[word]] for word in (looking, right)
        )
        if of_word[looking] == of_word[right] or not queries or not keys:
            continue
        shares = weights[np.ix_(queries, keys)].sum(axis=1)  # of each of the word's tokens
        strength = min(1.0, float(shares.mean()))
        if best is None or strength > best.strength:
            query = queries[int(shares.argmax())]
            order = np.argsort(-weights[query], kind="stable")[:KEYS]
            best = Row(strength, reading, query, order, weights[query][order], role)
    return best


def _pairs(sentence: Sentence, row: HeadRole) -> Iterator[tuple[int, int]]:
    """(word that looks, right word) for every pair in the relation."""
    for index, word in enumerate(sentence.words):
        if word.relation == row.role and word.head >= 0:
            yield (index, word.head) if row.direction == "to_head" else (word.head, index)
