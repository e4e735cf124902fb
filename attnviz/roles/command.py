"""`attnviz roles`: measures what every head of a model does over a corpus, and can be interrupted and go on.

attnviz roles --model bundled --corpus texts.txt bank.conllu --out measured
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from attnviz.roles.measurement.measuring import measure
from attnviz.roles.tables.table import RolesTable

EPILOG = """OUT gets roles.json (the table) and roles.examples.parquet (where in the texts). An interrupted run goes on
where it stopped when the same command is given again."""


def roles(arguments: Sequence[str]) -> str:
    """Runs the command and returns what it found, to be printed.

    Raises:
        AttnvizError: the model or the corpus cannot be used, and why.
    """
    options = _parser().parse_args(arguments)
    from attnviz.models.loading.load import load

    model = load(options.model, device=options.device, dtype=options.dtype, revision=options.revision)
    table = measure(
        model,
        options.corpus,
        batch_tokens=options.batch_tokens,
        progress=_Line(),
        examples=options.examples,
        max_tokens=options.max_tokens,
        out=options.out,
        workers=options.workers,
        address=options.address,
    )
    table.save(options.out / "roles.json")
    return summary(table)


def summary(table: RolesTable) -> str:
    """A table's roles with the heads that have each, for a terminal.

    >>> summary(bundled_table()).splitlines()[1].split()[:2]
    ['previous', 'token']
    """
    lines = [f"{table.texts:,} texts, {table.tokens:,} tokens: {table.corpus}"]
    counts = Counter(row.role for row in table.rows if row.labelled and row.role)
    names = sorted(counts, key=lambda name: (-table.find(name)[0].gain, name))
    width = max(map(len, names), default=0)
    for name in names:
        heads = list(dict.fromkeys(f"{row.kind} L{row.layer} H{row.head}" for row in table.find(name)))
        best = table.find(name)[0]
        more = f" and {len(heads) - 4} more" if len(heads) > 4 else ""
        lines.append(
            f"{name:<{width}}  {best.value:4.0%} ({best.low:.0%}–{best.high:.0%}, baseline {best.baseline:.0%})  "
            f"{', '.join(heads[:4])}{more}"
        )
    unlabelled = sum(row.role is None for row in table.heads)
    return "\n".join([*lines, f"{unlabelled} of {len(table.heads)} heads fit no role.", ""])


class _Line:
    """Says on the standard error how far a run is; on a terminal in one line that changes."""

    def __init__(self) -> None:
        self.started = time.monotonic()

    def __call__(self, done: int, total: int | None) -> None:
        """Is told how many texts are done, and of how many."""
        speed = done / max(time.monotonic() - self.started, 1e-9)
        of_all = "" if total is None else f" of {total:,}"
        line = f"{done:,}{of_all} texts, {speed:,.0f} texts/s"
        sys.stderr.write(f"\r{line}\033[K" if sys.stderr.isatty() else f"{line}\n")
        if sys.stderr.isatty() and done == total:
            sys.stderr.write("\n")
        sys.stderr.flush()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="attnviz roles",
        description="Measure what every attention head does over a corpus.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--corpus",
        nargs="+",
        type=Path,
        required=True,
        metavar="FILE",
        help=".txt, .jsonl, .tsv (pairs) or .conllu (treebanks)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the table and for what is done")
    parser.add_argument("--model", default="bundled", metavar="NAME", help="bundled (default), a folder, or a Hub id")
    parser.add_argument("--revision", metavar="NAME", help="branch, tag or commit of a model on the Hub")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps")
    parser.add_argument("--dtype", default="auto", help="auto (default), float32, float16, bfloat16")
    parser.add_argument("--batch-tokens", type=int, metavar="N", help="tokens read at once (default: by the device)")
    parser.add_argument("--max-tokens", type=int, metavar="N", help="longer texts are cut (default: 512)")
    parser.add_argument("--examples", type=int, default=20, metavar="N", help="of each head (default: 20)")
    cluster = parser.add_argument_group("several processes, with Ray (pip install attnviz[cluster])")
    cluster.add_argument("--workers", type=int, metavar="N", help="how many processes")
    cluster.add_argument("--address", metavar="ADDRESS", help="of a cluster that runs, such as auto")
    return parser
