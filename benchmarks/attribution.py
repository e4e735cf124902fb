"""How far each method of attribution can be trusted: blank-out correlation, and alignment error rate.

    python benchmarks/attribution.py [SENTENCES.txt] [--sentences 18] [--words 2] [--steps 32] [--minutes 15]

Blank-out: each word of the source is hidden alone and the probability of a word of the translation is watched; that is
correlated (Spearman) with what each method says of the source's words. Abnar & Zuidema 2020, "Quantifying Attention
Flow in Transformers", section 4, have such a table of other models. SENTENCES.txt has one source in each line, of which
the part before a tab counts; without it the sources of `training/evaluation/alignments.tsv` are taken, which are in no
training data. The mean over all words has a bootstrap interval of 95 % over the sentences.

Alignment: the source word that gets most, for each word of a given translation, against alignments by hand. Kobayashi
et al. 2020, "Attention is Not Only a Weight", section 5, compare weights and norms so. Rows are those in which the
decoder reads the word ("own") or predicts it ("before").
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parent.parent))

import attnviz
from attnviz.attribution import attribute, attribution_matrix
from attnviz.attribution.rank_correlation import spearman
from attnviz.roles.aligned_pairs import AlignedPair, read_alignments
from attnviz.roles.alignment import ROWS, between_words
from attnviz.tokenization.token import is_word
from training.evaluation.sources import PAIRS

RESAMPLES = 2000
LAYERED = ("attention", "norms", "norms_residual", "rollout", "attention_gradient", "attention_attribution")
WHOLE = ("flow", "attention_lrp", "input_gradient", "integrated_gradients")
Row = tuple[str, str]
"""A method and the layer, or "all"."""


def sources_of(file: Path | None) -> list[str]:
    """The sentences to explain."""
    if file is None:
        pairs = list(read_alignments(PAIRS.read_text(encoding="utf-8").splitlines()))
        return [pair.source for pair in spread(pairs, len(pairs))]
    lines = [line.split("\t")[0].strip() for line in file.read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line]


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
    layers = recording.size("cross")[0]
    for position in sorted(generator.permutation(rows)[:words].tolist()):

        def values(method: str, position: int = position, **options: object) -> np.ndarray:
            result = attribute(model, recording, method, position, steps=steps, **options)  # type: ignore[arg-type]
            return result.source_values[shown]

        blank = values("occlusion", missing="hide")
        found = {("occlusion", way): spearman(values("occlusion", missing=way), blank) for way in ("replace", "delete")}
        for method in LAYERED:
            for layer in (*range(layers), None):
                name = "all" if layer is None else f"L{layer}"
                if method == "rollout" and layer is not None and layer == layers - 1:
                    continue  # the same as all of them
                found[method, name] = spearman(values(method, layer=layer), blank)
        found |= {(method, "all"): spearman(values(method), blank) for method in WHOLE}
        yield found


def interval(by_sentence: Sequence[Sequence[float]]) -> tuple[float, float, float]:
    """The mean of all words, and its bootstrap interval of 95 % over the sentences."""
    sums = np.array([np.nansum(values) for values in by_sentence])
    counts = np.array([np.isfinite(values).sum() for values in by_sentence])
    drawn = np.random.default_rng(0).integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[drawn].sum(axis=1) / np.maximum(counts[drawn].sum(axis=1), 1)
    low, high = np.quantile(means, (0.025, 0.975))
    return float(sums.sum() / max(counts.sum(), 1)), float(low), float(high)


def blank_out_table(model: attnviz.Model, sources: Sequence[str], words: int, steps: int, minutes: float) -> None:
    """Prints the correlations, the highest first; of as many sources as can be read in so many minutes."""
    generator = np.random.default_rng(0)
    per_sentence = []
    end = time.monotonic() + 60 * minutes
    for source in sources:
        if time.monotonic() > end:
            break
        results = list(correlations(model, source, words, steps, generator))
        if results:
            per_sentence.append(results)

    count = sum(len(results) for results in per_sentence)
    print(f"Blank-out, Spearman: {count} words of {len(per_sentence)} translations; mean and 95 % interval\n")
    print("| method | layer | mean | interval |\n|---|---|---:|---:|")
    table = {
        row: interval([[result[row] for result in results] for results in per_sentence]) for row in per_sentence[0][0]
    }
    for (method, layer), (mean, low, high) in sorted(table.items(), key=lambda item: -item[1][0]):
        print(f"| {method} | {layer} | {mean:.2f} | {low:.2f} to {high:.2f} |")


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
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--sentences", type=int, default=18, help="so many are explained; 0 leaves that table out")
    parser.add_argument("--words", type=int, default=2, help="so many words of each translation, drawn at random")
    parser.add_argument("--minutes", type=float, default=np.inf, help="no further sentence is begun after these")
    parser.add_argument("--pairs", type=int, default=18, help="so many aligned pairs; 0 leaves that table out")
    parser.add_argument("--steps", type=int, default=32, help="of the integrated methods")
    parser.add_argument("--threads", type=int, default=1, help="more only wait for each other on short sentences")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    model = attnviz.load(options.model)
    sources = sources_of(options.file)[: options.sentences]
    if sources:
        timed("blank-out", lambda: blank_out_table(model, sources, options.words, options.steps, options.minutes))
    pairs = spread(list(read_alignments(PAIRS.read_text(encoding="utf-8").splitlines())), options.pairs)
    if pairs:
        timed("alignment", lambda: alignment_table(model, pairs, options.steps))


if __name__ == "__main__":
    main()
