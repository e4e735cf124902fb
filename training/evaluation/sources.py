"""What heads are measured on: the treebanks of a corpus folder, and the pairs aligned by hand beside this file.

How they are measured is `attnviz.roles`, the same for any model.
"""

from __future__ import annotations

from pathlib import Path

PAIRS = Path(__file__).with_name("alignments.tsv")
"""Pairs aligned by hand; the first lines say how they are written."""


def treebanks(corpus: Path) -> dict[str, Path]:
    """The treebank of each language in `corpus/ud`; raises FileNotFoundError that says where to get them."""
    paths = {path.name.split("_")[0]: path for path in sorted((corpus / "ud").glob("??_*-ud-dev.conllu"))}
    if not paths:
        raise FileNotFoundError(
            f"no file such as de_gsd-ud-dev.conllu in {corpus / 'ud'}; training/README.md says where to get them"
        )
    return paths
