"""How many heads a translation needs: BLEU as heads are taken away, least important first and most important first.

    python benchmarks/heads_removed.py PAIRS.tsv [--texts 40] [--step 8] [--picture curve.png]

PAIRS.tsv has a source and its translation in each line, with a tab between them. The heads of all three kinds of
attention are ordered by how much the output changes, in bits, when each alone is missing, measured on the last lines of
the file; BLEU is counted on the first ones, which have no part in that. Michel et al. 2019, "Are Sixteen Heads Really
Better than One?", section 4 and figure 3, has the same two curves.
"""

from __future__ import annotations

import argparse
import contextlib
from collections.abc import Sequence
from pathlib import Path

import plotly.graph_objects as go
from playwright.sync_api import sync_playwright
from sacrebleu.metrics import BLEU

import attnviz
from app import chromium
from attnviz.figures import style
from attnviz.interventions import Ablate, Heads, head_importance

MOST_TOKENS = 48
MEASURED = 8  # texts from the end of the file that order the heads
Head = tuple[str, int, int]


def read_pairs(file: Path) -> list[tuple[str, str]]:
    """Sources and their translations."""
    rows = [line.split("\t") for line in file.read_text(encoding="utf-8").splitlines() if "\t" in line]
    return [(row[0].strip(), row[1].strip()) for row in rows if row[0].strip() and row[1].strip()]


def ordered_heads(model: attnviz.Model, sources: Sequence[str]) -> list[Head]:
    """All heads, the least important first."""
    importance: dict[Head, float] = {}
    for kind in model.kinds:
        means = head_importance(model, list(sources), kind).mean
        importance |= {
            (kind, layer, head): float(means[layer, head])
            for layer in range(means.shape[0])
            for head in range(means.shape[1])
            if means[layer, head] == means[layer, head]
        }
    return sorted(importance, key=importance.__getitem__)


def bleu_without(model: attnviz.Model, removed: Sequence[Head], pairs: Sequence[tuple[str, str]]) -> float:
    """BLEU of the translations with some heads taken away."""
    interventions = [Ablate(Heads(*head)) for head in removed]
    written = []
    for source, _reference in pairs:
        ids = list(model.inputs.encode(source).ids)
        output = model.recorder.write(ids, min(MOST_TOKENS, len(ids) + 8), interventions)
        written.append(model.tokenizer.decode(output, skip_special_tokens=True).strip())
    return BLEU().corpus_score(written, [[reference for _source, reference in pairs]]).score


def draw(counts: Sequence[int], curves: dict[str, list[float]]) -> go.Figure:
    """Both curves."""
    palette = style.PALETTES["light"]
    looks = (
        {"color": palette.accent, "width": 3},
        {"color": palette.quiet, "width": 3, "dash": "dash"},
    )
    traces = [
        go.Scatter(x=list(counts), y=scores, name=name, mode="lines+markers", line=line)
        for (name, scores), line in zip(curves.items(), looks, strict=True)
    ]
    layout = style.layout(
        "light",
        width=760,
        height=420,
        paper_bgcolor="white",
        legend={"x": 0.98, "y": 0.98, "xanchor": "right", "yanchor": "top"},
        xaxis=style.axis("heads removed", "light", mirror=False),
        yaxis=style.axis("BLEU", "light", mirror=False, rangemode="tozero", showgrid=True, gridcolor=palette.line),
    )
    return go.Figure(traces, layout)


def save_picture(figure: go.Figure, file: Path) -> None:
    """Writes the figure as a PNG, drawn by the browser that the tests use."""
    with sync_playwright() as playwright, contextlib.closing(chromium.launch(playwright)) as browser:
        page = browser.new_page(viewport={"width": 780, "height": 440})
        page.set_content(figure.to_html(include_plotlyjs=True, full_html=True, config={"staticPlot": True}))
        page.locator(".main-svg").first.wait_for()
        page.screenshot(path=str(file))


def main() -> None:
    """Reads the pairs, counts, prints a table, and saves the picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--texts", type=int, default=40, help="so many pairs are translated for each point")
    parser.add_argument("--step", type=int, default=8, help="so many heads more are removed from point to point")
    parser.add_argument("--picture", type=Path, help="a PNG of both curves")
    options = parser.parse_args()

    model = attnviz.load(options.model)
    pairs = read_pairs(options.pairs)
    test, rest = pairs[: options.texts], pairs[options.texts :][-MEASURED:]
    if not rest:
        raise SystemExit(f"{options.pairs} needs more than {options.texts} pairs: the last order the heads.")
    heads = ordered_heads(model, [source for source, _reference in rest])
    counts = sorted({*range(0, len(heads), options.step), len(heads)})
    curves = {"least important first": heads, "most important first": heads[::-1]}
    scores: dict[str, list[float]] = {}
    for name, order in curves.items():
        # With none or all of them removed the order makes no difference.
        ends = next(iter(scores.values()), None)
        scores[name] = [
            ends[at] if ends and count in (0, len(heads)) else bleu_without(model, order[:count], test)
            for at, count in enumerate(counts)
        ]
    print(f"BLEU of {len(test)} translations, {len(heads)} heads")
    for index, count in enumerate(counts):
        print(f"{count:4} removed: " + ", ".join(f"{scores[name][index]:5.1f} {name}" for name in scores))
    if options.picture:
        save_picture(draw(counts, scores), options.picture)


if __name__ == "__main__":
    main()
