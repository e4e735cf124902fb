"""What every head of the bundled model does, and texts where it shows: `roles.json` and its examples, for the page."""

from __future__ import annotations

from pathlib import Path

import attnviz
from attnviz.roles import measure
from attnviz.roles.measurement.tabulating import annotated_rows

PAIRS = {"de": 400, "nl": 300, "zh": 300}
"""Held-out pairs of each language with English, spread over the file."""

ENGLISH = 200
"""Pairs the other way round: the model also reads English."""

EXAMPLES = 12
"""Texts of each head that the page shows at most."""

ALIGNMENTS = Path(__file__).resolve().parents[1] / "evaluation" / "alignments.tsv"
NAME = "1,236 sentence pairs: Tatoeba (CC BY 2.0 FR, tatoeba.org) and attnviz's own"


def publish_roles(corpus: Path, work: Path, bundle: Path) -> None:
    """Measures the model of a bundle and writes `roles.json` and `roles.examples.parquet` beside it.

    The examples come from the sentence pairs alone. Of the treebanks, which have licences of their own, only numbers
    are taken.

    Args:
        corpus: the folder with tatoeba/ and ud/.
        work: where the drawn pairs are written.
        bundle: the model's folder.
    """
    lines = [line for language, count in PAIRS.items() for line in held_out(corpus, language, count)]
    lines += ["\t".join(reversed(line.split("\t"))) for line in held_out(corpus, "de", ENGLISH, every=4)]
    pairs = work / "roles.tsv"
    pairs.write_text("\n".join(lines) + "\n", encoding="utf-8")
    model = attnviz.load(str(bundle), device="cpu", dtype="float32")
    table = measure(model, [pairs, ALIGNMENTS], examples=EXAMPLES, name=NAME)
    treebanks = sorted((corpus / "ud").glob("*.conllu"))
    table.with_rows(annotated_rows(model, treebanks)).save(bundle / "roles.json")


def held_out(corpus: Path, language: str, count: int, every: int = 0) -> list[str]:
    """The first two columns of pairs that the training leaves out: evenly drawn, or one of `every`."""
    rows = (corpus / "tatoeba" / f"{language}-en.dev.tsv").read_text(encoding="utf-8").splitlines()
    first = 1 if every else 0
    drawn = rows[first :: every or max(1, len(rows) // count)][:count]
    return ["\t".join(row.split("\t")[:2]) for row in drawn]
