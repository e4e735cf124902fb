"""Reads one part of a corpus: texts in batches through the model, every layer's rows into sums, the best rows aside.

A part is a few hundred texts. What it leaves (`PartResult`) is small and can be added to that of another, so parts may
be read one after another, by several processes, or after an interruption.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from attnviz.attention import blockwise
from attnviz.models.model import Model
from attnviz.models.network.network import is_encoder_decoder
from attnviz.models.recording.batches import Batch, BatchLayer, most_tokens
from attnviz.models.recording.text_layer import TextLayer
from attnviz.roles.corpora.corpus import Text
from attnviz.roles.measurement.collecting import Head, Ranking, Reading, RowCollector, drawn_texts
from attnviz.roles.measurement.facts import COLUMNS, Axis, Facts, score
from attnviz.roles.measurement.statistics import Sums
from attnviz.roles.tables.catalogue import REACH
from attnviz.roles.tables.examples import Example
from attnviz.tokenization.token import Encoding, Token
from attnviz.tokenization.tokenizer import from_ids

WRITTEN = 64
"""The most tokens that a model writes itself where a text has no target."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How texts are read.

    Attributes:
        batch_tokens: the most tokens of a batch, padding included.
        max_tokens: longer texts are cut into pieces of at most so many; those of an encoder–decoder left out.
        max_target: longer targets are left out.
        examples: rows of each head that are kept as examples; 0 for none.
        frequencies: of the corpus, how often each vocabulary id occurs.
        rankings: what the examples of a head are ranked by, where its role tells; see `RowCollector`.
    """

    batch_tokens: int
    max_tokens: int
    max_target: int
    examples: int
    frequencies: Mapping[int, int] = field(default_factory=dict)
    rankings: Mapping[Head, Ranking] = field(default_factory=dict)


@dataclass
class PartResult:
    """What a part leaves.

    Attributes:
        roles, offsets: by kind, the sums of `facts.COLUMNS`, and of each offset.
        examples: rows that may become examples.
        texts, tokens: how many were read.
        skipped: how many texts could not be read: nothing in them, or too long for the model.
    """

    roles: dict[str, Sums] = field(default_factory=dict)
    offsets: dict[str, Sums] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)
    texts: int = 0
    tokens: int = 0
    skipped: int = 0

    def add(self, other: PartResult) -> None:
        """Adds the numbers of another part; its examples are left to `ExampleCollector`."""
        for own, others in ((self.roles, other.roles), (self.offsets, other.offsets)):
            for kind, sums in others.items():
                if kind in own:
                    own[kind] += sums
                else:
                    own[kind] = sums
        self.texts, self.tokens = self.texts + other.texts, self.tokens + other.tokens
        self.skipped += other.skipped


def read_part(model: Model, numbered: Sequence[tuple[int, Text]], settings: Settings) -> PartResult:
    """Runs the model on every text of a part.

    Args:
        model: whose heads are measured.
        numbered: the texts, each with its number in the corpus.
        settings: how they are read.

    Raises:
        NoAttentionError, NoTokenizerError: the model cannot be measured.
    """
    result = PartResult()
    for kind in model.kinds:
        counts = model.recorder.plan.heads[kind]
        result.roles[kind] = Sums.zeros(len(COLUMNS), len(counts), max(counts))
        result.offsets[kind] = Sums.zeros(2 * REACH + 1, len(counts), max(counts))
    drawn = drawn_texts((number for number, _ in numbered), settings.examples)
    collector = RowCollector(settings.examples, drawn, settings.rankings)
    readings: list[Reading] = []
    for (number, text), (source, target) in zip(numbered, _encoded(model, numbered), strict=True):
        own = list(_readings(model, number, text, source, target, settings))
        readings += own
        result.texts, result.skipped = result.texts + bool(own), result.skipped + (not own)
    for batch in batches(readings, most_tokens(model, settings.batch_tokens)):
        result.tokens += _read_batch(model, batch, settings, result, collector)
    result.examples = collector.examples()
    return result


def _encoded(model: Model, numbered: Sequence[tuple[int, Text]]) -> Iterator[tuple[Encoding | None, Encoding | None]]:
    """The tokens of each text and of its target, tokenized together; None where there is nothing that can be read."""
    sources = model.inputs.encode_many([text.text for _, text in numbered])
    targets: list[Encoding | None] = [None] * len(numbered)
    if is_encoder_decoder(model.network):
        targets = model.inputs.encode_many([text.target or "" for _, text in numbered], target=True)
    return zip(sources, targets, strict=True)


def _readings(
    model: Model, number: int, text: Text, source: Encoding | None, target: Encoding | None, settings: Settings
) -> Iterator[Reading]:
    """The tokens of a text, in pieces where it is long; nothing where it, or its target, cannot be read."""
    rest, paired = text.text, is_encoder_decoder(model.network)
    written = () if target is None else target.tokens
    if paired and target is None and (text.target or "").strip():
        return
    while source is not None and rest.strip():
        tokens, piece = source.tokens, rest
        if len(tokens) > settings.max_tokens and not paired:
            plain = [token for token in tokens if not token.special]
            room = max(settings.max_tokens - (len(tokens) - len(plain)), 1)
            piece = rest[: plain[room].start if room < len(plain) else None] or rest
            if piece != rest:
                encoding = model.inputs.encode_many([piece])[0]
                tokens = () if encoding is None else encoding.tokens[: settings.max_tokens]
        # A target has a start token, and one that names a language, before it.
        if not tokens or len(tokens) > settings.max_tokens or len(written) + 2 > settings.max_target:
            return
        yield Reading(number, piece, text.target or "", tokens, written, text.source_only)
        rest = rest[len(piece) :]
        source = model.inputs.encode_many([rest])[0] if rest.strip() else None


def batches(readings: Sequence[Reading], batch_tokens: int) -> Iterator[list[Reading]]:
    """Texts of about one length together, the longest first: at most an eighth of a batch's rows is padding."""
    batch: list[Reading] = []
    most_written = 0
    order = sorted(
        readings,
        key=lambda item: (item.source_only, bool(item.written), -len(item.source), -len(item.written), item.number),
    )
    for reading in order:
        longest = len(batch[0].source) if batch else 0
        size = max(longest, len(reading.written), most_written)
        full = batch and (len(batch) + 1) * size > batch_tokens
        shorter = batch and 9 * len(reading.source) < 8 * longest
        sort = (bool(reading.written), reading.source_only)
        differs = batch and (bool(batch[0].written), batch[0].source_only) != sort
        if full or shorter or differs:
            yield batch
            batch, most_written = [], 0
        batch.append(reading)
        most_written = max(most_written, len(reading.written))
    if batch:
        yield batch


