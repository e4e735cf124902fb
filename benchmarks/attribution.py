"""How far each method of attribution can be trusted: blank-out correlation, and alignment error rate.

    python benchmarks/attribution.py [de.tsv nl.tsv zh.tsv] [--sentences 18] [--words 2] [--steps 32] [--minutes 15]

Blank-out: each word of the source is hidden alone and the probability of a word of the translation is watched; that is
correlated (Spearman) with what each method says of the source's words. Abnar & Zuidema 2020, "Quantifying Attention
Flow in Transformers", section 4, have such a table of other models. A file has one source in each line, of which the
part before a tab counts; so many are drawn from each, and the files take turns. Without a file the sources of
`training/evaluation/alignments.tsv` are taken, which are in no training data. The mean over all words has a bootstrap
interval of 95 % over the sentences, and each file has a column of its own. With `--results` every sentence is written
down when it is done, and a second run goes on behind it.

Alignment: the source word that gets most, for each word of a given translation, against alignments by hand. Kobayashi
et al. 2020, "Attention is Not Only a Weight", section 5, compare weights and norms so. Rows are those in which the
decoder reads the word ("own") or predicts it ("before").
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import get_args

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

import attnviz
from attnviz.attribution import attribute, attribution_matrix
from attnviz.attribution.contributions.from_gradients import attention_attributions, attention_gradients
from attnviz.attribution.contributions.occlusion import Missing
from attnviz.attribution.explained import Explained, find_explained
from attnviz.attribution.methods import attribute_recording
from attnviz.attribution.reading import Reading
from attnviz.attribution.trust.rank_correlation import spearman
from attnviz.roles.corpora.aligned_pairs import AlignedPair, read_alignments
from attnviz.roles.measurement.alignment import ROWS, between_words
from attnviz.tokenization.token import is_word
from training.evaluation.sources import PAIRS

RESAMPLES = 2000
LAYERED = ("attention", "norms", "norms_residual", "rollout")
WHOLE = ("flow", "attention_lrp", "input_gradient", "integrated_gradients")
Row = tuple[str, str]
"""A method and the layer, or "all"."""
Source = tuple[str, str]
"""The name of the file that it is from, or a language, and the text."""


def sources_of(files: Sequence[Path], count: int) -> list[Source]:
    """The sentences to explain: so many of each file, the files in turn."""
    if not files:
        pairs = list(read_alignments(PAIRS.read_text(encoding="utf-8").splitlines()))
        return [(pair.language, pair.source) for pair in spread(pairs, count)]
    drawn = []
    for file in files:
        lines = [line.split("\t")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
        texts = [line for line in lines if line]
        order = np.random.default_rng(0).permutation(len(texts))
        different = list(dict.fromkeys(texts[at] for at in order))[:count]
        drawn.append([(file.name.split(".")[0], text) for text in different])
    return [source for turn in zip_longest(*drawn) for source in turn if source is not None]


def spread(pairs: Sequence[AlignedPair], count: int) -> list[AlignedPair]:
    """So many pairs, one of each language in turn."""
    by_language: dict[str, list[AlignedPair]] = {}
    for pair in pairs:
        by_language.setdefault(pair.language, []).append(pair)
    turns = [item for turn in zip(*by_language.values(), strict=False) for item in turn]
    return turns[:count]


# Blank-out ------------------------------------------------------------------------------------------------------------


def correlations(
    model: attnviz.Model, source: str, words: int, steps: int, generator: np.random.Generator
) -> Iterator[dict[Row, float]]:
    """For some words of a translation, by method and layer, the correlation with blanking out."""
    recording = model.record(source)
    written, read = recording.query_tokens("cross"), recording.key_tokens("cross")
    shown = [at for at, token in enumerate(read) if not token.special]
    rows = [at for at in range(len(written) - 1) if is_word(written[at + 1])]
    if len(shown) < 3 or not rows:
        return
    for position in sorted(generator.permutation(rows)[:words].tolist()):
        explained = find_explained(model, recording, position)
        values = every_value(model, recording, explained, steps)
        blank = values.pop(("occlusion", "hide"))[shown]
        yield {row: spearman(item[shown], blank) for row, item in values.items()}


def every_value(
    model: attnviz.Model, recording: attnviz.Recording, explained: Explained, steps: int
) -> dict[Row, np.ndarray]:
    """What each method says of the source's tokens, (tokens,), by layer and of all layers; occlusion by its ways.

    The same as `attribute` says of them one by one; the layers of one method go through the network together.
    """
    layers = range(recording.size("cross")[0])
    reading = Reading(model, recording, explained.position)
    read = len(reading.tokens["source"])

    def of(method: str, **options: object) -> np.ndarray:
        return attribute_recording(model, recording, explained, method, **options).source_values  # type: ignore[arg-type]

    values: dict[Row, np.ndarray] = {("occlusion", way): of("occlusion", missing=way) for way in get_args(Missing)}
    for method in LAYERED:
        for layer in (*layers, None):
            if method == "rollout" and layer == layers[-1]:
                continue  # the same as all of them
            values[method, layer_name(layer)] = of(method, layer=layer)
    for layer, gradient in zip((*layers, None), attention_gradients(reading, explained, (*layers, None)), strict=True):
        values["attention_gradient", layer_name(layer)] = gradient[:read]
    for together in (tuple(layers), (None,)):  # those of the decoder alone share what the encoder gave
        results = attention_attributions(reading, explained, together, None, steps, None)
        for layer, (integral, _missed) in zip(together, results, strict=True):
            values["attention_attribution", layer_name(layer)] = integral[:read]
    return values | {(method, "all"): of(method, steps=steps) for method in WHOLE}


def layer_name(layer: int | None) -> str:
    """As the tables have it."""
    return "all" if layer is None else f"L{layer}"


def interval(by_sentence: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """The mean of all words, and its bootstrap interval of 95 % over the sentences."""
    sums = np.array([np.nansum(values) for values in by_sentence])
    counts = np.array([np.isfinite(values).sum() for values in by_sentence])
    drawn = np.random.default_rng(0).integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / np.maximum(counts[drawn].sum(axis=1), 1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(sums.sum() / max(counts.sum(), 1)), float(low), float(high)


def measured(
    model: attnviz.Model, sources: Sequence[Source], options: argparse.Namespace
) -> list[tuple[str, list[dict[Row, float]]]]:
    """The file and the correlations of each sentence, of as many as can be read in so many minutes."""
    results = []
    known = {}
    if options.results is not None and options.results.exists():
        for line in options.results.read_text(encoding="utf-8").splitlines():
            direction, text, words = json.loads(line)
            known[direction, text] = [{tuple(key.split()): value for key, value in word.items()} for word in words]
    end = time.monotonic() + 60 * options.minutes
    for number, (direction, text) in enumerate(sources):
        if (direction, text) in known:
            results.append((direction, known[direction, text]))
            continue
        if time.monotonic() > end:
            continue  # those behind it may be known
        # The words that are drawn depend on the sentence alone, not on what was explained before.
        generator = np.random.default_rng(zlib.crc32(text.encode()))
        words = list(correlations(model, text, options.words, options.steps, generator))
        results.append((direction, words))
        if options.results is not None:
            named = [{" ".join(row): value for row, value in word.items()} for word in words]
            with options.results.open("a", encoding="utf-8") as file:
                file.write(json.dumps([direction, text, named], ensure_ascii=False) + "\n")
        if number % 50 == 49:
            print(f"{number + 1} of {len(sources)}", file=sys.stderr, flush=True)
    return [(direction, words) for direction, words in results if words]


def blank_out_table(model: attnviz.Model, sources: Sequence[Source], options: argparse.Namespace) -> None:
    """Prints the correlations, the highest first, and behind them those of each file."""
    results = measured(model, sources, options)
    directions = list(dict.fromkeys(direction for direction, _words in results))

    def numbers(row: Row, direction: str | None = None) -> tuple[float, float, float]:
        return interval([[word[row] for word in words] for name, words in results if direction in (None, name)])

    count = sum(len(words) for _direction, words in results)
    each = ", ".join(f"{sum(name == one for name, _words in results)} {one}" for one in directions)
    print(f"Blank-out, Spearman: {count} words of {len(results)} translations ({each}); mean and 95 % interval\n")
    print(f"| method | layer | mean | interval | {' | '.join(directions)} |")
    print(f"|---|---|---:|---:|{'---:|' * len(directions)}")
    table = {row: numbers(row) for row in results[0][1][0]}
    for row, (mean, low, high) in sorted(table.items(), key=lambda item: -item[1][0]):
        own = [numbers(row, direction) for direction in directions]
        cells = " | ".join(f"{one:.2f} ({below:.2f} to {above:.2f})" for one, below, above in own)
        print(f"| {row[0]} | {row[1]} | {mean:.2f} | {low:.2f} to {high:.2f} | {cells} |")


# Alignment ------------------------------------------------------------------------------------------------------------


def row_maps(model: attnviz.Model, pair: AlignedPair, steps: int) -> dict[Row, np.ndarray]:
    """By method and layer, (query tokens, key tokens); for attention attribution a row explains what it predicts."""
    recording = model.record(pair.source, pair.target)
    layers, _heads, queries, keys = recording.size("cross")
    maps: dict[Row, np.ndarray] = {}
    for layer in range(layers):
        name = f"L{layer}"
        maps["weights", name] = recording.weights("cross", layer=layer).mean(dim=0).numpy()
        for method in ("norms", "norms_residual"):
            rows = [attribute(model, recording, method, row, layer=layer).source_values for row in range(queries)]
            maps[method, name] = np.stack(rows)
        matrix = attribution_matrix(model, recording, "attention_attribution", layer=layer, steps=steps)
        attributed = np.zeros((queries, keys), dtype=np.float32)
        written = recording.query_tokens("cross")
        predicting = [at for at in range(queries - 1) if not written[at + 1].special]
        attributed[predicting] = matrix.values
        maps["attention attribution", name] = attributed
    return maps


def error_rates(model: attnviz.Model, pairs: Sequence[AlignedPair], steps: int) -> dict[tuple[str, str, str], float]:
    """The alignment error rate by method, layer and rows: 1 - 2 |A ∩ S| / (|A| + |S|), with the links by hand as S."""
    counts: dict[tuple[str, str, str], np.ndarray] = {}
    for pair in pairs:
        recording = model.record(pair.source, pair.target)
        queries, keys = recording.query_tokens("cross"), recording.key_tokens("cross")
        for (method, layer), values in row_maps(model, pair, steps).items():
            views, of_target, of_source = between_words(
                values[None], queries, keys, pair.target_words, pair.source_words
            )
            right = {(of_target[word], of_source[index]) for word, linked in enumerate(pair.links) for index in linked}
            for rows in ROWS if method != "attention attribution" else ("before",):
                guessed = {(unit, int(views[rows][0, unit].argmax())) for unit in set(of_target)}
                step = np.array([len(guessed & right), len(guessed), len(right)])
                counts[method, layer, rows] = counts.get((method, layer, rows), np.zeros(3)) + step
    return {row: 1 - 2 * both / (one + other) for row, (both, one, other) in counts.items()}


def alignment_table(model: attnviz.Model, pairs: Sequence[AlignedPair], steps: int) -> None:
    """Prints the error rates, layers as columns."""
    rates = error_rates(model, pairs, steps)
    layers = sorted({layer for _method, layer, _rows in rates})
    print(f"\nAlignment error rate: {len(pairs)} pairs\n")
    print(f"| method | rows | {' | '.join(layers)} |\n|---|---|{'---:|' * len(layers)}")
    for method, rows in dict.fromkeys((method, rows) for method, _layer, rows in rates):
        numbers = " | ".join(f"{rates[method, layer, rows]:.2f}" for layer in layers)
        print(f"| {method} | {rows} | {numbers} |")


def timed(label: str, run: Callable[[], None]) -> None:
    """Runs and prints how long it took."""
    start = time.perf_counter()
    run()
    print(f"\n({label}: {time.perf_counter() - start:.0f} s)")


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--sentences", type=int, default=18, help="so many of each file; 0 leaves that table out")
    parser.add_argument("--words", type=int, default=2, help="so many words of each translation, drawn at random")
    parser.add_argument("--minutes", type=float, default=np.inf, help="no further sentence is begun after these")
    parser.add_argument("--results", type=Path, help="a file in which each sentence is written down")
    parser.add_argument("--pairs", type=int, default=18, help="so many aligned pairs; 0 leaves that table out")
    parser.add_argument("--steps", type=int, default=32, help="of the integrated methods")
    parser.add_argument("--threads", type=int, default=1, help="more only wait for each other on short sentences")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = attnviz.load(options.model)
    sources = sources_of(options.files, options.sentences)
    if sources:
        timed("blank-out", lambda: blank_out_table(model, sources, options))
    pairs = spread(list(read_alignments(PAIRS.read_text(encoding="utf-8").splitlines())), options.pairs)
    if pairs:
        timed("alignment", lambda: alignment_table(model, pairs, options.steps))


if __name__ == "__main__":
    main()
