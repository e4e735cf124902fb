"""`measure`: from a model and a corpus to a `RolesTable`.

    a few texts ─ what examples are ranked by
    corpus ─ parts ─ batches ─ rows of every layer ─ sums ─ values with intervals ─ RolesTable

Parts are read one after another, or by several processes (`cluster.py`), and kept on the disk where a folder is given
(`storage.py`). They are put together in their order, so the result is the same each way.
"""

from __future__ import annotations

import contextlib
import itertools
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from attnviz.errors import EmptyError, InputError
from attnviz.models.model import Model
from attnviz.models.network.fingerprint import fingerprint
from attnviz.models.network.network import max_positions
from attnviz.roles.corpora.corpus import Corpus, Text, corpus_name, files, read
from attnviz.roles.measurement import storage
from attnviz.roles.measurement.collecting import ExampleCollector, Head, Ranking
from attnviz.roles.measurement.parts import PartResult, Settings, read_part
from attnviz.roles.measurement.probing import probe_rows
from attnviz.roles.measurement.relation_examples import ReadTreebank, relation_examples
from attnviz.roles.measurement.tabulating import annotated_rows, make_table, rankings
from attnviz.roles.tables.examples import ExamplesIndex
from attnviz.roles.tables.table import HeadRole, RolesTable
from attnviz.tokenization.tokenizer import ids_of

PART = 1024
"""Texts of a part."""

COUNTED = 4096
"""Texts whose tokens are counted to know which are rare."""

FEWEST_RANKED, MOST_RANKED = 16, 64
"""Texts from which it is told what the examples of each head are ranked by."""

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
    out: str | Path | None = None,
    workers: int | None = None,
    address: str | None = None,
    texts_at_once: int | None = None,
) -> RolesTable:
    """What every head of a model does over a corpus.

    Args:
        model: any whose attention can be captured.
        corpus: the path of a file, several, or texts; see `corpus.read`. Treebanks tell of grammatical relations too,
            aligned pairs of alignment.
        batch_tokens: the most tokens of a batch; None for what suits the device.
        progress: is told after each part of the corpus; see `Progress`.
        name: what the corpus is called; None for the names of its files.
        examples: so many of each head's strongest rows are kept, and as many texts drawn at random; 0 for none.
        max_tokens: longer texts are cut into pieces of at most so many; None for 512, or what the model takes. Those
            of an encoder–decoder are left out.
        out: a folder in which each part is kept once it is read; a later call with the same arguments goes on there.
        workers: read parts in so many processes, with Ray; None for this process alone, unless there is an address.
        address: of a Ray cluster that runs, such as "auto".
        texts_at_once: of a part of the corpus, with fewer of which `progress` is told more often; None for 1,024.

    Returns:
        A table with a row for each head and role, and the examples.

    Raises:
        EmptyError: there is no text.
        InputError: a file cannot be read, a number is too small, the folder holds another measurement, or Ray is
            needed and missing.
        NoTokenizerError, NoAttentionError: the model cannot be measured.

    >>> table = measure(attnviz.load("bundled"), ["Der Hund sah den Ball."] * 8)
    >>> len(table.heads)
    96
    """
    folder, paths = None if out is None else Path(out), files(corpus)
    total = count_texts(corpus)
    texts = read(corpus)
    first = list(itertools.islice(texts, COUNTED))
    settings = make_settings(model, first, batch_tokens, max_tokens, examples)
    probes = tuple(probe_rows(model, first))
    if examples:
        settings = replace(settings, rankings=_first_rankings(model, first, settings, probes))
    name = corpus_name(corpus) if name is None else name
    if folder is not None:
        about: dict[str, object] = {"model": fingerprint(model.network), "corpus": name, "first": first[0].text}
        about |= {"part": texts_at_once or PART, "examples": examples}
        about |= {"batch_tokens": settings.batch_tokens, "max_tokens": settings.max_tokens}
        storage.open_folder(folder, about)
    merged, collector = PartResult(), ExampleCollector(examples)
    done = 0
    all_parts = parts(itertools.chain(first, texts), texts_at_once)
    # Closed also where `progress` ends the run, so that no process stays.
    with contextlib.closing(_results(model, all_parts, settings, folder, workers, address)) as results:
        for result, count in _in_order(results):
            merged.add(result)
            collector.add(result.examples)
            done += count
            if progress is not None:
                progress(done, total)
    table = make_table(model, merged, collector, name)
    treebanks: list[ReadTreebank] = []
    table = table.with_rows([*annotated_rows(model, paths, treebanks), *probes])
    return _with_relation_examples(model, table, treebanks, corpus, examples)