def _read_batch(
    model: Model,
    batch: list[Reading],
    settings: Settings,
    result: PartResult,
    collector: RowCollector,
) -> int:
    """Counts a batch and returns how many tokens it had."""
    run = Batch(model, [[token.id for token in reading.source] for reading in batch])
    source = Axis.of([reading.source for reading in batch], settings.frequencies, model.device)
    known: dict[tuple[str, int], list[tuple[torch.Tensor, Facts]]] = {}

    def watch(layer: BatchLayer | TextLayer) -> None:
        keys = source if layer.kind in ("cross", "encoder") or not paired else target
        queries = target if paired and layer.kind != "encoder" else source
        _count(layer, batch, queries, keys, known, result, collector)

    paired, target = False, source
    run.read(watch)
    tokens = sum(len(reading.source) for reading in batch)
    if batch[0].source_only or not is_encoder_decoder(model.network):
        return tokens
    paired = True
    batch[:] = with_beginnings(model, run, batch)
    written = [item.written for item in batch]
    target = Axis.of(written, settings.frequencies, model.device)
    run.read_targets([[token.id for token in row] for row in written], watch)
    return tokens + sum(map(len, written))


def with_beginnings(model: Model, run: Batch, batch: Sequence[Reading]) -> list[Reading]:
    """The texts of a batch with what the decoder reads of each: its start before a given target, or what the model
    writes itself."""
    if batch[0].written:
        rows = [
            [*first, *(token.id for token in item.written)]
            for first, item in zip(run.target_beginnings(), batch, strict=True)
        ]
    else:
        rows = run.write(WRITTEN)
    # Most texts of a batch begin alike.
    beginnings: dict[tuple[int, ...], tuple[Token, ...]] = {}
    result = []
    for item, ids in zip(batch, rows, strict=True):
        first = tuple(ids[: len(ids) - len(item.written)])
        if first not in beginnings:
            beginnings[first] = from_ids(model.tokenizer, first)
        tokens = (*beginnings[first], *item.written)
        result.append(Reading(item.number, item.text, item.target, item.source, tokens))
    return result


def _count(
    layer: BatchLayer | TextLayer,
    batch: Sequence[Reading],
    queries: Axis,
    keys: Axis,
    known: dict[tuple[str, int], list[tuple[torch.Tensor, Facts]]],
    result: PartResult,
    collector: RowCollector,
) -> None:
    """Counts one layer, some rows at a time."""
    texts, heads, rows_count, keys_count = layer.size
    total_roles = torch.zeros(texts, heads, len(COLUMNS), device=layer.device)
    total_offsets = torch.zeros(texts, heads, 2 * REACH + 1, device=layer.device)
    counts: list[torch.Tensor] = []
    for rows in blockwise.blocks(rows_count, keys_count, texts * heads):
        allowed = layer.allowed(rows)
        facts = _facts(known, layer.kind, allowed, queries, keys, rows)
        weights = layer.weights(rows)
        scores = score(weights, facts)
        total_roles += scores.roles
        total_offsets += scores.offsets
        own = [facts.number, facts.even, facts.offset_number, facts.offset_even]
        counts = [total + new for total, new in zip(counts, own, strict=True)] if counts else own
        collector.add(
            layer.kind,
            layer.layer,
            batch,
            weights,
            scores.greatest,
            facts,
            keys.special,
        )
    to = [item.cpu().numpy() for item in counts]
    result.roles[layer.kind].add(layer.layer, total_roles.cpu().numpy(), to[0], to[1])
    result.offsets[layer.kind].add(layer.layer, total_offsets.cpu().numpy(), to[2], to[3])


def _facts(
    known: dict[tuple[str, int], list[tuple[torch.Tensor, Facts]]],
    kind: str,
    allowed: torch.Tensor,
    queries: Axis,
    keys: Axis,
    rows: slice,
) -> Facts:
    """The facts of a block of rows, from an earlier layer that sees the same keys."""
    earlier = known.setdefault((kind, rows.start), [])
    for other, facts in earlier:
        if torch.equal(other, allowed):
            return facts
    facts = Facts.of(queries, keys, allowed, rows, related=kind != "cross")
    earlier.append((allowed, facts))
    return facts