def _with_relation_examples(
    model: Model, table: RolesTable, treebanks: Sequence[ReadTreebank], corpus: Corpus, count: int
) -> RolesTable:
    """The table with examples ranked by their relation, of the heads that are called by one, in place of those ranked
    by something else."""
    if table.index is None or not treebanks:
        return table
    wanted = {sentence.text for treebank in treebanks for sentence in treebank.sentences}
    numbers: dict[str, int] = {}
    for number, text in enumerate(read(corpus)):
        if text.text in wanted:
            numbers.setdefault(text.text, number)
    better = [item for bank in treebanks for item in relation_examples(model, bank, table.heads, numbers, count)]
    replaced = {(item.kind, item.layer, item.head) for item in better}
    others = [item for item in table.index.items() if item.random or (item.kind, item.layer, item.head) not in replaced]
    return replace(table, index=ExamplesIndex.of([*others, *better]))


def _first_rankings(
    model: Model, first: Sequence[Text], settings: Settings, probes: Sequence[HeadRole]
) -> dict[Head, Ranking]:
    """What each head's examples are ranked by: the role that it has in a few of the first texts, spread over them, for
    all parts of the corpus have to be ranked alike from the start."""
    count = max(FEWEST_RANKED, min(MOST_RANKED, len(first) // 8))
    few = list(enumerate(first))[:: max(1, len(first) // count)][:count]
    sums = read_part(model, few, replace(settings, examples=0))
    if not sums.texts:
        return {}
    return rankings(make_table(model, sums, ExampleCollector(0), "").with_rows(probes).heads)


def count_texts(corpus: Corpus) -> int | None:
    """How many texts a corpus has, where that can be told without reading it whole: of a list of texts, and of files of
    a text in each line."""
    paths = files(corpus)
    if not paths:
        return len(corpus) if isinstance(corpus, list | tuple) else None
    total = 0
    for path in paths:
        if path.suffix == ".conllu" or not path.is_file():
            return None
        with path.open("rb") as lines:
            total += sum(1 for line in lines if line.strip() and not (path.suffix == ".tsv" and line[:1] == b"#"))
    return total


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
    room = min(model.max_tokens or MOST_TOKENS, max_tokens or MOST_TOKENS)
    target = max_positions(model.inputs.stack(of_decoder=True)) or MOST_TOKENS
    tokens = batch_tokens or (2048 if model.device.type == "cpu" else 32768)
    return Settings(tokens, room, target, examples, frequencies(model, first))


def frequencies(model: Model, texts: Iterable[Text]) -> dict[int, int]:
    """How often each vocabulary id occurs in some texts, targets included."""
    counts: Counter[int] = Counter()
    sides = [side for text in texts for side in (text.text, text.target) if side and side.strip()]
    model.inputs.encode(sides[0])  # says what is missing where the model has no tokenizer
    for ids in ids_of(model.tokenizer, sides):
        counts.update(ids)
    return dict(counts)


def parts(texts: Iterable[Text], size: int | None = None) -> Iterator[list[tuple[int, Text]]]:
    """The texts with their numbers, `size` at a time; None for `PART`."""
    numbered = enumerate(texts)
    while part := list(itertools.islice(numbered, size or PART)):
        yield part


def _results(
    model: Model,
    all_parts: Iterable[list[tuple[int, Text]]],
    settings: Settings,
    folder: Path | None,
    workers: int | None,
    address: str | None,
) -> Generator[tuple[int, PartResult, int], None, None]:
    """(number, result, texts) of every part, in any order; those that a folder has are not read again."""
    stored: list[tuple[int, int]] = []

    def missing() -> Iterator[tuple[int, list[tuple[int, Text]]]]:
        for number, part in enumerate(all_parts):
            if folder is not None and storage.has_part(folder, number):
                stored.append((number, len(part)))
            else:
                yield number, part

    def from_disk() -> Iterator[tuple[int, PartResult, int]]:
        while stored and folder is not None:
            number, count = stored.pop(0)
            yield number, storage.load_part(folder, number), count

    if workers is None and address is None:
        read_one_by_one = ((number, part, read_part(model, part, settings)) for number, part in missing())
        results: Generator[tuple[int, list[tuple[int, Text]], PartResult], None, None] = read_one_by_one
    else:
        from attnviz.roles.measurement.cluster import read_parts

        results = read_parts(model, missing(), settings, address=address, workers=workers)
    with contextlib.closing(results):
        for number, part, result in results:
            if folder is not None:
                storage.save_part(folder, number, result)
            yield from from_disk()
            yield number, result, len(part)
    yield from from_disk()


def _in_order(results: Iterable[tuple[int, PartResult, int]]) -> Iterator[tuple[PartResult, int]]:
    """The results by their numbers, so that sums are always added in one order; few have to wait for an earlier one."""
    early: dict[int, tuple[PartResult, int]] = {}
    wanted = 0
    for number, result, count in results:
        early[number] = (result, count)
        while wanted in early:
            yield early.pop(wanted)
            wanted += 1
